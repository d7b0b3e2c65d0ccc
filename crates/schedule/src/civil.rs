//! From what clocks on the wall show to instants: the one place that knows of gaps and repetitions.
//!
//! Separate, because every rule of this crate about daylight saving is a consequence of [`reached`].

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Timestamp};

/// The first instant at which the clocks of `zone` show `local` or a later time.
///
/// A time that is shown once is meant as it is. One that is shown twice, because clocks were set back, is the
/// first of the two. One that is never shown, because clocks were set forward, is the instant at which they
/// were. A later local time is therefore never an earlier instant, which RFC 5545 §3.3.5 does not promise: it
/// reads 02:30 in a gap from 02:00 to 03:00 as 03:30, which is after 03:00.
pub(crate) fn reached(zone: &TimeZone, local: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => at_offset(offset, local),
        AmbiguousOffset::Fold { before, .. } => at_offset(before, local),
        AmbiguousOffset::Gap { before, after } => {
            gap_end(zone, local, at_offset(after, local), at_offset(before, local))
        }
    }
}

/// Outside of the years that are allowed, and of what a timestamp holds, the end of time on that side.
fn at_offset(offset: Offset, local: DateTime) -> Timestamp {
    let end = if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    offset.to_timestamp(local).unwrap_or(end)
}

/// The second in which clocks jump over `local`: they show less at `early`, and not less at `late`.
fn gap_end(zone: &TimeZone, local: DateTime, early: Timestamp, late: Timestamp) -> Timestamp {
    let (mut before, mut after) = (early.as_second(), late.as_second());
    while before + 1 < after {
        let middle = before + (after - before) / 2;
        let shown = Timestamp::from_second(middle).map(|at| zone.to_datetime(at));
        if shown.is_ok_and(|shown| shown < local) {
            before = middle;
        } else {
            after = middle;
        }
    }
    Timestamp::from_second(after).unwrap_or(late)
}

/// When the day begins in `zone`.
pub(crate) fn day_start(zone: &TimeZone, day: Date) -> Timestamp {
    reached(zone, day.to_datetime(Time::midnight()))
}

/// The last day that has begun at `at`. It may be after the date that clocks show: where they go back over
/// midnight, a day that has begun is not taken back.
pub(crate) fn day_at(zone: &TimeZone, at: Timestamp) -> Date {
    let mut day = days_after(zone.to_datetime(at).date(), 1);
    while at < day_start(zone, day) {
        let Ok(yesterday) = day.yesterday() else { return day };
        day = yesterday;
    }
    day
}

/// The day so many days after `day`, or before it; the end of the calendar where there is none.
pub(crate) fn days_after(day: Date, days: i64) -> Date {
    let end = if days < 0 { Date::MIN } else { Date::MAX };
    Span::new().try_days(days).and_then(|span| day.checked_add(span)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, local: &str, expect: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let expect: Timestamp = expect.parse().unwrap();
        assert_eq!(reached(&zone, local.parse().unwrap()), expect, "{local} in {zone:?}");
    }

    #[test]
    fn a_local_time_is_the_first_instant_at_which_clocks_have_reached_it() {
        check("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00Z");
        check("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z");
        check("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z");
        check("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z");
        check("Europe/Berlin", "2026-03-29T03:01", "2026-03-29T01:01:00Z");
        check("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z");
        check("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z");
        check("America/New_York", "2026-03-08T02:15", "2026-03-08T07:00:00Z");
        check("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z");
        check("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30:00Z");
        check("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z");
        check("Australia/Sydney", "2026-10-04T02:59", "2026-10-03T16:00:00Z");
        check("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00:00Z");
        check("America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30:00Z");
        check("Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00:00Z");
        check("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z");
        check("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00:00Z");
        check("Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T01:30:00Z");
        check("America/St_Johns", "2010-11-07T00:00", "2010-11-07T02:30:00Z");
    }

    #[test]
    fn a_day_that_has_begun_is_not_taken_back() {
        // At 00:01 on the 7th clocks went back to 23:01 on the 6th.
        let zone = TimeZone::get("America/St_Johns").unwrap();
        for (at, day) in [
            ("2010-11-07T02:29:00Z", "2010-11-06"),
            ("2010-11-07T02:30:00Z", "2010-11-07"),
            ("2010-11-07T02:45:00Z", "2010-11-07"),
            ("2010-11-07T03:45:00Z", "2010-11-07"),
        ] {
            assert_eq!(day_at(&zone, at.parse().unwrap()).to_string(), day, "{at}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(reached(&zone, DateTime::MAX), Timestamp::MAX);
        assert_eq!(days_after(Date::MAX, 1), Date::MAX);
        day_at(&zone, Timestamp::MAX);
        day_at(&zone, Timestamp::MIN);
    }
}
