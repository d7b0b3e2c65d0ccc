//! The ledger of one node on disk: what is told as stored survives a crash, and is found again at the start.
//!
//! Separate from the core, which decides what is recorded, and from the node, which waits: here are plain
//! threads and two SQLite files. The ledger stores facts and knows no channel.
//!
//! | file | what it is |
//! |---|---|
//! | `ledger.db` | the records that are still needed; `synchronous=FULL`; the truth |
//! | `history.db` | what people ask for: alerts, notifications, trail; made from the records, behind a mark |
//! | `lock` | held by the one process that writes |
//! | `reserve` | space kept back for a full disk |
//!
//! It holds the log of this boot and those of all others that it was sent records of, each dense from its `base`
//! on: below, records of finished alerts are gone.
//!
//! Reading order: `writer` (the one writing thread), `schema` and `store` (the tables), `recover` (a start),
//! `fate` (what became of alerts), `forget` (what can go), `checkpoint`, `lock`, `reserve`, `error`; for peers `reader`, `standing` (which rows
//! are needed), `merge` and `outliving` (a snapshot); then `history` (the thread that makes the second file),
//! `project` (what each record adds to it), `tell` (in which words), `query` (how it is asked); and `backup`
//! (copies of both files, and looking through them).

mod backup;
mod checkpoint;
mod error;
mod forget;
mod history;
mod lock;
mod merge;
mod outliving;
mod project;
mod query;
mod reader;
mod recover;
mod reserve;
mod schema;
mod standing;
mod store;
pub mod tell;
mod writer;

pub use backup::{BackupError, Progress, Report, backup, restore, verify};
pub use error::OpenError;
pub use query::{
    AlertCursor, AlertFilter, AlertRow, AlertState, Counts, History, NotificationRow, PAGE_ROWS_MAX,
    TotalsRow, TrailFilter, TrailPage, TrailRow,
};
pub use reader::{ReadError, Reader, Snapshot};
pub use recover::{AcceptedKey, CodeMark, Recovered, Spent};

use base::{AlertId, BootId, Digest, LogId, NodeId, RecordId, Wall};
use dispatch::record::Entry;
use forget::{Forgetting, Peers};
use lock::Lock;
use reserve::Reserve;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use store::Store;
use writer::{Command, Space, Stopped, Writer};

/// The format of the files that this program writes. The one before it is migrated at the start; a later one
/// is refused.
pub const FORMAT: u32 = 2;

/// A record to store, with the bytes that it is stored as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its log and place.
    pub id: RecordId,
    /// What it says.
    pub entry: Entry,
    /// How it is written: of a peer's record, the very bytes that came.
    pub body: Arc<[u8]>,
}

impl Stored {
    /// A record of our own: encodes it.
    pub fn new(id: RecordId, entry: Entry) -> Self {
        let body = record::encode(&entry).into();
        Self { id, entry, body }
    }
}

/// A peer's [`Snapshot`], its rows decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// How many records of each log it covers.
    pub upto: BTreeMap<LogId, u64>,
    /// Its rows.
    pub rows: Vec<Stored>,
    /// [`Snapshot::extra`], as it came.
    pub extra: Vec<u8>,
    /// The records that were lost there as well.
    pub lost: BTreeSet<RecordId>,
}

impl Incoming {
    /// The idempotency keys that come with it; none where they make no sense, as a repeat is then not noticed as one.
    pub fn keys(&self) -> Vec<AcceptedKey> {
        outliving::keys(&self.extra)
    }
}

/// What the ledger tells, from its own thread, in order. The callback must not block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    /// The records of `log` below `upto` are durable.
    Stored {
        /// Which log.
        log: LogId,
        /// The first that is not.
        upto: u64,
    },
    /// The records of `log` below `base` are not all there any more: a peer that lacks them needs a snapshot.
    Truncated {
        /// Which log.
        log: LogId,
        /// From where on it is whole.
        base: u64,
    },
    /// The disk is full. Nothing is lost, what is queued is tried again and again; no more should be accepted.
    Full {
        /// The file, and what to do.
        why: String,
    },
    /// There is space again, and the reserve is back.
    Roomy,
    /// The disk failed, or the records did not fit their log. Nothing more is stored; the node must stop.
    Failed {
        /// The file, and what SQLite said.
        why: String,
    },
}

/// How to open a ledger.
pub struct Options {
    /// Told what happens.
    pub events: Box<dyn Fn(LedgerEvent) + Send>,
    /// Random bits: the upper half names the node if the folder is new, the lower half tells this boot from
    /// others of the same number in a copied folder.
    pub chance: u64,
    /// The number of a new folder's first boot. Later ones count on; a folder whose ledger was lost must not
    /// begin below what its peers know, so the node gives the time here.
    pub first_boot: u32,
    /// Bytes kept back for a full disk.
    pub reserve_bytes: u64,
    /// Bytes that must be free before a shortage is over; more than the reserve.
    pub roomy_bytes: u64,
    /// There are peers: nothing is deleted before [`Ledger::retain`] has said what they have.
    pub mirrored: bool,
    /// Records that are done with and kept for peers; past it the oldest go.
    pub retained_records_max: usize,
}

impl Options {
    /// The usual sizes: 32 MiB kept back, 64 MiB free before a shortage is over; no peers.
    pub fn new(chance: u64, events: impl Fn(LedgerEvent) + Send + 'static) -> Self {
        Self {
            events: Box::new(events),
            chance,
            first_boot: 1,
            reserve_bytes: 32 << 20,
            roomy_bytes: 64 << 20,
            mirrored: false,
            retained_records_max: base::limits::RETAINED_RECORDS_MAX,
        }
    }
}

/// Some records could not be made durable; the callback was told why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger ended before all of its records were durable")]
pub struct CloseError;

/// An open ledger. Dropping it closes it.
#[derive(Debug)]
pub struct Ledger {
    commands: Sender<Command>,
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<Result<Store, Stopped>>>,
    #[expect(dead_code, reason = "held, not read")]
    lock: Lock,
}

impl Ledger {
    /// Opens the ledger in `folder`, or makes one, and reads what it holds.
    ///
    /// # Errors
    /// [`OpenError`], with the file and the remedy. Nothing is changed then, except that unreadable records
    /// may have been put aside.
    pub fn open(folder: &Path, options: Options) -> Result<(Self, Recovered), OpenError> {
        let lock = Lock::take(folder)?;
        let (mut store, log, clean) = match begin(folder, &options) {
            // What was accepted before the disk filled up has to be finished: that is what the reserve is for.
            Err(OpenError::Full { .. }) if Reserve::new(folder, options.reserve_bytes).spend() => {
                begin(folder, &options)?
            }
            begun => begun?,
        };
        let file = store.file.clone();
        let mut recovered = recover::recover(&mut store, log, clean)?;
        let (history, lost) = history::open(folder)?;
        recovered.history_lost = lost;
        recovered.missing = history::missing(&history, folder, &recovered.upto)?;
        let space = Space::new(folder, &options);
        let failed = |error: std::io::Error| OpenError::Failed { file: file.clone(), why: error.to_string() };
        let (commands, received) = channel();
        let (checkpoints, checkpoint) = checkpoint::start(&store.file, commands.clone()).map_err(&failed)?;
        let (history, historian) = history::start(history, &store.file, commands.clone()).map_err(&failed)?;
        let closing = Arc::new(AtomicBool::new(false));
        let peers = if options.mirrored { Peers::Unheard } else { Peers::None };
        let writer = Writer {
            forgetting: Forgetting::resume(&store, &recovered, peers, options.retained_records_max),
            store,
            me: log,
            folder: folder.to_owned(),
            commands: received,
            events: options.events,
            checkpoints,
            history,
            closing: Arc::clone(&closing),
            space,
            latest: recovered.last_wall.unwrap_or(Wall(0)),
            since_expiry: 0,
            wal_bytes_max: writer::WAL_BYTES_MAX,
            fresh: true,
        };
        let writer = std::thread::Builder::new()
            .name("ledger-writer".into())
            .spawn(move || writer.run())
            .map_err(&failed)?;
        let ledger =
            Self { commands, closing, threads: vec![checkpoint, historian], writer: Some(writer), lock };
        Ok((ledger, recovered))
    }

    /// Queues records; each must be the next of its log. `Stored` is told when they are durable. After
    /// `Failed` they go nowhere.
    pub fn append(&self, records: Vec<Stored>) {
        self.ask(Command::Append(records));
    }

    /// Takes over a peer's snapshot: its rows beyond the ends of our logs, how far its logs go, and what outlives
    /// alerts; all of it or nothing. Of records that are lost here it takes the rows, or that they are not needed any
    /// more. `finished` are the alerts that it says are over, by what the core makes of
    /// it; their records go. `Stored` is told of each log that reaches further.
    ///
    /// Nothing is taken over about the log of this boot. Taking the same twice changes nothing.
    pub fn merge(&self, snapshot: Incoming, finished: Vec<AlertId>) {
        self.ask(Command::Merge(Box::new(snapshot), finished));
    }

    /// Peers still need the records at or above the floor of their log, and all those of a log that is not
    /// named: they are kept although the history has them, up to [`Options::retained_records_max`].
    pub fn retain(&self, floor: BTreeMap<LogId, u64>) {
        self.ask(Command::Retain(floor));
    }

    /// Records of these finished alerts, and these rosters, are not needed any more. They are deleted at
    /// leisure, once the history and all peers have them.
    pub fn forget(&self, alerts: Vec<AlertId>, rosters: Vec<Digest>) {
        self.ask(Command::Forget { alerts, rosters });
    }

    /// These silences have long been over. Their records are deleted at leisure, as those of finished alerts are.
    pub fn forget_silences(&self, silences: Vec<RecordId>) {
        self.ask(Command::ForgetSilences(silences));
    }

    /// Deletes from the history, in small steps, alerts that were closed before this and their trail.
    pub fn prune(&self, before: Wall) {
        self.ask(Command::Prune(before));
    }

    /// Waits until all that was appended before is durable and in the history.
    pub fn settle(&self) {
        let (answer, answered) = channel();
        self.ask(Command::Settle(answer));
        answered.recv().unwrap_or_default(); // An end without an answer: the ledger has failed, and said so.
    }

    /// Makes durable what is queued, and ends.
    ///
    /// # Errors
    /// [`CloseError`] if that is not possible: the disk is full or failed.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.end()
    }

    fn ask(&self, command: Command) {
        // The writer is gone only after it has told `Failed`.
        drop(self.commands.send(command));
    }

    fn end(&mut self) -> Result<(), CloseError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.closing.store(true, Ordering::Release);
        self.ask(Command::Close);
        let ended = writer.join();
        for thread in self.threads.drain(..) {
            drop(thread.join()); // Its panic was printed; nothing durable depends on it.
        }
        match ended {
            Ok(Ok(store)) => {
                if let Err(error) = store.truncate_wal() {
                    tracing::warn!(%error, "the write-ahead log stays; the next start moves it");
                }
                Ok(())
            }
            Ok(Err(Stopped)) | Err(_) => Err(CloseError),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end().unwrap_or_default(); // Who cares for the answer calls `close`.
    }
}

/// Opens the file and counts this start.
fn begin(folder: &Path, options: &Options) -> Result<(Store, LogId, bool), OpenError> {
    let store = Store::open(folder)?;
    let (log, clean) = start_boot(&store, options).map_err(|error| OpenError::sqlite(&store.file, &error))?;
    Ok((store, log, clean))
}

/// Counts this start, durably, before anything is written under its id.
fn start_boot(store: &Store, options: &Options) -> rusqlite::Result<(LogId, bool)> {
    let high = u32::try_from(options.chance >> 32).unwrap_or_default();
    let low = options.chance & u64::from(u32::MAX);
    let number = |key: &str| store.noted(key).map(|text| text.and_then(|text| text.parse::<u32>().ok()));
    let node = number("node")?.unwrap_or(high);
    let before = number("boots")?;
    let boot = before.map_or(options.first_boot, |before| before.saturating_add(1));
    let clean = before.is_none() || store.noted("clean")?.as_deref() == Some("1");
    let transaction = store.db.unchecked_transaction()?;
    store.note("node", &node.to_string())?;
    store.note("boots", &boot.to_string())?;
    store.note("clean", "0")?;
    transaction.commit()?;
    let log = LogId { node: NodeId(node), boot: BootId((u64::from(boot) << 32) | low) };
    Ok((log, clean))
}
