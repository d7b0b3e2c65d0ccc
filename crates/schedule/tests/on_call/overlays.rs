//! Layers over layers, windows, overrides, schedules that name others, and what is said about each shift.

use schedule::{Because, Timeline as _, ical};

use crate::common::{at, book, layer, names, schedule, shifts, who};

const TWO_LAYERS: &str = r#"
zone = "Europe/Berlin"
[[layers]]
name = "base"
turns = [["anna"], ["bo", "cy"]]
rotation = { unit = "weeks" }
from = "2026-03-02T09:00"
[[layers]]
turns = [["dora"], ["emil"]]
rotation = { unit = "days" }
from = "2026-03-02T00:00"
until = "2026-03-14T00:00"
windows = [
  { days = ["mon", "tue", "wed", "thu", "fri"], from = "22:00", until = "06:00" },
  { days = ["sun"], from = "00:00", until = "24:00" },
]
"#;

#[test]
fn a_later_layer_lies_over_the_earlier_ones_where_it_has_somebody() {
    let schedule = schedule(TWO_LAYERS);
    assert_eq!(
        shifts(&schedule, "2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z"),
        [
            "2026-03-01T00:00:00Z ",
            "2026-03-02T08:00:00Z anna",
            "2026-03-02T21:00:00Z dora",
            "2026-03-02T23:00:00Z emil",
            "2026-03-03T05:00:00Z anna",
            "2026-03-03T21:00:00Z emil",
            "2026-03-03T23:00:00Z dora",
        ]
    );
    // The weekend: from Friday's night to Sunday's midnight, and Monday's hand-over below.
    assert_eq!(
        shifts(&schedule, "2026-03-06T12:00:00Z", "2026-03-09T12:00:00Z"),
        [
            "2026-03-06T12:00:00Z anna",
            "2026-03-06T21:00:00Z dora",
            "2026-03-06T23:00:00Z emil",
            "2026-03-07T05:00:00Z anna",
            "2026-03-07T23:00:00Z dora",
            "2026-03-08T23:00:00Z anna",
            "2026-03-09T08:00:00Z bo cy",
        ]
    );
    // The upper layer ends on Saturday at midnight, in the middle of its window.
    assert_eq!(
        shifts(&schedule, "2026-03-13T20:00:00Z", "2026-03-18T00:00:00Z"),
        [
            "2026-03-13T20:00:00Z bo cy",
            "2026-03-13T21:00:00Z emil",
            "2026-03-13T23:00:00Z bo cy",
            "2026-03-16T08:00:00Z anna",
        ]
    );
}

#[test]
fn the_reason_names_the_layer_and_the_turn() {
    let schedule = schedule(TWO_LAYERS);
    for (when, reason) in [
        ("2026-03-01T00:00:00Z", "no layer and no override has anybody"),
        ("2026-03-02T08:00:00Z", "turn 1 of base"),
        ("2026-03-02T23:30:00Z", "turn 2 of layers[1]"),
        ("2026-03-10T12:00:00Z", "turn 2 of base"),
    ] {
        assert_eq!(schedule.on_call(at(when)).because.to_string(), reason, "{when}");
    }
}

#[test]
fn an_override_crosses_hand_overs_and_is_one_shift() {
    let text = format!(
        "{TWO_LAYERS}\n[[overrides]]\nwho = [\"fay\"]\nfrom = \"2026-03-02T20:00:00+01:00\"\n\
         until = \"2026-03-10T12:00:00+01:00\"\n"
    );
    let schedule = schedule(&text);
    assert_eq!(
        shifts(&schedule, "2026-03-02T12:00:00Z", "2026-03-10T13:00:00Z"),
        ["2026-03-02T12:00:00Z anna", "2026-03-02T19:00:00Z fay", "2026-03-10T11:00:00Z bo cy"]
    );
    let on_call = schedule.on_call(at("2026-03-05T00:00:00Z"));
    assert_eq!(on_call.because, Because::Override { at: 0 });
    assert_eq!(on_call.until, Some(at("2026-03-10T11:00:00Z")));
    assert_eq!(schedule.began(at("2026-03-05T00:00:00Z")), Some(at("2026-03-02T19:00:00Z")));
}

#[test]
fn an_override_in_place_of_somebody_leaves_the_others() {
    let text = format!(
        "{TWO_LAYERS}\n[[overrides]]\nwho = [\"fay\"]\nfrom = \"2026-03-06T12:00:00Z\"\n\
         until = \"2026-03-10T12:00:00Z\"\ninstead_of = \"cy\"\n"
    );
    let schedule = schedule(&text);
    assert_eq!(
        shifts(&schedule, "2026-03-08T12:00:00Z", "2026-03-10T20:00:00Z"),
        [
            "2026-03-08T12:00:00Z dora",
            "2026-03-08T23:00:00Z anna",
            "2026-03-09T08:00:00Z bo fay",
            "2026-03-09T21:00:00Z emil",
            "2026-03-09T23:00:00Z dora",
            "2026-03-10T05:00:00Z bo fay",
            "2026-03-10T12:00:00Z bo cy",
        ]
    );
    let reason = schedule.on_call(at("2026-03-09T12:00:00Z")).because.to_string();
    assert_eq!(reason, "turn 2 of base, changed by overrides[0]");
}

#[test]
fn an_override_holds_where_no_layer_has_anybody() {
    let text = "zone = \"UTC\"\n[[layers]]\nturns = [[\"a\"]]\nrotation = { unit = \"days\" }\n\
                from = \"2026-01-10T00:00\"\n[[overrides]]\nwho = [\"b\"]\nfrom = \"2026-01-01T00:00:00Z\"\n\
                until = \"2026-01-02T00:00:00Z\"\n";
    assert_eq!(
        shifts(&schedule(text), "2025-12-31T00:00:00Z", "2026-01-20T00:00:00Z"),
        [
            "2025-12-31T00:00:00Z ",
            "2026-01-01T00:00:00Z b",
            "2026-01-02T00:00:00Z ",
            "2026-01-10T00:00:00Z a",
        ]
    );
}

#[test]
fn handing_over_to_oneself_is_a_new_shift_and_no_hand_over() {
    let schedule = layer("UTC", "days", 1, "2026-01-01T00:00", &["a", "a", "b"]);
    let now = at("2026-01-01T12:00:00Z");
    assert_eq!(schedule.on_call(now).until, Some(at("2026-01-02T00:00:00Z")));
    assert_eq!(schedule.next_hand_over(now), Some(at("2026-01-03T00:00:00Z")));
}

#[test]
fn who_is_always_on_call_hands_over_never() {
    let schedule = layer("Europe/Berlin", "hours", 1, "2026-01-01T00:00", &["a"]);
    let now = at("2026-05-05T05:05:05Z");
    assert_eq!(schedule.next_hand_over(now), None);
    assert_eq!(schedule.on_call(now).until, None);
    assert_eq!(shifts(&schedule, "2026-02-01T00:00:00Z", "2036-01-01T00:00:00Z").len(), 1);
    let alternating = layer("Europe/Berlin", "hours", 1, "2026-01-01T00:00", &["a", "a"]);
    assert_eq!(alternating.next_hand_over(now), None);
}

#[test]
fn the_ends_of_time_have_answers() {
    let schedule = schedule(TWO_LAYERS);
    for now in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        let on_call = schedule.on_call(now);
        assert_eq!(on_call.who.is_empty(), now == jiff::Timestamp::MIN);
    }
}

const BOOK: &str = r#"
[schedules.first]
zone = "Europe/Berlin"
layers = [{ turns = [["early"], ["late", "anna"]], rotation = { unit = "hours", length = 12 }, from = "2026-01-01T00:00" }]
[schedules.early]
zone = "America/New_York"
layers = [{ turns = [["bo"], ["cy"]], rotation = { unit = "days" }, from = "2026-01-01T00:00" }]
[schedules.late]
zone = "UTC"
layers = [{ turns = [["anna"], ["dora"]], rotation = { unit = "days" }, from = "2026-01-01T00:00" }]
"#;

#[test]
fn a_schedule_may_name_others() {
    let book = book(BOOK);
    let first = book.schedule("first").unwrap();
    assert_eq!(
        shifts(&first, "2026-01-02T00:00:00Z", "2026-01-03T12:00:00Z"),
        [
            "2026-01-02T00:00:00Z bo",
            "2026-01-02T05:00:00Z cy",
            "2026-01-02T11:00:00Z dora anna",
            "2026-01-02T23:00:00Z cy",
            "2026-01-03T05:00:00Z bo",
            "2026-01-03T11:00:00Z anna",
        ]
    );
    assert_eq!(first.began(at("2026-01-02T09:00:00Z")), Some(at("2026-01-02T05:00:00Z")));
    assert_eq!(names(&book.schedule("late").unwrap().on_call(at("2026-01-02T09:00:00Z")).who), "dora");
    assert!(book.schedule("anna").is_none());
}

#[test]
fn a_shift_has_the_same_uid_whatever_span_is_exported() {
    let schedule = schedule(TWO_LAYERS);
    let uids = |from: &str, to: &str| -> Vec<String> {
        let stamp = at("2026-01-01T00:00:00Z");
        let text = ical::ical("night", &schedule.whole_shifts(at(from), at(to)), stamp);
        text.lines()
            .filter(|line| line.starts_with("UID:") || line.starts_with("DTEND:"))
            .map(str::to_owned)
            .collect()
    };
    let all = uids("2026-03-01T00:00:00Z", "2026-03-20T00:00:00Z");
    let part = uids("2026-03-06T22:00:00Z", "2026-03-09T12:00:00Z");
    assert_eq!(part.len(), 12);
    assert!(part.iter().all(|line| all.contains(line)), "{part:?} {all:?}");
    assert_eq!(who(&schedule, at("2026-03-06T22:00:00Z")), "dora");
}
