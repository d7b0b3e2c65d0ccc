//! The cluster over HTTP: how it behaves, who belongs to it, and who is in control.
//!
//! Separate from `orders`, which are about alerts. `status` shows, `join` lets machines in, `audit` compares
//! and counts; here stand the orders to the cluster, each answered once it is on disk.

use crate::auth::{Admin, Allowed, Caller, Operate};
use crate::nearest::{quoted, suggestion};
use crate::orders::{done, words};
use crate::problem::{Kind, Rejection};
use crate::read::{Json, Path};
use crate::{Server, Shared};
use axum::extract::State;
use base::{Name, NodeId};
use dispatch::Input;
use dispatch::input::Order;
use ownership::Member;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

pub(crate) mod audit;
pub(crate) mod join;
pub(crate) mod status;

/// To whom control goes, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchForm {
    /// The node, by name or id; without it the next in the order of precedence.
    to: Option<String>,
    /// In words, for the trail; at most 4 KiB.
    because: Option<String>,
}

/// Why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BecauseForm {
    /// In words, for the trail; at most 4 KiB.
    because: Option<String>,
}

/// How the cluster is to behave; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConductForm {
    /// `active/active` or `active/passive`.
    mode: Option<String>,
    /// Whether what a dead node leaves is taken over by itself.
    takeover: Option<bool>,
    /// Begins maintenance, for this reason; an empty text ends it.
    maintenance: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterDone)]
pub(crate) struct OrderedBody {
    /// How many alerts changed hands.
    alerts: usize,
    /// On how many disks it is.
    copies: u8,
}

/// Has the core do it.
async fn carry_out(shared: &Shared, caller: Caller, order: Order) -> Result<OrderedBody, Rejection> {
    let by = caller.actor;
    let answer = shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?;
    let (alerts, copies) = done(answer)?;
    Ok(OrderedBody { alerts: alerts.len(), copies })
}

/// The members, this node included where it is one.
pub(crate) async fn members(shared: &Shared) -> Result<BTreeMap<NodeId, Member>, Rejection> {
    Ok(shared.api.calls.read(|core, _| core.members().clone()).await?)
}

/// The member that somebody names, by name or id.
pub(crate) fn named(members: &BTreeMap<NodeId, Member>, text: &str) -> Result<NodeId, Rejection> {
    let is_it = |member: &&Member| member.name.as_str() == text || member.node.to_string() == text;
    if let Some(member) = members.values().find(is_it) {
        return Ok(member.node);
    }
    let hint = suggestion(text, members.values().map(|member| member.name.as_str()));
    let detail = match members.len() {
        0 => format!("there is no node {}: this one stands alone", quoted(text)),
        _ => format!("there is no node {}{hint}", quoted(text)),
    };
    Err(Rejection::new(Kind::NotFound, detail))
}

fn because(text: Option<&str>) -> Result<Arc<str>, Rejection> {
    let said = text.map(|text| words(text, "/because")).transpose()?;
    Ok(said.filter(|words| !words.is_empty()).unwrap_or_else(|| "asked by hand".into()))
}

/// Hands over what this node sends, and control if it has it, without interrupting anything.
///
/// Waits for messages that are on their way, at most 15 s.
#[utoipa::path(post, operation_id = "switch_over", path = "/api/v1/cluster/switch-over", tag = "cluster", request_body = SwitchForm,
    responses((status = 200, body = OrderedBody, description = "It is handed over"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused; the detail lists what blocks it")))]
pub(crate) async fn switch_over(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<SwitchForm>,
) -> Result<axum::Json<OrderedBody>, Rejection> {
    let because = because(form.because.as_deref())?;
    let to = match form.to.as_deref() {
        Some(text) => Some(named(&members(&shared).await?, text)?),
        None => None,
    };
    carry_out(&shared, caller, Order::SwitchOver { to, because }).await.map(axum::Json)
}

/// Takes control, and what dead nodes left, without asking who has it.
#[utoipa::path(post, operation_id = "take_over", path = "/api/v1/cluster/take-over", tag = "cluster", request_body = BecauseForm,
    responses((status = 200, body = OrderedBody, description = "This node is in control"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn take_over(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<BecauseForm>,
) -> Result<axum::Json<OrderedBody>, Rejection> {
    let because = because(form.because.as_deref())?;
    carry_out(&shared, caller, Order::TakeOver { because }).await.map(axum::Json)
}

/// Changes how the cluster behaves.
#[utoipa::path(post, operation_id = "conduct_cluster", path = "/api/v1/cluster/conduct", tag = "cluster", request_body = ConductForm,
    responses((status = 200, body = OrderedBody, description = "It behaves so from now on"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn conduct(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(form): Json<ConductForm>,
) -> Result<axum::Json<OrderedBody>, Rejection> {
    let passive = match form.mode.as_deref() {
        None => None,
        Some("active/active") => Some(false),
        Some("active/passive") => Some(true),
        Some(_) => {
            let detail = "a mode is active/active or active/passive";
            return Err(Rejection::at(Kind::Invalid, "/mode", detail));
        }
    };
    let maintenance = form.maintenance.as_deref().map(|text| words(text, "/maintenance")).transpose()?;
    let maintenance = maintenance.map(|reason| Some(reason).filter(|reason| !reason.is_empty()));
    let by_hand = form.takeover.map(|by_itself| !by_itself);
    if passive.is_none() && by_hand.is_none() && maintenance.is_none() {
        let detail = "say at least one of mode, takeover and maintenance";
        return Err(Rejection::at(Kind::Invalid, "", detail));
    }
    carry_out(&shared, caller, Order::Conduct { passive, by_hand, maintenance }).await.map(axum::Json)
}

/// Takes a node out of the cluster. What it still had is taken over by the others.
#[utoipa::path(delete, operation_id = "remove_member", path = "/api/v1/cluster/members/{node}", tag = "cluster",
    params(("node" = String, Path, description = "Its name or id")),
    responses((status = 200, body = OrderedBody, description = "It does not belong any more"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn dismiss(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Path(node): Path<String>,
) -> Result<axum::Json<OrderedBody>, Rejection> {
    let node = named(&members(&shared).await?, &node)?;
    carry_out(&shared, caller, Order::Dismiss { node }).await.map(axum::Json)
}

/// Makes this node the one that changes the directory. What another one changes meanwhile is lost.
#[utoipa::path(post, operation_id = "force_primary", path = "/api/v1/cluster/force-primary", tag = "cluster", request_body = crate::orders::Nothing,
    responses((status = 200, body = OrderedBody, description = "It is"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn force_primary(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(crate::orders::Nothing {}): Json<crate::orders::Nothing>,
) -> Result<axum::Json<OrderedBody>, Rejection> {
    let done = carry_out(&shared, caller, Order::ForcePrimary).await?;
    let edition = shared.api.calls.read(|core, _| core.edition().clone()).await?;
    shared.api.changes.keep(&edition); // What is read next is what was written.
    Ok(axum::Json(done))
}

/// A name for a node, from a text of a stranger's.
fn node_name(text: &str) -> Result<Name, Rejection> {
    Name::new(text).map_err(|error| Rejection::at(Kind::Invalid, "/name", error.to_string()))
}
