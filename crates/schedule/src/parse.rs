//! From forms to what is computed with: every rule that a schedule must keep, and what is said when it does not.
//!
//! Separate from `form`, which says how things are written; the smallest texts are read in `text`, and what
//! concerns several entries together is in `agree`.

mod agree;
mod text;

use base::Name;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::book::Book;
use crate::calendar::{Calendar, Dates};
use crate::civil::reached;
use crate::form;
use crate::layer::Layer;
use crate::limits::{DATES_MAX, LAYERS_MAX, OVERRIDES_MAX, PEOPLE_MAX, TURNS_MAX, WINDOWS_MAX};
use crate::problem::{Problem, Problems, nearest};
use crate::rotation::{Rotation, Unit};
use crate::schedule::{Override, Schedule};
use crate::window::Window;

/// How weekdays are written, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What `read` gives, unless it complained.
pub(crate) fn alone<T>(read: impl FnOnce(&mut Problems) -> Option<T>) -> Result<T, Vec<Problem>> {
    let mut problems = Problems::default();
    let value = read(&mut problems);
    value.filter(|_| problems.0.is_empty()).ok_or(problems.0)
}

/// A moment, in the local time of `zone` unless it says its offset.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    text::instant(text, zone)
}

/// A book, with what its entries say about each other.
pub(crate) fn book(form: &form::Book, zones: &TimeZoneDatabase) -> Result<Book, Vec<Problem>> {
    alone(|problems| {
        let mut book = Book::default();
        for (name, entry) in &form.schedules {
            let place = agree::keyed("schedules", name);
            let key = problems.take(&place, text::name(name));
            let schedule = schedule(entry, zones, &format!("{place}."), problems);
            book.schedules.extend(key.zip(schedule));
        }
        for (name, entry) in &form.calendars {
            let place = agree::keyed("calendars", name);
            let key = problems.take(&place, text::name(name));
            let calendar = calendar(entry, zones, &format!("{place}."), problems);
            book.calendars.extend(key.zip(calendar));
        }
        agree::references(&form.schedules, problems);
        Some(book)
    })
}

/// One schedule; `at` is what its places begin with.
pub(crate) fn schedule(
    form: &form::Schedule,
    zones: &TimeZoneDatabase,
    at: &str,
    problems: &mut Problems,
) -> Option<Schedule> {
    let zone = zone(&form.zone, zones, at, problems);
    let place = format!("{at}layers");
    if form.layers.is_empty() {
        problems.add(&place, "is empty, so that nobody is ever on call; add a layer with somebody in it");
    }
    problems.count(&place, form.layers.len(), LAYERS_MAX);
    let entries = form.layers.iter().enumerate();
    let layers: Vec<Layer> = entries
        .filter_map(|(index, entry)| layer(entry, zone.as_ref(), &format!("{place}[{index}]"), problems))
        .collect();
    let place = format!("{at}overrides");
    problems.count(&place, form.overrides.len(), OVERRIDES_MAX);
    let entries = form.overrides.iter().enumerate();
    let overrides: Vec<(usize, Override)> = entries
        .filter_map(|(index, entry)| {
            let at = format!("{place}[{index}]");
            Some((index, overriding(entry, zone.as_ref(), &at, problems)?))
        })
        .collect();
    agree::overrides(&overrides, &place, problems);
    agree::replaced(form, &place, problems);
    let overrides = overrides.into_iter().map(|(_, entry)| entry).collect();
    Some(Schedule { zone: zone?, layers, overrides })
}

/// One calendar; `at` is what its places begin with.
pub(crate) fn calendar(
    form: &form::Calendar,
    zones: &TimeZoneDatabase,
    at: &str,
    problems: &mut Problems,
) -> Option<Calendar> {
    let zone = zone(&form.zone, zones, at, problems);
    let dates = all_dates(&form.dates, &format!("{at}dates"), problems);
    let windows = windows(&form.windows, &format!("{at}windows"), problems);
    let except = all_dates(&form.except, &format!("{at}except"), problems);
    Some(Calendar { zone: zone?, dates, windows, except })
}

fn zone(name: &str, zones: &TimeZoneDatabase, at: &str, problems: &mut Problems) -> Option<TimeZone> {
    let found = zones.get(name).map_err(|_| {
        let known: Vec<String> = zones.available().map(|zone| zone.as_str().to_owned()).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        let advice = if near.is_empty() { "; write one as Europe/Berlin is written" } else { near.as_str() };
        format!("{name:?} is no time zone of the IANA database{advice}")
    });
    problems.take(&format!("{at}zone"), found)
}

fn layer(form: &form::Layer, zone: Option<&TimeZone>, at: &str, problems: &mut Problems) -> Option<Layer> {
    let turns = turns(&form.turns, &format!("{at}.turns"), problems);
    let rotation = rotation(&form.rotation, &format!("{at}.rotation"), problems);
    let from = problems.take(&format!("{at}.from"), text::local(&form.from));
    let until = form.until.as_deref().map(|until| problems.take(&format!("{at}.until"), text::local(until)));
    let windows = windows(&form.windows, &format!("{at}.windows"), problems);
    let until = match until {
        None => None,
        Some(until) => Some(until?),
    };
    let (from, (unit, length)) = (from?, rotation?);
    if until.is_some_and(|until| until <= from) {
        let what = format!("is not after {at}.from, {}; leave it out, or end the layer later", form.from);
        problems.add(format!("{at}.until"), what);
    }
    // Within a book the place is longer than people need who look at one schedule.
    let place = at.rfind("layers[").and_then(|begin| at.get(begin..)).unwrap_or(at);
    let zone = zone?;
    Some(Layer {
        label: form.name.as_deref().unwrap_or(place).into(),
        turns,
        rotation: Rotation { unit, length, from },
        begin: reached(zone, from),
        end: until.map(|until| reached(zone, until)),
        windows,
    })
}

fn turns(form: &[Vec<String>], at: &str, problems: &mut Problems) -> Vec<Vec<Name>> {
    if form.is_empty() {
        problems.add(at, "is empty, so that the layer never has anybody; name somebody, or remove the layer");
    }
    problems.count(at, form.len(), TURNS_MAX);
    let entries = form.iter().enumerate();
    entries.map(|(index, names)| people(names, &format!("{at}[{index}]"), problems)).collect()
}

/// The people of a turn or an override: somebody, and nobody twice.
fn people(form: &[String], at: &str, problems: &mut Problems) -> Vec<Name> {
    if form.is_empty() {
        problems.add(at, "is empty; name somebody, or remove it");
    }
    problems.count(at, form.len(), PEOPLE_MAX);
    let mut names: Vec<Name> = Vec::new();
    for (index, name) in form.iter().enumerate() {
        let place = format!("{at}[{index}]");
        let Some(name) = problems.take(&place, text::name(name)) else { continue };
        if names.contains(&name) {
            problems.add(place, format!("names {name:?} a second time; remove it"));
        }
        names.push(name);
    }
    names
}

fn rotation(form: &form::Rotation, at: &str, problems: &mut Problems) -> Option<(Unit, i64)> {
    let place = format!("{at}.unit");
    let words = Unit::ALL.map(Unit::word);
    let unit = Unit::ALL.into_iter().find(|unit| unit.word() == form.unit).ok_or_else(|| {
        format!("{:?} is none of {}{}", form.unit, words.join(", "), nearest(&form.unit, words.into_iter()))
    });
    let unit = problems.take(&place, unit)?;
    let (length, max) = (form.length, unit.length_max());
    let length = match length {
        ..1 => Err(format!("is {length}, so that no turn would have any time; 1 is the least")),
        _ if max < length => Err(format!("is {length}; {max} {} are the most", unit.word())),
        _ => Ok(length),
    };
    Some((unit, problems.take(&format!("{at}.length"), length)?))
}

fn windows(form: &[form::Window], at: &str, problems: &mut Problems) -> Vec<Window> {
    problems.count(at, form.len(), WINDOWS_MAX);
    let entries = form.iter().enumerate();
    entries.filter_map(|(index, entry)| window(entry, &format!("{at}[{index}]"), problems)).collect()
}

fn window(form: &form::Window, at: &str, problems: &mut Problems) -> Option<Window> {
    let mut days = [form.days.is_empty(); 7];
    for (index, word) in form.days.iter().enumerate() {
        let place = DAYS.iter().position(|day| day == word);
        match place.and_then(|place| days.get_mut(place)) {
            Some(day) => *day = true,
            None => {
                let near = nearest(word, DAYS.into_iter());
                let what = format!("{word:?} is none of {}{near}", DAYS.join(", "));
                problems.add(format!("{at}.days[{index}]"), what);
            }
        }
    }
    let from = problems.take(&format!("{at}.from"), text::opening(&form.from));
    let until = problems.take(&format!("{at}.until"), text::closing(&form.until));
    Some(Window { days, from: from?, until: until? })
}

fn overriding(
    form: &form::Override,
    zone: Option<&TimeZone>,
    at: &str,
    problems: &mut Problems,
) -> Option<Override> {
    // Without a zone there is no schedule; what else is wrong is told all the same.
    let zone = &zone.cloned().unwrap_or(TimeZone::UTC);
    let who = people(&form.who, &format!("{at}.who"), problems);
    let from = problems.take(&format!("{at}.from"), text::instant(&form.from, zone));
    let until = problems.take(&format!("{at}.until"), text::instant(&form.until, zone));
    let instead_of = match form.instead_of.as_deref() {
        None => None,
        Some(name) => Some(problems.take(&format!("{at}.instead_of"), text::name(name))?),
    };
    let (from, until) = (from?, until?);
    if until <= from {
        let what = format!("is not after {at}.from, {}; end it later, or remove the override", form.from);
        problems.add(format!("{at}.until"), what);
        return None;
    }
    Some(Override { who, from, until, instead_of })
}

fn all_dates(form: &[form::Dates], at: &str, problems: &mut Problems) -> Vec<Dates> {
    problems.count(at, form.len(), DATES_MAX);
    let entries = form.iter().enumerate();
    entries.filter_map(|(index, entry)| dates(entry, &format!("{at}[{index}]"), problems)).collect()
}

fn dates(form: &form::Dates, at: &str, problems: &mut Problems) -> Option<Dates> {
    let first = problems.take(&format!("{at}.first"), text::day(&form.first));
    let place = format!("{at}.last");
    let last = match form.last.as_deref() {
        None => first,
        Some(last) => problems.take(&place, text::day(last)),
    };
    let (first, last) = (first?, last?);
    if last < first {
        problems.add(&place, format!("is before {at}.first, {first}; the last day is one of them"));
    } else if form.yearly && 365 <= first.duration_until(last).as_hours() / 24 {
        problems.add(
            &place,
            format!("is a year or more after {at}.first, {first}; shorten it, or say yearly = false"),
        );
    }
    Some(Dates { first, last, yearly: form.yearly })
}
