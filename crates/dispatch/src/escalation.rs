//! When the next people are told: steps fire one at a time, each counted from the firing before it.
//!
//! An overdue step (after a restart, or a long pause of the process) fires once and re-times the rest, so
//! that people still get the time to answer that the policy gives them. A step with nobody to tell does not
//! make the next one wait.

use crate::clock::{Active, Moment};
use crate::directory::Mode;
use crate::lane::{Fan, List};
use crate::record::{Actor, Fired, Purpose, Record, Shift, StepKey, Withheld};
use crate::run::{Run, Turn};
use crate::state::Open;
use crate::{Dispatch, Effect};
use base::{AlertId, Now};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// Steps fired in one turn. The rest follow in the next, so that an answer is never kept waiting by a crowd.
const STEPS_PER_TURN: usize = 256;

/// The step that comes next for an alert, and how long after the last one; none if the policy is through
/// or the alert does not escalate.
pub(crate) fn next_step(open: &Open, run: &Run) -> Option<(StepKey, Duration)> {
    let policy = &run.roster.policy;
    if policy.mode == Mode::None || !open.alert.escalates {
        return None;
    }
    let fired = open.facts.fired.last_key_value();
    let last = fired.map_or_else(StepKey::default, |(key, _)| *key);
    let next = usize::from(last.step) + 1;
    if let Some(step) = run.roster.steps.get(next) {
        let told = fired
            .is_some_and(|(_, fired)| !run.roster.told(last, &fired.on_call, &fired.withheld).is_empty());
        let after = if told { step.after } else { Duration::ZERO };
        return Some((StepKey { round: last.round, step: last.step + 1 }, after));
    }
    let repeat = policy.repeat.filter(|repeat| last.round < repeat.times)?;
    Some((StepKey { round: last.round + 1, step: repeat.from_step }, repeat.after))
}

impl Dispatch {
    /// Sets the time of an alert's next step, counted from the last one.
    pub(crate) fn schedule(&mut self, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        let halted = run.turn != Turn::Ours
            || run.is_held()
            || open.facts.end().is_some()
            || run.acknowledged(&open.facts);
        let due = next_step(open, run).filter(|_| !halted).map(|(_, after)| run.fired.plus(after));
        if let Some(old) = std::mem::replace(&mut run.step_due, due) {
            self.steps_due.remove(&(old, alert));
        }
        if let Some(due) = due {
            self.steps_due.insert((due, alert));
        }
    }

    /// Fires the steps whose time has come.
    pub(crate) fn fire_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        for _ in 0..STEPS_PER_TURN {
            let active = self.clock.at(now.mono);
            match self.steps_due.first().copied() {
                Some((due, alert)) if due <= active && !self.clock.is_paused() => {
                    self.fire(now, alert, None, out);
                }
                Some(_) | None => break,
            }
        }
    }

    /// Fires an alert's next step, before its time if somebody (`by`) asks for it. Steps that have nobody to
    /// tell are recorded and passed over, but a further round is waited for unless somebody asks. False if
    /// nobody was told: no step is left, or the alert is acknowledged or over.
    pub(crate) fn fire(
        &mut self,
        now: Now,
        alert: AlertId,
        by: Option<&Actor>,
        out: &mut Vec<Effect>,
    ) -> bool {
        self.rules.follow(&self.state.edition.directory);
        let active = self.clock.at(now.mono);
        loop {
            let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else {
                return false;
            };
            let halted = run.is_held() || open.facts.end().is_some() || run.acknowledged(&open.facts);
            let Some((step, _)) = next_step(open, run).filter(|_| !halted) else {
                if !halted {
                    self.tell_if_unreached(now, alert, out);
                }
                self.schedule(alert);
                self.set_lapse(alert);
                return false;
            };
            let on_call = self.shifts(&run.roster, step, run.system);
            self.widen(alert, step, &on_call);
            let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else {
                return false;
            };
            let withheld = self.withheld(&run.roster, step, open.content(), run.system);
            let empty = !tells_anybody(run, step, &on_call, &withheld);
            let late = lateness(run.step_due, active);
            // An empty step takes no time: it is dated like the one before it.
            let at = if empty { open.facts.fired.values().map(|fired| fired.at).max() } else { None };
            let at = at.unwrap_or(now.wall);
            let fired = Fired { at, late, empty, by: by.cloned(), on_call, withheld };
            self.append(now, Record::StepFired { alert, step, fired }, out);
            if !empty {
                self.fan_step(alert, step);
                if let Some(run) = self.runs.get_mut(&alert) {
                    run.fired = active;
                    run.fired_at = Moment::now(now);
                }
                self.schedule(alert);
                self.set_lapse(alert);
                return true;
            }
            if by.is_none() && self.ends_round(alert, step) {
                self.tell_if_unreached(now, alert, out);
                self.schedule(alert);
                self.set_lapse(alert);
                return false;
            }
        }
    }

    /// `step` is the last of its round, so that what follows waits for its time.
    fn ends_round(&self, alert: AlertId, step: StepKey) -> bool {
        let found = self.state.open.get(&alert).zip(self.runs.get(&alert));
        let next = found.and_then(|(open, run)| next_step(open, run));
        next.is_some_and(|(next, _)| next.round != step.round)
    }

    /// Queues a fired step at every channel that it uses.
    pub(crate) fn fan_step(&mut self, alert: AlertId, step: StepKey) {
        self.widen_fired(alert, step);
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        let Some(fired) = open.facts.fired.get(&step) else { return };
        let told = run.roster.told(step, &fired.on_call, &fired.withheld);
        let list = match &told {
            Cow::Borrowed(_) => List::Step(usize::from(step.step)),
            Cow::Owned(told) => List::These(told.as_slice().into()),
        };
        let channels: BTreeSet<_> = told
            .iter()
            .filter_map(|reach| run.roster.at(*reach))
            .map(|(_, address)| &address.channel)
            .filter(|channel| run.sends_by(channel))
            .collect();
        for channel in channels {
            let fan = Fan { purpose: Purpose::Alert(step), list: list.clone(), next: 0 };
            self.channels.entry(channel.clone()).or_default().lane.push_fan(alert, run.rank, fan);
        }
    }
}

/// Whether a step has anybody to tell: in recall mode, anybody who has not acknowledged.
fn tells_anybody(run: &Run, step: StepKey, on_call: &BTreeSet<Shift>, withheld: &BTreeSet<Withheld>) -> bool {
    let told = run.roster.told(step, on_call, withheld);
    let mut told = told.iter().filter_map(|reach| run.roster.at(*reach));
    told.any(|(person, _)| !run.acked.contains(&person.name))
}

/// How much later than due a step fires, where that is a second or more.
fn lateness(due: Option<Active>, active: Active) -> Duration {
    let late = due.map_or(Duration::ZERO, |due| active.since(due));
    if late >= Duration::from_secs(1) { late } else { Duration::ZERO }
}
