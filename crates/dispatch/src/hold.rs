//! Alerts that are held back: nothing is told of them, and their escalation stands still.
//!
//! Four things do that: a silence, a maintenance window, another alert that inhibits them, and their own flapping.
//! Such an alert stays open; somebody may acknowledge or close it, and its source may resolve it. Where it is still
//! open when nothing holds it back any more it goes on from where it stood, and what goes out says how late it is.
//!
//! That an alert is held back takes effect before anything further is sent. That it is not any more may take a few
//! turns where there are many: those that wait are held back meanwhile.

use crate::clock::Active;
use crate::record::{Actor, Flapping, Record};
use crate::run::Turn;
use crate::silence::{Mute, muted};
use crate::{Dispatch, Effect, Standing};
use base::time::Human;
use base::{AlertId, Mono, Name, Now, RecordId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Codes spelled out where many alerts are held back or go on at once.
const CODES_NAMED: usize = 20;

/// Alerts that go on in one turn; the rest follow in the next.
const RELEASES_PER_TURN: usize = 256;

/// One thing that holds an alert back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A silence.
    Silence(RecordId),
    /// A maintenance window of the book.
    Maintenance(Name),
    /// Another alert, by a rule of the book.
    Inhibition {
        /// The rule.
        rule: Name,
        /// The other alert.
        by: AlertId,
    },
    /// It has not stood for long enough after its trouble came and went.
    Flapping(Flapping),
}

/// What holds one alert back now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    pub(crate) mutes: Vec<Mute>,
    pub(crate) inhibited: bool,
    /// It flapped, and is told from then on.
    pub(crate) steady_at: Option<Mono>,
    /// Since when anything does.
    pub(crate) since: Option<(Active, Mono)>,
}

impl Holds {
    pub(crate) fn any(&self) -> bool {
        !self.mutes.is_empty() || self.inhibited || self.steady_at.is_some()
    }

    /// Silences alone do: how long they did before is on record.
    fn by_silences(&self) -> bool {
        let silence = |mute: &Mute| matches!(mute, Mute::Silence(_));
        !self.inhibited && self.steady_at.is_none() && self.mutes.iter().all(silence)
    }

    /// What the trail says when none of this holds it back any more.
    fn farewell(&self) -> &'static str {
        match self.mutes.first() {
            Some(Mute::Silence(_)) => "the silence is over: it goes on",
            Some(Mute::Maintenance(_)) => "the maintenance window is over: it goes on",
            None if self.inhibited => "what inhibited it is over: it goes on",
            None => "it has stood for long enough: it goes on",
        }
    }
}

impl Dispatch {
    /// What holds an alert back now.
    pub fn holds(&self, alert: AlertId) -> Vec<Hold> {
        let Some(run) = self.runs.get(&alert) else { return Vec::new() };
        let mutes = run.holds.mutes.iter().map(|mute| match mute {
            Mute::Silence(silence) => Hold::Silence(*silence),
            Mute::Maintenance(name) => Hold::Maintenance(name.clone()),
        });
        let inhibitor = self.hush.inhibition.inhibitor(alert);
        let inhibited = inhibitor.map(|(rule, by)| Hold::Inhibition { rule: rule.clone(), by });
        let flapping = run.bound.flapping.filter(|_| run.holds.steady_at.is_some()).map(Hold::Flapping);
        mutes.chain(inhibited).chain(flapping).collect()
    }

    /// The same in words.
    pub fn why_held(&self, alert: AlertId) -> Vec<String> {
        self.holds(alert).iter().map(|hold| self.reason(hold)).collect()
    }

    /// Follows what began to hold alerts back, and what no longer does.
    pub(crate) fn hush(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut held = Vec::new();
        self.follow_book();
        if self.hush.is_due(now) {
            self.follow_mutes(now, &mut held);
            self.forget_silences(now);
        }
        self.follow_inhibition(now, &mut held);
        while let Some((at, alert)) = self.hush.steady.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.hush.steady.remove(&(at, alert));
            self.hush.freeing.insert(alert);
        }
        self.hush.looked = true;
        self.note_held(now, &held, out);
        self.free(now, out);
    }

    /// The book may have other windows and rules.
    fn follow_book(&mut self) {
        let book = &self.state.edition.directory;
        if Arc::ptr_eq(book, &self.hush.book) {
            return;
        }
        self.hush.book = Arc::clone(book);
        self.hush.stale = true;
        if self.hush.inhibition.adopt(book) {
            for alert in self.runs.keys() {
                self.hush.inhibition.file(&self.state, *alert);
            }
        }
    }

    fn follow_mutes(&mut self, now: Now, held: &mut Vec<AlertId>) {
        let changed = self.hush.look(&self.state, &self.almanac, now.wall);
        if !changed.over.is_empty() {
            let over = |mutes: &[Mute]| mutes.iter().any(|mute| changed.over.contains(mute));
            let freed = self.runs.iter().filter(|(_, run)| over(&run.holds.mutes)).map(|(alert, _)| *alert);
            self.hush.freeing.extend(freed);
        }
        if !changed.begun.is_empty() {
            let open = self.state.open.iter().filter(|(_, open)| !muted(&changed.begun, open).is_empty());
            let open: Vec<AlertId> = open.map(|(alert, _)| *alert).collect();
            held.extend(open.into_iter().filter(|alert| self.look_again(now, *alert) == Some(true)));
        }
    }

    fn follow_inhibition(&mut self, now: Now, held: &mut Vec<AlertId>) {
        for alert in self.hush.inhibition.stirred() {
            let Some(run) = self.runs.get(&alert) else { continue };
            match (run.holds.inhibited, self.hush.inhibition.inhibitor(alert).is_some()) {
                (false, true) => held.extend((self.look_again(now, alert) == Some(true)).then_some(alert)),
                (true, false) => drop(self.hush.freeing.insert(alert)),
                (false, false) | (true, true) => (),
            }
        }
    }

    /// Lets some of those go on that nothing holds back any more.
    fn free(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut freed: BTreeMap<&str, Vec<AlertId>> = BTreeMap::new();
        for _ in 0..RELEASES_PER_TURN {
            let Some(alert) = self.hush.freeing.pop_first() else { break };
            let farewell = self.runs.get(&alert).map_or("", |run| run.holds.farewell());
            if self.look_again(now, alert) == Some(false) {
                freed.entry(farewell).or_default().push(alert);
            }
        }
        for (farewell, freed) in freed {
            let asks = |alert: &&AlertId| self.standing(**alert) == Some(Standing::Open);
            let asking: Vec<AlertId> = freed.iter().filter(asks).copied().collect();
            self.note(now, &asking, farewell, out);
            for alert in freed {
                self.settle(now, alert, out);
            }
        }
    }

    /// Looks what holds an alert back. Whether anything does, if nothing did before, or the other way round.
    pub(crate) fn look_again(&mut self, now: Now, alert: AlertId) -> Option<bool> {
        self.hush.inhibition.file(&self.state, alert);
        let (open, run) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert))?;
        let before = run.is_held();
        run.holds.mutes = self.hush.mutes(open);
        run.holds.inhibited = self.hush.inhibition.inhibitor(alert).is_some();
        run.holds.steady_at = run.holds.steady_at.filter(|at| *at > now.mono);
        match (before, run.is_held()) {
            (false, true) => self.hold_back(now, alert),
            (true, false) => self.let_go_on(now, alert),
            (true, true) | (false, false) => return None,
        }
        Some(!before)
    }

    /// Sets from when on an alert is told that flapped.
    pub(crate) fn await_steady(&mut self, now: Now, alert: AlertId) {
        let Some(open) = self.state.open.get(&alert) else { return };
        let Some(flapping) = open.alert.flapping else { return };
        let at = self.moment(now, alert.0.log.node, open.at).plus(flapping.steady);
        let ahead = at > now.mono && open.facts.end().is_none();
        if let Some(run) = self.runs.get_mut(&alert).filter(|_| ahead) {
            run.holds.steady_at = Some(at);
            self.hush.steady.insert((at, alert));
        }
    }

    /// Nothing of an alert is told from now on.
    pub(crate) fn hold_back(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        if let Some(run) = self.runs.get_mut(&alert) {
            run.holds.since = Some((active, now.mono));
        }
        if !self.hush.looked {
            self.forgive(now, alert);
        }
        self.withdraw(alert, |_| true);
        self.schedule(alert);
        self.set_lapse(alert);
    }

    /// It is not known how long an alert that nobody was told of was held back before by what leaves no record:
    /// nothing of its time is gone. Else it would expire when it is let go, instead of being told.
    pub(crate) fn forgive(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        let Some(run) = self.runs.get_mut(&alert) else { return };
        if run.is_held() && !run.holds.by_silences() && !run.told {
            run.fired = active;
            run.accepted_at = crate::clock::Moment::now(now);
        }
    }

    /// An alert goes on from where it stood.
    fn let_go_on(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        let Some(run) = self.runs.get_mut(&alert) else { return };
        if let Some((since, at)) = run.holds.since.take() {
            // A step that fired meanwhile, on another node, counts from then.
            run.fired = run.fired.plus(active.since(since.max(run.fired)));
            run.accepted_at = run.accepted_at.later(now.mono.since(at));
        }
        self.fan_all(now, alert);
    }

    /// Says in the trail why nothing goes out of those of these alerts that are ours to tell.
    pub(crate) fn note_held(&mut self, now: Now, alerts: &[AlertId], out: &mut Vec<Effect>) {
        let mut reasons: BTreeMap<String, Vec<AlertId>> = BTreeMap::new();
        for alert in alerts {
            if let Some(reason) = self.why_held(*alert).into_iter().next() {
                reasons.entry(reason).or_default().push(*alert);
            }
        }
        for (reason, alerts) in reasons {
            self.note(now, &alerts, &reason, out);
        }
    }

    fn reason(&self, hold: &Hold) -> String {
        match hold {
            Hold::Silence(silence) => {
                let silenced = self.state.silences.get(silence);
                silenced.map_or_else(String::new, |it| {
                    format!("held back by a silence of {}: {}", it.silence.author, it.silence.comment)
                })
            }
            Hold::Maintenance(name) => format!("held back by the maintenance window {name}"),
            Hold::Inhibition { rule, by } => {
                let code = self.state.open.get(by).map(|open| open.alert.code.to_string());
                format!("held back by {}, as the inhibition {rule} says", code.unwrap_or_default())
            }
            Hold::Flapping(flapping) => {
                format!("held back until it has stood for {}: {flapping}", Human(flapping.steady))
            }
        }
    }

    /// Says something in the trail of those of these alerts that are ours to tell.
    pub(crate) fn note(&mut self, now: Now, alerts: &[AlertId], what: &str, out: &mut Vec<Effect>) {
        let ours = |alert: &&AlertId| self.runs.get(alert).is_some_and(|run| run.turn != Turn::Theirs);
        let ours: Vec<_> =
            alerts.iter().filter(ours).filter_map(|alert| self.state.open.get(alert)).collect();
        if ours.is_empty() {
            return;
        }
        let named: Vec<String> =
            ours.iter().take(CODES_NAMED).map(|open| open.alert.code.to_string()).collect();
        let more = ours.len().saturating_sub(CODES_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let what = format!("{}{more}: {what}", named.join(", ")).into();
        self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
    }
}
