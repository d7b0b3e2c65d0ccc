//! Binds an alert to people: route, policy and group membership become a roster, once, at accept.
//!
//! What is bound travels with the alert, so a node that adopts it with an older directory tells the same
//! people, and an edit of the book does not change who an alert under way goes to.

use crate::directory::{Directory, Policy, Route, Target};
use crate::input::{Notice, Refusal};
use crate::record::{BoundMember, BoundSchedule, BoundStep, Content, Person, Reach, Roster};
use crate::rulebook::Rulebook;
use base::{Digest, Hasher, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What decides a roster. Equal inputs give one roster, so it is built and written once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binding {
    pub(crate) to: Vec<Target>,
    pub(crate) policy: Option<Name>,
    pub(crate) templates: Vec<Name>,
    /// Channels to leave out where a person has another.
    pub(crate) avoid: BTreeSet<Name>,
    /// One of our own alerts: sent, and not escalated.
    pub(crate) system: bool,
}

/// The rule that a notice falls under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) route: Name,
    pub(crate) binding: Binding,
    pub(crate) ttl: Duration,
}

/// Picks the route of a notice: the recipients it names itself, else the first route that matches, else the
/// operators, so that a gap in the routes does not swallow an alert.
pub(crate) fn route(rules: &Rulebook, within: &BTreeSet<Name>, notice: &Notice) -> Result<Routed, Refusal> {
    let directory = rules.directory();
    let ttl = directory.settings.ttl.get(notice.content.severity as usize).copied().unwrap_or(Duration::MAX);
    let matching = || matching(rules, within, notice);
    let (name, to, policy, templates, ttl) = if !notice.to.is_empty() {
        (constant("direct"), notice.to.clone(), policy_of(directory, &notice.to), Vec::new(), ttl)
    } else if let Some((route, to)) = matching() {
        let policy = route.policy.clone().or_else(|| policy_of(directory, &route.to));
        (route.name.clone(), to, policy, route.templates.clone(), route.ttl.unwrap_or(ttl))
    } else if directory.settings.operators.is_empty() {
        return Err(Refusal::NoRoute);
    } else {
        (constant("unrouted"), directory.settings.operators.clone(), None, Vec::new(), ttl)
    };
    let policy = notice.policy.clone().or(policy);
    let binding = Binding { to, policy, templates, avoid: BTreeSet::new(), system: false };
    Ok(Routed { route: name, binding, ttl })
}

/// The first route that matches, and whom to tell: those of the routes after it, too, as far as it says so.
fn matching<'a>(
    rules: &'a Rulebook,
    within: &BTreeSet<Name>,
    notice: &Notice,
) -> Option<(&'a Route, Vec<Target>)> {
    let mut matching = rules.routes(&notice.content).filter(|route| matches(route, within, notice));
    let first = matching.next()?;
    let (mut to, mut last) = (first.to.clone(), first);
    while last.also
        && let Some(next) = matching.next()
    {
        to.extend(next.to.iter().cloned());
        last = next;
    }
    Some((first, to))
}

fn matches(route: &Route, within: &BTreeSet<Name>, notice: &Notice) -> bool {
    (route.sources.is_empty() || route.sources.contains(&notice.source))
        && notice.content.severity >= route.severity
        && route.matchers.matches(|label| notice.content.label(label))
        && (route.windows.is_empty() || route.windows.iter().any(|window| window.contains(notice.civil)))
        && (route.calendars.is_empty() || route.calendars.iter().any(|calendar| within.contains(calendar)))
        && !route.except_calendars.iter().any(|calendar| within.contains(calendar))
}

/// The recipients that names stand for, of which some are groups.
pub(crate) fn members(directory: &Directory, names: &[Name]) -> BTreeSet<Name> {
    let (mut people, mut seen, mut rest) =
        (BTreeSet::new(), BTreeSet::new(), names.iter().collect::<Vec<_>>());
    while let Some(name) = rest.pop() {
        match directory.groups.get(name) {
            Some(group) if seen.insert(name) => rest.extend(&group.members),
            Some(_) => (),
            None => {
                people.insert(name.clone());
            }
        }
    }
    people
}

/// The policy that a single target brings along.
fn policy_of(directory: &Directory, to: &[Target]) -> Option<Name> {
    let [Target::Named(name)] = to else { return None };
    let group = directory.groups.get(name).and_then(|group| group.policy.clone());
    group.or_else(|| directory.recipients.get(name).and_then(|recipient| recipient.policy.clone()))
}

/// Builds the roster that `binding` stands for.
pub(crate) fn roster(directory: &Directory, binding: &Binding) -> Result<Roster, Refusal> {
    let (policy_name, policy) = policy(directory, binding)?;
    let mut people = People { directory, avoid: &binding.avoid, index: BTreeMap::new(), people: Vec::new() };
    let first = people.members(&binding.to)?;
    let mut steps = vec![people.step(Duration::ZERO, &first, None)?];
    for step in &policy.steps {
        let mut told = if step.again { first.clone() } else { Members::default() };
        told.add(people.members(&step.to)?);
        steps.push(people.step(step.after, &told, step.channel.as_ref())?);
    }
    if steps.iter().all(BoundStep::is_empty) {
        return Err(Refusal::ReachesNobody);
    }
    let people = people.people;
    let mut roster = Roster {
        id: Digest([0; 32]),
        policy_name,
        policy,
        templates: binding.templates.clone(),
        people,
        steps,
    };
    roster.id = digest(&roster);
    Ok(roster)
}

/// Whom a recipient or group of the directory tells, with the addresses that count if `channel` overrides them.
pub(crate) fn people(directory: &Directory, name: &Name, channel: Option<&Name>) -> Vec<Person> {
    let avoid = BTreeSet::new();
    let mut people = People { directory, avoid: &avoid, index: BTreeMap::new(), people: Vec::new() };
    let Ok(members) = people.members(&[Target::Named(name.clone())]) else { return Vec::new() };
    let told = |person: u32| {
        let reach = people.reach_of(person, channel);
        let person = people.people.get(usize::try_from(person).ok()?)?;
        let addresses = reach.iter().filter_map(|reach| person.addresses.get(usize::from(reach.address)));
        Some(Person { addresses: addresses.cloned().collect(), ..person.clone() })
    };
    members.persons.into_iter().filter_map(told).filter(|person| !person.addresses.is_empty()).collect()
}

/// The policy of a binding: the one it names, else the one called `default`, else the built-in one.
fn policy(directory: &Directory, binding: &Binding) -> Result<(Name, Policy), Refusal> {
    let default = constant("default");
    if binding.system {
        let mode = crate::directory::Mode::None;
        return Ok((default, Policy { mode, link: false, reply: false, ..Policy::default() }));
    }
    match &binding.policy {
        Some(name) => {
            let policy = directory.policies.get(name).cloned();
            Ok((name.clone(), policy.ok_or_else(|| Refusal::UnknownPolicy { name: name.clone() })?))
        }
        None => Ok((default.clone(), directory.policies.get(&default).cloned().unwrap_or_default())),
    }
}

/// A name that stands in the code.
pub(crate) fn constant(name: &'static str) -> Name {
    Name::new(name).expect("a constant that is a name")
}

/// Whom targets stand for: people, each once, and the schedules of whoever is on call.
#[derive(Clone, Default)]
struct Members {
    persons: Vec<u32>,
    schedules: Vec<Name>,
}

impl Members {
    fn add(&mut self, other: Self) {
        let known: BTreeSet<u32> = self.persons.iter().copied().collect();
        self.persons.extend(other.persons.into_iter().filter(|person| !known.contains(person)));
        for schedule in other.schedules {
            if !self.schedules.contains(&schedule) {
                self.schedules.push(schedule);
            }
        }
    }
}

/// Everybody whom a schedule names, or one that it names: recipients and groups, each once.
fn eligible<'a>(directory: &'a Directory, schedule: &'a Name) -> Vec<&'a Name> {
    let (mut people, mut seen, mut rest) = (Vec::new(), BTreeSet::new(), vec![schedule]);
    while let Some(name) = rest.pop() {
        if !seen.insert(name) {
            continue;
        }
        match directory.schedules.get(name) {
            Some(schedule) => rest.extend(schedule.names.iter().rev()),
            None => people.push(name),
        }
    }
    people
}

/// Collects the people of a roster, each once.
struct People<'a> {
    directory: &'a Directory,
    avoid: &'a BTreeSet<Name>,
    index: BTreeMap<Target, u32>,
    people: Vec<Person>,
}

impl People<'_> {
    /// The persons and schedules that `targets` stand for, each once, in order.
    fn members(&mut self, targets: &[Target]) -> Result<Members, Refusal> {
        let mut out = Members::default();
        let mut seen = BTreeSet::new();
        let mut rest: Vec<Target> = targets.iter().rev().cloned().collect();
        let mut groups = BTreeSet::new();
        while let Some(target) = rest.pop() {
            match &target {
                Target::Named(name) => {
                    if let Some(group) = self.directory.groups.get(name) {
                        if groups.insert(name.clone()) {
                            rest.extend(group.members.iter().rev().cloned().map(Target::Named));
                        }
                        continue;
                    }
                    if self.directory.schedules.contains_key(name) {
                        out.add(Members { persons: Vec::new(), schedules: vec![name.clone()] });
                        continue;
                    }
                    if !self.directory.recipients.contains_key(name) {
                        return Err(Refusal::UnknownTarget { name: name.clone() });
                    }
                }
                Target::Address(_) => (),
            }
            let person = self.person(target);
            if seen.insert(person) {
                out.persons.push(person);
            }
        }
        Ok(out)
    }

    /// A step that tells these.
    fn step(
        &mut self,
        after: Duration,
        told: &Members,
        channel: Option<&Name>,
    ) -> Result<BoundStep, Refusal> {
        let mut schedules = Vec::with_capacity(told.schedules.len());
        for schedule in &told.schedules {
            let mut members = Vec::new();
            for name in eligible(self.directory, schedule) {
                let persons = self.members(&[Target::Named(name.clone())])?.persons;
                members.push(BoundMember { name: name.clone(), reach: self.reach(&persons, channel) });
            }
            schedules.push(BoundSchedule { name: schedule.clone(), members });
        }
        Ok(BoundStep { after, reach: self.reach(&told.persons, channel), schedules })
    }

    fn person(&mut self, target: Target) -> u32 {
        if let Some(index) = self.index.get(&target) {
            return *index;
        }
        let index = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let person = match &target {
            Target::Named(name) => self.listed(name),
            Target::Address(address) => Person {
                name: Name::new(&format!("direct-{}", index + 1)).expect("letters, a dash and digits"),
                title: Arc::clone(&address.value),
                language: None,
                addresses: vec![address.clone()],
            },
        };
        self.people.push(person);
        self.index.insert(target, index);
        index
    }

    fn listed(&self, name: &Name) -> Person {
        let recipient = self.directory.recipients.get(name);
        Person {
            name: name.clone(),
            title: recipient.map_or_else(|| name.as_str().into(), |recipient| Arc::clone(&recipient.title)),
            language: recipient.and_then(|recipient| recipient.language.clone()),
            addresses: recipient
                .into_iter()
                .flat_map(|recipient| &recipient.addresses)
                .map(|listed| listed.address.clone())
                .collect(),
        }
    }

    /// Where each of `persons` is told: at their addresses of `channel`, else at their default ones.
    fn reach(&self, persons: &[u32], channel: Option<&Name>) -> Vec<Reach> {
        persons.iter().flat_map(|person| self.reach_of(*person, channel)).collect()
    }

    fn reach_of(&self, index: u32, channel: Option<&Name>) -> Vec<Reach> {
        let Some(person) = usize::try_from(index).ok().and_then(|at| self.people.get(at)) else {
            return Vec::new();
        };
        let pick = |wanted: &dyn Fn(usize) -> bool| -> Vec<Reach> {
            let chosen = (0..person.addresses.len()).filter(|at| wanted(*at));
            chosen.filter_map(|at| Some(Reach { person: index, address: u8::try_from(at).ok()? })).collect()
        };
        let of = |at: usize| person.addresses.get(at).map(|address| &address.channel);
        if let Some(channel) = channel {
            let overridden = pick(&|at| of(at) == Some(channel));
            if !overridden.is_empty() {
                return overridden;
            }
        }
        let default = |at: usize| self.is_default(person, at);
        let surviving =
            pick(&|at| default(at) && !of(at).is_some_and(|channel| self.avoid.contains(channel)));
        if !surviving.is_empty() {
            return surviving;
        }
        // Any way that works beats the preferred one that does not.
        let other = pick(&|at| !of(at).is_some_and(|channel| self.avoid.contains(channel)));
        if !self.avoid.is_empty() && !other.is_empty() { other } else { pick(&default) }
    }

    fn is_default(&self, person: &Person, at: usize) -> bool {
        let listed = self.directory.recipients.get(&person.name);
        listed.is_none_or(|recipient| recipient.addresses.get(at).is_some_and(|address| address.default))
    }
}

/// Names a roster by its content.
fn digest(roster: &Roster) -> Digest {
    let mut hasher =
        Hasher::new("roster").text(roster.policy_name.as_str()).text(&format!("{:?}", roster.policy));
    hasher = hasher.number(roster.templates.len() as u64);
    for template in &roster.templates {
        hasher = hasher.text(template.as_str());
    }
    hasher = hasher.number(roster.people.len() as u64);
    for person in &roster.people {
        let language = person.language.as_ref().map_or("", |language| language.as_str());
        hasher = hasher.text(person.name.as_str()).text(&person.title).text(language);
        hasher = hasher.number(person.addresses.len() as u64);
        for address in &person.addresses {
            hasher = hasher.text(address.channel.as_str()).text(&address.value);
        }
    }
    for step in &roster.steps {
        hasher = hasher.number(base::time::millis(step.after)).number(step.reach.len() as u64);
        for reach in &step.reach {
            hasher = hasher.number(u64::from(reach.person) << 8 | u64::from(reach.address));
        }
        // What names no schedule has the name that it had before there were any.
        for schedule in &step.schedules {
            hasher = hasher.text(schedule.name.as_str()).number(schedule.members.len() as u64);
            for member in &schedule.members {
                hasher = hasher.text(member.name.as_str()).number(member.reach.len() as u64);
                for reach in &member.reach {
                    hasher = hasher.number(u64::from(reach.person) << 8 | u64::from(reach.address));
                }
            }
        }
    }
    hasher.finish()
}

/// Whether an alert with this text and policy escalates.
pub(crate) fn escalates(policy: &Policy, content: &Content) -> bool {
    let text = format!("{}\n{}", content.summary, content.details).to_lowercase();
    !policy.exempt_keywords.iter().any(|keyword| text.contains(&keyword.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Mode, Severity, Step, Window};
    use crate::fixture::{directory, name, notice};
    use matcher::Matchers;

    fn named(names: &[&str]) -> Vec<Target> {
        names.iter().map(|target| Target::Named(name(target))).collect()
    }

    fn book() -> Directory {
        let people: [(&str, &[&str]); 4] = [
            ("anna", &["mail:anna@x", "(voice:1)"]),
            ("ben", &["mail:ben@x", "sms:2"]),
            ("carl", &["(sms:3)"]),
            ("olga", &["mail:olga@x", "(voice:9)"]),
        ];
        let mut book =
            directory(&people, &[("pumps", &["anna", "ben"]), ("ring", &["ring", "pumps", "anna"])]);
        book.groups.get_mut("pumps").expect("it is there").policy = Some(name("slow"));
        book.recipients.get_mut("anna").expect("she is there").policy = Some(name("fast"));
        book.settings.operators = named(&["olga"]);
        book
    }

    fn rule(who: &str) -> Route {
        Route {
            name: name(who),
            sources: Vec::new(),
            severity: Severity::Info,
            matchers: Matchers::default(),
            windows: Vec::new(),
            calendars: Vec::new(),
            except_calendars: Vec::new(),
            to: named(&["pumps"]),
            policy: None,
            templates: Vec::new(),
            ttl: None,
            also: false,
            bundle: None,
            flapping: None,
        }
    }

    fn with(book: Directory) -> Rulebook {
        Rulebook::new(&Arc::new(book))
    }

    #[test]
    fn the_first_route_that_matches_counts() {
        let mut book = book();
        let matchers = |text: &str| text.parse::<Matchers>().expect("matchers");
        let night = Window { days: 0b111_1111, from: 22 * 60, until: 6 * 60 };
        book.routes = vec![
            Route { sources: vec![name("prometheus")], ..rule("by-source") },
            Route { severity: Severity::Critical, ..rule("by-severity") },
            Route { matchers: matchers("site=north,unit!~\"test.*\""), ..rule("by-label") },
            Route { matchers: matchers("alertname=~\"pump 4.*\""), ..rule("by-summary") },
            Route { matchers: matchers("site!=north"), windows: vec![night], ..rule("at-night") },
        ];
        let rules = with(book);
        let check = |source: &str, severity, site: &str, hour: u16, expected: &str| {
            let mut notice = notice("pump 3 stopped", &[]);
            (notice.source, notice.content.severity) = (name(source), severity);
            notice.content.labels.insert("site".into(), site.into());
            notice.civil.minute = hour * 60;
            let routed = route(&rules, &BTreeSet::new(), &notice).expect("it finds somebody");
            assert_eq!(routed.route.as_str(), expected, "{source} {severity} {site} {hour}");
        };
        check("prometheus", Severity::Info, "north", 12, "by-source");
        check("scada", Severity::Critical, "north", 12, "by-severity");
        check("scada", Severity::High, "north", 12, "by-label");
        check("scada", Severity::High, "south", 23, "at-night");
        check("scada", Severity::High, "", 3, "at-night");
        check("scada", Severity::High, "south", 12, "unrouted");
    }

    #[test]
    fn a_route_counts_within_its_calendars_and_not_within_those_it_excepts() {
        let mut book = book();
        book.routes = vec![
            Route { calendars: vec![name("holidays")], ..rule("on-holidays") },
            Route { except_calendars: vec![name("quiet")], ..rule("by-day") },
        ];
        let rules = with(book);
        let check = |within: &[&str], expected: &str| {
            let within = within.iter().map(|calendar| name(calendar)).collect();
            let routed = route(&rules, &within, &notice("pump 3 stopped", &[])).expect("it finds somebody");
            assert_eq!(routed.route.as_str(), expected, "{within:?}");
        };
        check(&[], "by-day");
        check(&["holidays"], "on-holidays");
        check(&["quiet"], "unrouted");
        check(&["holidays", "quiet"], "on-holidays");
    }

    #[test]
    fn the_policy_is_the_notices_then_the_routes_then_the_single_targets() {
        let mut book = book();
        book.routes = vec![rule("all")];
        let rules = with(book);
        let check = |to: &[&str], own: Option<&str>, expected: Option<&str>| {
            let mut notice = notice("pump 3 stopped", to);
            notice.policy = own.map(name);
            let routed = route(&rules, &BTreeSet::new(), &notice).expect("it finds somebody");
            assert_eq!(routed.binding.policy, expected.map(name), "{to:?} {own:?}");
        };
        check(&["anna"], None, Some("fast"));
        check(&["pumps"], None, Some("slow"));
        check(&["pumps", "anna"], None, None);
        check(&["ben"], None, None);
        check(&["anna"], Some("own"), Some("own"));
        check(&[], None, Some("slow"));
    }

    #[test]
    fn nobody_to_fall_back_to_is_refused() {
        let mut book = book();
        book.settings.operators.clear();
        assert_eq!(
            route(&with(book), &BTreeSet::new(), &notice("pump 3 stopped", &[])),
            Err(Refusal::NoRoute)
        );
    }

    fn binding(to: &[&str]) -> Binding {
        let (templates, avoid) = (Vec::new(), BTreeSet::new());
        Binding { to: named(to), policy: None, templates, avoid, system: false }
    }

    /// The addresses of a roster's step, in order.
    fn addresses(roster: &Roster, step: usize) -> Vec<String> {
        let reach = roster.steps.get(step).map_or(&[][..], |step| &step.reach);
        reach.iter().filter_map(|reach| roster.at(*reach)).map(|(_, at)| at.to_string()).collect()
    }

    #[test]
    fn groups_are_resolved_in_order_each_person_once() {
        let roster = roster(&book(), &binding(&["ring", "ben", "carl"])).expect("it reaches somebody");
        assert_eq!(addresses(&roster, 0), ["mail:anna@x", "mail:ben@x", "sms:2"]);
        assert_eq!(roster.people.len(), 3, "carl is of it, but has no default address");
    }

    #[test]
    fn a_step_uses_its_channel_where_a_person_has_it() {
        let mut book = book();
        let step = |again, to: &[&str], channel: &str| Step {
            after: Duration::from_secs(60),
            to: named(to),
            again,
            channel: Some(name(channel)),
        };
        let steps = vec![step(true, &["anna", "olga"], "voice"), step(false, &["carl"], "sms")];
        book.policies.insert(name("default"), Policy { steps, ..Policy::default() });
        let roster = roster(&book, &binding(&["pumps"])).expect("it reaches somebody");
        assert_eq!(addresses(&roster, 1), ["voice:1", "mail:ben@x", "sms:2", "voice:9"]);
        assert_eq!(addresses(&roster, 2), ["sms:3"]);
    }

    #[test]
    fn a_channel_that_does_not_work_is_left_out_where_there_is_another() {
        let avoiding = |channels: &[&str], to: &str| {
            let avoid = channels.iter().map(|channel| name(channel)).collect();
            let binding = Binding { avoid, system: true, ..binding(&[to]) };
            addresses(&roster(&book(), &binding).expect("it reaches somebody"), 0)
        };
        assert_eq!(avoiding(&[], "ben"), ["mail:ben@x", "sms:2"]);
        assert_eq!(avoiding(&["mail"], "ben"), ["sms:2"]);
        assert_eq!(avoiding(&["mail"], "olga"), ["voice:9"], "any way that works beats the preferred one");
        assert_eq!(avoiding(&["mail", "voice"], "olga"), ["mail:olga@x"], "no way works: the usual one");
    }

    #[test]
    fn our_own_alerts_ask_for_nothing() {
        let roster = roster(&book(), &Binding { system: true, ..binding(&["olga"]) }).expect("olga");
        assert_eq!((roster.policy.mode, roster.policy.link, roster.policy.reply), (Mode::None, false, false));
    }

    #[test]
    fn a_roster_is_named_by_its_content() {
        let id = |book: &Directory, to: &[&str]| roster(book, &binding(to)).expect("somebody").id;
        let before = id(&book(), &["pumps"]);
        assert_eq!(id(&book(), &["pumps"]), before);
        assert_ne!(id(&book(), &["ben", "anna"]), before, "the order of telling is content");
        let mut moved = book();
        moved.recipients.get_mut("olga").expect("she is there").title = "Olga B".into();
        assert_eq!(id(&moved, &["pumps"]), before, "who is not of it does not matter");
        moved.recipients.get_mut("ben").expect("he is there").title = "Ben B".into();
        assert_ne!(id(&moved, &["pumps"]), before);
        let mut stricter = book();
        stricter.policies.insert(name("default"), Policy { link: false, ..Policy::default() });
        assert_ne!(id(&stricter, &["pumps"]), before, "the policy is content");
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let unknown = roster(&book(), &binding(&["anna", "nobody"]));
        assert_eq!(unknown, Err(Refusal::UnknownTarget { name: name("nobody") }));
        let policy = roster(&book(), &Binding { policy: Some(name("none")), ..binding(&["anna"]) });
        assert_eq!(policy, Err(Refusal::UnknownPolicy { name: name("none") }));
        assert_eq!(roster(&book(), &binding(&["carl"])), Err(Refusal::ReachesNobody));
    }

    #[test]
    fn exempting_words_are_found_in_any_case() {
        let policy = Policy { exempt_keywords: vec!["Übung".into()], ..Policy::default() };
        let check = |text: &str, expected| {
            assert_eq!(escalates(&policy, &notice(text, &[]).content), expected, "{text}");
        };
        check("Dies ist eine ÜBUNG", false);
        check("pump 3 stopped", true);
    }
}
