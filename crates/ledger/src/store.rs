//! `ledger.db`, one transaction at a time: add records, delete finished ones.
//!
//! Separate from the writer, which decides when, and from recovery, which reads it all back.

use crate::schema::{noted, prepare};
use crate::{OpenError, Stored};
use base::limits::{CODE_REST, KEY_LIFE, KEYS_PER_SOURCE_MAX};
use base::{AlertId, BootId, LogId, Name, NodeId, RecordId, Wall};
use record::Index;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Days for which a provider's daily count is kept.
const QUOTA_DAYS: i64 = 7;

/// A record as it is stored.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: RecordId,
    pub(crate) at: Wall,
    pub(crate) index: Index,
    pub(crate) body: Arc<[u8]>,
}

impl From<Stored> for Row {
    fn from(stored: Stored) -> Self {
        let Stored { id, entry, body } = stored;
        Self { id, at: entry.at, index: record::index(id, &entry), body }
    }
}

/// A log's key in the tables, how many of its records are durable, and from where on none is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) key: i64,
    pub(crate) upto: u64,
    pub(crate) base: u64,
}

impl Mark {
    /// Of a log of which nothing is there.
    pub(crate) fn new(key: i64) -> Self {
        Self { key, upto: 0, base: 0 }
    }
}

/// `ledger.db`, opened for writing.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Connection,
    pub(crate) logs: BTreeMap<LogId, Mark>,
    /// Alerts that a peer's snapshot said to be finished, whose records the history may still have to read.
    pub(crate) finished: BTreeSet<AlertId>,
    /// Places below the ends of their logs whose records could not be read, here or where a snapshot came from.
    pub(crate) lost: BTreeSet<RecordId>,
    pub(crate) file: PathBuf,
}

/// SQLite's integers are signed; ours keep their bits.
pub(crate) fn bits(value: u64) -> i64 {
    value.cast_signed()
}

/// The reverse of [`bits`].
pub(crate) fn unbits(value: i64) -> u64 {
    value.cast_unsigned()
}

impl Store {
    /// Opens or makes the file, and refuses what is not a ledger that this program reads.
    pub(crate) fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join("ledger.db");
        let db = Connection::open(&file).map_err(|error| OpenError::sqlite(&file, &error))?;
        prepare(&db, &file)?;
        let logs = logs(&db).map_err(|error| OpenError::sqlite(&file, &error))?;
        let finished = finished(&db).map_err(|error| OpenError::sqlite(&file, &error))?;
        let lost = lost(&db).map_err(|error| OpenError::sqlite(&file, &error))?;
        Ok(Self { db, logs, finished, lost, file })
    }

    /// Adds `rows` in one transaction. They are durable when it returns.
    pub(crate) fn add(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut changed = BTreeMap::new();
        for row in rows {
            let key = key(&transaction, &self.logs, &mut changed, row.id.log)?;
            let alert = match row.index.alert {
                Some(AlertId(id)) => {
                    Some((key_of(&transaction, &self.logs, &mut changed, id.log)?, bits(id.seq)))
                }
                None => None,
            };
            insert(&transaction, key, alert, row)?;
            if let Some(mark) = changed.get_mut(&row.id.log) {
                mark.upto = row.id.seq + 1;
            }
        }
        for mark in changed.values() {
            transaction
                .prepare_cached("UPDATE logs SET upto = ?2 WHERE log = ?1")?
                .execute(params![mark.key, bits(mark.upto)])?;
        }
        transaction.commit()?;
        self.logs.extend(changed);
        Ok(())
    }

    /// Deletes every record of `alerts`, and `records` besides, in one transaction: an alert whose `Closed`
    /// went before its `Accept` would come back to life. Says of which logs the dense end begins later now.
    pub(crate) fn delete(
        &mut self,
        alerts: &[AlertId],
        records: &[RecordId],
    ) -> rusqlite::Result<Vec<(LogId, u64)>> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut gone = BTreeMap::new();
        for alert in alerts {
            if let Some(mark) = self.logs.get(&alert.0.log) {
                delete_alert(&transaction, mark.key, alert, &mut gone)?;
                if self.finished.contains(alert) {
                    transaction.execute(
                        "DELETE FROM finished WHERE alert_log = ?1 AND alert_seq = ?2",
                        params![mark.key, bits(alert.0.seq)],
                    )?;
                }
            }
        }
        for id in records {
            if let Some(mark) = self.logs.get(&id.log) {
                transaction
                    .prepare_cached("DELETE FROM records WHERE log = ?1 AND seq = ?2")?
                    .execute(params![mark.key, bits(id.seq)])?;
                went(&mut gone, mark.key, id.seq);
            }
        }
        let raised = raise(&transaction, &self.logs, &gone)?;
        transaction.commit()?;
        for alert in alerts {
            self.finished.remove(alert);
        }
        for (log, base) in &raised {
            self.logs.entry(*log).and_modify(|mark| mark.base = *base);
        }
        Ok(raised)
    }

    /// Drops keys, codes and counts whose time is over at `now`, and the oldest keys of sources with too many.
    pub(crate) fn expire(&mut self, now: Wall) -> rusqlite::Result<()> {
        let most = i64::try_from(KEYS_PER_SOURCE_MAX).unwrap_or(i64::MAX);
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM accepted WHERE at < ?1", [(now - KEY_LIFE).0])?;
        let mut crowded = transaction.prepare_cached(
            "DELETE FROM accepted WHERE source = ?1 AND at <
                (SELECT at FROM accepted WHERE source = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        )?;
        let sources: Vec<String> = transaction
            .prepare_cached("SELECT source FROM accepted GROUP BY source HAVING count(*) > ?1")?
            .query_map([most], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for source in sources {
            crowded.execute(params![source, most - 1])?;
        }
        drop(crowded);
        transaction.execute("DELETE FROM codes WHERE hour < ?1", [hour(now - CODE_REST)])?;
        transaction.execute("DELETE FROM quota WHERE day < ?1", [now.0.div_euclid(DAY_MS) - QUOTA_DAYS])?;
        transaction.commit()
    }

    /// Moves the whole write-ahead log into the file and empties it, unless a reader still needs it. True if
    /// that was done; it does not wait for readers, for a backup may read for minutes.
    pub(crate) fn truncate_wal(&self) -> rusqlite::Result<bool> {
        self.db.busy_timeout(Duration::ZERO)?;
        let busy: i64 = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        self.db.busy_timeout(Duration::from_secs(5))?;
        Ok(busy == 0)
    }

    /// Whether the `Accept` of `alert` is durable, or was until it was no longer needed. A lost one may come back.
    pub(crate) fn covers(&self, alert: AlertId) -> bool {
        self.logs.get(&alert.0.log).is_some_and(|mark| alert.0.seq < mark.upto)
            && !self.lost.contains(&alert.0)
    }

    /// Notes a fact about the ledger itself.
    pub(crate) fn note(&self, key: &str, value: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute([key, value])
            .map(drop)
    }

    /// A fact about the ledger itself.
    pub(crate) fn noted(&self, key: &str) -> rusqlite::Result<Option<String>> {
        noted(&self.db, key)
    }
}

/// The hour of a time, counted from 1970.
pub(crate) fn hour(at: Wall) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

/// Every log that the file knows.
pub(crate) fn logs(db: &Connection) -> rusqlite::Result<BTreeMap<LogId, Mark>> {
    db.prepare_cached("SELECT node, boot, log, upto, base FROM logs")?
        .query_map([], |row| {
            Ok((log(row)?, Mark { key: row.get(2)?, upto: unbits(row.get(3)?), base: unbits(row.get(4)?) }))
        })?
        .collect()
}

/// How many records of each log are durable; of a file of the format before as well.
pub(crate) fn vector(db: &Connection) -> rusqlite::Result<BTreeMap<LogId, u64>> {
    db.prepare_cached("SELECT node, boot, upto FROM logs")?
        .query_map([], |row| Ok((log(row)?, unbits(row.get(2)?))))?
        .collect()
}

/// Alerts that a snapshot said to be finished.
pub(crate) fn finished(db: &Connection) -> rusqlite::Result<BTreeSet<AlertId>> {
    db.prepare("SELECT node, boot, alert_seq FROM finished JOIN logs ON log = alert_log")?
        .query_map([], |row| Ok(AlertId(RecordId { log: log(row)?, seq: unbits(row.get(2)?) })))?
        .collect()
}

/// Records that could not be read and have not been fetched again.
pub(crate) fn lost(db: &Connection) -> rusqlite::Result<BTreeSet<RecordId>> {
    db.prepare("SELECT node, boot, seq FROM quarantine")?
        .query_map([], |row| Ok(RecordId { log: log(row)?, seq: unbits(row.get(2)?) }))?
        .collect()
}

/// The log that the first two columns name.
pub(crate) fn log(row: &rusqlite::Row<'_>) -> rusqlite::Result<LogId> {
    Ok(LogId { node: NodeId(row.get(0)?), boot: BootId(unbits(row.get(1)?)) })
}

/// The place behind the last record that went, of each log, by its key.
type Gone = BTreeMap<i64, u64>;

fn went(gone: &mut Gone, key: i64, seq: u64) {
    let behind = gone.entry(key).or_default();
    *behind = (*behind).max(seq + 1);
}

/// Deletes the records about `alert`, whose log has `key`, in whatever logs they stand.
fn delete_alert(
    transaction: &Transaction<'_>,
    key: i64,
    alert: &AlertId,
    gone: &mut Gone,
) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("DELETE FROM records WHERE alert_log = ?1 AND alert_seq = ?2 RETURNING log, seq")?;
    let mut rows = statement.query(params![key, bits(alert.0.seq)])?;
    while let Some(row) = rows.next()? {
        went(gone, row.get(0)?, unbits(row.get(1)?));
    }
    Ok(())
}

/// Notes that logs are no longer whole below what is gone of them. Says which, and from where on they are.
pub(crate) fn raise(
    transaction: &Transaction<'_>,
    logs: &BTreeMap<LogId, Mark>,
    gone: &Gone,
) -> rusqlite::Result<Vec<(LogId, u64)>> {
    let mut raised = Vec::new();
    for (log, mark) in logs {
        let Some(base) = gone.get(&mark.key).copied().filter(|base| *base > mark.base) else { continue };
        transaction
            .prepare_cached("UPDATE logs SET base = ?2 WHERE log = ?1")?
            .execute(params![mark.key, bits(base)])?;
        raised.push((*log, base));
    }
    Ok(raised)
}

/// The key of a log that a record is written to: it is put among the changed ones.
fn key(
    transaction: &Transaction<'_>,
    logs: &BTreeMap<LogId, Mark>,
    changed: &mut BTreeMap<LogId, Mark>,
    log: LogId,
) -> rusqlite::Result<i64> {
    let key = key_of(transaction, logs, changed, log)?;
    if let Some(mark) = logs.get(&log) {
        changed.entry(log).or_insert(*mark);
    }
    Ok(key)
}

/// The key of a log that is referred to: it is made if it is not known yet.
pub(crate) fn key_of(
    transaction: &Transaction<'_>,
    logs: &BTreeMap<LogId, Mark>,
    changed: &mut BTreeMap<LogId, Mark>,
    log: LogId,
) -> rusqlite::Result<i64> {
    if let Some(mark) = changed.get(&log).or_else(|| logs.get(&log)) {
        return Ok(mark.key);
    }
    transaction
        .prepare_cached("INSERT INTO logs (node, boot, upto) VALUES (?1, ?2, 0)")?
        .execute(params![log.node.0, bits(log.boot.0)])?;
    let key = transaction.last_insert_rowid();
    changed.insert(log, Mark::new(key));
    Ok(key)
}

fn insert(
    transaction: &Transaction<'_>,
    key: i64,
    alert: Option<(i64, i64)>,
    row: &Row,
) -> rusqlite::Result<()> {
    insert_body(transaction, key, alert, row)?;
    if let Some(accepted) = &row.index.accept {
        remember(transaction, key, row, accepted)?;
    }
    for (provider, count) in &row.index.quota {
        spend(transaction, key, provider, row.at, *count)?;
    }
    Ok(())
}

/// Adds the record alone.
pub(crate) fn insert_body(
    transaction: &Transaction<'_>,
    key: i64,
    alert: Option<(i64, i64)>,
    row: &Row,
) -> rusqlite::Result<()> {
    let (alert_log, alert_seq) = alert.unzip();
    transaction
        .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![key, bits(row.id.seq), alert_log, alert_seq, crc32fast::hash(&row.body), &*row.body])
        .map(drop)
}

/// Keeps what outlives an alert: its key, and that its code was given in this hour.
fn remember(
    transaction: &Transaction<'_>,
    key: i64,
    row: &Row,
    accepted: &record::Accepted,
) -> rusqlite::Result<()> {
    let (letter, number) = (accepted.code.letter.to_string(), accepted.code.number);
    transaction
        .prepare_cached(
            "INSERT INTO codes VALUES (?1, ?2, ?3, ?3) ON CONFLICT (letter, hour)
             DO UPDATE SET highest = max(highest, excluded.highest), last = excluded.last",
        )?
        .execute(params![letter, hour(row.at), number])?;
    let (Some(text), Some(digest)) = (&accepted.key, &accepted.digest) else { return Ok(()) };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO accepted VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            accepted.source.as_str(),
            text,
            digest.0,
            key,
            bits(row.id.seq),
            letter,
            number,
            row.at.0
        ])
        .map(drop)
}

fn spend(
    transaction: &Transaction<'_>,
    key: i64,
    provider: &Name,
    at: Wall,
    count: u32,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO quota VALUES (?1, ?2, ?3, ?4) ON CONFLICT (log, provider, day)
             DO UPDATE SET count = count + excluded.count",
        )?
        .execute(params![key, provider.as_str(), at.0.div_euclid(DAY_MS), count])
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Digest;
    use dispatch::record::Code;
    use record::Accepted;

    fn accept(seq: u64, at: Wall) -> Row {
        let log = LogId { node: NodeId(1), boot: BootId(2) };
        let accepted = Accepted {
            source: Name::new("scada").unwrap(),
            key: Some(Arc::from(format!("key-{seq}"))),
            digest: Some(Digest([0; 32])),
            code: Code { letter: 'A', number: u32::try_from(seq).unwrap() },
        };
        let provider = Name::new("smtp-a").unwrap();
        let index = Index { accept: Some(accepted), quota: vec![(provider, 3)], ..Index::default() };
        Row { id: RecordId { log, seq }, at, index, body: Arc::from([]) }
    }

    fn counted(store: &Store, table: &str) -> i64 {
        store.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn keys_go_after_a_day_and_codes_after_their_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let start = Wall(1_795_165_200_000);
        let rows: Vec<Row> = (0..48).map(|hour| accept(hour, start + hours(hour))).collect();
        store.add(&rows).unwrap();
        let check = |store: &mut Store, after: u64, keys: i64, codes: i64, quota: i64| {
            store.expire(start + hours(after)).unwrap();
            let found = [counted(store, "accepted"), counted(store, "codes"), counted(store, "quota")];
            assert_eq!(found, [keys, codes, quota], "after {after} hours");
        };
        check(&mut store, 47, 25, 48, 3);
        check(&mut store, 60, 12, 48, 3);
        check(&mut store, 7 * 24 + 10, 0, 38, 3);
        check(&mut store, 10 * 24, 0, 0, 0);
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(3600 * hours)
    }

    #[test]
    fn a_source_with_too_many_keys_loses_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let most = u64::try_from(KEYS_PER_SOURCE_MAX).unwrap();
        let rows: Vec<Row> = (0..most + 7).map(|seq| accept(seq, Wall(bits(seq)))).collect();
        store.add(&rows).unwrap();
        store.expire(Wall(0)).unwrap();
        let oldest: i64 = store.db.query_row("SELECT min(at) FROM accepted", [], |row| row.get(0)).unwrap();
        assert_eq!((counted(&store, "accepted"), oldest), (bits(most), 7));
    }
}
