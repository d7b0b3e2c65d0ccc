//! A step fires when it is due, or its record says by how much it is late.

use super::{Invariant, Scene};
use crate::history::{Fact, Upset};
use crate::net::Ix;
use crate::queue::Ms;
use base::time::millis;
use base::{AlertId, RecordId};
use dispatch::record::{Fired, Record, StepKey};
use std::collections::BTreeMap;
use std::time::Duration;

/// What clocks that differ, and the way of a record, may make of it; besides the second below which lateness is
/// not recorded.
const TOLERANCE: Ms = 1500;

/// The last firing of an alert's steps that a node knows of, and when it really was.
type Last = BTreeMap<(Ix, AlertId), (StepKey, Ms)>;

#[derive(Default)]
pub(super) struct OnTime {
    last: Last,
    /// When each firing was written.
    written: BTreeMap<RecordId, Ms>,
}

impl OnTime {
    fn know(&mut self, scene: &Scene<'_>, ix: Ix, id: RecordId, record: &Record) {
        let (alert, step) = if matches!(record, Record::Accept(_)) {
            (AlertId(id), StepKey::default())
        } else if let Record::StepFired { alert, step, fired } = record
            && !fired.empty
        {
            (*alert, *step)
        } else {
            return;
        };
        let at = *self.written.entry(id).or_insert(scene.now);
        let last = self.last.entry((ix, alert)).or_insert((step, at));
        if step > last.0 {
            *last = (step, at);
        } else if step == last.0 {
            last.1 = last.1.min(at);
        }
    }

    fn fired(
        &self,
        scene: &Scene<'_>,
        ix: Ix,
        alert: AlertId,
        step: StepKey,
        fired: &Fired,
    ) -> Option<String> {
        let (before, at) = self.last.get(&(ix, alert)).copied()?;
        if fired.empty || step <= before {
            return None;
        }
        let roster = scene.history.roster(alert)?;
        let policy = &roster.policy;
        let accepted = &scene.history.alerts.get(&alert)?.alert;
        let nobody = before == StepKey::default()
            && roster.told(before, &accepted.on_call, &accepted.withheld).is_empty();
        let after = if step.round != before.round {
            policy.repeat?.after
        } else if nobody {
            Duration::ZERO // The first step found nobody on call.
        } else {
            roster.steps.get(usize::from(step.step))?.after
        };
        let follows = step.step == before.step + 1 && step.round == before.round
            || step.round == before.round + 1
                && policy.repeat.is_some_and(|repeat| repeat.from_step == step.step);
        let upsets = &scene.history.upsets;
        let upset = [Upset::Paused, Upset::Jumped, Upset::Held].iter().any(|upset| upsets.contains(upset));
        if fired.by.is_some() || !follows || upset {
            return None;
        }
        let due = at + millis(after);
        let late = millis(fired.late);
        if scene.now + TOLERANCE < due {
            return Some(format!("step {step:?} of {alert} fires {} ms early", due - scene.now));
        }
        let really = scene.now.saturating_sub(due);
        (really > late + 1000 + TOLERANCE)
            .then(|| format!("step {step:?} of {alert} fires {really} ms late, and says {late}"))
    }
}

impl Invariant for OnTime {
    fn name(&self) -> &'static str {
        "steps_fire_on_time"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        if let Fact::Started { ix, .. } = fact {
            self.last.retain(|(of, _), _| of != ix);
            // A firing that rotted comes back with all that a peer knows, before anything is fired.
            let disk = &scene.machines.get(*ix)?.disk;
            for id in disk.rows.keys().chain(&disk.lost) {
                if let Some(entry) = scene.history.entries.get(id) {
                    self.know(scene, *ix, *id, &entry.record);
                }
            }
        } else if let Fact::Appended { id, entry, ix, .. } = fact {
            let own = scene.machines.get(*ix).is_some_and(|machine| machine.log == id.log);
            let wrong = if let Record::StepFired { alert, step, fired } = &entry.record
                && own
            {
                self.fired(scene, *ix, *alert, *step, fired)
            } else {
                None
            };
            self.know(scene, *ix, *id, &entry.record);
            return wrong;
        } else if let Fact::Told { ix, id } = fact
            && let Some(entry) = scene.history.entries.get(id)
        {
            self.know(scene, *ix, *id, &entry.record); // What a snapshot brought is not appended.
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
