//! How schedules and calendars are written, in TOML or JSON: texts and numbers, as people type them.
//!
//! Separate from what is computed with, so that everything that can be wrong is found in one place, on the way
//! from here to there (`parse`), and nothing can be wrong afterwards.

use std::collections::BTreeMap;

use jiff::tz::TimeZoneDatabase;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::{Calendar as CheckedCalendar, Schedule as CheckedSchedule, parse};

/// Schedules and calendars by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Who is on call, by the schedule's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<String, Schedule>,
    /// Holidays and quiet hours, by the calendar's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calendars: BTreeMap<String, Calendar>,
}

/// Who is on call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// An IANA time zone, such as `Europe/Berlin`. Every local time of the schedule is in it.
    pub zone: String,
    /// At least one; a later one lies over the earlier ones wherever it has somebody.
    pub layers: Vec<Layer>,
    /// People in place of those whom the layers give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// A rotation through turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// What people call it; its place if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The people of each turn, in order: recipients, groups, or schedules of the same book.
    pub turns: Vec<Vec<String>>,
    /// How long a turn is.
    pub rotation: Rotation,
    /// When the first turn begins, in local time, such as `2026-01-05T09:00`; the time of day is that of every
    /// hand-over. Before it the layer has nobody.
    pub from: String,
    /// When the layer ends, in local time; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Restricts the layer to times of the week; always if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// How long each turn of a layer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// `hours`, `days`, `weeks` or `months`.
    pub unit: String,
    /// How many of them, from 1 to about a year's; 1 if absent.
    #[serde(default = "one")]
    pub length: i64,
}

/// A week.
impl Default for Rotation {
    fn default() -> Self {
        Self { unit: "weeks".to_owned(), length: one() }
    }
}

fn one() -> i64 {
    1
}

/// A time of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ScheduleWindow))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it opens: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`; every day if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// A time of day from `00:00` to `23:59`.
    pub from: String,
    /// A time of day from `00:01` to `24:00`; not after `from` means until that time on the next day.
    pub until: String,
}

/// People in place of those whom the layers give, for a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Who: recipients, groups, or schedules of the same book.
    pub who: Vec<String>,
    /// From when: in local time, such as `2026-12-24T12:00`, or as in RFC 3339 with its offset.
    pub from: String,
    /// Until when, likewise.
    pub until: String,
    /// In whose place, while it is their turn; in everybody's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// A set of times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// An IANA time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// Whole days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Dates>,
    /// Times of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Whole days on which nothing is within, whatever the rest says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Dates>,
}

/// Days in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// The first day, such as `2026-12-24`.
    pub first: String,
    /// The last day, which is one of them; `first` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Also in every later year.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yearly: bool,
}

impl Book {
    /// What is wrong with it; nothing if it can be used.
    pub fn check(&self, zones: &TimeZoneDatabase) -> Vec<Problem> {
        self.read(zones).err().unwrap_or_default()
    }

    /// The book to compute with.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place, such as `schedules.night.layers[1].turns`.
    pub fn read(&self, zones: &TimeZoneDatabase) -> Result<crate::Book, Vec<Problem>> {
        parse::book(self, zones)
    }
}

impl Schedule {
    /// What is wrong with it by itself; nothing if it can be used.
    pub fn check(&self, zones: &TimeZoneDatabase) -> Vec<Problem> {
        self.read(zones).err().unwrap_or_default()
    }

    /// The schedule to compute with. Names of schedules are names like any other here; see [`Book::read`].
    ///
    /// # Errors
    /// Everything that is wrong, each with its place, such as `layers[1].rotation.length`.
    pub fn read(&self, zones: &TimeZoneDatabase) -> Result<CheckedSchedule, Vec<Problem>> {
        parse::alone(|problems| parse::schedule(self, zones, "", problems))
    }
}

impl Calendar {
    /// What is wrong with it; nothing if it can be used.
    pub fn check(&self, zones: &TimeZoneDatabase) -> Vec<Problem> {
        self.read(zones).err().unwrap_or_default()
    }

    /// The calendar to compute with.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place, such as `dates[3].last`.
    pub fn read(&self, zones: &TimeZoneDatabase) -> Result<CheckedCalendar, Vec<Problem>> {
        parse::alone(|problems| parse::calendar(self, zones, "", problems))
    }
}
