//! Heartbeat monitors: what says that it lives by asking for an address, and how each of them is.
//!
//! The addresses are those that healthchecks made common, `/ping/NAME`, `/ping/NAME/fail` and `/ping/NAME/3` (the exit
//! status of what ran), and `GoAlert`'s for its heartbeats. GET counts as well as POST, because some tools can do no
//! other: that is asked for by programs that were told this address, and never by a browser.

use crate::alert::age;
use crate::auth::{Allowed, Caller, Read, Send};
use crate::nearest::{quoted, suggestion};
use crate::orders::done;
use crate::problem::{Kind, Rejection};
use crate::read::{Path, body_bytes};
use crate::{Server, Shared};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use base::Name;
use dispatch::input::{Order, Ping};
use dispatch::{Input, MonitorView};
use serde::Serialize;
use utoipa::ToSchema;

/// Bytes of what may be sent with a ping.
const BODY_BYTES_MAX: usize = 100_000;
/// Characters kept of what is said with a failure.
const WHY_CHARS_MAX: usize = 1000;

/// Every monitor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MonitorsBody {
    /// By name.
    monitors: Vec<MonitorBody>,
}

/// A monitor as this node sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MonitorState)]
pub(crate) struct MonitorBody {
    /// Its name.
    name: String,
    /// `new` (not heard since this node began to watch it, and not missing yet), `up`, `late` (within its grace),
    /// `missing` or `failing`.
    state: String,
    /// How long ago it was heard; none since this node began to watch it.
    heard_seconds: Option<u64>,
    /// The same in words.
    heard: Option<String>,
    /// In how long it is missing; 0 if it is.
    due_in_seconds: u64,
    /// How often it is to be heard.
    every_seconds: f64,
    /// How much later is no alert yet.
    grace_seconds: f64,
    /// Why it says that it failed.
    why: Option<String>,
    /// The code of its open alert.
    alert: Option<String>,
}

/// Shows how every monitor is, as this node sees it.
#[utoipa::path(get, operation_id = "list_monitors", path = "/api/v1/monitors", tag = "monitors",
    responses((status = 200, body = MonitorsBody, description = "Every monitor"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list(State(shared): Server, _: Allowed<Read>) -> Result<Json<MonitorsBody>, Rejection> {
    let views = shared.api.calls.read(|core, now| (core.monitors(now), now.wall)).await?;
    let (views, now) = views;
    let body = |view: MonitorView| MonitorBody {
        name: view.name.to_string(),
        state: view.pulse.word().to_owned(),
        heard_seconds: view.heard.map(|ago| ago.as_secs()),
        heard: view.heard.map(|ago| format!("{} ago", age(now, now - ago))),
        due_in_seconds: view.due.as_secs(),
        every_seconds: view.every.as_secs_f64(),
        grace_seconds: view.grace.as_secs_f64(),
        why: view.why.map(|why| why.to_string()),
        alert: view.alert.map(|code| code.to_string()),
    };
    Ok(Json(MonitorsBody { monitors: views.into_iter().map(body).collect() }))
}

/// Says that a monitor lives.
#[utoipa::path(get, operation_id = "ping_by_get", path = "/ping/{name}", tag = "monitors",
    params(("name" = String, Path, description = "The monitor")),
    responses((status = 200, content_type = "text/plain", body = String, description = "It was heard"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn by_get(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    Path(name): Path<String>,
) -> Result<&'static str, Rejection> {
    heard(&shared, caller, &name, Ping::Well).await
}

/// Says that a monitor lives.
#[utoipa::path(post, operation_id = "ping", path = "/ping/{name}", tag = "monitors",
    params(("name" = String, Path, description = "The monitor")),
    request_body(content = Option<String>, content_type = "text/plain", description = "Is not looked at"),
    responses((status = 200, content_type = "text/plain", body = String, description = "It was heard"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn by_post(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    Path(name): Path<String>,
    body: Body,
) -> Result<&'static str, Rejection> {
    body_bytes(body, BODY_BYTES_MAX).await?;
    heard(&shared, caller, &name, Ping::Well).await
}

/// Says that a monitor lives, as `GoAlert` takes it.
#[utoipa::path(post, operation_id = "ping_as_goalert", path = "/api/v2/heartbeat/{name}", tag = "monitors",
    params(("name" = String, Path, description = "The monitor")),
    request_body(content = Option<String>, content_type = "text/plain", description = "Is not looked at"),
    responses((status = 200, content_type = "text/plain", body = String, description = "It was heard"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn as_goalert(
    shared: Server,
    caller: Allowed<Send>,
    name: Path<String>,
    body: Body,
) -> Result<&'static str, Rejection> {
    by_post(shared, caller, name, body).await
}

/// Says what became of what a monitor watches.
#[utoipa::path(get, operation_id = "ping_with_status_by_get", path = "/ping/{name}/{status}", tag = "monitors",
    params(("name" = String, Path, description = "The monitor"),
        ("status" = String, Path, description = "`fail`, `success`, or an exit status from 0 to 255, of which 0 is well")),
    responses((status = 200, content_type = "text/plain", body = String, description = "It was heard"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn status_by_get(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    Path((name, status)): Path<(String, String)>,
) -> Result<&'static str, Rejection> {
    heard(&shared, caller, &name, ping(&status, "")?).await
}

/// Says what became of what a monitor watches, and what it said.
#[utoipa::path(post, operation_id = "ping_with_status", path = "/ping/{name}/{status}", tag = "monitors",
    params(("name" = String, Path, description = "The monitor"),
        ("status" = String, Path, description = "`fail`, `success`, or an exit status from 0 to 255, of which 0 is well")),
    request_body(content = Option<String>, content_type = "text/plain", description = "Of a failure the first 1000 characters are told"),
    responses((status = 200, content_type = "text/plain", body = String, description = "It was heard"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn status_by_post(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    Path((name, status)): Path<(String, String)>,
    body: Body,
) -> Result<&'static str, Rejection> {
    let body = body_bytes(body, BODY_BYTES_MAX).await?;
    heard(&shared, caller, &name, ping(&status, &String::from_utf8_lossy(&body))?).await
}

/// What the last part of an address means.
fn ping(status: &str, said: &str) -> Result<Ping, Rejection> {
    let what = match status {
        "success" => return Ok(Ping::Well),
        "fail" => None,
        number => match number.parse::<u8>() {
            Ok(0) => return Ok(Ping::Well),
            Ok(number) => Some(format!("exit status {number}")),
            Err(_) => {
                let hint = suggestion(number, ["fail", "success"]);
                let detail =
                    format!("{} is neither fail nor success nor an exit status{hint}", quoted(number));
                return Err(Rejection::new(Kind::NotFound, detail));
            }
        },
    };
    let said: String = crate::notices::one_line(said).chars().take(WHY_CHARS_MAX).collect();
    let said = Some(said).filter(|said| !said.is_empty());
    let words: Vec<String> = what.into_iter().chain(said).collect();
    let why = if words.is_empty() { "no reason was given".to_owned() } else { words.join(": ") };
    Ok(Ping::Failed { why: why.into() })
}

/// The refusal for a name that no monitor has, with the nearest of those that there are.
pub(crate) fn unknown<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Rejection {
    let hint = suggestion(name, known);
    Rejection::new(Kind::NotFound, format!("there is no monitor {}{hint}", quoted(name)))
}

async fn heard(shared: &Shared, caller: Caller, name: &str, ping: Ping) -> Result<&'static str, Rejection> {
    let book = shared.edition().await?.directory;
    let known = Name::new(name).ok().filter(|name| book.monitors.contains_key(name));
    let monitor = known.ok_or_else(|| unknown(name, book.monitors.keys().map(Name::as_str)))?;
    let (by, order) = (caller.actor, Order::Ping { monitor, ping });
    done(shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?)?;
    Ok("OK")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_status_is_read_as_shells_give_it() {
        let check = |status: &str, said: &str, told: &str| {
            let text = match ping(status, said) {
                Ok(Ping::Well) => "well".to_owned(),
                Ok(Ping::Failed { why }) => why.to_string(),
                Err(rejection) => rejection.detail,
            };
            assert_eq!(text, told, "{status}");
        };
        check("0", "done", "well");
        check("success", "", "well");
        check("3", "", "exit status 3");
        check("255", "disk full\nat block 7\n", "exit status 255: disk full at block 7");
        check("fail", "", "no reason was given");
        check("fail", "tape is out", "tape is out");
        check("256", "", "\"256\" is neither fail nor success nor an exit status");
        check("fial", "", "\"fial\" is neither fail nor success nor an exit status; did you mean \"fail\"?");
    }
}
