//! Asking the history: alerts, notifications and trail, in pages that stay in place while more arrives.
//!
//! Separate from the thread that writes it: a reader has its own connection and sees a consistent state.

use crate::OpenError;
use crate::store::unbits;
use base::{AlertId, NodeId, NotificationId, Wall};
use dispatch::directory::Severity;
use rusqlite::types::{FromSqlError, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params_from_iter};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Rows of a page; a larger limit counts as this.
pub const PAGE_ROWS_MAX: u32 = 500;

/// A reader of `history.db`.
#[derive(Debug)]
pub struct History {
    db: Connection,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Nobody has acknowledged.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over, and those who were told are being told so.
    Ended,
    /// Nothing is left to do.
    Closed,
}

impl AlertState {
    /// All of them, in the order of an alert's life.
    pub const ALL: [Self; 4] = [Self::Open, Self::Acknowledged, Self::Ended, Self::Closed];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Ended => "ended",
            Self::Closed => "closed",
        }
    }
}

/// An alert as the history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Which.
    pub id: AlertId,
    /// What people type back.
    pub code: String,
    /// When it was accepted.
    pub at: Wall,
    /// Who sent it.
    pub source: String,
    /// How much it matters now.
    pub severity: Severity,
    /// What it says now.
    pub summary: String,
    /// What it adds.
    pub details: String,
    /// Its labels, as a JSON object.
    pub labels: String,
    /// The route that picked the recipients.
    pub route: String,
    /// One of our own, about ourselves.
    pub system: bool,
    /// Where it stands.
    pub state: AlertState,
    /// The first acknowledgement.
    pub acknowledged_at: Option<Wall>,
    /// Who made it.
    pub acknowledged_by: Option<String>,
    /// When it ended.
    pub ended_at: Option<Wall>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// Why it ended, as [`dispatch::record::Why::word`] says it.
    pub why: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Wall>,
    /// How many people it may reach.
    pub recipients: u64,
    /// Notifications that a provider accepted.
    pub sent: u64,
    /// Notifications that were given up.
    pub failed: u64,
}

impl AlertRow {
    /// Its place among the alerts: the next page lies before it.
    pub fn cursor(&self) -> AlertCursor {
        AlertCursor { at: self.at, id: self.id }
    }
}

/// A place among the alerts, which are ordered by time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertCursor {
    at: Wall,
    id: AlertId,
}

impl fmt::Display for AlertCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.0, self.id)
    }
}

impl FromStr for AlertCursor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = |(at, id): (&str, &str)| Some(Self { at: Wall(at.parse().ok()?), id: id.parse().ok()? });
        text.split_once('.').and_then(read).ok_or_else(|| format!("{text:?} is not a cursor that we gave"))
    }
}

/// Which alerts; with nothing set, all.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// In any of these states.
    pub states: Vec<AlertState>,
    /// From this source.
    pub source: Option<String>,
    /// At least this severe.
    pub severity: Option<Severity>,
    /// With this in the summary, without regard to the case of ASCII letters.
    pub text: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// Accepted at or after.
    pub since: Option<Wall>,
    /// Accepted before.
    pub until: Option<Wall>,
}

/// A notification as the history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationRow {
    /// Which.
    pub id: NotificationId,
    /// Of which alert.
    pub alert: AlertId,
    /// Whom it is for.
    pub recipient: String,
    /// By which kind of channel.
    pub channel: String,
    /// Where.
    pub address: String,
    /// `alert`, `acknowledgement`, `comment` or `end`.
    pub purpose: String,
    /// Of which round and step, where it tells of the alert.
    pub step: Option<(u16, u16)>,
    /// The provider that tried it last.
    pub provider: String,
    /// How often it was tried.
    pub attempts: u32,
    /// `sending`, `accepted`, `refused` (and tried again), `unknown` or `failed`.
    pub state: String,
    /// The provider's words.
    pub why: Option<String>,
    /// When it was tried first.
    pub first_at: Wall,
    /// When something was last heard of it.
    pub last_at: Wall,
}

/// One row of the trail: one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRow {
    /// Its place in the trail of this node.
    pub n: i64,
    /// When.
    pub at: Wall,
    /// The node that wrote it.
    pub node: NodeId,
    /// The record, as `LOG-SEQ`.
    pub record: String,
    /// Its kind; `snapshot` where records were skipped.
    pub kind: String,
    /// The alert that it is about.
    pub alert: Option<AlertId>,
    /// Who made it happen.
    pub who: Option<String>,
    /// Through what.
    pub via: Option<String>,
    /// From where.
    pub from: Option<String>,
    /// What happened, in a sentence.
    pub text: String,
    /// The record as JSON, unless it is very large.
    pub json: Option<String>,
}

/// Which rows of the trail; with nothing set, all.
#[derive(Clone, Debug, Default)]
pub struct TrailFilter {
    /// About this alert.
    pub alert: Option<AlertId>,
    /// At or after.
    pub since: Option<Wall>,
    /// Of any of these kinds.
    pub kinds: Vec<String>,
    /// Written by this node.
    pub node: Option<NodeId>,
}

/// Which page of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailPage {
    /// The newest rows, newest first.
    Newest,
    /// What came before this place, newest first.
    Before(i64),
    /// What came after this place, oldest first; 0 is the beginning.
    After(i64),
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts in each state, in the order of [`AlertState::ALL`].
    pub alerts: [u64; 4],
    /// Rows of the trail.
    pub trail: u64,
}

/// What went through one node for one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalsRow {
    /// The node.
    pub node: NodeId,
    /// Who sent the alerts; none where the history does not know the alert.
    pub source: Option<String>,
    /// Alerts that the node accepted.
    pub accepted: u64,
    /// Attempts of the node that a provider accepted.
    pub sent: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts of which nobody knows.
    pub unknown: u64,
    /// Acknowledgements that reached the node.
    pub acknowledged: u64,
}

/// A `WHERE` that grows, with its values.
#[derive(Default)]
struct Where {
    text: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Where {
    /// Adds a condition whose values stand as `?`.
    fn and(&mut self, condition: &str, values: Vec<Box<dyn ToSql>>) {
        self.text += if self.text.is_empty() { " WHERE " } else { " AND " };
        self.text += condition;
        self.values.extend(values);
    }

    fn any_of(&mut self, column: &str, words: impl Iterator<Item = String>) {
        let values: Vec<Box<dyn ToSql>> = words.map(|word| Box::new(word) as Box<dyn ToSql>).collect();
        if !values.is_empty() {
            let marks = vec!["?"; values.len()].join(", ");
            self.and(&format!("{column} IN ({marks})"), values);
        }
    }
}

fn boxed(value: impl ToSql + 'static) -> Vec<Box<dyn ToSql>> {
    vec![Box::new(value)]
}

const ALERT: &str = "SELECT id, code, at, source, severity, summary, details, labels, route, system, state,
    acknowledged_at, acknowledged_by, ended_at, ended_by, why, closed_at,
    ifnull((SELECT people FROM rosters WHERE digest = roster), 0), sent, failed FROM alerts";

impl History {
    /// Opens the history in `folder` for reading.
    ///
    /// # Errors
    /// [`OpenError`], with the file and the remedy.
    pub fn open_reader(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join("history.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error: rusqlite::Error| OpenError::sqlite(&file, &error);
        let db = Connection::open_with_flags(&file, flags).map_err(failed)?;
        crate::schema::format_of(&db, &file, crate::history::APPLICATION)?;
        db.execute_batch("PRAGMA busy_timeout = 5000;").map_err(failed)?;
        Ok(Self { db })
    }

    /// Alerts that pass the filter, newest first, from before the cursor on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn alerts(
        &self,
        filter: &AlertFilter,
        before: Option<AlertCursor>,
        limit: u32,
    ) -> rusqlite::Result<Vec<AlertRow>> {
        let mut which = Where::default();
        which.and("code IS NOT NULL", Vec::new()); // Else only facts about it have arrived.
        which.any_of("state", filter.states.iter().map(|state| state.word().to_owned()));
        if let Some(source) = &filter.source {
            which.and("source = ?", boxed(source.clone()));
        }
        if let Some(severity) = filter.severity {
            which.and("severity >= ?", boxed(severity as u8));
        }
        if let Some(text) = &filter.text {
            which.and("instr(lower(summary), lower(?)) > 0", boxed(text.clone()));
        }
        if let Some(code) = &filter.code {
            which.and("code = ?", boxed(code.clone()));
        }
        if let Some(since) = filter.since {
            which.and("at >= ?", boxed(since.0));
        }
        if let Some(until) = filter.until {
            which.and("at < ?", boxed(until.0));
        }
        if let Some(before) = before {
            let values: [Box<dyn ToSql>; 2] = [Box::new(before.at.0), Box::new(before.id.to_string())];
            which.and("(at, id) < (?, ?)", values.into());
        }
        self.page(&format!("{ALERT}{} ORDER BY at DESC, id DESC", which.text), which.values, limit, alert_row)
    }

    /// One alert.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn alert(&self, id: AlertId) -> rusqlite::Result<Option<AlertRow>> {
        self.db
            .prepare_cached(&format!("{ALERT} WHERE id = ? AND code IS NOT NULL"))?
            .query_row([id.to_string()], alert_row)
            .optional()
    }

    /// Notifications of an alert, by id, from after the cursor on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn notifications(
        &self,
        alert: AlertId,
        after: Option<NotificationId>,
        limit: u32,
    ) -> rusqlite::Result<Vec<NotificationRow>> {
        let mut which = Where::default();
        which.and("alert = ?", boxed(alert.to_string()));
        if let Some(after) = after {
            which.and("id > ?", boxed(after.to_string()));
        }
        let select =
            "SELECT id, alert, recipient, channel, address, purpose, round, step, provider, attempts,
            state, why, first_at, last_at FROM notifications";
        self.page(&format!("{select}{} ORDER BY id", which.text), which.values, limit, notification_row)
    }

    /// How many notifications of an alert are in each state, by the words of [`NotificationRow::state`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn progress(&self, alert: AlertId) -> rusqlite::Result<Vec<(String, u64)>> {
        self.db
            .prepare_cached(
                "SELECT state, count(*) FROM notifications WHERE alert = ? GROUP BY state ORDER BY state",
            )?
            .query_map([alert.to_string()], |row| Ok((row.get(0)?, unbits(row.get(1)?))))?
            .collect()
    }

    /// A page of the trail.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trail(
        &self,
        filter: &TrailFilter,
        page: TrailPage,
        limit: u32,
    ) -> rusqlite::Result<Vec<TrailRow>> {
        let mut which = Where::default();
        if let Some(alert) = filter.alert {
            which.and("alert = ?", boxed(alert.to_string()));
        }
        if let Some(since) = filter.since {
            which.and("at >= ?", boxed(since.0));
        }
        if let Some(node) = filter.node {
            // `.` follows `-`: all logs of the node, and no other's.
            which
                .and("log BETWEEN ? AND ?", vec![Box::new(format!("{node}-")), Box::new(format!("{node}."))]);
        }
        which.any_of("kind", filter.kinds.iter().cloned());
        let order = match page {
            TrailPage::Newest => "DESC",
            TrailPage::Before(n) => {
                which.and("n < ?", boxed(n));
                "DESC"
            }
            TrailPage::After(n) => {
                which.and("n > ?", boxed(n));
                "ASC"
            }
        };
        let select = "SELECT n, at, log || '-' || seq, kind, alert, who, via, from_, text, json,
            iif(kind = 'merged', json ->> '$.merged.into', alert), (SELECT code FROM alerts
            WHERE id = iif(kind = 'merged', json ->> '$.merged.into', trail.alert)) FROM trail";
        self.page(&format!("{select}{} ORDER BY n {order}", which.text), which.values, limit, trail_row)
    }

    /// What went through each node for each source, at or after `since` and before `until`; by node and source.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn totals(&self, since: Wall, until: Wall) -> rusqlite::Result<Vec<TotalsRow>> {
        let mut statement = self.db.prepare_cached(
            "SELECT substr(log, 1, 8), source, sum(kind = 'accept'), sum(ifnull(accepted, 0)),
             sum(ifnull(refused, 0)), sum(ifnull(unknown, 0)), sum(kind = 'ack') FROM trail LEFT JOIN alerts ON alerts.id = alert
             WHERE trail.at >= ?1 AND trail.at < ?2 AND kind IN ('accept', 'done', 'ack')
             GROUP BY 1, 2 ORDER BY 1, 2",
        )?;
        statement.query_map([since.0, until.0], totals_row)?.collect()
    }

    /// How many there are of everything.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn counts(&self) -> rusqlite::Result<Counts> {
        let mut counts = Counts::default();
        for (slot, state) in counts.alerts.iter_mut().zip(AlertState::ALL) {
            *slot = self
                .db
                .prepare_cached("SELECT count(*) FROM alerts WHERE state = ?")?
                .query_row([state.word()], |row| row.get(0).map(unbits))?;
        }
        counts.trail = self
            .db
            .prepare_cached("SELECT count(*) FROM trail")?
            .query_row([], |row| row.get(0).map(unbits))?;
        Ok(counts)
    }

    fn page<T>(
        &self,
        query: &str,
        mut values: Vec<Box<dyn ToSql>>,
        limit: u32,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        values.push(Box::new(limit.min(PAGE_ROWS_MAX)));
        self.db
            .prepare_cached(&format!("{query} LIMIT ?"))?
            .query_map(params_from_iter(values), read)?
            .collect()
    }
}

/// A text that has to be an id or a word of ours.
fn parsed<T>(row: &Row<'_>, at: usize, read: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    read(text).ok_or_else(|| FromSqlError::Other(format!("{text:?} cannot be read").into()).into())
}

fn wall(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Wall>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Wall))
}

fn alert_row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let rank: usize = row.get::<_, u8>(4)?.into();
    Ok(AlertRow {
        id: parsed(row, 0, |text| text.parse().ok())?,
        code: row.get(1)?,
        at: Wall(row.get(2)?),
        source: row.get(3)?,
        severity: Severity::ALL.get(rank).copied().unwrap_or(Severity::Critical),
        summary: row.get(5)?,
        details: row.get(6)?,
        labels: row.get(7)?,
        route: row.get(8)?,
        system: row.get(9)?,
        state: parsed(row, 10, |text| AlertState::ALL.into_iter().find(|state| state.word() == text))?,
        acknowledged_at: wall(row, 11)?,
        acknowledged_by: row.get(12)?,
        ended_at: wall(row, 13)?,
        ended_by: row.get(14)?,
        why: row.get(15)?,
        closed_at: wall(row, 16)?,
        recipients: unbits(row.get(17)?),
        sent: unbits(row.get(18)?),
        failed: unbits(row.get(19)?),
    })
}

fn notification_row(row: &Row<'_>) -> rusqlite::Result<NotificationRow> {
    let round: Option<u16> = row.get(6)?;
    let step: Option<u16> = row.get(7)?;
    Ok(NotificationRow {
        id: parsed(row, 0, |text| text.parse().ok())?,
        alert: parsed(row, 1, |text| text.parse().ok())?,
        recipient: row.get(2)?,
        channel: row.get(3)?,
        address: row.get(4)?,
        purpose: row.get(5)?,
        step: round.zip(step),
        provider: row.get(8)?,
        attempts: row.get(9)?,
        state: row.get(10)?,
        why: row.get(11)?,
        first_at: Wall(row.get(12)?),
        last_at: Wall(row.get(13)?),
    })
}

fn totals_row(row: &Row<'_>) -> rusqlite::Result<TotalsRow> {
    Ok(TotalsRow {
        node: parsed(row, 0, node)?,
        source: row.get(1)?,
        accepted: unbits(row.get(2)?),
        sent: unbits(row.get(3)?),
        refused: unbits(row.get(4)?),
        unknown: unbits(row.get(5)?),
        acknowledged: unbits(row.get(6)?),
    })
}

/// A node as ids begin with it.
fn node(text: &str) -> Option<NodeId> {
    u32::from_str_radix(text, 16).ok().map(NodeId)
}

fn trail_row(row: &Row<'_>) -> rusqlite::Result<TrailRow> {
    let alert: Option<String> = row.get(4)?;
    let mut text: String = row.get(8)?;
    // The sentence was made before the alert was known: its `Accept` stands in another log.
    if let (Some(id), Some(code)) = (row.get::<_, Option<String>>(10)?, row.get::<_, Option<String>>(11)?)
        && text.contains(&id)
    {
        text = text.replace(&id, &code);
    }
    Ok(TrailRow {
        n: row.get(0)?,
        at: Wall(row.get(1)?),
        node: parsed(row, 2, |text| node(text.split('-').next()?))?,
        record: row.get(2)?,
        kind: row.get(3)?,
        alert: alert.and_then(|text| text.parse().ok()),
        who: row.get(5)?,
        via: row.get(6)?,
        from: row.get(7)?,
        text,
        json: row.get(9)?,
    })
}
