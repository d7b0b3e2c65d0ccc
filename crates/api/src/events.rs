//! What happened, as it happens: every record that became durable, for streams of server-sent events.
//!
//! The last ten thousand are kept, so that a client that was away for a moment misses nothing; one that was
//! away for longer, or before a restart, is told `resync` and reads the lists again. The same goes for one
//! that reads too slowly. (HTML Living Standard §9.2.)

use crate::Server;
use crate::auth::{Allowed, Read};
use crate::moment;
use crate::problem::Rejection;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use base::{AlertId, BootId, Name, NotificationId, RecordId, Wall};
use dispatch::directory::Edition;
use dispatch::record::{Actor, Entry, Record};
use futures_util::Stream;
use ledger::tell;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Changes that are kept.
const KEPT: usize = 10_000;
/// Alerts and notifications that sentences can name.
const KNOWN_MAX: usize = 100_000;
/// Changes a reader may be behind before it must read the lists again.
const BEHIND_MAX: usize = 1024;
/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One record that became durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The boot that wrote it.
    pub epoch: BootId,
    /// Its place in that boot's log.
    pub seq: u64,
    /// What kind of record.
    pub kind: &'static str,
    /// The alert it is about.
    pub alert: Option<AlertId>,
    /// When.
    pub at: Wall,
    /// Who made it happen, where it was somebody.
    pub by: Option<Actor>,
    /// What happened, in a sentence.
    pub text: String,
    /// What it says; of large records and of the directory a summary.
    pub data: Value,
}

/// The changes of late, and those who want to hear of the next. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    kept: Mutex<VecDeque<Arc<Change>>>,
    news: broadcast::Sender<Arc<Change>>,
    edition: Mutex<Option<Edition>>,
    known: Mutex<Known>,
    epoch: BootId,
    told: AtomicU64,
}

/// What sentences refer to, of late: codes of alerts, and where notifications went by which provider.
#[derive(Debug, Default)]
struct Known {
    codes: BTreeMap<AlertId, String>,
    sent: BTreeMap<NotificationId, (String, String)>,
}

impl Known {
    fn learn(&mut self, id: RecordId, record: &Record) {
        if self.codes.len() + self.sent.len() > KNOWN_MAX {
            *self = Self::default(); // Sentences then name what is older by its id.
        }
        if let Record::Accept(alert) = record {
            self.codes.insert(AlertId(id), alert.code.to_string());
        } else if let Record::Intent { sends, .. } = record {
            self.sent.extend(sends.iter().map(|send| {
                let to = format!("{} to {} at {}", send.address.channel, send.recipient, send.address.value);
                (send.notification, (to, send.provider.to_string()))
            }));
        }
    }
}

impl tell::Lookup for Known {
    fn code(&self, alert: AlertId) -> Option<String> {
        self.codes.get(&alert).cloned()
    }

    fn notification(&self, id: NotificationId) -> Option<(String, String)> {
        self.sent.get(&id).cloned()
    }
}

impl Changes {
    /// Nothing yet. The boot tells these changes from those of an earlier one.
    pub fn new(epoch: BootId) -> Self {
        let (news, _) = broadcast::channel(BEHIND_MAX);
        Self(Arc::new(Shelf {
            kept: Mutex::default(),
            news,
            edition: Mutex::default(),
            known: Mutex::default(),
            epoch,
            told: AtomicU64::new(0),
        }))
    }

    /// Tells of a record. Call it for each record, of each log in order, once it is durable.
    pub fn publish(&self, id: RecordId, entry: &Entry) {
        if let Record::Directory { edition, .. } = &entry.record {
            self.keep(edition);
        }
        let text = {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.learn(id, &entry.record);
            tell::sentence(id, &entry.record, &*known)
        };
        let change = Arc::new(Change {
            epoch: self.0.epoch,
            seq: self.0.told.fetch_add(1, Ordering::Relaxed),
            kind: tell::kind(&entry.record),
            alert: entry.record.alert(id),
            at: entry.at,
            by: tell::actor(&entry.record).cloned(),
            text,
            data: told(&entry.record),
        });
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&change));
        drop(self.0.news.send(change)); // Nobody may be listening.
    }

    /// Remembers a directory, unless a later one is known. A node begins with the one it has: else a peer's record
    /// of a branch that lost would be taken for the book.
    pub fn keep(&self, edition: &Edition) {
        let mut kept = self.0.edition.lock().unwrap_or_else(PoisonError::into_inner);
        let order = |edition: &Edition| (edition.term, edition.version);
        if kept.as_ref().is_none_or(|kept| order(kept) < order(edition)) {
            *kept = Some(edition.clone());
        }
    }

    /// The directory in force, if it is known here.
    pub(crate) fn edition(&self) -> Option<Edition> {
        self.0.edition.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came after `last`, and all that will come. With the number of what is missing, none can be given.
    fn listen(&self, last: Option<(u64, u64)>) -> Listening {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let news = self.0.news.subscribe();
        let Some((epoch, seq)) = last else {
            return Listening { missed: VecDeque::new(), news, resync: false };
        };
        let known = kept.iter().any(|change| (change.epoch.0, change.seq) == (epoch, seq));
        let later = |change: &&Arc<Change>| (change.epoch.0, change.seq) > (epoch, seq);
        let missed = if known { kept.iter().filter(later).cloned().collect() } else { VecDeque::new() };
        Listening { missed, news, resync: !known }
    }
}

/// What is told of a record, for programs.
fn told(record: &Record) -> Value {
    match record {
        Record::Start { version, because } => json!({ "version": **version, "because": **because }),
        Record::Roster(roster) => json!({ "id": roster.id.to_string(), "people": roster.people.len() }),
        Record::Accept(alert) => json!({
            "code": alert.code.to_string(), "source": alert.source.as_str(),
            "severity": alert.content.severity.word(), "summary": *alert.content.summary,
        }),
        Record::Update { content, silent, .. } => {
            json!({ "severity": content.severity.word(), "summary": *content.summary, "silent": silent })
        }
        Record::StepFired { step, fired, .. } => json!({
            "step": step.step, "round": step.round.saturating_add(1), "late_seconds": fired.late.as_secs(),
            "on_call": fired.on_call.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "withheld": fired.withheld.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Record::Intent { sends, .. } => json!({ "notifications": sends.len() }),
        Record::Done { outcomes, .. } => json!({ "notifications": outcomes.len() }),
        Record::Ack { ack, .. } => {
            let recipient = ack.recipient.as_ref().map(Name::as_str);
            json!({
                "by": ack.by.to_string(), "recipient": recipient, "comment": ack.comment.as_deref(),
                "choice": ack.chosen.as_ref().map(|chosen| chosen.number),
            })
        }
        Record::Comment { comment, .. } => json!({
            "by": comment.by.to_string(), "text": *comment.text,
            "choice": comment.answer.as_ref().map(|answer| answer.chosen.number),
            "recipient": comment.answer.as_ref().and_then(|answer| answer.recipient.as_ref()).map(Name::as_str),
        }),
        Record::End { end, .. } => json!({ "by": end.by.to_string(), "why": end.why.word() }),
        Record::Closed { .. } => json!({}),
        Record::Pause { by, reason } => json!({ "by": by.to_string(), "reason": **reason }),
        Record::Silence(silence) => json!({
            "by": silence.by.to_string(), "author": *silence.author, "comment": *silence.comment,
            "matchers": silence.matchers.to_string(),
            "from": moment::written(silence.from), "until": moment::written(silence.until),
        }),
        Record::Unsilence { silence, by } => json!({ "silence": silence.to_string(), "by": by.to_string() }),
        Record::Resume { by, .. } => json!({ "by": by.to_string() }),
        Record::Claim(claim) => json!({ "log": claim.log.to_string(), "epoch": claim.epoch }),
        Record::Release { to, claims } => json!({ "to": to.to_string(), "ranges": claims.len() }),
        Record::Delegate { channel, to, .. } => json!({ "channel": channel.as_str(), "to": to.to_string() }),
        Record::Duty(duty) => json!({
            "duty": duty.duty.as_str(), "to": duty.to.to_string(), "epoch": duty.epoch, "because": *duty.because,
        }),
        Record::Merged { code, into, .. } => json!({ "code": code.to_string(), "into": into.to_string() }),
        Record::RosterDropped { rosters } => json!({ "rosters": rosters.len() }),
        Record::PeerState { peer, to, because } => {
            json!({ "peer": peer.to_string(), "to": to.word(), "because": **because })
        }
        Record::Member { node, member, by, .. } => json!({
            "node": node.to_string(), "name": member.as_ref().map(|member| member.name.as_str()),
            "role": member.as_ref().map(|member| member.role.word()), "by": by.to_string(),
        }),
        Record::Conduct { conduct, by } => json!({
            "passive": conduct.passive, "by-hand": conduct.by_hand,
            "maintenance": conduct.maintenance.as_deref(), "by": by.to_string(),
        }),
        Record::Directory { edition, by, summary } => json!({
            "term": edition.term, "version": edition.version, "by": by.to_string(), "summary": **summary,
        }),
        Record::Provider { provider, to, because } => {
            json!({ "provider": provider.as_str(), "to": **to, "because": **because })
        }
        Record::Note { by, what } => json!({ "by": by.to_string(), "what": **what }),
    }
}

/// A reader's place.
struct Listening {
    missed: VecDeque<Arc<Change>>,
    news: broadcast::Receiver<Arc<Change>>,
    resync: bool,
}

impl Listening {
    /// The next event; waits for it. None when the node stops.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if std::mem::take(&mut self.resync) {
            return Some((Ok(resync()), self));
        }
        if let Some(change) = self.missed.pop_front() {
            return Some((Ok(event(&change)), self));
        }
        match self.news.recv().await {
            Ok(change) => Some((Ok(event(&change)), self)),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                // It goes on with what comes from here; the lists tell the rest.
                self.news = self.news.resubscribe();
                Some((Ok(resync()), self))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

fn event(change: &Change) -> Event {
    let body = json!({
        "kind": change.kind,
        "alert": change.alert.map(|alert| alert.to_string()),
        "at": moment::written(change.at),
        "who": change.by.as_ref().map(|by| &*by.who),
        "via": change.by.as_ref().map(|by| by.via.word()),
        "from": change.by.as_ref().and_then(|by| by.from.as_deref()),
        "text": change.text,
        "data": change.data,
    });
    let id = format!("{:x}-{}", change.epoch.0, change.seq);
    Event::default().id(id).event(change.kind).data(body.to_string())
}

/// Streams what happens.
///
/// Each event has the id `EPOCH-NUMBER`; a client that comes back with Last-Event-ID gets what it missed, or
/// the event `resync`, after which it must read the lists again.
#[utoipa::path(get, operation_id = "stream_events", path = "/api/v1/events", tag = "events",
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

/// The stream for a client with these headers.
pub(crate) fn streamed(
    changes: &Changes,
    headers: &HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    // An id that is not one of ours is of another boot: a number that is never kept.
    let last = headers.get("last-event-id").map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split_once('-')
            .and_then(|(epoch, seq)| Some((u64::from_str_radix(epoch, 16).ok()?, seq.parse().ok()?)))
            .unwrap_or((u64::MAX, u64::MAX))
    });
    let listening = changes.listen(last);
    Sse::new(futures_util::stream::unfold(listening, Listening::next))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
