//! A small cluster's records, by chance: three logs that speak of each other's alerts, in every order that a
//! log's own order allows.

use crate::common::{NINE, Pen, address, alert, name, roster, send};
use base::{AlertId, BootId, Hasher, LogId, NodeId, NotificationId, RecordId};
use dispatch::directory::{Edition, Severity};
use dispatch::record::{
    Acknowledgement, Actor, Claim, Comment, Concluded, Content, End, Entry, Fired, Outcome, Purpose, Record,
    Send, StepKey, Then, Via, Why,
};
use dispatch::state::State;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Chance that repeats itself: `SplitMix64`.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// The log of the first boot of node 1, 2 or 3.
pub(crate) fn log(node: u32) -> LogId {
    LogId { node: NodeId(node), boot: BootId(1 << 32) }
}

pub(crate) type Written = (RecordId, Entry);

/// What three nodes wrote, in the order in which they did.
pub(crate) struct World {
    chance: Chance,
    pens: Vec<Pen>,
    pub(crate) records: Vec<Written>,
    /// What all of them fold to.
    pub(crate) state: State,
    closed: Vec<AlertId>,
    accepted: u32,
    /// Attempts without an outcome, of each log.
    under_way: Vec<Vec<(AlertId, NotificationId, RecordId)>>,
    pauses: Vec<(RecordId, base::Wall)>,
    version: (u64, u64),
}

impl World {
    pub(crate) fn new(seed: u64, steps: usize) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            pens: (1..=3).map(|node| Pen::new(log(node))).collect(),
            records: Vec::new(),
            state: State::default(),
            closed: Vec::new(),
            accepted: 0,
            under_way: vec![Vec::new(); 3],
            pauses: Vec::new(),
            version: (1, 0),
        };
        for at in 0..3 {
            world.write(at, Record::Start { version: "0.1.0".into(), because: "clean".into() });
            world.write(at, Record::Roster(Arc::new(roster())));
        }
        for _ in 0..steps {
            world.step();
        }
        world
    }

    fn write(&mut self, at: usize, record: Record) -> RecordId {
        let (id, mut entry) = self.pens[at].write(record);
        // Few moments and many records: what happened at the same time has to have an order, too.
        entry.at = NINE + Duration::from_secs(u64::try_from(self.records.len() / 8).unwrap());
        self.state.apply(id, &entry).unwrap();
        self.records.push((id, entry));
        id
    }

    /// The alerts that are not over, twins among them.
    fn pending(&self) -> Vec<AlertId> {
        self.state.open.keys().chain(self.state.merged.keys()).copied().collect()
    }

    fn step(&mut self) {
        let at = self.chance.below(3);
        match self.chance.below(24) {
            0..=4 => self.accept(at),
            5 | 6 => self.close(at),
            7 => self.stand(at),
            8 => self.merge(at),
            _ => self.befall(at),
        }
    }

    fn accept(&mut self, at: usize) {
        self.accepted += 1;
        self.write(at, Record::Accept(Arc::new(alert(self.accepted))));
    }

    fn close(&mut self, at: usize) {
        let pending = self.pending();
        if !pending.is_empty() {
            let alert = pending[self.chance.below(pending.len())];
            self.write(at, Record::Closed { alert });
            let left = self.pending();
            self.closed.extend(pending.into_iter().filter(|alert| !left.contains(alert)));
        }
    }

    /// Two alerts turn out to be one.
    fn merge(&mut self, at: usize) {
        let open: Vec<AlertId> = self.state.open.keys().copied().collect();
        if open.len() < 2 {
            return;
        }
        let (one, other) = (open[self.chance.below(open.len())], open[self.chance.below(open.len())]);
        if one != other {
            let alert = one.max(other);
            let code = self.state.open[&alert].alert.code;
            self.write(at, Record::Merged { alert, code, into: one.min(other) });
        }
    }

    /// What stands without an alert.
    fn stand(&mut self, at: usize) {
        let by = Actor::ourselves();
        match self.chance.below(5) {
            0 => {
                let id = self.write(at, Record::Pause { by, reason: "works".into() });
                self.pauses.push((id, self.records.last().unwrap().1.at));
            }
            1 => {
                let pauses = std::mem::take(&mut self.pauses);
                self.write(at, Record::Resume { pauses, by });
            }
            2 => {
                let (term, version) = self.version;
                self.version = if self.chance.below(3) == 0 { (term + 1, 1) } else { (term, version + 1) };
                let (term, version) = self.version;
                let edition = Edition { term, version, ..Edition::default() };
                self.write(at, Record::Directory { edition, by, summary: "changed".into() });
            }
            3 => {
                let of = log(u32::try_from(1 + self.chance.below(3)).unwrap());
                self.write(at, Record::Claim(Claim { epoch: 1, log: of, from: 0, upto: 1 }));
            }
            _ => drop(self.write(at, Record::Note { by, what: "looked around".into() })),
        }
    }

    /// Something happens to an alert, now and then to one that is over.
    fn befall(&mut self, at: usize) {
        let late = self.chance.below(12) == 0;
        let some = if late { self.closed.clone() } else { self.pending() };
        if some.is_empty() {
            return;
        }
        let alert = some[self.chance.below(some.len())];
        let by = Actor::recipient(&name(["anna", "bea"][self.chance.below(2)]), Via::Link, None);
        let now = NINE + Duration::from_secs(u64::try_from(self.records.len() / 8).unwrap());
        match self.chance.below(9) {
            0 | 1 => self.intend(at, alert),
            2..=4 => self.conclude(at),
            5 => {
                let ack = Acknowledgement { at: now, recipient: None, by, comment: None, chosen: None };
                self.write(at, Record::Ack { alert, ack });
            }
            6 => {
                let comment = Comment { at: now, by, text: "on my way".into(), answer: None };
                self.write(at, Record::Comment { alert, comment });
            }
            7 => {
                let summary = format!("word {}", self.records.len()).into();
                let labels = BTreeMap::new();
                let content = Content {
                    severity: Severity::Critical,
                    summary,
                    details: "".into(),
                    labels,
                    origin: None,
                };
                self.write(at, Record::Update { alert, content: Arc::new(content), silent: false });
            }
            _ if self.chance.below(2) == 0 => {
                let fired = Fired {
                    at: now,
                    late: Duration::ZERO,
                    empty: false,
                    by: None,
                    on_call: BTreeSet::new(),
                    withheld: BTreeSet::new(),
                };
                let step = StepKey { round: 0, step: 1 };
                self.write(at, Record::StepFired { alert, step, fired });
            }
            _ => {
                let end = End { at: now, why: [Why::ByHand, Why::Resolved][self.chance.below(2)], by };
                self.write(at, Record::End { alert, end });
            }
        }
    }

    /// One of two notifications of the alert, so that several nodes try the same.
    fn intend(&mut self, at: usize, alert: AlertId) {
        let which = u64::try_from(self.chance.below(2)).unwrap();
        let digest = Hasher::new("test").text(&alert.to_string()).number(which).finish();
        let notification = NotificationId(digest.short());
        let provider = name(["smtp-a", "smtp-b", "smtp-c"][self.chance.below(3)]);
        let purpose = Purpose::Alert(StepKey::default());
        let sends = vec![Send { provider, purpose, address: address(), ..send(notification) }];
        let id = self.write(at, Record::Intent { alert, sends });
        self.under_way[at].push((alert, notification, id));
    }

    fn conclude(&mut self, at: usize) {
        let Some((alert, notification, intent)) = self.under_way[at].pop() else { return };
        let outcome = match self.chance.below(4) {
            0 => Outcome::Accepted { receipt: format!("250 {intent}").into() },
            1 => Outcome::Refused { then: Then::GiveUp, why: format!("550 {intent}").into() },
            2 => Outcome::Refused { then: Then::NextProvider, why: format!("454 {intent}").into() },
            _ => Outcome::Unknown { why: format!("lost {intent}").into() },
        };
        let outcomes = vec![Concluded { notification, intent, outcome }];
        self.write(at, Record::Done { alert, outcomes });
    }

    /// The records of one node.
    pub(crate) fn of(&self, node: u32) -> Vec<Written> {
        self.records.iter().filter(|(id, _)| id.log == log(node)).cloned().collect()
    }
}
