//! Hand-overs where clocks are set: eight zones, a day that never was, and days that there are not every year.

use jiff::SignedDuration;
use schedule::Timeline as _;

use crate::common::{at, layer, shifts, who};

/// The hand-overs of a rotation through three people after `from`, in UTC.
fn check(zone: &str, unit: &str, length: i64, begin: &str, from: &str, expect: &[&str]) {
    let schedule = layer(zone, unit, length, begin, &["a", "b", "c"]);
    let mut now = at(from);
    for edge in expect {
        let next = schedule.next_hand_over(now).expect("three people take turns");
        assert_eq!(next.to_string(), *edge, "{unit} in {zone} after {now}");
        assert_eq!(schedule.on_call(now).until, Some(next));
        now = next;
    }
}

#[test]
fn a_daily_hand_over_keeps_its_local_time_in_europe() {
    // 09:00 is 08:00 UTC in winter and 07:00 UTC in summer.
    let edges = ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"];
    check("Europe/Berlin", "days", 1, "2026-03-20T09:00", "2026-03-27T12:00:00Z", &edges);
    let edges = ["2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"];
    check("Europe/Berlin", "days", 1, "2026-03-20T09:00", "2026-10-23T12:00:00Z", &edges);
    // Inside the gap: when clocks are set. Inside the repeated hour: the first time.
    let edges = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    check("Europe/Berlin", "days", 1, "2026-03-20T02:30", "2026-03-27T12:00:00Z", &edges);
    let edges = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    check("Europe/Berlin", "days", 1, "2026-03-20T02:30", "2026-10-24T12:00:00Z", &edges);
}

#[test]
fn a_weekly_hand_over_keeps_its_local_time_in_the_united_states() {
    let edges = ["2026-03-02T14:00:00Z", "2026-03-09T13:00:00Z", "2026-03-16T13:00:00Z"];
    check("America/New_York", "weeks", 1, "2026-01-05T09:00", "2026-02-25T00:00:00Z", &edges);
    let edges = ["2026-11-01T05:30:00Z", "2026-11-08T06:30:00Z"];
    check("America/New_York", "weeks", 1, "2026-01-04T01:30", "2026-10-26T00:00:00Z", &edges);
    let edges = ["2026-03-08T08:00:00Z"];
    check("America/Chicago", "weeks", 1, "2026-01-04T02:30", "2026-03-02T00:00:00Z", &edges);
}

#[test]
fn lord_howe_sets_its_clocks_by_half_an_hour() {
    // 02:00 at +10:30 becomes 02:30 at +11:00 on 4 October; 02:00 at +11 becomes 01:30 at +10:30 on 5 April.
    let edges = ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
    check("Australia/Lord_Howe", "days", 1, "2026-01-01T02:15", "2026-10-02T00:00:00Z", &edges);
    let edges = ["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
    check("Australia/Lord_Howe", "days", 1, "2026-01-01T01:45", "2026-04-03T00:00:00Z", &edges);
}

#[test]
fn sao_paulo_used_to_skip_midnight() {
    // On 4 November 2018 clocks went from 24:00 to 01:00; on 18 February 2018 from 24:00 to 23:00.
    let edges = ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"];
    check("America/Sao_Paulo", "days", 1, "2018-01-01T00:00", "2018-11-02T12:00:00Z", &edges);
    let edges = ["2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"];
    check("America/Sao_Paulo", "days", 1, "2018-01-01T00:00", "2018-02-16T12:00:00Z", &edges);
    let edges = ["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"];
    check("America/Sao_Paulo", "days", 1, "2018-01-01T23:30", "2018-02-17T12:00:00Z", &edges);
    // Since 2019 the clocks stay.
    let edges = ["2026-11-01T03:00:00Z", "2026-11-02T03:00:00Z"];
    check("America/Sao_Paulo", "days", 1, "2018-01-01T00:00", "2026-10-31T12:00:00Z", &edges);
}

#[test]
fn the_southern_summer_begins_in_october() {
    let edges = ["2026-10-02T22:00:00Z", "2026-10-03T21:00:00Z", "2026-10-04T21:00:00Z"];
    check("Australia/Sydney", "days", 1, "2026-01-01T08:00", "2026-10-02T12:00:00Z", &edges);
    let edges = ["2026-09-25T12:15:00Z", "2026-09-26T12:15:00Z", "2026-09-27T11:15:00Z"];
    check("Pacific/Auckland", "days", 1, "2026-01-01T00:15", "2026-09-25T00:00:00Z", &edges);
}

#[test]
fn morocco_goes_back_for_ramadan() {
    let edges = ["2026-02-14T08:00:00Z", "2026-02-15T09:00:00Z"];
    check("Africa/Casablanca", "days", 1, "2026-01-01T09:00", "2026-02-13T12:00:00Z", &edges);
}

#[test]
fn the_day_that_samoa_skipped_is_nobodys() {
    // After 29 December 2011 came the 31st. At midnight: b's turn on the 30th has no time.
    let schedule = layer("Pacific/Apia", "days", 1, "2011-12-29T00:00", &["a", "b", "c"]);
    assert_eq!(
        shifts(&schedule, "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z"),
        ["2011-12-29T12:00:00Z a", "2011-12-30T10:00:00Z c", "2011-12-31T10:00:00Z a"]
    );
    // At nine: the 29th's turn ends, and the 30th's begins, when the clocks were set.
    let schedule = layer("Pacific/Apia", "days", 1, "2011-12-29T09:00", &["a", "b", "c"]);
    assert_eq!(
        shifts(&schedule, "2011-12-29T20:00:00Z", "2012-01-01T00:00:00Z"),
        [
            "2011-12-29T20:00:00Z a",
            "2011-12-30T10:00:00Z b",
            "2011-12-30T19:00:00Z c",
            "2011-12-31T19:00:00Z a"
        ]
    );
    // A week is seven dates, and lasts six days.
    let schedule = layer("Pacific/Apia", "weeks", 1, "2011-12-26T09:00", &["a", "b"]);
    let begin = at("2011-12-26T19:00:00Z");
    let end = schedule.next_hand_over(begin).unwrap();
    assert_eq!(end.duration_since(begin), SignedDuration::from_hours(6 * 24));
}

#[test]
fn hours_are_elapsed_whatever_the_clocks_say() {
    let edges = ["2026-03-28T20:00:00Z", "2026-03-29T04:00:00Z", "2026-03-29T12:00:00Z"];
    check("Europe/Berlin", "hours", 8, "2026-03-28T13:00", "2026-03-28T12:00:00Z", &edges);
    let edges = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    check("Europe/Berlin", "hours", 1, "2026-10-25T00:00", "2026-10-24T23:00:00Z", &edges);
    let schedule = layer("Europe/Berlin", "hours", 24, "2026-03-28T09:00", &["a", "b"]);
    assert_eq!(who(&schedule, at("2026-03-29T09:30:00+02:00")), "a");
    assert_eq!(who(&schedule, at("2026-03-29T10:00:00+02:00")), "b");
    let edges = ["2026-03-28T20:00:00Z", "2026-03-30T06:00:00Z"];
    check("Europe/Berlin", "hours", 34, "2026-03-27T11:00", "2026-03-28T00:00:00Z", &edges);
}

#[test]
fn the_29th_of_february_is_a_day_like_others_when_it_is_there() {
    let edges = ["2028-02-28T08:00:00Z", "2028-02-29T08:00:00Z", "2028-03-01T08:00:00Z"];
    check("UTC", "days", 1, "2028-01-01T08:00", "2028-02-27T12:00:00Z", &edges);
    let edges = ["2027-02-28T08:00:00Z", "2027-03-01T08:00:00Z"];
    check("UTC", "days", 1, "2026-01-01T08:00", "2027-02-27T12:00:00Z", &edges);
    let edges = ["2028-03-07T08:00:00Z", "2028-03-14T08:00:00Z"];
    check("UTC", "weeks", 1, "2028-02-29T08:00", "2028-02-29T12:00:00Z", &edges);
}

#[test]
fn months_hand_over_on_their_day_or_their_last() {
    let edges = ["2028-02-29T08:00:00Z", "2028-03-31T07:00:00Z", "2028-04-30T07:00:00Z"];
    check("Europe/Berlin", "months", 1, "2028-01-31T09:00", "2028-02-01T00:00:00Z", &edges);
    let edges = ["2027-02-28T08:00:00Z", "2027-03-31T07:00:00Z"];
    check("Europe/Berlin", "months", 1, "2026-08-31T09:00", "2027-02-01T00:00:00Z", &edges);
    let edges =
        ["2029-02-28T00:00:00Z", "2030-02-28T00:00:00Z", "2031-02-28T00:00:00Z", "2032-02-29T00:00:00Z"];
    check("UTC", "months", 12, "2028-02-29T00:00", "2028-02-29T00:00:00Z", &edges);
    let edges = ["2026-12-31T23:00:00Z", "2027-03-31T22:00:00Z", "2027-06-30T22:00:00Z"];
    check("Europe/Berlin", "months", 3, "2026-01-01T00:00", "2026-10-01T00:00:00Z", &edges);
}
