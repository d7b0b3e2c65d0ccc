//! The schema of `ledger.db`, and one transaction at a time: add records, delete finished ones.
//!
//! Separate from the writer, which decides when, and from recovery, which reads it all back.

use crate::{FORMAT, OpenError};
use base::limits::{CODE_REST, KEY_LIFE, KEYS_PER_SOURCE_MAX};
use base::{AlertId, BootId, LogId, Name, NodeId, RecordId, Wall};
use record::Index;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `STFD`, in the header of the file: whose it is.
const APPLICATION: i32 = 0x5354_4644;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Days for which a provider's daily count is kept.
const QUOTA_DAYS: i64 = 7;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logs (log INTEGER PRIMARY KEY, node INTEGER NOT NULL, boot INTEGER NOT NULL,
    upto INTEGER NOT NULL, UNIQUE (node, boot));
CREATE TABLE records (log INTEGER NOT NULL, seq INTEGER NOT NULL, alert_log INTEGER, alert_seq INTEGER,
    crc INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (log, seq)) WITHOUT ROWID;
CREATE INDEX records_of_alert ON records (alert_log, alert_seq) WHERE alert_log IS NOT NULL;
CREATE TABLE accepted (source TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL,
    alert_log INTEGER NOT NULL, alert_seq INTEGER NOT NULL, code_letter TEXT NOT NULL,
    code_number INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX accepted_at ON accepted (source, at);
CREATE TABLE codes (letter TEXT NOT NULL, hour INTEGER NOT NULL, highest INTEGER NOT NULL,
    last INTEGER NOT NULL, PRIMARY KEY (letter, hour)) WITHOUT ROWID;
CREATE TABLE quota (log INTEGER NOT NULL, provider TEXT NOT NULL, day INTEGER NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY (log, provider, day)) WITHOUT ROWID;
CREATE TABLE quarantine (node INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL, why TEXT NOT NULL);
";

/// A record as it is stored.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: RecordId,
    pub(crate) at: Wall,
    pub(crate) index: Index,
    pub(crate) body: Vec<u8>,
}

/// A log's key in the tables, and how many of its records are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) key: i64,
    pub(crate) upto: u64,
}

/// `ledger.db`, opened for writing.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Connection,
    pub(crate) logs: BTreeMap<LogId, Mark>,
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
        Ok(Self { db, logs, file })
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
    /// went before its `Accept` would come back to life.
    pub(crate) fn delete(&mut self, alerts: &[AlertId], records: &[RecordId]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for AlertId(id) in alerts {
            if let Some(mark) = self.logs.get(&id.log) {
                transaction
                    .prepare_cached("DELETE FROM records WHERE alert_log = ?1 AND alert_seq = ?2")?
                    .execute(params![mark.key, bits(id.seq)])?;
            }
        }
        for id in records {
            if let Some(mark) = self.logs.get(&id.log) {
                transaction
                    .prepare_cached("DELETE FROM records WHERE log = ?1 AND seq = ?2")?
                    .execute(params![mark.key, bits(id.seq)])?;
            }
        }
        transaction.commit()
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

/// Reads a fact about the ledger itself.
pub(crate) fn noted(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Refuses a file that is not a ledger, or one of a later program.
pub(crate) fn format(db: &Connection, file: &Path) -> Result<(), OpenError> {
    format_of(db, file, APPLICATION)
}

/// Refuses a file that is not `ours`, or was written by a later program.
pub(crate) fn format_of(db: &Connection, file: &Path, ours: i32) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(file, &error);
    let application: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    if application != ours {
        return Err(OpenError::NotALedger { file: file.to_owned() });
    }
    let version = noted(db, "format").map_err(failed)?.and_then(|text| text.parse().ok());
    match version {
        Some(version) if version > FORMAT => Err(OpenError::Newer { file: file.to_owned(), version }),
        Some(FORMAT) => Ok(()), // The one before it will be migrated here, in a transaction of its own.
        Some(_) | None => Err(OpenError::NotALedger { file: file.to_owned() }),
    }
}

fn prepare(db: &Connection, file: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(file, &error);
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        let made = format!(
            "BEGIN; PRAGMA application_id = {APPLICATION}; {SCHEMA}
             INSERT INTO meta VALUES ('format', '{FORMAT}'); COMMIT;"
        );
        db.execute_batch(&made).map_err(failed)?;
    }
    format(db, file)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 8388608;",
    )
    .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Every log that the file knows.
pub(crate) fn logs(db: &Connection) -> rusqlite::Result<BTreeMap<LogId, Mark>> {
    db.prepare_cached("SELECT log, node, boot, upto FROM logs")?
        .query_map([], |row| {
            let log = LogId { node: NodeId(row.get(1)?), boot: BootId(unbits(row.get(2)?)) };
            Ok((log, Mark { key: row.get(0)?, upto: unbits(row.get(3)?) }))
        })?
        .collect()
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
fn key_of(
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
    changed.insert(log, Mark { key, upto: 0 });
    Ok(key)
}

fn insert(
    transaction: &Transaction<'_>,
    key: i64,
    alert: Option<(i64, i64)>,
    row: &Row,
) -> rusqlite::Result<()> {
    let (alert_log, alert_seq) = alert.unzip();
    transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        key,
        bits(row.id.seq),
        alert_log,
        alert_seq,
        crc32fast::hash(&row.body),
        row.body
    ])?;
    if let Some(accepted) = &row.index.accept {
        remember(transaction, key, row, accepted)?;
    }
    for (provider, count) in &row.index.quota {
        spend(transaction, key, provider, row.at, *count)?;
    }
    Ok(())
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
    use std::sync::Arc;

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
        Row { id: RecordId { log, seq }, at, index, body: Vec::new() }
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
