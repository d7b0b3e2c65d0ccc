//! Between the core and the links to the peers: which bytes a shipment is, and which records bytes are.
//!
//! Separate from the loop, which must not read files, and from `cluster`, which carries bytes and knows no
//! ledger. What was written lately is kept in memory, because peers want it at once; older records are read
//! from the ledger by a thread of their own. Everything for one peer keeps its order.

use base::limits::{MIRROR_READ_BYTES_MAX, MIRROR_TAIL_BYTES_MAX};
use base::{BootId, LogId, NodeId, RecordId};
use cluster::{Event, Links, Permit, Snapshot, TroubleKind};
use dispatch::record::Entry;
use dispatch::state::State;
use dispatch::{PastKey, PeerEvent, Snapshot as Known};
use ledger::{Incoming, ReadError, Reader, Stored};
use ownership::{Range, Shipment};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the reading thread waits for records that are not on disk yet.
const NOT_YET: Duration = Duration::from_millis(5);
/// How often it does so before it leaves the rest to the next connection.
const NOT_YET_TIMES: usize = 400;

/// Something of a peer, in the core's words.
pub(crate) struct Arrived {
    pub(crate) peer: NodeId,
    pub(crate) event: PeerEvent,
    /// The bytes of the records, for the ledger.
    pub(crate) bodies: Vec<(RecordId, Arc<[u8]>)>,
    /// A snapshot, for the ledger.
    pub(crate) incoming: Option<Incoming>,
    /// The room that they take until they are on disk.
    pub(crate) permit: Option<Permit>,
}

/// What the translator of events tells the loop.
pub(crate) enum FromPeers {
    Arrived(Box<Arrived>),
    /// A record that a peer is to get cannot be read from our ledger.
    Damaged(RecordId),
    /// This data folder runs twice.
    Copied(String),
}

/// The way to the peers and from them.
pub(crate) struct Mirror {
    links: Links,
    tail: Tail,
    jobs: Sender<Job>,
    /// Jobs for each peer that the reading thread has not done yet.
    waiting: Arc<Mutex<BTreeMap<NodeId, Arc<AtomicUsize>>>>,
    /// Bodies of the records that the core is looking at.
    bodies: BTreeMap<RecordId, Arc<[u8]>>,
    incoming: BTreeMap<NodeId, Incoming>,
    permits: Vec<(LogId, u64, Permit)>,
}

/// Something for the reading thread.
enum Job {
    Range(NodeId, Range),
    Bodies(NodeId, LogId, u64, Vec<Arc<[u8]>>),
    Snapshot(NodeId),
}

impl Mirror {
    /// Starts to read for the peers of the ledger in `folder`, and tells `to` what cannot be read.
    ///
    /// # Errors
    /// The system's words, if it has no thread to give.
    pub(crate) fn start(
        links: Links,
        folder: &Path,
        to: mpsc::Sender<FromPeers>,
    ) -> Result<Self, std::io::Error> {
        let (jobs, received) = channel();
        let waiting = Arc::default();
        let reading =
            Reading { links: links.clone(), folder: folder.to_owned(), waiting: Arc::clone(&waiting), to };
        std::thread::Builder::new().name("mirror-reader".into()).spawn(move || reading.run(&received))?;
        Ok(Self {
            links,
            tail: Tail::default(),
            jobs,
            waiting,
            bodies: BTreeMap::new(),
            incoming: BTreeMap::new(),
            permits: Vec::new(),
        })
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Takes the bytes of what the core is about to look at.
    pub(crate) fn expect(&mut self, arrived: &mut Arrived) {
        self.bodies = std::mem::take(&mut arrived.bodies).into_iter().collect();
        if let Some(incoming) = arrived.incoming.take() {
            self.incoming.insert(arrived.peer, incoming);
        }
        if let (PeerEvent::Records { log, first, entries }, Some(permit)) =
            (&arrived.event, arrived.permit.take())
        {
            let upto = first.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
            self.permits.push((*log, upto, permit));
        }
    }

    /// A record as the ledger takes it: of a peer, with the very bytes that came.
    pub(crate) fn stored(&mut self, id: RecordId, entry: Entry) -> Stored {
        let stored = match self.bodies.remove(&id) {
            Some(body) => Stored { id, entry, body },
            None => Stored::new(id, entry),
        };
        self.tail.push(id, &stored.body);
        stored
    }

    /// A log is durable below `upto`: what its records took in memory is free.
    pub(crate) fn settled(&mut self, log: LogId, upto: u64) {
        self.permits.retain(|(of, needs, _)| *of != log || *needs > upto);
    }

    /// The snapshot that a peer sent, once.
    pub(crate) fn incoming(&mut self, from: NodeId) -> Option<Incoming> {
        self.incoming.remove(&from)
    }

    /// Sends a peer what the core says that it lacks.
    pub(crate) fn ship(&self, to: NodeId, shipment: &Shipment) {
        let busy = self.is_busy(to);
        match shipment {
            Shipment::Records(range) => match self.tail.range(*range) {
                Some(bodies) if !busy => self.links.records(to, range.log, range.from, bodies),
                Some(bodies) => self.ask(to, Job::Bodies(to, range.log, range.from, bodies)),
                None => self.ask(to, Job::Range(to, *range)),
            },
            Shipment::Snapshot => self.ask(to, Job::Snapshot(to)),
        }
    }

    fn is_busy(&self, to: NodeId) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&to).is_some_and(|count| count.load(Ordering::Acquire) > 0)
    }

    fn ask(&self, to: NodeId, job: Job) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(to).or_default().fetch_add(1, Ordering::AcqRel);
        drop(self.jobs.send(job)); // The thread ends with the node.
    }
}

/// Adds a shipment; ranges that follow each other become one.
pub(crate) fn join(shipments: &mut Vec<(NodeId, Shipment)>, to: NodeId, shipment: Shipment) {
    if let Shipment::Records(next) = &shipment {
        let of_log = |(peer, shipment): &&mut (NodeId, Shipment)| {
            *peer == to && matches!(shipment, Shipment::Records(range) if range.log == next.log)
        };
        if let Some((_, Shipment::Records(last))) = shipments.iter_mut().rev().find(of_log)
            && last.upto == next.from
        {
            last.upto = next.upto;
            return;
        }
    }
    shipments.push((to, shipment));
}

/// The end of one log: the place of the first record, and the bytes of all.
type Recent = (u64, VecDeque<Arc<[u8]>>);

/// The bytes of what was written lately, by log.
#[derive(Default)]
struct Tail {
    logs: BTreeMap<LogId, Recent>,
    order: VecDeque<LogId>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, id: RecordId, body: &Arc<[u8]>) {
        let (first, bodies) = self.logs.entry(id.log).or_insert_with(|| (id.seq, VecDeque::new()));
        let next = first.saturating_add(u64::try_from(bodies.len()).unwrap_or(u64::MAX));
        if next != id.seq {
            self.bytes -= bodies.iter().map(|body| body.len()).sum::<usize>();
            bodies.clear();
            *first = id.seq; // A snapshot made the log jump.
        }
        bodies.push_back(Arc::clone(body));
        self.bytes += body.len();
        self.order.push_back(id.log);
        while self.bytes > MIRROR_TAIL_BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some((first, bodies)) = self.logs.get_mut(&oldest)
                && let Some(body) = bodies.pop_front()
            {
                *first += 1;
                self.bytes -= body.len();
            }
        }
    }

    /// The bytes of a range, if all of it is here.
    fn range(&self, range: Range) -> Option<Vec<Arc<[u8]>>> {
        let (first, bodies) = self.logs.get(&range.log)?;
        let from = usize::try_from(range.from.checked_sub(*first)?).ok()?;
        let upto = usize::try_from(range.upto.checked_sub(*first)?).ok()?;
        (upto <= bodies.len()).then(|| bodies.range(from..upto).cloned().collect())
    }
}

/// The thread that reads the ledger for peers.
struct Reading {
    links: Links,
    folder: PathBuf,
    waiting: Arc<Mutex<BTreeMap<NodeId, Arc<AtomicUsize>>>>,
    /// The loop.
    to: mpsc::Sender<FromPeers>,
}

impl Reading {
    fn run(self, jobs: &Receiver<Job>) {
        let mut reader = None;
        while let Ok(job) = jobs.recv() {
            if reader.is_none() {
                reader = Reader::open(&self.folder)
                    .inspect_err(|error| tracing::error!(%error, "the ledger cannot be read for a peer"))
                    .ok();
            }
            let to = match &job {
                Job::Range(to, _) | Job::Bodies(to, ..) | Job::Snapshot(to) => *to,
            };
            if let Some(open) = &reader
                && let Err(error) = self.execute(open, job)
            {
                tracing::warn!(%error, peer = %to, "a peer cannot be given what it lacks yet");
                if let ReadError::Damaged { id, .. } = error {
                    drop(self.to.blocking_send(FromPeers::Damaged(id))); // The loop may have ended.
                }
                reader = None;
            }
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = waiting.get(&to) {
                count.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    fn execute(&self, reader: &Reader, job: Job) -> Result<(), ReadError> {
        match job {
            Job::Range(to, range) => self.range(reader, to, range),
            Job::Bodies(to, log, first, bodies) => {
                self.links.records(to, log, first, bodies);
                Ok(())
            }
            Job::Snapshot(to) => {
                let ledger::Snapshot { upto, rows, extra, lost } = reader.snapshot()?;
                let rows = rows.into_iter().map(|(id, body)| (id, body.into())).collect();
                self.links.snapshot(to, Snapshot { upto, rows, extra, lost });
                Ok(())
            }
        }
    }

    fn range(&self, reader: &Reader, to: NodeId, range: Range) -> Result<(), ReadError> {
        let mut from = range.from;
        let mut tries = 0;
        while from < range.upto {
            match reader.range(range.log, from, range.upto, MIRROR_READ_BYTES_MAX) {
                Ok(rows) => {
                    let first = from;
                    from += u64::try_from(rows.len()).unwrap_or(u64::MAX);
                    let bodies = rows.into_iter().map(|(_, body)| body.into()).collect();
                    self.links.records(to, range.log, first, bodies);
                    tries = 0;
                }
                Err(ReadError::Ahead { .. }) if tries < NOT_YET_TIMES => {
                    tries += 1;
                    std::thread::sleep(NOT_YET);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Turns what the links tell into the core's words, in a task of its own: reading records takes time.
pub(crate) async fn translate(mut events: mpsc::UnboundedReceiver<Event>, to: mpsc::Sender<FromPeers>) {
    while let Some(event) = events.recv().await {
        let Some(said) = translated(event) else { continue };
        if to.send(said).await.is_err() {
            return; // The loop has ended.
        }
    }
}

fn translated(event: Event) -> Option<FromPeers> {
    let plain = |peer, event| {
        let arrived = Arrived { peer, event, bodies: Vec::new(), incoming: None, permit: None };
        Some(FromPeers::Arrived(Box::new(arrived)))
    };
    match event {
        Event::Connected { peer } => plain(peer, PeerEvent::Connected),
        Event::Disconnected { peer } => plain(peer, PeerEvent::Disconnected),
        Event::Gone { peer } => plain(peer, PeerEvent::Gone),
        Event::Hello { from, hello } => plain(from, PeerEvent::Hello(hello)),
        Event::Beat { from, beat } => plain(from, PeerEvent::Beat(beat)),
        Event::Records { from, log, first, bodies, permit } => {
            Some(FromPeers::Arrived(Box::new(records(from, log, first, bodies, permit))))
        }
        Event::Snapshot { from, snapshot } if snapshot.upto.is_empty() => told(snapshot)
            .map_or_else(|why| unread(from, &why), |registers| plain(from, PeerEvent::Registers(registers))),
        Event::Snapshot { from, snapshot } => match whole(from, snapshot) {
            Ok(arrived) => Some(FromPeers::Arrived(Box::new(arrived))),
            Err(why) => unread(from, &why),
        },
        Event::Trouble { kind: TroubleKind::OwnTwin, why, .. } => Some(FromPeers::Copied(why)),
        Event::Trouble {
            peer,
            kind: TroubleKind::CertificateTime | TroubleKind::Twin | TroubleKind::Refused,
            why,
        } => {
            let peer = peer.map_or_else(|| "this node".to_owned(), |peer| peer.to_string());
            tracing::warn!(%peer, %why, "trouble with a link to a peer");
            None
        }
    }
}

fn unread(from: NodeId, why: &str) -> Option<FromPeers> {
    tracing::error!(peer = %from, %why, "a peer's snapshot cannot be read and was not taken");
    None
}

/// What a witness is told travels as a snapshot of no logs. All of its rows stand at one place, which is nobody's.
pub(crate) fn briefing(registers: Vec<Entry>) -> Snapshot {
    let nowhere = RecordId { log: LogId { node: NodeId(0), boot: BootId(0) }, seq: 0 };
    let rows = registers.into_iter().map(|entry| (nowhere, Stored::new(nowhere, entry).body)).collect();
    Snapshot { upto: ownership::Vector::new(), rows, extra: Vec::new(), lost: BTreeSet::new() }
}

fn told(briefing: Snapshot) -> Result<Vec<Entry>, String> {
    let entry = |(_, body): (RecordId, Arc<[u8]>)| record::decode(&body).map_err(|error| error.to_string());
    briefing.rows.into_iter().map(entry).collect()
}

/// Records as they came. One that cannot be read, and those behind it, are left out: the log stays behind, and
/// that is seen, instead of going on with a hole.
fn records(from: NodeId, log: LogId, first: u64, bodies: Vec<Arc<[u8]>>, permit: Permit) -> Arrived {
    let mut entries = Vec::with_capacity(bodies.len());
    let mut kept = Vec::with_capacity(bodies.len());
    for (seq, body) in (first..).zip(bodies) {
        match record::decode(&body) {
            Ok(entry) => {
                entries.push(entry);
                kept.push((RecordId { log, seq }, body));
            }
            Err(error) => {
                tracing::error!(peer = %from, %log, seq, %error, "a peer's record cannot be read; its log waits there");
                break;
            }
        }
    }
    let event = PeerEvent::Records { log, first, entries };
    Arrived { peer: from, event, bodies: kept, incoming: None, permit: Some(permit) }
}

/// An idempotency key as the core takes it.
pub(crate) fn past_key(key: ledger::AcceptedKey) -> PastKey {
    PastKey {
        source: key.source,
        key: key.key.into(),
        digest: key.digest,
        alert: key.alert,
        code: key.code,
        at: key.at,
    }
}

fn whole(from: NodeId, snapshot: Snapshot) -> Result<Arrived, String> {
    let mut state = State::default();
    state.lose(snapshot.lost.iter().copied());
    let mut rows = Vec::with_capacity(snapshot.rows.len());
    for (id, body) in snapshot.rows {
        let entry = record::decode(&body).map_err(|error| format!("record {id}: {error}"))?;
        state.recover(id, &entry);
        rows.push(Stored { id, entry, body });
    }
    for (log, upto) in &snapshot.upto {
        state.cover(*log, *upto);
    }
    let incoming = Incoming { upto: snapshot.upto, rows, extra: snapshot.extra, lost: snapshot.lost };
    let keys = incoming.keys().into_iter().map(past_key).collect();
    let event = PeerEvent::Snapshot(Box::new(Known { state, keys }));
    Ok(Arrived { peer: from, event, bodies: Vec::new(), incoming: Some(incoming), permit: None })
}
