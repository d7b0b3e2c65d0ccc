//! Moves what the write-ahead log holds into the database file, beside the writer and not in its way.
//!
//! Separate from the writer: a checkpoint writes and syncs many pages, and a batch must not wait for it.

use crate::writer::Command;
use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Starts the thread. Each message asks for one passive checkpoint; errors come back as a command.
pub(crate) fn start(
    file: &Path,
    writer: Sender<Command>,
) -> std::io::Result<(SyncSender<()>, JoinHandle<()>)> {
    let db = Connection::open(file).map_err(std::io::Error::other)?;
    // At most one request waits: two checkpoints in a row do what one does.
    let (asks, asked) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("ledger-checkpoint".into())
        .spawn(move || run(&db, &asked, &writer))?;
    Ok((asks, thread))
}

fn run(db: &Connection, asked: &Receiver<()>, writer: &Sender<Command>) {
    while asked.recv().is_ok() {
        if let Err(error) = passive(db) {
            // The writer may be gone already; then nobody needs to know.
            drop(writer.send(Command::CheckpointFailed(error)));
        }
    }
}

/// Checkpoints what no reader still needs. True if nothing is left to move.
pub(crate) fn passive(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (busy, pages, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && pages == moved)
    })
}
