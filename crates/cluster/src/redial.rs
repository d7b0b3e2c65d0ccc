//! When to dial again, and whether the peer's process is gone: pure, so that it can be seen in a table.
//!
//! A process that dies resets its connections, and then its host refuses new ones: that is certain at once.
//! A host or a network that fails is silent, and tells nothing.

use std::time::Duration;

/// The first pause after a failure.
const DELAY_MIN: Duration = Duration::from_millis(50);
/// The longest.
const DELAY_MAX: Duration = Duration::from_secs(1);
/// The pause between the attempts that tell whether the process is gone.
const ASKING: Duration = Duration::from_millis(20);
/// How many of these must be refused in a row: a process that is being replaced is not gone.
const REFUSALS: u8 = 3;
/// How many attempts in all it may take to find out.
const ASKED_MAX: u8 = 10;

/// How an attempt at all addresses, or a connection, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every address refuses connections.
    Refused,
    /// It was reset or closed.
    Cut,
    /// Anything else: silence, no way there, an answer in words.
    Other,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// How long to wait before dialling again.
    pub(crate) after: Duration,
    /// The peer's process is gone.
    pub(crate) gone: bool,
}

impl Next {
    /// The same after an attempt that took so long: one that waited in vain has been pause enough.
    pub(crate) fn less(self, spent: Duration) -> Self {
        Self { after: self.after.saturating_sub(spent).max(ASKING.min(self.after)), ..self }
    }
}

/// The state between attempts.
#[derive(Debug, Default)]
pub(crate) struct Redial {
    /// A connection was cut, and it is not clear yet why: refusals in a row, and attempts in all.
    asking: Option<(u8, u8)>,
    failures: u32,
}

impl Redial {
    /// A connection that had `lived` so long ended. One that never lives long is not dialled in a circle: two
    /// processes that take each other's place would keep the peer busy.
    pub(crate) fn lost(&mut self, how: Outcome, lived: Duration) -> Next {
        if lived >= DELAY_MAX {
            self.failures = 0;
        }
        let first = self.failures == 0;
        let later = self.later(false);
        if how != Outcome::Cut {
            return later;
        }
        self.asking = Some((0, 0));
        if first { Next { after: Duration::ZERO, gone: false } } else { later }
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self, how: Outcome) -> Next {
        let Some((refusals, asked)) = self.asking else { return self.later(false) };
        let refusals = match how {
            Outcome::Refused => refusals + 1,
            Outcome::Cut => 0,
            Outcome::Other => return self.later(false),
        };
        if refusals >= REFUSALS {
            return self.later(true);
        }
        if asked >= ASKED_MAX {
            return self.later(false);
        }
        self.asking = Some((refusals, asked + 1));
        Next { after: ASKING, gone: false }
    }

    fn later(&mut self, gone: bool) -> Next {
        let after = DELAY_MIN.saturating_mul(1 << self.failures.min(8)).min(DELAY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.asking = None;
        Next { after, gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Cut, Other, Refused};

    const LONG: Duration = Duration::from_secs(60);

    fn check(lost: Outcome, attempts: &[Outcome], gone: &[bool]) {
        let mut redial = Redial::default();
        assert!(!redial.lost(lost, LONG).gone);
        let told: Vec<bool> = attempts.iter().map(|how| redial.failed(*how).gone).collect();
        assert_eq!(told, gone, "{lost:?} {attempts:?}");
    }

    #[test]
    fn a_process_is_gone_when_its_host_refuses_after_a_reset() {
        check(Cut, &[Refused, Refused, Refused, Refused], &[false, false, true, false]);
        check(Cut, &[Cut, Refused, Refused, Refused], &[false, false, false, true]);
        check(Cut, &[Refused, Cut, Refused, Refused, Refused], &[false, false, false, false, true]);
    }

    #[test]
    fn silence_is_not_death() {
        check(Other, &[Refused; 4], &[false; 4]);
        check(Cut, &[Other, Refused, Refused, Refused], &[false; 4]);
        check(Cut, &[Refused, Refused, Other, Refused], &[false; 4]);
        check(Cut, &[Cut; 20], &[false; 20]);
    }

    #[test]
    fn a_cut_connection_is_dialled_again_at_once_and_pauses_grow() {
        let mut redial = Redial::default();
        assert_eq!(redial.lost(Cut, LONG).after, Duration::ZERO);
        assert_eq!(redial.failed(Refused).after, ASKING);
        assert_eq!(redial.failed(Refused).after, ASKING);
        let pauses = [(); 6].map(|()| redial.failed(Refused).after.as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(redial.lost(Other, LONG).after, DELAY_MIN);
    }

    #[test]
    fn an_attempt_that_took_long_is_followed_by_another_at_once() {
        let pause = |after, spent| {
            let next = Next { after: Duration::from_millis(after), gone: false };
            next.less(Duration::from_millis(spent)).after.as_millis()
        };
        assert_eq!([pause(1000, 5), pause(1000, 1001), pause(50, 40), pause(0, 5)], [995, 20, 20, 0]);
    }

    #[test]
    fn a_connection_that_never_lives_long_is_not_dialled_in_a_circle() {
        let mut redial = Redial::default();
        let pauses = [(); 6].map(|()| redial.lost(Cut, Duration::from_millis(5)).after.as_millis());
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1000]);
        assert_eq!(redial.lost(Cut, LONG).after, Duration::ZERO);
    }
}
