//! Whether all nodes hold the same, and what went through each.
//!
//! Separate from the status, because both read the disk: the one the whole ledger, the other the history.

use crate::auth::{Allowed, Read};
use crate::cluster::members;
use crate::directory::aside;
use crate::moment;
use crate::problem::{Kind, Rejection};
use crate::read::Query as Asked;
use crate::{Server, Shared};
use axum::Json;
use axum::extract::State;
use base::Wall;
use ledger::{Reader, TotalsRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How much of each log is on this node's disk, and a digest of what follows from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Holdings)]
pub(crate) struct HoldingsBody {
    /// The node's id.
    node: String,
    /// The node's name.
    name: String,
    /// The first place of each log that it lacks.
    vector: BTreeMap<String, u64>,
    /// SHA-256; the same on all nodes at the same vector.
    digest: String,
}

/// Says what this node holds. Nodes that hold the same say the same; the whole ledger is read for it.
#[utoipa::path(get, operation_id = "show_holdings", path = "/api/v1/cluster/verify", tag = "cluster",
    responses((status = 200, body = HoldingsBody, description = "What it holds"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn verify(State(shared): Server, _: Allowed<Read>) -> Result<Json<HoldingsBody>, Rejection> {
    let folder = shared.api.history.clone();
    let read = aside(move || {
        let reader = Reader::open(&folder).map_err(|error| error.to_string())?;
        reader.digest().map_err(|error| error.to_string())
    });
    let (vector, digest) = read.await?.map_err(|why| Rejection::new(Kind::Unavailable, why))?;
    Ok(Json(HoldingsBody {
        node: shared.api.node.id.to_string(),
        name: shared.api.node.name.clone(),
        vector: vector.into_iter().map(|(log, upto)| (log.to_string(), upto)).collect(),
        digest: digest.to_string(),
    }))
}

/// From when to when.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotalsQuery {
    /// At or after this moment, as in RFC 3339; from the beginning if absent.
    since: Option<String>,
    /// Before this moment; until now if absent.
    until: Option<String>,
}

/// What went through the cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsBody {
    /// A row for each node and source.
    rows: Vec<TotalBody>,
}

/// What went through one node for one source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Total)]
pub(crate) struct TotalBody {
    /// The node's id.
    node: String,
    /// Its name, while it belongs to the cluster.
    name: Option<String>,
    /// Who sent the alerts; none where the history does not know the alert.
    source: Option<String>,
    /// Alerts that the node accepted.
    accepted: u64,
    /// Messages of the node that a provider accepted.
    sent: u64,
    /// Messages that were refused.
    refused: u64,
    /// Messages of which nobody knows.
    unknown: u64,
    /// Acknowledgements that reached the node.
    acknowledged: u64,
}

fn moment_of(text: Option<&str>, name: &str, absent: Wall) -> Result<Wall, Rejection> {
    let Some(text) = text else { return Ok(absent) };
    let detail = "a moment is written as 2027-01-01T00:00:00Z";
    moment::read(text).ok_or_else(|| Rejection::at(Kind::Invalid, name, detail))
}

/// Counts what went through each node, for each source.
#[utoipa::path(get, operation_id = "show_totals", path = "/api/v1/cluster/totals", tag = "cluster", params(TotalsQuery),
    responses((status = 200, body = TotalsBody, description = "A row for each node and source"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn totals(
    State(shared): Server,
    _: Allowed<Read>,
    Asked(query): Asked<TotalsQuery>,
) -> Result<Json<TotalsBody>, Rejection> {
    let since = moment_of(query.since.as_deref(), "since", Wall(i64::MIN))?;
    let until = moment_of(query.until.as_deref(), "until", Wall(i64::MAX))?;
    let rows = shared.histories.read(move |history| history.totals(since, until)).await?;
    let names = names(&shared).await?;
    Ok(Json(TotalsBody { rows: rows.into_iter().map(|row| total(row, &names)).collect() }))
}

fn total(row: TotalsRow, names: &BTreeMap<String, String>) -> TotalBody {
    let TotalsRow { node, source, accepted, sent, refused, unknown, acknowledged } = row;
    let node = node.to_string();
    let name = names.get(&node).cloned();
    TotalBody { node, name, source, accepted, sent, refused, unknown, acknowledged }
}

/// What each node is called, by its id.
pub(crate) async fn names(shared: &Shared) -> Result<BTreeMap<String, String>, Rejection> {
    let members = members(shared).await?;
    let mut names: BTreeMap<_, _> =
        members.values().map(|member| (member.node.to_string(), member.name.to_string())).collect();
    names.entry(shared.api.node.id.to_string()).or_insert_with(|| shared.api.node.name.clone());
    Ok(names)
}
