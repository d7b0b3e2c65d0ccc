//! What must hold, whatever happens: a simple account of the records and deliveries of a walk.
//!
//! Written from the rules of dispatch, not from the core: it knows no queues, timers or providers' health.

use base::{AlertId, Name, NotificationId, RecordId};
use dispatch::directory::{Address, Mode, Unsent};
use dispatch::record::{Cause, Entry, Outcome, Purpose, Record, Roster, Then, Why};
use dispatch::{Answer, Delivery, Taken};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was written about one alert, as far as it is not lost.
#[derive(Clone, Default)]
struct Written {
    roster: Option<Arc<Roster>>,
    acks: Vec<Option<Name>>,
    ends: Vec<Why>,
    /// By notification: the attempts announced, with what came of them.
    attempts: BTreeMap<NotificationId, BTreeMap<RecordId, Option<Outcome>>>,
}

#[derive(Default)]
pub(crate) struct Model {
    /// Every record that is not lost, in the order of writing.
    records: Vec<(RecordId, Entry)>,
    written: BTreeMap<AlertId, Written>,
    rosters: BTreeMap<base::Digest, Arc<Roster>>,
    /// What a notification was, the first time it was seen.
    identities: BTreeMap<NotificationId, (AlertId, Name, Address, Purpose)>,
    /// Attempts that left, and have not been refused for certain.
    may_have_arrived: BTreeMap<NotificationId, BTreeSet<RecordId>>,
    /// What providers took responsibility for, and what they will never take.
    settled: BTreeSet<NotificationId>,
    /// Alerts whose senders were told yes.
    promised: BTreeSet<AlertId>,
}

impl Model {
    /// A record was written, durable or not.
    pub(crate) fn append(&mut self, id: RecordId, entry: &Entry) {
        self.records.push((id, entry.clone()));
        self.note(id, entry);
    }

    fn note(&mut self, id: RecordId, entry: &Entry) {
        if let Record::Roster(roster) = &entry.record {
            self.rosters.insert(roster.id, Arc::clone(roster));
        }
        let Some(alert) = entry.record.alert(id) else { return };
        if let Record::StepFired { fired, .. } = &entry.record {
            assert!(!self.is_answered(alert, None), "a step of {alert} fires after it was answered");
            assert!(fired.empty || !self.has_ended(alert), "a step of {alert} fires after its end");
        }
        let rosters = &self.rosters;
        let written = self.written.entry(alert).or_default();
        if let Record::Accept(accepted) = &entry.record {
            written.roster = rosters.get(&accepted.roster).map(Arc::clone);
            assert!(written.roster.is_some(), "{alert} is accepted before its roster is written");
        } else if let Record::Ack { ack, .. } = &entry.record {
            written.acks.push(ack.recipient.clone());
        } else if let Record::End { end, .. } = &entry.record {
            written.ends.push(end.why);
        } else if let Record::Intent { sends, .. } = &entry.record {
            for send in sends {
                written.attempts.entry(send.notification).or_default().insert(id, None);
            }
        } else if let Record::Done { outcomes, .. } = &entry.record {
            for done in outcomes {
                let attempts = written.attempts.entry(done.notification).or_default();
                let attempt = attempts.get_mut(&done.intent).expect("an outcome follows its intent");
                assert!(attempt.is_none(), "attempt {} ends twice", done.intent);
                *attempt = Some(done.outcome.clone());
            }
        }
    }

    /// Everything from `lost` on was not on the disk.
    pub(crate) fn crash(&mut self, log: base::LogId, upto: u64) {
        self.records.retain(|(id, _)| id.log != log || id.seq < upto);
        self.written.clear();
        for (id, entry) in std::mem::take(&mut self.records) {
            self.append(id, &entry);
        }
    }

    fn has_ended(&self, alert: AlertId) -> bool {
        self.written.get(&alert).is_some_and(|written| !written.ends.is_empty())
    }

    /// Nobody, or not this recipient, is asked to acknowledge any more.
    fn is_answered(&self, alert: AlertId, recipient: Option<&Name>) -> bool {
        let Some(written) = self.written.get(&alert) else { return false };
        let Some(roster) = &written.roster else { return false };
        let acked = |name: &Name| written.acks.iter().any(|ack| ack.as_ref() == Some(name));
        match roster.policy.mode {
            Mode::None => false,
            Mode::Basic => {
                let sends_on = recipient.is_some() && roster.policy.unsent == Unsent::Continue;
                !written.acks.is_empty() && !sends_on
            }
            Mode::Recall => {
                let all = first(roster).iter().all(|(name, _)| acked(name));
                written.acks.contains(&None) || all || recipient.is_some_and(acked)
            }
        }
    }

    /// An attempt leaves; `stored` says how far the log of this boot is durable.
    pub(crate) fn deliver(&mut self, delivery: &Delivery, stored: u64) {
        let id = delivery.notification;
        let (person, address) = delivery.roster.at(delivery.reach).expect("the roster has whom it goes to");
        assert_eq!(*address, delivery.address, "it goes where the roster says");
        let identity = (delivery.alert_id, person.name.clone(), address.clone(), delivery.purpose);
        let first = self.identities.entry(id).or_insert_with(|| identity.clone());
        assert_eq!(*first, identity, "one identity names two notifications");
        assert!(delivery.intent.seq < stored, "{} leaves before its intent is stored", delivery.intent);
        self.check_wanted(delivery, &person.name);
        self.check_mark(delivery);
        self.may_have_arrived.entry(id).or_default().insert(delivery.intent);
    }

    fn check_wanted(&self, delivery: &Delivery, recipient: &Name) {
        let alert = delivery.alert_id;
        if let Purpose::Alert(step) = delivery.purpose {
            let answered = self.is_answered(alert, Some(recipient));
            assert!(!answered, "{recipient} is told of {alert}, {step:?}, after it was acknowledged");
        }
        let news = delivery.purpose == Purpose::End;
        assert!(news || !self.has_ended(alert), "{recipient} is told of {alert} after its end");
    }

    /// A repetition says that it may be one, and nothing else does.
    fn check_mark(&self, delivery: &Delivery) {
        let written = self.written.get(&delivery.alert_id).expect("a delivery follows its alert");
        let attempts = written.attempts.get(&delivery.notification).expect("a delivery follows its intent");
        let before = || attempts.iter().filter(|(intent, _)| **intent != delivery.intent).map(|(_, out)| out);
        let accepted = before().any(|outcome| matches!(outcome, Some(Outcome::Accepted { .. })));
        assert!(!accepted, "{} goes out again although it was accepted", delivery.notification);
        let unknown = before().any(|outcome| matches!(outcome, Some(Outcome::Unknown { .. })));
        let silent = before().any(Option::is_none);
        let expected = if unknown { Some(Cause::Unknown) } else { silent.then_some(Cause::Crash) };
        assert_eq!(delivery.repeat, expected, "{} is marked wrongly", delivery.notification);
        let arrived = self.may_have_arrived.get(&delivery.notification).is_some_and(|left| !left.is_empty());
        assert!(!arrived || delivery.repeat.is_some(), "{} repeats unmarked", delivery.notification);
        assert_eq!(usize::from(delivery.attempt), before().count() + 1, "attempts are counted");
    }

    /// A provider says what came of an attempt.
    pub(crate) fn report(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let id = delivery.notification;
        match outcome {
            Outcome::Accepted { .. } => drop(self.settled.insert(id)),
            Outcome::Refused { then, .. } => {
                if let Some(left) = self.may_have_arrived.get_mut(&id) {
                    left.remove(&delivery.intent);
                }
                if *then == Then::GiveUp {
                    self.settled.insert(id);
                }
            }
            Outcome::Unknown { .. } => (),
        }
    }

    /// A request was answered.
    pub(crate) fn answer(&mut self, answer: &Answer, stored: u64) {
        if let Answer::Taken { taken: Taken::New, alert: Some((alert, _)), .. } = answer {
            assert!(alert.0.seq < stored, "{alert} is promised before it is stored");
            assert!(self.promised.insert(*alert), "{alert} is new twice");
        }
    }

    /// Every alert whose sender was told yes reached its first recipients, or somebody said not to.
    pub(crate) fn check_promises(&self) {
        for alert in &self.promised {
            let written = self.written.get(alert).unwrap_or_else(|| panic!("{alert} was lost"));
            let called_off =
                written.ends.iter().any(|why| *why != Why::Automatic) || !written.acks.is_empty();
            if called_off {
                continue;
            }
            let roster = written.roster.as_ref().expect("it has a roster");
            let step = Purpose::Alert(dispatch::record::StepKey::default());
            for (name, address) in first(roster) {
                let id = dispatch::notification_id(*alert, &name, &address, step);
                assert!(self.settled.contains(&id), "{name} was never told of {alert} at {address}");
            }
        }
    }

    pub(crate) fn promised(&self) -> usize {
        self.promised.len()
    }
}

/// Whom the first step is for, and where.
fn first(roster: &Roster) -> Vec<(Name, Address)> {
    let reach = roster.steps.first().map_or(&[][..], |step| &step.reach);
    let at = reach.iter().filter_map(|reach| roster.at(*reach));
    at.map(|(person, address)| (person.name.clone(), address.clone())).collect()
}
