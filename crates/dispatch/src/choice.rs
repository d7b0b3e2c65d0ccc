//! By which provider a message goes: the first that works and has not refused this very message.
//!
//! Separate from `delivery`, which sends what is chosen here and records what came of it. A refusal says
//! little about who is to blame: "relaying denied" and "no such user" are both a 550. So a message that one
//! provider refuses is offered to the others, each once, before it waits or is given up: nobody has it yet,
//! so that nobody can get it twice.

use crate::Dispatch;
use crate::delivery::Channel;
use crate::lane::Job;
use crate::provider::Provider;
use crate::record::{Concluded, Outcome, Then};
use crate::state::{Attempt, Sent};
use base::limits::INTENT_NOTIFICATIONS_MAX;
use base::{AlertId, Name, Now};
use selection::Health;

impl Dispatch {
    /// The provider to use for what an alert has next on a channel, and how many messages it may get.
    pub(crate) fn choose(&self, now: Now, channel: &Name, alert: AlertId) -> Option<(Name, usize)> {
        let channel = self.channels.get(channel)?;
        let name = self.pick(now, channel, self.tried(alert, channel.lane.retry(alert)))?;
        let room = self.room(now, channel, name);
        (room > 0).then(|| (name.clone(), room))
    }

    /// The provider to use for a message that is for a notification of an alert, if there is room for it.
    pub(crate) fn choose_for(&self, now: Now, channel: &Name, alert: AlertId, job: &Job) -> Option<Name> {
        let channel = self.channels.get(channel)?;
        let name = self.pick(now, channel, self.tried(alert, Some(job)))?;
        (self.room(now, channel, name) > 0).then(|| name.clone())
    }

    /// How much of an alert's queue is for `provider`: so many that were tried before, and whether those
    /// that were not.
    pub(crate) fn share(&self, now: Now, channel: &Name, alert: AlertId, provider: &Name) -> (usize, bool) {
        let Some(channel) = self.channels.get(channel) else { return (0, false) };
        let same = |job| self.pick(now, channel, self.tried(alert, job)) == Some(provider);
        let again = channel.lane.retries(alert).take(INTENT_NOTIFICATIONS_MAX);
        (again.take_while(|job| same(Some(*job))).count(), same(None))
    }

    /// A refusal for good is one by this provider only, as long as another one that works was not asked, or
    /// said "later".
    pub(crate) fn soften(&self, now: Now, alert: AlertId, concluded: &mut Concluded) {
        let Outcome::Refused { then: then @ Then::GiveUp, .. } = &mut concluded.outcome else { return };
        let Some(sent) =
            self.state.open.get(&alert).and_then(|open| open.facts.sent.get(&concluded.notification))
        else {
            return;
        };
        let Some(attempt) = sent.attempts.iter().find(|attempt| attempt.intent == concluded.intent) else {
            return;
        };
        let hopes = |name: &Name| {
            let answers = || sent.attempts.iter().filter(|attempt| attempt.provider == *name);
            !answers().any(answered) || answers().next_back().is_some_and(said_later)
        };
        if self.others(now, sent).any(|name| *name != attempt.provider && hopes(name)) {
            *then = Then::Elsewhere;
        }
    }

    /// Another provider works, has room, and was not asked to take this message.
    pub(crate) fn has_room_elsewhere(&self, now: Now, sent: &Sent) -> bool {
        let Some(channel) = self.channels.get(&sent.address.channel) else { return false };
        self.others(now, sent).any(|name| !was_asked(sent, name) && self.room(now, channel, name) > 0)
    }

    /// The providers of a message's channel that work now, and whose day is not used up.
    fn others<'a>(&'a self, now: Now, sent: &Sent) -> impl Iterator<Item = &'a Name> {
        let selection = self.channels.get(&sent.address.channel).and_then(|it| it.selection.as_ref());
        let healthy = selection.into_iter().flat_map(|selection| selection.targets());
        healthy
            .filter(|(_, health)| **health == Health::Healthy)
            .map(|(name, _)| name)
            .filter(move |name| self.is_open(now, name))
    }

    fn is_open(&self, now: Now, name: &Name) -> bool {
        self.providers.get(name).is_some_and(|provider| !provider.is_exhausted(now))
    }

    /// The provider for one message. A busy one is waited for; one whose day is used up, or that fails, is
    /// passed over.
    fn pick<'a>(&self, now: Now, channel: &'a Channel, sent: Option<&Sent>) -> Option<&'a Name> {
        let selection = channel.selection.as_ref()?;
        let open = |name: &Name| self.is_open(now, name);
        let Some((sent, last)) = sent.and_then(|sent| Some((sent, sent.attempts.last()?))) else {
            return selection.choose(now.mono, open);
        };
        // One that works and was not asked, where one was asked and refused.
        let unasked = |name: &Name| {
            open(name)
                && !was_asked(sent, name)
                && selection.health(name) == Some(&Health::Healthy)
                && self.room(now, channel, name) > 0
        };
        // A message is not the trial of the provider that it has just failed with, if another one works:
        // else it would come back to that one for ever. And it alternates between those that say "later".
        let failing = selection.health(&last.provider).is_some_and(|health| *health != Health::Healthy);
        let burnt = (failing || said_later(last)).then_some(&last.provider);
        let other = |name: &Name| open(name) && Some(name) != burnt && !has_no_hope(sent, name);
        let first = if answered(last) { selection.choose(now.mono, unasked) } else { None };
        first.or_else(|| selection.choose(now.mono, other)).or_else(|| selection.choose(now.mono, open))
    }

    /// What is known of a message that was tried before.
    fn tried(&self, alert: AlertId, job: Option<&Job>) -> Option<&Sent> {
        self.state.open.get(&alert)?.facts.sent.get(&job?.notification)
    }

    fn room(&self, now: Now, channel: &Channel, name: &Name) -> usize {
        let fits = |provider: &Provider| provider.free.min(provider.allowance(now));
        let trial = channel.selection.as_ref().map_or(0, |selection| selection.room(name));
        self.providers.get(name).map_or(0, fits).min(trial)
    }
}

/// The provider looked at the message and said yes or no to it.
fn answered(attempt: &Attempt) -> bool {
    match &attempt.outcome {
        Some(Outcome::Accepted { .. }) => true,
        Some(Outcome::Refused { then, .. }) => match then {
            Then::RetryLater | Then::Elsewhere | Then::GiveUp => true,
            Then::RetryNow | Then::NextProvider => false,
        },
        Some(Outcome::Unknown { .. }) | None => false,
    }
}

fn said_later(attempt: &Attempt) -> bool {
    matches!(attempt.outcome, Some(Outcome::Refused { then: Then::RetryLater, .. }))
}

fn was_asked(sent: &Sent, name: &Name) -> bool {
    sent.attempts.iter().any(|attempt| attempt.provider == *name && answered(attempt))
}

fn has_no_hope(sent: &Sent, name: &Name) -> bool {
    let no =
        |attempt: &Attempt| matches!(attempt.outcome, Some(Outcome::Refused { then: Then::Elsewhere, .. }));
    sent.attempts.iter().any(|attempt| attempt.provider == *name && no(attempt))
}
