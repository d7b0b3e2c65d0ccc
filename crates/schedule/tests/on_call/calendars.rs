//! Holidays and quiet hours: what is within, and when that changes.

use jiff::tz;
use schedule::{Calendar, form};

use crate::common::at;

fn calendar(text: &str) -> Calendar {
    let form: form::Calendar = toml::from_str(text).expect("the test writes it well");
    form.read(tz::db()).expect("the test writes what is allowed")
}

/// The changes after `from`; it is not within at first.
fn check(text: &str, from: &str, expect: &[&str]) {
    let calendar = calendar(text);
    let (mut now, mut is_within) = (at(from), false);
    assert!(!calendar.contains(now), "{from}");
    for change in expect {
        let next = calendar.next_change(now).expect("there is another change");
        assert_eq!(next.to_string(), *change);
        is_within = !is_within;
        assert_eq!(calendar.contains(next), is_within, "{change}");
        now = next;
    }
}

#[test]
fn a_date_is_a_day_of_the_zone() {
    let text = "zone = \"Europe/Berlin\"\ndates = [{ first = \"2026-03-29\" }, { first = \"2026-12-24\", last = \"2026-12-26\" }]";
    let changes =
        ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-12-23T23:00:00Z", "2026-12-26T23:00:00Z"];
    check(text, "2026-01-01T00:00:00Z", &changes);
    assert_eq!(calendar(text).next_change(at("2026-12-27T00:00:00Z")), None);
}

#[test]
fn a_yearly_date_comes_back_and_may_go_over_new_year() {
    let text = "zone = \"UTC\"\ndates = [{ first = \"2026-12-24\", last = \"2027-01-02\", yearly = true }]";
    let changes =
        ["2026-12-24T00:00:00Z", "2027-01-03T00:00:00Z", "2027-12-24T00:00:00Z", "2028-01-03T00:00:00Z"];
    check(text, "2026-01-01T00:00:00Z", &changes);
}

#[test]
fn the_29th_of_february_is_within_in_leap_years_only() {
    let text = "zone = \"UTC\"\ndates = [{ first = \"2028-02-29\", yearly = true }]";
    let changes =
        ["2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z", "2032-02-29T00:00:00Z", "2032-03-01T00:00:00Z"];
    check(text, "2026-01-01T00:00:00Z", &changes);
    let text = "zone = \"UTC\"\ndates = [{ first = \"2028-02-29\", last = \"2028-03-02\", yearly = true }]";
    let changes = ["2028-02-29T00:00:00Z", "2028-03-03T00:00:00Z", "2029-03-01T00:00:00Z"];
    check(text, "2026-01-01T00:00:00Z", &changes);
}

#[test]
fn quiet_hours_are_local_and_have_exceptions() {
    let text = "zone = \"Europe/Berlin\"\nwindows = [{ from = \"22:00\", until = \"07:00\" }]\n\
                except = [{ first = \"2026-03-29\" }]";
    // On the 29th nothing is within; the night of the 30th goes on from midnight.
    let changes = [
        "2026-03-27T21:00:00Z",
        "2026-03-28T06:00:00Z",
        "2026-03-28T21:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
        "2026-03-30T05:00:00Z",
    ];
    check(text, "2026-03-27T12:00:00Z", &changes);
}

#[test]
fn windows_that_touch_are_one() {
    let text = "zone = \"Asia/Kolkata\"\nwindows = [\n\
                { days = [\"fri\"], from = \"18:00\", until = \"24:00\" },\n\
                { days = [\"sat\", \"sun\"], from = \"00:00\", until = \"24:00\" },\n\
                { days = [\"mon\"], from = \"00:00\", until = \"08:00\" }]";
    check(text, "2026-03-05T00:00:00Z", &["2026-03-06T12:30:00Z", "2026-03-09T02:30:00Z"]);
}

#[test]
fn an_empty_calendar_and_a_full_one_never_change() {
    assert_eq!(calendar("zone = \"UTC\"").next_change(at("2026-01-01T00:00:00Z")), None);
    let full = calendar("zone = \"Europe/Berlin\"\nwindows = [{ from = \"00:00\", until = \"24:00\" }]");
    assert!(full.contains(at("2026-03-29T01:00:00Z")));
    assert_eq!(full.next_change(at("2026-01-01T00:00:00Z")), None);
}
