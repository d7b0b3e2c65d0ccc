//! Time intervals become calendars.
//!
//! An interval is a list of conditions, of which one must hold; a calendar is a set of days and a set of times of the
//! week, of which one must. So a condition on times and weekdays is carried over, and one on days, months and years
//! too, but not one on both.

use super::{Fields, Interval, Reader};
use crate::ImportError;
use crate::limits::YEARS_MAX;
use crate::yaml::Node;
use record::document::form::{Calendar, Dates};
use schedule::form::Window;
use schedule::limits::WINDOWS_MAX;
use std::collections::BTreeMap;

/// The days as there, Sunday first as there, with our words for them.
const DAYS: [(&str, &str); 7] = [
    ("sunday", "sun"),
    ("monday", "mon"),
    ("tuesday", "tue"),
    ("wednesday", "wed"),
    ("thursday", "thu"),
    ("friday", "fri"),
    ("saturday", "sat"),
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// The year in which what comes every year begins: a leap year, before every alert.
const BEGIN: i64 = 2000;
const MINUTES: usize = 24 * 60;

/// A time of day, in minutes.
type Minutes = (usize, usize);

/// One condition of an interval.
#[derive(Debug, Default)]
struct Condition {
    times: Vec<Minutes>,
    weekdays: Vec<usize>,
    days: Vec<(i64, i64)>,
    months: Vec<usize>,
    years: Vec<i64>,
    zone: String,
}

impl Reader<'_> {
    pub(super) fn intervals(&mut self, node: &Node, what: &str) -> Result<(), ImportError> {
        for interval in node.list(what)? {
            let mut fields = Fields::of(interval, "a time interval")?;
            let name = fields.take("name").map_or(Ok(""), |node| node.text("name"))?.to_owned();
            if name.is_empty() || self.intervals.contains_key(&name) {
                return Err(ImportError::at(interval.line, "each time interval must have a name of its own"));
            }
            let mut made = Interval::default();
            if let Some(conditions) = fields.take("time_intervals") {
                made = self.interval(&name, conditions)?;
            }
            self.unknown(&fields, "time_intervals.");
            self.intervals.insert(name, made);
        }
        Ok(())
    }

    fn interval(&mut self, name: &str, node: &Node) -> Result<Interval, ImportError> {
        let mut zones: BTreeMap<String, Calendar> = BTreeMap::new();
        let mut weekly: Option<Vec<Condition>> = Some(Vec::new());
        for one in node.list("time_intervals")? {
            let condition = self.condition(one)?;
            if !(self.rules.zone_known)(&condition.zone) {
                let why = format!("there is no time zone {:?} here", condition.zone);
                self.report.left(
                    one.line,
                    format!("time interval {name:?}"),
                    &why,
                    "write a calendar by hand",
                );
                weekly = None;
                continue;
            }
            let blank = Calendar { zone: condition.zone.clone(), ..Calendar::default() };
            let calendar = zones.entry(condition.zone.clone()).or_insert(blank);
            if let Some(why) = condition.add_to(calendar) {
                self.report.left(
                    one.line,
                    format!("time interval {name:?}"),
                    why,
                    "write a calendar by hand",
                );
            }
            weekly = weekly.filter(|_| condition.is_weekly()).map(|mut all| {
                all.push(condition);
                all
            });
        }
        let without = weekly.filter(|_| zones.len() == 1).and_then(|all| outside(&all));
        let within = zones.into_values().filter(|it| !it.windows.is_empty() || !it.dates.is_empty());
        let within: Vec<String> =
            within.filter_map(|calendar| self.calendar(node.line, name, calendar)).collect();
        let without = without.map(|calendar| {
            let some = if calendar.windows.is_empty() { None } else { Some(calendar) };
            let name = format!("not-{name}");
            some.and_then(|calendar| self.calendar(node.line, &name, calendar)).into_iter().collect()
        });
        Ok(Interval { within, without })
    }

    /// Nothing where it is none that can be used.
    fn calendar(&mut self, line: usize, name: &str, calendar: Calendar) -> Option<String> {
        let alone = BTreeMap::from([("calendar".to_owned(), calendar.clone())]);
        let book = schedule::form::Book { calendars: alone, ..schedule::form::Book::default() };
        if let Some(problem) = (self.rules.schedules)(&book).first() {
            let what = format!("time interval {name:?}");
            self.report.left(line, what, &problem.to_string(), "write a calendar by hand");
            return None;
        }
        let name = self.names.give(name);
        self.book.document.calendars.insert(name.clone(), calendar);
        Some(name)
    }

    fn condition(&mut self, node: &Node) -> Result<Condition, ImportError> {
        let mut fields = Fields::of(node, "a time interval")?;
        let mut condition = Condition { zone: "UTC".to_owned(), ..Condition::default() };
        if let Some(times) = fields.take("times") {
            for time in times.list("times")? {
                condition.times.push(span(time)?);
            }
        }
        if let Some(node) = fields.take("location") {
            node.text("location")?.clone_into(&mut condition.zone);
        }
        let mut ranges =
            |key: &str, word: &dyn Fn(&str) -> Option<i64>| -> Result<Vec<(i64, i64)>, ImportError> {
                let Some(node) = fields.take(key) else { return Ok(Vec::new()) };
                node.list(key)?.iter().map(|node| range(node, key, word)).collect()
            };
        let place = |all: &[&str], text: &str| {
            all.iter().position(|it| *it == text).and_then(|at| i64::try_from(at).ok())
        };
        let day = |text: &str| place(&DAYS.map(|(there, _)| there), text);
        condition.weekdays = each(&ranges("weekdays", &day)?);
        condition.days = ranges("days_of_month", &|text| {
            text.parse().ok().filter(|day| (-31..=31).contains(day) && *day != 0)
        })?;
        let month = |text: &str| match text.parse::<i64>() {
            Ok(number) => Some(number - 1).filter(|month| (0..12).contains(month)),
            Err(_) => place(&MONTHS, text),
        };
        condition.months = each(&ranges("months", &month)?);
        let years = ranges("years", &|text| text.parse().ok().filter(|year| (1970..=2199).contains(year)))?;
        condition.years = years.into_iter().flat_map(|(first, last)| first..=last).collect();
        self.unknown(&fields, "time_intervals.");
        Ok(condition)
    }
}

/// `9:00` to `17:00`.
fn span(node: &Node) -> Result<Minutes, ImportError> {
    let mut fields = Fields::of(node, "times")?;
    let mut minutes = |key: &str| {
        let node =
            fields.take(key).ok_or_else(|| ImportError::at(node.line, format!("times: {key} is missing")))?;
        let text = node.text(key)?;
        let both = text.split_once(':').and_then(|(hour, minute)| {
            Some((hour.parse::<usize>().ok()?, minute.parse::<usize>().ok().filter(|it| *it < 60)?))
        });
        let at = both.map(|(hour, minute)| hour.saturating_mul(60) + minute).filter(|at| *at <= MINUTES);
        at.ok_or_else(|| ImportError::at(node.line, format!("{key}: {text:?} is no time such as \"09:00\"")))
    };
    let (from, until) = (minutes("start_time")?, minutes("end_time")?);
    if until <= from {
        return Err(ImportError::at(node.line, "times: end_time must be after start_time"));
    }
    Ok((from, until))
}

/// `monday:friday`, or one alone.
fn range(node: &Node, key: &str, word: &dyn Fn(&str) -> Option<i64>) -> Result<(i64, i64), ImportError> {
    let text = node.text(key)?.to_ascii_lowercase();
    let (first, last) = text.split_once(':').unwrap_or((&text, &text));
    let both = word(first.trim()).zip(word(last.trim()));
    let wrong =
        || ImportError::at(node.line, format!("{key}: {text:?} is no range such as Alertmanager has it"));
    both.filter(|(first, last)| first <= last || (*first > 0) != (*last > 0)).ok_or_else(wrong)
}

fn each(ranges: &[(i64, i64)]) -> Vec<usize> {
    let all = ranges.iter().flat_map(|(first, last)| *first..=*last);
    let mut all: Vec<usize> = all.filter_map(|at| usize::try_from(at).ok()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Condition {
    /// It speaks of times of the week alone.
    fn is_weekly(&self) -> bool {
        self.days.is_empty() && self.months.is_empty() && self.years.is_empty()
    }

    /// Adds it to a calendar; else why that cannot be.
    fn add_to(&self, calendar: &mut Calendar) -> Option<&'static str> {
        if self.is_weekly() {
            let windows = self.windows();
            if calendar.windows.len() + windows.len() > WINDOWS_MAX {
                return Some("a calendar has at most 50 windows");
            }
            calendar.windows.extend(windows);
            return None;
        }
        if !self.times.is_empty() || !self.weekdays.is_empty() {
            return Some("a calendar has no times or weekdays on certain dates only");
        }
        if self.years.len() > YEARS_MAX {
            return Some("it names too many years");
        }
        let dates = self.dates();
        if dates.is_empty() {
            return Some("no day is in it");
        }
        calendar.dates.extend(dates);
        None
    }

    fn windows(&self) -> Vec<Window> {
        let days: Vec<String> =
            self.weekdays.iter().filter_map(|at| DAYS.get(*at)).map(|(_, ours)| (*ours).to_owned()).collect();
        let days = if days.len() == DAYS.len() { Vec::new() } else { days };
        let whole = [(0, MINUTES)];
        let times = if self.times.is_empty() { whole.as_slice() } else { &self.times };
        times
            .iter()
            .map(|(from, until)| Window { days: days.clone(), from: clock(*from), until: clock(*until) })
            .collect()
    }

    fn dates(&self) -> Vec<Dates> {
        let all_months: Vec<usize> = (0..12).collect();
        let months = if self.months.is_empty() { &all_months } else { &self.months };
        let days = if self.days.is_empty() { &[(1, -1)][..] } else { &self.days };
        let (years, yearly) =
            if self.years.is_empty() { (&[BEGIN][..], true) } else { (self.years.as_slice(), false) };
        let mut dates = Vec::new();
        for year in years {
            for month in months {
                for (first, last) in days {
                    dates.extend(one_span(*year, *month, *first, *last, yearly));
                }
            }
        }
        dates
    }
}

/// Days of one month; from its end where they are negative. Nothing where the month has none of them.
fn one_span(year: i64, month: usize, first: i64, last: i64, yearly: bool) -> Option<Dates> {
    let length = length_of(year, month);
    let day = |day: i64| if day < 0 { length + 1 + day } else { day };
    let (first, last) = (day(first).max(1), day(last).min(length));
    let written = |day: i64| format!("{year:04}-{:02}-{day:02}", month + 1);
    (first <= last).then(|| Dates {
        first: written(first),
        last: (first < last).then(|| written(last)),
        yearly,
    })
}

fn length_of(year: i64, month: usize) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 if leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Every time of the week at which none of these holds; nothing where that takes too many windows.
fn outside(conditions: &[Condition]) -> Option<Calendar> {
    let mut open = vec![[true; MINUTES]; DAYS.len()];
    for condition in conditions {
        let all: Vec<usize> = (0..DAYS.len()).collect();
        let days = if condition.weekdays.is_empty() { &all } else { &condition.weekdays };
        let whole = [(0, MINUTES)];
        let times = if condition.times.is_empty() { whole.as_slice() } else { &condition.times };
        for at in days {
            let Some(minutes) = open.get_mut(*at) else { continue };
            for (from, until) in times {
                minutes.iter_mut().take(*until).skip(*from).for_each(|minute| *minute = false);
            }
        }
    }
    let mut windows: BTreeMap<Minutes, Vec<String>> = BTreeMap::new();
    for (minutes, (_, day)) in open.iter().zip(DAYS) {
        for run in runs(minutes) {
            windows.entry(run).or_default().push(day.to_owned());
        }
    }
    let zone = conditions.first()?.zone.clone();
    let windows: Vec<Window> = windows
        .into_iter()
        .map(|((from, until), days)| Window { days, from: clock(from), until: clock(until) })
        .collect();
    (windows.len() <= WINDOWS_MAX).then(|| Calendar { zone, windows, ..Calendar::default() })
}

/// Where minutes in a row are true.
fn runs(minutes: &[bool]) -> Vec<Minutes> {
    let mut runs = Vec::new();
    let mut begin = None;
    for (at, open) in minutes.iter().copied().chain([false]).enumerate() {
        match (begin, open) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                runs.push((from, at));
                begin = None;
            }
            (None, false) | (Some(_), true) => (),
        }
    }
    runs
}

fn clock(minutes: usize) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_either_end_of_the_month() {
        let check = |month: usize, first: i64, last: i64, expect: &str| {
            let dates = one_span(2000, month, first, last, true);
            let text =
                dates.map_or(String::new(), |it| format!("{} {}", it.first, it.last.unwrap_or_default()));
            assert_eq!(text.trim(), expect, "{month} {first} {last}");
        };
        check(11, 25, 26, "2000-12-25 2000-12-26");
        check(1, -1, -1, "2000-02-29");
        check(3, 1, -1, "2000-04-01 2000-04-30");
        check(3, 31, 31, "");
        check(0, -3, -1, "2000-01-29 2000-01-31");
    }

    #[test]
    fn what_is_outside_of_working_hours_is_the_rest_of_the_week() {
        let condition =
            Condition { times: vec![(540, 1020)], weekdays: vec![1, 2, 3, 4, 5], ..Condition::default() };
        let calendar = outside(&[condition]).unwrap();
        let told: Vec<String> = calendar
            .windows
            .iter()
            .map(|it| format!("{} {}-{}", it.days.join(","), it.from, it.until))
            .collect();
        assert_eq!(
            told,
            ["mon,tue,wed,thu,fri 00:00-09:00", "sun,sat 00:00-24:00", "mon,tue,wed,thu,fri 17:00-24:00"]
        );
        assert!(outside(&[Condition::default()]).unwrap().windows.is_empty());
    }
}
