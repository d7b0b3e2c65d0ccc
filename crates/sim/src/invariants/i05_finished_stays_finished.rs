//! I5: no node begins to send what its own disk says is over or was delivered.

use super::{Invariant, Scene};
use crate::history::Fact;
use crate::net::Ix;
use base::{AlertId, NotificationId};
use dispatch::Delivery;
use dispatch::record::{Outcome, Purpose, Record};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Finished {
    closed: BTreeSet<(Ix, AlertId)>,
    ended: BTreeSet<(Ix, AlertId)>,
    delivered: BTreeSet<(Ix, NotificationId)>,
}

impl Finished {
    fn durable(&mut self, ix: Ix, record: &Record) {
        if let Record::Closed { alert } = record {
            self.closed.insert((ix, *alert));
        } else if let Record::End { alert, .. } = record {
            self.ended.insert((ix, *alert));
        } else if let Record::Done { outcomes, .. } = record {
            let taken = outcomes.iter().filter(|done| matches!(done.outcome, Outcome::Accepted { .. }));
            self.delivered.extend(taken.map(|done| (ix, done.notification)));
        }
    }

    fn delivered(&self, ix: Ix, delivery: &Delivery) -> Option<String> {
        let alert = (ix, delivery.alert_id);
        let code = delivery.alert.code;
        let over = self.ended.contains(&alert) && delivery.purpose != Purpose::End;
        if self.closed.contains(&alert) || over {
            return Some(format!("node {ix} sends for {code}, which it knows to be over"));
        }
        self.delivered
            .contains(&(ix, delivery.notification))
            .then(|| format!("node {ix} sends again for {code} what it knows to be delivered"))
    }

    fn forget(&mut self, ix: Ix) {
        self.closed.retain(|(of, _)| *of != ix);
        self.ended.retain(|(of, _)| *of != ix);
        self.delivered.retain(|(of, _)| *of != ix);
    }
}

impl Invariant for Finished {
    fn name(&self) -> &'static str {
        "i05_finished_stays_finished"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        if let Fact::Durable { ix, id } = fact {
            if let Some(entry) = scene.history.entries.get(id) {
                self.durable(*ix, &entry.record);
            }
        } else if let Fact::Finished { ix, alert } = fact {
            self.closed.insert((*ix, *alert));
        } else if let Fact::Wiped { ix, .. } = fact {
            self.forget(*ix);
        } else if let Fact::Started { ix, poisoned, .. } = fact {
            if !poisoned.is_empty() {
                self.forget(*ix);
            }
        } else if let Fact::Delivered { ix, delivery, .. } = fact {
            return self.delivered(*ix, delivery);
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
