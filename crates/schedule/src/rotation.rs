//! The rhythm in which turns follow each other: when the nth one begins, and which one an instant lies in.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::civil::reached;

/// What a rotation counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Elapsed hours of 3,600 seconds: the hand-over moves on clocks when these are set.
    Hours,
    /// Days of the calendar: the hand-over is at the same local time.
    Days,
    /// Weeks of the calendar: the same weekday and local time.
    Weeks,
    /// Months of the calendar: the same day of the month, or its last day in a month that is shorter.
    Months,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 4] = [Self::Hours, Self::Days, Self::Weeks, Self::Months];

    /// How it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Weeks => "weeks",
            Self::Months => "months",
        }
    }

    /// The longest turn in it: about a year.
    pub fn length_max(self) -> i64 {
        match self {
            Self::Hours => 8784,
            Self::Days => 366,
            Self::Weeks => 53,
            Self::Months => 12,
        }
    }
}

/// How long each turn lasts, and when the first one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// What `length` counts.
    pub(crate) unit: Unit,
    /// Units of each turn, from 1 to [`Unit::length_max`].
    pub(crate) length: i64,
    /// When turn 0 begins, on the clocks of the zone.
    pub(crate) from: DateTime,
}

impl Rotation {
    /// When turn `number` begins. Every turn is counted from the first, not from the one before it, so that a
    /// rotation from the 31st is back on the 31st after a month that has none.
    pub(crate) fn start(&self, zone: &TimeZone, number: i64) -> Timestamp {
        let units = number.saturating_mul(self.length);
        let days = match self.unit {
            Unit::Hours => {
                let by = SignedDuration::from_secs(units.saturating_mul(3600));
                return reached(zone, self.from).checked_add(by).unwrap_or(Timestamp::MAX);
            }
            Unit::Days => Span::new().try_days(units),
            Unit::Weeks => Span::new().try_weeks(units),
            Unit::Months => Span::new().try_months(units),
        };
        let local = days.and_then(|span| self.from.checked_add(span));
        local.map_or(Timestamp::MAX, |local| reached(zone, local))
    }

    /// The turn that `at` lies in: the last one that has begun. `at` must not be before turn 0.
    ///
    /// A turn whose start and end fall into the same gap has no time, and is the answer for no instant.
    pub(crate) fn turn(&self, zone: &TimeZone, at: Timestamp) -> i64 {
        let mut number = self.estimate(zone, at);
        while 0 < number && at < self.start(zone, number) {
            number -= 1;
        }
        number
    }

    /// The number of the turn at `at`, or one that is greater by few.
    fn estimate(&self, zone: &TimeZone, at: Timestamp) -> i64 {
        let (from, shown) = (self.from.date(), zone.to_datetime(at).date());
        let days = || from.duration_until(shown).as_hours() / 24;
        let months = || {
            let years = i64::from(shown.year()) - i64::from(from.year());
            years * 12 + i64::from(shown.month()) - i64::from(from.month())
        };
        let units = match self.unit {
            Unit::Hours => at.duration_since(reached(zone, self.from)).as_hours(),
            Unit::Days => days(),
            Unit::Weeks => days() / 7,
            Unit::Months => months(),
        };
        // Clocks that went back over midnight show a day less than has begun.
        (units + 1) / self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first turns of a rotation, as clocks on the wall show their starts.
    fn check(zone: &str, unit: Unit, length: i64, from: &str, expect: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let rotation = Rotation { unit, length, from: from.parse().unwrap() };
        for (number, expect) in (0..).zip(expect) {
            let start = rotation.start(&zone, number);
            let shown = zone.to_datetime(start).to_string();
            assert_eq!(shown.trim_end_matches(":00"), expect.trim_end_matches(":00"), "turn {number}");
        }
    }

    #[test]
    fn days_and_weeks_keep_the_local_time_and_hours_do_not() {
        let clocks = ["2026-03-28T02:30", "2026-03-29T03:00", "2026-03-30T02:30"];
        check("Europe/Berlin", Unit::Days, 1, "2026-03-28T02:30", &clocks);
        let clocks = ["2026-03-28T14:00", "2026-03-29T15:00", "2026-03-30T15:00"];
        check("Europe/Berlin", Unit::Hours, 24, "2026-03-28T14:00", &clocks);
        let clocks = ["2026-10-25T00:00", "2026-10-25T02:00", "2026-10-25T03:00", "2026-10-25T05:00"];
        check("Europe/Berlin", Unit::Hours, 2, "2026-10-25T00:00", &clocks);
        let clocks = ["2026-03-01T09:00", "2026-03-15T09:00", "2026-03-29T09:00"];
        check("America/New_York", Unit::Weeks, 2, "2026-03-01T09:00", &clocks);
    }

    #[test]
    fn months_end_where_the_month_does_and_come_back() {
        let clocks = ["2027-11-30", "2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"];
        let clocks: Vec<String> = clocks.iter().map(|day| format!("{day}T08:00")).collect();
        let clocks: Vec<&str> = clocks.iter().map(String::as_str).collect();
        check("Asia/Kolkata", Unit::Months, 1, "2027-11-30T08:00", &clocks);
        let clocks = ["2026-01-31T08:00", "2026-02-28T08:00", "2026-03-31T08:00", "2026-04-30T08:00"];
        check("Asia/Kolkata", Unit::Months, 1, "2026-01-31T08:00", &clocks);
        let clocks = ["2028-02-29T00:00", "2029-02-28T00:00", "2030-02-28T00:00", "2031-02-28T00:00"];
        check("UTC", Unit::Months, 12, "2028-02-29T00:00", &clocks);
        check("UTC", Unit::Days, 366, "2028-02-29T00:00", &["2028-02-29T00:00", "2029-03-01T00:00"]);
    }

    #[test]
    fn an_instant_lies_in_the_last_turn_that_has_begun() {
        for zone in ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"] {
            let zone = TimeZone::get(zone).unwrap();
            for unit in Unit::ALL {
                for length in [1, 3, unit.length_max()] {
                    let rotation = Rotation { unit, length, from: "2010-10-31T00:00".parse().unwrap() };
                    for number in [0, 1, 2, 7, 40] {
                        let (start, end) = (rotation.start(&zone, number), rotation.start(&zone, number + 1));
                        assert!(start <= end);
                        let last = end - SignedDuration::from_nanos(1);
                        if start < end {
                            assert_eq!(rotation.turn(&zone, start), number);
                            assert_eq!(rotation.turn(&zone, last), number);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_turn_that_has_begun_is_not_taken_back_with_its_day() {
        // At 00:01 on the 7th clocks went back to 23:01 on the 6th.
        let zone = TimeZone::get("America/St_Johns").unwrap();
        let rotation = Rotation { unit: Unit::Days, length: 1, from: "2010-11-05T00:00".parse().unwrap() };
        for (at, turn) in [("02:29:59", 1), ("02:30:00", 2), ("02:45:00", 2), ("03:29:00", 2)] {
            assert_eq!(rotation.turn(&zone, format!("2010-11-07T{at}Z").parse().unwrap()), turn, "{at}");
        }
    }

    #[test]
    fn a_turn_on_a_day_that_was_skipped_has_no_time() {
        let zone = TimeZone::get("Pacific/Apia").unwrap();
        let rotation = Rotation { unit: Unit::Days, length: 1, from: "2011-12-28T00:00".parse().unwrap() };
        assert_eq!(rotation.start(&zone, 2), rotation.start(&zone, 3));
        assert_eq!(rotation.turn(&zone, "2011-12-30T09:59:59Z".parse().unwrap()), 1);
        assert_eq!(rotation.turn(&zone, "2011-12-30T10:00:00Z".parse().unwrap()), 3);
    }
}
