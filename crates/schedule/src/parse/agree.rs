//! What several entries say together: overrides that contradict each other, schedules that refer in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::form;
use crate::limits::{DEPTH_MAX, OVERRIDES_MAX};
use crate::problem::{Problems, nearest};
use crate::schedule::Override;

/// Overrides that put different people in the same place at the same time. Each is told of once.
pub(super) fn overrides(entries: &[(usize, Override)], at: &str, problems: &mut Problems) {
    // So many are refused already, and comparing each with each would take long.
    if OVERRIDES_MAX < entries.len() {
        return;
    }
    for (count, (index, entry)) in entries.iter().enumerate() {
        let earlier = entries.iter().take(count).find(|(_, other)| contradict(entry, other));
        if let Some((other_index, other)) = earlier {
            let what = format!(
                "names {:?} while {at}[{other_index}] names {:?}, from {} until {}; \
                 begin it then, or remove one of the two",
                entry.who, other.who, other.from, other.until
            );
            problems.add(format!("{at}[{index}]"), what);
        }
    }
}

fn contradict(one: &Override, other: &Override) -> bool {
    let overlap = one.from < other.until && other.from < one.until;
    let same_place = match (&one.instead_of, &other.instead_of) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    };
    let same_people = one.who.len() == other.who.len() && one.who.iter().all(|name| other.who.contains(name));
    overlap && same_place && !same_people
}

/// Overrides in place of somebody who has no turn anywhere, and so is never replaced.
pub(super) fn replaced(form: &form::Schedule, at: &str, problems: &mut Problems) {
    let known: BTreeSet<&str> =
        form.layers.iter().flat_map(|layer| layer.turns.iter().flatten()).map(String::as_str).collect();
    for (index, entry) in form.overrides.iter().enumerate() {
        let Some(name) = entry.instead_of.as_deref().filter(|name| !known.contains(name)) else { continue };
        let near = nearest(name, known.iter().copied());
        problems.add(format!("{at}[{index}].instead_of"), format!("{name:?} has no turn in any layer{near}"));
    }
}

/// A key below another, as TOML writes it.
pub(super) fn keyed(section: &str, key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.is_empty() && key.chars().all(is_bare) {
        format!("{section}.{key}")
    } else {
        format!("{section}.{key:?}")
    }
}

/// The schedules that each schedule names, and where.
type References<'a> = BTreeMap<&'a str, Vec<(String, &'a str)>>;

/// Schedules that lead back to themselves, and chains of references that are too long.
pub(super) fn references(schedules: &BTreeMap<String, form::Schedule>, problems: &mut Problems) {
    let references: References<'_> = schedules
        .iter()
        .map(|(name, schedule)| {
            let places = named(schedule).filter(|(_, other)| schedules.contains_key(*other));
            (name.as_str(), places.collect())
        })
        .collect();
    let depths = depths(&references);
    for (name, depth) in depths.iter().filter(|(_, depth)| DEPTH_MAX < **depth) {
        let what =
            format!("stands on a chain of {depth} schedules that name each other; {DEPTH_MAX} are the most");
        problems.add(keyed("schedules", name), what);
    }
    circles(&references, &depths, problems);
}

/// Every name of a schedule, and its place.
fn named(schedule: &form::Schedule) -> impl Iterator<Item = (String, &str)> {
    let layers = schedule.layers.iter().enumerate().flat_map(|(layer, entry)| {
        entry.turns.iter().enumerate().flat_map(move |(turn, names)| {
            names
                .iter()
                .enumerate()
                .map(move |(at, name)| (format!("layers[{layer}].turns[{turn}][{at}]"), name.as_str()))
        })
    });
    let overrides = schedule.overrides.iter().enumerate().flat_map(|(index, entry)| {
        let names = entry.who.iter().enumerate();
        names.map(move |(at, name)| (format!("overrides[{index}].who[{at}]"), name.as_str()))
    });
    layers.chain(overrides)
}

/// How many schedules the longest chain from each one has, itself included. Those that are in a circle, or lead
/// into one, have none.
fn depths<'a>(references: &References<'a>) -> BTreeMap<&'a str, usize> {
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    loop {
        let known = depths.len();
        for (name, places) in references {
            let below: Option<Vec<usize>> =
                places.iter().map(|(_, other)| depths.get(other).copied()).collect();
            if let Some(below) = below {
                depths.insert(name, below.into_iter().max().unwrap_or(0) + 1);
            }
        }
        if depths.len() == known {
            return depths;
        }
    }
}

/// Tells of each circle once, at the reference that closes it.
fn circles(references: &References<'_>, depths: &BTreeMap<&str, usize>, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for start in references.keys().filter(|name| !depths.contains_key(*name)) {
        let (mut path, mut name) = (Vec::new(), *start);
        while seen.insert(name) {
            let mut places = references.get(name).into_iter().flatten();
            // Whoever has no depth names somebody who has none.
            let Some((place, next)) = places.find(|(_, other)| !depths.contains_key(other)) else { break };
            path.push(name);
            if let Some(from) = path.iter().position(|passed| passed == next) {
                let circle = path.get(from..).unwrap_or_default().join(" → ");
                let what =
                    format!("names {next:?}, which leads back to it: {circle} → {next}; name people there");
                problems.add(format!("{}.{place}", keyed("schedules", name)), what);
            }
            name = next;
        }
    }
}
