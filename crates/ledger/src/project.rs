//! What each record adds to the history: a row of the trail, and what it changes about alerts and notifications.
//!
//! The logs of several nodes are read one after the other, so facts may come before their alert's `Accept`: each
//! makes the row that it needs. Of several acknowledgements or ends the first counts, of updates and attempts the
//! last, by the time and place of their records and not by when they are read: any order of the logs gives the
//! same rows.

use crate::tell::{self, Lookup};
use base::{AlertId, LogId, NotificationId, RecordId, Wall};
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
    text TEXT NOT NULL, accepted INTEGER, refused INTEGER, unknown INTEGER, json TEXT);
CREATE INDEX trail_of_alert ON trail (alert, n) WHERE alert IS NOT NULL;
CREATE INDEX trail_at ON trail (at);
CREATE TABLE rosters (digest TEXT PRIMARY KEY, people INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (id TEXT PRIMARY KEY, code TEXT, at INTEGER, source TEXT, severity INTEGER, summary TEXT,
    details TEXT, labels TEXT, route TEXT, system INTEGER, roster TEXT, updated_in TEXT,
    acknowledged_at INTEGER, acknowledged_by TEXT, acknowledged_in TEXT, ended_at INTEGER, ended_by TEXT,
    ended_in TEXT, why TEXT,
    closed_at INTEGER, sent INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL GENERATED ALWAYS AS (CASE WHEN closed_at IS NOT NULL THEN 'closed'
        WHEN ended_at IS NOT NULL THEN 'ended' WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
        ELSE 'open' END) VIRTUAL) WITHOUT ROWID;
CREATE INDEX alerts_at ON alerts (at, id);
CREATE INDEX alerts_state ON alerts (state, at, id);
CREATE TABLE notifications (id TEXT PRIMARY KEY, alert TEXT NOT NULL, recipient TEXT NOT NULL,
    channel TEXT NOT NULL, address TEXT NOT NULL, purpose TEXT NOT NULL, round INTEGER, step INTEGER,
    provider TEXT NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, why TEXT,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, latest TEXT NOT NULL, decided TEXT NOT NULL,
    providers TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX notifications_of_alert ON notifications (alert, id);
";

/// Brings a history of format 1 up to format 2. What was counted before counts as the earliest of its kind.
pub(crate) const FROM_1: &str = "
ALTER TABLE trail ADD COLUMN accepted INTEGER;
ALTER TABLE trail ADD COLUMN refused INTEGER;
ALTER TABLE trail ADD COLUMN unknown INTEGER;
UPDATE trail SET (accepted, refused, unknown) = (
    SELECT count(value -> '$.outcome.accepted'), count(value -> '$.outcome.refused'),
        count(value -> '$.outcome.unknown') FROM json_each(trail.json, '$.done.outcomes'))
    WHERE kind = 'done' AND json IS NOT NULL;
ALTER TABLE alerts DROP COLUMN updated_at;
ALTER TABLE alerts ADD COLUMN updated_in TEXT;
ALTER TABLE alerts ADD COLUMN acknowledged_in TEXT;
ALTER TABLE alerts ADD COLUMN ended_in TEXT;
UPDATE alerts SET acknowledged_in = '' WHERE acknowledged_at IS NOT NULL;
UPDATE alerts SET ended_in = '' WHERE ended_at IS NOT NULL;
ALTER TABLE notifications ADD COLUMN latest TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN decided TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN providers TEXT NOT NULL DEFAULT '{}';
";

/// Adds what the record says.
pub(crate) fn project(db: &Connection, id: RecordId, entry: &Entry) -> rusqlite::Result<()> {
    match &entry.record {
        Record::Roster(roster) => bound(db, roster)?,
        Record::Accept(alert) => accepted(db, AlertId(id), entry.at, alert)?,
        Record::Update { alert, content, .. } => updated(db, *alert, Some(&moment(entry.at, id)), content)?,
        Record::Intent { alert, sends } => {
            sends.iter().try_for_each(|send| intended(db, *alert, id, entry.at, send))?;
        }
        Record::Done { alert, outcomes } => {
            outcomes.iter().try_for_each(|one| concluded(db, *alert, entry.at, one))?;
        }
        Record::Ack { alert, ack } => acknowledged(db, *alert, id, ack)?,
        Record::End { alert, end } => ended(db, *alert, id, end)?,
        Record::Closed { alert } | Record::Merged { alert, .. } => closed(db, *alert, entry.at)?,
        Record::Start { .. }
        | Record::StepFired { .. }
        | Record::Comment { .. }
        | Record::Pause { .. }
        | Record::Resume { .. }
        | Record::Silence(_)
        | Record::Unsilence { .. }
        | Record::Claim(_)
        | Record::Release { .. }
        | Record::Delegate { .. }
        | Record::Duty(_)
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Member { .. }
        | Record::Conduct { .. }
        | Record::Directory { .. }
        | Record::Provider { .. }
        | Record::Note { .. } => (), // The trail tells of them.
    }
    if dispatch::is_routine(&entry.record) {
        return Ok(());
    }
    trail(db, id, entry)
}

/// A record's place, as a text that sorts as the records do.
fn place(id: RecordId) -> String {
    format!("{:08x}{:016x}{:016x}", id.log.node.0, id.log.boot.0, id.seq)
}

/// Digits of a time within a [`moment`].
const AT_DIGITS: usize = 16;

/// A time and the record that it is of, as a text that sorts by both.
fn moment(at: Wall, id: RecordId) -> String {
    format!("{:016x}{}", at.0.cast_unsigned() ^ (1 << 63), place(id)) // Times before 1970 sort first, too.
}

/// Says in the trail that records were skipped: they were finished before they could reach this node.
pub(crate) fn jumped(db: &Connection, log: LogId, from: u64, upto: u64, at: Wall) -> rusqlite::Result<()> {
    let text = format!(
        "this node was brought level by a snapshot: of records {from} to {} of node {} only those of alerts that \
         were not over are told here, the rest in the trail of the other nodes",
        upto.saturating_sub(1),
        log.node
    );
    db.prepare_cached("INSERT INTO trail (at, log, seq, kind, text) VALUES (?1, ?2, ?3, 'snapshot', ?4)")?
        .execute(params![at.0, log.to_string(), from.cast_signed(), text])
        .map(drop)
}

/// How many outcomes of each kind there are: accepted, refused, unknown.
fn outcomes(record: &Record) -> Option<[u32; 3]> {
    let Record::Done { outcomes, .. } = record else { return None };
    let mut counts = [0; 3];
    let [accepted, refused, unknown] = &mut counts;
    for one in outcomes {
        match one.outcome {
            Outcome::Accepted { .. } => *accepted += 1,
            Outcome::Refused { .. } => *refused += 1,
            Outcome::Unknown { .. } => *unknown += 1,
        }
    }
    Some(counts)
}

fn trail(db: &Connection, id: RecordId, entry: &Entry) -> rusqlite::Result<()> {
    let record = &entry.record;
    let actor = tell::actor(record);
    let counts = outcomes(record);
    let large = matches!(record, Record::Roster(_) | Record::Directory { .. }); // As large as the address book.
    let json = (!large).then(|| record::to_json(record).to_string());
    let json = json.filter(|json| json.len() <= JSON_BYTES_MAX);
    db.prepare_cached(
        "INSERT INTO trail (at, log, seq, kind, alert, who, via, from_, text, accepted, refused, unknown, json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
        tell::sentence(id, record, &Known { db, log: id.log.to_string() }),
        counts.map(|[accepted, ..]| accepted),
        counts.map(|[_, refused, _]| refused),
        counts.map(|[.., unknown]| unknown),
        json,
    ])
    .map(drop)
}

/// What sentences look up. The code of an alert that is not there yet is put in where the trail is read.
struct Known<'a> {
    db: &'a Connection,
    /// The log that the sentence is about: it tells of its own attempts.
    log: String,
}

impl Lookup for Known<'_> {
    fn code(&self, alert: AlertId) -> Option<String> {
        let mut statement = self.db.prepare_cached("SELECT code FROM alerts WHERE id = ?1").ok()?;
        statement.query_row([alert.to_string()], |row| row.get(0)).ok()
    }

    fn notification(&self, id: NotificationId) -> Option<(String, String)> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT channel, recipient, address, purpose, ifnull(providers ->> ?2, provider)
                 FROM notifications WHERE id = ?1",
            )
            .ok()?;
        let read = |row: &rusqlite::Row<'_>| {
            let text = |at: usize| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            Ok((tell::destination(text(0)?, text(1)?, text(2)?, text(3)?), row.get(4)?))
        };
        statement.query_row([id.to_string(), self.log.clone()], read).ok()
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
    updated(db, id, None, &alert.content)
}

/// The newest word counts, and any counts more than what was accepted, which has no moment here.
fn updated(db: &Connection, id: AlertId, moment: Option<&str>, content: &Content) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, severity, summary, details, labels, updated_in) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, summary = excluded.summary,
         details = excluded.details, labels = excluded.labels, updated_in = excluded.updated_in
         WHERE updated_in IS NULL OR updated_in < excluded.updated_in",
    )?
    .execute(params![
        id.to_string(),
        content.severity as u8,
        content.summary,
        content.details,
        record::labels_to_json(content),
        moment,
    ])
    .map(drop)
}

/// The attempt that began last says who tries, and whether anything is known of it, unless one has settled it.
fn intended(db: &Connection, alert: AlertId, id: RecordId, at: Wall, send: &Send) -> rusqlite::Result<()> {
    let (round, step) = match send.purpose {
        Purpose::Alert(key) => (Some(key.round), Some(key.step)),
        Purpose::Acknowledgement(_) | Purpose::Comment(_) | Purpose::End => (None, None),
    };
    db.prepare_cached(
        "INSERT INTO notifications (id, alert, recipient, channel, address, purpose, round, step, provider,
            attempts, state, why, first_at, last_at, latest, decided, providers)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 'sending', NULL, ?10, ?10, ?11, '',
            json_object(?12, ?9))
         ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1,
         provider = iif(latest < excluded.latest, excluded.provider, provider),
         why = iif(state IN ('accepted', 'failed') OR latest > excluded.latest, why, NULL),
         state = iif(state IN ('accepted', 'failed') OR latest > excluded.latest, state, 'sending'),
         first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
         latest = max(latest, excluded.latest), providers = json_patch(providers, excluded.providers)",
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
        moment(at, id),
        id.log.to_string(),
    ])
    .map(drop)
}

/// How final a state of a notification is: accepted is the last word, then failed.
fn finality(state: &str) -> usize {
    ["failed", "accepted"].iter().position(|word| *word == state).map_or(0, |at| at + 1)
}

/// Whether an outcome of the attempt at `intent` changes what is known, which is `before`, of the attempts that
/// began last (`latest`) and that settled it (`decided`). Of two that settle it alike the first in place counts.
fn counts(state: &str, intent: &str, before: &str, latest: &str, decided: &str) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match finality(state).cmp(&finality(before)) {
        Greater => true,
        Equal if finality(state) > 0 => intent < decided,
        Equal => latest.get(AT_DIGITS..).is_none_or(|latest| latest == intent),
        Less => false,
    }
}

/// Takes in an outcome; the alert counts what was accepted and what failed.
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
    let (id, intent) = (one.notification.to_string(), place(one.intent));
    let known: Option<(String, String, String)> = db
        .prepare_cached("SELECT state, latest, decided FROM notifications WHERE id = ?1")?
        .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((before, latest, decided)) = known else { return Ok(()) };
    if !counts(state, &intent, &before, &latest, &decided) {
        return db
            .prepare_cached("UPDATE notifications SET last_at = max(last_at, ?2) WHERE id = ?1")?
            .execute(params![id, at.0])
            .map(drop);
    }
    db.prepare_cached(
        "UPDATE notifications SET state = ?2, why = ?3, last_at = max(last_at, ?4), decided = ?5 WHERE id = ?1",
    )?
    .execute(params![id, state, why, at.0, intent])?;
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

fn acknowledged(
    db: &Connection,
    alert: AlertId,
    id: RecordId,
    ack: &Acknowledgement,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, acknowledged_at, acknowledged_by, acknowledged_in) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET acknowledged_at = excluded.acknowledged_at,
         acknowledged_by = excluded.acknowledged_by, acknowledged_in = excluded.acknowledged_in
         WHERE acknowledged_in IS NULL OR acknowledged_in > excluded.acknowledged_in",
    )?
    .execute(params![alert.to_string(), ack.at.0, ack.by.who, moment(ack.at, id)])
    .map(drop)
}

fn ended(db: &Connection, alert: AlertId, id: RecordId, end: &End) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO alerts (id, ended_at, ended_by, why, ended_in) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, ended_by = excluded.ended_by,
         why = excluded.why, ended_in = excluded.ended_in
         WHERE ended_in IS NULL OR ended_in > excluded.ended_in",
    )?
    .execute(params![alert.to_string(), end.at.0, end.by.who, end.why.word(), moment(end.at, id)])
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
