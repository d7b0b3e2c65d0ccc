//! What imports of schedules and escalations share: recipients, schedules of one layer each, and steps.

use crate::alertmanager::{NOWHERE, is_break};
use crate::book::{Book, Names, Rule};
use crate::report::Report;
use base::limits::{ROUNDS_MAX, STEPS_MAX};
use base::time::Human;
use matcher::Matchers;
use record::document::{Rules, TITLE_CHARS_MAX, form};
use schedule::form::{Layer, Schedule};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is made, and what is known by the other program's ids.
pub(crate) struct Desk<'r> {
    pub(crate) rules: &'r Rules<'r>,
    pub(crate) report: Report,
    pub(crate) book: Book,
    pub(crate) people: Names,
    names: Names,
    /// Recipients by id.
    pub(crate) users: BTreeMap<String, String>,
    /// Schedules by id: all of them together are what one is there.
    pub(crate) schedules: BTreeMap<String, Vec<String>>,
    /// Policies by id, with those who are told first.
    pub(crate) policies: BTreeMap<String, (String, Vec<String>)>,
}

impl<'r> Desk<'r> {
    pub(crate) fn new(rules: &'r Rules<'r>) -> Self {
        Self {
            rules,
            report: Report::default(),
            book: Book::default(),
            people: Names::default(),
            names: Names::default(),
            users: BTreeMap::new(),
            schedules: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    /// Somebody, reached by those of these mail addresses that are some.
    pub(crate) fn user(&mut self, id: &str, name: &str, mails: &[String]) {
        let check = self.rules.channels.iter().find(|rule| rule.name == "mail").map(|rule| rule.check);
        let mut addresses: Vec<form::Address> = Vec::new();
        for mail in mails.iter().filter(|mail| !mail.is_empty()) {
            let wrong = check.and_then(|check| check(mail).err());
            if let Some(why) = wrong {
                self.report.left(0, format!("user {name:?}: {mail:?}"), &why, "write the address by hand");
            } else if !addresses.iter().any(|it| it.value == *mail)
                && addresses.len() < base::limits::ADDRESSES_MAX
            {
                addresses.push(form::Address {
                    channel: "mail".to_owned(),
                    value: mail.clone(),
                    default: None,
                });
            }
        }
        if addresses.is_empty() {
            let why = "no mail address is known, and a recipient needs an address";
            self.report.changed(0, format!("user {name:?}"), why, "give the recipient one");
            addresses.push(form::Address {
                channel: "mail".to_owned(),
                value: NOWHERE.to_owned(),
                default: None,
            });
        }
        let title: String = name.chars().filter(|c| !is_break(*c)).take(TITLE_CHARS_MAX).collect();
        let title = Some(title).filter(|title| !title.is_empty());
        let key = self.people.give(name);
        let recipient = form::Recipient { title, addresses, ..form::Recipient::default() };
        self.book.document.recipients.insert(key.clone(), recipient);
        self.users.insert(id.to_owned(), key);
    }

    /// A schedule of these layers. Nothing where it is none that can be used.
    pub(crate) fn schedule(&mut self, name: &str, zone: &str, layers: Vec<Layer>) -> Option<String> {
        let schedule = Schedule { zone: zone.to_owned(), layers, overrides: Vec::new() };
        let alone = BTreeMap::from([("schedule".to_owned(), schedule.clone())]);
        let book = schedule::form::Book { schedules: alone, ..schedule::form::Book::default() };
        if let Some(problem) = (self.rules.schedules)(&book).first() {
            self.report.left(0, format!("schedule {name:?}"), &problem.to_string(), "write it by hand");
            return None;
        }
        let key = self.people.give(name);
        self.book.document.schedules.insert(key.clone(), schedule);
        Some(key)
    }

    /// A policy of these stages; the first of them that tells somebody is told at once.
    pub(crate) fn policy(&mut self, id: &str, name: &str, stages: Vec<Stage>, repeat: u16) {
        let mut policy = form::Policy { mode: Some("basic".to_owned()), ..form::Policy::default() };
        let mut first: Option<Vec<String>> = None;
        let mut waited = Duration::ZERO;
        for stage in stages {
            if !stage.to.is_empty() {
                let has_room = policy.steps.len() < STEPS_MAX;
                match (&mut first, policy.steps.last_mut()) {
                    (None, _) => first = Some(stage.to),
                    // What follows without a wait is told together.
                    (Some(first), None) if waited.is_zero() => first.extend(stage.to),
                    (Some(_), Some(last)) if waited.is_zero() => last.to.extend(stage.to),
                    (Some(_), _) if has_room => {
                        let after = Human(waited).to_string();
                        policy.steps.push(form::Step { after, to: stage.to, ..form::Step::default() });
                    }
                    (Some(_), _) => {
                        self.report.left(0, format!("escalation {name:?}"), "it has more than 50 steps", "");
                    }
                }
                waited = Duration::ZERO;
            }
            waited += if first.is_some() { stage.wait } else { Duration::ZERO };
        }
        let Some(mut first) = first else {
            self.report.left(
                0,
                format!("escalation {name:?}"),
                "it tells nobody that could be carried over",
                "",
            );
            return;
        };
        dedup(&mut first);
        policy.steps.iter_mut().for_each(|step| dedup(&mut step.to));
        if repeat > 0 {
            let after = Human(waited.max(Duration::from_secs(60))).to_string();
            policy.repeat = Some(form::Repeat { times: repeat.min(ROUNDS_MAX - 1), after, from_step: None });
        }
        let key = self.names.give(name);
        self.book.document.policies.insert(key.clone(), policy);
        self.policies.insert(id.to_owned(), (key, first));
    }

    /// A route of everything that comes from a source, by a policy.
    pub(crate) fn route(&mut self, source: &str, policy: &str) {
        let Some((policy, to)) = self.policies.get(policy).cloned() else {
            let why = "its escalation is not carried over";
            self.report.left(0, format!("source {source:?}"), why, "write a route for it");
            return;
        };
        let name = self.names.give(source);
        let what = format!("source {source:?}");
        let advice = format!("let it send with a token of that name: `steadfast token add {name}`");
        self.report.changed(0, what, "its alerts are known by the token that they come with", &advice);
        let (sources, matchers) = (vec![name.clone()], Matchers::default());
        self.book.rules.push(Rule {
            name,
            line: 0,
            matchers,
            sources,
            to,
            policy: Some(policy),
            also: false,
        });
    }
}

/// Whom an escalation tells, and how long it waits then.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) to: Vec<String>,
    pub(crate) wait: Duration,
}

/// Each once, in the order in which they come.
pub(crate) fn dedup(names: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
}
