//! Routes with their matchers and windows.

use super::super::form;
use super::super::moment;
use super::super::problem::{Place, quote};
use super::super::write::{ALL_DAYS, DAYS};
use super::policies::placeholder;
use super::{Check, Section};
use base::Name;
use base::limits::LABEL_BYTES_MAX;
use dispatch::directory::{Matcher, Route, Severity, Window};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Check<'a> {
    pub(super) fn routes(&mut self) -> Vec<Route> {
        let book = self.book;
        let top = Place::top("routes");
        let mut names: BTreeMap<&'a str, usize> = BTreeMap::new();
        let mut routes = Vec::with_capacity(book.routes.len());
        for (at, form) in book.routes.iter().enumerate() {
            let place = top.at(at);
            if let Some(first) = names.get(form.name.as_str()) {
                let detail = format!("routes[{first}] is named {} already", quote(&form.name));
                self.note(&place.key("name"), detail);
            } else {
                names.insert(&form.name, at);
            }
            routes.push(self.route(&place, form));
        }
        routes
    }

    fn route(&mut self, place: &Place<'_>, form: &form::Route) -> Route {
        if form.to.is_empty() {
            self.note(&place.key("to"), "the route tells nobody; name at least one recipient or group");
        }
        let severities = Severity::ALL.map(|severity| (severity.word(), severity));
        let severity = form.severity.as_deref();
        let severity = severity.and_then(|text| self.word(&place.key("severity"), text, &severities));
        let ttl = form.ttl.as_deref().map(|text| self.duration(&place.key("ttl"), text));
        Route {
            name: self.name(&place.key("name"), &form.name).unwrap_or_else(placeholder),
            sources: self.names(&place.key("sources"), &form.sources),
            severity: severity.unwrap_or(Severity::Info),
            labels: self.matchers(&place.key("labels"), &form.labels),
            windows: self.windows(&place.key("windows"), &form.windows),
            calendars: self.calendars(&place.key("calendars"), &form.calendars),
            except_calendars: self.calendars(&place.key("except_calendars"), &form.except_calendars),
            to: self.targets(&place.key("to"), &form.to),
            policy: self.reference_at(place, "policy", Section::Policies, form.policy.as_deref()),
            templates: self.route_templates(&place.key("templates"), &form.templates),
            ttl,
        }
    }

    fn calendars(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Name> {
        let each = texts.iter().enumerate();
        each.filter_map(|(at, text)| self.reference(&place.at(at), Section::Calendars, text)).collect()
    }

    fn matchers(&mut self, place: &Place<'_>, forms: &[form::Matcher]) -> Vec<Matcher> {
        forms.iter().enumerate().filter_map(|(at, form)| self.matcher(&place.at(at), form)).collect()
    }

    fn matcher(&mut self, place: &Place<'_>, form: &form::Matcher) -> Option<Matcher> {
        if form.label.is_empty() {
            self.note(&place.key("label"), "a label's name must not be empty");
        }
        let (value, equal) = match (&form.equals, &form.differs) {
            (Some(value), None) => (value, true),
            (None, Some(value)) => (value, false),
            (None, None) | (Some(_), Some(_)) => {
                self.note(place, "give either \"equals\" or \"differs\"");
                return None;
            }
        };
        if form.label.len() + value.len() > LABEL_BYTES_MAX {
            let detail = format!("a label's name and value have at most {LABEL_BYTES_MAX} bytes together");
            self.note(place, detail);
        }
        Some(Matcher { label: form.label.as_str().into(), value: value.as_str().into(), equal })
    }

    fn windows(&mut self, place: &Place<'_>, forms: &[form::Window]) -> Vec<Window> {
        forms.iter().enumerate().map(|(at, form)| self.window(&place.at(at), form)).collect()
    }

    fn window(&mut self, place: &Place<'_>, form: &form::Window) -> Window {
        let days = self.days(&place.key("days"), &form.days);
        let from = self.time(&place.key("from"), &form.from, 0..=1439);
        let until = self.time(&place.key("until"), &form.until, 1..=1440);
        Window { days, from, until }
    }

    /// Days of the week, Monday as bit 0; all of them where none is named.
    pub(super) fn days(&mut self, place: &Place<'_>, texts: &[String]) -> u8 {
        let mut days = if texts.is_empty() { ALL_DAYS } else { 0 };
        let choices: [(&str, u8); 7] = std::array::from_fn(|day| (DAYS[day], 1 << day));
        for (at, text) in texts.iter().enumerate() {
            days |= self.word(&place.at(at), text, &choices).unwrap_or(0);
        }
        days
    }

    pub(super) fn time(
        &mut self,
        place: &Place<'_>,
        text: &str,
        range: std::ops::RangeInclusive<u16>,
    ) -> u16 {
        moment::read_time(text).filter(|minutes| range.contains(minutes)).unwrap_or_else(|| {
            let (first, last) = (moment::write_time(*range.start()), moment::write_time(*range.end()));
            self.note(place, format!("{} is not a time of day from {first} to {last}", quote(text)));
            *range.start()
        })
    }

    /// Templates by name, at most one for each channel and language.
    fn route_templates(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Name> {
        let book = self.book;
        let mut served = BTreeSet::new();
        let mut names = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let place = place.at(at);
            names.extend(self.reference(&place, Section::Templates, text));
            let Some(form) = book.templates.get(text) else { continue };
            if !served.insert((&form.channel, &form.language)) {
                let detail = format!("{} is the second for its channel and language", quote(text));
                self.note(&place, detail);
            }
        }
        names
    }
}
