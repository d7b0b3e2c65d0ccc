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

/// The state between attempts.
#[derive(Debug, Default)]
pub(crate) struct Redial {
    /// A connection was cut, and it is not clear yet why: refusals in a row, and attempts in all.
    asking: Option<(u8, u8)>,
    failures: u32,
}

impl Redial {
    /// A connection had been made, and ended.
    pub(crate) fn lost(&mut self, how: Outcome) -> Next {
        self.failures = 0;
        self.asking = (how == Outcome::Cut).then_some((0, 0));
        let after = if self.asking.is_some() { Duration::ZERO } else { DELAY_MIN };
        Next { after, gone: false }
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self, how: Outcome) -> Next {
        let Some((refusals, asked)) = self.asking.take() else { return self.later(false) };
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
        Next { after, gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Cut, Other, Refused};

    fn check(lost: Outcome, attempts: &[Outcome], gone: &[bool]) {
        let mut redial = Redial::default();
        assert!(!redial.lost(lost).gone);
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
        assert_eq!(redial.lost(Cut).after, Duration::ZERO);
        assert_eq!(redial.failed(Refused).after, ASKING);
        assert_eq!(redial.failed(Refused).after, ASKING);
        let pauses = [(); 7].map(|()| redial.failed(Refused).after.as_millis());
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(redial.lost(Other).after, DELAY_MIN);
        assert_eq!(redial.failed(Other).after, DELAY_MIN);
    }
}
