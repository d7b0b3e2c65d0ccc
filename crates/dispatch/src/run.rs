//! What is under way for one open alert: derived from the state, rebuilt after a restart, never durable.

use crate::clock::{Active, Moment};
use crate::directory::{Address, Mode};
use crate::hold::Holds;
use crate::lane::{Job, Rank};
use crate::record::{Alert, Purpose, Reach, Roster, Shift, StepKey, Withheld};
use crate::state::{Facts, Sent};
use base::{AlertId, Hasher, LogId, Mono, Name, NotificationId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where in a roster each person stands: made once for all its alerts.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    places: BTreeMap<Name, u32>,
    /// Whom the first step is for, whoever is on call.
    first: Arc<BTreeSet<u32>>,
}

impl Index {
    pub(crate) fn new(roster: &Roster) -> Self {
        let names = roster.people.iter().map(|person| person.name.clone());
        let first = roster.steps.first().map_or(&[][..], |step| &step.reach);
        let first = Arc::new(first.iter().map(|reach| reach.person).collect());
        Self { places: names.zip(0..).collect(), first }
    }

    /// The roster has somebody of that name.
    pub(crate) fn holds(&self, name: &Name) -> bool {
        self.places.contains_key(name)
    }

    /// Whom the first step is for, if these are on call and that is withheld.
    pub(crate) fn first(
        &self,
        roster: &Roster,
        on_call: &BTreeSet<Shift>,
        withheld: &BTreeSet<Withheld>,
    ) -> Arc<BTreeSet<u32>> {
        if on_call.is_empty() && withheld.is_empty() {
            return Arc::clone(&self.first);
        }
        let told = roster.told(StepKey::default(), on_call, withheld);
        Arc::new(told.iter().map(|reach| reach.person).collect())
    }
}

/// Whether this boot sends for an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Another boot does.
    Theirs,
    /// This one will, once the peers hold the alert or have seen the claim.
    Awaited,
    /// This one does.
    Ours,
}

/// Whom twins tell of which step: none once they were told, else the boot that is at it.
pub(crate) type Elsewhere = BTreeMap<(Name, Address, StepKey), Option<LogId>>;

/// What is under way for one alert.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Whose it is.
    pub(crate) owner: LogId,
    pub(crate) turn: Turn,
    /// The alert as accepted.
    pub(crate) bound: Arc<Alert>,
    /// It was taken over from this boot, whose log may have gone on after what we have of it, when this was the last step that had fired.
    pub(crate) taken: Option<(LogId, StepKey)>,
    /// Channels by which this boot sends for it although it is another's.
    pub(crate) delegated: BTreeSet<Name>,
    /// The alerts that became part of it.
    pub(crate) twins: Vec<AlertId>,
    /// Whom it or a twin of it told of which step; or by which boot that is under way.
    pub(crate) elsewhere: Elsewhere,
    pub(crate) roster: Arc<Roster>,
    /// Where in the roster each person stands.
    pub(crate) index: Arc<Index>,
    /// Whom the first step is for, as places in the roster.
    pub(crate) first: Arc<BTreeSet<u32>>,
    /// When the last step fired that told somebody.
    pub(crate) fired: Active,
    /// The same on the monotonic clock.
    pub(crate) fired_at: Moment,
    pub(crate) accepted_at: Moment,
    pub(crate) acked_at: Option<Moment>,
    /// When the next step fires.
    pub(crate) step_due: Option<Active>,
    /// When the alert closes or expires by itself.
    pub(crate) lapse_due: Option<Mono>,
    /// Until when it stands without being heard of again; none where its source says when it is over.
    pub(crate) stands_until: Option<Mono>,
    /// The same as far as this node heard it itself, and can say so to others.
    pub(crate) heard_until: Option<Mono>,
    /// That time is over, and the peers are asked: by the record before this place of our log.
    pub(crate) doubted: Option<u64>,
    /// What holds it back now.
    pub(crate) holds: Holds,
    /// Who has acknowledged.
    pub(crate) acked: BTreeSet<Name>,
    /// An operator, who is no recipient, acknowledged for everybody.
    pub(crate) acked_for_all: bool,
    /// In recall mode: how many of the first recipients have yet to acknowledge.
    pub(crate) missing: usize,
    /// Attempts under way.
    pub(crate) in_flight: usize,
    /// Notifications that wait to be tried again, and until when.
    pub(crate) retries: BTreeSet<(Mono, Job)>,
    /// Notifications given up that the operators have yet to be told of in a summary.
    pub(crate) failed: usize,
    /// Some notification was accepted by a provider.
    pub(crate) told: bool,
    pub(crate) system: bool,
    /// Before whom it is sent.
    pub(crate) rank: Rank,
}

impl Run {
    /// Nothing of it is told now.
    pub(crate) fn is_held(&self) -> bool {
        self.holds.any()
    }

    /// Whether this boot sends for it by a channel, now.
    pub(crate) fn sends_by(&self, channel: &Name) -> bool {
        if self.is_held() {
            return false;
        }
        self.turn == Turn::Ours || self.delegated.contains(channel)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.roster.policy.mode
    }

    /// The alert asks nobody any more to acknowledge.
    pub(crate) fn acknowledged(&self, facts: &Facts) -> bool {
        match self.mode() {
            Mode::None => false,
            Mode::Basic => !facts.acks.is_empty(),
            Mode::Recall => self.acked_for_all || self.missing == 0 && !facts.acks.is_empty(),
        }
    }

    /// Counts an acknowledgement.
    pub(crate) fn count_ack(&mut self, recipient: Option<&Name>) {
        match recipient {
            None => self.acked_for_all = true,
            Some(name) => {
                if self.acked.insert(name.clone()) && self.is_first_recipient(name) {
                    self.missing = self.missing.saturating_sub(1);
                }
            }
        }
    }

    /// Where in the roster a notification goes to.
    pub(crate) fn reach(&self, sent: &Sent) -> Option<Reach> {
        let person = self.index.places.get(&sent.recipient).copied()?;
        let addresses = &self.roster.people.get(usize::try_from(person).ok()?)?.addresses;
        let address = addresses.iter().position(|address| *address == sent.address)?;
        Some(Reach { person, address: u8::try_from(address).ok()? })
    }

    fn is_first_recipient(&self, name: &Name) -> bool {
        self.index.places.get(name).is_some_and(|person| self.first.contains(person))
    }
}

/// The identity of a notification: the same on every node that comes to send it.
pub fn notification_id(
    alert: AlertId,
    recipient: &Name,
    address: &Address,
    purpose: Purpose,
) -> NotificationId {
    let hasher = Hasher::new("notification").number(u64::from(alert.0.log.node.0)).number(alert.0.log.boot.0);
    let hasher = hasher.number(alert.0.seq).text(recipient.as_str());
    let hasher = hasher.text(address.channel.as_str()).text(&address.value);
    let hasher = match purpose {
        Purpose::Alert(key) => hasher.text("alert").number(u64::from(key.round)).number(u64::from(key.step)),
        Purpose::Acknowledgement(id) => hasher.text("acknowledgement").text(&id.to_string()),
        Purpose::Comment(id) => hasher.text("comment").text(&id.to_string()),
        Purpose::End => hasher.text("end"),
    };
    NotificationId(hasher.finish().short())
}

/// The identity of the notification of `reach`, if the roster has it.
pub(crate) fn identify(
    alert: AlertId,
    roster: &Roster,
    reach: Reach,
    purpose: Purpose,
) -> Option<NotificationId> {
    let (person, address) = roster.at(reach)?;
    Some(notification_id(alert, &person.name, address, purpose))
}
