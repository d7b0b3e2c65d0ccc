//! The queue of one channel: which alerts have something to send there, and what comes next.
//!
//! A step for 53,000 people is a cursor over its roster's list, not 53,000 queue entries; providers pull
//! from it as they have room. Alerts take turns. One that has not had a turn yet comes before those that
//! had, the graver first and then the older, so that a mass alert holds nobody up; every fourth turn goes
//! to the others all the same, so that a storm of new alerts does not hold up the mass alert for ever.

use crate::directory::Severity;
use crate::record::{Alert, Cause, Purpose, Reach};
use base::{AlertId, NotificationId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Turns of new alerts, after which one of the others has its turn.
const NEW_IN_A_ROW_MAX: u8 = 3;

/// Before whom an alert is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Ordinary(Severity),
    /// Our own alerts go first and are not held by a pause.
    System,
}

impl Rank {
    pub(crate) fn of(alert: &Alert) -> Self {
        if alert.system { Self::System } else { Self::Ordinary(alert.content.severity) }
    }
}

/// One notification that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    pub(crate) notification: NotificationId,
    pub(crate) reach: Reach,
    pub(crate) purpose: Purpose,
    pub(crate) repeat: Option<Cause>,
}

/// Notifications not yet looked at: a list and how far it was gone through.
#[derive(Clone, Debug)]
pub(crate) struct Fan {
    pub(crate) purpose: Purpose,
    pub(crate) list: List,
    pub(crate) next: usize,
}

/// Whom a fan is for.
#[derive(Clone, Debug)]
pub(crate) enum List {
    /// The roster's step of that index.
    Step(usize),
    /// These: who was on call, or who was told of the alert.
    These(Arc<[Reach]>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Looked at before: to be tried again.
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) fans: VecDeque<Fan>,
}

/// What waits for one channel. An alert whose queue is gone may still stand in line, and is passed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// Without a turn so far.
    new: BTreeMap<Rank, VecDeque<AlertId>>,
    /// With more to send after a turn, in turn: our own, and the others.
    system: VecDeque<AlertId>,
    ring: VecDeque<AlertId>,
    /// Turns that new alerts had in a row.
    new_in_a_row: u8,
    queues: BTreeMap<AlertId, Queue>,
}

impl Lane {
    /// Queues a notification that was tried before, ahead of what was not.
    pub(crate) fn push_job(&mut self, alert: AlertId, rank: Rank, job: Job) {
        self.enter(alert, rank).jobs.push_back(job);
    }

    pub(crate) fn push_fan(&mut self, alert: AlertId, rank: Rank, fan: Fan) {
        self.enter(alert, rank).fans.push_back(fan);
    }

    fn enter(&mut self, alert: AlertId, rank: Rank) -> &mut Queue {
        let new = &mut self.new;
        self.queues.entry(alert).or_insert_with(|| {
            new.entry(rank).or_default().push_back(alert);
            Queue::default()
        })
    }

    /// The alert whose turn it is. While `paused`, only our own alerts have one.
    pub(crate) fn turn(&mut self, paused: bool) -> Option<AlertId> {
        self.pass_over();
        let new = |rank: &Rank| !paused || *rank == Rank::System;
        let first = self.new.iter().rev().find(|(rank, _)| new(rank));
        let ring = self.ring.front().filter(|_| !paused);
        match (first.map(|(rank, line)| (*rank, line.front())), self.system.front()) {
            (Some((Rank::System, alert)), _) => alert.copied(),
            (_, Some(alert)) => Some(*alert),
            (Some((Rank::Ordinary(_), _)), None)
                if self.new_in_a_row >= NEW_IN_A_ROW_MAX && ring.is_some() =>
            {
                ring.copied()
            }
            (Some((Rank::Ordinary(_), alert)), None) => alert.copied(),
            (None, None) => ring.copied(),
        }
    }

    /// Drops those at the heads of the lines whose queues are gone.
    fn pass_over(&mut self) {
        let queues = &self.queues;
        let trim = |line: &mut VecDeque<AlertId>| {
            while line.front().is_some_and(|alert| !queues.contains_key(alert)) {
                line.pop_front();
            }
        };
        self.new.values_mut().for_each(trim);
        self.new.retain(|_, line| !line.is_empty());
        trim(&mut self.system);
        trim(&mut self.ring);
    }

    /// The next notification of an alert that was tried before.
    pub(crate) fn retry(&self, alert: AlertId) -> Option<&Job> {
        self.queues.get(&alert)?.jobs.front()
    }

    /// All notifications of an alert that were tried before.
    pub(crate) fn retries(&self, alert: AlertId) -> impl Iterator<Item = &Job> {
        self.queues.get(&alert).into_iter().flat_map(|queue| &queue.jobs)
    }

    pub(crate) fn queue(&mut self, alert: AlertId) -> Option<&mut Queue> {
        self.queues.get_mut(&alert)
    }

    /// Ends the turn of an alert that [`Lane::turn`] gave: behind the others if it has more to send.
    pub(crate) fn rotate(&mut self, alert: AlertId) {
        let more =
            self.queues.get(&alert).is_some_and(|queue| !queue.jobs.is_empty() || !queue.fans.is_empty());
        let mut system = leave(&mut self.system, alert);
        let waited = leave(&mut self.ring, alert);
        self.new_in_a_row = if waited { 0 } else { self.new_in_a_row.saturating_add(1) };
        for (rank, line) in &mut self.new {
            system |= leave(line, alert) && *rank == Rank::System;
        }
        if more {
            if system { self.system.push_back(alert) } else { self.ring.push_back(alert) }
        } else {
            self.queues.remove(&alert);
        }
    }

    /// Withdraws what `gone` says of an alert's queue.
    pub(crate) fn withdraw(&mut self, alert: AlertId, gone: impl Fn(Purpose) -> bool) {
        if let Some(queue) = self.queues.get_mut(&alert) {
            queue.jobs.retain(|job| !gone(job.purpose));
            queue.fans.retain(|fan| !gone(fan.purpose));
            if queue.jobs.is_empty() && queue.fans.is_empty() {
                self.queues.remove(&alert);
            }
        }
    }

    /// The alerts that have something here, oldest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = AlertId> {
        self.queues.keys().copied()
    }

    pub(crate) fn has(&self, alert: AlertId) -> bool {
        self.queues.contains_key(&alert)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// How many alerts wait here.
    pub(crate) fn alerts(&self) -> usize {
        self.queues.len()
    }
}

/// Takes an alert from the head of a line, if it stands there.
fn leave(line: &mut VecDeque<AlertId>, alert: AlertId) -> bool {
    let stands = line.front() == Some(&alert);
    if stands {
        line.pop_front();
    }
    stands
}
