//! Schedules by name, which may refer to each other, and calendars: what a directory holds of them.
//!
//! Separate, because only here it is known whether a name is that of a schedule.

use std::collections::BTreeMap;

use base::Name;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::calendar::Calendar;
use crate::layer::earlier;
use crate::parse;
use crate::schedule::{Schedule, add};
use crate::timeline::{Moment, Timeline};

/// Every schedule and calendar, checked together. Made from a [`crate::form::Book`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    pub(crate) schedules: BTreeMap<Name, Schedule>,
    pub(crate) calendars: BTreeMap<Name, Calendar>,
}

impl Book {
    /// The schedule of that name, with whoever is on call in those that it names.
    pub fn schedule<'a>(&'a self, name: &str) -> Option<Reference<'a>> {
        Some(Reference { book: self, schedule: self.schedules.get(name)? })
    }

    /// The calendar of that name.
    pub fn calendar(&self, name: &str) -> Option<&Calendar> {
        self.calendars.get(name)
    }

    /// The names of all schedules, in order.
    pub fn schedules(&self) -> impl Iterator<Item = &Name> {
        self.schedules.keys()
    }

    /// The names of all calendars, in order.
    pub fn calendars(&self) -> impl Iterator<Item = &Name> {
        self.calendars.keys()
    }
}

/// A schedule of a book. Where it names another one, its people are those who are on call there; the reason and
/// the overrides are its own.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    book: &'a Book,
    schedule: &'a Schedule,
}

impl<'a> Reference<'a> {
    /// The zone of its local times.
    pub fn zone(&self) -> &'a TimeZone {
        &self.schedule.zone
    }

    /// The moment that a text names: as in RFC 3339 with its offset, or in local time, such as `2026-12-24T12:00`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn moment_named(&self, text: &str) -> Result<Timestamp, String> {
        parse::moment(text, &self.schedule.zone)
    }

    /// The schedules among `names`. The book has no cycles, so that this comes to an end.
    fn referred<'n>(
        &self,
        names: &'n [Name],
    ) -> impl Iterator<Item = (&'n Name, Option<Self>)> + use<'a, 'n> {
        let book = self.book;
        names.iter().map(move |name| (name, book.schedule(name.as_str())))
    }
}

impl Timeline for Reference<'_> {
    fn moment(&self, at: Timestamp) -> Moment {
        let own = self.schedule.moment(at);
        let (mut who, mut next) = (Vec::new(), own.next);
        for (name, referred) in self.referred(&own.who) {
            match referred.map(|schedule| schedule.moment(at)) {
                Some(moment) => {
                    moment.who.iter().for_each(|name| add(&mut who, name));
                    next = earlier(next, moment.next);
                }
                None => add(&mut who, name),
            }
        }
        Moment { who, because: own.because, next }
    }

    fn last_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let own = self.schedule.moment(at);
        let referred = self.referred(&own.who).filter_map(|(_, schedule)| schedule?.last_edge(at));
        referred.chain(self.schedule.last_edge(at)).max()
    }
}
