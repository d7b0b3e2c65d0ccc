//! Policies with their steps, and templates.

use super::super::form;
use super::super::problem::{Place, quote};
use super::super::write::{mode_word, unsent_word};
use super::Check;
use base::Name;
use base::limits::{ROUNDS_MAX, STEPS_MAX, TEMPLATE_BYTES_MAX};
use dispatch::directory::{Mode, Policy, Repeat, Step, Template, Unsent};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Check<'_> {
    pub(super) fn policy(&mut self, place: &Place<'_>, _key: &str, form: &form::Policy) -> Policy {
        let usual = Policy::default();
        let modes = [Mode::None, Mode::Basic, Mode::Recall].map(|mode| (mode_word(mode), mode));
        let unsents = [Unsent::Stop, Unsent::Continue].map(|unsent| (unsent_word(unsent), unsent));
        let mode = form.mode.as_deref().and_then(|text| self.word(&place.key("mode"), text, &modes));
        let unsent = form.unsent.as_deref().and_then(|text| self.word(&place.key("unsent"), text, &unsents));
        let (close, abandon) = (place.key("close_after"), place.key("abandon_after"));
        Policy {
            mode: mode.unwrap_or(usual.mode),
            steps: self.steps(&place.key("steps"), &form.steps),
            repeat: form.repeat.as_ref().map(|it| self.repeat(&place.key("repeat"), it, form.steps.len())),
            link: form.link.unwrap_or(usual.link),
            reply: form.reply.unwrap_or(usual.reply),
            acknowledges_all: form.acknowledges_all.unwrap_or(usual.acknowledges_all),
            footnote: form.footnote.as_deref().map(|it| self.template_text(&place.key("footnote"), it)),
            exempt_keywords: self.keywords(&place.key("exempt_keywords"), &form.exempt_keywords),
            tell_acknowledgement: form.tell_acknowledgement.unwrap_or(usual.tell_acknowledgement),
            tell_comment: form.tell_comment.unwrap_or(usual.tell_comment),
            tell_resolved: form.tell_resolved.unwrap_or(usual.tell_resolved),
            unsent: unsent.unwrap_or(usual.unsent),
            close_after: self.duration_or(&close, form.close_after.as_deref(), usual.close_after),
            abandon_after: self.duration_or(&abandon, form.abandon_after.as_deref(), usual.abandon_after),
        }
    }

    fn steps(&mut self, place: &Place<'_>, forms: &[form::Step]) -> Vec<Step> {
        if forms.len() > STEPS_MAX {
            self.note(place, format!("there are {} steps; at most {STEPS_MAX}", forms.len()));
        }
        forms.iter().enumerate().take(STEPS_MAX).map(|(at, form)| self.step(&place.at(at), form)).collect()
    }

    fn step(&mut self, place: &Place<'_>, form: &form::Step) -> Step {
        let again = form.again.unwrap_or(false);
        if form.to.is_empty() && !again {
            self.note(place, "the step tells nobody; name somebody in \"to\", or set \"again = true\"");
        }
        Step {
            after: self.duration(&place.key("after"), &form.after),
            to: self.targets(&place.key("to"), &form.to),
            again,
            channel: form.channel.as_deref().and_then(|text| self.channel(&place.key("channel"), text)),
        }
    }

    fn repeat(&mut self, place: &Place<'_>, form: &form::Repeat, steps: usize) -> Repeat {
        let from_step = form.from_step.unwrap_or(0);
        if form.times == 0 {
            self.note(&place.key("times"), "leave \"repeat\" out where nothing is repeated");
        }
        if form.times >= ROUNDS_MAX {
            let most = ROUNDS_MAX - 1;
            self.note(&place.key("times"), format!("{} further rounds; at most {most}", form.times));
        }
        if usize::from(from_step) > steps {
            self.note(&place.key("from_step"), format!("there is no step {from_step}; the last is {steps}"));
        }
        Repeat { times: form.times, after: self.duration(&place.key("after"), &form.after), from_step }
    }

    fn keywords(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Arc<str>> {
        for (at, text) in texts.iter().enumerate() {
            if text.trim().is_empty() {
                self.note(&place.at(at), "an empty keyword would exempt every alert");
            }
        }
        texts.iter().map(|text| text.as_str().into()).collect()
    }

    /// A text for the template engine; whether it is a template is judged by the renderer.
    fn template_text(&mut self, place: &Place<'_>, text: &str) -> Arc<str> {
        if text.len() > TEMPLATE_BYTES_MAX {
            self.note(place, format!("it has {} bytes; at most {TEMPLATE_BYTES_MAX}", text.len()));
        }
        text.into()
    }

    pub(super) fn templates(&mut self) -> BTreeMap<Name, Template> {
        let book = self.book;
        let mut defaults: BTreeMap<(&str, Option<&str>), &str> = BTreeMap::new();
        for (key, form) in &book.templates {
            if form.default != Some(true) {
                continue;
            }
            let served = (form.channel.as_str(), form.language.as_deref());
            if let Some(other) = defaults.get(&served) {
                let detail = format!("{} is the default for that channel and language already", quote(other));
                self.note(&Place::top("templates").key(key).key("default"), detail);
            } else {
                defaults.insert(served, key);
            }
        }
        self.table("templates", &book.templates, Self::template)
    }

    fn template(&mut self, place: &Place<'_>, _key: &str, form: &form::Template) -> Template {
        let language = form.language.as_deref().and_then(|text| self.name(&place.key("language"), text));
        Template {
            // A channel that is not there has been noted, and then this is not used.
            channel: self.channel(&place.key("channel"), &form.channel).unwrap_or_else(placeholder),
            language,
            default: form.default.unwrap_or(false),
            subject: form.subject.as_deref().map(|it| self.template_text(&place.key("subject"), it)),
            body: self.template_text(&place.key("body"), &form.body),
        }
    }
}

/// Stands in for a name that was noted as a problem, until the judgement ends in its refusal.
pub(super) fn placeholder() -> Name {
    Name::new("x").expect("a letter is a name")
}
