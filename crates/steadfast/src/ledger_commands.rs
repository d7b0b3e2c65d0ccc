//! `backup`, `restore` and `verify`: the ledger on disk, without asking a node.
//!
//! Separate from what goes over the network: these work on the data folder, also when no node can start.

use crate::args::{Backup, Restore};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, count};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::{BackupError, Progress, Report};
use serde_json::json;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The ledger's files, and what SQLite keeps beside them.
const FILES: [&str; 6] =
    ["ledger.db", "ledger.db-wal", "ledger.db-shm", "history.db", "history.db-wal", "history.db-shm"];

/// `backup`.
pub(crate) fn backup(out: &mut Output, data: &Path, args: &Backup) -> Outcome {
    let bar = bar(out);
    let done = ledger::backup(data, &args.folder, &mut |progress| advance(&bar, progress));
    bar.finish_and_clear();
    done.map_err(|error| refused(&error))?;
    let folder = args.folder.display();
    let told = json!({ "folder": folder.to_string() }).to_string();
    out.answer(&told, || {
        Ok(format!("{folder}: the ledger as it is now; check it with `steadfast verify --data {folder}`"))
    })
}

/// `restore`: the copy is complete before the ledger that is there is put aside.
pub(crate) fn restore(out: &mut Output, data: &Path, args: &Restore) -> Outcome {
    let report = ledger::verify(&args.folder).map_err(|error| Failure::failed(error.to_string()))?;
    if !report.sound() {
        return Err(Failure::failed(format!("the backup is damaged: {}", troubles(&report))));
    }
    std::fs::create_dir_all(data).map_err(|error| Failure::file(data, &error))?;
    let lock = lock(data)?;
    let there = FILES.iter().any(|file| data.join(file).exists());
    if there {
        let question = format!("put {} in place of the ledger in {}?", args.folder.display(), data.display());
        out.confirm(&question, args.sure.yes)?;
    }
    let fresh = data.join("restoring");
    if fresh.exists() {
        // Left by a restore that was interrupted before it changed anything.
        std::fs::remove_dir_all(&fresh).map_err(|error| Failure::file(&fresh, &error))?;
    }
    let bar = bar(out);
    let copied = ledger::restore(&args.folder, &fresh, &mut |progress| advance(&bar, progress));
    bar.finish_and_clear();
    copied.map_err(|error| refused(&error))?;
    let aside = if there { Some(put_aside(data)?) } else { None };
    move_files(&fresh, data)?;
    std::fs::remove_dir(&fresh).map_err(|error| Failure::file(&fresh, &error))?;
    drop(lock);
    let text = restored(&report, aside.as_deref());
    out.answer(&json!({ "records": report.records, "aside": aside }).to_string(), || Ok(text))
}

fn restored(report: &Report, aside: Option<&Path>) -> String {
    let aside = aside.map_or_else(String::new, |aside| format!("; what was there is in {}", aside.display()));
    format!("restored {} records{aside}", report.records)
}

/// `verify`.
pub(crate) fn verify(out: &mut Output, data: &Path) -> Outcome {
    let report = ledger::verify(data).map_err(|error| Failure::failed(error.to_string()))?;
    let told = json!({
        "sound": report.sound(),
        "records": report.records,
        "poisoned": report.poisoned.iter().map(|(id, why)| json!({ "id": id.to_string(), "why": why })).collect::<Vec<_>>(),
        "quarantined": report.quarantined,
        "problems": report.problems,
    });
    if report.sound() || out.json {
        let text = format!("{}: {} records, all sound", data.display(), report.records);
        out.answer(&told.to_string(), || Ok(text))?;
    }
    if report.sound() { Ok(()) } else { Err(Failure::failed(troubles(&report))) }
}

/// What is wrong with a ledger, a line each.
fn troubles(report: &Report) -> String {
    let mut lines = report.problems.clone();
    lines.extend(report.poisoned.iter().map(|(id, why)| format!("record {id} cannot be read: {why}")));
    if report.quarantined > 0 {
        let many = usize::try_from(report.quarantined).unwrap_or(usize::MAX);
        lines.push(format!(
            "{} put aside by earlier starts, and not fetched again yet",
            count(many, "record")
        ));
    }
    lines.join("\n")
}

fn refused(error: &BackupError) -> Failure {
    let exit = match error {
        BackupError::NotEmpty { .. } => Exit::Conflict,
        BackupError::Open(_) | BackupError::Failed { .. } => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// The same lock that a node holds: while we have it, none starts.
fn lock(data: &Path) -> Outcome<File> {
    let path = data.join("lock");
    let failed = |error: &std::io::Error| Failure::file(&path, error);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            Exit::Conflict,
            format!("a node is running in {}; stop it first", data.display()),
        )),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// Moves the ledger that is there into a new folder beside it.
fn put_aside(data: &Path) -> Outcome<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let aside = data.join(format!("replaced-{now}"));
    std::fs::create_dir(&aside).map_err(|error| Failure::file(&aside, &error))?;
    move_files(data, &aside)?;
    Ok(aside)
}

fn move_files(from: &Path, to: &Path) -> Outcome {
    for file in FILES {
        let old = from.join(file);
        if old.exists() {
            std::fs::rename(&old, to.join(file)).map_err(|error| Failure::file(&old, &error))?;
        }
    }
    let synced = File::open(to).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Failure::file(to, &error))
}

fn bar(out: &Output) -> ProgressBar {
    if !out.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
        bar.set_style(style);
    }
    bar
}

fn advance(bar: &ProgressBar, progress: Progress) {
    bar.set_message(progress.file);
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}
