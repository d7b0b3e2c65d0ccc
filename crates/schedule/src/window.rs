//! Times of the week: from a time of day until another, on some weekdays.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::civil::{day_at, days_after, reached};

/// Days around an instant within which a window of it opened and closes. A window lasts a day at most, and a
/// zone may skip one.
const NEAR_DAYS: i64 = 2;
/// Days within which every window opens, also one a week whose day was skipped.
const FAR_DAYS: i64 = 16;

/// A time of the week. It opens and closes when clocks reach its ends, so that it is one piece on each day,
/// and none where both ends fall into the same gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The days on which it opens, Monday first.
    pub(crate) days: [bool; 7],
    /// When it opens.
    pub(crate) from: Time,
    /// When it closes; at this time of the next day if that is not after `from`.
    pub(crate) until: Time,
}

impl Window {
    /// When it opens and closes on `day`, if it opens there.
    fn on(&self, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        let opens_here = self.days.get(place(day.weekday())).copied().unwrap_or(false);
        let last = if self.from < self.until { day } else { days_after(day, 1) };
        let opens = opens_here.then(|| reached(zone, day.to_datetime(self.from)))?;
        let closes = reached(zone, last.to_datetime(self.until));
        (opens < closes).then_some((opens, closes))
    }
}

/// Monday is 0.
fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

/// The openings and closings of `windows` on the days from `back` before `at` to `ahead` after it.
fn spans(
    windows: &[Window],
    zone: &TimeZone,
    at: Timestamp,
    back: i64,
    ahead: i64,
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let today = day_at(zone, at);
    let days = (-back..=ahead).map(move |offset| days_after(today, offset));
    days.flat_map(move |day| windows.iter().filter_map(move |window| window.on(zone, day)))
}

/// Whether `at` lies in one of `windows`, and the first later instant at which one of them opens or closes.
pub(crate) fn standing(windows: &[Window], zone: &TimeZone, at: Timestamp) -> (bool, Option<Timestamp>) {
    let within = |ahead| {
        let (mut is_within, mut next) = (false, None);
        for (opens, closes) in spans(windows, zone, at, NEAR_DAYS, ahead) {
            is_within |= opens <= at && at < closes;
            let edge = if at < opens { opens } else { closes };
            if at < edge && next.is_none_or(|next| edge < next) {
                next = Some(edge);
            }
        }
        (is_within, next)
    };
    match within(NEAR_DAYS) {
        (_, None) if !windows.is_empty() => within(FAR_DAYS),
        near => near,
    }
}

/// The last instant not after `at` at which one of `windows` opened or closed.
pub(crate) fn last_edge(windows: &[Window], zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let within = |back| {
        let edges = spans(windows, zone, at, back, 0).flat_map(|(opens, closes)| [opens, closes]);
        edges.filter(|edge| *edge <= at).max()
    };
    within(NEAR_DAYS).or_else(|| within(FAR_DAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: [u8; 7], from: &str, until: &str) -> Window {
        Window { days: days.map(|day| day == 1), from: from.parse().unwrap(), until: until.parse().unwrap() }
    }

    /// The next edges after `from`, in UTC.
    fn check(zone: &str, window: &Window, from: &str, expect: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let windows = std::slice::from_ref(window);
        let mut at: Timestamp = from.parse().unwrap();
        let (mut inside, mut next) = standing(windows, &zone, at);
        for edge in expect {
            at = next.unwrap();
            assert_eq!(at.to_string(), *edge);
            assert_eq!(last_edge(windows, &zone, at), Some(at));
            inside = !inside;
            let standing = standing(windows, &zone, at);
            assert_eq!(standing.0, inside, "{edge}");
            next = standing.1;
        }
    }

    const DAILY: [u8; 7] = [1; 7];

    #[test]
    fn a_window_is_one_piece_on_each_day() {
        let night = window(DAILY, "22:00", "02:30");
        let edges = ["2026-03-28T21:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T20:00:00Z"];
        check("Europe/Berlin", &night, "2026-03-28T12:00:00Z", &edges);
        let edges = ["2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T21:00:00Z"];
        check("Europe/Berlin", &night, "2026-10-24T12:00:00Z", &edges);
    }

    #[test]
    fn a_window_inside_a_gap_does_not_open_that_day() {
        let lost = window(DAILY, "02:10", "02:50");
        let edges = ["2026-03-28T01:10:00Z", "2026-03-28T01:50:00Z", "2026-03-30T00:10:00Z"];
        check("Europe/Berlin", &lost, "2026-03-28T00:00:00Z", &edges);
        let fridays = window([0, 0, 0, 0, 1, 0, 0], "09:00", "17:00");
        let edges = ["2011-12-23T19:00:00Z", "2011-12-24T03:00:00Z", "2012-01-05T19:00:00Z"];
        check("Pacific/Apia", &fridays, "2011-12-23T00:00:00Z", &edges);
    }

    #[test]
    fn a_weekend_and_a_whole_day() {
        let sundays = window([0, 0, 0, 0, 0, 0, 1], "00:00", "00:00");
        let edges = ["2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z", "2026-03-07T23:00:00Z"];
        check("Europe/Berlin", &sundays, "2026-02-25T12:00:00Z", &edges);
    }
}
