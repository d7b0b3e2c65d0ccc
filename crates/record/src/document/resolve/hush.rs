//! What holds alerts back: inhibitions, maintenance windows, flapping.

use super::super::form;
use super::super::problem::{Place, quote};
use super::Check;
use super::policies::placeholder;
use base::Name;
use base::limits::{
    FLAPPING_RAISED_MAX, FLAPPING_STEADY_MAX, FLAPPING_WITHIN_MAX, INHIBITION_LABELS_MAX, INHIBITIONS_MAX,
    MAINTENANCE_MAX,
};
use base::time::Human;
use dispatch::directory::{Flapping, Inhibition, Maintenance};
use matcher::limits::MATCHERS_MAX;
use matcher::{Matcher, Matchers, Test};
use std::collections::BTreeMap;
use std::time::Duration;

impl<'a> Check<'a> {
    pub(super) fn inhibitions(&mut self) -> Vec<Inhibition> {
        let book = self.book;
        let top = Place::top("inhibitions");
        if book.inhibitions.len() > INHIBITIONS_MAX {
            let count = book.inhibitions.len();
            self.note(&top, format!("there are {count} inhibitions; at most {INHIBITIONS_MAX}"));
        }
        let mut names: BTreeMap<&'a str, usize> = BTreeMap::new();
        let mut inhibitions = Vec::with_capacity(book.inhibitions.len());
        for (at, form) in book.inhibitions.iter().enumerate() {
            let place = top.at(at);
            if let Some(first) = names.get(form.name.as_str()) {
                let detail = format!("inhibitions[{first}] is named {} already", quote(&form.name));
                self.note(&place.key("name"), detail);
            } else {
                names.insert(&form.name, at);
            }
            inhibitions.push(self.inhibition(&place, form));
        }
        inhibitions
    }

    fn inhibition(&mut self, place: &Place<'_>, form: &form::Inhibition) -> Inhibition {
        let name = self.name(&place.key("name"), &form.name).unwrap_or_else(placeholder);
        let source = self.definite(&place.key("source"), &form.source);
        let target = self.definite(&place.key("target"), &form.target);
        if form.equal.len() > INHIBITION_LABELS_MAX {
            let detail = format!("there are {} labels; at most {INHIBITION_LABELS_MAX}", form.equal.len());
            self.note(&place.key("equal"), detail);
        }
        for (at, label) in form.equal.iter().enumerate() {
            if Matcher::new(label, Test::Equal(String::new())).is_none() {
                self.note(&place.key("equal").at(at), format!("{} is no name of a label", quote(label)));
            }
        }
        Inhibition {
            name,
            source,
            target,
            equal: form.equal.iter().map(|label| label.as_str().into()).collect(),
        }
    }

    pub(super) fn maintenance_windows(&mut self) -> BTreeMap<Name, Maintenance> {
        let book = self.book;
        if book.maintenance.len() > MAINTENANCE_MAX {
            let count = book.maintenance.len();
            let detail = format!("there are {count} maintenance windows; at most {MAINTENANCE_MAX}");
            self.note(&Place::top("maintenance"), detail);
        }
        self.table("maintenance", &book.maintenance, Self::maintenance)
    }

    fn maintenance(&mut self, place: &Place<'_>, key: &str, form: &form::Maintenance) -> Maintenance {
        if form.calendars.is_empty() {
            self.note(&place.key("calendars"), "it is never on; name at least one calendar");
        }
        Maintenance {
            title: self.title(place, key, form.title.as_deref()),
            matchers: self.definite(&place.key("matchers"), &form.matchers),
            calendars: self.calendars(&place.key("calendars"), &form.calendars),
        }
    }

    pub(super) fn flapping(&mut self, place: &Place<'_>, form: &form::Flapping) -> Flapping {
        if !(1..=FLAPPING_RAISED_MAX).contains(&form.raised) {
            let detail = format!("{} is not a number from 1 to {FLAPPING_RAISED_MAX}", form.raised);
            self.note(&place.key("raised"), detail);
        }
        Flapping {
            raised: form.raised,
            within: self.duration_upto(&place.key("within"), &form.within, FLAPPING_WITHIN_MAX),
            steady: self.duration_upto(&place.key("steady"), &form.steady, FLAPPING_STEADY_MAX),
        }
    }

    fn duration_upto(&mut self, place: &Place<'_>, text: &str, most: Duration) -> Duration {
        let duration = self.duration(place, text);
        if duration > most {
            self.note(place, format!("{} is too long; at most {}", quote(text), Human(most)));
        }
        duration
    }

    /// Matchers that pick something: what matches where there is no label matches everything, most probably.
    fn definite(&mut self, place: &Place<'_>, texts: &[String]) -> Matchers {
        if texts.len() > MATCHERS_MAX {
            self.note(place, format!("there are {} matchers; at most {MATCHERS_MAX}", texts.len()));
        }
        let before = self.found.len();
        let each = texts.iter().take(MATCHERS_MAX).enumerate();
        let read: Matchers = each.filter_map(|(at, text)| self.read_matcher(&place.at(at), text)).collect();
        if self.found.len() == before && read.matches_nothing_said() {
            self.note(
                place,
                "at least one matcher must not match an absent label, or everything would match",
            );
        }
        read
    }

    fn read_matcher(&mut self, place: &Place<'_>, text: &str) -> Option<Matcher> {
        text.parse().map_err(|error| self.note(place, format!("{} is no matcher: {error}", quote(text)))).ok()
    }
}
