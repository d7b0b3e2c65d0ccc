//! The same notice at several nodes: Prometheus posts to all of them, and a client that got no answer tries the
//! next host. One of the twins is sent; the codes of all stay valid.
//!
//! Which one: the one with the smallest id, so that all nodes choose the same without asking. Who owns a larger
//! one writes that it is part of the smaller, which from then on knows whom the larger one told.

use crate::record::{Actor, Alert, Purpose, Record};
use crate::run::{Elsewhere, Turn, notification_id};
use crate::state::{Open, Sent, Twin};
use crate::{Dispatch, Effect, Held};
use base::{AlertId, Digest, Hasher, NotificationId, Now};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What makes two alerts the same: the fingerprint, and the idempotency key with the digest of its request.
fn marks(alert: &Alert) -> impl Iterator<Item = Digest> {
    let key = alert.key.as_ref().map(|(key, digest)| {
        Hasher::new("key").text(alert.source.as_str()).text(key).bytes(&digest.0).finish()
    });
    alert.fingerprint.into_iter().chain(key)
}

/// Whom an alert or a twin of it told of which step, or a twin is telling now. A twin does so under other
/// identities.
fn elsewhere(alert: AlertId, open: &Open) -> Elsewhere {
    let mut all = Elsewhere::new();
    open.facts.sent.iter().for_each(|(id, sent)| note_sent(&mut all, alert, *id, sent));
    all
}

/// Takes note of what is known of one notification. Told once is told.
fn note_sent(elsewhere: &mut Elsewhere, alert: AlertId, id: NotificationId, sent: &Sent) {
    let Purpose::Alert(step) = sent.purpose else { return };
    let key = (sent.recipient.clone(), sent.address.clone(), step);
    let under_way = sent.attempts.iter().rev().find(|attempt| attempt.outcome.is_none());
    match under_way {
        _ if sent.concluded() => drop(elsewhere.insert(key, None)),
        Some(attempt) => {
            if notification_id(alert, &sent.recipient, &sent.address, sent.purpose) != id {
                elsewhere.entry(key).or_insert(Some(attempt.intent.log));
            }
        }
        None => {
            if elsewhere.get(&key).is_some_and(Option::is_some) {
                elsewhere.remove(&key);
            }
        }
    }
}

impl Dispatch {
    /// Files an open alert under what makes it the same as others.
    pub(crate) fn list(&mut self, id: AlertId, alert: &Alert) {
        for mark in marks(alert) {
            self.marks.entry(mark).or_default().insert(id);
        }
    }

    /// The same trouble from here on is a new alert.
    pub(crate) fn unlist(&mut self, id: AlertId, alert: &Alert) {
        for mark in marks(alert) {
            if let Some(twins) = self.marks.get_mut(&mark) {
                twins.remove(&id);
                if twins.is_empty() {
                    self.marks.remove(&mark);
                }
            }
        }
    }

    /// The open alert of that fingerprint.
    pub(crate) fn same(&self, fingerprint: Digest) -> Option<AlertId> {
        self.marks.get(&fingerprint).and_then(|twins| twins.first().copied())
    }

    /// The smaller twin of an alert.
    fn smaller_twin(&self, alert: AlertId) -> Option<AlertId> {
        let open = self.state.open.get(&alert)?;
        let twins = marks(&open.alert).filter_map(|mark| self.marks.get(&mark)?.first().copied());
        twins.min().filter(|twin| *twin < alert)
    }

    /// A twin of an alert of which nothing was sent is finished: its people were told, and answered.
    fn has_finished_twin(&self, alert: AlertId) -> bool {
        let Some(open) = self.state.open.get(&alert).filter(|open| open.facts.sent.is_empty()) else {
            return false;
        };
        let Some((key, digest)) = &open.alert.key else { return false };
        let known = self.keys.find(&open.alert.source, key).filter(|known| known.digest == *digest);
        known.is_some_and(|known| {
            let id = known.alert;
            let open = self.state.open.contains_key(&self.state.target(id));
            id != alert && !open && self.state.knows(id.0)
        })
    }

    /// Ends an alert of ours that has a twin which is sent instead. False if it has none.
    pub(crate) fn merge_twin(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) -> bool {
        if !self.cluster.rules().aliases || self.cluster.is_alone() {
            return false;
        }
        let Some(bound) = self.state.open.get(&alert).map(|open| Arc::clone(&open.alert)) else {
            return false;
        };
        if let Some(into) = self.smaller_twin(alert) {
            self.append(now, Record::Merged { alert, code: bound.code, into }, out);
            self.merged(now, alert, into, out);
            return true;
        }
        let finished = self.has_finished_twin(alert);
        if finished {
            let what = format!("{} is a twin of an alert that is over; it is not sent", bound.code).into();
            self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
            self.append(now, Record::Closed { alert }, out);
            self.drop_run(alert);
        }
        finished
    }

    /// An alert became part of its twin, by our word or a peer's.
    pub(crate) fn merged(&mut self, now: Now, alert: AlertId, into: AlertId, out: &mut Vec<Effect>) {
        self.withdraw(alert, |_| true);
        let in_flight = self.runs.get(&alert).map_or(0, |run| run.in_flight);
        let heard = self.runs.get(&alert).and_then(|run| run.heard_until);
        self.end_run(alert);
        if let Some(run) = self.runs.get_mut(&into) {
            run.in_flight += in_flight; // Their outcomes come back under the old name, and are its own.
        }
        if let Some(until) = heard {
            self.heard_until(into, until);
        }
        self.gather_twins(|target| target == into);
        self.refresh(now, into, out);
    }

    /// Takes note of the alerts that became part of those that `which` picks: their codes lead to these, and
    /// their records go with theirs.
    pub(crate) fn gather_twins(&mut self, which: impl Fn(AlertId) -> bool) {
        let mut grown = BTreeSet::new();
        for (twin, Twin { code, into, .. }) in self.state.merged.iter().filter(|(_, twin)| which(twin.into)) {
            let Some(run) = self.runs.get_mut(into) else { continue };
            if !run.twins.contains(twin) {
                run.twins.push(*twin);
                grown.insert(*into);
            }
            self.open_codes.extend(code.map(|code| (code, *into)));
        }
        grown.into_iter().for_each(|alert| self.recollect(alert));
    }

    /// Looks anew whom an alert told, after more became known of it at once than one record says.
    pub(crate) fn recollect(&mut self, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        run.told = open.facts.sent.values().any(Sent::accepted);
        if !run.twins.is_empty() {
            run.elsewhere = elsewhere(alert, open);
        }
        self.set_lapse(alert);
    }

    /// Something was announced or concluded under the name of an alert that is part of another.
    pub(crate) fn note_twin(&mut self, alert: AlertId, sends: impl Iterator<Item = NotificationId>) {
        let into = self.state.target(alert);
        let Some((open, run)) = self.state.open.get(&into).zip(self.runs.get_mut(&into)) else { return };
        if into == alert {
            return;
        }
        for (id, sent) in sends.filter_map(|id| Some((id, open.facts.sent.get(&id)?))) {
            run.told |= sent.accepted();
            note_sent(&mut run.elsewhere, into, id, sent);
        }
        self.set_lapse(into); // It counts as told now.
    }

    /// A peer's alert arrived that others became part of before it was seen, or that is part of another itself,
    /// or over already.
    pub(crate) fn met_twin(&mut self, alert: AlertId, awaited: bool) {
        let into = self.state.target(alert);
        if into != alert {
            self.gather_twins(|target| target == into);
        } else if !self.state.open.contains_key(&alert) {
            self.hold(Held::Forget { alerts: vec![alert], rosters: Vec::new(), silences: Vec::new() });
        } else if awaited {
            self.gather_twins(|target| target == alert);
        }
    }

    /// A peer's alert arrived: if it is a twin of one of ours, one of them is enough.
    pub(crate) fn meet_twin(&mut self, now: Now, arrived: AlertId, out: &mut Vec<Effect>) {
        let Some(open) = self.state.open.get(&arrived) else { return };
        let found: BTreeSet<AlertId> = marks(&open.alert)
            .flat_map(|mark| self.marks.get(&mark).into_iter().flatten())
            .copied()
            .collect();
        for twin in found {
            let ours =
                self.runs.get(&twin).is_some_and(|run| run.owner == self.me && run.turn != Turn::Theirs);
            if ours {
                self.merge_twin(now, twin, out);
            }
        }
    }
}
