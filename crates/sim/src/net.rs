//! The network: for each pair of nodes one session with two in-order streams each way, like TCP.
//!
//! Nothing is reordered or lost within a stream. A lost packet is a stall; a cut stalls for as long as it lasts;
//! a reset loses all that was under way, and the two ends learn of it at different times.

use crate::disk::Row;
use crate::queue::Ms;
use base::LogId;
use dispatch::record::Entry;
use ownership::{Heartbeat, Hello};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A node by its place in the list of nodes.
pub(crate) type Ix = usize;

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Hello(Hello),
    Beat(Heartbeat),
    Records { log: LogId, first: u64, rows: Vec<Row> },
    Parcel(Arc<crate::disk::Parcel>),
    Registers(Vec<Entry>),
}

/// One of the two streams of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Control,
    Bulk,
}

/// One direction of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) from: Ix,
    pub(crate) to: Ix,
    pub(crate) lane: Lane,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) under_way: VecDeque<Message>,
    /// Messages of it that arrived at a cut, and wait behind it.
    pub(crate) stalled: usize,
    /// When the last one arrives.
    pub(crate) last: Ms,
}

/// Two nodes' session; its generation counts how often it was made or broken.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) up: bool,
    pub(crate) generation: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Net {
    pub(crate) sessions: BTreeMap<(Ix, Ix), Session>,
    pub(crate) streams: BTreeMap<Way, Stream>,
    /// From whom nothing reaches whom.
    pub(crate) cut: BTreeSet<(Ix, Ix)>,
}

/// The name of a pair.
pub(crate) fn pair(one: Ix, other: Ix) -> (Ix, Ix) {
    (one.min(other), one.max(other))
}

impl Net {
    pub(crate) fn reaches(&self, from: Ix, to: Ix) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Packets pass both ways, so that a connection can be made, or refused.
    pub(crate) fn is_whole(&self, one: Ix, other: Ix) -> bool {
        self.reaches(one, other) && self.reaches(other, one)
    }

    pub(crate) fn session(&mut self, one: Ix, other: Ix) -> &mut Session {
        self.sessions.entry(pair(one, other)).or_default()
    }

    pub(crate) fn stream(&mut self, way: Way) -> &mut Stream {
        self.streams.entry(way).or_default()
    }

    /// Breaks a session: all that is under way is lost. False if it was broken before.
    pub(crate) fn reset(&mut self, one: Ix, other: Ix) -> bool {
        let session = self.session(one, other);
        if !session.up {
            return false;
        }
        session.up = false;
        session.generation += 1;
        self.streams.retain(|way, _| pair(way.from, way.to) != pair(one, other));
        true
    }
}
