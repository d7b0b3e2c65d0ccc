//! Takes over what a peer sends to one that lacks more than its logs still hold: rows, and how far they go.
//!
//! Separate from `add`, which continues logs without a gap: here logs jump, and what is missing below their new
//! end is finished.

use crate::outliving;
use crate::store::{Mark, Row, Store, bits, insert_body, key_of, logs};
use crate::{Incoming, Stored};
use base::{AlertId, LogId, RecordId, Wall};
use rusqlite::{ErrorCode, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};

/// Why a record is in quarantine that never was here.
const LOST_THERE: &str = "the peer that sent the rest could not read it";

/// What a merge changed.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// Logs that reach further now.
    pub(crate) raised: Vec<(LogId, u64)>,
    /// Logs of which earlier records are missing now.
    pub(crate) truncated: Vec<(LogId, u64)>,
    /// Alerts whose lost `Accept` turns out not to be needed any more.
    pub(crate) over: Vec<AlertId>,
}

/// A snapshot as far as it says something new.
#[derive(Debug)]
pub(crate) struct News {
    /// Alerts of which it holds records: none of them is over by it.
    named: BTreeSet<AlertId>,
    /// Where each log that jumps stands here, and where there.
    jumps: BTreeMap<LogId, (u64, u64)>,
    /// The rows between, and those that were lost here.
    rows: BTreeMap<RecordId, Row>,
    /// Records lost here of which the snapshot knows: they are among the rows, or are not needed.
    found: BTreeSet<RecordId>,
    /// Records between that were lost there.
    lost: BTreeSet<RecordId>,
    extra: Vec<u8>,
    /// The latest time that a row was written at: no clock is read here.
    at: Wall,
}

impl News {
    /// What `incoming` adds to `store`. The log of this boot is nobody else's to say anything about.
    pub(crate) fn new(store: &Store, me: LogId, incoming: Incoming) -> Self {
        let here = |log: &LogId| store.logs.get(log).map_or(0, |mark| mark.upto);
        let jump = |(log, upto): (LogId, u64)| (log, (here(&log), upto));
        let grown = |(log, (from, upto)): &(LogId, (u64, u64))| *log != me && from < upto;
        let jumps: BTreeMap<_, _> = incoming.upto.clone().into_iter().map(jump).filter(grown).collect();
        let known = |id: &RecordId| {
            let covered = incoming.upto.get(&id.log).is_some_and(|upto| id.seq < *upto);
            covered && !incoming.lost.contains(id)
        };
        let found: BTreeSet<RecordId> = store.lost.iter().copied().filter(known).collect();
        let between =
            |id: &RecordId| jumps.get(&id.log).is_some_and(|(from, upto)| (*from..*upto).contains(&id.seq));
        let missing = |stored: &Stored| between(&stored.id) || found.contains(&stored.id);
        let lost = incoming.lost.iter().copied().filter(between).collect();
        let about = |stored: &Stored| stored.entry.record.alert(stored.id);
        let named = incoming.rows.iter().filter_map(about).collect();
        let at = incoming.rows.iter().map(|stored| stored.entry.at).max().unwrap_or(Wall(0));
        let rows = incoming.rows.into_iter().filter(missing);
        let rows = rows.map(|stored| (stored.id, Row::from(stored))).collect();
        Self { named, jumps, rows, found, lost, extra: incoming.extra, at }
    }
}

impl Store {
    /// Adds the rows, lets logs jump, notes which alerts are finished, and takes over what outlives alerts, in
    /// one transaction: a crash finds all of it or nothing.
    ///
    /// Rows of finished alerts are not deleted here, because the history may not have read them yet.
    pub(crate) fn merge(&mut self, news: &News, finished: &[AlertId]) -> rusqlite::Result<Merged> {
        let mut merged = Merged::default();
        let mut changed = BTreeMap::new();
        let mut transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for row in news.rows.values() {
            let key = key_of(&transaction, &self.logs, &mut changed, row.id.log)?;
            let alert = match row.index.alert {
                Some(AlertId(id)) => {
                    Some((key_of(&transaction, &self.logs, &mut changed, id.log)?, bits(id.seq)))
                }
                None => None,
            };
            insert_body(&transaction, key, alert, row)?;
        }
        for id in &news.found {
            transaction
                .prepare_cached("DELETE FROM quarantine WHERE node = ?1 AND boot = ?2 AND seq = ?3")?
                .execute(params![id.log.node.0, bits(id.log.boot.0), bits(id.seq)])?;
        }
        for id in &news.lost {
            transaction
                .prepare_cached("INSERT INTO quarantine VALUES (?1, ?2, ?3, 0, x'', ?4)")?
                .execute(params![id.log.node.0, bits(id.log.boot.0), bits(id.seq), LOST_THERE])?;
        }
        for (log, (from, upto)) in &news.jumps {
            let key = key_of(&transaction, &self.logs, &mut changed, *log)?;
            let known = self.logs.get(log).copied().unwrap_or_else(|| Mark::new(key));
            let base = if news.holds_all(*log, *from, *upto) { known.base } else { *upto };
            jump(&transaction, Mark { key, upto: *upto, base }, *from, news.at)?;
            merged.raised.push((*log, *upto));
            if base > known.base {
                merged.truncated.push((*log, base));
            }
        }
        for AlertId(id) in finished {
            let key = key_of(&transaction, &self.logs, &mut changed, id.log)?;
            transaction
                .prepare_cached("INSERT OR IGNORE INTO finished VALUES (?1, ?2)")?
                .execute(params![key, bits(id.seq)])?;
        }
        take_over(&mut transaction, &news.extra)?;
        let logs = logs(&transaction)?;
        transaction.commit()?;
        self.logs = logs;
        self.finished.extend(finished);
        self.lost.retain(|id| !news.found.contains(id));
        self.lost.extend(&news.lost);
        merged.over =
            news.found.iter().filter(|id| !news.rows.contains_key(id)).map(|id| AlertId(*id)).collect();
        Ok(merged)
    }
}

impl News {
    /// Those of `finished` that are over by the snapshot. One of which it holds records is a twin of another at
    /// most, and those records say what becomes of it.
    pub(crate) fn over(&self, finished: Vec<AlertId>) -> Vec<AlertId> {
        finished.into_iter().filter(|alert| !self.named.contains(alert)).collect()
    }

    fn holds_all(&self, log: LogId, from: u64, upto: u64) -> bool {
        let rows = self.rows.range(RecordId { log, seq: from }..RecordId { log, seq: upto });
        u64::try_from(rows.count()).is_ok_and(|rows| rows == upto - from)
    }

    /// The rows, when they have been added.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.rows.into_values().collect()
    }
}

/// Notes how far a log goes now; and, where not all of the way is there, that the history will lack it.
fn jump(transaction: &Transaction<'_>, mark: Mark, from: u64, at: Wall) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE logs SET upto = ?2, base = ?3 WHERE log = ?1")?.execute(params![
        mark.key,
        bits(mark.upto),
        bits(mark.base)
    ])?;
    if mark.base == mark.upto {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO jumps VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![mark.key, bits(from), bits(mark.upto), at.0])?;
    }
    Ok(())
}

/// Takes over what outlives alerts. Where that makes no sense it is left out: a repeat may then not be noticed
/// as one, which is better than to lack the alerts.
fn take_over(transaction: &mut Transaction<'_>, extra: &[u8]) -> rusqlite::Result<()> {
    if !outliving::readable(transaction, extra) {
        tracing::warn!(
            "a snapshot's keys and counts cannot be read; repeats of what it holds are not noticed"
        );
        return Ok(());
    }
    transaction.execute_batch("SAVEPOINT outliving")?;
    match outliving::take_over(transaction, extra) {
        Ok(()) => transaction.execute_batch("RELEASE outliving"),
        Err(error) if senseless(&error) => {
            tracing::warn!(%error, "a snapshot's keys and counts make no sense and are left out");
            transaction.execute_batch("ROLLBACK TO outliving; RELEASE outliving")
        }
        Err(error) => Err(error),
    }
}

/// The values do not fit their columns, which is the sender's fault and not the disk's.
fn senseless(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::Unknown | ErrorCode::TooBig
        )
    )
}
