//! The smallest texts: names, times of day, days, local times, instants. One spelling each.

use base::Name;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::civil::reached;
use crate::limits::{YEAR_MAX, YEAR_MIN};

/// A name of the directory.
pub(super) fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|why| why.to_string())
}

/// When a window opens.
pub(super) fn opening(text: &str) -> Result<Time, String> {
    time(text).ok_or_else(|| format!("{text:?} is not a time of day from 00:00 to 23:59"))
}

/// When a window closes: the end of the day is midnight of the next.
pub(super) fn closing(text: &str) -> Result<Time, String> {
    if text == "24:00" {
        return Ok(Time::midnight());
    }
    let found = time(text).filter(|time| *time != Time::midnight());
    found.ok_or_else(|| format!("{text:?} is not a time of day from 00:01 to 24:00"))
}

fn time(text: &str) -> Option<Time> {
    let found = Time::strptime("%H:%M", text).ok()?;
    (found.strftime("%H:%M").to_string() == text).then_some(found)
}

/// A local time of a schedule's zone.
pub(super) fn local(text: &str) -> Result<DateTime, String> {
    const FORMAT: &str = "%Y-%m-%dT%H:%M";
    let found = DateTime::strptime(FORMAT, text).ok();
    let found = found.filter(|local| local.strftime(FORMAT).to_string() == text);
    let found = found.ok_or_else(|| format!("{text:?} is not a local time such as 2026-01-05T09:00"))?;
    in_range(found.year()).map(|()| found)
}

/// A day.
pub(super) fn day(text: &str) -> Result<Date, String> {
    let found = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
    let found = found.ok_or_else(|| format!("{text:?} is not a day such as 2026-12-24"))?;
    in_range(found.year()).map(|()| found)
}

/// An instant: with its offset, or a local time of `zone`.
pub(super) fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let found = text.parse::<Timestamp>().or_else(|_| local(text).map(|local| reached(zone, local)));
    let found = found.map_err(|_| {
        format!("{text:?} is no moment such as 2026-01-05T09:00, in local time, or 2026-01-05T09:00:00+01:00")
    })?;
    in_range(zone.to_datetime(found).year()).map(|()| found)
}

fn in_range(year: i16) -> Result<(), String> {
    if (YEAR_MIN..=YEAR_MAX).contains(&year) {
        return Ok(());
    }
    Err(format!("is in the year {year}; {} is the nearest that is allowed", year.clamp(YEAR_MIN, YEAR_MAX)))
}
