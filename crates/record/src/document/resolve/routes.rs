//! Routes with their windows and bundles.

use super::super::form;
use super::super::moment;
use super::super::problem::{Place, quote};
use super::super::write::{ALL_DAYS, DAYS};
use super::policies::placeholder;
use super::{Check, Section};
use base::Name;
use base::limits::{BUNDLE_WITHIN_MAX, ROUTES_MAX};
use dispatch::directory::{Bundle, Route, Severity, Window};
use matcher::Matchers;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Check<'a> {
    pub(super) fn routes(&mut self) -> Vec<Route> {
        let book = self.book;
        let top = Place::top("routes");
        if book.routes.len() > ROUTES_MAX {
            self.note(&top, format!("there are {} routes; at most {ROUTES_MAX}", book.routes.len()));
        }
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
        let severity = form.severity.as_deref();
        let severity = severity.and_then(|text| self.severity(&place.key("severity"), text));
        let ttl = form.ttl.as_deref().map(|text| self.duration(&place.key("ttl"), text));
        Route {
            name: self.name(&place.key("name"), &form.name).unwrap_or_else(placeholder),
            sources: self.names(&place.key("sources"), &form.sources),
            severity: severity.unwrap_or(Severity::Info),
            matchers: self.route_matchers(place, form),
            windows: self.windows(&place.key("windows"), &form.windows),
            calendars: self.calendars(&place.key("calendars"), &form.calendars),
            except_calendars: self.calendars(&place.key("except_calendars"), &form.except_calendars),
            to: self.targets(&place.key("to"), &form.to),
            policy: self.reference_at(place, "policy", Section::Policies, form.policy.as_deref()),
            templates: self.route_templates(&place.key("templates"), &form.templates),
            ttl,
            also: form.also.unwrap_or(false),
            bundle: form.bundle.as_ref().map(|form| self.bundle(&place.key("bundle"), form)),
            flapping: form.flapping.as_ref().map(|it| self.flapping(&place.key("flapping"), it)),
        }
    }

    fn route_matchers(&mut self, place: &Place<'_>, form: &form::Route) -> Matchers {
        let labels = self.labels(&place.key("labels"), &form.labels);
        let matchers = self.matchers(&place.key("matchers"), &form.matchers);
        labels.into_iter().chain(matchers.iter().cloned()).collect()
    }

    fn bundle(&mut self, place: &Place<'_>, form: &form::Bundle) -> Bundle {
        if form.over == 0 {
            self.note(&place.key("over"), "the first message never waits for others; it is at least 1");
        }
        let within = self.duration_upto(&place.key("within"), &form.within, BUNDLE_WITHIN_MAX);
        Bundle { over: form.over.max(1), within, critical: form.critical.unwrap_or(false) }
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
