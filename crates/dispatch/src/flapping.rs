//! Trouble that comes and goes: raised too often within a time, it is told only once it has stood for a while.
//!
//! Decided when an alert is accepted, by who accepts it, and written down with it, so that an adopter does the same.
//! How often a trouble was raised is remembered by each node for itself and is lost with a start: a flapping alert is
//! then told a few times more.

use crate::directory;
use crate::record::Flapping;
use crate::run::Run;
use crate::{Dispatch, Effect};
use base::limits::{FLAPPING_RAISED_MAX, FLAPPING_REMEMBERED_MAX};
use base::{AlertId, Digest, Mono, Name, Now};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// When troubles were raised, by their fingerprints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raised {
    times: BTreeMap<Digest, VecDeque<Mono>>,
    /// By the last time.
    latest: BTreeSet<(Mono, Digest)>,
}

impl Raised {
    /// Takes note that it was raised now.
    fn note(&mut self, now: Mono, fingerprint: Digest) {
        let times = self.times.entry(fingerprint).or_default();
        if let Some(last) = times.back() {
            self.latest.remove(&(*last, fingerprint));
        }
        times.push_back(now);
        if times.len() > usize::from(FLAPPING_RAISED_MAX) + 1 {
            times.pop_front();
        }
        self.latest.insert((now, fingerprint));
        if self.times.len() > FLAPPING_REMEMBERED_MAX
            && let Some((_, oldest)) = self.latest.pop_first()
        {
            self.times.remove(&oldest);
        }
    }

    /// What its route makes of that.
    fn judge(&self, now: Mono, fingerprint: Digest, rule: directory::Flapping) -> Option<Flapping> {
        let times = self.times.get(&fingerprint).into_iter().flatten();
        let within = times.filter(|at| now.since(**at) < rule.within).count();
        let times = u32::try_from(within).unwrap_or(u32::MAX);
        let directory::Flapping { raised, within, steady } = rule;
        (times > u32::from(raised)).then_some(Flapping { times, within, steady })
    }
}

impl Dispatch {
    /// A trouble is raised: whether it flaps.
    pub(crate) fn flapping(
        &mut self,
        now: Now,
        fingerprint: Option<Digest>,
        route: &Name,
    ) -> Option<Flapping> {
        let (fingerprint, rule) = fingerprint.zip(self.flapping_rule(route))?;
        self.hush.raised.note(now.mono, fingerprint);
        self.hush.raised.judge(now.mono, fingerprint, rule)
    }

    /// A peer accepted an alert: this node is to know how often that was if it takes over. A twin of one that is
    /// open was raised once.
    pub(crate) fn note_raised(&mut self, now: Now, alert: AlertId) {
        let Some(bound) = self.state.open.get(&alert).map(|open| Arc::clone(&open.alert)) else { return };
        let raised = bound.fingerprint.filter(|it| self.same(*it).is_none_or(|same| same == alert));
        if let Some(fingerprint) = raised.filter(|_| self.flapping_rule(&bound.route).is_some()) {
            self.hush.raised.note(now.mono, fingerprint);
        }
    }

    /// An alert that flapped is about to end before it was told.
    pub(crate) fn note_unsteady(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let unsteady = |run: &Run| !run.told && run.holds.steady_at.is_some_and(|at| at > now.mono);
        if self.runs.get(&alert).is_some_and(unsteady) {
            self.note(now, &[alert], "it is over before it was steady: nobody is told of it", out);
        }
    }

    fn flapping_rule(&mut self, route: &Name) -> Option<directory::Flapping> {
        self.rules.follow(&self.state.edition.directory);
        self.rules.flapping(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RULE: directory::Flapping =
        directory::Flapping { raised: 2, within: Duration::from_secs(60), steady: Duration::from_secs(5) };

    fn digest(of: usize) -> Digest {
        base::Hasher::new("trouble").text(&of.to_string()).finish()
    }

    #[test]
    fn what_is_raised_once_more_than_often_enough_flaps() {
        let mut raised = Raised::default();
        let mut check = |at: u64, times: Option<u32>| {
            raised.note(Mono(at * 1000), digest(0));
            let judged = raised.judge(Mono(at * 1000), digest(0), RULE).map(|flapping| flapping.times);
            assert_eq!(judged, times, "at {at} s");
        };
        check(0, None);
        check(30, None);
        check(59, Some(3));
        check(61, Some(3)); // The first lies further back than the time that counts.
        check(150, None);
    }

    #[test]
    fn only_so_many_troubles_and_times_are_remembered() {
        let mut raised = Raised::default();
        for at in 0..FLAPPING_REMEMBERED_MAX + 10 {
            raised.note(Mono(u64::try_from(at).unwrap()), digest(at));
        }
        assert_eq!(
            (raised.times.len(), raised.latest.len()),
            (FLAPPING_REMEMBERED_MAX, FLAPPING_REMEMBERED_MAX)
        );
        assert!(!raised.times.contains_key(&digest(9)) && raised.times.contains_key(&digest(10)));
        (0..500).for_each(|at| raised.note(Mono(20_000 + at), digest(20)));
        assert_eq!(raised.times[&digest(20)].len(), usize::from(FLAPPING_RAISED_MAX) + 1);
    }
}
