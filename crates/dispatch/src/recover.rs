//! Starts the core: what earlier boots left unfinished is taken over and goes on.

use crate::clock::{ActiveClock, Moment, unpaused_since};
use crate::codes::Codes;
use crate::delivery::Channel;
use crate::directory::Mode;
use crate::escalation::next_step;
use crate::input::{Past, ProviderSpec};
use crate::keys::Keys;
use crate::lane::Rank;
use crate::provider::{Provider, day};
use crate::record::{Claim, Purpose, Record, Roster, StepKey};
use crate::run::Run;
use crate::state::{Open, State};
use crate::{Dispatch, Effect};
use base::{AlertId, LogId, Name, Now};
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

/// Times that are the node's, not a policy's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// How long a failed provider is left alone.
    pub provider: Timing,
}

impl Dispatch {
    /// Starts from what the ledger recovered. The effects in `out` are to be executed like any others.
    pub fn start(
        identity: Identity,
        timings: Timings,
        (state, past): (State, Past),
        providers: Vec<ProviderSpec>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Self {
        let mut codes_past = past.codes;
        let ours = state.open.values().filter(|open| open.alert.code.letter == identity.letter);
        codes_past.extend(ours.map(|open| (open.at, open.alert.code.number)));
        let mut core = Self {
            me: identity.log,
            next: 0,
            stored: 0,
            copies: 0,
            held: VecDeque::new(),
            runs: BTreeMap::new(),
            channels: BTreeMap::new(),
            providers: BTreeMap::new(),
            clock: ActiveClock::default(),
            steps_due: BTreeSet::new(),
            lapses_due: BTreeSet::new(),
            retries_due: BTreeSet::new(),
            pause_alarm: None,
            fingerprints: BTreeMap::new(),
            open_codes: BTreeMap::new(),
            codes: Codes::new(identity.letter, &codes_past),
            keys: Keys::new(&past.keys, now),
            bindings: BTreeMap::new(),
            indexes: BTreeMap::new(),
            rosters_written: BTreeSet::new(),
            disk_full: None,
            draining: false,
            told: BTreeMap::new(),
            unfinished: false,
            state,
        };
        core.configure(now, timings, providers, &past.quota);
        core.append(now, Record::Start { version: identity.version, because: identity.because }, out);
        core.take_over(now, out);
        core.advance(now, out);
        core
    }

    /// Sets up the ways out. Order within a channel is order of preference.
    fn configure(
        &mut self,
        now: Now,
        timings: Timings,
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
            let selection = Some(Selection::new(names, timings.provider));
            self.channels.insert(channel, Channel { selection, ..Channel::default() });
        }
    }

    /// Claims what dead boots of this node owned, and goes on with it.
    fn take_over(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.state.pauses.is_empty() {
            self.clock.pause(now.mono);
            self.pause_alarm = Some(now.mono);
        }
        let orphans: Vec<AlertId> =
            self.state.open.keys().copied().filter(|alert| self.is_orphan(*alert)).collect();
        for claim in self.claims(&orphans) {
            self.append(now, Record::Claim(claim), out);
        }
        let mut lost = Vec::new();
        for alert in orphans {
            let Some(open) = self.state.open.get(&alert) else { continue };
            let Some(roster) = self.state.rosters.get(&open.alert.roster).map(Arc::clone) else {
                lost.push(open.alert.code);
                continue;
            };
            self.begin(now, alert, roster);
            self.go_on(now, alert);
            self.settle(now, alert, out);
        }
        self.tell_of_lost(now, &lost, out);
        self.forget_rosters();
    }

    /// Owned by an earlier boot of this node. With peers, their dead boots will count as well.
    fn is_orphan(&self, alert: AlertId) -> bool {
        let owner = self.state.owner(alert);
        owner.node == self.me.node && owner != self.me
    }

    /// Ranges that hold exactly the orphans of each log: a range that also held an item of a living owner
    /// would make two nodes send it.
    fn claims(&self, orphans: &[AlertId]) -> Vec<Claim> {
        let orphans: BTreeSet<AlertId> = orphans.iter().copied().collect();
        let mut claims: Vec<Claim> = Vec::new();
        let mut broken = true;
        for alert in self.state.open.keys() {
            let id = alert.0;
            if !orphans.contains(alert) {
                broken = true;
                continue;
            }
            match claims.last_mut() {
                Some(last) if last.log == id.log && !broken => last.upto = id.seq + 1,
                Some(_) | None => {
                    let epoch = self.state.epoch(id.log) + 1;
                    claims.push(Claim { epoch, log: id.log, from: id.seq, upto: id.seq + 1 });
                }
            }
            broken = false;
        }
        claims
    }

    /// Sets up what is under way for an open alert, and queues its first step.
    pub(crate) fn begin(&mut self, now: Now, alert: AlertId, roster: Arc<Roster>) {
        let index = self.index(&roster);
        let first = index.first();
        let Some(open) = self.state.open.get(&alert) else { return };
        let run = Run {
            index,
            fired: self.clock.at(now.mono),
            fired_at: Moment::now(now),
            accepted_at: Moment::now(now),
            acked_at: None,
            step_due: None,
            lapse_due: None,
            acked: BTreeSet::new(),
            acked_for_all: false,
            missing: if roster.policy.mode == Mode::Recall { first } else { 0 },
            in_flight: 0,
            retries: BTreeSet::new(),
            failed: 0,
            told: false,
            system: open.alert.system,
            rank: Rank::of(&open.alert),
            roster,
        };
        self.open_codes.insert(open.alert.code, alert);
        if let Some(fingerprint) = open.alert.fingerprint.filter(|_| open.facts.end().is_none()) {
            self.fingerprints.insert(fingerprint, alert);
        }
        self.runs.insert(alert, run);
        self.fan_step(alert, StepKey::default());
        self.schedule(alert);
        self.set_lapse(alert);
    }

    /// Goes on with an alert of an earlier boot: the wall clock tells how much of each wait is over, and
    /// everything in a fired step that has no outcome is sent again.
    fn go_on(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        run.told = open.facts.sent.values().any(crate::state::Sent::accepted);
        run.accepted_at = Moment::of(now, open.at);
        let mut acks: Vec<_> = open.facts.acks.iter().map(|(id, ack)| (ack.at, *id, ack)).collect();
        acks.sort_unstable_by_key(|(at, id, _)| (*at, *id));
        for (at, _, ack) in acks {
            run.count_ack(ack.recipient.as_ref());
            if run.acked_at.is_none() && run.acknowledged(&open.facts) {
                run.acked_at = Some(Moment::of(now, at)); // This one was the last that was missing.
            }
        }
        if let Some(fired) = open.facts.fired.values().map(|fired| fired.at).max() {
            run.fired_at = Moment::of(now, fired);
            // A clock that cannot tell: the step is due now. Too early beats too late.
            let wait = next_step(open, run).map_or(Duration::ZERO, |(_, after)| after);
            let gone = unpaused_since(&self.state, now, fired).unwrap_or(wait);
            run.fired = active.minus(gone);
        }
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
