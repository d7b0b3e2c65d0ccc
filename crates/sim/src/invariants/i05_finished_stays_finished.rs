//! I5: no node begins to send what its own disk says is over or was delivered.

use super::{Invariant, Scene};
use crate::history::Fact;
use crate::net::Ix;
use base::{AlertId, NotificationId};
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
        match record {
            Record::Closed { alert } => drop(self.closed.insert((ix, *alert))),
            Record::End { alert, .. } => drop(self.ended.insert((ix, *alert))),
            Record::Done { outcomes, .. } => {
                let taken = outcomes.iter().filter(|done| matches!(done.outcome, Outcome::Accepted { .. }));
                self.delivered.extend(taken.map(|done| (ix, done.notification)));
            }
            _other => (),
        }
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
        match fact {
            Fact::Durable { ix, id } => {
                if let Some(entry) = scene.history.entries.get(id) {
                    self.durable(*ix, &entry.record);
                }
            }
            Fact::Finished { ix, alert } => drop(self.closed.insert((*ix, *alert))),
            Fact::Wiped { ix, .. } => self.forget(*ix),
            Fact::Started { ix, poisoned, .. } if !poisoned.is_empty() => self.forget(*ix),
            Fact::Delivered { ix, delivery, .. } => {
                let alert = (*ix, delivery.alert_id);
                let over = self.ended.contains(&alert) && delivery.purpose != Purpose::End;
                if self.closed.contains(&alert) || over {
                    return Some(format!(
                        "node {ix} sends for {}, which it knows to be over",
                        delivery.alert.code
                    ));
                }
                if self.delivered.contains(&(*ix, delivery.notification)) {
                    let code = delivery.alert.code;
                    return Some(format!("node {ix} sends again for {code} what it knows to be delivered"));
                }
            }
            _other => (),
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
