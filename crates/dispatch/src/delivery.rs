//! Out to the providers, and back with an outcome.
//!
//! ```text
//! fan or retry ─► Intent (durable) ─► Deliver ─► Report ─► Done
//!      ▲                                            │
//!      └──── retry: now, later, by another ─────────┘
//! ```
//! The `Intent` is on disk before the first byte leaves, so that after a crash everything that may have been
//! sent is known: it is sent once more, marked, with the same identity.

use crate::bundle::{bundling, is_first};
use crate::directory::Mode;
use crate::input::{Delivery, Said};
use crate::lane::{Job, Lane, List};
use crate::record::{Acknowledgement, Cause, Concluded, Outcome, Purpose, Reach, Record, Send, Then};
use crate::run::{Run, identify};
use crate::state::{Attempt, Open, Sent};
use crate::{Dispatch, Effect, Held};
use base::limits::{ATTEMPTS_MAX, DONE_OUTCOMES_MAX, INTENT_NOTIFICATIONS_MAX};
use base::{AlertId, LogId, Mono, Name, NotificationId, Now, RecordId};
use ownership::Cluster;
use selection::{Change, Selection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Intents written in one turn, for all channels together; the rest follow in the next.
const INTENTS_PER_TURN: usize = 64;
/// Places of a fan looked at for one `Intent`: after a restart most of them are done.
const LOOKED_AT_PER_TURN: usize = 1024;
/// How long what another boot announced is left to it before it is looked at again.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// From here on a message says that it is late.
const LATE_MIN: Duration = Duration::from_secs(60);
/// Refusals that say "at once" are believed this often in a row.
const RETRIES_NOW_MAX: usize = 3;

/// One channel on this node: what waits for it, and by whom it goes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channel {
    pub(crate) lane: Lane,
    pub(crate) selection: Option<Selection>,
    /// The operators know that no provider of this node serves it.
    pub(crate) told_unserved: bool,
}

impl Dispatch {
    /// A provider has room for `free` deliveries.
    pub(crate) fn offer(&mut self, provider: &Name, free: usize) {
        if let Some(provider) = self.providers.get_mut(provider) {
            provider.free = free;
        }
    }

    /// Hands out work to every provider that has room, alert by alert in turn.
    pub(crate) fn send(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.unfinished = false;
        if self.draining || self.is_switching() {
            return;
        }
        self.rules.follow(&self.state.edition.directory);
        self.send_bundles(now, out);
        let mut intents = 0;
        let names: Vec<Name> = self
            .channels
            .iter()
            .filter(|(_, channel)| !channel.lane.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            while intents < INTENTS_PER_TURN && self.send_some(now, &name, out) {
                intents += 1;
            }
        }
        self.unfinished = intents == INTENTS_PER_TURN;
    }

    /// Writes one `Intent` for the alert whose turn it is on `channel`; false if there is nothing to do.
    fn send_some(&mut self, now: Now, channel: &Name, out: &mut Vec<Effect>) -> bool {
        let paused = self.clock.is_paused();
        let Some(alert) = self.channels.get_mut(channel).and_then(|channel| channel.lane.turn(paused)) else {
            return false;
        };
        let Some((provider, room)) = self.choose(now, channel, alert) else { return false };
        let jobs = self.next_jobs(now, alert, channel, &provider, room.min(INTENT_NOTIFICATIONS_MAX));
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.lane.rotate(alert);
        }
        if jobs.is_empty() {
            self.settle(now, alert, out); // What was queued had been withdrawn.
        } else {
            self.intend(now, alert, &provider, &jobs, out);
        }
        true
    }

    /// Takes up to `max` notifications of an alert that are still wanted and are for `provider`.
    fn next_jobs(
        &mut self,
        now: Now,
        alert: AlertId,
        channel: &Name,
        provider: &Name,
        max: usize,
    ) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut waits = Vec::new();
        let (me, cluster) = (self.me, &self.cluster);
        let under_way = |intent| is_under_way(me, cluster, intent);
        let (mut again, new) = self.share(now, channel, alert, provider);
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return jobs };
        let bundle = bundling(self.rules.bundle(&open.alert.route), open, run);
        let bundles = &mut self.bundles;
        let mut waits_for_others = |job: &Job| {
            let Some((bundle, (_, address))) = bundle.zip(run.roster.at(job.reach)) else { return false };
            let of = (&open.alert.route, address);
            is_first(open, job) && bundles.holds(now.mono, of, bundle, (alert, *job))
        };
        let Some(queue) = self.channels.get_mut(channel).and_then(|channel| channel.lane.queue(alert)) else {
            return jobs;
        };
        while jobs.len() < max
            && again > 0
            && let Some(job) = queue.jobs.pop_front()
        {
            again -= 1;
            match look(open, run, &job, under_way) {
                Look::Send if waits_for_others(&job) => (),
                Look::Send => jobs.push(job),
                Look::Wait => waits.push(job),
                Look::Skip => (),
            }
        }
        let mut looked_at = 0;
        while new
            && jobs.len() < max
            && looked_at < LOOKED_AT_PER_TURN
            && let Some(fan) = queue.fans.front_mut()
        {
            looked_at += 1;
            let Some(reach) = fan.list.at(run, fan.next) else {
                queue.fans.pop_front();
                continue;
            };
            fan.next += 1;
            let here = run.roster.at(reach).is_some_and(|(_, address)| address.channel == *channel);
            if here && let Some(job) = job(alert, open, run, reach, fan.purpose) {
                match look(open, run, &job, under_way) {
                    Look::Send if waits_for_others(&job) => (),
                    Look::Send => jobs.push(job),
                    Look::Wait => waits.push(job),
                    Look::Skip => (),
                }
            }
        }
        // One that waits to be tried again may stand in a fan as well, if that was queued anew.
        let mut once = BTreeSet::new();
        jobs.retain(|job| once.insert(job.notification));
        for job in waits {
            self.retry_later(now, alert, job, PATIENCE);
        }
        for job in &mut jobs {
            job.repeat = self.repeat_now(alert, job);
        }
        jobs
    }

    /// Announces attempts, and holds them until the announcement is durable.
    pub(crate) fn intend(
        &mut self,
        now: Now,
        alert: AlertId,
        provider: &Name,
        jobs: &[Job],
        out: &mut Vec<Effect>,
    ) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        let Some(channel) = self.providers.get(provider).map(|provider| provider.spec.channel.clone()) else {
            return;
        };
        let intent = RecordId { log: self.me, seq: self.next };
        let announced = jobs.iter().filter_map(|job| Some((job, announce(open, run, provider, job)?)));
        let (deliveries, sends): (Vec<Delivery>, Vec<Send>) = announced
            .map(|(job, send)| (Delivery::new(alert, (open, run), (intent, &send), job), send))
            .unzip();
        if let Some(run) = self.runs.get_mut(&alert) {
            run.in_flight += deliveries.len();
        }
        self.append(now, Record::Intent { alert, sends }, out);
        for delivery in &deliveries {
            self.flights.insert((delivery.intent, delivery.notification), provider.clone());
        }
        let messages = deliveries.len();
        deliveries.into_iter().for_each(|delivery| self.hold(Held::Deliver(Box::new(delivery))));
        self.depart(now, provider, &channel, messages, out);
    }

    /// So many messages take room, rate and quota of a provider.
    pub(crate) fn depart(
        &mut self,
        now: Now,
        provider: &Name,
        channel: &Name,
        messages: usize,
        out: &mut Vec<Effect>,
    ) {
        let mut exhausted = false;
        if let Some(provider) = self.providers.get_mut(provider) {
            provider.spend(now, messages);
            exhausted = provider.is_exhausted(now);
        }
        let channel_of = self.channels.get_mut(channel);
        if let Some(selection) = channel_of.and_then(|channel| channel.selection.as_mut()) {
            selection.started(provider);
        }
        if exhausted {
            self.tell_of_quota(now, channel, provider, out);
        }
    }

    /// The announcement of an attempt is durable: it is made, unless it is no longer wanted.
    pub(crate) fn let_go(&mut self, now: Now, mut delivery: Box<Delivery>, out: &mut Vec<Effect>) {
        if self.is_due(&delivery) {
            let found = self.state.open.get(&delivery.alert_id).zip(self.runs.get(&delivery.alert_id));
            if let Some((open, run)) = found {
                delivery.said = said(open, delivery.purpose);
                delivery.late = late(now, open, run, delivery.purpose);
            }
            out.push(Effect::Deliver(delivery));
        } else if self.is_wanted(&delivery) {
            self.wait(now, &delivery, out);
        } else {
            self.withhold(now, &delivery, out);
        }
    }

    /// An announced attempt is to be made, now.
    pub(crate) fn is_due(&self, delivery: &Delivery) -> bool {
        // Nor did anybody else begin with it meanwhile: two whose cut is healed may have announced it at once.
        let open = self.state.open.get(&delivery.alert_id);
        self.is_wanted(delivery) && open.is_some_and(|open| !self.is_elsewhere(open, delivery))
    }

    /// An announced attempt is still to be made, and by this node.
    fn is_wanted(&self, delivery: &Delivery) -> bool {
        let alert = delivery.alert_id;
        // The owner is looked at again at the last moment: another node may have claimed the alert meanwhile.
        // Without this look a node that was paused between announcing and sending would send beside its successor.
        let ours = self.may_send(alert, &delivery.address.channel) || !self.cluster.rules().fence;
        let done = |open: &Open| open.facts.sent.get(&delivery.notification).is_some_and(Sent::concluded);
        let found = self.state.open.get(&alert).zip(self.runs.get(&alert));
        found.is_some_and(|(open, run)| {
            let held = run.is_held() && self.cluster.rules().hush;
            ours && !done(open) && !held && wanted(open, run, delivery.reach, delivery.purpose)
        })
    }

    /// A peer that we hear announced the same, and has yet to say what came of it.
    fn is_elsewhere(&self, open: &Open, delivery: &Delivery) -> bool {
        let theirs = |intent: LogId| intent != self.me && self.cluster.living(intent.node) == Some(intent);
        let under_way = |attempt: &Attempt| attempt.outcome.is_none() && theirs(attempt.intent.log);
        let sent = open.facts.sent.get(&delivery.notification);
        self.cluster.rules().patience && sent.is_some_and(|sent| sent.attempts.iter().any(under_way))
    }

    /// Takes an announcement back, and looks again later: the peer's outcome is heard, or the peer is not.
    fn wait(&mut self, now: Now, delivery: &Delivery, out: &mut Vec<Effect>) {
        let why = "not sent: another node is just sending it".into();
        self.take_back(now, delivery, Outcome::Refused { then: Then::RetryNow, why }, out);
        let Delivery { notification, reach, purpose, repeat, .. } = *delivery;
        let job = Job { notification, reach, purpose, repeat };
        self.retry_later(now, delivery.alert_id, job, PATIENCE);
    }

    /// Concludes an attempt that was announced and not made.
    fn withhold(&mut self, now: Now, delivery: &Delivery, out: &mut Vec<Effect>) {
        let alert = delivery.alert_id;
        let ours = self.may_send(alert, &delivery.address.channel);
        let into = self.state.target(alert);
        let held = self.runs.get(&alert).is_some_and(Run::is_held);
        let outcome = if held {
            Outcome::Refused { then: Then::RetryNow, why: "not sent: the alert is held back".into() }
        } else if into != alert {
            // Given up, it would count as told, and nobody would tell them: not now, and not when the other one
            // arrives here, if it has not yet.
            let why = "not sent: the alert is part of another one from now on".into();
            Outcome::Refused { then: Then::RetryNow, why }
        } else if ours {
            let why = "withdrawn before it was sent: the alert was acknowledged or is over".into();
            Outcome::Refused { then: Then::GiveUp, why }
        } else {
            // For whoever sends now it is as if it had never been announced.
            let why = "not sent: another node sends for this alert now".into();
            Outcome::Refused { then: Then::RetryNow, why }
        };
        self.take_back(now, delivery, outcome, out);
        self.settle(now, into, out);
    }

    /// Writes down that an announced attempt was not made. It says nothing about its provider.
    fn take_back(&mut self, now: Now, delivery: &Delivery, outcome: Outcome, out: &mut Vec<Effect>) {
        let alert = delivery.alert_id;
        let concluded = Concluded { notification: delivery.notification, intent: delivery.intent, outcome };
        self.append(now, Record::Done { alert, outcomes: vec![concluded] }, out);
        // Of several in one message only one stands for it towards the provider.
        let stood = self.ended(alert, delivery.intent, delivery.notification).is_some();
        let channel = self.channels.get_mut(&delivery.address.channel).filter(|_| stood);
        if let Some(selection) = channel.and_then(|channel| channel.selection.as_mut()) {
            selection.abstained(now.mono, &delivery.provider);
        }
        self.note_twin(alert, std::iter::once(delivery.notification));
    }

    /// An attempt is under way no longer. Its provider has room again whatever became of the alert meanwhile: a
    /// peer may have closed it.
    fn ended(&mut self, alert: AlertId, intent: RecordId, notification: NotificationId) -> Option<Name> {
        let alert = self.state.target(alert);
        if let Some(run) = self.runs.get_mut(&alert) {
            run.in_flight = run.in_flight.saturating_sub(1);
        }
        let name = self.flights.remove(&(intent, notification))?;
        if let Some(provider) = self.providers.get_mut(&name) {
            provider.free += 1;
        }
        Some(name)
    }

    /// Attempts came to their ends.
    pub(crate) fn conclude(&mut self, now: Now, reports: Vec<(AlertId, Concluded)>, out: &mut Vec<Effect>) {
        let mut by_alert: BTreeMap<AlertId, Vec<Concluded>> = BTreeMap::new();
        for (alert, mut concluded) in reports {
            self.soften(now, alert, &mut concluded);
            by_alert.entry(alert).or_default().push(concluded);
        }
        for (alert, outcomes) in by_alert {
            for some in outcomes.chunks(DONE_OUTCOMES_MAX) {
                self.append(now, Record::Done { alert, outcomes: some.to_vec() }, out);
            }
            self.note_twin(alert, outcomes.iter().map(|concluded| concluded.notification));
            for concluded in outcomes {
                self.follow_up(now, alert, &concluded, out);
            }
            let alert = self.state.target(alert);
            self.settle(now, alert, out);
        }
    }

    /// What an outcome means for the notification and for its provider.
    fn follow_up(&mut self, now: Now, alert: AlertId, concluded: &Concluded, out: &mut Vec<Effect>) {
        let provider = self.ended(alert, concluded.intent, concluded.notification);
        if let Some(provider) = provider {
            let channel = self.providers.get(&provider).map(|provider| provider.spec.channel.clone());
            if let Some(channel) = channel {
                self.judge(now, &channel, &provider, &concluded.outcome, out);
            }
        }
        let sent = self.state.open.get(&alert).and_then(|open| open.facts.sent.get(&concluded.notification));
        if let Some(sent) = sent.cloned() {
            self.decide(now, alert, &sent, concluded, out);
        }
        self.bundles.landed(concluded.notification);
    }

    /// What an outcome says of the provider.
    fn judge(&mut self, now: Now, channel: &Name, provider: &Name, outcome: &Outcome, out: &mut Vec<Effect>) {
        let Some(selection) = self.channels.get_mut(channel).and_then(|channel| channel.selection.as_mut())
        else {
            return;
        };
        let change = match outcome {
            Outcome::Accepted { .. }
            | Outcome::Refused { then: Then::RetryLater | Then::Elsewhere | Then::GiveUp, .. } => {
                selection.worked(provider)
            }
            Outcome::Refused { then: Then::NextProvider, why } | Outcome::Unknown { why } => {
                selection.failed(now.mono, provider, why)
            }
            Outcome::Refused { then: Then::RetryNow, .. } => {
                selection.abstained(now.mono, provider);
                None
            }
        };
        if let Some(Change { target, to, because }) = change {
            self.append(now, Record::Provider { provider: target, to: to.into(), because }, out);
        }
        self.tell_of_provider(now, channel, provider, out);
    }

    /// What an outcome means for the notification: done, again, or given up.
    fn decide(
        &mut self,
        now: Now,
        alert: AlertId,
        sent: &Sent,
        concluded: &Concluded,
        out: &mut Vec<Effect>,
    ) {
        let tries = sent.attempts.len();
        let repeat = repeat_of(sent);
        let Some(job) = self.job_of(alert, sent, concluded, repeat) else { return };
        match &concluded.outcome {
            Outcome::Accepted { .. } => {
                if let Some(run) = self.runs.get_mut(&alert) {
                    run.told = true;
                }
                self.set_lapse(alert);
            }
            Outcome::Refused { then: Then::GiveUp, why } => self.tell_of_failure(now, alert, sent, why, out),
            Outcome::Refused { why, .. } | Outcome::Unknown { why } if spent(sent) => {
                self.tell_of_failure(now, alert, sent, why, out);
            }
            Outcome::Refused { then: Then::NextProvider, .. } => self.requeue(now, alert, sent, job),
            Outcome::Refused { then: Then::RetryNow, .. } if tries < RETRIES_NOW_MAX => {
                self.requeue(now, alert, sent, job);
            }
            Outcome::Refused { then: Then::RetryLater | Then::Elsewhere, .. }
                if self.has_room_elsewhere(now, sent) =>
            {
                self.requeue(now, alert, sent, job);
            }
            Outcome::Refused { then: Then::RetryNow | Then::RetryLater | Then::Elsewhere, .. }
            | Outcome::Unknown { .. } => {
                self.retry_later(now, alert, job, backoff(tries));
            }
        }
    }

    fn job_of(
        &self,
        alert: AlertId,
        sent: &Sent,
        concluded: &Concluded,
        repeat: Option<Cause>,
    ) -> Option<Job> {
        let run = self.runs.get(&alert)?;
        let reach = run.reach(sent)?;
        Some(Job { notification: concluded.notification, reach, purpose: sent.purpose, repeat })
    }

    /// While the alert is held back nothing is queued: when that is over, all that has no outcome is.
    fn requeue(&mut self, now: Now, alert: AlertId, sent: &Sent, job: Job) {
        let run = self.runs.get(&alert).filter(|run| !run.is_held());
        let Some(rank) = run.map(|run| run.rank) else { return };
        // The outcomes of those that went out together come one by one; they are waited for.
        if self.bundles.keeps(now.mono + PATIENCE, alert, job) {
            return;
        }
        self.channels.entry(sent.address.channel.clone()).or_default().lane.push_job(alert, rank, job);
    }

    pub(crate) fn retry_later(&mut self, now: Now, alert: AlertId, job: Job, after: Duration) {
        if let Some(run) = self.runs.get_mut(&alert)
            && !run.is_held()
            && !self.bundles.keeps(now.mono + after, alert, job)
        {
            run.retries.insert((now.mono + after, job));
            self.retries_due.insert((now.mono + after, alert, job));
        }
    }

    /// Queues the notifications whose wait is over.
    pub(crate) fn retry_due(&mut self, now: Now) {
        while let Some((due, alert, job)) = self.retries_due.first().copied() {
            if due > now.mono {
                break;
            }
            self.retries_due.pop_first();
            let Some(run) = self.runs.get_mut(&alert) else { continue };
            run.retries.remove(&(due, job));
            let rank = run.rank;
            let Some((_, address)) = run.roster.at(job.reach) else { continue };
            self.channels.entry(address.channel.clone()).or_default().lane.push_job(alert, rank, job);
        }
    }

    /// When a channel that has something to send, and cannot, may be able to.
    pub(crate) fn channel_deadline(&self, now: Now) -> Option<Mono> {
        let waits =
            |(name, channel): &(&Name, &Channel)| !channel.lane.is_empty() || self.bundles.waits_for(name);
        let waiting = self.channels.iter().filter(waits);
        let selections = waiting.filter_map(|(_, channel)| channel.selection.as_ref());
        selections
            .flat_map(|selection| {
                let providers = selection.targets().filter_map(|(name, _)| self.providers.get(name));
                providers
                    .filter_map(move |provider| provider.replenished(now))
                    .chain(selection.deadline(now.mono))
            })
            .min()
    }
}

impl List {
    fn at(&self, run: &Run, index: usize) -> Option<Reach> {
        match self {
            Self::Step(step) => run.roster.steps.get(*step)?.reach.get(index).copied(),
            Self::These(reach) => reach.get(index).copied(),
        }
    }
}

/// The job that `reach` stands for, unless it is done or no longer wanted.
fn job(alert: AlertId, open: &Open, run: &Run, reach: Reach, purpose: Purpose) -> Option<Job> {
    if !wanted(open, run, reach, purpose) {
        return None;
    }
    let notification = identify(alert, &run.roster, reach, purpose)?;
    let sent = open.facts.sent.get(&notification);
    if sent.is_some_and(|sent| sent.concluded() || spent(sent)) {
        return None;
    }
    let repeat = sent.and_then(repeat_of);
    Some(Job { notification, reach, purpose, repeat })
}

/// Whether what a boot announced is still on its way: its outcome will be heard while it lives.
pub(crate) fn is_under_way(me: LogId, cluster: &Cluster, intent: LogId) -> bool {
    intent == me || cluster.rules().patience && cluster.living(intent.node) == Some(intent)
}

/// What to do with a notification that is next in line.
pub(crate) enum Look {
    Send,
    Wait,
    Skip,
}

/// Whether a notification is still to be sent, and now: another boot may be at it.
pub(crate) fn look(open: &Open, run: &Run, job: &Job, under_way: impl Fn(LogId) -> bool) -> Look {
    if !wanted(open, run, job.reach, job.purpose) {
        return Look::Skip;
    }
    if let Purpose::Alert(step) = job.purpose
        && !run.elsewhere.is_empty()
        && let Some((person, address)) = run.roster.at(job.reach)
        && let Some(by) = run.elsewhere.get(&(person.name.clone(), address.clone(), step))
    {
        match by {
            None => return Look::Skip,
            Some(boot) if under_way(*boot) => return Look::Wait,
            Some(_) => (),
        }
    }
    let Some(sent) = open.facts.sent.get(&job.notification) else { return Look::Send };
    if sent.concluded() {
        return Look::Skip;
    }
    let open_attempt = |attempt: &Attempt| attempt.outcome.is_none() && under_way(attempt.intent.log);
    if sent.attempts.iter().any(open_attempt) { Look::Wait } else { Look::Send }
}

/// A notification was tried often enough. What a provider was to blame for does not count: a mail server
/// that is down for a night must not use up what a message has.
fn spent(sent: &Sent) -> bool {
    let blameless = |attempt: &&Attempt| {
        !matches!(attempt.outcome, Some(Outcome::Refused { then: Then::NextProvider, .. }))
    };
    sent.attempts.iter().filter(blameless).count() >= usize::from(ATTEMPTS_MAX)
}

impl Dispatch {
    /// Why a notification that is about to be sent may have arrived before, as far as is known here.
    pub(crate) fn repeat_now(&self, alert: AlertId, job: &Job) -> Option<Cause> {
        let open = self.state.open.get(&alert)?;
        if let Some(cause) = open.facts.sent.get(&job.notification).and_then(repeat_of) {
            return Some(cause);
        }
        // Taken over from another node: the end of its log, which may not have reached us, may tell of a send.
        // And if that node is only silent, it may be on the other side of a cut, and go on as we do. What was on a
        // lost disk of this node only, nobody will ever tell us.
        if self.was_on_lost_disk(alert.0.log) {
            return Some(Cause::Takeover);
        }
        let (from, taken) = self.runs.get(&alert)?.taken?;
        let fired_before = matches!(job.purpose, Purpose::Alert(step) if step <= taken);
        (fired_before || self.was_on_lost_disk(from) || self.cluster.may_live(from))
            .then_some(Cause::Takeover)
    }

    /// A log that this node wrote to a disk that is gone.
    fn was_on_lost_disk(&self, log: LogId) -> bool {
        log.node == self.me.node && log != self.me && !self.kept.contains(&log)
    }
}

/// Whether an earlier attempt may have arrived. An attempt without an outcome is one whose node died.
fn repeat_of(sent: &Sent) -> Option<Cause> {
    let causes = sent.attempts.iter().filter_map(|attempt| match attempt.outcome {
        Some(Outcome::Unknown { .. }) => Some(Cause::Unknown),
        Some(Outcome::Accepted { .. } | Outcome::Refused { .. }) => None,
        None => Some(Cause::Crash),
    });
    causes.max()
}

/// Whether a notification is still to be sent. Asked when it is announced, and again before it goes out.
pub(crate) fn wanted(open: &Open, run: &Run, reach: Reach, purpose: Purpose) -> bool {
    match purpose {
        Purpose::Alert(_) => {
            let acked = || run.roster.at(reach).is_some_and(|(person, _)| run.acked.contains(&person.name));
            let stop = run.roster.policy.unsent == crate::directory::Unsent::Stop;
            let answered = match run.mode() {
                Mode::None => false,
                Mode::Basic => stop && !open.facts.acks.is_empty(),
                Mode::Recall => run.acknowledged(&open.facts) || acked(),
            };
            open.facts.ends.is_empty() && !answered
        }
        Purpose::Acknowledgement(_) | Purpose::Comment(_) => open.facts.ends.is_empty(),
        Purpose::End => true,
    }
}

pub(crate) fn announce(open: &Open, run: &Run, provider: &Name, job: &Job) -> Option<Send> {
    let (person, address) = run.roster.at(job.reach)?;
    let before = open.facts.sent.get(&job.notification).map_or(0, |sent| sent.attempts.len());
    Some(Send {
        notification: job.notification,
        recipient: person.name.clone(),
        address: address.clone(),
        purpose: job.purpose,
        provider: provider.clone(),
        attempt: u16::try_from(before).unwrap_or(u16::MAX).saturating_add(1),
        repeat: job.repeat,
    })
}

/// The wait before try number `tries + 1`: 5 s, 15 s, a minute, then five.
fn backoff(tries: usize) -> Duration {
    Duration::from_secs([5, 15, 60].get(tries.saturating_sub(1)).copied().unwrap_or(300))
}

/// How much later than the policy says a message goes out: its step fired late, or it waited for a provider.
fn late(now: Now, open: &Open, run: &Run, purpose: Purpose) -> Duration {
    let Purpose::Alert(step) = purpose else { return Duration::ZERO };
    let fired = open.facts.fired.get(&step).map_or(Duration::ZERO, |fired| fired.late);
    let last = open.facts.fired.last_key_value().is_some_and(|(key, _)| *key == step);
    let waited = if last { run.fired_at.age(now) } else { Duration::ZERO };
    let late = fired + waited;
    if late < LATE_MIN { Duration::ZERO } else { late }
}

/// What somebody said when they took responsibility: the choice, if they answered, and their comment.
fn words(ack: &Acknowledgement) -> Arc<str> {
    let chosen = ack.chosen.as_ref().map(|chosen| &chosen.text);
    let said: Vec<&str> = chosen.into_iter().chain(&ack.comment).map(|text| &**text).collect();
    said.join(": ").into()
}

/// What a notification about an acknowledgement, comment or end tells.
fn said(open: &Open, purpose: Purpose) -> Option<Said> {
    match purpose {
        Purpose::Alert(_) => None,
        Purpose::Acknowledgement(id) => open.facts.acks.get(&id).map(|ack| Said {
            by: Arc::clone(&ack.by.who),
            words: words(ack),
            at: ack.at,
        }),
        Purpose::Comment(id) => open.facts.comments.get(&id).map(|comment| Said {
            by: Arc::clone(&comment.by.who),
            words: Arc::clone(&comment.text),
            at: comment.at,
        }),
        Purpose::End => open.facts.end().map(|end| Said {
            by: Arc::clone(&end.by.who),
            words: end.why.word().into(),
            at: end.at,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;
    use crate::fixture::{core, directory, handle, name, notice, now};
    use crate::input::Ticket;

    #[test]
    fn waits_grow_and_then_stay() {
        let waits: Vec<u64> = (1..7).map(|tries| backoff(tries).as_secs()).collect();
        assert_eq!(waits, [5, 15, 60, 300, 300, 300]);
    }

    #[test]
    fn a_turn_that_was_cut_short_asks_to_be_woken() {
        let mut core = core(directory(&[("anna", &["mail:anna@x"])], &[]));
        for number in 0..INTENTS_PER_TURN as u64 + 10 {
            let notice = Box::new(notice("pump 3 stopped", &["anna"]));
            handle(&mut core, now(0), Input::Notice { ticket: Ticket(number), notice });
        }
        assert!(core.deadline(now(0)).is_none_or(|due| due.at > now(0).mono), "nobody has room");
        let intents = |core: &mut Dispatch, input| {
            let mut effects = Vec::new();
            core.handle(now(0), input, &mut effects);
            effects.iter().filter(|effect| matches!(effect, Effect::Append { .. })).count()
        };
        let room = Input::Capacity { provider: name("smtp"), free: 1000 };
        assert_eq!(intents(&mut core, room), INTENTS_PER_TURN);
        assert_eq!(core.deadline(now(0)).map(|due| due.at), Some(now(0).mono));
        assert_eq!(intents(&mut core, Input::Deadline), 10);
        assert!(core.deadline(now(0)).is_none_or(|due| due.at > now(0).mono));
    }
}
