//! Webhooks of Alertmanager and Grafana: each alert of a post becomes a notice.
//!
//! Separate from the API of Alertmanager, because here it is not Prometheus that reports its alerts again and again,
//! but a dispatcher that reports a group once and drops it for good where it is answered with 4xx. So only what can
//! never be read is answered with 400; whatever else stands in the way is a 503, which is tried again. Both keep the
//! labels and annotations in the same way (`alertmanager`).

mod legacy;
mod payload;

pub use payload::{Member, parse_alertmanager_hook, parse_grafana_hook};

use crate::alertmanager::{grade, listed};
use crate::auth::{Allowed, Caller, Send};
use crate::problem::{Kind, Place, Rejection};
use crate::read::body_bytes;
use crate::{Server, Shared, moment};
use axum::Json;
use axum::extract::Request;
use axum::extract::State;
use axum::routing::post;
use base::limits::{BATCH_NOTICES_MAX, HOOK_BYTES_MAX};
use dispatch::directory::Edition;
use dispatch::input::Order;
use dispatch::{Answer, Input, Notice, Taken};
use futures_util::future::join_all;
use payload::{Group, Wrong};
use serde::Serialize;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Characters of a group's key that the trail quotes.
const GROUP_CHARS_MAX: usize = 120;

/// The routes. They stand in no OpenAPI document of ours: the senders' own documents describe them. The secret in
/// the path is for tools that take nothing but a URL.
pub(crate) fn routes() -> OpenApiRouter<Arc<Shared>> {
    let both = || post(grafana).put(grafana);
    OpenApiRouter::new()
        .route("/hooks/alertmanager", post(alertmanager))
        .route("/hooks/alertmanager/{secret}", post(alertmanager))
        .route("/hooks/grafana", both())
        .route("/hooks/grafana/{secret}", both())
}

/// How many alerts of a post were taken, and as what.
#[derive(Debug, Default, Serialize)]
pub(crate) struct TakenBody {
    new: usize,
    repeated: usize,
    resolved: usize,
    nothing_open: usize,
}

impl TakenBody {
    fn count(&mut self, taken: Taken) {
        let counter = match taken {
            Taken::New => &mut self.new,
            Taken::Repeated => &mut self.repeated,
            Taken::Resolved => &mut self.resolved,
            Taken::NothingOpen => &mut self.nothing_open,
        };
        *counter += 1;
    }
}

async fn alertmanager(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    request: Request,
) -> Result<Json<TakenBody>, Rejection> {
    let bytes = body_bytes(request.into_body(), HOOK_BYTES_MAX).await?;
    take(&shared, &caller, payload::alertmanager(&bytes, moment::now())?).await
}

async fn grafana(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    request: Request,
) -> Result<Json<TakenBody>, Rejection> {
    let bytes = body_bytes(request.into_body(), HOOK_BYTES_MAX).await?;
    take(&shared, &caller, payload::grafana(&bytes, moment::now())?).await
}

/// Takes every alert of a group that can be read. The answer comes when they are on disk.
async fn take(shared: &Shared, caller: &Caller, group: Group) -> Result<Json<TakenBody>, Rejection> {
    let edition =
        shared.edition().await.map_err(|_| passing(&["the node is starting or stopping".to_owned()]))?;
    let mut body = TakenBody::default();
    let mut refused = Vec::new();
    let mut members = group.members;
    while !members.is_empty() {
        let rest = members.split_off(members.len().min(BATCH_NOTICES_MAX));
        let each = members.into_iter().map(|member| one(shared, caller, &edition, member));
        for taken in join_all(each).await {
            taken.map_or_else(|why| refused.push(why), |taken| body.count(taken));
        }
        members = rest;
    }
    if group.left_out > 0 && body.new > 0 {
        tell_left_out(shared, caller, &group.key, group.left_out).await;
    }
    // What failed for our sake counts for more than what can never be read: it is worth another try.
    if !refused.is_empty() {
        return Err(passing(&refused));
    }
    if group.wrong.is_empty() { Ok(Json(body)) } else { Err(malformed(group.wrong)) }
}

async fn one(
    shared: &Shared,
    caller: &Caller,
    edition: &Edition,
    mut member: Member,
) -> Result<Taken, String> {
    grade(&edition.directory, &caller.source, &mut member.content);
    let notice = Box::new(Notice {
        source: caller.source.clone(),
        key: None,
        fingerprint: Some(member.fingerprint),
        resolved: member.resolved,
        stands_for: member.stands_for,
        content: member.content,
        to: Vec::new(),
        policy: None,
        choices: Vec::new(),
        civil: shared.api.services.civil(&edition.directory.settings.time_zone),
    });
    match shared.api.calls.put(move |ticket| Input::Notice { ticket, notice }).await {
        Ok(Answer::Taken { taken, .. }) => Ok(taken),
        Ok(Answer::Refused(refusal)) => Err(Rejection::from(refusal).detail),
        Ok(Answer::Done { .. } | Answer::Silenced { .. }) => {
            Err("the core gave another answer than to a notice".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Notes in the trail that the sender kept alerts to itself. Only where something new came, so that a group that is
/// posted again and again fills no disk.
async fn tell_left_out(shared: &Shared, caller: &Caller, key: &str, left_out: u64) {
    let key: String = key.chars().take(GROUP_CHARS_MAX).collect();
    let what =
        format!("{left_out} alerts of the group {key} were left out by their sender: raise its max_alerts");
    let by = caller.actor.clone();
    let order = Order::Note { what: what.into() };
    // The alerts that came are taken in any case; a note that finds no room is missed by nobody who waits.
    drop(shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await);
}

/// What may be different when it is tried again: no room, no route, no peer, no time.
fn passing(why: &[String]) -> Rejection {
    let mut texts: Vec<&str> = why.iter().map(String::as_str).collect();
    texts.dedup();
    Rejection::new(Kind::Unavailable, listed(&texts))
}

/// What can never be read. Everything else of the post was taken.
fn malformed(wrong: Vec<Wrong>) -> Rejection {
    let place = |wrong: Wrong| Place::new(wrong.pointer, wrong.why);
    Rejection::places(Kind::Malformed, wrong.into_iter().map(place).collect())
}

/// The same refusal as one that says: do not send this again.
fn unreadable(rejection: Rejection) -> Rejection {
    if rejection.errors.is_empty() { rejection } else { Rejection::places(Kind::Malformed, rejection.errors) }
}
