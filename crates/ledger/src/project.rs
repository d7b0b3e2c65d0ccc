//! What each record adds to the history: a row of the trail, and what it changes about alerts and notifications.
//!
//! Facts may come before their alert's `Accept` (from another log), so each makes the row that it needs, and
//! the first of several acknowledgements or ends counts, by time: any order gives the same rows.

use crate::tell::{self, Lookup};
use base::{AlertId, NotificationId, RecordId, Wall};
use dispatch::record::{
    Acknowledgement, Alert, Concluded, Content, End, Entry, Outcome, Purpose, Record, Roster, Send, Then,
};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Bytes of JSON that a row of the trail keeps; of larger records the sentence must do.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// The tables of `history.db`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (node INTEGER NOT NULL, boot INTEGER NOT NULL, upto INTEGER NOT NULL,
    PRIMARY KEY (node, boot)) WITHOUT ROWID;
CREATE TABLE trail (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, log TEXT NOT NULL,
    seq INTEGER NOT NULL, kind TEXT NOT NULL, alert TEXT, who TEXT, via TEXT, from_ TEXT,
    text TEXT NOT NULL, json TEXT);
CREATE INDEX trail_of_alert ON trail (alert, n) WHERE alert IS NOT NULL;
CREATE INDEX trail_at ON trail (at);
CREATE TABLE rosters (digest TEXT PRIMARY KEY, people INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (id TEXT PRIMARY KEY, code TEXT, at INTEGER, source TEXT, severity INTEGER, summary TEXT,
    details TEXT, labels TEXT, route TEXT, system INTEGER, roster TEXT, updated_at INTEGER,
    acknowledged_at INTEGER, acknowledged_by TEXT, ended_at INTEGER, ended_by TEXT, why TEXT,
    closed_at INTEGER, sent INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL GENERATED ALWAYS AS (CASE WHEN closed_at IS NOT NULL THEN 'closed'
        WHEN ended_at IS NOT NULL THEN 'ended' WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
        ELSE 'open' END) VIRTUAL) WITHOUT ROWID;
CREATE INDEX alerts_at ON alerts (at, id);
CREATE INDEX alerts_state ON alerts (state, at, id);
CREATE TABLE notifications (id TEXT PRIMARY KEY, alert TEXT NOT NULL, recipient TEXT NOT NULL,
    channel TEXT NOT NULL, address TEXT NOT NULL, purpose TEXT NOT NULL, round INTEGER, step INTEGER,
    provider TEXT NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, why TEXT,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX notifications_of_alert ON notifications (alert, id);
";

/// Adds what the record says.
pub(crate) fn project(db: &Connection, id: RecordId, entry: &Entry) -> rusqlite::Result<()> {
    match &entry.record {
        Record::Roster(roster) => bound(db, roster)?,
        Record::Accept(alert) => accepted(db, AlertId(id), entry.at, alert)?,
        Record::Update { alert, content } => updated(db, *alert, entry.at, content)?,
        Record::Intent { alert, sends } => {
            sends.iter().try_for_each(|send| intended(db, *alert, entry.at, send))?;
        }
        Record::Done { alert, outcomes } => {
            outcomes.iter().try_for_each(|one| concluded(db, *alert, entry.at, one))?;
        }
        Record::Ack { alert, ack } => acknowledged(db, *alert, ack)?,
        Record::End { alert, end } => ended(db, *alert, end)?,
        Record::Closed { alert } => closed(db, *alert, entry.at)?,
        Record::Start { .. }
        | Record::StepFired { .. }
        | Record::Comment { .. }
        | Record::Pause { .. }
        | Record::Resume { .. }
        | Record::Claim(_)
        | Record::Directory { .. }
        | Record::Provider { .. }
        | Record::Note { .. } => (), // The trail tells of them.
    }
    trail(db, id, entry)
}

fn trail(db: &Connection, id: RecordId, entry: &Entry) -> rusqlite::Result<()> {
    let record = &entry.record;
    let actor = tell::actor(record);
    let large = matches!(record, Record::Roster(_) | Record::Directory { .. }); // As large as the address book.
    let json = (!large).then(|| record::to_json(record).to_string());
    let json = json.filter(|json| json.len() <= JSON_BYTES_MAX);
    db.prepare_cached(
        "INSERT INTO trail (at, log, seq, kind, alert, who, via, from_, text, json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        entry.at.0,
        id.log.to_string(),
        id.seq.cast_signed(),
        tell::kind(record),
        record.alert(id).map(|alert| alert.to_string()),
        actor.map(|actor| &actor.who),
        actor.map(|actor| actor.via.word()),
        actor.and_then(|actor| actor.from.as_ref()),
        tell::sentence(id, record, &Known(db)),
        json,
    ])
    .map(drop)
}

/// What sentences look up.
struct Known<'a>(&'a Connection);

impl Lookup for Known<'_> {
    fn code(&self, alert: AlertId) -> Option<String> {
        let mut statement = self.0.prepare_cached("SELECT code FROM alerts WHERE id = ?1").ok()?;
        statement.query_row([alert.to_string()], |row| row.get(0)).ok()
    }

    fn notification(&self, id: NotificationId) -> Option<(String, String)> {
        let mut statement = self
            .0
            .prepare_cached(
                "SELECT channel, recipient, address, purpose, provider FROM notifications WHERE id = ?1",
            )
            .ok()?;
        let read = |row: &rusqlite::Row<'_>| {
            let text = |at: usize| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            Ok((tell::destination(text(0)?, text(1)?, text(2)?, text(3)?), row.get(4)?))
        };
        statement.query_row([id.to_string()], read).ok()
    }
}

fn bound(db: &Connection, roster: &Roster) -> rusqlite::Result<()> {
    let people = i64::try_from(roster.people.len()).unwrap_or(i64::MAX);
    db.prepare_cached("INSERT OR IGNORE INTO rosters VALUES (?1, ?2)")?
        .execute(params![roster.id.to_string(), people])
        .map(drop)
}

fn accepted(db: &Connection, id: AlertId, at: Wall, alert: &Alert) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, code, at, source, route, system, roster) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET code = excluded.code, at = excluded.at, source = excluded.source,
         route = excluded.route, system = excluded.system, roster = excluded.roster",
    )?
    .execute(params![
        id.to_string(),
        alert.code.to_string(),
        at.0,
        alert.source.as_str(),
        alert.route.as_str(),
        alert.system,
        alert.roster.to_string(),
    ])?;
    updated(db, id, at, &alert.content)
}

/// The newest word counts.
fn updated(db: &Connection, id: AlertId, at: Wall, content: &Content) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, severity, summary, details, labels, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, summary = excluded.summary,
         details = excluded.details, labels = excluded.labels, updated_at = excluded.updated_at
         WHERE updated_at IS NULL OR updated_at <= excluded.updated_at",
    )?
    .execute(params![
        id.to_string(),
        content.severity as u8,
        content.summary,
        content.details,
        record::labels_to_json(content),
        at.0,
    ])
    .map(drop)
}

fn intended(db: &Connection, alert: AlertId, at: Wall, send: &Send) -> rusqlite::Result<()> {
    let (round, step) = match send.purpose {
        Purpose::Alert(key) => (Some(key.round), Some(key.step)),
        Purpose::Acknowledgement(_) | Purpose::Comment(_) | Purpose::End => (None, None),
    };
    db.prepare_cached(
        "INSERT INTO notifications VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 'sending', NULL, ?10, ?10)
         ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, attempts = attempts + 1,
         state = iif(state IN ('accepted', 'failed'), state, 'sending'),
         first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
    )?
    .execute(params![
        send.notification.to_string(),
        alert.to_string(),
        send.recipient.as_str(),
        send.address.channel.as_str(),
        send.address.value,
        tell::purpose(send.purpose),
        round,
        step,
        send.provider.as_str(),
        at.0,
    ])
    .map(drop)
}

/// Accepted is the last word, then failed; the alert counts both.
fn concluded(db: &Connection, alert: AlertId, at: Wall, one: &Concluded) -> rusqlite::Result<()> {
    let (state, why) = match &one.outcome {
        Outcome::Accepted { receipt } => ("accepted", receipt),
        Outcome::Refused { then: Then::GiveUp, why } => ("failed", why),
        Outcome::Refused {
            then: Then::RetryNow | Then::RetryLater | Then::NextProvider | Then::Elsewhere,
            why,
        } => ("refused", why),
        Outcome::Unknown { why } => ("unknown", why),
    };
    let id = one.notification.to_string();
    let before: Option<String> = db
        .prepare_cached("SELECT state FROM notifications WHERE id = ?1")?
        .query_row([&id], |row| row.get(0))
        .optional()?;
    let last = |state: &str| ["failed", "accepted"].iter().position(|word| *word == state);
    let Some(before) = before.filter(|before| last(before).is_none() || last(before) < last(state)) else {
        return Ok(());
    };
    db.prepare_cached(
        "UPDATE notifications SET state = ?2, why = ?3, last_at = max(last_at, ?4) WHERE id = ?1",
    )?
    .execute(params![id, state, why, at.0])?;
    let change = |word: &str| i64::from(state == word) - i64::from(before == word);
    if change("accepted") == 0 && change("failed") == 0 {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO alerts (id, sent, failed) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET sent = sent + excluded.sent, failed = failed + excluded.failed",
    )?
    .execute(params![alert.to_string(), change("accepted"), change("failed")])
    .map(drop)
}

fn acknowledged(db: &Connection, alert: AlertId, ack: &Acknowledgement) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, acknowledged_at, acknowledged_by) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET acknowledged_at = excluded.acknowledged_at,
         acknowledged_by = excluded.acknowledged_by
         WHERE acknowledged_at IS NULL OR acknowledged_at > excluded.acknowledged_at",
    )?
    .execute(params![alert.to_string(), ack.at.0, ack.by.who])
    .map(drop)
}

fn ended(db: &Connection, alert: AlertId, end: &End) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, ended_at, ended_by, why) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, ended_by = excluded.ended_by,
         why = excluded.why WHERE ended_at IS NULL OR ended_at > excluded.ended_at",
    )?
    .execute(params![alert.to_string(), end.at.0, end.by.who, end.why.word()])
    .map(drop)
}

fn closed(db: &Connection, alert: AlertId, at: Wall) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, closed_at) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET closed_at = min(excluded.closed_at, ifnull(closed_at, excluded.closed_at))",
    )?
    .execute(params![alert.to_string(), at.0])
    .map(drop)
}
