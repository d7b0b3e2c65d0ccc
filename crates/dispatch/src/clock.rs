//! Escalation's own clock, which stands still while sending is paused.

use crate::state::State;
use base::time::millis;
use base::{Mono, Now, Wall};
use std::time::Duration;

/// Milliseconds of time that was not paused, since the process started; negative for what an earlier boot did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Active(pub(crate) i64);

impl Active {
    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(millis(by)).unwrap_or(i64::MAX)))
    }

    pub(crate) fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(millis(by)).unwrap_or(i64::MAX)))
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A moment that may lie before the process started: monotonic time with a sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    pub(crate) fn now(now: Now) -> Self {
        Self(i64::try_from(now.mono.0).unwrap_or(i64::MAX))
    }

    /// When `at` was, by the wall clock; now, if that cannot be trusted to tell.
    pub(crate) fn of(now: Now, at: Wall) -> Self {
        let age = if now.suspect { 0 } else { i64::try_from(millis(now.wall.since(at))).unwrap_or(i64::MAX) };
        Self(Self::now(now).0.saturating_sub(age))
    }

    /// How long ago it was.
    pub(crate) fn age(self, now: Now) -> Duration {
        Duration::from_millis(u64::try_from(Self::now(now).0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// The moment that lies `by` later.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(millis(by)).unwrap_or(i64::MAX)))
    }

    /// The instant that lies `by` later; the process's start, if that is before it.
    pub(crate) fn plus(self, by: Duration) -> Mono {
        let by = i64::try_from(millis(by)).unwrap_or(i64::MAX);
        Mono(u64::try_from(self.0.saturating_add(by)).unwrap_or(0))
    }
}

/// What lies less than this ahead was written by another node, whose clock differs a little, and is taken to be now.
/// Without this a restart right after a step would make the next one due at once.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

/// Translates between monotonic and unpaused time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ActiveClock {
    paused_since: Option<Mono>,
    paused_total: Duration,
}

impl ActiveClock {
    /// The unpaused time at `now`.
    pub(crate) fn at(&self, now: Mono) -> Active {
        let until = self.paused_since.map_or(now, |since| since.min(now));
        Active(i64::try_from(until.0).unwrap_or(i64::MAX)).minus(self.paused_total)
    }

    /// When unpaused time reaches `active`, if it does without being resumed first.
    pub(crate) fn mono(&self, active: Active) -> Option<Mono> {
        let mono = active.plus(self.paused_total).0;
        self.paused_since.is_none().then(|| Mono(u64::try_from(mono).unwrap_or(0)))
    }

    pub(crate) fn pause(&mut self, now: Mono) {
        self.paused_since.get_or_insert(now);
    }

    pub(crate) fn resume(&mut self, now: Mono) {
        if let Some(since) = self.paused_since.take() {
            self.paused_total += now.since(since);
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }
}

/// Unpaused time since `since`, by the wall clock: for what an earlier boot recorded. `silent` are further spans that
/// do not count. None if the clock cannot be trusted to tell.
pub(crate) fn unpaused_since(
    state: &State,
    now: Now,
    since: Wall,
    silent: &[(Wall, Wall)],
) -> Option<Duration> {
    if now.suspect || since.since(now.wall) >= CLOCKS_DIFFER {
        return None;
    }
    let mut spans: Vec<(Wall, Wall)> = state.paused.iter().map(|(_, from, to)| (*from, *to)).collect();
    spans.extend(state.pauses.values().map(|pause| (pause.at, now.wall)));
    spans.extend(silent);
    Some(now.wall.since(since).saturating_sub(covered(&spans, since, now.wall)))
}

/// How much of the time from `since` to `until` lies within any of these spans.
pub(crate) fn covered(spans: &[(Wall, Wall)], since: Wall, until: Wall) -> Duration {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut reached = since;
    let mut total = Duration::ZERO;
    for (from, to) in spans {
        total += to.min(until).since(from.max(reached));
        reached = reached.max(to);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Actor;
    use crate::state::Pause;
    use base::{BootId, LogId, NodeId, RecordId};

    #[test]
    fn unpaused_time_stands_still_while_paused() {
        let mut clock = ActiveClock::default();
        assert_eq!(clock.at(Mono(1000)), Active(1000));
        clock.pause(Mono(1000));
        clock.pause(Mono(1500));
        assert_eq!((clock.at(Mono(5000)), clock.mono(Active(2000))), (Active(1000), None));
        clock.resume(Mono(5000));
        assert_eq!((clock.at(Mono(6000)), clock.mono(Active(3000))), (Active(2000), Some(Mono(7000))));
    }

    #[test]
    fn overlapping_pauses_count_once() {
        let id = |seq| RecordId { log: LogId { node: NodeId(1), boot: BootId(1) }, seq };
        let mut state = State::default();
        state.paused.insert((id(0), Wall(100), Wall(200)));
        state.paused.insert((id(1), Wall(150), Wall(300)));
        state.pauses.insert(id(2), Pause { at: Wall(900), by: Actor::ourselves(), reason: "".into() });
        let now = Now { mono: Mono(0), wall: Wall(1000), suspect: false };
        let check = |since, ms| {
            assert_eq!(unpaused_since(&state, now, Wall(since), &[]), Some(Duration::from_millis(ms)));
        };
        check(0, 1000 - 200 - 100);
        check(250, 750 - 50 - 100);
        check(950, 0);
        assert_eq!(unpaused_since(&state, now, Wall(2000), &[]), None);
        assert_eq!(unpaused_since(&state, Now { suspect: true, ..now }, Wall(0), &[]), None);
    }
}
