//! Chooses among redundant targets: the first in order of preference that works.
//!
//! Used for the providers of a channel, and made for the servers of a gateway pair. Pure: time comes in,
//! transitions come out as values with their reason. A target that failed is left alone for a while, ever
//! longer; then one trial is allowed, and if it works the target is used again, so the preferred one is
//! returned to by itself.
//!
//! ```text
//!            failed                cool-down over, chosen
//! Healthy ───────────► Cooling ───────────────────────────► Trial
//!    ▲                    ▲                                   │
//!    │      worked        │             failed                │
//!    └────────────────────┴───────────────────────────────────┘
//! ```

use base::time::Human;
use base::{Mono, Name};
use std::sync::Arc;
use std::time::Duration;

/// How long a failed target is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// After the first failure.
    pub cool_down_min: Duration,
    /// At most; doubled from the minimum with each failure in a row.
    pub cool_down_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { cool_down_min: Duration::from_secs(5), cool_down_max: Duration::from_secs(300) }
    }
}

/// What is believed of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is used whenever nothing before it can be.
    Healthy,
    /// It failed and is left alone until then.
    Cooling {
        /// When a trial may be made.
        until: Mono,
        /// Failures in a row, from 1.
        failures: u32,
        /// The last failure, in words.
        why: Arc<str>,
    },
    /// One trial is under way; nothing else goes there meanwhile.
    Trial {
        /// Failures in a row before it.
        failures: u32,
        /// The last failure, in words.
        why: Arc<str>,
    },
}

/// A target's health changed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which target.
    pub target: Name,
    /// What it is from now on: `failing` or `healthy`.
    pub to: &'static str,
    /// Why.
    pub because: Arc<str>,
}

#[derive(Clone, Debug)]
struct Target {
    name: Name,
    health: Health,
}

/// Redundant targets in order of preference.
#[derive(Clone, Debug)]
pub struct Selection {
    timing: Timing,
    targets: Vec<Target>,
}

impl Selection {
    /// All `names`, the preferred one first, believed to be healthy.
    pub fn new(names: impl IntoIterator<Item = Name>, timing: Timing) -> Self {
        let targets = names.into_iter().map(|name| Target { name, health: Health::Healthy }).collect();
        Self { timing, targets }
    }

    /// Every target with its health, in order of preference.
    pub fn targets(&self) -> impl Iterator<Item = (&Name, &Health)> {
        self.targets.iter().map(|target| (&target.name, &target.health))
    }

    /// The target to use at `now`: the first that is healthy or due for its trial, and for which `may` holds.
    pub fn choose(&self, now: Mono, may: impl Fn(&Name) -> bool) -> Option<&Name> {
        self.targets.iter().find(|target| usable(&target.health, now) && may(&target.name)).map(|t| &t.name)
    }

    /// Some target is healthy or due for its trial.
    pub fn any(&self, now: Mono) -> bool {
        self.targets.iter().any(|target| usable(&target.health, now))
    }

    /// None is healthy: what remains is waiting and trials.
    pub fn all_failing(&self) -> bool {
        !self.targets.iter().any(|target| target.health == Health::Healthy)
    }

    /// How many uses of `name` may be started together: one where it is a trial.
    pub fn room(&self, name: &Name) -> usize {
        match self.health(name) {
            Some(Health::Healthy) => usize::MAX,
            Some(Health::Cooling { .. }) => 1,
            Some(Health::Trial { .. }) | None => 0,
        }
    }

    /// Tells that `name` is being used. A target whose cool-down is over is then on trial.
    pub fn started(&mut self, name: &Name) {
        let Some(target) = self.find(name) else { return };
        if let Health::Cooling { failures, why, .. } = &target.health {
            target.health = Health::Trial { failures: *failures, why: Arc::clone(why) };
        }
    }

    /// Tells that a use of `name` worked.
    pub fn worked(&mut self, name: &Name) -> Option<Change> {
        let target = self.find(name)?;
        match &target.health {
            Health::Healthy => None,
            Health::Cooling { failures, .. } | Health::Trial { failures, .. } => {
                let because = format!("it works again after {failures} failure(s) in a row").into();
                target.health = Health::Healthy;
                Some(Change { target: name.clone(), to: "healthy", because })
            }
        }
    }

    /// Tells that a use of `name` failed for a reason that lies with the target.
    pub fn failed(&mut self, now: Mono, name: &Name, why: &Arc<str>) -> Option<Change> {
        let timing = self.timing;
        let target = self.find(name)?;
        let failures = match target.health {
            Health::Healthy => 1,
            Health::Trial { failures, .. } => failures.saturating_add(1),
            Health::Cooling { .. } => return None, // A late report of a use that was started before.
        };
        let first = target.health == Health::Healthy;
        let pause = timing.pause(failures);
        target.health = Health::Cooling { until: now + pause, failures, why: Arc::clone(why) };
        let because = format!("{why}; next try in {}", Human(pause)).into();
        first.then(|| Change { target: name.clone(), to: "failing", because })
    }

    /// Tells that a use of `name` ended without a verdict on it, so that a trial does not stay open.
    pub fn abstained(&mut self, now: Mono, name: &Name) {
        let Some(target) = self.find(name) else { return };
        if let Health::Trial { failures, why } = &target.health {
            target.health = Health::Cooling { until: now, failures: *failures, why: Arc::clone(why) };
        }
    }

    /// The next instant at which time alone makes a target usable.
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        self.targets
            .iter()
            .filter_map(|target| match target.health {
                Health::Cooling { until, .. } if until > now => Some(until),
                Health::Healthy | Health::Cooling { .. } | Health::Trial { .. } => None,
            })
            .min()
    }

    /// What is believed of `name`.
    pub fn health(&self, name: &Name) -> Option<&Health> {
        self.targets.iter().find(|target| target.name == *name).map(|target| &target.health)
    }

    fn find(&mut self, name: &Name) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.name == *name)
    }
}

impl Timing {
    fn pause(self, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
        self.cool_down_min.saturating_mul(doubled).min(self.cool_down_max)
    }
}

fn usable(health: &Health, now: Mono) -> bool {
    match health {
        Health::Healthy => true,
        Health::Cooling { until, .. } => *until <= now,
        Health::Trial { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Selection, Name, Name) {
        let (first, second) = (Name::new("first").unwrap(), Name::new("second").unwrap());
        (Selection::new([first.clone(), second.clone()], Timing::default()), first, second)
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1000)
    }

    #[test]
    fn the_second_serves_while_the_first_fails_and_the_first_is_returned_to() {
        let (mut pair, first, second) = pair();
        assert_eq!(pair.choose(at(0), |_| true), Some(&first));
        let change = pair.failed(at(0), &first, &"connection refused".into()).unwrap();
        assert_eq!((change.to, &*change.because), ("failing", "connection refused; next try in 5s"));
        assert_eq!(pair.choose(at(1), |_| true), Some(&second));
        assert_eq!(pair.deadline(at(1)), Some(at(5)));
        assert_eq!((pair.choose(at(5), |_| true), pair.room(&first)), (Some(&first), 1));
        pair.started(&first);
        assert_eq!(pair.choose(at(5), |_| true), Some(&second), "one trial, not a crowd");
        assert_eq!(pair.worked(&first).map(|change| change.to), Some("healthy"));
        assert_eq!(pair.choose(at(6), |_| true), Some(&first));
    }

    #[test]
    fn each_failed_trial_doubles_the_wait_up_to_the_limit_and_says_so_once() {
        let (mut pair, first, _) = pair();
        let mut now = at(0);
        let mut waits = Vec::new();
        assert!(pair.failed(now, &first, &"x".into()).is_some());
        for _ in 0..8 {
            let until = pair.deadline(now).unwrap();
            waits.push(until.since(now).as_secs());
            now = until;
            pair.started(&first);
            assert_eq!(pair.failed(now, &first, &"x".into()), None);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn late_reports_of_earlier_uses_do_not_lengthen_the_wait() {
        let (mut pair, first, _) = pair();
        pair.failed(at(0), &first, &"x".into());
        assert_eq!(pair.failed(at(1), &first, &"x".into()), None);
        assert_eq!(pair.deadline(at(1)), Some(at(5)));
    }

    #[test]
    fn a_trial_without_a_verdict_may_be_made_again() {
        let (mut pair, first, _) = pair();
        pair.failed(at(0), &first, &"x".into());
        pair.started(&first);
        pair.abstained(at(6), &first);
        assert_eq!(pair.choose(at(6), |_| true), Some(&first));
    }

    #[test]
    fn with_all_failing_there_is_nothing_to_choose_until_the_first_may_be_tried() {
        let (mut pair, first, second) = pair();
        pair.failed(at(0), &first, &"x".into());
        pair.failed(at(2), &second, &"y".into());
        assert!(pair.all_failing());
        assert_eq!(pair.choose(at(3), |_| true), None);
        assert_eq!(pair.deadline(at(3)), Some(at(5)));
    }
}
