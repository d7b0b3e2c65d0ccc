//! What schedules and calendars say now, for the core, which knows no time zones: said anew with each directory
//! and each change.
//!
//! Looked at before every input, so that no step fires by what held a moment ago, and nobody has to be woken for
//! a hand-over at which nothing fires.

use base::Wall;
use dispatch::directory::Directory;
use dispatch::record::Shift;
use dispatch::{Almanac, Input};
use jiff::Timestamp;
use schedule::{Book, Timeline};
use std::ops::Range;
use std::sync::Arc;

/// The schedules of the directory in force, and how long what was said last holds. By default nothing was said.
#[derive(Default)]
pub(crate) struct Rota {
    directory: Arc<Directory>,
    book: Book,
    holds: Range<Wall>,
}

impl Rota {
    /// Of a directory, with who is on call at `now`.
    pub(crate) fn new(directory: &Arc<Directory>, now: Wall) -> (Self, Almanac) {
        let mut rota =
            Self { directory: Arc::clone(directory), book: read(directory), holds: Wall(0)..Wall(0) };
        let almanac = rota.say(now);
        (rota, almanac)
    }

    /// Who is on call at `now`, unless that is what was said last.
    pub(crate) fn news(&mut self, directory: &Arc<Directory>, now: Wall) -> Option<Input> {
        if !Arc::ptr_eq(directory, &self.directory) {
            let (rota, almanac) = Self::new(directory, now);
            *self = rota;
            return Some(Input::Almanac(almanac));
        }
        (!self.holds.contains(&now)).then(|| Input::Almanac(self.say(now)))
    }

    fn say(&mut self, now: Wall) -> Almanac {
        let at = Timestamp::from_millisecond(now.0).unwrap_or(Timestamp::UNIX_EPOCH);
        let (mut almanac, mut changes) = (Almanac::default(), Vec::new());
        for name in self.book.schedules() {
            let Some(schedule) = self.book.schedule(name.as_str()) else { continue };
            let moment = schedule.moment(at);
            changes.extend(moment.next);
            let because = moment.because.to_string().into();
            let shift = Shift { schedule: name.clone(), who: moment.who, because, joined: Vec::new() };
            almanac.on_call.insert(name.clone(), shift);
        }
        for name in self.book.calendars() {
            let Some(calendar) = self.book.calendar(name.as_str()) else { continue };
            changes.extend(calendar.next_change(at));
            if calendar.contains(at) {
                almanac.calendars.insert(name.clone());
            }
        }
        let (offset, next) = offset(&self.directory.settings.time_zone, at);
        almanac.offset = offset;
        changes.extend(next);
        let until = changes.into_iter().min().map_or(i64::MAX, Timestamp::as_millisecond);
        self.holds = now..Wall(until);
        almanac
    }
}

/// How far the clocks of a zone are ahead of UTC, and until when.
fn offset(zone: &str, at: Timestamp) -> (i32, Option<Timestamp>) {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let next = zone.following(at).next().map(|transition| transition.timestamp());
    (zone.to_offset(at).seconds(), next)
}

/// The schedules of a directory, to compute with. None where this machine does not know a time zone that the
/// directory was judged with elsewhere: everybody whom a schedule names is told then.
fn read(directory: &Directory) -> Book {
    record::document::schedule_book(directory).read(jiff::tz::db()).unwrap_or_else(|problems| {
        for problem in problems {
            tracing::error!(%problem, "the schedules cannot be read here; everybody in them is told");
        }
        Book::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::document::{Rules, read_toml};

    const BOOK: &str = r#"
[recipients.anna]
addresses = [{ channel = "mail", value = "anna@x.test" }]
[recipients.ben]
addresses = [{ channel = "mail", value = "ben@x.test" }]
[schedules.days]
zone = "Europe/Berlin"
layers = [{ turns = [["anna"], ["ben"]], rotation = { unit = "days" }, from = "2026-03-28T09:00" }]
"#;

    fn directory(text: &str) -> Arc<Directory> {
        Arc::new(read_toml(text, "x").unwrap().resolve(&Rules::any()).unwrap())
    }

    fn at(text: &str) -> Wall {
        Wall(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn who(input: Option<Input>) -> Option<String> {
        let Some(Input::Almanac(almanac)) = input else { return None };
        Some(said(&almanac))
    }

    fn said(almanac: &Almanac) -> String {
        let within = almanac.calendars.iter().map(|name| format!("within {name}"));
        almanac.on_call.values().map(ToString::to_string).chain(within).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn it_is_said_anew_at_a_hand_over_and_not_before() {
        let book = directory(BOOK);
        // The night in which clocks were set forward.
        let (mut rota, first) = Rota::new(&book, at("2026-03-28T08:00:00Z"));
        assert_eq!(said(&first), "anna on call in days (turn 1 of layers[0])");
        assert_eq!(who(rota.news(&book, at("2026-03-29T06:59:59.999Z"))), None);
        let told = who(rota.news(&book, at("2026-03-29T07:00:00Z")));
        assert_eq!(told.as_deref(), Some("ben on call in days (turn 2 of layers[0])"));
        assert_eq!(who(rota.news(&book, at("2026-03-29T07:00:01Z"))), None);
        // A clock that was set back: whoever was on call then.
        let told = who(rota.news(&book, at("2026-03-29T06:00:00Z")));
        assert_eq!(told.as_deref(), Some("anna on call in days (turn 1 of layers[0])"));
    }

    #[test]
    fn it_is_said_anew_with_another_directory() {
        let (mut rota, _) = Rota::new(&directory(BOOK), at("2026-03-28T08:00:00Z"));
        let other = directory(&BOOK.replace("[\"anna\"], ", ""));
        let told = who(rota.news(&other, at("2026-03-28T08:00:01Z")));
        assert_eq!(told.as_deref(), Some("ben on call in days (turn 1 of layers[0])"));
    }

    #[test]
    fn a_calendar_is_said_while_it_lasts() {
        let book =
            directory("[calendars.holidays]\nzone = \"Europe/Berlin\"\ndates = [{ first = \"2026-12-24\" }]");
        let (mut rota, first) = Rota::new(&book, at("2026-12-23T22:59:59Z"));
        assert_eq!(said(&first), "");
        assert_eq!(who(rota.news(&book, at("2026-12-23T23:00:00Z"))).as_deref(), Some("within holidays"));
        assert_eq!(who(rota.news(&book, at("2026-12-24T22:59:59Z"))), None);
        assert_eq!(who(rota.news(&book, at("2026-12-24T23:00:00Z"))).as_deref(), Some(""));
    }

    #[test]
    fn without_schedules_nothing_is_ever_said() {
        let book = directory("");
        let (mut rota, first) = Rota::new(&book, Wall(0));
        assert_eq!(said(&first), "");
        assert_eq!(who(rota.news(&book, at("2100-01-01T00:00:00Z"))), None);
    }
}
