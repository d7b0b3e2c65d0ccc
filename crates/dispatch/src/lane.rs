//! The queue of one channel: which alerts have something to send there, and what comes next.
//!
//! A step for 53,000 people is a cursor over its roster's list, not 53,000 queue entries; providers pull
//! from it as they have room. Alerts take turns, a new one first, so that a mass alert holds nobody up.

use crate::record::{Cause, Purpose, Reach};
use base::{AlertId, NotificationId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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
    /// Those who were told of the alert.
    Told(Arc<[Reach]>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Looked at before: to be tried again.
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) fans: VecDeque<Fan>,
}

/// What waits for one channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// Whose turn it is. An alert whose queue is gone may still stand here, and is passed over.
    ring: VecDeque<AlertId>,
    /// The same for our own alerts, which go first and are not held by a pause.
    system: VecDeque<AlertId>,
    queues: BTreeMap<AlertId, Queue>,
}

impl Lane {
    /// Queues a notification that was tried before, ahead of what was not.
    pub(crate) fn push_job(&mut self, alert: AlertId, system: bool, job: Job) {
        self.enter(alert, system).jobs.push_back(job);
    }

    pub(crate) fn push_fan(&mut self, alert: AlertId, system: bool, fan: Fan) {
        self.enter(alert, system).fans.push_back(fan);
    }

    fn enter(&mut self, alert: AlertId, system: bool) -> &mut Queue {
        let ring = if system { &mut self.system } else { &mut self.ring };
        self.queues.entry(alert).or_insert_with(|| {
            ring.push_front(alert);
            Queue::default()
        })
    }

    /// The alert whose turn it is. While `paused`, only our own alerts have one.
    pub(crate) fn turn(&mut self, paused: bool) -> Option<AlertId> {
        for ring in [Some(&mut self.system), (!paused).then_some(&mut self.ring)].into_iter().flatten() {
            while let Some(alert) = ring.front() {
                if self.queues.contains_key(alert) {
                    return Some(*alert);
                }
                ring.pop_front();
            }
        }
        None
    }

    pub(crate) fn queue(&mut self, alert: AlertId) -> Option<&mut Queue> {
        self.queues.get_mut(&alert)
    }

    /// Ends the turn of an alert that [`Lane::turn`] gave: behind the others if it has more to send.
    pub(crate) fn rotate(&mut self, alert: AlertId) {
        let more =
            self.queues.get(&alert).is_some_and(|queue| !queue.jobs.is_empty() || !queue.fans.is_empty());
        for ring in [&mut self.system, &mut self.ring] {
            if ring.front() == Some(&alert) {
                ring.pop_front();
                if more {
                    ring.push_back(alert);
                }
            }
        }
        if !more {
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
