//! A step fires when it is due, or its record says by how much it is late.

use super::{Invariant, Scene};
use crate::history::Fact;
use crate::queue::Ms;
use base::AlertId;
use base::time::millis;
use dispatch::record::{Fired, Record, StepKey};
use std::collections::BTreeMap;

/// What clocks that differ, and the way of a record, may make of it; besides the second below which lateness is
/// not recorded.
const TOLERANCE: Ms = 1500;

#[derive(Default)]
pub(super) struct OnTime {
    last: BTreeMap<AlertId, (StepKey, Ms)>,
}

impl OnTime {
    fn fired(&mut self, scene: &Scene<'_>, alert: AlertId, step: StepKey, fired: &Fired) -> Option<String> {
        let (before, at) = self.last.get(&alert).copied()?;
        if fired.empty || step <= before {
            return None;
        }
        self.last.insert(alert, (step, scene.now));
        let roster = scene.history.roster(alert)?;
        let policy = &roster.policy;
        let after = if step.round == before.round {
            roster.steps.get(usize::from(step.step))?.after
        } else {
            policy.repeat?.after
        };
        let follows = step.step == before.step + 1 && step.round == before.round
            || step.round == before.round + 1
                && policy.repeat.is_some_and(|repeat| repeat.from_step == step.step);
        if fired.by.is_some() || !follows || scene.history.paused {
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
        let Fact::Appended { id, entry, ix, .. } = fact else { return None };
        let own = scene.machines.get(*ix).is_some_and(|machine| machine.log == id.log);
        match &entry.record {
            Record::Accept(_) if own => {
                self.last.insert(AlertId(*id), (StepKey::default(), scene.now));
                None
            }
            Record::StepFired { alert, step, fired } if own => self.fired(scene, *alert, *step, fired),
            _other => None,
        }
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
