//! What alerts say, as routes and filters ask for it: matchers, and words of sources for severities. And filters.

use super::super::form;
use super::super::problem::{Place, quote};
use super::{Check, Section};
use base::Name;
use base::limits::{LABEL_BYTES_MAX, SEVERITY_WORDS_MAX};
use dispatch::directory::{Filter, Severity};
use matcher::{Matcher, Matchers, Test};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Check<'_> {
    /// Matchers, each a text of its own.
    pub(super) fn matchers(&mut self, place: &Place<'_>, texts: &[String]) -> Matchers {
        if texts.len() > matcher::limits::MATCHERS_MAX {
            let most = matcher::limits::MATCHERS_MAX;
            self.note(place, format!("there are {} matchers; at most {most}", texts.len()));
        }
        let texts = texts.iter().enumerate().take(matcher::limits::MATCHERS_MAX);
        texts.filter_map(|(at, text)| self.matcher(&place.at(at), text)).collect()
    }

    fn matcher(&mut self, place: &Place<'_>, text: &str) -> Option<Matcher> {
        if text.len() > LABEL_BYTES_MAX + matcher::limits::EXPRESSION_BYTES_MAX {
            self.note(place, format!("a matcher of {} bytes is too long", text.len()));
            return None;
        }
        text.parse().map_err(|error| self.note(place, format!("{}: {error}", quote(text)))).ok()
    }

    /// Matchers as they were written before there were expressions.
    pub(super) fn labels(&mut self, place: &Place<'_>, forms: &[form::Label]) -> Vec<Matcher> {
        forms.iter().enumerate().filter_map(|(at, form)| self.label(&place.at(at), form)).collect()
    }

    fn label(&mut self, place: &Place<'_>, form: &form::Label) -> Option<Matcher> {
        if form.label.is_empty() {
            self.note(&place.key("label"), "a label's name must not be empty");
        }
        let (value, test) = match (&form.equals, &form.differs) {
            (Some(value), None) => (value, Test::Equal(value.clone())),
            (None, Some(value)) => (value, Test::NotEqual(value.clone())),
            (None, None) | (Some(_), Some(_)) => {
                self.note(place, "give either \"equals\" or \"differs\"");
                return None;
            }
        };
        if form.label.len() + value.len() > LABEL_BYTES_MAX {
            let detail = format!("a label's name and value have at most {LABEL_BYTES_MAX} bytes together");
            self.note(place, detail);
        }
        Matcher::of_any(&form.label, test)
    }

    pub(super) fn severity(&mut self, place: &Place<'_>, text: &str) -> Option<Severity> {
        self.word(place, text, &Severity::ALL.map(|severity| (severity.word(), severity)))
    }

    /// What words of sources mean. They are compared without case.
    pub(super) fn severities(
        &mut self,
        place: &Place<'_>,
        forms: &BTreeMap<String, String>,
    ) -> BTreeMap<Arc<str>, Severity> {
        if forms.len() > SEVERITY_WORDS_MAX {
            self.note(place, format!("there are {} words; at most {SEVERITY_WORDS_MAX}", forms.len()));
        }
        let mut severities: BTreeMap<Arc<str>, Severity> = BTreeMap::new();
        for (word, text) in forms.iter().take(SEVERITY_WORDS_MAX) {
            let place = place.key(word);
            let folded = word.trim().to_lowercase();
            if folded.is_empty() {
                self.note(&place, "a word must not be empty");
            }
            let severity = self.severity(&place, text);
            let before = severity.and_then(|severity| severities.insert(folded.into(), severity));
            if before.is_some() {
                self.note(&place, format!("{} stands there twice: case does not count", quote(word)));
            }
        }
        severities
    }

    pub(super) fn filter(&mut self, place: &Place<'_>, _key: &str, form: &form::Filter) -> Filter {
        let below = form.below.as_deref().and_then(|text| self.severity(&place.key("below"), text));
        if below == Some(Severity::Info) {
            self.note(&place.key("below"), "nothing is less severe than info");
        }
        if *form == form::Filter::default() {
            self.note(place, "a filter without a condition would withhold every message; name one");
        }
        for (at, text) in form.contains.iter().enumerate() {
            if text.trim().is_empty() {
                self.note(&place.key("contains").at(at), "an empty word is in every message");
            }
        }
        let channels = place.key("channels");
        let channel = |(at, text): (usize, &String)| self.channel(&channels.at(at), text);
        let channels = form.channels.iter().enumerate().filter_map(channel).collect();
        let recipients = place.key("recipients");
        let recipient = |(at, text): (usize, &String)| self.person_or_group(&recipients.at(at), text, false);
        Filter {
            channels,
            recipients: form.recipients.iter().enumerate().filter_map(recipient).collect(),
            below,
            matchers: self.matchers(&place.key("matchers"), &form.matchers),
            contains: form.contains.iter().map(|word| word.as_str().into()).collect(),
            calendars: self.calendars(&place.key("calendars"), &form.calendars),
            except_calendars: self.calendars(&place.key("except_calendars"), &form.except_calendars),
        }
    }

    pub(super) fn calendars(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Name> {
        let each = texts.iter().enumerate();
        each.filter_map(|(at, text)| self.reference(&place.at(at), Section::Calendars, text)).collect()
    }
}
