//! What really happened, as nobody in the run can know it: the account to which the invariants hold the nodes.

use crate::disk::Disk;
use crate::net::Ix;
use crate::queue::Ms;
use base::{AlertId, Digest, LogId, Name, NodeId, NotificationId, RecordId};
use dispatch::record::{Alert, Code, Entry, Outcome, Purpose, Record, Roster, Why};
use dispatch::{Answer, Delivery, Taken};
use ownership::{Condition, Heartbeat, Vector};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    Started {
        ix: Ix,
        log: LogId,
        poisoned: &'a [RecordId],
    },
    Appended {
        ix: Ix,
        id: RecordId,
        entry: &'a Entry,
        bytes: &'a [u8],
    },
    Durable {
        ix: Ix,
        id: RecordId,
    },
    /// A snapshot is about to be taken over that has this record.
    Told {
        ix: Ix,
        id: RecordId,
    },
    Finished {
        ix: Ix,
        alert: AlertId,
    },
    Delivered {
        ix: Ix,
        id: u64,
        delivery: &'a Delivery,
    },
    Taken {
        id: u64,
        delivery: &'a Delivery,
    },
    Reported {
        id: u64,
        delivery: &'a Delivery,
        outcome: &'a Outcome,
    },
    Answered {
        client: usize,
        answer: &'a Answer,
    },
    Beat {
        ix: Ix,
        beat: &'a Heartbeat,
        durable: &'a Vector,
    },
    Compacted {
        ix: Ix,
        waiting: usize,
        most: usize,
    },
    Wiped {
        ix: Ix,
        lost: &'a Disk,
        disks: &'a [Disk],
    },
    /// A process ended, and with it what it had not written.
    Stopped {
        disks: &'a [Disk],
    },
}

/// An alert that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) alert: Arc<Alert>,
    pub(crate) code: Code,
    /// Whose notice it came of; none for one of the nodes' own.
    pub(crate) client: Option<usize>,
}

/// An attempt to tell somebody.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub(crate) at: Ms,
    pub(crate) ix: Ix,
    /// The provider took it.
    pub(crate) taken: bool,
    /// The node heard what became of it.
    pub(crate) reported: Option<Outcome>,
}

/// Something that was asked for, and makes people wait or hear twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Upset {
    /// Sending was paused at some time.
    Paused,
    /// A node was taken out of the cluster while it ran: it sends until it hears of that.
    Dismissed,
    /// Some wall clock jumped.
    Jumped,
    /// Alerts may have been held back.
    Held,
}

/// From when, and until when if it is over.
pub(crate) type Span = (Ms, Option<Ms>);

/// The best that was answered to a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) alert: AlertId,
    pub(crate) copies: u8,
}

/// Figures of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Notices that were answered with yes.
    pub accepted: u64,
    /// Of those, by a node that promised one disk alone.
    pub solo: u64,
    /// Messages that a provider took.
    pub deliveries: u64,
    /// Of those, beyond the first for the same person, step and notice.
    pub duplicates: u64,
    /// Messages that say that they may have arrived before.
    pub marked: u64,
    /// Notices whose last copy was on the disk that was lost.
    pub destroyed: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Links that were cut.
    pub cuts: u64,
    /// Processes that stood still.
    pub pauses: u64,
    /// Disks that were lost.
    pub wiped: u64,
    /// Snapshots that were sent.
    pub snapshots: u64,
    /// Claims that were written.
    pub claims: u64,
    /// Alerts that were merged.
    pub merged: u64,
    /// When the run was over, in milliseconds.
    pub ended: u64,
}

impl Tally {
    /// Adds another run's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.solo += other.solo;
        self.deliveries += other.deliveries;
        self.duplicates += other.duplicates;
        self.marked += other.marked;
        self.destroyed += other.destroyed;
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.pauses += other.pauses;
        self.wiped += other.wiped;
        self.snapshots += other.snapshots;
        self.claims += other.claims;
        self.merged += other.merged;
        self.ended += other.ended;
    }
}

/// All that happened so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: BTreeMap<RecordId, Entry>,
    pub(crate) alerts: BTreeMap<AlertId, Known>,
    pub(crate) rosters: BTreeMap<Digest, Arc<Roster>>,
    pub(crate) sends: BTreeMap<NotificationId, BTreeMap<u64, Send>>,
    /// Who was told of a notice.
    pub(crate) told: BTreeMap<usize, BTreeSet<Name>>,
    /// How often somebody was told the same of a notice.
    pub(crate) messages: BTreeMap<(usize, Name, Purpose), u64>,
    pub(crate) promises: BTreeMap<usize, Promise>,
    pub(crate) acked: BTreeSet<usize>,
    pub(crate) ended: BTreeMap<usize, BTreeSet<Why>>,
    pub(crate) destroyed: BTreeSet<usize>,
    /// Those whose disk is lost, with a copy that was not written yet.
    unwritten: BTreeSet<usize>,
    /// Who found whom down, and when.
    pub(crate) downs: Vec<(Ms, Ix, Ix)>,
    /// Who did not hear whom, from when to when.
    pub(crate) apart: BTreeMap<(Ix, Ix), Vec<Span>>,
    /// Every boot there was.
    pub(crate) boots: BTreeMap<NodeId, BTreeSet<LogId>>,
    pub(crate) tally: Tally,
    /// What makes some invariants look the other way.
    pub(crate) upsets: BTreeSet<Upset>,
}

impl History {
    /// Notes what happened.
    pub(crate) fn note(&mut self, now: Ms, fact: &Fact<'_>) {
        match fact {
            Fact::Started { log, .. } => drop(self.boots.entry(log.node).or_default().insert(*log)),
            Fact::Appended { ix, id, entry, .. } => self.appended(now, *ix, *id, entry),
            Fact::Delivered { ix, id, delivery } => {
                let send = Send { at: now, ix: *ix, taken: false, reported: None };
                self.sends.entry(delivery.notification).or_default().insert(*id, send);
            }
            Fact::Taken { id, delivery } => self.taken(*id, delivery),
            Fact::Reported { id, delivery, outcome } => {
                if let Some(send) = self.sends.get_mut(&delivery.notification).and_then(|all| all.get_mut(id))
                {
                    send.reported = Some((*outcome).clone());
                }
            }
            Fact::Answered { client, answer } => self.answered(*client, answer),
            Fact::Wiped { lost, disks, ix } => self.wiped(*ix, lost, disks),
            Fact::Stopped { disks } => self.stopped(disks),
            Fact::Durable { .. }
            | Fact::Told { .. }
            | Fact::Finished { .. }
            | Fact::Beat { .. }
            | Fact::Compacted { .. } => (),
        }
    }

    fn appended(&mut self, now: Ms, ix: Ix, id: RecordId, entry: &Entry) {
        if self.entries.contains_key(&id) {
            return;
        }
        self.entries.insert(id, entry.clone());
        let about = entry.record.alert(id).and_then(|alert| self.client(alert));
        match &entry.record {
            Record::Accept(alert) => {
                let client = alert.content.summary.strip_prefix("notice ").and_then(|text| text.parse().ok());
                let known = Known { alert: Arc::clone(alert), code: alert.code, client };
                self.alerts.insert(AlertId(id), known);
            }
            Record::Roster(roster) => drop(self.rosters.insert(roster.id, Arc::clone(roster))),
            Record::Ack { .. } => self.acked.extend(about),
            Record::End { end, .. } => {
                if let Some(client) = about {
                    self.ended.entry(client).or_default().insert(end.why);
                }
            }
            Record::PeerState { peer, to, .. } => self.changed(now, ix, *peer, *to),
            Record::Claim(_) => self.tally.claims += 1,
            Record::Merged { .. } => self.tally.merged += 1,
            Record::Pause { .. } => drop(self.upsets.insert(Upset::Paused)),
            Record::Silence(_) => drop(self.upsets.insert(Upset::Held)),
            Record::Directory { edition, .. } if !edition.directory.inhibitions.is_empty() => {
                self.upsets.insert(Upset::Held);
            }
            Record::Member { member: None, .. } => drop(self.upsets.insert(Upset::Dismissed)),
            Record::Start { .. }
            | Record::Update { .. }
            | Record::StepFired { .. }
            | Record::Intent { .. }
            | Record::Done { .. }
            | Record::Comment { .. }
            | Record::Closed { .. }
            | Record::Resume { .. }
            | Record::Unsilence { .. }
            | Record::Release { .. }
            | Record::Duty(_)
            | Record::RosterDropped { .. }
            | Record::Member { .. }
            | Record::Conduct { .. }
            | Record::Directory { .. }
            | Record::Provider { .. }
            | Record::Delegate { .. }
            | Record::Note { .. } => (),
        }
    }

    fn changed(&mut self, now: Ms, ix: Ix, peer: NodeId, to: Condition) {
        let peer = usize::try_from(peer.0).unwrap_or(1) - 1;
        let times = self.apart.entry((ix, peer)).or_default();
        if to == Condition::Down {
            self.downs.push((now, ix, peer));
            times.push((now, None));
        } else if let Some((_, until @ None)) = times.last_mut() {
            *until = Some(now);
        }
    }

    /// Whether one of the two did not hear the other at `at`, or a little before or after.
    pub(crate) fn were_apart(&self, one: Ix, other: Ix, at: Ms) -> bool {
        let about = |(from, until): &Span| *from <= at + 1500 && until.is_none_or(|until| at <= until + 1500);
        let times = |pair| self.apart.get(&pair).into_iter().flatten();
        times((one, other)).chain(times((other, one))).any(about)
    }

    /// Whose notice an alert came of.
    pub(crate) fn client(&self, alert: AlertId) -> Option<usize> {
        self.alerts.get(&alert).and_then(|known| known.client)
    }

    /// For whom an alert is, and how it escalates.
    pub(crate) fn roster(&self, alert: AlertId) -> Option<&Arc<Roster>> {
        self.alerts.get(&alert).and_then(|known| self.rosters.get(&known.alert.roster))
    }

    fn taken(&mut self, id: u64, delivery: &Delivery) {
        if let Some(send) = self.sends.get_mut(&delivery.notification).and_then(|all| all.get_mut(&id)) {
            send.taken = true;
        }
        self.tally.deliveries += 1;
        self.tally.marked += u64::from(delivery.repeat.is_some());
        let Some(client) = self.client(delivery.alert_id) else { return };
        let Some((person, _)) = delivery.roster.at(delivery.reach) else { return };
        let count = self.messages.entry((client, person.name.clone(), delivery.purpose)).or_default();
        *count += 1;
        self.tally.duplicates += u64::from(*count > 1);
        if matches!(delivery.purpose, Purpose::Alert(_)) {
            self.told.entry(client).or_default().insert(person.name.clone());
        }
    }

    fn answered(&mut self, client: usize, answer: &Answer) {
        let Answer::Taken { taken: Taken::New | Taken::Repeated, alert: Some((alert, _)), copies, .. } =
            answer
        else {
            return;
        };
        let promise = Promise { alert: *alert, copies: *copies };
        let known = self.promises.entry(client).or_insert(promise);
        known.copies = known.copies.max(*copies);
    }

    /// Notices whose last copy was on a disk that is lost, or is still to be written to another.
    fn wiped(&mut self, ix: Ix, lost: &Disk, disks: &[Disk]) {
        let clients: Vec<usize> = self.promises.keys().copied().collect();
        for client in clients {
            let others = || disks.iter().enumerate().filter(|(at, _)| *at != ix).map(|(_, disk)| disk);
            if !self.is_on(lost, client) || others().any(|disk| self.is_on(disk, client)) {
                continue;
            }
            if others().any(|disk| self.alerts_of(client).any(|alert| disk.read(alert.0).is_some())) {
                self.unwritten.insert(client);
            } else {
                self.destroyed.insert(client);
            }
        }
        self.tally.destroyed = u64::try_from(self.destroyed.len()).unwrap_or(0);
    }

    /// Of what was still to be written when the only disk that had it was lost, this may have been the last copy.
    fn stopped(&mut self, disks: &[Disk]) {
        let clients: Vec<usize> = self.unwritten.iter().copied().collect();
        for client in clients {
            if !disks.iter().any(|disk| self.is_on(disk, client)) {
                self.destroyed.insert(client);
            }
        }
        self.tally.destroyed = u64::try_from(self.destroyed.len()).unwrap_or(0);
    }

    fn alerts_of(&self, client: usize) -> impl Iterator<Item = AlertId> {
        self.alerts.iter().filter(move |(_, known)| known.client == Some(client)).map(|(id, _)| *id)
    }

    /// Some alert of a notice is on a disk.
    fn is_on(&self, disk: &Disk, client: usize) -> bool {
        let mut alerts = self.alerts_of(client);
        alerts.any(|alert| disk.upto.get(&alert.0.log).is_some_and(|upto| *upto > alert.0.seq))
    }
}
