//! The thread that makes `history.db` from the records: what people ask for, kept after alerts are finished.
//!
//! Separate from the writer, in a file and a thread of its own, so that it can never slow or endanger what is
//! durable. It reads the records that it lacks from `ledger.db` and notes in the same transaction how far it
//! came: a crash, a start and the daily run go the same way, and nothing is added twice.
//!
//! Its own file is not synced at every step. The writer is told how far it holds *after* a sync, and deletes
//! nothing that a power failure could make it lack.

use crate::OpenError;
use crate::checkpoint::passive;
use crate::project::{FROM_1, SCHEMA, jumped, project};
use crate::recover::read;
use crate::schema::{format_of, migrate};
use crate::store::{bits, log, logs, unbits};
use crate::writer::{Command, Poke};
use base::{LogId, RecordId, Wall};
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records of one step.
const STEP_RECORDS: i64 = 500;
/// How much the thread gives way to others, as `nice` counts: on a busy machine alerts are accepted and sent
/// first, and the history catches up after them. Not more, so that it does not stand still either.
const NICE: i32 = 10;
/// Rows that one step of pruning deletes.
const PRUNE_ROWS: i64 = 1000;
/// How long nothing arrives before what was projected is synced.
const IDLE: Duration = Duration::from_millis(500);
/// Records after which it is synced although more arrive.
const SYNC_EVERY: u64 = 5000;
/// `STFH`, in the header of the file: whose it is.
pub(crate) const APPLICATION: i32 = 0x5354_4648;

/// Opens the history, or puts a damaged one aside and starts anew; says so then.
pub(crate) fn open(folder: &Path) -> Result<(Connection, Option<String>), OpenError> {
    let file = folder.join("history.db");
    match prepare(&file) {
        Ok(db) => Ok((db, None)),
        Err(OpenError::Damaged { .. } | OpenError::NotALedger { .. }) => {
            let aside = folder.join("history.db.damaged");
            std::fs::rename(&file, &aside).map_err(|error| OpenError::folder(folder, &error))?;
            for rest in ["history.db-wal", "history.db-shm"] {
                std::fs::remove_file(folder.join(rest)).unwrap_or_default(); // Often there is none.
            }
            let lost = format!("{} was damaged and is kept as {}", file.display(), aside.display());
            Ok((prepare(&file)?, Some(lost)))
        }
        Err(error) => Err(error),
    }
}

fn prepare(file: &Path) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(file, &error);
    let db = Connection::open(file).map_err(failed)?;
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        let made = format!(
            "BEGIN; PRAGMA application_id = {APPLICATION}; {SCHEMA}
             INSERT INTO meta VALUES ('format', '{}'); COMMIT;",
            crate::FORMAT
        );
        db.execute_batch(&made).map_err(failed)?;
    }
    if format_of(&db, file, APPLICATION)? < crate::FORMAT {
        migrate(&db, FROM_1).map_err(failed)?;
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA busy_timeout = 5000;",
    )
    .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// The thread's data.
pub(crate) struct Historian {
    history: Connection,
    ledger: Connection,
    pokes: Receiver<Poke>,
    writer: Sender<Command>,
    marks: BTreeMap<LogId, u64>,
    unsynced: u64,
    prune: Option<Wall>,
}

/// Starts the thread over an opened history.
pub(crate) fn start(
    history: Connection,
    ledger_file: &PathBuf,
    writer: Sender<Command>,
) -> std::io::Result<(Sender<Poke>, JoinHandle<()>)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ledger = Connection::open_with_flags(ledger_file, flags).map_err(std::io::Error::other)?;
    let marks = marks(&history).map_err(std::io::Error::other)?;
    let (poke, pokes) = channel();
    drop(poke.send(Poke::More)); // What the last run left is there to be read.
    let historian = Historian { history, ledger, pokes, writer, marks, unsynced: 1, prune: None };
    let thread = std::thread::Builder::new().name("ledger-history".into()).spawn(move || historian.run())?;
    Ok((poke, thread))
}

/// Lowers the priority of this thread alone: on Linux each thread has its own. Refused, it only costs speed.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the history does not give way to other work");
    }
}

fn marks(history: &Connection) -> rusqlite::Result<BTreeMap<LogId, u64>> {
    history
        .prepare("SELECT node, boot, upto FROM marks")?
        .query_map([], |row| Ok((log(row)?, unbits(row.get(2)?))))?
        .collect()
}

/// What the history knows of beyond the ends of the ledger's logs. It reads only what is durable, so that it
/// is never ahead unless the ledger lost something. Its marks are put back, so that this is told once.
pub(crate) fn missing(
    history: &Connection,
    folder: &Path,
    upto: &BTreeMap<LogId, u64>,
) -> Result<Vec<(LogId, u64)>, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::sqlite(&folder.join("history.db"), &error);
    let mut missing = Vec::new();
    for (log, mark) in marks(history).map_err(failed)? {
        let end = upto.get(&log).copied().unwrap_or(0);
        if mark > end {
            missing.push((log, mark - end));
            let id = params![log.node.0, bits(log.boot.0), bits(end)];
            history
                .execute("UPDATE marks SET upto = ?3 WHERE node = ?1 AND boot = ?2", id)
                .map_err(failed)?;
        }
    }
    Ok(missing)
}

/// Where a snapshot took a log from a place between `from` and before `next`, to where, and when.
fn jumps(ledger: &Connection, key: i64, from: u64, next: u64) -> rusqlite::Result<Vec<(u64, u64, Wall)>> {
    ledger
        .prepare_cached("SELECT from_, upto, at FROM jumps WHERE log = ?1 AND from_ >= ?2 AND from_ < ?3")?
        .query_map(params![key, bits(from), bits(next)], |row| {
            Ok((unbits(row.get(0)?), unbits(row.get(1)?), Wall(row.get(2)?)))
        })?
        .collect()
}

impl Historian {
    fn run(mut self) {
        give_way();
        let mut answers = Vec::new();
        loop {
            let wait = if self.prune.is_some() { Duration::ZERO } else { IDLE };
            let (poke, ended) = match self.next(wait) {
                Ok(poke) => (poke, false),
                Err(RecvTimeoutError::Timeout) => (None, false),
                Err(RecvTimeoutError::Disconnected) => (None, true),
            };
            let idle = poke.is_none();
            for poke in poke.into_iter().chain(self.pokes.try_iter()) {
                match poke {
                    Poke::More => (),
                    Poke::Settle(answer) => answers.push(answer),
                    Poke::Prune(before) => self.prune = Some(before),
                }
            }
            let sync = idle || ended || !answers.is_empty();
            if let Err(error) = self.work(sync) {
                tracing::warn!(%error, "the history cannot be written and falls behind");
                self.unsynced = self.unsynced.max(1); // So that it is tried again, with or without a poke.
            }
            if self.prune.is_none() {
                answers.clear(); // Closing the channel is the answer.
            }
            if ended {
                return;
            }
        }
    }

    /// Waits for a poke; without an end, where nothing is left to sync.
    fn next(&self, wait: Duration) -> Result<Option<Poke>, RecvTimeoutError> {
        if self.unsynced == 0 && self.prune.is_none() {
            return self.pokes.recv().map(Some).map_err(|_| RecvTimeoutError::Disconnected);
        }
        self.pokes.recv_timeout(wait).map(Some)
    }

    fn work(&mut self, sync: bool) -> rusqlite::Result<()> {
        let logs = logs(&self.ledger)?;
        for (log, mark) in logs {
            while self.marks.get(&log).copied().unwrap_or(0) < mark.upto {
                self.step(log, mark.key, mark.upto)?;
                if self.unsynced >= SYNC_EVERY {
                    self.sync()?;
                }
            }
        }
        self.prune()?;
        if sync && self.unsynced > 0 { self.sync() } else { Ok(()) }
    }

    /// Projects some records of a log. `upto` is how many were durable when this began.
    fn step(&mut self, log: LogId, key: i64, upto: u64) -> rusqlite::Result<()> {
        let from = self.marks.get(&log).copied().unwrap_or(0);
        let mut statement = self.ledger.prepare_cached(
            "SELECT seq, crc, body FROM records WHERE log = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq LIMIT ?4",
        )?;
        let mut rows = statement.query(params![key, bits(from), bits(upto), STEP_RECORDS])?;
        let transaction = self.history.transaction()?;
        let mut jumps = jumps(&self.ledger, key, from, upto)?.into_iter().peekable();
        let mut next = from;
        let mut read_rows = 0;
        while let Some(row) = rows.next()? {
            let id = RecordId { log, seq: unbits(row.get(0)?) };
            while let Some((begin, end, at)) = jumps.next_if(|(begin, ..)| *begin <= id.seq) {
                jumped(&transaction, log, begin, end, at)?;
            }
            // What cannot be read is reported at the next start; here it is passed over.
            if let Ok(entry) = read(row.get_ref(2)?.as_blob().unwrap_or_default(), row.get(1)?) {
                project(&transaction, id, &entry)?;
            }
            next = id.seq + 1;
            read_rows += 1;
        }
        if read_rows < STEP_RECORDS {
            next = upto; // What is missing below was finished before.
            for (begin, end, at) in jumps {
                jumped(&transaction, log, begin, end, at)?;
            }
        }
        transaction.prepare_cached("INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3)")?.execute(params![
            log.node.0,
            bits(log.boot.0),
            bits(next)
        ])?;
        transaction.commit()?;
        self.marks.insert(log, next);
        self.unsynced += next - from;
        Ok(())
    }

    /// Syncs, and tells the writer what may be deleted.
    fn sync(&mut self) -> rusqlite::Result<()> {
        if passive(&self.history)? {
            self.unsynced = 0;
            drop(self.writer.send(Command::Passed(self.marks.clone()))); // A writer that has ended deletes nothing.
        }
        Ok(())
    }

    /// One small step of forgetting what is too old.
    fn prune(&mut self) -> rusqlite::Result<()> {
        let Some(before) = self.prune else { return Ok(()) };
        let transaction = self.history.transaction()?;
        let gone = transaction.execute(
            "DELETE FROM notifications WHERE id IN (SELECT notifications.id FROM alerts JOIN notifications
             ON alert = alerts.id WHERE alerts.state = 'closed' AND closed_at < ?1 AND ifnull(at, closed_at) < ?1
             LIMIT ?2)",
            params![before.0, PRUNE_ROWS],
        )? + transaction.execute(
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state = 'closed' AND closed_at < ?1
             AND ifnull(at, closed_at) < ?1 AND NOT EXISTS (SELECT 1 FROM notifications WHERE alert = alerts.id) LIMIT ?2)",
            params![before.0, PRUNE_ROWS],
        )? + transaction.execute(
            "DELETE FROM trail WHERE n IN (SELECT n FROM trail WHERE at < ?1
             AND (alert IS NULL OR NOT EXISTS (SELECT 1 FROM alerts WHERE id = alert)) LIMIT ?2)",
            params![before.0, PRUNE_ROWS],
        )?;
        transaction.commit()?;
        self.unsynced += 1;
        if gone == 0 {
            self.prune = None;
        }
        Ok(())
    }
}
