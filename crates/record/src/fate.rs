//! What became of alerts, as the remaining records tell it: pending, over, or not seen yet.
//!
//! Separate from those who ask, a start and the readers for peers: both must come to the same answer as
//! `dispatch::State` does when it folds the records. Twins, which `Merged` makes one, share one fate: whatever
//! ends one ends all. One of which the acceptance is gone was ended: only then are records deleted.

use crate::Index;
use base::{AlertId, LogId, RecordId};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done with the records of an alert; the later, the less of them is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Its `Accept` may still come: what is known of it waits.
    Unseen,
    /// It is not over.
    Pending,
    /// It is over, and a twin of it may still come: what makes them twins says that this one is over as well.
    Awaited,
    /// It is over, and so are all of its twins.
    Over,
}

/// What the records say of alerts.
#[derive(Debug, Default)]
pub struct Fates {
    accepted: BTreeSet<AlertId>,
    over: BTreeSet<AlertId>,
    /// Each twin, and a smaller one.
    twins: BTreeMap<AlertId, AlertId>,
    /// The smallest twins of those that are over, and of those of which one may still come.
    over_twins: BTreeSet<AlertId>,
    awaited_twins: BTreeSet<AlertId>,
    /// Places whose records cannot be read: if one was an `Accept`, it may still come, from a peer.
    lost: BTreeSet<RecordId>,
}

impl Fates {
    /// These are known to be over, and those records are lost.
    pub fn new(over: BTreeSet<AlertId>, lost: BTreeSet<RecordId>) -> Self {
        Self { over, lost, ..Self::default() }
    }

    /// This record turns out to be lost as well.
    pub fn lose(&mut self, id: RecordId) {
        self.lost.insert(id);
    }

    /// The records that are lost.
    pub fn lost(&self) -> &BTreeSet<RecordId> {
        &self.lost
    }

    /// Takes a record in.
    pub fn see(&mut self, id: RecordId, index: &Index) {
        if index.accept.is_some() {
            self.accepted.insert(AlertId(id));
        }
        self.over.extend(index.closes);
        if let (Some(alert), Some(into)) = (index.alert, index.merges) {
            let (one, other) = (self.smallest(alert), self.smallest(into));
            if one != other {
                self.twins.insert(one.max(other), one.min(other));
            }
        }
    }

    /// All records are taken in; `upto` says how far each log goes.
    pub fn settle(&mut self, upto: &BTreeMap<LogId, u64>) {
        let all: BTreeSet<AlertId> = self.twins.iter().flat_map(|(one, other)| [*one, *other]).collect();
        for alert in all {
            let smallest = self.smallest(alert);
            if !self.covers(alert, upto) {
                self.awaited_twins.insert(smallest);
            } else if !self.accepted.contains(&alert) {
                self.over_twins.insert(smallest);
            }
            if self.over.contains(&alert) {
                self.over_twins.insert(smallest);
            }
        }
    }

    /// What becomes of the records of `alert`.
    pub fn of(&self, alert: AlertId, upto: &BTreeMap<LogId, u64>) -> Fate {
        let smallest = self.smallest(alert);
        let gone = self.over.contains(&alert) || !self.accepted.contains(&alert);
        if !self.covers(alert, upto) {
            Fate::Unseen
        } else if !gone && !self.over_twins.contains(&smallest) {
            Fate::Pending
        } else if self.awaited_twins.contains(&smallest) {
            Fate::Awaited
        } else {
            Fate::Over
        }
    }

    fn covers(&self, alert: AlertId, upto: &BTreeMap<LogId, u64>) -> bool {
        alert.0.seq < upto.get(&alert.0.log).copied().unwrap_or(0) && !self.lost.contains(&alert.0)
    }

    /// The one that stands for `alert` and its twins.
    fn smallest(&self, mut alert: AlertId) -> AlertId {
        while let Some(smaller) = self.twins.get(&alert) {
            alert = *smaller;
        }
        alert
    }
}
