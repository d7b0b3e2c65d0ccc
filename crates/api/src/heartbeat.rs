//! The daily heartbeat: what it says, made from what this node knows, and sending it.
//!
//! When is the node's business; that no day has two is the core's. What is wrong stands in the first line, so that a
//! glance is enough, and everything else below.

use crate::auth::{Allowed, Operate};
use crate::call::Calls;
use crate::history::Histories;
use crate::problem::{Kind, Rejection};
use crate::{Api, Server, Services, moment};
use axum::Json;
use axum::extract::State;
use base::{Now, Wall};
use dispatch::input::{Beat, Order};
use dispatch::record::Actor;
use dispatch::{Answer, Dispatch, Input, Standing, Taken};
use ownership::Condition;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The time that is looked back on.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Below this share of free space, in percent, the disk is mentioned in the first line.
const DISK_LOW_PERCENT: u64 = 10;

/// Alerts that are looked at; of more, the rest is not counted.
const LOOKED_AT_MAX: usize = 5000;

/// What became of a heartbeat.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeartbeatSent)]
pub(crate) struct SentBody {
    /// What it says, in a line.
    summary: String,
    /// All that it says.
    details: String,
    /// The id of what is sent.
    id: Option<String>,
    /// For how many.
    recipients: usize,
}

/// What this node knows of how all is.
#[derive(Debug, Default)]
struct Findings {
    /// For the first line.
    wrong: Vec<String>,
    /// For those below.
    lines: Vec<String>,
}

impl Findings {
    /// Notes how something is; what is wrong stands in the first line as well.
    fn note(&mut self, line: String, wrong: Option<String>) {
        self.lines.push(line);
        self.wrong.extend(wrong);
    }

    fn summary(&self) -> String {
        match self.wrong.as_slice() {
            [] => "all is well".to_owned(),
            wrong => format!("not all is well: {}", wrong.join("; ")),
        }
    }
}

/// The refusal where the directory names nobody whom it is for.
pub(crate) fn nobody() -> Rejection {
    let detail = "the directory does not say whom a daily heartbeat is for: settings.heartbeat";
    Rejection::new(Kind::Conflict, detail)
}

/// Sends the heartbeat now, to try it out.
#[utoipa::path(post, operation_id = "send_heartbeat", path = "/api/v1/heartbeat/send", tag = "status",
    responses((status = 200, body = SentBody, description = "It is being sent"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn send(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
) -> Result<Json<SentBody>, Rejection> {
    let found = findings(&shared.api, &shared.histories).await?;
    let (summary, details) = (found.summary(), found.lines.join("\n"));
    let beat = Beat { day: None, summary: summary.as_str().into(), details: details.as_str().into() };
    let (alert, recipients) = match order(&shared.api.calls, caller.actor, beat).await? {
        Answer::Taken { alert, recipients, .. } => (alert, recipients),
        Answer::Refused(refusal) => return Err(refusal.into()),
        Answer::Done { .. } | Answer::Silenced { .. } => {
            return Err(Rejection::new(Kind::Fault, "the core gave another answer than to a heartbeat"));
        }
    };
    Ok(Json(SentBody { summary, details, id: alert.map(|(id, _)| id.to_string()), recipients }))
}

/// Sends the heartbeat of `day`, such as `2026-03-01`, unless the cluster has. Gives whether it was sent.
///
/// # Errors
/// Why it could not be, in words.
pub async fn send_daily(api: &Api, day: &str) -> Result<bool, String> {
    let found = findings(api, &Histories::new(&api.history)).await.map_err(|rejection| rejection.detail)?;
    let (summary, details) = (found.summary().into(), found.lines.join("\n").into());
    let beat = Beat { day: Some(day.into()), summary, details };
    match order(&api.calls, Actor::ourselves(), beat).await.map_err(|rejection| rejection.detail)? {
        Answer::Taken { taken, .. } => Ok(taken == Taken::New),
        Answer::Refused(refusal) => Err(Rejection::from(refusal).detail),
        Answer::Done { .. } | Answer::Silenced { .. } => Err("the core gave another answer".to_owned()),
    }
}

async fn order(calls: &Calls, by: Actor, beat: Beat) -> Result<Answer, Rejection> {
    let order = Order::Beat(beat);
    Ok(calls.put(move |ticket| Input::Order { ticket, by, order }).await?)
}

async fn findings(api: &Api, histories: &Histories) -> Result<Findings, Rejection> {
    let name = api.node.name.clone();
    let mut found = api.calls.read(move |core, now| seen(core, now, &name)).await?;
    note_disk(&mut found, api.services.as_ref());
    let now = moment::now();
    let since = now - DAY;
    let rows = histories.read(move |history| history.totals(since, Wall(i64::MAX))).await?;
    let sum = |count: fn(&ledger::TotalsRow) -> u64| rows.iter().map(count).sum::<u64>();
    let (accepted, sent) = (sum(|row| row.accepted), sum(|row| row.sent));
    let (refused, unknown) = (sum(|row| row.refused), sum(|row| row.unknown));
    found.lines.push(format!(
        "The last 24 hours: {accepted} alert(s) accepted, {sent} message(s) sent, {refused} refused, {unknown} unclear."
    ));
    Ok(found)
}

/// What the core knows.
fn seen(core: &Dispatch, now: Now, name: &str) -> Findings {
    let mut found = Findings::default();
    note_nodes(&mut found, core, now, name);
    note_providers(&mut found, core, now);
    note_monitors(&mut found, core, now);
    let (open, acknowledged) = counts(core);
    found.note(
        format!("Alerts: {open} open, {acknowledged} acknowledged."),
        (open > 0).then(|| format!("{open} alert(s) open")),
    );
    if core.is_paused() {
        found.note("Sending is paused.".to_owned(), Some("sending is paused".to_owned()));
    }
    if let Some(why) = core.disk_full() {
        let wrong = Some("the disk is full".to_owned());
        found.note(format!("The disk is full, and new alerts are refused: {why}."), wrong);
    }
    found
}

/// Alerts that ask somebody, and those that somebody took; our own, such as a heartbeat on its way, do not count.
fn counts(core: &Dispatch) -> (usize, usize) {
    let theirs = core.open_after(None).filter(|(_, open)| !open.alert.system).take(LOOKED_AT_MAX);
    let (mut open, mut acknowledged) = (0, 0);
    for (id, _) in theirs {
        match core.standing(id) {
            Some(Standing::Open) | None => open += 1,
            Some(Standing::Acknowledged) => acknowledged += 1,
            Some(Standing::Ended) => (),
        }
    }
    (open, acknowledged)
}

fn note_nodes(found: &mut Findings, core: &Dispatch, now: Now, name: &str) {
    let cluster = core.cluster(now);
    for (node, peer) in &cluster.peers {
        let name =
            cluster.members.get(node).map_or_else(|| node.to_string(), |member| member.name.to_string());
        let word = peer.condition.word();
        let wrong = (peer.condition != Condition::Up).then(|| format!("node {name} is {word}"));
        found.note(format!("Node {name}: {word}."), wrong);
    }
    found.lines.push(format!("This was found by node {name}."));
}

fn note_providers(found: &mut Findings, core: &Dispatch, now: Now) {
    for view in core.providers(now) {
        let why = view.why.map_or_else(String::new, |why| format!(" ({why})"));
        let wrong = (view.health != "healthy").then(|| format!("provider {} is {}", view.name, view.health));
        found.note(format!("Provider {} for {}: {}{why}.", view.name, view.channel, view.health), wrong);
    }
    let unserved: Vec<String> = core.unserved_channels().map(ToString::to_string).collect();
    if !unserved.is_empty() {
        let words = format!("no provider serves {}", unserved.join(", "));
        found.note(format!("Messages wait: {words}."), Some(words));
    }
}

fn note_monitors(found: &mut Findings, core: &Dispatch, now: Now) {
    let views = core.monitors(now);
    let bad = views.iter().filter(|view| view.pulse.is_trouble());
    let bad: Vec<String> = bad.map(|view| format!("{} is {}", view.name, view.pulse.word())).collect();
    if views.is_empty() {
        return;
    }
    let words = if bad.is_empty() { "none is missing".to_owned() } else { bad.join(", ") };
    let wrong = (!bad.is_empty()).then(|| format!("{} monitor(s) missing or failing", bad.len()));
    found.note(format!("Monitors: {}; {words}.", views.len()), wrong);
}

fn note_disk(found: &mut Findings, services: &dyn Services) {
    let Some((free, total)) = services.disk() else { return };
    let percent = free.saturating_mul(100).checked_div(total).unwrap_or(100);
    let low = percent < DISK_LOW_PERCENT;
    let wrong = low.then(|| format!("the disk has {percent} % left"));
    found.note(format!("Disk: {} MiB free, {percent} %.", free >> 20), wrong);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_in_the_first_line() {
        let mut found = Findings::default();
        found.note("Node north: up.".to_owned(), None);
        assert_eq!(found.summary(), "all is well");
        found.note("Node south: down.".to_owned(), Some("node south is down".to_owned()));
        found.note("Alerts: 2 open.".to_owned(), Some("2 alert(s) open".to_owned()));
        assert_eq!(found.summary(), "not all is well: node south is down; 2 alert(s) open");
        assert_eq!(found.lines.len(), 3);
    }
}
