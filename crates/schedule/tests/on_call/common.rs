//! Schedules from TOML, and short ways to say what is expected of them.

use jiff::Timestamp;
use jiff::tz;
use schedule::{Book, Schedule, Timeline, form};

/// The schedule that `text` writes.
pub(crate) fn schedule(text: &str) -> Schedule {
    let form: form::Schedule = toml::from_str(text).expect("the test writes it well");
    form.read(tz::db()).expect("the test writes what is allowed")
}

/// The book that `text` writes.
pub(crate) fn book(text: &str) -> Book {
    let form: form::Book = toml::from_str(text).expect("the test writes it well");
    form.read(tz::db()).expect("the test writes what is allowed")
}

/// A schedule of one layer.
pub(crate) fn layer(zone: &str, unit: &str, length: i64, from: &str, who: &[&str]) -> Schedule {
    let turns: Vec<[&str; 1]> = who.iter().map(|name| [*name]).collect();
    schedule(&format!(
        "zone = {zone:?}\n[[layers]]\nturns = {turns:?}\nfrom = {from:?}\n\
         rotation = {{ unit = {unit:?}, length = {length} }}\n"
    ))
}

/// An instant.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("the test writes an instant")
}

/// The names on call, separated by spaces.
pub(crate) fn who(of: &impl Timeline, at: Timestamp) -> String {
    names(&of.on_call(at).who)
}

/// Names, separated by spaces.
pub(crate) fn names(who: &[base::Name]) -> String {
    who.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
}

/// The shifts of a span, as `begin who`, in UTC.
pub(crate) fn shifts(of: &impl Timeline, from: &str, to: &str) -> Vec<String> {
    of.shifts(at(from), at(to)).map(|shift| format!("{} {}", shift.from, names(&shift.who))).collect()
}
