//! Which boots of which peers are connected to us, so that one node id is never heard from two processes.
//!
//! Separate from `accept`, where each connection is alone; this is what they know of each other.

use crate::frame::{Lane, Open};
use base::limits::PEER_ROOM_BYTES_MAX;
use base::{LogId, NodeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// A boot that was heard within this time still speaks: another one of the same node is a copy of it. One that
/// was not may be a machine that lost power, whose connection nobody has closed.
const STILL_SPEAKS: Duration = Duration::from_secs(3);

/// All of them.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<Book>);

#[derive(Default)]
struct Book {
    serial: u64,
    nodes: BTreeMap<NodeId, Arrival>,
}

struct Arrival {
    boot: LogId,
    heard: Instant,
    lanes: BTreeMap<Lane, (u64, Arc<Notify>)>,
    /// Connections of boots before this one that may still hold records. Nothing that arrived is thrown away
    /// because its sender has died; where a record stands says all about it.
    draining: BTreeMap<u64, Arc<Notify>>,
    /// For its records, over all connections of this boot: making a new one does not make more room.
    room: Arc<Semaphore>,
}

/// A connection's place here.
pub(crate) struct Seat {
    /// Tells this connection from the one before.
    pub(crate) serial: u64,
    /// Says that another one took its place, or that its node is no member any more.
    pub(crate) leave: Arc<Notify>,
    /// For records that were read and not taken yet.
    pub(crate) room: Arc<Semaphore>,
}

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, Book> {
        // Nothing below can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for a connection; the one that had it leaves.
    ///
    /// # Errors
    /// The other boot of the same node, where that still speaks.
    pub(crate) fn sit(&self, open: &Open) -> Result<Seat, LogId> {
        self.lock().sit(open, Instant::now())
    }

    /// Whether a connection still has its seat; does `then` if so, before anything else can change that.
    pub(crate) fn pass(&self, open: &Open, serial: u64, then: impl FnOnce()) -> bool {
        let mut book = self.lock();
        let Some(arrival) = book.nodes.get_mut(&open.boot.node) else { return false };
        let seated = arrival.has(open.lane, serial);
        if seated {
            arrival.heard = Instant::now();
        }
        let heard = seated || arrival.draining.contains_key(&serial);
        if heard {
            then();
        }
        heard
    }

    /// Gives a seat up.
    pub(crate) fn rise(&self, open: &Open, serial: u64) {
        let mut book = self.lock();
        let Some(arrival) = book.nodes.get_mut(&open.boot.node) else { return };
        arrival.draining.remove(&serial);
        if arrival.has(open.lane, serial) {
            arrival.lanes.remove(&open.lane);
        }
    }

    /// Makes all leave whose node is none of these.
    pub(crate) fn keep(&self, is_member: impl Fn(NodeId) -> bool) {
        self.lock().nodes.retain(|node, arrival| {
            let stays = is_member(*node);
            if !stays {
                arrival.leave();
            }
            stays
        });
    }
}

impl Book {
    fn sit(&mut self, open: &Open, now: Instant) -> Result<Seat, LogId> {
        self.serial += 1;
        let arrival = self.nodes.entry(open.boot.node).or_insert_with(|| Arrival {
            boot: open.boot,
            heard: now,
            lanes: BTreeMap::new(),
            draining: BTreeMap::new(),
            room: room(),
        });
        if arrival.boot != open.boot {
            let speaks = now.saturating_duration_since(arrival.heard) < STILL_SPEAKS;
            if speaks && arrival.lanes.contains_key(&Lane::Control) {
                return Err(arrival.boot);
            }
            arrival.follow(open.boot);
        }
        arrival.heard = now;
        let leave = Arc::new(Notify::new());
        let before = arrival.lanes.insert(open.lane, (self.serial, Arc::clone(&leave)));
        if let Some((_, before)) = before {
            before.notify_one();
        }
        Ok(Seat { serial: self.serial, leave, room: Arc::clone(&arrival.room) })
    }
}

impl Arrival {
    fn has(&self, lane: Lane, serial: u64) -> bool {
        self.lanes.get(&lane).is_some_and(|(present, _)| *present == serial)
    }

    /// Another boot speaks from now on.
    fn follow(&mut self, boot: LogId) {
        if let Some((_, leave)) = self.lanes.remove(&Lane::Control) {
            leave.notify_one();
        }
        self.draining.extend(self.lanes.remove(&Lane::Bulk));
        self.boot = boot;
        self.room = room();
    }

    fn leave(&mut self) {
        let seated = std::mem::take(&mut self.lanes).into_values().map(|(_, leave)| leave);
        seated.chain(std::mem::take(&mut self.draining).into_values()).for_each(|leave| leave.notify_one());
    }
}

fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(PEER_ROOM_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BootId, Digest};

    fn open(boot: u64, lane: Lane) -> Open {
        let boot = LogId { node: NodeId(1), boot: BootId(boot) };
        Open { cluster: Digest([0; 32]), boot, lane, versions: String::new() }
    }

    #[test]
    fn another_boot_is_a_copy_while_the_first_still_speaks() {
        let (mut book, start) = (Book::default(), Instant::now());
        assert!(book.sit(&open(1, Lane::Control), start).is_ok());
        assert!(book.sit(&open(1, Lane::Bulk), start).is_ok());
        for lane in Lane::ALL {
            assert_eq!(book.sit(&open(2, lane), start).err(), Some(open(1, lane).boot));
        }
        assert!(book.sit(&open(2, Lane::Control), start + STILL_SPEAKS).is_ok(), "it had lost power");
    }

    #[test]
    fn another_boot_may_come_once_the_first_has_left() {
        let arrivals = Arrivals::default();
        let seat = arrivals.sit(&open(1, Lane::Control)).unwrap();
        arrivals.rise(&open(1, Lane::Control), seat.serial);
        assert!(arrivals.sit(&open(2, Lane::Control)).is_ok());
    }

    #[test]
    fn records_of_a_boot_that_died_are_heard_to_their_end() {
        let arrivals = Arrivals::default();
        let control = arrivals.sit(&open(1, Lane::Control)).unwrap();
        let bulk = arrivals.sit(&open(1, Lane::Bulk)).unwrap();
        arrivals.rise(&open(1, Lane::Control), control.serial);
        let next =
            arrivals.sit(&open(2, Lane::Bulk)).expect("what still waits to be read is no sign of life");
        assert!(!Arc::ptr_eq(&bulk.room, &next.room), "they do not wait for each other");
        assert!(arrivals.pass(&open(1, Lane::Bulk), bulk.serial, || ()));
        assert!(arrivals.pass(&open(2, Lane::Bulk), next.serial, || ()));
        arrivals.rise(&open(1, Lane::Bulk), bulk.serial);
        assert!(!arrivals.pass(&open(1, Lane::Bulk), bulk.serial, || ()));
    }

    #[test]
    fn a_new_connection_of_the_same_boot_takes_the_place_of_the_old_one() {
        let arrivals = Arrivals::default();
        let first = arrivals.sit(&open(1, Lane::Bulk)).unwrap();
        let second = arrivals.sit(&open(1, Lane::Bulk)).unwrap();
        assert!(Arc::ptr_eq(&first.room, &second.room));
        let mut passed = 0;
        assert!(!arrivals.pass(&open(1, Lane::Bulk), first.serial, || passed += 1));
        assert!(arrivals.pass(&open(1, Lane::Bulk), second.serial, || passed += 1));
        assert_eq!(passed, 1);
        arrivals.rise(&open(1, Lane::Bulk), first.serial);
        assert!(arrivals.pass(&open(1, Lane::Bulk), second.serial, || ()), "the old one gives up nothing");
        arrivals.keep(|_| false);
        assert!(!arrivals.pass(&open(1, Lane::Bulk), second.serial, || ()));
    }
}
