//! One machine: its clock, its disk, the core that runs on it, and what it waits for.

use crate::disk::Disk;
use crate::net::Ix;
use crate::queue::Ms;
use base::{LogId, Mono, NodeId, Now, Wall};
use dispatch::{Delivery, Dispatch, Ticket};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-01-01.
const NEW_YEAR: i64 = 1_767_225_600_000;

/// Who asked.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// A client, with the place of its notice.
    Client(usize),
    /// Somebody.
    Person(&'static str),
}

/// An attempt that the provider works at.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) delivery: Box<Delivery>,
    pub(crate) outcome: dispatch::record::Outcome,
}

/// A machine.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what may be wrong with a machine, free of each other")]
pub(crate) struct Machine {
    pub(crate) node: NodeId,
    pub(crate) letter: char,
    /// The process; none while it does not run.
    pub(crate) core: Option<Dispatch>,
    pub(crate) log: LogId,
    /// The shift that the core was last told of.
    pub(crate) shift: i64,
    /// Counts the starts; what was planned for an earlier one is void.
    pub(crate) life: u64,
    /// Nothing answers: the machine is off, not the process alone.
    pub(crate) dark: bool,
    pub(crate) started: Ms,
    pub(crate) stands_still_until: Ms,
    /// By how much its clocks run fast, in a million.
    pub(crate) drift: i64,
    /// By how much its wall clock is ahead.
    pub(crate) ahead: i64,
    pub(crate) suspect: bool,
    pub(crate) disk: Disk,
    pub(crate) writing: bool,
    /// Nothing is written before then.
    pub(crate) hangs_until: Ms,
    /// It has no room for anything new.
    pub(crate) full: bool,
    pub(crate) asked: BTreeMap<Ticket, Asker>,
    pub(crate) attempts: BTreeMap<u64, Attempt>,
    /// The generation of the session that it believes it has with each peer.
    pub(crate) linked: BTreeMap<Ix, u64>,
    pub(crate) wake: Option<Ms>,
    /// The snapshot that was handed in last.
    pub(crate) parcel: Option<Arc<crate::disk::Parcel>>,
    pub(crate) witness: bool,
    /// Whom it has connections with, or wants to.
    pub(crate) peers: Vec<NodeId>,
}

impl Machine {
    pub(crate) fn new(ix: Ix, drift: i64, ahead: i64) -> Self {
        let node = NodeId(u32::try_from(ix).unwrap_or(0) + 1);
        let letter = char::from(b'A' + u8::try_from(ix).unwrap_or(0));
        Self {
            node,
            letter,
            core: None,
            log: LogId { node, boot: base::BootId(0) },
            shift: 0,
            life: 0,
            dark: false,
            started: 0,
            stands_still_until: 0,
            drift,
            ahead,
            suspect: false,
            disk: Disk::default(),
            writing: false,
            hangs_until: 0,
            full: false,
            asked: BTreeMap::new(),
            attempts: BTreeMap::new(),
            linked: BTreeMap::new(),
            wake: None,
            parcel: None,
            witness: false,
            peers: Vec::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.core.is_some()
    }

    /// Both of its clocks at `now`.
    pub(crate) fn now(&self, now: Ms) -> Now {
        let elapsed = i64::try_from(now.saturating_sub(self.started)).unwrap_or(i64::MAX);
        let mono = elapsed + elapsed * self.drift / 1_000_000;
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let wall = NEW_YEAR + now + now * self.drift / 1_000_000 + self.ahead;
        Now { mono: Mono(u64::try_from(mono).unwrap_or(0)), wall: Wall(wall), suspect: self.suspect }
    }

    /// When its monotonic clock shows `mono`.
    pub(crate) fn when(&self, mono: Mono) -> Ms {
        let mono = i64::try_from(mono.0).unwrap_or(i64::MAX / 2_000_000);
        let elapsed = mono - mono * self.drift / 1_000_000;
        let mut at = self.started + u64::try_from(elapsed.saturating_sub(1)).unwrap_or(0);
        while i64::try_from(self.now(at).mono.0).unwrap_or(i64::MAX) < mono {
            at += 1;
        }
        at
    }
}
