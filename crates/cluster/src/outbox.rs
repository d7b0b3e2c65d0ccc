//! What waits to be said to one peer: a heartbeat that is always the latest, and records up to a limit.
//!
//! Separate from the connections, which come and go: it is here that nothing grows while one is blocked, and
//! that nothing meant for one connection is said on the next.

use crate::frame::{Lane, Message};
use crate::snapshot::{Snapshot, piece};
use base::LogId;
use base::limits::PEER_QUEUE_BYTES_MAX;
use ownership::{Heartbeat, Hello};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The outbox of one peer.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    control: Notify,
    bulk: Notify,
}

#[derive(Default)]
struct Waiting {
    control: Stage,
    bulk: Stage,
    hello: Option<Hello>,
    beat: Option<Heartbeat>,
    shipments: VecDeque<Shipment>,
    bytes: usize,
    /// Something did not fit: what is said next would leave a gap.
    overflowed: bool,
}

/// How far a connection is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// There is none.
    #[default]
    Closed,
    /// It is open, and the core has not greeted on it: what it says was meant for the one before.
    Open,
    /// What the core says is meant for it.
    Greeted,
}

enum Shipment {
    Records { log: LogId, first: u64, bodies: VecDeque<Arc<[u8]>> },
    Snapshot(Arc<Snapshot>),
}

/// What goes over the connection for records next.
pub(crate) enum Load {
    /// One message.
    Message(Message),
    /// All messages of a snapshot.
    Snapshot(Arc<Snapshot>),
    /// Nothing more: something was dropped, and the connection must be made anew.
    Overflow,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing below can leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was made. What waited was meant for another one, and goes.
    pub(crate) fn open(&self, lane: Lane) {
        self.enter(lane, Stage::Open);
    }

    /// A connection is gone, and with it what waited for it.
    pub(crate) fn close(&self, lane: Lane) {
        self.enter(lane, Stage::Closed);
    }

    fn enter(&self, lane: Lane, stage: Stage) {
        let mut waiting = self.lock();
        match lane {
            Lane::Control => {
                waiting.control = stage;
                waiting.hello = None;
                waiting.beat = None;
            }
            Lane::Bulk => {
                waiting.bulk = stage;
                waiting.shipments.clear();
                waiting.bytes = 0;
                waiting.overflowed = false;
            }
        }
    }

    /// The core greets: from here on what it says is meant for the connections that are open now.
    pub(crate) fn greet(&self, hello: Hello) {
        let mut waiting = self.lock();
        if waiting.bulk == Stage::Open {
            waiting.bulk = Stage::Greeted;
        }
        if waiting.control != Stage::Closed {
            waiting.control = Stage::Greeted;
            waiting.hello = Some(hello);
            waiting.beat = None; // A greeting says all that a heartbeat says.
            self.control.notify_one();
        }
    }

    /// A heartbeat. One that still waits is taken into it.
    pub(crate) fn say(&self, beat: Heartbeat) {
        let mut waiting = self.lock();
        if waiting.control != Stage::Greeted {
            return;
        }
        let merged = match waiting.beat.take() {
            Some(unsaid) => merge(unsaid, beat),
            None => beat,
        };
        waiting.beat = Some(merged);
        self.control.notify_one();
    }

    /// Records. Those that do not fit are dropped, and so is everything behind them.
    pub(crate) fn records(&self, log: LogId, first: u64, bodies: Vec<Arc<[u8]>>) {
        let mut waiting = self.lock();
        if waiting.bulk != Stage::Greeted || waiting.overflowed {
            return;
        }
        let mut kept = VecDeque::with_capacity(bodies.len());
        for body in bodies {
            if waiting.bytes > 0 && waiting.bytes + body.len() > PEER_QUEUE_BYTES_MAX {
                waiting.overflowed = true;
                break;
            }
            waiting.bytes += body.len();
            kept.push_back(body);
        }
        if !kept.is_empty() {
            waiting.shipments.push_back(Shipment::Records { log, first, bodies: kept });
        }
        self.bulk.notify_one();
    }

    /// A snapshot. It takes the place of one that still waits.
    pub(crate) fn snapshot(&self, snapshot: Snapshot) {
        let mut waiting = self.lock();
        if waiting.bulk != Stage::Greeted || waiting.overflowed {
            return;
        }
        waiting.shipments.retain(|shipment| matches!(shipment, Shipment::Records { .. }));
        waiting.shipments.push_back(Shipment::Snapshot(Arc::new(snapshot)));
        self.bulk.notify_one();
    }

    /// Waits for something to say on the connection for heartbeats.
    pub(crate) async fn next_word(&self) -> Message {
        loop {
            if let Some(message) = self.lock().word() {
                return message;
            }
            self.control.notified().await;
        }
    }

    /// Waits for something to say on the connection for records.
    pub(crate) async fn next_load(&self) -> Load {
        loop {
            if let Some(load) = self.lock().load() {
                return load;
            }
            self.bulk.notified().await;
        }
    }
}

impl Waiting {
    fn word(&mut self) -> Option<Message> {
        let hello = self.hello.take().map(Message::Hello);
        hello.or_else(|| self.beat.take().map(Message::Beat))
    }

    fn load(&mut self) -> Option<Load> {
        match self.shipments.pop_front() {
            None => self.overflowed.then_some(Load::Overflow),
            Some(Shipment::Snapshot(snapshot)) => Some(Load::Snapshot(snapshot)),
            Some(Shipment::Records { log, first, mut bodies }) => {
                let now: Vec<_> = bodies.drain(..piece(bodies.iter())).collect();
                self.bytes -= now.iter().map(|body| body.len()).sum::<usize>();
                if !bodies.is_empty() {
                    let first = first + u64::try_from(now.len()).unwrap_or(u64::MAX);
                    self.shipments.push_front(Shipment::Records { log, first, bodies });
                }
                Some(Load::Message(Message::Append(log, first, now)))
            }
        }
    }
}

/// Two heartbeats in one: vectors hold only what changed, so both count; of all else the later.
fn merge(unsaid: Heartbeat, later: Heartbeat) -> Heartbeat {
    let Heartbeat { mut durable, mut held, .. } = unsaid;
    durable.extend(later.durable);
    held.extend(later.held);
    Heartbeat { durable, held, ..later }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::example;
    use base::{BootId, NodeId};
    use ownership::Vector;

    fn log(node: u32) -> LogId {
        LogId { node: NodeId(node), boot: BootId(1) }
    }

    fn beat(durable: &[(u32, u64)], standby: bool) -> Heartbeat {
        let durable = durable.iter().map(|(node, number)| (log(*node), *number)).collect();
        Heartbeat { durable, held: Vector::new(), standby, ..example().heartbeat }
    }

    fn greeted() -> Outbox {
        let outbox = Outbox::default();
        Lane::ALL.into_iter().for_each(|lane| outbox.open(lane));
        outbox.greet(example());
        assert!(matches!(outbox.lock().word(), Some(Message::Hello(_))));
        outbox
    }

    fn bodies(count: usize, bytes: usize) -> Vec<Arc<[u8]>> {
        vec![Arc::from(vec![0; bytes]); count]
    }

    /// What comes out until nothing does: the records' numbers, and whether there was an overflow.
    fn drain(outbox: &Outbox) -> (Vec<(u64, usize)>, bool) {
        let mut appends = Vec::new();
        while let Some(load) = outbox.lock().load() {
            match load {
                Load::Message(Message::Append(_, first, bodies)) => appends.push((first, bodies.len())),
                Load::Overflow => return (appends, true),
                Load::Message(_) | Load::Snapshot(_) => panic!("only records were put in"),
            }
        }
        (appends, false)
    }

    #[test]
    fn unsaid_heartbeats_become_one_that_says_what_both_did() {
        let outbox = greeted();
        outbox.say(beat(&[(1, 5), (2, 7)], false));
        outbox.say(beat(&[(1, 6)], true));
        assert_eq!(outbox.lock().word(), Some(Message::Beat(beat(&[(1, 6), (2, 7)], true))));
        assert_eq!(outbox.lock().word(), None);
    }

    #[test]
    fn a_greeting_goes_first_and_takes_the_place_of_heartbeats_before_it() {
        let outbox = greeted();
        outbox.say(beat(&[(1, 5)], false));
        outbox.greet(example());
        outbox.say(beat(&[(1, 6)], false));
        assert_eq!(outbox.lock().word(), Some(Message::Hello(example())));
        assert_eq!(outbox.lock().word(), Some(Message::Beat(beat(&[(1, 6)], false))));
    }

    #[test]
    fn what_was_meant_for_one_connection_is_not_said_on_the_next() {
        let outbox = greeted();
        outbox.say(beat(&[(1, 5)], false));
        outbox.records(log(1), 0, bodies(3, 10));
        outbox.open(Lane::Bulk);
        outbox.records(log(1), 3, bodies(3, 10));
        assert_eq!(drain(&outbox), (vec![], false));
        assert!(outbox.lock().word().is_some(), "the other connection is not concerned");
        outbox.open(Lane::Control);
        outbox.say(beat(&[(1, 5)], false));
        assert_eq!(outbox.lock().word(), None);
        outbox.greet(example());
        outbox.records(log(1), 3, bodies(3, 10));
        assert_eq!(drain(&outbox), (vec![(3, 3)], false));
    }

    #[test]
    fn records_leave_in_pieces_and_in_order() {
        let outbox = greeted();
        outbox.records(log(1), 10, bodies(5, 100_000));
        outbox.records(log(1), 15, bodies(1, 5_000_000));
        outbox.records(log(2), 0, bodies(2, 1));
        assert_eq!(drain(&outbox), (vec![(10, 2), (12, 2), (14, 1), (15, 1), (0, 2)], false));
        assert_eq!(outbox.lock().bytes, 0);
    }

    #[test]
    fn past_the_limit_records_are_dropped_and_the_connection_ends_behind_those_that_fitted() {
        let outbox = greeted();
        outbox.records(log(1), 0, bodies(100, 1 << 20));
        assert_eq!(outbox.lock().bytes, PEER_QUEUE_BYTES_MAX);
        outbox.records(log(1), 100, bodies(1, 1));
        let (appends, overflowed) = drain(&outbox);
        assert_eq!(appends.iter().map(|(_, count)| count).sum::<usize>(), 32);
        assert!(overflowed);
    }

    #[test]
    fn one_record_always_fits() {
        let outbox = greeted();
        outbox.records(log(1), 0, bodies(2, PEER_QUEUE_BYTES_MAX + 1));
        assert_eq!(drain(&outbox), (vec![(0, 1)], true));
    }

    #[test]
    fn a_later_snapshot_takes_the_place_of_an_earlier_one() {
        let outbox = greeted();
        outbox.snapshot(Snapshot { extra: vec![1], ..Snapshot::default() });
        outbox.snapshot(Snapshot { extra: vec![2], ..Snapshot::default() });
        let Some(Load::Snapshot(snapshot)) = outbox.lock().load() else { panic!("a snapshot waits") };
        assert_eq!(snapshot.extra, [2]);
        assert!(outbox.lock().load().is_none());
    }
}
