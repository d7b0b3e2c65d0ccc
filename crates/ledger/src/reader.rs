//! Reading the ledger for peers, beside the writer: records in a range, or all that is needed at one moment.
//!
//! Separate from the ledger, which one thread writes: a reader has its own connection, may stand in any thread,
//! and sees a consistent state. Only what is durable can be read.

use crate::OpenError;
use crate::outliving;
use crate::recover::read;
use crate::schema::format;
use crate::standing::{ALL, Standing};
use crate::store::{bits, unbits, vector};
use base::{Digest, LogId, RecordId};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use thiserror::Error;

/// A reader of `ledger.db`.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
}

/// Everything that is needed, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How many records of each log were durable. What is below and not among the rows is finished.
    pub upto: BTreeMap<LogId, u64>,
    /// The records that a start would need, as bytes, by (log, place).
    pub rows: Vec<(RecordId, Vec<u8>)>,
    /// What outlives alerts: for [`crate::Incoming::extra`] and nobody else to read.
    pub extra: Vec<u8>,
    /// Records below `upto` that cannot be read here: whether they are needed is not known.
    pub lost: BTreeSet<RecordId>,
}

/// Why records cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Earlier ones are gone. Remedy: a snapshot.
    #[error("log {log} is whole from {base} on only")]
    Truncated {
        /// Which log.
        log: LogId,
        /// From where on it is whole.
        base: u64,
    },
    /// They are not durable yet, or do not exist.
    #[error("log {log} goes up to {upto} only")]
    Ahead {
        /// Which log.
        log: LogId,
        /// The first that is not there.
        upto: u64,
    },
    /// A record is not what was written. Remedy: a snapshot, which names it; a restart fetches it from a peer.
    #[error("record {id} cannot be read: {why}")]
    Damaged {
        /// Which.
        id: RecordId,
        /// What is wrong with it.
        why: String,
    },
    /// SQLite cannot.
    #[error("ledger.db cannot be read: {0}")]
    Failed(#[from] rusqlite::Error),
}

impl Reader {
    /// Opens the ledger in `folder` for reading. It must have been opened for writing before.
    ///
    /// # Errors
    /// [`OpenError`], with the file and the remedy.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join("ledger.db");
        let failed = |error: rusqlite::Error| OpenError::sqlite(&file, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&file, flags).map_err(failed)?;
        format(&db, &file)?;
        db.execute_batch("PRAGMA busy_timeout = 5000;").map_err(failed)?;
        Ok(Self { db })
    }

    /// The records of `log` from `from` to before `upto`, without a gap, as bytes: as many as fit `bytes_max`,
    /// and at least one. Where the log ends before `upto`, to its end.
    ///
    /// # Errors
    /// [`ReadError`] if there is not even one.
    pub fn range(
        &self,
        log: LogId,
        from: u64,
        upto: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let moment = self.db.unchecked_transaction()?;
        let mark = moment
            .prepare_cached("SELECT log, upto, base FROM logs WHERE node = ?1 AND boot = ?2")?
            .query_row(params![log.node.0, bits(log.boot.0)], |row| {
                Ok((row.get::<_, i64>(0)?, unbits(row.get(1)?), unbits(row.get(2)?)))
            })
            .optional()?;
        let (key, end, base) = mark.unwrap_or_default();
        if from < base {
            return Err(ReadError::Truncated { log, base });
        }
        let mut statement = moment.prepare_cached(
            "SELECT seq, crc, body FROM records WHERE log = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq",
        )?;
        let mut rows = statement.query(params![key, bits(from), bits(upto.min(end))])?;
        let mut range = Vec::new();
        let mut bytes = 0;
        for next in from..upto {
            let Some(row) = rows.next()? else { break };
            let id = RecordId { log, seq: unbits(row.get(0)?) };
            let body = row.get_ref(2)?.as_blob().unwrap_or_default();
            bytes += body.len();
            if id.seq != next || bytes > bytes_max && !range.is_empty() {
                break;
            }
            match read(body, row.get(1)?) {
                Ok(_) => range.push((id.seq, body.to_vec())),
                Err(trouble) if range.is_empty() => {
                    return Err(ReadError::Damaged { id, why: trouble.to_string() });
                }
                Err(_) => break, // It is told when it is asked for first.
            }
        }
        if range.is_empty() { Err(ReadError::Ahead { log, upto: end }) } else { Ok(range) }
    }

    /// Everything that is needed, as of now. It takes time and memory with the number of open alerts. A record that
    /// is damaged is named, because what a snapshot leaves out is taken for finished.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let moment = self.db.unchecked_transaction()?;
        let standing = Standing::survey(&moment)?;
        let mut statement = moment.prepare(ALL)?;
        let mut rows = statement.query([])?;
        let mut snapshot = Snapshot { extra: outliving::write(&moment)?, ..Snapshot::default() };
        for seen in &standing.rows {
            let Some(row) = rows.next()? else { break };
            if standing.needs(seen) {
                snapshot.rows.push((seen.id, row.get_ref(4)?.as_blob().unwrap_or_default().to_vec()));
            }
        }
        snapshot.lost.clone_from(standing.lost());
        snapshot.upto = standing.upto;
        Ok(snapshot)
    }

    /// How many records of each log are durable.
    ///
    /// # Errors
    /// [`ReadError::Failed`].
    pub fn vector(&self) -> Result<BTreeMap<LogId, u64>, ReadError> {
        Ok(vector(&self.db)?)
    }

    /// The vector, and a digest over the records that are needed at it: SHA-256 over log, place and checksum of
    /// each row about an alert that is not over and of each that stands without one, and over the rosters that
    /// such alerts use. Rows that are kept for peers or for the history alone do not count, so it is the same
    /// on all nodes at the same vector.
    ///
    /// # Errors
    /// [`ReadError`]; also where a record is damaged.
    pub fn digest(&self) -> Result<(BTreeMap<LogId, u64>, Digest), ReadError> {
        let moment = self.db.unchecked_transaction()?;
        let standing = Standing::survey(&moment)?;
        if let Some((id, why)) = standing.damaged.clone() {
            return Err(ReadError::Damaged { id, why });
        }
        let digest = standing.digest();
        Ok((standing.upto, digest))
    }
}
