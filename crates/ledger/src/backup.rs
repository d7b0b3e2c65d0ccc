//! Copies of a ledger: made while it runs, put back into an empty folder, and checked without touching it.
//!
//! A backup is a folder with the same two files. The ledger is copied first: a history that is a little ahead
//! does no harm, one that lacks what the ledger has deleted already would.

use crate::error::OpenError;
use crate::recover::scan;
use crate::schema::{format, format_of};
use crate::store::vector;
use base::{LogId, RecordId};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Pages copied between two words of progress: 256 KiB.
const STEP_PAGES: i32 = 64;
/// How long a step waits for a lock.
const BUSY: Duration = Duration::from_millis(50);
const FILES: [&str; 2] = ["ledger.db", "history.db"];

/// Why a backup could not be made or put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// What is to be copied cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the folder already. Remedy: an empty or new one.
    #[error("{} is not empty; name an empty or new folder", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refused.
    #[error("{}: {why}", path.display())]
    Failed {
        /// The file or folder.
        path: PathBuf,
        /// What the system or SQLite says.
        why: String,
    },
}

impl BackupError {
    fn failed(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Failed { path: path.to_owned(), why: error.to_string() }
    }
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which file.
    pub file: &'static str,
    /// Pages copied.
    pub done: u64,
    /// Pages in all.
    pub total: u64,
}

/// Copies the ledger in `folder`, which may be in use, into `to`, which must be empty or not exist yet.
///
/// Each file is copied as it is at one moment, however much is written meanwhile.
///
/// # Errors
/// [`BackupError`]; an unfinished copy is removed.
pub fn backup(folder: &Path, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), BackupError> {
    copy_all(folder, to, progress)
}

/// Puts the backup in `from` into `folder`, which must be empty or not exist yet.
///
/// # Errors
/// [`BackupError`]; an unfinished copy is removed.
pub fn restore(from: &Path, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), BackupError> {
    copy_all(from, folder, progress)
}

fn copy_all(from: &Path, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), BackupError> {
    let source = open(from, "ledger.db")?;
    format(&source, &from.join("ledger.db"))?;
    empty(to)?;
    let copied = copy(&source, to, FILES[0], progress).and_then(|()| {
        if !from.join(FILES[1]).exists() {
            return Ok(()); // It is made again, with what the ledger still has.
        }
        copy(&open(from, FILES[1])?, to, FILES[1], progress)
    });
    if copied.is_err() {
        for file in FILES {
            std::fs::remove_file(to.join(file)).unwrap_or_default(); // The error that counts is told.
        }
    }
    copied
}

/// Opened for reading only; the folder may be one that we must not write to.
fn open(folder: &Path, name: &str) -> Result<Connection, OpenError> {
    let file = folder.join(name);
    let failed = |error: rusqlite::Error| OpenError::sqlite(&file, &error);
    if let Err(error) = file.metadata() {
        return Err(OpenError::Failed { file, why: error.to_string() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&file, flags).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    Ok(db)
}

fn empty(folder: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(folder).map_err(|error| BackupError::failed(folder, &error))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| BackupError::failed(folder, &error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(BackupError::NotEmpty { folder: folder.to_owned() }),
    }
}

fn copy(
    source: &Connection,
    to: &Path,
    file: &'static str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), BackupError> {
    let path = to.join(file);
    let failed = |error: rusqlite::Error| BackupError::failed(&path, &error);
    // A read transaction pins the moment: without it, every write by the node would start the copy anew.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(failed)?;
    let mut target = Connection::open(&path).map_err(failed)?;
    let copy = Backup::new(source, &mut target).map_err(failed)?;
    loop {
        let step = copy.step(STEP_PAGES).map_err(failed)?;
        let pages = copy.progress();
        let total = u64::try_from(pages.pagecount).unwrap_or(0);
        let done = total.saturating_sub(u64::try_from(pages.remaining).unwrap_or(0));
        progress(Progress { file, done, total });
        match step {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => std::thread::sleep(BUSY),
            StepResult::More | _ => (), // The enumeration is open: whatever else there is, it is not the end.
        }
    }
    drop(copy);
    target.close().map_err(|(_, error)| failed(error))?;
    source.execute_batch("COMMIT").map_err(failed)?;
    sync(to, &path).map_err(|error| BackupError::failed(&path, &error))
}

fn sync(folder: &Path, file: &Path) -> io::Result<()> {
    std::fs::File::open(file)?.sync_all()?;
    std::fs::File::open(folder)?.sync_all()
}

/// What a look through a ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that can be read.
    pub records: u64,
    /// How many records of each log are durable, deleted ones included.
    pub upto: BTreeMap<LogId, u64>,
    /// Records that cannot be read, and why.
    pub poisoned: Vec<(RecordId, String)>,
    /// Records that earlier starts put aside, or that a peer's snapshot lacked, and that nobody has made good since.
    pub quarantined: u64,
    /// What else is wrong, one sentence each.
    pub problems: Vec<String>,
}

impl Report {
    /// Nothing is wrong.
    pub fn sound(&self) -> bool {
        self.poisoned.is_empty() && self.quarantined == 0 && self.problems.is_empty()
    }
}

/// Looks through the ledger in `folder`, which may be in use, and changes nothing: format, pages, checksums,
/// and every record.
///
/// # Errors
/// [`OpenError`] where there is no ledger to look through, or a later program's.
pub fn verify(folder: &Path) -> Result<Report, OpenError> {
    let file = folder.join(FILES[0]);
    let failed = |error: rusqlite::Error| OpenError::sqlite(&file, &error);
    let db = open(folder, FILES[0])?;
    format(&db, &file)?;
    let mut report = Report { problems: integrity(&db, &file), ..Report::default() };
    report.upto = vector(&db).map_err(failed)?;
    let mut bad = Vec::new();
    match scan(&db, &mut |id, trouble| bad.push((id, trouble.to_string()))) {
        Ok(records) => {
            report.records = records.len().try_into().unwrap_or(u64::MAX);
            beyond(&records, &mut report);
        }
        Err(error) => report.problems.push(format!("{}: {error}", file.display())),
    }
    report.poisoned = bad;
    report.quarantined = db
        .query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0).map(i64::cast_unsigned))
        .map_err(failed)?;
    verify_history(folder, &mut report);
    Ok(report)
}

/// A record that its log does not reach would be written a second time.
fn beyond(records: &[(RecordId, dispatch::record::Entry)], report: &mut Report) {
    for (id, _) in records {
        let upto = report.upto.get(&id.log).copied().unwrap_or(0);
        if id.seq >= upto {
            report.problems.push(format!("record {id} lies beyond the end of its log, {upto}"));
        }
    }
}

fn verify_history(folder: &Path, report: &mut Report) {
    let file = folder.join(FILES[1]);
    if !file.exists() {
        return;
    }
    let checked =
        open(folder, FILES[1]).and_then(|db| format_of(&db, &file, crate::history::APPLICATION).map(|_| db));
    match checked {
        Ok(db) => report.problems.extend(integrity(&db, &file)),
        Err(error) => report.problems.push(error.to_string()),
    }
}

/// What SQLite finds wrong with the pages of a file.
fn integrity(db: &Connection, file: &Path) -> Vec<String> {
    let found = db
        .prepare("PRAGMA integrity_check")
        .and_then(|mut check| check.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>());
    match found {
        Ok(lines) if lines == ["ok"] => Vec::new(),
        Ok(lines) => lines.into_iter().map(|line| format!("{}: {line}", file.display())).collect(),
        Err(error) => vec![format!("{}: {error}", file.display())],
    }
}
