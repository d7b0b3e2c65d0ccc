//! How sessions are made, carry messages, break, and are made again.

use crate::net::{Ix, Lane, Message, Way};
use crate::world::{Event, World};
use base::NodeId;
use dispatch::{Input, PeerEvent};

/// What a lost packet costs.
const RETRANSMIT: (u64, u64) = (200, 500);

impl World {
    pub(crate) fn ix(&self, node: NodeId) -> Ix {
        self.machines.iter().position(|machine| machine.node == node).unwrap_or(0)
    }

    /// Tries to connect a pair; tries again later, if that cannot be done.
    pub(crate) fn connect(&mut self, one: Ix, other: Ix) {
        if self.net.session(one, other).up {
            return;
        }
        let (one_up, other_up) = (self.machine(one).is_up(), self.machine(other).is_up());
        if !self.net.is_whole(one, other) || !one_up && !other_up {
            return self.after(100, 400, Event::Connect(one, other));
        }
        for (dead, alive) in [(one, other), (other, one)] {
            if !self.machine(dead).is_up() {
                if !self.machine(dead).dark {
                    self.after(1, 20, Event::Refused(alive, dead));
                }
                return self.after(100, 400, Event::Connect(one, other));
            }
        }
        let session = self.net.session(one, other);
        session.up = true;
        session.generation += 1;
        let generation = session.generation;
        self.net.streams.retain(|way, _| crate::net::pair(way.from, way.to) != crate::net::pair(one, other));
        self.after(1, 10, Event::Linked(one, other, generation));
        self.after(1, 10, Event::Linked(other, one, generation));
    }

    /// Nobody listens where a peer should.
    pub(crate) fn refused(&mut self, ix: Ix, peer: Ix) {
        let again = self.net.session(ix, peer).up || self.machine(peer).is_up();
        if self.machine(ix).is_up() && !again {
            let node = self.machine(peer).node;
            self.handle(ix, Input::Peer { peer: node, event: PeerEvent::Gone });
        }
    }

    pub(crate) fn linked(&mut self, ix: Ix, peer: Ix, generation: u64) {
        let session = self.net.session(ix, peer);
        let current = session.up && session.generation == generation;
        let known = self.machine(ix).linked.get(&peer) == Some(&generation);
        if !current || known || !self.machine(ix).is_up() {
            return;
        }
        self.tell(|world| format!("{} is connected with {}", world.name(ix), world.name(peer)));
        self.machine_mut(ix).linked.insert(peer, generation);
        let node = self.machine(peer).node;
        self.handle(ix, Input::Peer { peer: node, event: PeerEvent::Connected });
    }

    pub(crate) fn unlinked(&mut self, ix: Ix, peer: Ix, generation: u64) {
        if self.machine(ix).linked.get(&peer) != Some(&generation) || !self.machine(ix).is_up() {
            return;
        }
        self.tell(|world| format!("{} loses its connection with {}", world.name(ix), world.name(peer)));
        self.machine_mut(ix).linked.remove(&peer);
        let node = self.machine(peer).node;
        self.handle(ix, Input::Peer { peer: node, event: PeerEvent::Disconnected });
    }

    /// Breaks a session. The ends that can hear of it do, each in its time.
    pub(crate) fn reset(&mut self, one: Ix, other: Ix) {
        let generation = self.net.session(one, other).generation;
        if !self.net.reset(one, other) {
            return;
        }
        self.after(1, 200, Event::Unlinked(one, other, generation));
        self.after(1, 200, Event::Unlinked(other, one, generation));
        self.after(20, 300, Event::Connect(one, other));
    }

    /// The sessions of a process that died. Where its machine still answers, the peers learn at once.
    pub(crate) fn hang_up(&mut self, ix: Ix) {
        let dark = self.machine(ix).dark;
        for peer in (0..self.plan.nodes).filter(|peer| *peer != ix) {
            let generation = self.net.session(ix, peer).generation;
            if !self.net.reset(ix, peer) {
                continue;
            }
            if !dark && self.net.reaches(ix, peer) {
                self.after(1, 10, Event::Unlinked(peer, ix, generation));
            }
            self.after(10, 60, Event::Connect(ix, peer));
        }
        self.machine_mut(ix).linked.clear();
    }

    pub(crate) fn send(&mut self, from: Ix, to: Ix, lane: Lane, message: Message) {
        let session = self.net.session(from, to);
        let (up, generation) = (session.up, session.generation);
        if !up || self.machine(from).linked.get(&to) != Some(&generation) {
            return; // Into a connection that is broken, as it will learn.
        }
        let mut takes = match lane {
            Lane::Control => self.rng.between(1, 6),
            Lane::Bulk => self.rng.between(1, 20),
        };
        if !self.healed && self.rng.per_mille(self.plan.profile.loss) {
            takes += self.rng.between(RETRANSMIT.0, RETRANSMIT.1);
        }
        let way = Way { from, to, lane };
        let open = self.net.reaches(from, to);
        let now = self.now;
        let stream = self.net.stream(way);
        stream.under_way.push_back(message);
        if open && stream.stalled == 0 {
            stream.last = stream.last.max(now + takes);
            let at = stream.last;
            self.agenda.at(at, Event::Arrive(way, generation));
        } else {
            stream.stalled += 1;
        }
    }

    pub(crate) fn arrive(&mut self, way: Way, generation: u64) {
        let session = self.net.session(way.from, way.to);
        if !session.up || session.generation != generation {
            return;
        }
        let open = self.net.reaches(way.from, way.to);
        let stream = self.net.stream(way);
        if !open || stream.stalled > 0 {
            stream.stalled += 1;
            return;
        }
        let Some(message) = stream.under_way.pop_front() else { return };
        self.linked(way.to, way.from, generation);
        if self.machine(way.to).is_up() {
            self.receive(way.to, way.from, message);
        }
    }

    /// What stalled at a cut goes on.
    pub(crate) fn flow(&mut self, from: Ix, to: Ix) {
        let generation = self.net.session(from, to).generation;
        for lane in [Lane::Control, Lane::Bulk] {
            let way = Way { from, to, lane };
            let stalled = std::mem::take(&mut self.net.stream(way).stalled);
            for _ in 0..stalled {
                let takes = self.rng.between(1, 20);
                let now = self.now;
                let stream = self.net.stream(way);
                stream.last = stream.last.max(now + takes);
                let at = stream.last;
                self.agenda.at(at, Event::Arrive(way, generation));
            }
        }
    }
}
