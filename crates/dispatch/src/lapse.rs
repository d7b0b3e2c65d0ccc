//! How an alert ends: by its source, by hand, or by itself after a time; and when nothing is left to do.

use crate::clock::Moment;
use crate::directory::Mode;
use crate::escalation::next_step;
use crate::record::{Actor, End, Purpose, Record, Why};
use crate::run::{Run, Turn};
use crate::state::Open;
use crate::{Dispatch, Effect, Held};
use base::{AlertId, Digest, Mono, Now};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Alerts that close or expire in one turn; the rest follow in the next.
const LAPSES_PER_TURN: usize = 256;

/// An alert that nobody acknowledges stays open at least this long after its last step.
const ABANDON_MIN: Duration = Duration::from_secs(1);

/// When an alert ends by itself as things stand, and why.
fn lapse(open: &Open, run: &Run) -> Option<(Mono, Why)> {
    if open.facts.end().is_some() {
        return None;
    }
    let unheard = run.stands_until.filter(|_| run.doubted.is_none()).map(|at| (at, Why::Resolved));
    unheard.into_iter().chain(policy_lapse(open, run)).min_by_key(|(at, _)| *at)
}

/// The same by its policy.
fn policy_lapse(open: &Open, run: &Run) -> Option<(Mono, Why)> {
    let policy = &run.roster.policy;
    if let Some(acked) = run.acked_at {
        return Some((acked.plus(policy.close_after), Why::Automatic));
    }
    if run.is_held() {
        return None;
    }
    if !run.told {
        return Some((run.accepted_at.plus(open.alert.ttl), Why::Expired));
    }
    let waits = next_step(open, run).is_some();
    (!waits).then(|| (run.fired_at.plus(policy.abandon_after.max(ABANDON_MIN)), Why::Automatic))
}

/// Somebody's acknowledgement is missed. Nobody's is where the alert does not escalate.
fn asks(open: &Open, run: &Run) -> bool {
    run.mode() != Mode::None && open.alert.escalates
}

impl Dispatch {
    /// Sets the time at which an alert ends by itself, as things stand.
    pub(crate) fn set_lapse(&mut self, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        let due = lapse(open, run).filter(|_| run.turn == Turn::Ours).map(|(due, _)| due);
        if let Some(old) = std::mem::replace(&mut run.lapse_due, due) {
            self.lapses_due.remove(&(old, alert));
        }
        if let Some(due) = due {
            self.lapses_due.insert((due, alert));
        }
    }

    /// Ends the alerts whose time has come, and tells the operators once of those that expired or that
    /// nobody acknowledged.
    pub(crate) fn lapse_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut expired = Vec::new();
        let mut abandoned = Vec::new();
        for _ in 0..LAPSES_PER_TURN {
            let Some((due, alert)) = self.lapses_due.first().copied().filter(|(due, _)| *due <= now.mono)
            else {
                break;
            };
            let pending = self.is_pending(alert);
            let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else {
                self.lapses_due.remove(&(due, alert));
                continue;
            };
            let (code, why) = (open.alert.code, lapse(open, run).map_or(Why::Automatic, |(_, why)| why));
            if why == Why::Resolved {
                self.doubt(now, alert, out);
                continue;
            }
            if why == Why::Automatic && run.acked_at.is_none() && pending {
                // Its last step is not through while people of it are still to be told.
                run.fired_at = Moment::now(now);
                self.set_lapse(alert);
                continue;
            }
            if why == Why::Expired && (now.suspect || open.alert.system) {
                // With a clock that jumped nobody knows how old it is: it is sent, late, rather than dropped.
                run.accepted_at = Moment::now(now);
                self.set_lapse(alert);
                continue;
            }
            match why {
                Why::Expired => expired.push(code),
                Why::Automatic if run.acked_at.is_none() && asks(open, run) => abandoned.push(code),
                Why::Automatic | Why::Resolved | Why::ByHand | Why::Cancelled => (),
            }
            self.end(now, alert, End { at: now.wall, why, by: Actor::ourselves() }, out);
        }
        self.tell_of_lapses(now, &expired, &abandoned, out);
    }

    /// Ends an alert: what is unsent is withdrawn, those who were told learn of it if the policy says so.
    pub(crate) fn end(&mut self, now: Now, alert: AlertId, end: End, out: &mut Vec<Effect>) {
        let Some(open) = self.state.open.get(&alert) else { return };
        if open.facts.end().is_some() {
            return;
        }
        let bound = Arc::clone(&open.alert);
        self.unlist(alert, &bound);
        let resolved = end.why == Why::Resolved;
        self.note_unsteady(now, alert, out);
        self.append(now, Record::End { alert, end }, out);
        self.hush.inhibition.remove(alert);
        self.withdraw(alert, |_| true);
        self.schedule(alert);
        self.set_lapse(alert);
        if resolved {
            self.fan_end(alert);
        }
        self.settle(now, alert, out);
    }

    pub(crate) fn fan_end(&mut self, alert: AlertId) {
        if self.runs.get(&alert).is_some_and(|run| run.roster.policy.tell_resolved) {
            self.fan_told(alert, Purpose::End, None);
        }
    }

    /// Something is still to be sent for an alert, or on its way.
    pub(crate) fn is_pending(&self, alert: AlertId) -> bool {
        let busy = self.runs.get(&alert).is_some_and(|run| run.in_flight > 0 || !run.retries.is_empty());
        busy || self.bundles.has(alert)
            || self.is_delegated_work_left(alert)
            || self.channels.values().any(|channel| channel.lane.has(alert))
    }

    /// Closes an alert for which nothing is left to do.
    pub(crate) fn settle(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        self.sum_up_failures(now, alert, out);
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        if run.turn != Turn::Ours {
            return; // Who sends for it knows when nothing is left to send.
        }
        if run.is_held() && open.facts.end().is_none() {
            return; // It is told once nothing holds it back.
        }
        // What asks for no acknowledgement is over once it is sent, unless its source is going to say when:
        // closed before that, every repetition would be a new alert.
        let sent = run.mode() == Mode::None && (run.system || open.alert.fingerprint.is_none());
        if (open.facts.end().is_some() || sent) && !self.is_pending(alert) {
            self.append(now, Record::Closed { alert }, out);
            self.drop_run(alert);
        }
    }

    /// Forgets what was under way for a closed alert, and lets the ledger forget its records.
    pub(crate) fn drop_run(&mut self, alert: AlertId) {
        let mut alerts = self.end_run(alert);
        alerts.push(alert);
        self.hold(Held::Forget { alerts, rosters: Vec::new(), silences: Vec::new() });
    }

    /// Forgets what was under way for an alert. Its twins are handed back: their records are needed as long as
    /// its own, which say what became of them.
    pub(crate) fn end_run(&mut self, alert: AlertId) -> Vec<AlertId> {
        let Some(run) = self.runs.remove(&alert) else { return Vec::new() };
        self.hush.forget(alert, run.holds.steady_at);
        if let Some(due) = run.step_due {
            self.steps_due.remove(&(due, alert));
        }
        if let Some(due) = run.lapse_due {
            self.lapses_due.remove(&(due, alert));
        }
        if run.twins.is_empty() {
            self.open_codes.remove(&run.bound.code);
        } else {
            self.open_codes.retain(|_, of| *of != alert);
        }
        self.disown(run.owner, alert);
        self.unlist(alert, &run.bound);
        run.twins
    }

    /// Lets go of rosters that no open alert and no binding refers to.
    pub(crate) fn forget_rosters(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.state.lost.is_empty() {
            return; // A lost acceptance may refer to any of them.
        }
        let mut needed: BTreeSet<Digest> = self.state.open.values().map(|open| open.alert.roster).collect();
        needed.extend(self.bindings.values().map(|roster| roster.id));
        let unneeded: Vec<Digest> =
            self.state.rosters.keys().filter(|id| !needed.contains(*id)).copied().collect();
        let dropped: Vec<Digest> =
            unneeded.iter().copied().filter(|id| self.rosters_written.remove(id)).collect();
        if !dropped.is_empty() && !self.cluster.is_alone() {
            self.append(now, Record::RosterDropped { rosters: dropped }, out);
        }
        // A peer's next alert may refer to a roster that stands in its log, until it says that none will.
        let cluster = &self.cluster;
        let mut gone = Vec::new();
        for id in unneeded {
            let logs = self.state.roster_logs.get(&id).into_iter().flatten();
            let named = logs.into_iter().any(|log| *log != self.me && !cluster.is_complete(*log));
            if !named {
                gone.push(id);
            }
        }
        for id in &gone {
            self.state.rosters.remove(id);
            self.state.roster_logs.remove(id);
            self.indexes.remove(id);
        }
        if !gone.is_empty() {
            self.hold(Held::Forget { alerts: Vec::new(), rosters: gone, silences: Vec::new() });
        }
    }

    /// The place of each person in a roster, shared by all its alerts.
    pub(crate) fn index(&mut self, roster: &crate::record::Roster) -> Arc<crate::run::Index> {
        let index = self.indexes.entry(roster.id);
        Arc::clone(index.or_insert_with(|| Arc::new(crate::run::Index::new(roster))))
    }
}
