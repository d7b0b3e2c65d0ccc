//! Several first notifications for one address as one message, where a route says so: the first few go out at once,
//! those beyond them wait until a time is over, and go out together.
//!
//! ```text
//! new ──(the route's `over` within `within`?)──► singly
//!            └── more ──► held ──(end of the time, or full)──► one message ──► an outcome for each
//!                          └── acknowledged, over, silenced, another node's: withdrawn
//! ```
//! Nothing durable is in common: each notification has its identity, its `Intent` and its `Done`; only what goes over
//! the wire is shared. So whatever happens to a node, each is sent or not for itself, as any other. What was put
//! together once and not taken stays together: a server that refuses must not get a hundred messages instead of one.

use crate::delivery::{Look, PATIENCE, announce, is_under_way, look};
use crate::directory::{Address, Bundle, Severity};
use crate::input::Delivery;
use crate::lane::Job;
use crate::record::{Purpose, Record};
use crate::run::Run;
use crate::state::Open;
use crate::{Dispatch, Effect, Held};
use base::limits::BUNDLE_NOTIFICATIONS_MAX;
use base::{AlertId, Mono, Name, NotificationId, Now};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Notifications, each with its alert.
type Jobs = Vec<(AlertId, Job)>;

/// Whose messages are put together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    route: Name,
    address: Address,
    /// They were sent together before, and not taken.
    again: bool,
}

/// What went out of a route to an address within a time, and what waits for its end.
#[derive(Clone, Debug)]
struct Window {
    until: Mono,
    /// Those that went out singly.
    sent: u32,
    held: BTreeSet<(AlertId, Job)>,
}

/// All that is put together, or may be. Soft: after a start it begins anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundles {
    windows: BTreeMap<Key, Window>,
    due: BTreeSet<(Mono, Key)>,
    /// Their time is over, and no provider had room yet.
    ready: BTreeSet<Key>,
    /// Where something of an alert is held.
    alerts: BTreeMap<AlertId, BTreeSet<Key>>,
    /// On their way in one message with others.
    together: BTreeMap<NotificationId, Key>,
}

impl Bundles {
    /// Whether a first notification is to wait for others. If not, it counts as sent.
    pub(crate) fn holds(
        &mut self,
        now: Mono,
        (route, address): (&Name, &Address),
        bundle: Bundle,
        (alert, job): (AlertId, Job),
    ) -> bool {
        let key = Key { route: route.clone(), address: address.clone(), again: false };
        if self.windows.get(&key).is_some_and(|window| window.until <= now && window.held.is_empty()) {
            self.forget(&key);
        }
        let window = self.window(&key, now + bundle.within);
        if window.sent < bundle.over {
            window.sent += 1;
            return false;
        }
        self.hold(now, key, alert, job);
        true
    }

    fn window(&mut self, key: &Key, until: Mono) -> &mut Window {
        let due = &mut self.due;
        self.windows.entry(key.clone()).or_insert_with(|| {
            due.insert((until, key.clone()));
            Window { until, sent: 0, held: BTreeSet::new() }
        })
    }

    fn hold(&mut self, now: Mono, key: Key, alert: AlertId, job: Job) {
        let Some(window) = self.windows.get_mut(&key) else { return };
        window.held.insert((alert, job));
        if window.held.len() >= BUNDLE_NOTIFICATIONS_MAX {
            self.due.remove(&(window.until, key.clone()));
            window.until = window.until.min(now);
            self.due.insert((window.until, key.clone()));
        }
        self.alerts.entry(alert).or_default().insert(key);
    }

    /// One that went out together with others is to be tried again: with those, after a while. False if it did not.
    pub(crate) fn keeps(&mut self, at: Mono, alert: AlertId, job: Job) -> bool {
        let Some(key) = self.together.remove(&job.notification) else { return false };
        let key = Key { again: true, ..key };
        self.window(&key, at);
        self.hold(at, key, alert, job);
        true
    }

    /// A notification is on its way no longer.
    pub(crate) fn landed(&mut self, notification: NotificationId) {
        self.together.remove(&notification);
    }

    /// Something of an alert is held.
    pub(crate) fn has(&self, alert: AlertId) -> bool {
        self.alerts.contains_key(&alert)
    }

    /// Nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// Withdraws what `gone` says of what is held of an alert.
    pub(crate) fn withdraw(&mut self, alert: AlertId, gone: impl Fn(Purpose) -> bool) {
        let Some(keys) = self.alerts.remove(&alert) else { return };
        for key in keys {
            let Some(window) = self.windows.get_mut(&key) else { continue };
            window.held.retain(|(of, job)| *of != alert || !gone(job.purpose));
            if window.held.iter().any(|(of, _)| *of == alert) {
                self.alerts.entry(alert).or_default().insert(key);
            }
        }
    }

    /// When the time of some is over.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Something waits for room at a provider of the channel.
    pub(crate) fn waits_for(&self, channel: &Name) -> bool {
        self.ready.iter().any(|key| key.address.channel == *channel)
    }

    /// Those whose time is over.
    fn ripen(&mut self, now: Mono) -> Vec<Key> {
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.pop_first();
            if self.windows.get(&key).is_some_and(|window| !window.held.is_empty()) {
                self.ready.insert(key);
            } else {
                self.windows.remove(&key);
            }
        }
        self.ready.iter().cloned().collect()
    }

    /// Lets go of a time and of all that is held for its end.
    fn forget(&mut self, key: &Key) -> BTreeSet<(AlertId, Job)> {
        self.ready.remove(key);
        let Some(window) = self.windows.remove(key) else { return BTreeSet::new() };
        self.due.remove(&(window.until, key.clone()));
        for (alert, _) in &window.held {
            if let Some(keys) = self.alerts.get_mut(alert) {
                keys.remove(key);
                if keys.is_empty() {
                    self.alerts.remove(alert);
                }
            }
        }
        window.held
    }
}

/// How an alert's first notifications are put together with others'; none where they are not.
pub(crate) fn bundling(bundle: Option<Bundle>, open: &Open, run: &Run) -> Option<Bundle> {
    let critical = open.content().severity == Severity::Critical;
    bundle.filter(|bundle| !run.system && (bundle.critical || !critical))
}

/// A notification that tells of an alert, and that nobody tried to send yet.
pub(crate) fn is_first(open: &Open, job: &Job) -> bool {
    matches!(job.purpose, Purpose::Alert(_)) && !open.facts.sent.contains_key(&job.notification)
}

impl Dispatch {
    /// Sends what was put together and whose time is over, as far as there is room.
    pub(crate) fn send_bundles(&mut self, now: Now, out: &mut Vec<Effect>) {
        let ready = self.bundles.ripen(now.mono);
        if self.clock.is_paused() {
            return;
        }
        for key in ready {
            self.send_bundle(now, &key, out);
        }
    }

    fn send_bundle(&mut self, now: Now, key: &Key, out: &mut Vec<Effect>) {
        let channel = &key.address.channel;
        let (jobs, waits) = self.still_wanted(key);
        let lead = jobs.first().copied();
        let provider = lead.and_then(|(alert, job)| self.choose_for(now, channel, alert, &job));
        if lead.is_some() && provider.is_none() {
            return;
        }
        let held = self.bundles.forget(key);
        for (alert, job) in waits {
            self.retry_later(now, alert, job, PATIENCE);
        }
        if let Some(provider) = provider {
            self.announce_together(now, key, &provider, jobs, out);
        }
        held.into_iter().for_each(|(alert, _)| self.settle(now, alert, out));
    }

    fn announce_together(&mut self, now: Now, key: &Key, provider: &Name, jobs: Jobs, out: &mut Vec<Effect>) {
        let jobs: Jobs = jobs
            .into_iter()
            .map(|(alert, job)| (alert, Job { repeat: self.repeat_now(alert, &job), ..job }))
            .collect();
        if let [(alert, job)] = jobs.as_slice() {
            self.intend(now, *alert, provider, &[*job], out);
        } else {
            self.intend_together(now, key, provider, &jobs, out);
        }
    }

    /// What is held and still to be sent by this node, the most urgent first; and what another boot is just sending.
    fn still_wanted(&self, key: &Key) -> (Jobs, Jobs) {
        let (mut jobs, mut waits) = (Vec::new(), Vec::new());
        let under_way = |intent| is_under_way(self.me, &self.cluster, intent);
        for (alert, job) in self.bundles.windows.get(key).into_iter().flat_map(|window| &window.held) {
            let found = self.state.open.get(alert).zip(self.runs.get(alert));
            let Some((open, run)) = found.filter(|(_, run)| !run.is_held()) else { continue };
            if !self.may_send(*alert, &key.address.channel) {
                continue;
            }
            match look(open, run, job, under_way) {
                Look::Send => jobs.push((Reverse(open.content().severity), *alert, *job)),
                Look::Wait => waits.push((*alert, *job)),
                Look::Skip => (),
            }
        }
        jobs.sort_unstable();
        (jobs.into_iter().map(|(_, alert, job)| (alert, job)).collect(), waits)
    }

    /// Announces each, and holds the message until all announcements are durable.
    fn intend_together(
        &mut self,
        now: Now,
        key: &Key,
        provider: &Name,
        jobs: &[(AlertId, Job)],
        out: &mut Vec<Effect>,
    ) {
        let mut deliveries = Vec::with_capacity(jobs.len());
        for (alert, job) in jobs {
            let Some((open, run)) = self.state.open.get(alert).zip(self.runs.get_mut(alert)) else {
                continue;
            };
            let Some(send) = announce(open, run, provider, job) else { continue };
            let intent = base::RecordId { log: self.me, seq: self.next };
            deliveries.push(Delivery::new(*alert, (open, run), (intent, &send), job));
            run.in_flight += 1;
            self.append(now, Record::Intent { alert: *alert, sends: vec![send] }, out);
            self.bundles.together.insert(job.notification, key.clone());
        }
        let mut deliveries = deliveries.into_iter();
        let Some(mut lead) = deliveries.next() else { return };
        lead.others = deliveries.collect();
        // It is one message: of room, rate and quota here it takes what one takes. Whoever reads the records counts
        // each notification against the quota, which is too much rather than too little.
        self.depart(now, provider, &key.address.channel, 1, out);
        self.flights.insert((lead.intent, lead.notification), provider.clone());
        self.hold(Held::Deliver(Box::new(lead)));
    }

    /// The announcements of a message for several notifications are durable: it goes out with those that are still
    /// wanted.
    pub(crate) fn let_go_together(&mut self, now: Now, mut lead: Box<Delivery>, out: &mut Vec<Effect>) {
        let flight = (lead.intent, lead.notification);
        let others = std::mem::take(&mut lead.others);
        let (kept, gone): (Vec<Delivery>, Vec<Delivery>) =
            std::iter::once(*lead).chain(others).partition(|delivery| self.is_due(delivery));
        let mut kept = kept.into_iter().map(|mut delivery| {
            delivery.late = Duration::ZERO; // It waited because it was told to.
            delivery
        });
        if let Some(mut lead) = kept.next() {
            lead.others = kept.collect();
            if let Some(provider) = self.flights.remove(&flight) {
                self.flights.insert((lead.intent, lead.notification), provider);
            }
            out.push(Effect::Deliver(Box::new(lead)));
        }
        for delivery in gone {
            self.bundles.landed(delivery.notification);
            self.let_go(now, Box::new(delivery), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::name;
    use crate::record::{Reach, StepKey};
    use base::{BootId, LogId, NodeId, RecordId};

    const BUNDLE: Bundle = Bundle { over: 1, within: Duration::from_secs(60), critical: false };

    fn job(number: u64) -> (AlertId, Job) {
        let log = LogId { node: NodeId(1), boot: BootId(1) };
        let notification = NotificationId(number.into());
        let (reach, purpose) = (Reach { person: 0, address: 0 }, Purpose::Alert(StepKey::default()));
        (AlertId(RecordId { log, seq: number }), Job { notification, reach, purpose, repeat: None })
    }

    fn hold(bundles: &mut Bundles, at: u64, number: u64) -> bool {
        let address = Address { channel: name("mail"), value: "anna@x".into() };
        bundles.holds(Mono(at), (&name("pumps"), &address), BUNDLE, job(number))
    }

    #[test]
    fn a_full_one_does_not_wait_for_its_time() {
        let mut bundles = Bundles::default();
        assert!(!hold(&mut bundles, 0, 0), "the first never waits");
        let full = u64::try_from(BUNDLE_NOTIFICATIONS_MAX).expect("small");
        for number in 1..full {
            assert!(hold(&mut bundles, 1, number));
        }
        assert_eq!((bundles.deadline(), bundles.ripen(Mono(1)).len()), (Some(Mono(60_000)), 0));
        assert!(hold(&mut bundles, 2, full));
        assert_eq!((bundles.deadline(), bundles.ripen(Mono(2)).len()), (Some(Mono(2)), 1));
    }

    #[test]
    fn nothing_is_left_of_a_time_that_is_over() {
        let mut bundles = Bundles::default();
        for number in 0..3 {
            hold(&mut bundles, 0, number);
        }
        for number in 1..3 {
            assert!(bundles.has(job(number).0));
            bundles.withdraw(job(number).0, |_| true);
        }
        assert!(bundles.is_empty() && bundles.ripen(Mono(60_000)).is_empty());
        assert!(bundles.windows.is_empty() && bundles.due.is_empty() && bundles.alerts.is_empty());
    }
}
