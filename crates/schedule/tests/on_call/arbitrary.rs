//! Schedules of every kind that is allowed, near times at which zones set their clocks.

use std::ops::Range;

use jiff::civil::{Date, date};
use jiff::{Span, Timestamp, ToSpan as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use schedule::form::{Layer, Override, Rotation, Schedule, Window};

/// Zones with changes of an hour, of half an hour, of none, at midnight, by a day, and twice around Ramadan.
pub(crate) const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Antarctica/Troll",
];
const PEOPLE: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Days after a schedule's day within which its layers begin.
const BEGIN_DAYS: Range<i64> = 0..200;

/// A schedule that is allowed, and the day around which it lies.
pub(crate) fn schedule() -> impl Strategy<Value = (Date, Schedule)> {
    // The first days are those before Samoa's and Newfoundland's oddities.
    let year = prop_oneof![Just(2010), Just(2011), 2012_i16..2036];
    (year, 1_i8..=12, select(&ZONES[..])).prop_flat_map(|(year, month, zone)| {
        let day = date(year, month, 1);
        (vec(layer(day), 1..4), overrides(day)).prop_map(move |(layers, overrides)| {
            let mut schedule = Schedule { zone: zone.to_owned(), layers, overrides };
            schedule.overrides.retain(|entry| match entry.instead_of.as_deref() {
                None => true,
                Some(name) => {
                    schedule.layers.iter().flat_map(|l| l.turns.iter().flatten()).any(|n| n == name)
                }
            });
            (day, schedule)
        })
    })
}

fn people(count: Range<usize>) -> impl Strategy<Value = Vec<String>> {
    subsequence(&PEOPLE[..], count).prop_map(|names| names.iter().map(|name| (*name).to_owned()).collect())
}

/// Times of day, most of them those at which clocks are set.
fn time() -> impl Strategy<Value = String> {
    let minutes = prop_oneof![Just(0_u16), Just(30), 60_u16..200, 1380_u16..1440, 0_u16..1440];
    minutes.prop_map(|minutes| format!("{:02}:{:02}", minutes / 60, minutes % 60))
}

fn layer(day: Date) -> impl Strategy<Value = Layer> {
    let unit = prop_oneof![
        (Just("hours"), prop_oneof![1_i64..5, Just(12), Just(24), 1_i64..200]),
        (Just("days"), 1_i64..12),
        (Just("weeks"), 1_i64..4),
        (Just("months"), 1_i64..7),
    ];
    let until = option::weighted(0.2, (200_i64..500, time()));
    let begin = (BEGIN_DAYS, time());
    (vec(people(1..3), 1..5), unit, begin, until, vec(window(), 0..3)).prop_map(
        move |(turns, (unit, length), begin, until, windows)| {
            let local = |(days, time): (i64, String)| format!("{}T{time}", day + Span::new().days(days));
            let rotation = Rotation { unit: unit.to_owned(), length };
            Layer { name: None, turns, rotation, from: local(begin), until: until.map(local), windows }
        },
    )
}

fn window() -> impl Strategy<Value = Window> {
    let days = subsequence(&DAYS[..], 0..7);
    let until = time().prop_map(|time| if time == "00:00" { "24:00".to_owned() } else { time });
    (days, time(), until).prop_map(|(days, from, until)| Window {
        days: days.iter().map(|day| (*day).to_owned()).collect(),
        from,
        until,
    })
}

/// Overrides one after the other, so that none contradicts another.
fn overrides(day: Date) -> impl Strategy<Value = Vec<Override>> {
    let instead_of = option::of(select(&PEOPLE[..]));
    let entry = (0_i64..200_000, 1_i64..40_000, people(1..3), instead_of, any::<bool>());
    vec(entry, 0..4).prop_map(move |entries| {
        let mut at = start(day);
        let entry = |(gap, length, who, instead_of, touches): (i64, i64, _, Option<&str>, bool)| {
            let from = if touches { at } else { at + gap.minutes() };
            at = from + length.minutes();
            let instead_of = instead_of.map(str::to_owned);
            Override { who, from: from.to_string(), until: at.to_string(), instead_of }
        };
        entries.into_iter().map(entry).collect()
    })
}

/// When `day` begins in UTC.
pub(crate) fn start(day: Date) -> Timestamp {
    day.to_zoned(jiff::tz::TimeZone::UTC).expect("the year is near").timestamp()
}
