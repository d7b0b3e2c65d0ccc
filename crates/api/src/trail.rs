//! The trail: who did what, when and from where, as far back as the history reaches.

use crate::alerts::{Reference, bad_cursor, page_size};
use crate::auth::{Allowed, Read};
use crate::cluster::join::node_id;
use crate::cluster::{audit, members, named};
use crate::events::streamed;
use crate::moment;
use crate::problem::{Kind, Rejection};
use crate::read::Query as Asked;
use crate::{Server, Shared};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use base::NodeId;
use futures_util::Stream;
use ledger::{TrailFilter, TrailPage, TrailRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use utoipa::ToSchema;

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrailQuery {
    /// At or after this moment, as in RFC 3339.
    since: Option<String>,
    /// About this alert: its id, or its code while it is not closed.
    alert: Option<String>,
    /// Of these kinds, such as `ack` or `directory`; several with commas.
    kind: Option<String>,
    /// Written by this node of the cluster: its name or id.
    node: Option<String>,
    /// `newest` (if absent) or `oldest` first.
    order: Option<String>,
    /// Rows, 1 to 500; 100 if absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of the trail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrailBody {
    /// The entries.
    entries: Vec<EntryBody>,
    /// For the next page; none on the last.
    next_cursor: Option<String>,
}

/// One record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrailEntry)]
pub(crate) struct EntryBody {
    /// Its id.
    id: String,
    /// When.
    at: String,
    /// What kind of record.
    kind: String,
    /// The id of the node that wrote it.
    node: String,
    /// Its name, while it belongs to the cluster.
    node_name: Option<String>,
    /// The alert it is about.
    alert: Option<String>,
    /// Who made it happen, where it was somebody.
    who: Option<String>,
    /// How it reached us: `api`, `link`, `reply` or `node`.
    via: Option<String>,
    /// The network address it came from.
    from: Option<String>,
    /// What happened, in a sentence.
    text: String,
    /// The record itself; none of large ones and of the directory, which holds secrets.
    record: Option<serde_json::Value>,
}

fn entry(row: TrailRow, names: &BTreeMap<String, String>) -> EntryBody {
    let node = row.node.to_string();
    let json = row.json.filter(|_| row.kind != "directory");
    EntryBody {
        id: row.record,
        at: moment::written(row.at),
        kind: row.kind,
        node_name: names.get(&node).cloned(),
        node,
        alert: row.alert.map(|alert| alert.to_string()),
        who: row.who,
        via: row.via,
        from: row.from,
        text: with_names(row.text, names),
        record: json.and_then(|json| serde_json::from_str(&json).ok()),
    }
}

/// A sentence in which each node that is called by its id is called by its name as well, where that is known.
fn with_names(text: String, names: &BTreeMap<String, String>) -> String {
    let called = |text: String, (id, name): (&String, &String)| {
        text.replace(&format!("node {id}"), &format!("node {name} ({id})"))
    };
    names.iter().fold(text, called)
}

/// Lists what was done, the newest first.
#[utoipa::path(get, operation_id = "list_trail", path = "/api/v1/trail", tag = "trail", params(TrailQuery),
    responses((status = 200, body = TrailBody, description = "A page of the trail"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list(
    State(shared): Server,
    _: Allowed<Read>,
    Asked(query): Asked<TrailQuery>,
) -> Result<Json<TrailBody>, Rejection> {
    let limit = page_size(query.limit)?;
    let since = query.since.as_deref().map(|text| {
        let detail = "a moment is written as 2027-01-01T00:00:00Z";
        moment::read(text).ok_or_else(|| Rejection::at(Kind::Invalid, "since", detail))
    });
    let alert = match query.alert.as_deref().map(Reference::parse).transpose()? {
        Some(Reference::Id(id)) => Some(id),
        Some(asked @ Reference::Code(_)) => {
            let found = shared.api.calls.read(move |core, _| asked.find(core)).await?;
            Some(found.ok_or_else(|| asked.unknown())?)
        }
        None => None,
    };
    let kinds = query.kind.map(|text| text.split(',').map(|kind| kind.trim().to_owned()).collect());
    let node = match query.node.as_deref() {
        Some(text) => Some(written_by(&shared, text).await?),
        None => None,
    };
    let filter = TrailFilter { alert, since: since.transpose()?, kinds: kinds.unwrap_or_default(), node };
    let cursor = query.cursor.map(|text| text.parse::<i64>().map_err(|_| bad_cursor())).transpose()?;
    let page = match (query.order.as_deref(), cursor) {
        (None | Some("newest"), None) => TrailPage::Newest,
        (None | Some("newest"), Some(n)) => TrailPage::Before(n),
        (Some("oldest"), n) => TrailPage::After(n.unwrap_or(0)),
        (Some(_), _) => {
            return Err(Rejection::at(Kind::Invalid, "order", "an order is newest or oldest"));
        }
    };
    let asked = u32::try_from(limit).unwrap_or(u32::MAX);
    let rows = shared.histories.read(move |history| history.trail(&filter, page, asked)).await?;
    let next_cursor = if rows.len() >= limit { rows.last().map(|row| row.n.to_string()) } else { None };
    let names = audit::names(&shared).await?;
    let entries = rows.into_iter().map(|row| entry(row, &names)).collect();
    Ok(Json(TrailBody { entries, next_cursor }))
}

/// A node that wrote something: a member, this one, or one that does not belong any more, by its id.
async fn written_by(shared: &Shared, text: &str) -> Result<NodeId, Rejection> {
    let own = &shared.api.node;
    if text == own.name {
        return Ok(own.id);
    }
    node_id(text).map_or(named(&members(shared).await?, text), Ok)
}

/// Streams the trail as it grows; the same events as `/api/v1/events`.
#[utoipa::path(get, operation_id = "stream_trail", path = "/api/v1/trail/stream", tag = "trail",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = String, description = "Server-sent events"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn stream(
    State(shared): Server,
    _: Allowed<Read>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    streamed(&shared.api.changes, &headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_called_by_name_and_id_where_the_name_is_known() {
        let names = BTreeMap::from([("00000001".to_owned(), "north".to_owned())]);
        let text = "node 00000001 sees node 00000002 as down: it has been silent for too long".to_owned();
        let expect = "node north (00000001) sees node 00000002 as down: it has been silent for too long";
        assert_eq!(with_names(text, &names), expect);
        let told = "bea enrolled node north (00000001) as member".to_owned();
        assert_eq!(with_names(told.clone(), &names), told);
    }
}
