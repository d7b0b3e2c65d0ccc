//! Which records go to whom: every node sends its own log to all, and passes on the logs of those that
//! cannot do it themselves.

use crate::peer::Peer;
use crate::{Cluster, Role, Vector};
use base::{LogId, NodeId};

/// Records of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// Which log.
    pub log: LogId,
    /// The first.
    pub from: u64,
    /// The first that is not of them.
    pub upto: u64,
}

/// What is to be sent to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shipment {
    /// These records.
    Records(Range),
    /// Everything, as of now: some of what it lacks is no longer kept.
    Snapshot,
}

/// Records that may be on their way to one peer. More wait: a peer that is slow to write must not make us
/// hold everything in memory.
const WINDOW_RECORDS: u64 = 16_384;
/// Records named by one range.
const RANGE_RECORDS: u64 = 2048;

impl Cluster {
    /// A connection for records to `peer` was made; none of what was sent before is sure to have arrived.
    pub fn connected(&mut self, peer: NodeId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.sent = peer.held.clone();
            peer.connected = true;
            peer.snapshot = None;
            peer.helped = false;
        }
    }

    /// The connection for records to `peer` is gone.
    pub fn disconnected(&mut self, peer: NodeId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.connected = false;
            peer.lacks = false; // It says so again with its first word.
        }
    }

    /// Records of a log turned out not to be readable here when they were to be sent: who has not got them gets
    /// everything else instead.
    pub fn fell_short(&mut self, log: LogId) {
        for peer in self.peers.values_mut() {
            let held = peer.held.get(&log).copied().unwrap_or(0);
            peer.sent.insert(log, held);
        }
    }

    /// The witnesses that something can be sent to. They take no logs, only what everybody knows of the cluster.
    pub fn witnesses(&self) -> impl Iterator<Item = NodeId> {
        let reached = |(node, peer): &(&NodeId, &Peer)| peer.connected && self.role(**node) == Role::Witness;
        self.peers.iter().filter(reached).map(|(node, _)| *node)
    }

    /// What to send to `to` now, given what we hold and how much of it is durable, and from where on
    /// each log is still kept whole.
    pub fn ship(&mut self, to: NodeId, held: &Vector, durable: &Vector, base: &Vector) -> Vec<Shipment> {
        let mut shipments = Vec::new();
        if self.role(to) == Role::Witness || self.role(self.me.node) == Role::Witness {
            return shipments;
        }
        let me = self.me;
        let Some(peer) = self.peers.get_mut(&to) else { return shipments };
        if !peer.connected || peer.boot.is_none() {
            return shipments;
        }
        let kept = |log: &LogId| base.get(log).copied().unwrap_or(0);
        if held.iter().any(|(log, _)| peer.at(*log) < kept(log)) {
            // One at a time: it holds at least what is durable now. By the time it has arrived more may be gone.
            if peer.snapshot.as_ref().is_none_or(|sent| crate::peer::covers(&peer.held, sent)) {
                peer.snapshot = Some(durable.clone());
                // What was sent before fell into the gap that it is to close.
                peer.sent = peer.held.clone();
                peer.helped = true;
                shipments.push(Shipment::Snapshot);
            }
            return shipments;
        }
        for (log, mine) in held {
            // A living boot sends its log itself to everybody that it hears. Everything else is passed on, the
            // logs of the peer's own earlier boots too: its disk may be a new one.
            if *log == me || peer.boot != Some(*log) && !peer.ups.contains(log) {
                peer.ranges(*log, *mine, &mut shipments);
            }
        }
        // Behind the ranges: a log that grows by them stays whole, one that a snapshot lets jump does not.
        if peer.lacks && !peer.helped {
            peer.helped = true;
            shipments.push(Shipment::Snapshot);
        }
        shipments
    }
}

impl Peer {
    /// Where in a log the next record for it stands.
    fn at(&self, log: LogId) -> u64 {
        self.sent.get(&log).copied().unwrap_or(0).max(self.held.get(&log).copied().unwrap_or(0))
    }

    fn ranges(&mut self, log: LogId, mine: u64, shipments: &mut Vec<Shipment>) {
        let mut from = self.at(log);
        let arrived = self.held.get(&log).copied().unwrap_or(0);
        let end = mine.min(arrived.saturating_add(WINDOW_RECORDS));
        while from < end {
            let upto = end.min(from + RANGE_RECORDS);
            shipments.push(Shipment::Records(Range { log, from, upto }));
            from = upto;
        }
        self.sent.insert(log, from);
    }
}
