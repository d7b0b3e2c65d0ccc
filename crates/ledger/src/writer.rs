//! The one thread that writes `ledger.db`: everything queued goes into one transaction, then `Stored` is told.
//!
//! ```text
//!  append ─► queue ─► one transaction, fsync ─► Stored ─► history ─► (passed, retained) ─► delete finished
//!                                   │ no space: spend the reserve, tell Full, try again every 250 ms
//!                                   └ any other error: tell Failed and stop; the node must stop too
//! ```
//! A batch that found no space is never dropped. After an error that is not about space, what the disk holds
//! is uncertain, and trying again could report as durable what is not (a failed fsync forgets its pages).

use crate::error::{Fault, fault};
use crate::forget::Forgetting;
use crate::merge::News;
use crate::reserve::{Reserve, free, full, lacks_space};
use crate::store::{Row, Store};
use crate::{Incoming, LedgerEvent, Options, Stored};
use base::{AlertId, Digest, LogId, RecordId, Wall};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::time::Duration;

/// How long a batch that found no space waits before it is tried again.
const FULL_RETRY: Duration = Duration::from_millis(250);
/// How long nothing arrives before the write-ahead log is moved into the database file.
const IDLE: Duration = Duration::from_millis(100);
/// Records of one transaction, beyond which the rest waits for the next: it bounds how long the first waits.
const BATCH_RECORDS_MAX: usize = 8192;
/// Bytes of one transaction, beyond which the rest waits for the next.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Bytes of the write-ahead log, beyond which the writer itself moves it and starts it anew.
pub(crate) const WAL_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the write-ahead log, from which on it is moved although the writer is busy.
const WAL_BYTES_BUSY: u64 = 16 << 20;
/// Records after which expired keys, codes and counts are looked for again.
const EXPIRE_EVERY: usize = 10_000;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Make these durable.
    Append(Vec<Stored>),
    /// Take over a peer's snapshot, and that these alerts are finished.
    Merge(Box<Incoming>, Vec<AlertId>),
    /// Delete what belongs to these, once the history has it.
    Forget {
        alerts: Vec<AlertId>,
        rosters: Vec<Digest>,
    },
    ForgetSilences(Vec<RecordId>),
    /// Peers need what stands at or above here.
    Retain(BTreeMap<LogId, u64>),
    /// The history holds each log up to here, durably.
    Passed(BTreeMap<LogId, u64>),
    /// Delete from the history what was over before this.
    Prune(Wall),
    /// The checkpoint thread met an error.
    CheckpointFailed(rusqlite::Error),
    /// Answer when all that was queued before is durable and in the history.
    Settle(Sender<()>),
    /// Make durable what is queued, and end.
    Close,
}

/// What the history thread is told.
#[derive(Debug)]
pub(crate) enum Poke {
    /// There is something new.
    More,
    /// Answer, by dropping it, when everything is projected.
    Settle(Sender<()>),
    /// Delete what was over before this.
    Prune(Wall),
}

/// The thread is over without having stored everything.
pub(crate) struct Stopped;

pub(crate) struct Writer {
    pub(crate) store: Store,
    /// The log of this boot.
    pub(crate) me: LogId,
    pub(crate) folder: PathBuf,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: Box<dyn Fn(LedgerEvent) + Send>,
    pub(crate) checkpoints: SyncSender<()>,
    pub(crate) history: Sender<Poke>,
    pub(crate) forgetting: Forgetting,
    pub(crate) closing: Arc<AtomicBool>,
    pub(crate) space: Space,
    pub(crate) latest: Wall,
    pub(crate) since_expiry: usize,
    /// Bytes of the write-ahead log at which it is emptied.
    pub(crate) wal_bytes_max: u64,
    /// Something was written since the last checkpoint was asked for.
    pub(crate) fresh: bool,
}

/// The disk's space as the writer sees it.
pub(crate) struct Space {
    pub(crate) reserve: Reserve,
    pub(crate) roomy_bytes: u64,
    pub(crate) short: bool,
}

impl Space {
    /// Makes the reserve; without space for it the ledger starts short of space.
    pub(crate) fn new(folder: &Path, options: &Options) -> Self {
        let reserve = Reserve::new(folder, options.reserve_bytes);
        let short = reserve.make().is_err_and(|error| {
            tracing::warn!(%error, "the reserve for a full disk could not be made");
            lacks_space(&error)
        });
        Self { reserve, roomy_bytes: options.roomy_bytes, short }
    }
}

impl Writer {
    /// Runs until it is closed or has to stop. Hands back the store, which must be closed last: only it can
    /// move the rest of the write-ahead log.
    pub(crate) fn run(mut self) -> Result<Store, Stopped> {
        if self.space.short {
            self.tell_full("the reserve for a full disk cannot be made");
        }
        loop {
            let Some(first) = self.next()? else { continue };
            let (batch, after) = self.gather(first);
            if !batch.is_empty() {
                self.write(&batch)?;
            }
            match after {
                None => (),
                Some(Command::Close) => return self.close().map(|()| self.store),
                Some(command) => self.obey(command)?,
            }
        }
    }

    /// Does what is not about a batch.
    fn obey(&mut self, command: Command) -> Result<(), Stopped> {
        match command {
            Command::Append(_) | Command::Close => (), // `run` deals with them.
            Command::Merge(incoming, finished) => self.merge(*incoming, finished)?,
            Command::Forget { alerts, rosters } => self.forgetting.ask(&self.store, alerts, &rosters),
            Command::ForgetSilences(silences) => self.forgetting.drop_silences(&silences),
            Command::Retain(floor) => self.forgetting.retain(floor),
            Command::Passed(marks) => self.forgetting.pass(&marks),
            Command::CheckpointFailed(error) => self.judge(&error)?,
            Command::Settle(answer) => drop(self.history.send(Poke::Settle(answer))),
            Command::Prune(before) => drop(self.history.send(Poke::Prune(before))),
        }
        Ok(())
    }

    /// The next command; none if there was time for other work meanwhile.
    fn next(&mut self) -> Result<Option<Command>, Stopped> {
        if self.forgetting.due() && !self.space.short {
            return match self.commands.try_recv() {
                Ok(command) => Ok(Some(command)),
                Err(TryRecvError::Disconnected) => Ok(Some(Command::Close)),
                Err(TryRecvError::Empty) => self.clean().map(|()| None),
            };
        }
        let wait = if self.space.short { Some(FULL_RETRY) } else { self.fresh.then_some(IDLE) };
        let Some(wait) = wait else {
            return Ok(Some(self.commands.recv().unwrap_or(Command::Close)));
        };
        match self.commands.recv_timeout(wait) {
            Ok(command) => Ok(Some(command)),
            Err(RecvTimeoutError::Disconnected) => Ok(Some(Command::Close)),
            Err(RecvTimeoutError::Timeout) => {
                self.look_for_room();
                self.ask_checkpoint();
                Ok(None)
            }
        }
    }

    /// Everything that is queued, up to the first command that is not `Append`, as rows.
    fn gather(&self, first: Command) -> (Vec<Row>, Option<Command>) {
        let mut batch: Vec<Row> = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            let Command::Append(records) = command else { return (batch, Some(command)) };
            let before = batch.len();
            batch.extend(records.into_iter().map(Row::from));
            bytes += batch.iter().skip(before).map(|row| row.body.len()).sum::<usize>();
            let room = batch.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX;
            next = if room { self.commands.try_recv().ok() } else { None };
        }
        (batch, None)
    }

    fn write(&mut self, batch: &[Row]) -> Result<(), Stopped> {
        self.fitting(batch)?;
        self.persist(|store| store.add(batch))?;
        self.forgetting.stored(&self.store, batch);
        // A peer's clock says nothing about ours.
        let ours = batch.iter().filter(|row| row.id.log.node == self.me.node);
        self.latest = ours.map(|row| row.at).fold(self.latest, Wall::max);
        self.tell_stored(batch);
        drop(self.history.send(Poke::More)); // Without a history thread there is nobody to tell.
        self.keep_house(batch.len())
    }

    /// Writes something that must not be dropped: waits for space, and stops at any other error.
    fn persist<T>(&mut self, mut write: impl FnMut(&mut Store) -> rusqlite::Result<T>) -> Result<T, Stopped> {
        let mut tried = false;
        loop {
            match write(&mut self.store) {
                Ok(written) => {
                    self.fresh = true;
                    return Ok(written);
                }
                Err(error) => match fault(&error, || full(&self.folder)) {
                    Fault::Failed => return Err(self.fail(&error)),
                    Fault::Full => self.lack_space(&error, tried)?,
                },
            }
            tried = true;
        }
    }

    /// Takes over what a peer sent, and tells which logs reach further by it.
    fn merge(&mut self, incoming: Incoming, finished: Vec<AlertId>) -> Result<(), Stopped> {
        let news = News::new(&self.store, self.me, incoming);
        let mut finished = news.over(finished);
        let merged = self.persist(|store| store.merge(&news, &finished))?;
        let rows = news.into_rows();
        self.forgetting.stored(&self.store, &rows);
        finished.extend(self.forgetting.of(merged.over));
        self.forgetting.ask(&self.store, finished, &[]);
        self.tell_truncated(merged.truncated);
        for (log, upto) in merged.raised {
            (self.events)(LedgerEvent::Stored { log, upto });
        }
        drop(self.history.send(Poke::More));
        self.keep_house(rows.len())
    }

    fn tell_truncated(&self, raised: Vec<(LogId, u64)>) {
        for (log, base) in raised {
            (self.events)(LedgerEvent::Truncated { log, base });
        }
    }

    /// Tells how far each log goes that `batch` made longer.
    fn tell_stored(&self, batch: &[Row]) {
        let ends: BTreeMap<LogId, u64> = batch.iter().map(|row| (row.id.log, row.id.seq + 1)).collect();
        for (log, upto) in ends {
            (self.events)(LedgerEvent::Stored { log, upto });
        }
    }

    /// The records must continue their logs without a gap: one would be taken for finished at the next start.
    fn fitting(&self, batch: &[Row]) -> Result<(), Stopped> {
        let mut expected: BTreeMap<LogId, u64> = BTreeMap::new();
        for row in batch {
            let known = || self.store.logs.get(&row.id.log).map_or(0, |mark| mark.upto);
            let next = expected.entry(row.id.log).or_insert_with(known);
            if row.id.seq != *next {
                let why = format!("record {} was appended where {next} is next in its log", row.id);
                (self.events)(LedgerEvent::Failed { why });
                return Err(Stopped);
            }
            *next += 1;
        }
        Ok(())
    }

    /// Makes space if there is a reserve, else waits.
    fn lack_space(&mut self, error: &rusqlite::Error, tried: bool) -> Result<(), Stopped> {
        let spent = self.space.reserve.spend();
        if !self.space.short {
            self.space.short = true;
            let next = if spent { "writing goes on with the reserve" } else { "nothing can be written" };
            self.tell_full(&format!("{error}; {next}"));
        }
        if spent {
            return Ok(());
        }
        if self.closing.load(Ordering::Acquire) && tried {
            return Err(Stopped);
        }
        std::thread::sleep(FULL_RETRY);
        Ok(())
    }

    fn tell_full(&self, what: &str) {
        let why = format!("{}: {what}; free some space", self.store.file.display());
        (self.events)(LedgerEvent::Full { why });
    }

    /// Ends the shortage once there is enough space again for the reserve and for work.
    fn look_for_room(&mut self) {
        if !self.space.short || free(&self.folder).is_none_or(|free| free < self.space.roomy_bytes) {
            return;
        }
        match self.space.reserve.make() {
            Ok(()) => {
                self.space.short = false;
                (self.events)(LedgerEvent::Roomy);
            }
            Err(error) => tracing::debug!(%error, "the reserve cannot be made yet"),
        }
    }

    fn fail(&self, error: &rusqlite::Error) -> Stopped {
        let why = format!("{}: {error}", self.store.file.display());
        (self.events)(LedgerEvent::Failed { why });
        Stopped
    }

    /// Housekeeping that finds no space can wait, for nothing is lost by that. Any other error is as bad here
    /// as with a batch.
    fn judge(&self, error: &rusqlite::Error) -> Result<(), Stopped> {
        match fault(error, || full(&self.folder)) {
            Fault::Full => Ok(()),
            Fault::Failed => Err(self.fail(error)),
        }
    }

    fn ask_checkpoint(&mut self) {
        self.fresh = false;
        self.checkpoints.try_send(()).unwrap_or_default(); // One that waits already does the same.
    }

    /// What has to happen now and then although batches keep coming.
    fn keep_house(&mut self, stored: usize) -> Result<(), Stopped> {
        let wal = self.store.file.with_extension("db-wal");
        let wal_bytes = wal.metadata().map_or(0, |meta| meta.len());
        if wal_bytes > self.wal_bytes_max {
            match self.store.truncate_wal() {
                Ok(true) => self.wal_bytes_max = WAL_BYTES_MAX,
                Ok(false) => self.wal_bytes_max = wal_bytes + WAL_BYTES_BUSY, // A reader: not at every batch.
                Err(error) => self.judge(&error)?,
            }
        } else if wal_bytes > WAL_BYTES_BUSY {
            self.ask_checkpoint();
        }
        if self.space.short {
            self.look_for_room();
        } else if self.forgetting.crowded() {
            self.clean()?;
        }
        self.since_expiry += stored;
        if self.since_expiry >= EXPIRE_EVERY {
            self.since_expiry = 0;
            let expired = self.store.expire(self.latest);
            expired.or_else(|error| self.judge(&error))?;
        }
        Ok(())
    }

    /// Deletes some of what is finished. What finds no space to be deleted is found again at the next start.
    fn clean(&mut self) -> Result<(), Stopped> {
        let (alerts, records) = self.forgetting.take();
        self.fresh = true;
        let noted = self.store.note("wall", &self.latest.0.to_string());
        match noted.and_then(|()| self.store.delete(&alerts, &records)) {
            Ok(raised) => self.tell_truncated(raised),
            Err(error) => self.judge(&error)?,
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Stopped> {
        let noted = self.store.note("wall", &self.latest.0.to_string());
        noted.and_then(|()| self.store.note("clean", "1")).map_err(|error| {
            tracing::warn!(%error, "the end could not be noted; the next start takes it for a crash");
            Stopped
        })
    }
}
