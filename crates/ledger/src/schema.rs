//! The tables of `ledger.db`: made, recognised, and brought up from the format before.
//!
//! Separate from the store, which fills them: here is all that knows of two formats.

use crate::{FORMAT, OpenError};
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;

/// `STFD`, in the header of the file: whose it is.
const APPLICATION: i32 = 0x5354_4644;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logs (log INTEGER PRIMARY KEY, node INTEGER NOT NULL, boot INTEGER NOT NULL,
    upto INTEGER NOT NULL, base INTEGER NOT NULL DEFAULT 0, UNIQUE (node, boot));
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

/// What came with format 2: what a snapshot of a peer says besides rows.
const SNAPSHOTS: &str = "
CREATE TABLE finished (alert_log INTEGER NOT NULL, alert_seq INTEGER NOT NULL,
    PRIMARY KEY (alert_log, alert_seq)) WITHOUT ROWID;
CREATE TABLE jumps (log INTEGER NOT NULL, from_ INTEGER NOT NULL, upto INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (log, from_)) WITHOUT ROWID;
";

/// A log's base is where its dense end begins: format 1 deleted rows and did not note which.
const FROM_1: &str = "
ALTER TABLE logs ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
UPDATE logs SET base = CASE
    WHEN upto = 0 THEN 0
    WHEN NOT EXISTS (SELECT 1 FROM records WHERE records.log = logs.log AND seq = upto - 1) THEN upto
    ELSE ifnull((SELECT max(seq) FROM records WHERE records.log = logs.log AND seq > 0 AND NOT EXISTS (
        SELECT 1 FROM records AS before WHERE before.log = records.log AND before.seq = records.seq - 1)), 0)
    END;
";

/// Makes the tables of an empty file, and brings those of the format before up to ours.
pub(crate) fn prepare(db: &Connection, file: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(file, &error);
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        let made = format!(
            "BEGIN; PRAGMA application_id = {APPLICATION}; {SCHEMA} {SNAPSHOTS}
             INSERT INTO meta VALUES ('format', '{FORMAT}'); COMMIT;"
        );
        db.execute_batch(&made).map_err(failed)?;
    }
    if format(db, file)? < FORMAT {
        migrate(db, &format!("{FROM_1} {SNAPSHOTS}")).map_err(failed)?;
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 8388608;",
    )
    .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Changes a file of the format before into one of ours, all or nothing.
pub(crate) fn migrate(db: &Connection, changes: &str) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE; {changes} UPDATE meta SET value = '{FORMAT}' WHERE key = 'format'; COMMIT;"
    ))
}

/// Reads a fact about the file itself.
pub(crate) fn noted(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// The format of a ledger, which is ours or the one before; anything else is refused.
pub(crate) fn format(db: &Connection, file: &Path) -> Result<u32, OpenError> {
    format_of(db, file, APPLICATION)
}

/// The format of a file that is `ours`; one of a later program, or of somebody else, is refused.
pub(crate) fn format_of(db: &Connection, file: &Path, ours: i32) -> Result<u32, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(file, &error);
    let application: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    if application != ours {
        return Err(OpenError::NotALedger { file: file.to_owned() });
    }
    let version = noted(db, "format").map_err(failed)?.and_then(|text| text.parse().ok());
    match version {
        Some(version) if version > FORMAT => Err(OpenError::Newer { file: file.to_owned(), version }),
        Some(version) if version + 1 >= FORMAT => Ok(version),
        Some(_) | None => Err(OpenError::NotALedger { file: file.to_owned() }),
    }
}
