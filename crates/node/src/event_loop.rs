//! The only loop: wait for something (async, decides nothing), let the core decide (sync, pure), execute.
//!
//! Everything that happens to a node passes through here in one order, so the core needs no locks and its
//! decisions can be told afterwards. A turn takes all that has arrived, up to a bound, and hands the ledger
//! one batch: that is the group commit.

use crate::clock::Clock;
use crate::mirror::{self, Arrived, FromPeers, Mirror};
use crate::on_call::Rota;
use crate::outbox::Outbox;
use crate::publish::Publisher;
use api::Call;
use base::{AlertId, Now};
use dispatch::record::{Concluded, Record};
use dispatch::{Answer, Dispatch, Effect, Input, Ticket};
use ledger::{Ledger, LedgerEvent, Stored};
use ownership::Vector;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Calls taken in one turn before what they caused is executed.
const CALLS_PER_TURN: usize = 256;
/// Reports taken in one turn.
const REPORTS_PER_TURN: usize = 1024;
/// How long attempts under way may take to finish when the node stops. What takes longer is repeated, marked,
/// at the next start.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// How often the history is pruned, in units of [`REMEMBER_EVERY`].
const PRUNE_EVERY: u64 = 120;
/// How often the clocks are written down.
const REMEMBER_EVERY: Duration = Duration::from_secs(30);
/// How often the ledger is told what no peer needs any more.
const RETAIN_EVERY: Duration = Duration::from_secs(1);

/// Why the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody asked for it.
    Asked,
    /// The ledger failed; nothing can be made durable.
    Ledger(String),
    /// The data folder runs twice; this process is the one that gives way.
    Copied(String),
}

/// What arrives from the threads and tasks of the node.
pub(crate) struct Arrivals {
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) reports: mpsc::UnboundedReceiver<(AlertId, Concluded)>,
    pub(crate) ledger: mpsc::UnboundedReceiver<LedgerEvent>,
    pub(crate) peers: mpsc::Receiver<FromPeers>,
    pub(crate) stop: oneshot::Receiver<()>,
}

/// The loop and what it executes effects with.
pub(crate) struct EventLoop {
    pub(crate) core: Dispatch,
    /// Who is on call.
    pub(crate) rota: Rota,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) outbox: Outbox,
    pub(crate) publisher: Publisher,
    pub(crate) tickets: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    pub(crate) last_ticket: u64,
    /// How long finished alerts can be looked up.
    pub(crate) history_keep: Duration,
    /// How often the clocks were written down.
    pub(crate) remembered: u64,
    /// The way to the peers, where there may be some.
    pub(crate) mirror: Option<Mirror>,
    /// How much of each log the ledger knows to be at every peer, and when it was told.
    pub(crate) floor: (Vector, base::Mono),
}

/// One thing to do next.
enum Arrival {
    Call(Box<Call>),
    Reports(Vec<(AlertId, Concluded)>),
    Ledger(LedgerEvent),
    Peer(FromPeers),
    Time,
    Remember,
    Stop,
}

impl EventLoop {
    /// Runs until asked to stop, or until the ledger fails.
    pub(crate) async fn run(mut self, mut arrivals: Arrivals, first: Vec<Effect>) -> Ending {
        self.execute(first);
        let mut remember = tokio::time::interval(REMEMBER_EVERY);
        let mut draining: Option<tokio::time::Instant> = None;
        loop {
            let arrival = self.select(&mut arrivals, &mut remember, draining).await;
            match arrival {
                Arrival::Stop if draining.is_some() => return self.finish(Ending::Asked),
                Arrival::Stop => draining = Some(tokio::time::Instant::now() + DRAIN_MAX),
                Arrival::Call(_)
                | Arrival::Reports(_)
                | Arrival::Ledger(_)
                | Arrival::Peer(_)
                | Arrival::Time
                | Arrival::Remember => (),
            }
            if let Some(ending) = self.turn(arrival, &mut arrivals) {
                return self.finish(ending);
            }
            if draining.is_some() && self.core.is_drained() {
                return self.finish(Ending::Asked);
            }
        }
    }

    /// Waits for the next thing, and decides nothing.
    async fn select(
        &mut self,
        arrivals: &mut Arrivals,
        remember: &mut tokio::time::Interval,
        draining: Option<tokio::time::Instant>,
    ) -> Arrival {
        let now = self.clock.now();
        let wait =
            self.core.deadline(now).map_or(Duration::from_secs(3600), |next| self.clock.until(next.at));
        let given_up = draining.unwrap_or_else(|| tokio::time::Instant::now() + DRAIN_MAX);
        let mut reports = Vec::new();
        tokio::select! {
            biased;
            _ = &mut arrivals.stop, if draining.is_none() => Arrival::Stop,
            () = tokio::time::sleep_until(given_up), if draining.is_some() => Arrival::Stop,
            Some(event) = arrivals.ledger.recv() => Arrival::Ledger(event),
            Some(said) = arrivals.peers.recv() => Arrival::Peer(said),
            _ = arrivals.reports.recv_many(&mut reports, REPORTS_PER_TURN) => Arrival::Reports(reports),
            Some(call) = arrivals.calls.recv(), if draining.is_none() => Arrival::Call(Box::new(call)),
            _ = remember.tick() => Arrival::Remember,
            () = tokio::time::sleep(wait) => Arrival::Time,
        }
    }

    /// Lets the core decide on one arrival and on the calls that came with it, and executes the outcome.
    fn turn(&mut self, arrival: Arrival, arrivals: &mut Arrivals) -> Option<Ending> {
        let now = self.clock.now();
        let mut effects = Vec::new();
        match arrival {
            Arrival::Stop => self.handle(now, Input::Drain, &mut effects),
            Arrival::Remember => self.remember(now),
            Arrival::Time => self.handle(now, Input::Deadline, &mut effects),
            Arrival::Reports(reports) => self.handle(now, Input::Report(reports), &mut effects),
            Arrival::Ledger(event) => {
                if let Some(ending) = self.ledger_event(now, event, &mut effects) {
                    return Some(ending);
                }
            }
            Arrival::Peer(FromPeers::Copied(why)) => return Some(Ending::Copied(why)),
            Arrival::Peer(FromPeers::Arrived(arrived)) => self.peer(now, *arrived, &mut effects),
            Arrival::Peer(FromPeers::Damaged(id)) => {
                self.handle(now, Input::Damaged { id }, &mut effects);
            }
            Arrival::Call(call) => {
                self.call(now, *call, &mut effects);
                for _ in 1..CALLS_PER_TURN {
                    let Ok(call) = arrivals.calls.try_recv() else { break };
                    self.call(now, call, &mut effects);
                }
            }
        }
        self.execute(effects);
        self.retain(now);
        None
    }

    /// Lets the core take an input, by who is on call at that very moment.
    fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        if let Some(news) = self.rota.news(&self.core.edition().directory, now.wall) {
            self.core.handle(now, news, effects);
        }
        self.core.handle(now, input, effects);
    }

    /// Lets the core hear a peer.
    fn peer(&mut self, now: Now, mut arrived: Arrived, effects: &mut Vec<Effect>) {
        if let Some(mirror) = &mut self.mirror {
            mirror.expect(&mut arrived);
        }
        let Arrived { peer, event, .. } = arrived;
        self.handle(now, Input::Peer { peer, event }, effects);
    }

    /// Tells the ledger now and then what no peer needs any more.
    fn retain(&mut self, now: Now) {
        if self.mirror.is_none() || now.mono.since(self.floor.1) < RETAIN_EVERY {
            return;
        }
        let floor = self.core.floor();
        if floor != self.floor.0 {
            self.ledger.retain(floor.clone());
        }
        self.floor = (floor, now.mono);
    }

    /// Writes the clocks down, and now and then lets go of old history.
    fn remember(&mut self, now: Now) {
        self.clock.remember();
        self.remembered += 1;
        if self.remembered % PRUNE_EVERY == 1 && !now.suspect {
            self.ledger.prune(now.wall - self.history_keep);
        }
    }

    fn call(&mut self, now: Now, call: Call, effects: &mut Vec<Effect>) {
        match call {
            Call::Put { make, answer } => {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                if let Some(input) = guarded(|| make(ticket)) {
                    self.tickets.insert(ticket, answer);
                    self.handle(now, input, effects);
                }
            }
            Call::Read(read) => drop(guarded(|| read(&self.core, now))),
        }
    }

    fn ledger_event(&mut self, now: Now, event: LedgerEvent, effects: &mut Vec<Effect>) -> Option<Ending> {
        match event {
            LedgerEvent::Stored { log, upto } => {
                self.publisher.stored(log, upto);
                if let Some(mirror) = &mut self.mirror {
                    mirror.settled(log, upto);
                }
                self.handle(now, Input::Stored { log, upto }, effects);
                None
            }
            LedgerEvent::Truncated { log, base } => {
                self.handle(now, Input::Truncated { base: Vector::from([(log, base)]) }, effects);
                None
            }
            LedgerEvent::Full { why } => {
                tracing::error!(%why, "the disk is full; new alerts are refused");
                self.handle(now, Input::Disk { full: Some(why.into()) }, effects);
                None
            }
            LedgerEvent::Roomy => {
                tracing::info!("the disk has room again; alerts are accepted");
                self.handle(now, Input::Disk { full: None }, effects);
                None
            }
            LedgerEvent::Failed { why } => Some(Ending::Ledger(why)),
        }
    }

    /// Executes effects in order; the records of one turn go to the ledger together.
    fn execute(&mut self, effects: Vec<Effect>) {
        let mut batch: Vec<Stored> = Vec::new();
        let mut shipments = Vec::new();
        let mut members = false;
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => {
                    self.outbox.follow(self.core.edition(), &entry.record);
                    members |= matches!(entry.record, Record::Member { .. });
                    self.publisher.expect(id, entry.clone());
                    batch.push(match &mut self.mirror {
                        Some(mirror) => mirror.stored(id, entry),
                        None => Stored::new(id, entry),
                    });
                }
                Effect::Deliver(delivery) => self.outbox.deliver(*delivery),
                Effect::Answer { ticket, answer } => {
                    if let Some(waiting) = self.tickets.remove(&ticket) {
                        drop(waiting.send(answer)); // A client that hung up needs no answer.
                    }
                }
                Effect::Forget { alerts, rosters, silences } => {
                    self.ledger.forget(alerts, rosters);
                    if !silences.is_empty() {
                        self.ledger.forget_silences(silences);
                    }
                }
                Effect::Hello { to, hello } => self.link(|links| links.hello(to, hello)),
                Effect::Beat { to, beat } => self.link(|links| links.say(to, beat)),
                Effect::Ship { to, shipment } => mirror::join(&mut shipments, to, shipment),
                Effect::Brief { to, registers } => {
                    self.link(|links| links.snapshot(to, mirror::briefing(registers)));
                }
                Effect::Merge { from, finished } => {
                    members = true;
                    if let Some(incoming) = self.mirror.as_mut().and_then(|mirror| mirror.incoming(from)) {
                        self.ledger.merge(incoming, finished);
                    }
                    // No record tells of the directory that came with it.
                    self.publisher.keep(self.core.edition());
                    self.outbox.keep(self.core.edition());
                }
            }
        }
        if !batch.is_empty() {
            self.ledger.append(batch);
        }
        // After everything was appended: a shipment may be of records that this very turn wrote.
        if let Some(mirror) = &self.mirror {
            for (to, shipment) in shipments {
                mirror.ship(to, &shipment);
            }
            if members {
                mirror.links().set_members(dialled(&self.core));
            }
        }
    }

    fn link(&self, say: impl FnOnce(&cluster::Links)) {
        if let Some(mirror) = &self.mirror {
            say(mirror.links());
        }
    }

    fn finish(self, ending: Ending) -> Ending {
        self.link(cluster::Links::stop);
        self.clock.remember();
        match self.ledger.close() {
            Ok(()) => ending,
            Err(error) => match ending {
                Ending::Asked => Ending::Ledger(error.to_string()),
                Ending::Ledger(_) | Ending::Copied(_) => ending,
            },
        }
    }
}

/// Whom to dial, and where.
pub(crate) fn dialled(core: &Dispatch) -> Vec<(base::NodeId, Vec<std::sync::Arc<str>>)> {
    core.members().values().map(|member| (member.node, member.addresses.clone())).collect()
}

/// Runs a part of an adapter inside the loop. Its panic is its own: it cannot have changed the core, of which it
/// has a shared reference at most, and the node goes on.
fn guarded<T>(part: impl FnOnce() -> T) -> Option<T> {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(part));
    if ran.is_err() {
        tracing::error!("a request failed in a way that is a fault of ours; the node goes on");
    }
    ran.ok()
}
