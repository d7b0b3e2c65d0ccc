//! Starts the core: what earlier boots left unfinished is taken over and goes on.

use crate::adopt::{Awaited, Owned};
use crate::clock::{ActiveClock, Moment, covered, unpaused_since};
use crate::codes::Codes;
use crate::delivery::Channel;
use crate::directory::Mode;
use crate::escalation::next_step;
use crate::hold::Holds;
use crate::input::{Past, ProviderSpec};
use crate::keys::Keys;
use crate::lane::Rank;
use crate::mirror::Keepalive;
use crate::provider::{Provider, day};
use crate::record::{Purpose, Record, Roster};
use crate::run::{Run, Turn};
use crate::silence::{Hush, silent_spans};
use crate::state::{Open, Sent, State};
use crate::witness::Briefing;
use crate::{Dispatch, Effect};
use base::{AlertId, LogId, Name, Now};
use ownership::{Cluster, Rules};
use selection::{Selection, Timing};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Who this boot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our log: the node, and a boot id that no earlier boot had.
    pub log: LogId,
    /// The letter of our codes.
    pub letter: char,
    /// The program's version, for the trail.
    pub version: Arc<str>,
    /// Why this boot exists, such as `clean start` or `start after a crash`.
    pub because: Arc<str>,
}

/// What is the node's, not a policy's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How long a failed provider is left alone.
    pub provider: Timing,
    /// The times of the cluster's protocol.
    pub cluster: ownership::Timings,
    /// The rules of the cluster's protocol; all on, but in the simulator.
    pub rules: Rules,
}

impl Dispatch {
    /// Starts from what the ledger recovered. The effects in `out` are to be executed like any others.
    pub fn start(
        identity: Identity,
        settings: Settings,
        (state, past): (State, Past),
        providers: Vec<ProviderSpec>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Self {
        let mut codes_past = past.codes;
        let mut keys_past = past.keys;
        // To who asks again nothing is promised that nobody may have any more.
        keys_past.retain(|key| !state.lost.contains(&key.alert.0));
        // What a boot of ours began to send may be among what is lost.
        let kept = |log: &LogId| log.node == identity.log.node && state.lost.is_empty();
        let ours = state.open.values().filter(|open| open.alert.code.letter == identity.letter);
        codes_past.extend(ours.map(|open| (open.at, open.alert.code.number)));
        let mut core = Self {
            me: identity.log,
            next: 0,
            durable: state.applied.clone(),
            base: past.base,
            kept: state.applied.keys().copied().filter(kept).collect(),
            cluster: Cluster::new(identity.log, settings.cluster, settings.rules, now.mono),
            keepalive: Keepalive::default(),
            briefing: Briefing::default(),
            held: VecDeque::new(),
            answers: VecDeque::new(),
            runs: BTreeMap::new(),
            flights: BTreeMap::new(),
            owned: Owned::default(),
            awaited: Awaited::default(),
            active: true,
            switch_over: None,
            seeds: past.members,
            version: Arc::clone(&identity.version),
            channels: BTreeMap::new(),
            providers: BTreeMap::new(),
            clock: ActiveClock::default(),
            hush: Hush::default(),
            steps_due: BTreeSet::new(),
            lapses_due: BTreeSet::new(),
            retries_due: BTreeSet::new(),
            pause_alarm: None,
            marks: BTreeMap::new(),
            open_codes: BTreeMap::new(),
            codes: Codes::new(identity.letter, &codes_past),
            keys: Keys::new(&keys_past, now),
            bindings: BTreeMap::new(),
            indexes: BTreeMap::new(),
            rosters_written: BTreeSet::new(),
            almanac: past.almanac,
            disk_full: None,
            draining: false,
            doubts: VecDeque::new(),
            told: BTreeMap::new(),
            troubles: BTreeSet::new(),
            unfinished: false,
            state,
        };
        core.configure(now, settings.provider, providers, &past.quota);
        core.state.applied.keys().for_each(|log| core.cluster.note_log(*log, now.mono));
        core.enrol(now);
        core.append(now, Record::Start { version: identity.version, because: identity.because }, out);
        core.tell_of_losses(now, out);
        core.go_on(now, out);
        core.advance(now, out);
        core.ship(out);
        core
    }

    /// Sets up the ways out. Order within a channel is order of preference.
    fn configure(
        &mut self,
        now: Now,
        timing: Timing,
        providers: Vec<ProviderSpec>,
        quota: &[(Name, i64, u32)],
    ) {
        let mut by_channel: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
        for spec in providers {
            by_channel.entry(spec.channel.clone()).or_default().push(spec.name.clone());
            let today = day(now.wall);
            let used = quota.iter().filter(|(name, on, _)| *name == spec.name && *on == today);
            let sent = used.map(|(_, _, count)| *count).sum();
            self.providers.insert(spec.name.clone(), Provider::new(spec, (today, sent)));
        }
        for (channel, names) in by_channel {
            let selection = Some(Selection::new(names, timing));
            self.channels.insert(channel, Channel { selection, ..Channel::default() });
        }
    }

    /// Sets up what is under way for every open alert. Whose turn it is to send is decided afterwards, as it
    /// is for any other alert of a boot that is dead.
    fn go_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.state.pauses.is_empty() {
            self.clock.pause(now.mono);
            self.pause_alarm = Some(now.mono);
        }
        self.hush.stale = true;
        let mut lost = Vec::new();
        for alert in self.state.open.keys().copied().collect::<Vec<_>>() {
            let Some(open) = self.state.open.get(&alert) else { continue };
            let Some(roster) = self.state.rosters.get(&open.alert.roster).map(Arc::clone) else {
                lost.push(open.alert.code);
                continue;
            };
            self.begin(now, alert, roster);
            self.backdate(now, alert);
            // It may have been heard right before the start.
            if let Some(run) = self.runs.get_mut(&alert) {
                run.heard_until = run.stands_until;
            }
        }
        self.gather_twins(|_| true);
        self.tell_of_lost(now, &lost, out);
        self.forget_rosters(now, out);
    }

    /// Sets up what is under way for an open alert, which nobody here sends yet.
    pub(crate) fn begin(&mut self, now: Now, alert: AlertId, roster: Arc<Roster>) {
        let index = self.index(&roster);
        let Some(open) = self.state.open.get(&alert) else { return };
        let owner = self.state.owner(alert);
        let first = index.first(&roster, &open.alert.on_call);
        let run = Run {
            owner,
            turn: Turn::Theirs,
            bound: Arc::clone(&open.alert),
            taken: None,
            delegated: BTreeSet::new(),
            twins: Vec::new(),
            elsewhere: BTreeMap::new(),
            index,
            fired: self.clock.at(now.mono),
            fired_at: Moment::now(now),
            accepted_at: Moment::now(now),
            acked_at: None,
            stands_until: self.stands_until(now, &open.alert),
            heard_until: None,
            doubted: None,
            holds: Holds::default(),
            step_due: None,
            lapse_due: None,
            acked: BTreeSet::new(),
            acked_for_all: false,
            missing: if roster.policy.mode == Mode::Recall { first.len() } else { 0 },
            first,
            in_flight: 0,
            retries: BTreeSet::new(),
            failed: 0,
            told: open.facts.sent.values().any(Sent::accepted),
            system: open.alert.system,
            rank: Rank::of(&open.alert),
            roster,
        };
        let (bound, ended) = (Arc::clone(&open.alert), open.facts.end().is_some());
        self.open_codes.insert(bound.code, alert);
        if !ended {
            self.list(alert, &bound);
        }
        self.runs.insert(alert, run);
        self.own(alert, owner);
        self.await_steady(now, alert);
        if self.runs.get(&alert).is_some_and(Run::is_held) {
            self.hold_back(now, alert);
        }
        self.look_again(now, alert);
    }

    /// Sets the times of an alert that was recovered: the wall clock tells how much of each wait is over.
    pub(crate) fn backdate(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        let accepted = self.state.open.get(&alert).map(|open| self.moment(now, alert.0.log.node, open.at));
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        let spans = silent_spans(&self.state, open);
        // What holds it back now is accounted for up to now.
        run.holds.since = run.holds.since.map(|_| (active, now.mono));
        // Of its time to live nothing is gone while a silence holds it.
        run.accepted_at = accepted.unwrap_or(run.accepted_at).later(covered(&spans, open.at, now.wall));
        if let Some(fired) = open.facts.fired.values().map(|fired| fired.at).max() {
            run.fired_at = Moment::of(now, fired);
            // A clock that cannot tell: the step is due now. Too early beats too late.
            let wait = next_step(open, run).map_or(Duration::ZERO, |(_, after)| after);
            let gone = unpaused_since(&self.state, now, fired, &spans).unwrap_or(wait);
            run.fired = active.minus(gone);
        }
        self.forgive(now, alert);
        self.recount(now, alert);
    }

    /// Counts anew who acknowledged.
    pub(crate) fn recount(&mut self, now: Now, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        let known = run.acked.len() + usize::from(run.acked_for_all);
        if known > 0 && known == open.facts.acks.len() {
            return;
        }
        let mut acks: Vec<_> = open.facts.acks.iter().map(|(id, ack)| (ack.at, *id, ack)).collect();
        acks.sort_unstable_by_key(|(at, id, _)| (*at, *id));
        for (at, _, ack) in acks {
            run.count_ack(ack.recipient.as_ref());
            if run.acked_at.is_none() && run.acknowledged(&open.facts) {
                run.acked_at = Some(Moment::of(now, at)); // This one was the last that was missing.
            }
        }
    }

    /// Queues everything in a fired step that has no outcome, and all that is to be told besides.
    pub(crate) fn fan_all(&mut self, now: Now, alert: AlertId) {
        let Some(open) = self.state.open.get(&alert) else { return };
        let fans = fans(open);
        let ended = open.facts.end().is_some();
        self.withdraw(alert, |_| true);
        for purpose in fans {
            match purpose {
                Purpose::Alert(step) => self.fan_step(alert, step),
                Purpose::Acknowledgement(record) => self.fan_ack(alert, record),
                Purpose::Comment(record) => self.fan_comment(alert, record),
                Purpose::End => self.fan_end(alert),
            }
        }
        if ended {
            self.withdraw(alert, |purpose| purpose != Purpose::End);
        }
        self.recount(now, alert);
        self.schedule(alert);
        self.set_lapse(alert);
    }
}

/// Everything that an alert's facts say is to be told, told or not.
fn fans(open: &Open) -> Vec<Purpose> {
    let fired =
        open.facts.fired.iter().filter(|(_, fired)| !fired.empty).map(|(key, _)| Purpose::Alert(*key));
    let ack = open.facts.first_ack().map(|(id, _)| Purpose::Acknowledgement(id));
    let comments = open.facts.comments.keys().map(|id| Purpose::Comment(*id));
    let resolved =
        open.facts.end().filter(|end| end.why == crate::record::Why::Resolved).map(|_| Purpose::End);
    fired.chain(ack).chain(comments).chain(resolved).collect()
}
