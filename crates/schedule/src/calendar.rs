//! A calendar that has been checked: dates and times of the week, and whether an instant is within.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::civil::{day_at, day_start, days_after};
use crate::layer::earlier;
use crate::limits::{SEARCH_DAYS_MAX, SEARCH_STEPS_MAX};
use crate::window::{self, Window};

/// A set of times: holidays, quiet hours. Made from a [`crate::form::Calendar`].
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    pub(crate) zone: TimeZone,
    pub(crate) dates: Vec<Dates>,
    pub(crate) windows: Vec<Window>,
    pub(crate) except: Vec<Dates>,
}

/// Days in a row, once or each year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    /// The first day.
    pub(crate) first: Date,
    /// The last day, which is one of them.
    pub(crate) last: Date,
    /// Also in every later year.
    pub(crate) yearly: bool,
}

impl Dates {
    fn contain(&self, day: Date) -> bool {
        if !self.yearly {
            return self.first <= day && day <= self.last;
        }
        let of_year = |date: Date| (date.month(), date.day());
        let (first, last, day_of_year) = (of_year(self.first), of_year(self.last), of_year(day));
        let is_within = if first <= last {
            first <= day_of_year && day_of_year <= last
        } else {
            first <= day_of_year || day_of_year <= last
        };
        self.first <= day && is_within
    }
}

impl Calendar {
    /// Whether `at` is within: on one of its dates or in one of its windows, and on no day that is excepted.
    pub fn contains(&self, at: Timestamp) -> bool {
        let day = day_at(&self.zone, at);
        let on = |dates: &[Dates]| dates.iter().any(|dates| dates.contain(day));
        !on(&self.except) && (on(&self.dates) || window::standing(&self.windows, &self.zone, at).0)
    }

    /// The first instant strictly after `at` that is within if `at` is not, or the other way round. None if there
    /// is none within [`SEARCH_DAYS_MAX`] and [`SEARCH_STEPS_MAX`].
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let is_within = self.contains(at);
        let far = SignedDuration::from_hours(SEARCH_DAYS_MAX * 24);
        let limit = at.checked_add(far).unwrap_or(Timestamp::MAX);
        let mut edge = at;
        for _ in 0..SEARCH_STEPS_MAX {
            edge = self.next_edge(edge).filter(|edge| *edge < limit)?;
            if self.contains(edge) != is_within {
                return Some(edge);
            }
        }
        None
    }

    /// The first later instant at which a day begins, or a window opens or closes.
    fn next_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let today = day_at(&self.zone, at);
        // The day after a skipped one begins with it.
        let days = (1..=2).map(|ahead| day_start(&self.zone, days_after(today, ahead)));
        earlier(days.filter(|start| at < *start).min(), window::standing(&self.windows, &self.zone, at).1)
    }
}
