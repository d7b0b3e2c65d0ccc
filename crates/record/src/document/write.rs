//! A directory as a document: nothing is lost, and what is as by default is left out.

use super::form;
use super::moment;
use super::resolve::GRACE;
use super::schedules;
use base::time::Human;
use base::{Name, Wall};
use dispatch::directory as book;
use matcher::Matchers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The days of a window, Monday first, as bits are counted.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Every day of the week.
pub(super) const ALL_DAYS: u8 = 0b111_1111;

impl From<&book::Directory> for form::Document {
    fn from(directory: &book::Directory) -> Self {
        Self {
            settings: settings(&directory.settings),
            departments: table(&directory.departments, |it| form::Department {
                title: Some(it.title.to_string()),
            }),
            recipients: table(&directory.recipients, recipient),
            groups: table(&directory.groups, group),
            schedules: table(&directory.schedules, |it| schedules::form(&it.rules)),
            monitors: table(&directory.monitors, monitor),
            calendars: table(&directory.calendars, |it| schedules::form(&it.rules)),
            policies: table(&directory.policies, policy),
            templates: table(&directory.templates, template),
            routes: directory.routes.iter().map(route).collect(),
            filters: table(&directory.filters, filter),
            inhibitions: directory.inhibitions.iter().map(inhibition).collect(),
            maintenance: table(&directory.maintenance, maintenance),
            tokens: table(&directory.tokens, token),
            users: table(&directory.users, user),
        }
    }
}

fn settings(settings: &book::Settings) -> form::Settings {
    let usual = book::Settings::default().ttl;
    let [info, warning, high, critical] = settings.ttl;
    form::Settings {
        time_zone: Some(settings.time_zone.to_string()),
        operators: targets(&settings.operators),
        ttl: (settings.ttl != usual).then(|| form::Ttl {
            info: differing(info, usual[0]),
            warning: differing(warning, usual[1]),
            high: differing(high, usual[2]),
            critical: differing(critical, usual[3]),
        }),
        resolve_timeout: differing(settings.resolve_timeout, book::Settings::default().resolve_timeout),
        severities: severities(&settings.severities),
        heartbeat: settings.heartbeat.as_ref().map(heartbeat),
    }
}

fn recipient(recipient: &book::Recipient) -> form::Recipient {
    form::Recipient {
        title: Some(recipient.title.to_string()),
        department: name(recipient.department.as_ref()),
        language: name(recipient.language.as_ref()),
        policy: name(recipient.policy.as_ref()),
        addresses: recipient.addresses.iter().map(address).collect(),
    }
}

fn address(listed: &book::ListedAddress) -> form::Address {
    form::Address {
        channel: listed.address.channel.to_string(),
        value: listed.address.value.as_ref().to_owned(),
        default: (!listed.default).then_some(false),
    }
}

fn group(group: &book::Group) -> form::Group {
    form::Group {
        title: Some(group.title.to_string()),
        department: name(group.department.as_ref()),
        policy: name(group.policy.as_ref()),
        members: names(&group.members),
    }
}

fn policy(policy: &book::Policy) -> form::Policy {
    let usual = book::Policy::default();
    let flag = |value: bool, usual: bool| (value != usual).then_some(value);
    form::Policy {
        mode: Some(mode_word(policy.mode).to_owned()),
        link: flag(policy.link, usual.link),
        reply: flag(policy.reply, usual.reply),
        acknowledges_all: flag(policy.acknowledges_all, usual.acknowledges_all),
        footnote: policy.footnote.as_deref().map(str::to_owned),
        exempt_keywords: policy.exempt_keywords.iter().map(|word| word.as_ref().to_owned()).collect(),
        tell_acknowledgement: flag(policy.tell_acknowledgement, usual.tell_acknowledgement),
        tell_comment: flag(policy.tell_comment, usual.tell_comment),
        tell_resolved: flag(policy.tell_resolved, usual.tell_resolved),
        unsent: (policy.unsent != usual.unsent).then(|| unsent_word(policy.unsent).to_owned()),
        close_after: differing(policy.close_after, usual.close_after),
        abandon_after: differing(policy.abandon_after, usual.abandon_after),
        repeat: policy.repeat.map(repeat),
        steps: policy.steps.iter().map(step).collect(),
    }
}

fn repeat(repeat: book::Repeat) -> form::Repeat {
    form::Repeat {
        times: repeat.times,
        after: duration(repeat.after),
        from_step: (repeat.from_step != 0).then_some(repeat.from_step),
    }
}

fn step(step: &book::Step) -> form::Step {
    form::Step {
        after: duration(step.after),
        to: targets(&step.to),
        again: step.again.then_some(true),
        channel: name(step.channel.as_ref()),
    }
}

fn template(template: &book::Template) -> form::Template {
    form::Template {
        channel: template.channel.to_string(),
        language: name(template.language.as_ref()),
        default: template.default.then_some(true),
        subject: template.subject.as_deref().map(str::to_owned),
        body: template.body.as_ref().to_owned(),
    }
}

fn route(route: &book::Route) -> form::Route {
    form::Route {
        name: route.name.to_string(),
        sources: names(&route.sources),
        severity: (route.severity != book::Severity::Info).then(|| route.severity.word().to_owned()),
        matchers: matchers(&route.matchers),
        labels: Vec::new(),
        windows: route.windows.iter().map(|it| window(*it)).collect(),
        calendars: names(&route.calendars),
        except_calendars: names(&route.except_calendars),
        to: targets(&route.to),
        policy: name(route.policy.as_ref()),
        templates: names(&route.templates),
        ttl: route.ttl.map(duration),
        also: route.also.then_some(true),
        bundle: route.bundle.map(bundle),
        flapping: route.flapping.map(flapping),
    }
}

fn bundle(bundle: book::Bundle) -> form::Bundle {
    form::Bundle {
        over: bundle.over,
        within: duration(bundle.within),
        critical: bundle.critical.then_some(true),
    }
}

fn filter(filter: &book::Filter) -> form::Filter {
    form::Filter {
        channels: names(&filter.channels),
        recipients: names(&filter.recipients),
        below: filter.below.map(|severity| severity.word().to_owned()),
        matchers: matchers(&filter.matchers),
        contains: filter.contains.iter().map(|word| word.as_ref().to_owned()).collect(),
        calendars: names(&filter.calendars),
        except_calendars: names(&filter.except_calendars),
    }
}

fn severities(severities: &BTreeMap<Arc<str>, book::Severity>) -> BTreeMap<String, String> {
    severities.iter().map(|(word, severity)| (word.to_string(), severity.word().to_owned())).collect()
}

fn flapping(flapping: book::Flapping) -> form::Flapping {
    let book::Flapping { raised, within, steady } = flapping;
    form::Flapping { raised, within: duration(within), steady: duration(steady) }
}

fn inhibition(inhibition: &book::Inhibition) -> form::Inhibition {
    form::Inhibition {
        name: inhibition.name.to_string(),
        source: matchers(&inhibition.source),
        target: matchers(&inhibition.target),
        equal: inhibition.equal.iter().map(|label| label.as_ref().to_owned()).collect(),
    }
}

fn maintenance(window: &book::Maintenance) -> form::Maintenance {
    form::Maintenance {
        title: Some(window.title.to_string()),
        matchers: matchers(&window.matchers),
        calendars: names(&window.calendars),
    }
}

fn matchers(matchers: &Matchers) -> Vec<String> {
    matchers.iter().map(ToString::to_string).collect()
}

fn monitor(monitor: &book::Monitor) -> form::Monitor {
    let text = |(name, value): (&Arc<str>, &Arc<str>)| (name.to_string(), value.to_string());
    form::Monitor {
        every: duration(monitor.every),
        grace: differing(monitor.grace, GRACE),
        severity: (monitor.severity != book::Severity::High).then(|| monitor.severity.word().to_owned()),
        summary: monitor.summary.as_deref().map(str::to_owned),
        labels: monitor.labels.iter().map(text).collect(),
        to: targets(&monitor.to),
        policy: name(monitor.policy.as_ref()),
    }
}

fn heartbeat(daily: &book::Daily) -> form::Heartbeat {
    form::Heartbeat { at: moment::write_time(daily.minute), to: targets(&daily.to), days: days(daily.days) }
}

/// The days of a week; none where all are meant.
fn days(bits: u8) -> Vec<String> {
    let on = |day: &usize| bits & (1 << day) != 0;
    let days = if bits == ALL_DAYS { Vec::new() } else { (0..7).filter(on).collect() };
    days.into_iter().filter_map(|day| DAYS.get(day)).map(|&day| day.to_owned()).collect()
}

fn window(window: book::Window) -> form::Window {
    form::Window {
        days: days(window.days),
        from: moment::write_time(window.from),
        until: moment::write_time(window.until),
    }
}

fn token(token: &book::Token) -> form::Token {
    form::Token {
        sha256: token.digest.to_string(),
        scopes: scopes(&token.scopes),
        expires: token.expires.map(expiry),
        refuse_solo: token.refuse_solo,
        severities: severities(&token.severities),
    }
}

fn user(user: &book::User) -> form::User {
    form::User {
        title: Some(user.title.to_string()),
        password: user.password.as_ref().to_owned(),
        scopes: scopes(&user.scopes),
    }
}

/// A table of one section, entry by entry.
fn table<T, F>(entries: &BTreeMap<Name, T>, form: impl Fn(&T) -> F) -> BTreeMap<String, F> {
    entries.iter().map(|(name, entry)| (name.to_string(), form(entry))).collect()
}

fn name(name: Option<&Name>) -> Option<String> {
    name.map(Name::to_string)
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

fn scopes(scopes: &[book::Scope]) -> Vec<String> {
    scopes.iter().map(|scope| scope.word().to_owned()).collect()
}

fn duration(duration: Duration) -> String {
    Human(duration).to_string()
}

fn differing(value: Duration, usual: Duration) -> Option<String> {
    (value != usual).then(|| duration(value))
}

fn expiry(moment: Wall) -> String {
    moment::write(moment)
}

fn targets(targets: &[book::Target]) -> Vec<String> {
    let word = |target: &book::Target| match target {
        book::Target::Named(name) => name.to_string(),
        book::Target::Address(address) => address.to_string(),
    };
    targets.iter().map(word).collect()
}

/// The word for a mode.
pub(super) fn mode_word(mode: book::Mode) -> &'static str {
    match mode {
        book::Mode::None => "none",
        book::Mode::Basic => "basic",
        book::Mode::Recall => "recall",
    }
}

/// The word for what becomes of unsent notifications.
pub(super) fn unsent_word(unsent: book::Unsent) -> &'static str {
    match unsent {
        book::Unsent::Stop => "stop",
        book::Unsent::Continue => "continue",
    }
}
