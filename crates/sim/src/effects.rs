//! Does what a core asks for: writes, deliveries, answers, words and records for peers.

use crate::disk::{Disk, Row, Write};
use crate::history::Fact;
use crate::machine::{Asker, Attempt};
use crate::net::{Ix, Lane, Message};
use crate::world::{Event, World};
use base::time::millis;
use base::{BootId, NodeId, RecordId};
use dispatch::record::{Entry, Outcome, Record, Then};
use dispatch::{
    Answer, Delivery, Dispatch, Effect, Identity, Input, PeerEvent, ProviderSpec, Settings, Ticket,
};
use ownership::{Range, Shipment};
use selection::Timing;
use std::sync::Arc;
use std::time::Duration;

/// Messages that the provider takes at once.
const ROOM: usize = 4;

impl World {
    /// Starts a machine, and its process.
    pub(crate) fn boot(&mut self, ix: Ix) {
        if self.machine(ix).is_up() {
            return;
        }
        let chance = self.rng.next() & u64::from(u32::MAX);
        let seeds = self.members();
        let now = self.now;
        let rules = self.plan.rules;
        let machine = self.machine_mut(ix);
        machine.life += 1;
        machine.started = now;
        machine.dark = false;
        machine.suspect = false;
        machine.stands_still_until = 0;
        machine.hangs_until = 0;
        machine.writing = false;
        machine.wake = None;
        machine.full = false;
        // A new folder counts its boots from the time of its clock: peers that knew the node with another disk
        // take a lower count for an old boot.
        let first = u32::try_from(machine.now(now).wall.0 / 1000).unwrap_or(u32::MAX);
        machine.disk.boots = if machine.disk.boots == 0 { first } else { machine.disk.boots + 1 };
        machine.log.boot = BootId(u64::from(machine.disk.boots) << 32 | chance);
        let (state, mut past, poisoned) = machine.disk.recover(machine.letter);
        past.members = seeds;
        machine.shift = crate::book::shift(machine.now(now).wall);
        past.almanac = crate::book::almanac(machine.shift);
        let (log, letter) = (machine.log, machine.letter);
        let identity = Identity { log, letter, version: "sim".into(), because: "start".into() };
        let provider =
            Timing { cool_down_min: Duration::from_millis(500), cool_down_max: Duration::from_secs(2) };
        let settings = Settings { provider, rules, ..Settings::default() };
        let spec = ProviderSpec {
            name: crate::book::name("smtp"),
            channel: crate::book::name("mail"),
            per_minute: None,
            per_day: None,
        };
        let mut effects = Vec::new();
        let at = machine.now(now);
        let core = Dispatch::start(identity, settings, (state, past), vec![spec], at, &mut effects);
        machine.core = Some(core);
        self.tell(|world| {
            let bad =
                if poisoned.is_empty() { String::new() } else { format!(", {} unreadable", poisoned.len()) };
            format!("{} starts as boot {}{bad}", world.name(ix), world.log(log))
        });
        self.observe(&Fact::Started { ix, log, poisoned: &poisoned });
        self.machine_mut(ix).peers = self.members().into_iter().map(|member| member.node).collect();
        self.execute(ix, effects);
        self.follow_members(ix);
        self.handle(ix, Input::Capacity { provider: crate::book::name("smtp"), free: ROOM });
        for peer in (0..self.plan.nodes).filter(|peer| *peer != ix) {
            self.after(1, 30, Event::Connect(ix, peer));
        }
    }

    pub(crate) fn execute(&mut self, ix: Ix, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => self.append(ix, id, &entry),
                Effect::Deliver(delivery) => self.deliver(ix, delivery),
                Effect::Answer { ticket, answer } => self.answer(ix, ticket, &answer),
                Effect::Hello { to, hello } => {
                    let peer = self.ix(to);
                    self.send(ix, peer, Lane::Control, Message::Hello(hello));
                }
                Effect::Beat { to, beat } => {
                    let durable = self.machine(ix).disk.upto.clone();
                    self.observe(&Fact::Beat { ix, beat: &beat, durable: &durable });
                    let peer = self.ix(to);
                    self.send(ix, peer, Lane::Control, Message::Beat(beat));
                }
                Effect::Ship { to, shipment } => self.ship(ix, self.ix(to), &shipment),
                Effect::Brief { to, registers } => {
                    let peer = self.ix(to);
                    self.send(ix, peer, Lane::Bulk, Message::Registers(registers));
                }
                Effect::Merge { from: _, finished } => {
                    if let Some(parcel) = self.machine_mut(ix).parcel.take() {
                        self.write(ix, Write::Merge(parcel, finished));
                        self.follow_members(ix);
                    }
                }
                Effect::Forget { alerts, rosters, silences } => {
                    self.write(ix, Write::Forget(alerts, rosters, silences));
                }
            }
        }
    }

    fn append(&mut self, ix: Ix, id: RecordId, entry: &Entry) {
        let row = Row::new(id, entry);
        self.tell(|world| format!("{} {} {}", world.name(ix), world.record(id), world.entry(id, entry)));
        self.observe(&Fact::Appended { ix, id, entry, bytes: &row.bytes });
        self.write(ix, Write::Row(id, row));
        if matches!(entry.record, Record::Member { .. }) {
            self.follow_members(ix);
        }
    }

    /// The transport drops a peer that does not belong any more, and connects with one that does.
    fn follow_members(&mut self, ix: Ix) {
        let Some(core) = &self.machine(ix).core else { return };
        let members = core.cluster(self.machine(ix).now(self.now)).members;
        let peers: Vec<NodeId> = members.into_keys().collect();
        let before = std::mem::replace(&mut self.machine_mut(ix).peers, peers.clone());
        let changed = (0..self.plan.nodes).filter(|peer| *peer != ix);
        for peer in changed.collect::<Vec<_>>() {
            let node = self.machine(peer).node;
            if before.contains(&node) != peers.contains(&node) {
                self.reset(ix, peer);
            }
        }
    }

    fn write(&mut self, ix: Ix, write: Write) {
        self.machine_mut(ix).disk.queue.push_back(write);
        self.begin_write(ix);
    }

    /// Everything that is queued goes into one write.
    pub(crate) fn begin_write(&mut self, ix: Ix) {
        let takes = self.rng.between(1, 12);
        let now = self.now;
        let machine = self.machine_mut(ix);
        if machine.writing || machine.disk.queue.is_empty() {
            return;
        }
        machine.writing = true;
        machine.disk.batch = machine.disk.queue.len();
        let (at, life) = (machine.hangs_until.max(now) + takes, machine.life);
        self.agenda.at(at, Event::Written(ix, life));
    }

    pub(crate) fn written(&mut self, ix: Ix, life: u64) {
        if !self.is_current(ix, life) {
            return;
        }
        let at = self.machine(ix).hangs_until;
        if at > self.now {
            self.agenda.at(at, Event::Written(ix, life));
            return;
        }
        let machine = self.machine_mut(ix);
        let me = machine.log;
        let committed = machine.disk.commit(me);
        machine.writing = false;
        if let Some(trouble) = committed.trouble {
            self.violate("i04_prefixes", format!("{}: {trouble}", self.name(ix)));
        }
        for id in &committed.rows {
            self.observe(&Fact::Durable { ix, id: *id });
        }
        for alert in &committed.finished {
            self.observe(&Fact::Finished { ix, alert: *alert });
        }
        self.begin_write(ix);
        if !committed.base.is_empty() {
            self.handle(ix, Input::Truncated { base: committed.base });
        }
        for (log, upto) in committed.stored {
            self.handle(ix, Input::Stored { log, upto });
        }
    }

    pub(crate) fn compact(&mut self, ix: Ix) {
        self.after(700, 2500, Event::Compact(ix));
        let most = self.plan.profile.retained;
        let machine = self.machine_mut(ix);
        let Some(core) = &machine.core else { return };
        let floor = core.floor();
        let raised = machine.disk.compact(&floor, most);
        if !raised.is_empty() {
            self.handle(ix, Input::Truncated { base: raised });
        }
        let waiting = self.machine(ix).disk.waiting();
        self.observe(&Fact::Compacted { ix, waiting, most });
    }

    /// The provider's part.
    fn deliver(&mut self, ix: Ix, delivery: Box<Delivery>) {
        self.attempts += 1;
        let id = self.attempts;
        let life = self.machine(ix).life;
        self.tell(|world| format!("{} SENDS {}", world.name(ix), world.delivery(&delivery)));
        self.observe(&Fact::Delivered { ix, id, delivery: &delivery });
        let (outcome, arrives) = self.outcome();
        let takes = self.rng.between(20, 150);
        if arrives {
            self.after(10, takes, Event::Taken(ix, life, id));
        }
        self.agenda.at(self.now + takes, Event::Report(ix, life, id));
        self.machine_mut(ix).attempts.insert(id, Attempt { delivery, outcome });
    }

    fn outcome(&mut self) -> (Outcome, bool) {
        let mail = self.plan.profile.mail;
        let roll = if self.healed { 999 } else { self.rng.between(0, 999) };
        let refused = |then| Outcome::Refused { then, why: "busy".into() };
        if roll < mail.again {
            (refused(Then::RetryNow), false)
        } else if roll < mail.again + mail.later {
            (refused(Then::RetryLater), false)
        } else if roll < mail.again + mail.later + mail.unknown {
            (Outcome::Unknown { why: "dropped".into() }, self.rng.per_mille(500))
        } else {
            (Outcome::Accepted { receipt: "queued".into() }, true)
        }
    }

    fn answer(&mut self, ix: Ix, ticket: Ticket, answer: &Answer) {
        let Some(asker) = self.machine_mut(ix).asked.remove(&ticket) else {
            self.violate("i12_answers", format!("{} answers {ticket:?} twice", self.name(ix)));
            return;
        };
        self.tell(|world| format!("{} answers {}", world.name(ix), world.answer_words(&asker, answer)));
        if let Asker::Client(client) = asker {
            self.hear_answer(client, answer);
        }
    }

    fn ship(&mut self, ix: Ix, peer: Ix, shipment: &Shipment) {
        match *shipment {
            Shipment::Records(Range { log, from, upto }) => {
                let disk = &self.machine(ix).disk;
                let rows: Option<Vec<Row>> =
                    (from..upto).map(|seq| disk.read(RecordId { log, seq }).cloned()).collect();
                let Some(rows) = rows else {
                    let what =
                        format!("{} ships {}/{from}..{upto}, and lacks some", self.name(ix), self.log(log));
                    return self.violate("i04_prefixes", what);
                };
                let bad = rows.iter().position(|row| record::decode(&row.bytes).is_err());
                let rows: Vec<Row> = rows.into_iter().take(bad.unwrap_or(usize::MAX)).collect();
                let upto = from + u64::try_from(rows.len()).unwrap_or(0);
                self.tell(|world| {
                    format!(
                        "{} ships {}/{from}..{upto} to {}",
                        world.name(ix),
                        world.log(log),
                        world.name(peer)
                    )
                });
                self.send(ix, peer, Lane::Bulk, Message::Records { log, first: from, rows });
                if bad.is_some() {
                    self.after(1, 20, Event::Damaged(ix, self.machine(ix).life, RecordId { log, seq: upto }));
                }
            }
            Shipment::Snapshot => {
                let parcel = Disk::parcel(&self.machine(ix).disk);
                self.tell(|world| format!("{} ships a snapshot to {}", world.name(ix), world.name(peer)));
                self.history.tally.snapshots += 1;
                self.send(ix, peer, Lane::Bulk, Message::Parcel(Arc::new(parcel)));
            }
        }
    }

    /// A message reached a process.
    pub(crate) fn receive(&mut self, ix: Ix, from: Ix, message: Message) {
        let peer = self.machine(from).node;
        let event = match message {
            Message::Hello(hello) => PeerEvent::Hello(hello),
            Message::Beat(beat) => PeerEvent::Beat(beat),
            Message::Records { log, first, rows } => {
                let entries: Result<Vec<Entry>, _> =
                    rows.iter().map(|row| record::decode(&row.bytes)).collect();
                match entries {
                    Ok(entries) => PeerEvent::Records { log, first, entries },
                    Err(_) => return, // The transport would end the connection.
                }
            }
            Message::Registers(registers) => PeerEvent::Registers(registers),
            Message::Parcel(parcel) => {
                let snapshot = Box::new(parcel.snapshot());
                self.tell(|world| format!("{} gets the snapshot of {}", world.name(ix), world.name(from)));
                for id in parcel.rows.keys() {
                    self.observe(&Fact::Told { ix, id: *id });
                }
                self.machine_mut(ix).parcel = Some(parcel);
                PeerEvent::Snapshot(snapshot)
            }
        };
        self.handle(ix, Input::Peer { peer, event });
        self.machine_mut(ix).parcel = None;
    }

    /// How long a client waits before it asks another node.
    pub(crate) fn patience() -> u64 {
        millis(Duration::from_millis(1500))
    }
}
