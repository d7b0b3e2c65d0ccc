//! What the history tells about alerts that are closed: the same shapes as for open ones.
//!
//! Reads wait for a disk, so they are made aside, on a few connections that are kept.

use crate::alert::{AcknowledgementBody, AlertBody, EndBody, Progress};
use crate::alerts::{AttemptBody, CommentBody, NotificationBody, OneBody, Reference, StepBody};
use crate::answers::{AnsweredBody, ClosedAnswers};
use crate::moment;
use crate::problem::{Kind, Rejection};
use base::{NotificationId, Wall};
use dispatch::record::{Actor, Via};
use ledger::{
    AlertCursor, AlertFilter, AlertRow, AlertState, History, NotificationRow, TrailFilter, TrailPage,
    TrailRow,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections that are kept.
const READERS_KEPT: usize = 4;
/// Rows of the trail that are looked through for what was said and done about one alert.
const TOLD_MAX: u32 = 500;

/// The way to the history. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Histories {
    folder: PathBuf,
    idle: Arc<Mutex<Vec<History>>>,
}

impl Histories {
    /// Reads the history in that folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), idle: Arc::default() }
    }

    /// Asks the history, aside.
    pub(crate) async fn read<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
        &self,
        ask: impl FnOnce(&History) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Rejection> {
        let this = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let unreadable = |why: String| Rejection::new(Kind::Unavailable, format!("the history: {why}"));
            let kept = this.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let history = match kept {
                Some(history) => history,
                None => History::open_reader(&this.folder).map_err(|error| unreadable(error.to_string()))?,
            };
            let told = ask(&history).map_err(|error| unreadable(error.to_string()))?;
            let mut idle = this.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < READERS_KEPT {
                idle.push(history);
            }
            Ok(told)
        });
        asked.await.unwrap_or_else(|_| Err(Rejection::new(Kind::Fault, "the history could not be asked")))
    }

    /// A page of closed alerts, the newest first, and where the next begins.
    pub(crate) async fn closed(
        &self,
        search: Option<String>,
        limit: usize,
        before: Option<AlertCursor>,
    ) -> Result<(Vec<AlertBody>, Option<AlertCursor>), Rejection> {
        let filter = AlertFilter { states: vec![AlertState::Closed], text: search, ..AlertFilter::default() };
        let asked = u32::try_from(limit + 1).unwrap_or(u32::MAX).min(ledger::PAGE_ROWS_MAX);
        let mut rows = self.read(move |history| history.alerts(&filter, before, asked)).await?;
        let whole = u32::try_from(rows.len()).unwrap_or(u32::MAX) == asked;
        if rows.len() > limit {
            rows.truncate(limit);
        }
        let next = if whole { rows.last().map(AlertRow::cursor) } else { None };
        let now = moment::now();
        Ok((rows.into_iter().map(|row| listed(row, now)).collect(), next))
    }

    /// One alert, closed or not.
    pub(crate) async fn one(&self, asked: Reference) -> Result<Option<OneBody>, Rejection> {
        let found = self.read(move |history| {
            let Some(row) = row(history, asked)? else { return Ok(None) };
            let kinds = ["ack", "comment", "step-fired", "accept"].map(str::to_owned).to_vec();
            let filter = TrailFilter { alert: Some(row.id), kinds, ..TrailFilter::default() };
            let told = history.trail(&filter, TrailPage::After(0), TOLD_MAX).map_err(|it| it.to_string())?;
            Ok::<_, String>(Some((row, told)))
        });
        Ok(found.await?.map(|(row, told)| whole(row, &told)))
    }

    /// A page of an alert's notifications, and where the next begins; none if there is no such alert.
    pub(crate) async fn notifications(
        &self,
        asked: Reference,
        after: Option<NotificationId>,
        limit: usize,
    ) -> Result<Option<(Vec<NotificationBody>, Option<NotificationId>)>, Rejection> {
        let rows = self.read(move |history| {
            let Some(row) = row(history, asked)? else { return Ok(None) };
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            history.notifications(row.id, after, limit).map(Some).map_err(|it| it.to_string())
        });
        Ok(rows.await?.map(|rows| {
            let next = if rows.len() >= limit { rows.last().map(|row| row.id) } else { None };
            (rows.into_iter().map(notification).collect(), next)
        }))
    }
}

/// The alert of that id, or the last one of that code.
fn row(history: &History, asked: Reference) -> Result<Option<AlertRow>, String> {
    let found = match asked {
        Reference::Id(id) => history.alert(id),
        Reference::Code(code) => {
            let filter = AlertFilter { code: Some(code.to_string()), ..AlertFilter::default() };
            history.alerts(&filter, None, 1).map(|rows| rows.into_iter().next())
        }
    };
    found.map_err(|error| error.to_string())
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn listed(row: AlertRow, now: Wall) -> AlertBody {
    let acknowledged = row.acknowledged_by.zip(row.acknowledged_at).map(|(by, at)| AcknowledgementBody {
        recipient: by.strip_prefix("recipient:").map(str::to_owned),
        by,
        at: moment::written(at),
        comment: None,
    });
    let ended = row.why.zip(row.ended_by).zip(row.ended_at);
    let (sent, failed) = (count(row.sent), count(row.failed));
    AlertBody {
        id: row.id.to_string(),
        code: row.code,
        state: row.state.word().to_owned(),
        severity: row.severity.word().to_owned(),
        source: row.source,
        summary: row.summary,
        details: row.details,
        labels: serde_json::from_str(&row.labels).unwrap_or_default(),
        route: row.route,
        policy: None,
        mode: None,
        accepted_at: moment::written(row.at),
        age_seconds: now.since(row.at).as_secs(),
        acknowledgements: acknowledged.iter().cloned().collect(),
        acknowledged,
        missing: 0,
        ended: ended.map(|((why, by), at)| EndBody { why, by, at: moment::written(at) }),
        closed_at: row.closed_at.map(moment::written),
        recipients: count(row.recipients),
        progress: Progress { sent, failed, waiting: 0, total: sent + failed },
        next_step: None,
        escalates: true,
        system: row.system,
        late: false,
        answers: None,
        held_back: Vec::new(),
    }
}

/// An alert with what the trail tells of it.
fn whole(row: AlertRow, told: &[TrailRow]) -> OneBody {
    let mut one = OneBody { alert: listed(row, moment::now()), comments: Vec::new(), steps: Vec::new() };
    let (mut acks, mut answers) = (Vec::new(), ClosedAnswers::default());
    for row in told {
        let record: Value =
            row.json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let at = moment::written(row.at);
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let number = |pointer: &str| record.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        match row.kind.as_str() {
            "accept" => {
                answers = ClosedAnswers::of(record.pointer("/accept/choices"));
                one.alert.escalates =
                    record.pointer("/accept/escalates").and_then(Value::as_bool).unwrap_or(true);
                let on_call = shifts(record.pointer("/accept/on_call"));
                let withheld = withheld(record.pointer("/accept/withheld"));
                let (late_seconds, empty, by) = (0, false, None);
                one.steps.push(StepBody {
                    round: 1,
                    step: 0,
                    at,
                    late_seconds,
                    empty,
                    by,
                    on_call,
                    withheld,
                });
            }
            "ack" => {
                let by = actor(row).unwrap_or_default();
                let (recipient, comment) = (text("/ack/ack/recipient"), text("/ack/ack/comment"));
                let given = AnsweredBody { recipient, by, at, comment };
                answers.add(number("/ack/ack/chosen/number"), &given);
                let AnsweredBody { recipient, by, at, comment } = given;
                acks.push(AcknowledgementBody { by, recipient, at, comment });
            }
            "comment" if record.pointer("/comment/comment/answer").is_some() => {
                let by = actor(row).unwrap_or_default();
                let said = |key: &str| text(&format!("/comment/comment/answer/{key}"));
                let given = AnsweredBody { recipient: said("recipient"), by, at, comment: said("comment") };
                answers.add(number("/comment/comment/answer/chosen/number"), &given);
            }
            "comment" => one.comments.push(CommentBody {
                by: actor(row).unwrap_or_default(),
                at,
                text: text("/comment/comment/text").unwrap_or_else(|| row.text.clone()),
            }),
            _ => {
                let step = fired_step(&record, at, actor(row));
                one.alert.late |= step.late_seconds > 0;
                one.steps.push(step);
            }
        }
    }
    one.alert.answers = answers.body(one.alert.recipients);
    if !acks.is_empty() {
        one.alert.acknowledged = acks.first().cloned();
        one.alert.acknowledgements = acks;
    }
    one
}

/// A step as its firing tells it.
fn fired_step(record: &Value, at: String, by: Option<String>) -> StepBody {
    let number = |pointer: &str| record.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let short = |pointer: &str| u16::try_from(number(pointer)).unwrap_or(u16::MAX);
    let empty = record.pointer("/step-fired/fired/empty").and_then(Value::as_bool);
    StepBody {
        round: short("/step-fired/step/round").saturating_add(1),
        step: short("/step-fired/step/step"),
        at,
        late_seconds: number("/step-fired/fired/late") / 1000,
        empty: empty.unwrap_or(false),
        by,
        on_call: shifts(record.pointer("/step-fired/fired/on_call")),
        withheld: withheld(record.pointer("/step-fired/fired/withheld")),
    }
}

/// What filters withheld, in the words in which it is told of an open alert.
fn withheld(written: Option<&Value>) -> Vec<String> {
    let said = |withheld: &Value| {
        let filter = withheld.get("filter").and_then(Value::as_str).unwrap_or_default();
        let channels = withheld.get("channels").and_then(Value::as_array).into_iter().flatten();
        let channels = channels.filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        let what = if channels.is_empty() { "messages" } else { &channels };
        format!("filter {filter} withholds {what}")
    };
    written.and_then(Value::as_array).into_iter().flatten().map(said).collect()
}

/// Who was on call, in the words in which it is told of an open alert.
fn shifts(written: Option<&Value>) -> Vec<String> {
    let said = |shift: &Value| {
        let text = |key: &str| shift.get(key).and_then(Value::as_str).unwrap_or_default();
        let who = shift.get("who").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let who = who.collect::<Vec<_>>().join(", ");
        let who = if who.is_empty() { "nobody" } else { &who };
        format!("{who} on call in {} ({})", text("schedule"), text("because"))
    };
    written.and_then(Value::as_array).into_iter().flatten().map(said).collect()
}

/// Who made a row of the trail happen, as for open alerts.
fn actor(row: &TrailRow) -> Option<String> {
    let via = Via::ALL.into_iter().find(|via| Some(via.word()) == row.via.as_deref()).unwrap_or(Via::Node);
    let who = row.who.as_deref()?.into();
    Some(Actor { who, via, from: row.from.as_deref().map(Into::into) }.to_string())
}

fn notification(row: NotificationRow) -> NotificationBody {
    let (state, outcome) = match row.state.as_str() {
        "accepted" => ("sent", Some("accepted")),
        "failed" => ("failed", Some("refused")),
        "refused" => ("waiting", Some("refused")),
        "unknown" => ("unknown", Some("unknown")),
        _ => ("under-way", None),
    };
    // The history keeps the last attempt only.
    let last = AttemptBody { provider: row.provider, outcome: outcome.map(str::to_owned), why: row.why };
    NotificationBody {
        id: row.id.to_string(),
        recipient: row.recipient,
        channel: row.channel,
        address: row.address,
        purpose: row.purpose,
        state: state.to_owned(),
        attempts: vec![last],
        tries: row.attempts,
        repeat: false,
    }
}
