//! What was acknowledged at a node is not sent by that node any more, where one acknowledgement is enough.
//! What had been handed out before is past recall.

use super::{Invariant, Scene};
use crate::history::Fact;
use crate::net::Ix;
use base::AlertId;
use dispatch::directory::{Mode, Unsent};
use dispatch::record::{Purpose, Record};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Silent {
    applied: BTreeSet<(Ix, AlertId)>,
    durable: BTreeSet<(Ix, AlertId)>,
}

impl Invariant for Silent {
    fn name(&self) -> &'static str {
        "acknowledged_stays_silent"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        if let Fact::Appended { ix, entry, .. } = fact {
            if let Record::Ack { alert, .. } = &entry.record {
                self.applied.insert((*ix, *alert));
            }
        } else if let Fact::Told { ix, id } = fact {
            let entry = scene.history.entries.get(id);
            if let Some(Record::Ack { alert, .. }) = entry.map(|entry| &entry.record) {
                self.applied.insert((*ix, *alert));
            }
        } else if let Fact::Durable { ix, id } = fact {
            let entry = scene.history.entries.get(id);
            if let Some(Record::Ack { alert, .. }) = entry.map(|entry| &entry.record) {
                self.durable.insert((*ix, *alert));
            }
        } else if let Fact::Wiped { ix, .. } = fact {
            self.durable.retain(|(of, _)| of != ix);
        } else if let Fact::Started { ix, poisoned, .. } = fact {
            if !poisoned.is_empty() {
                self.durable.retain(|(of, _)| of != ix);
            }
            self.applied.retain(|(of, _)| of != ix);
            self.applied.extend(self.durable.iter().filter(|(of, _)| of == ix));
        } else if let Fact::Delivered { ix, delivery, .. } = fact {
            let policy = &delivery.roster.policy;
            let silent = policy.mode == Mode::Basic && policy.unsent == Unsent::Stop;
            let acked = self.applied.contains(&(*ix, delivery.alert_id));
            if acked && silent && matches!(delivery.purpose, Purpose::Alert(_)) {
                return Some(format!("node {ix} sends {} although it was acknowledged", delivery.alert.code));
            }
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
