//! Gives out codes: short, unique among open alerts, and rested before they name another alert.
//!
//! The letter names the accepting node, so no two nodes need to agree. Numbers count up; past
//! [`CODE_WRAP`] they start again with 1 as soon as 1 has rested for [`CODE_REST`], and jump over what has
//! not: a reply that arrives a day late must not acknowledge another alert.

use crate::record::Code;
use base::limits::{CODE_REST, CODE_WRAP};
use base::{Now, Wall};

const HOUR_MS: i64 = 3_600_000;

/// Numbers given out within one hour, without a gap.
#[derive(Clone, Copy, Debug)]
struct Span {
    hour: Wall,
    low: u32,
    high: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Codes {
    letter: char,
    next: u32,
    /// What has not rested yet.
    spans: Vec<Span>,
}

impl Codes {
    /// Continues after what earlier boots gave out: hours with the highest number in each. All numbers up to
    /// the highest count as given out in the newest hour, which errs towards longer codes, never towards
    /// one that is reused too soon.
    pub(crate) fn new(letter: char, past: &[(Wall, u32)]) -> Self {
        let high = past.iter().map(|(_, number)| *number).max();
        let hour = past.iter().map(|(hour, _)| *hour).max();
        let spans = high.zip(hour).map(|(high, hour)| Span { hour, low: 1, high });
        Self {
            letter,
            next: high.map_or(1, |high| high.saturating_add(1)),
            spans: spans.into_iter().collect(),
        }
    }

    /// The next code for which `open` does not hold.
    pub(crate) fn next(&mut self, now: Now, open: impl Fn(Code) -> bool) -> Code {
        self.spans.retain(|span| now.suspect || now.wall.since(span.hour) < CODE_REST);
        if self.next > CODE_WRAP && self.rested(1) {
            self.next = 1;
        }
        loop {
            if !self.rested(self.next) {
                self.next = self.spans.iter().map(|span| span.high).max().unwrap_or(0).saturating_add(1);
            }
            let code = Code { letter: self.letter, number: self.next };
            self.next = self.next.saturating_add(1);
            if !open(code) {
                self.mark(now.wall, code.number);
                return code;
            }
        }
    }

    fn rested(&self, number: u32) -> bool {
        !self.spans.iter().any(|span| (span.low..=span.high).contains(&number))
    }

    fn mark(&mut self, wall: Wall, number: u32) {
        let hour = Wall(wall.0 - wall.0.rem_euclid(HOUR_MS));
        match self.spans.last_mut() {
            Some(last) if last.hour == hour && last.high.checked_add(1) == Some(number) => last.high = number,
            Some(_) | None => self.spans.push(Span { hour, low: number, high: number }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Now {
        Now { wall: Wall(hours * HOUR_MS), ..Now::default() }
    }

    #[test]
    fn numbers_count_up_and_skip_what_is_open() {
        let mut codes = Codes::new('A', &[]);
        let taken = Code { letter: 'A', number: 2 };
        let given: Vec<_> = (0..3).map(|_| codes.next(at(0), |code| code == taken).to_string()).collect();
        assert_eq!(given, ["A1", "A3", "A4"]);
    }

    #[test]
    fn a_number_rests_a_week_before_it_is_given_again() {
        let mut codes = Codes::new('A', &[]);
        for _ in 0..CODE_WRAP {
            codes.next(at(0), |_| false);
        }
        assert_eq!(codes.next(at(1), |_| false).number, CODE_WRAP + 1, "1 has not rested, so it counts on");
        assert_eq!(codes.next(at(7 * 24), |_| false).number, 1, "what was given in hour 0 has rested");
        for _ in 1..CODE_WRAP {
            codes.next(at(7 * 24), |_| false);
        }
        assert_eq!(codes.next(at(7 * 24), |_| false).number, CODE_WRAP + 2, "jumps over what hour 1 gave");
    }

    #[test]
    fn a_restart_goes_on_after_the_highest_number() {
        let mut codes = Codes::new('B', &[(Wall(0), 17), (Wall(HOUR_MS), 4)]);
        assert_eq!(codes.next(at(2), |_| false).to_string(), "B18");
    }
}
