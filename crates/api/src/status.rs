//! How the node is: for people, for monitors, and for whoever decides whether to send requests here.

use crate::Server;
use crate::auth::{Allowed, Read};
use crate::moment;
use crate::problem::{Kind, Place, Rejection};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{Name, Now};
use dispatch::Dispatch;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the node is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusBody {
    /// Who it is.
    node: NodeBody,
    /// Why sending stands still.
    paused: Option<PausedBody>,
    /// Why nothing new is accepted.
    disk_full: Option<String>,
    /// Alerts that somebody is still asked to acknowledge.
    open: usize,
    /// Alerts that somebody took responsibility for, and those that are over and not yet closed.
    acknowledged: usize,
    /// Alerts with something that waits to be sent.
    waiting: usize,
    /// The ways out.
    providers: Vec<ProviderBody>,
    /// The directory in force.
    directory: EditionBody,
    /// Channels that something waits for and that no provider serves.
    unserved_channels: Vec<String>,
    /// All of it in one sentence.
    sentence: String,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeBody {
    /// The name people gave it.
    name: String,
    /// Its id.
    id: String,
    /// The letter of its codes.
    letter: char,
    /// The program's version.
    version: String,
    /// When it started.
    started_at: String,
    /// How long ago that was.
    uptime_seconds: u64,
}

/// A standing pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pause)]
pub(crate) struct PausedBody {
    /// Who paused.
    by: String,
    /// Since when.
    at: String,
    /// Why.
    reason: String,
}

/// One of the ways out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Provider)]
pub(crate) struct ProviderBody {
    /// Its name.
    name: String,
    /// The channel it serves.
    channel: String,
    /// `healthy`, `failing` or `on trial`.
    health: String,
    /// Why it is not healthy.
    why: Option<String>,
    /// When it may be tried again.
    next_try_in_seconds: Option<u64>,
    /// Messages sent today (UTC).
    sent_today: u32,
    /// How many it may send a day.
    per_day: Option<u32>,
    /// Alerts that wait for its channel.
    waiting: usize,
}

/// A place in the directory's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Edition)]
pub(crate) struct EditionBody {
    /// Counts the writers.
    term: u64,
    /// Counts the changes.
    version: u64,
}

/// Alerts that a status looks at one by one, so that asking for it holds up nothing. Of more, the rest counts
/// as open, and as waiting as far as the queues of the channels say.
const LOOKED_AT_MAX: usize = 5000;

/// Shows how the node is.
#[utoipa::path(get, operation_id = "show_status", path = "/api/v1/status", tag = "status",
    responses((status = 200, body = StatusBody, description = "How the node is"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn status(State(shared): Server, _: Allowed<Read>) -> Result<Json<StatusBody>, Rejection> {
    let node = shared.api.node.clone();
    let body = shared.api.calls.read(move |core, now| {
        let (open, acknowledged, waiting) = counts(core, queued(core, now));
        let paused = core.state().pauses.values().next().map(|pause| PausedBody {
            by: pause.by.to_string(),
            at: moment::written(pause.at),
            reason: pause.reason.to_string(),
        });
        let providers = providers(core, now);
        let mut body = StatusBody {
            node: NodeBody {
                name: node.name,
                id: node.id.to_string(),
                letter: node.letter,
                version: node.version,
                started_at: moment::written(node.started),
                uptime_seconds: now.wall.since(node.started).as_secs(),
            },
            paused,
            disk_full: core.disk_full().map(ToOwned::to_owned),
            open,
            acknowledged,
            waiting,
            providers,
            directory: EditionBody { term: core.edition().term, version: core.edition().version },
            unserved_channels: core.unserved_channels().map(ToString::to_string).collect(),
            sentence: String::new(),
        };
        body.sentence = sentence(&body);
        body
    });
    Ok(Json(body.await?))
}

/// Alerts in the queues of all channels; one with several channels counts for each.
fn queued(core: &Dispatch, now: Now) -> usize {
    let channels: BTreeMap<Name, usize> =
        core.providers(now).into_iter().map(|view| (view.channel, view.waiting)).collect();
    channels.into_values().sum()
}

fn counts(core: &Dispatch, queued: usize) -> (usize, usize, usize) {
    let (mut open, mut other, mut waiting) = (0, 0, 0);
    for (id, _) in core.open_after(None).take(LOOKED_AT_MAX) {
        match core.standing(id) {
            Some(dispatch::Standing::Open) | None => open += 1,
            Some(dispatch::Standing::Acknowledged | dispatch::Standing::Ended) => other += 1,
        }
        waiting += usize::from(core.pending(id));
    }
    let rest = core.state().open.len().saturating_sub(LOOKED_AT_MAX);
    (open + rest, other, estimated(waiting, rest, queued))
}

/// How many alerts wait: `waiting` of those that were looked at, and of the `rest` what is `queued` besides.
fn estimated(waiting: usize, rest: usize, queued: usize) -> usize {
    waiting + rest.min(queued.saturating_sub(waiting))
}

fn providers(core: &Dispatch, now: Now) -> Vec<ProviderBody> {
    let each = core.providers(now).into_iter();
    each.map(|view| ProviderBody {
        name: view.name.to_string(),
        channel: view.channel.to_string(),
        health: view.health.to_owned(),
        why: view.why.map(|why| why.to_string()),
        next_try_in_seconds: view.next_try.map(|at| at.since(now.mono).as_secs()),
        sent_today: view.sent_today,
        per_day: view.per_day,
        waiting: view.waiting,
    })
    .collect()
}

/// A standing state in one sentence, the gravest first.
fn sentence(body: &StatusBody) -> String {
    let mut parts = Vec::new();
    if let Some(why) = &body.disk_full {
        parts.push(format!("nothing new is accepted because the disk is full ({why})"));
    }
    if let Some(pause) = &body.paused {
        parts.push(format!("sending is paused by {} ({})", pause.by, pause.reason));
    }
    for provider in body.providers.iter().filter(|provider| provider.health != "healthy") {
        let why = provider.why.as_deref().unwrap_or("no reason is known");
        parts.push(format!("provider {} is {} ({why})", provider.name, provider.health));
    }
    if !body.unserved_channels.is_empty() {
        parts.push(format!("no provider serves {}", body.unserved_channels.join(", ")));
    }
    let alerts = if body.open == 1 { "1 alert is".to_owned() } else { format!("{} alerts are", body.open) };
    parts.push(format!("{alerts} open, {} acknowledged, {} to be sent", body.acknowledged, body.waiting));
    parts.join("; ")
}

/// Says that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "status",
    responses((status = 200, content_type = "text/plain", body = String, description = "It lives")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether notices can be taken and sent.
#[utoipa::path(get, path = "/readyz", tag = "status",
    responses((status = 200, content_type = "text/plain", body = String, description = "They can"),
        (status = 503, body = Rejection, content_type = "application/problem+json", description = "They cannot, and why")))]
pub(crate) async fn readyz(State(shared): Server) -> Result<&'static str, Rejection> {
    let full = shared.api.calls.read(|core, _| core.disk_full().map(ToOwned::to_owned)).await?;
    let mut reasons = shared.api.services.unready();
    reasons.extend(full.map(|why| format!("the disk is full: {why}")));
    if reasons.is_empty() {
        return Ok("ready\n");
    }
    Err(Rejection::places(Kind::Unavailable, reasons.into_iter().map(|why| Place::new("", why)).collect()))
}

/// Gives all metrics as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, content_type = "text/plain", body = String, description = "Prometheus text"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn metrics(State(shared): Server, _: Allowed<Read>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (StatusCode::OK, kind, shared.api.services.metrics()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_that_were_not_looked_at_wait_only_as_far_as_something_is_queued() {
        for (waiting, rest, queued, expect) in [
            (0, 0, 0, 0),
            (3, 0, 9, 3),
            (0, 5000, 0, 0),
            (40, 5000, 40, 40),
            (5000, 5000, 6000, 6000),
            (1, 2, 900, 3),
        ] {
            assert_eq!(estimated(waiting, rest, queued), expect, "{waiting} {rest} {queued}");
        }
    }
}
