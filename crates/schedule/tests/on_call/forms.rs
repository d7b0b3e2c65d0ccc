//! What is refused, where, and what is advised: each mistake by itself, and all of them together.

use jiff::tz;
use schedule::form;

const GOOD: &str = r#"
zone = "Europe/Berlin"
layers = [{ turns = [["anna"], ["bo"]], rotation = { unit = "weeks", length = 2 }, from = "2026-01-05T09:00" }]
"#;

/// The problems of `text` as a schedule, in order.
fn check(text: &str, expect: &[&str]) {
    let form: form::Schedule = toml::from_str(text).expect("the test writes it well");
    let problems: Vec<String> = form.check(tz::db()).iter().map(ToString::to_string).collect();
    assert_eq!(problems, expect, "{text}");
}

/// The problem of `GOOD` with `old` replaced by `new`.
fn with(old: &str, new: &str, expect: &str) {
    assert!(GOOD.contains(old), "{old}");
    check(&GOOD.replace(old, new), &[expect]);
}

#[test]
fn each_mistake_is_named_with_its_place_and_the_nearest_choice() {
    check(GOOD, &[]);
    with(
        "Europe/Berlin",
        "Europe/Berln",
        "zone: \"Europe/Berln\" is no time zone of the IANA database; did you mean \"Europe/Berlin\"?",
    );
    with(
        "Europe/Berlin",
        "Mars",
        "zone: \"Mars\" is no time zone of the IANA database; write one as Europe/Berlin is written",
    );
    with(
        "length = 2",
        "length = 0",
        "layers[0].rotation.length: is 0, so that no turn would have any time; 1 is the least",
    );
    with(
        "length = 2",
        "length = -3",
        "layers[0].rotation.length: is -3, so that no turn would have any time; 1 is the least",
    );
    with("length = 2", "length = 54", "layers[0].rotation.length: is 54; 53 weeks are the most");
    with(
        "weeks",
        "week",
        "layers[0].rotation.unit: \"week\" is none of hours, days, weeks, months; did you mean \"weeks\"?",
    );
    with(
        "2026-01-05T09:00",
        "2026-01-05 9:00",
        "layers[0].from: \"2026-01-05 9:00\" is not a local time such as 2026-01-05T09:00",
    );
    with(
        "2026-01-05T09:00",
        "2026-02-29T09:00",
        "layers[0].from: \"2026-02-29T09:00\" is not a local time such as 2026-01-05T09:00",
    );
    with(
        "2026-01-05T09:00",
        "1926-01-05T09:00",
        "layers[0].from: is in the year 1926; 1970 is the nearest that is allowed",
    );
    with("[\"bo\"]", "[]", "layers[0].turns[1]: is empty; name somebody, or remove it");
    with(
        "[[\"anna\"], [\"bo\"]]",
        "[]",
        "layers[0].turns: is empty, so that the layer never has anybody; name somebody, or remove the layer",
    );
    with("[\"bo\"]", "[\"bo\", \"bo\"]", "layers[0].turns[1][1]: names \"bo\" a second time; remove it");
    with(
        "\"bo\"",
        "\"b o\"",
        "layers[0].turns[1][0]: a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold ' ' there",
    );
    with(
        "from = \"2026-01-05T09:00\"",
        "from = \"2026-01-05T09:00\", until = \"2026-01-05T09:00\"",
        "layers[0].until: is not after layers[0].from, 2026-01-05T09:00; leave it out, or end the layer later",
    );
    check(
        "zone = \"UTC\"\nlayers = []",
        &["layers: is empty, so that nobody is ever on call; add a layer with somebody in it"],
    );
}

#[test]
fn windows_are_judged() {
    let windows = "from = \"2026-01-05T09:00\", windows = [{ days = [\"tues\"], from = \"8:00\", until = \"00:00\" }, { from = \"24:00\", until = \"24:00\" }]";
    check(
        &GOOD.replace("from = \"2026-01-05T09:00\"", windows),
        &[
            "layers[0].windows[0].days[0]: \"tues\" is none of mon, tue, wed, thu, fri, sat, sun; did you mean \"tue\"?",
            "layers[0].windows[0].from: \"8:00\" is not a time of day from 00:00 to 23:59",
            "layers[0].windows[0].until: \"00:00\" is not a time of day from 00:01 to 24:00",
            "layers[0].windows[1].from: \"24:00\" is not a time of day from 00:00 to 23:59",
        ],
    );
}

/// `GOOD` with overrides of `who`, `from`, `until` on days of March 2026, and `instead_of`.
fn overridden(entries: &[(&str, u8, u8, &str)]) -> String {
    let entry = |(who, from, until, instead_of): &(&str, u8, u8, &str)| {
        let instead_of =
            if instead_of.is_empty() { String::new() } else { format!("instead_of = {instead_of:?}\n") };
        format!(
            "[[overrides]]\nwho = [{who:?}]\nfrom = \"2026-03-{from:02}T00:00:00Z\"\n\
             until = \"2026-03-{until:02}T00:00:00Z\"\n{instead_of}"
        )
    };
    format!("{GOOD}{}", entries.iter().map(entry).collect::<String>())
}

#[test]
fn overrides_that_contradict_each_other_are_refused() {
    let refused = "overrides[1]: names [\"dora\"] while overrides[0] names [\"cy\"], from 2026-03-01T00:00:00Z until \
                   2026-03-05T00:00:00Z; begin it then, or remove one of the two";
    check(&overridden(&[("cy", 1, 5, ""), ("dora", 4, 6, "")]), &[refused]);
    check(&overridden(&[("cy", 1, 5, ""), ("dora", 1, 5, "bo")]), &[refused]);
    check(&overridden(&[("cy", 1, 5, "bo"), ("dora", 2, 3, "bo")]), &[refused]);
}

#[test]
fn overrides_that_agree_are_not() {
    check(&overridden(&[("cy", 1, 5, ""), ("dora", 5, 6, "")]), &[]);
    check(&overridden(&[("cy", 1, 5, ""), ("cy", 4, 6, "")]), &[]);
    check(&overridden(&[("cy", 1, 5, "bo"), ("dora", 1, 5, "anna")]), &[]);
}

#[test]
fn an_override_needs_time_and_somebody_to_replace() {
    check(
        &overridden(&[("cy", 5, 5, "")]),
        &[
            "overrides[0].until: is not after overrides[0].from, 2026-03-05T00:00:00Z; end it later, or remove the override",
        ],
    );
    check(
        &overridden(&[("cy", 1, 5, "ana")]),
        &["overrides[0].instead_of: \"ana\" has no turn in any layer; did you mean \"anna\"?"],
    );
    let local = overridden(&[("cy", 1, 5, "")]).replace("2026-03-01T00:00:00Z", "2026-03-01 00:00");
    check(
        &local,
        &[
            "overrides[0].from: \"2026-03-01 00:00\" is no moment such as 2026-01-05T09:00, in local time, or 2026-01-05T09:00:00+01:00",
        ],
    );
}

#[test]
fn a_key_that_is_not_there_is_refused() {
    for (old, new, key) in
        [("zone", "zones", "zones"), ("unit", "units", "units"), ("turns", "people", "people")]
    {
        let why = toml::from_str::<form::Schedule>(&GOOD.replace(old, new)).unwrap_err().to_string();
        assert!(why.contains(&format!("unknown field `{key}`")), "{why}");
    }
}

/// A book of schedules that name the given ones.
fn book(names: &[(&str, &[&str])]) -> Vec<String> {
    let schedule = |(name, others): &(&str, &[&str])| {
        format!(
            "[schedules.{name:?}]\nzone = \"UTC\"\nlayers = [{{ turns = [[\"anna\"], {others:?}], \
             rotation = {{ unit = \"days\" }}, from = \"2026-01-01T00:00\" }}]\n"
        )
    };
    let text: String = names.iter().map(schedule).collect();
    let form: form::Book = toml::from_str(&text).expect("the test writes it well");
    form.check(tz::db()).iter().map(ToString::to_string).collect()
}

#[test]
fn schedules_that_lead_back_to_themselves_are_refused() {
    assert_eq!(
        book(&[("a", &["a"])]),
        ["schedules.a.layers[0].turns[1][0]: names \"a\", which leads back to it: a → a; name people there"]
    );
    assert_eq!(
        book(&[("a", &["b"]), ("b", &["x", "c"]), ("c", &["b"]), ("d", &["a"]), ("e", &["bo"])]),
        [
            "schedules.c.layers[0].turns[1][0]: names \"b\", which leads back to it: b → c → b; name people there"
        ]
    );
    assert_eq!(
        book(&[("a", &["b"]), ("b", &["a"]), ("c.c", &["d"]), ("d", &["c.c"])]),
        [
            "schedules.b.layers[0].turns[1][0]: names \"a\", which leads back to it: a → b → a; name people there",
            "schedules.d.layers[0].turns[1][0]: names \"c.c\", which leads back to it: c.c → d → c.c; name people there",
        ]
    );
}

#[test]
fn a_chain_of_schedules_has_an_end() {
    assert_eq!(book(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["d"]), ("d", &["bo"])]), [""; 0]);
    assert_eq!(
        book(&[("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["e"]), ("e", &["bo"])]),
        ["schedules.a: stands on a chain of 5 schedules that name each other; 4 are the most"]
    );
}

#[test]
fn places_in_a_book_begin_with_the_entry() {
    let text = "[schedules.\"night shift\"]\nzone = \"UTC\"\nlayers = []\n[calendars.quiet]\nzone = \"Erth/Berlin\"\n\
                dates = [{ first = \"2026-12-24\", last = \"2026-12-23\" }, { first = \"24.12.2026\" },\n\
                { first = \"2026-01-01\", last = \"2027-01-01\", yearly = true }]";
    let form: form::Book = toml::from_str(text).unwrap();
    let problems: Vec<String> = form.check(tz::db()).iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "schedules.\"night shift\": a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold ' ' there",
            "schedules.\"night shift\".layers: is empty, so that nobody is ever on call; add a layer with somebody in it",
            "calendars.quiet.zone: \"Erth/Berlin\" is no time zone of the IANA database; did you mean \"Europe/Berlin\"?",
            "calendars.quiet.dates[0].last: is before calendars.quiet.dates[0].first, 2026-12-24; the last day is one of them",
            "calendars.quiet.dates[1].first: \"24.12.2026\" is not a day such as 2026-12-24",
            "calendars.quiet.dates[2].last: is a year or more after calendars.quiet.dates[2].first, 2026-01-01; shorten it, or say yearly = false",
        ]
    );
}
