//! The small language in which a story gives its address book and its notices.

use base::time::parse_duration;
use base::{Digest, Hasher, Name};
use dispatch::directory::{
    Address, Bundle, Civil, Daily, Directory, Filter, Flapping, Group, Inhibition, ListedAddress,
    Maintenance, Mode, Monitor, Policy, Recipient, Repeat, Route, Schedule, Severity, Step, Target, Unsent,
};
use dispatch::record::{Choice, Code, Content, Origin, Outcome, Shift, Then};
use dispatch::{Notice, ProviderSpec};
use matcher::Matchers;
use std::time::Duration;

/// Why a command is not understood.
pub(crate) type Said<T> = Result<T, String>;

/// Splits a command into words; a quoted text is one word that keeps its first quotation mark.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(format!("\"{part}"));
        } else {
            words.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    words
}

pub(crate) fn name(text: &str) -> Said<Name> {
    Name::new(text).map_err(|error| format!("{text}: {error}"))
}

pub(crate) fn duration(text: Option<&str>) -> Said<Duration> {
    parse_duration(text.ok_or("a duration is missing")?)
}

pub(crate) fn number<T: std::str::FromStr>(text: Option<&str>) -> Said<T> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| "a number is missing".into())
}

pub(crate) fn code(text: &str) -> Said<Code> {
    let mut chars = text.chars();
    let letter = chars.next().ok_or("a code is missing")?;
    let number = chars.as_str().parse().map_err(|_| format!("{text} is not a code"))?;
    Ok(Code { letter, number })
}

fn target(text: &str) -> Said<Target> {
    match text.split_once(':') {
        Some((channel, value)) => {
            Ok(Target::Address(Address { channel: name(channel)?, value: value.into() }))
        }
        None => name(text).map(Target::Named),
    }
}

fn targets(text: &str) -> Said<Vec<Target>> {
    text.split('+').map(target).collect()
}

/// `recipient anna mail:anna@x (voice:anna) policy standard`; brackets: only by a step that asks for it.
pub(crate) fn recipient(words: &[&str]) -> Said<(Name, Recipient)> {
    let (who, rest) = words.split_first().ok_or("who?")?;
    let mut recipient =
        Recipient { title: (*who).into(), department: None, language: None, addresses: vec![], policy: None };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if *word == "policy" {
            recipient.policy = Some(name(rest.next().ok_or("which policy?")?)?);
            continue;
        }
        let plain = word.trim_matches(['(', ')']);
        let Target::Address(address) = target(plain)? else { return Err(format!("{word} is no address")) };
        recipient.addresses.push(ListedAddress { address, default: plain == *word });
    }
    Ok((name(who)?, recipient))
}

/// `group pumps = anna ben policy standard`.
pub(crate) fn group(words: &[&str]) -> Said<(Name, Group)> {
    let [who, "=", members @ ..] = words else { return Err("write: group NAME = MEMBERS".into()) };
    let (members, policy) = match members {
        [members @ .., "policy", policy] => (members, Some(name(policy)?)),
        members => (members, None),
    };
    let members = members.iter().map(|member| name(member)).collect::<Said<_>>()?;
    Ok((name(who)?, Group { title: (*who).into(), department: None, members, policy }))
}

/// `schedule nights = anna ben`: everybody whom it may choose. Who is on call is said by `on-call`.
pub(crate) fn schedule(words: &[&str]) -> Said<(Name, Schedule)> {
    let [who, "=", members @ ..] = words else { return Err("write: schedule NAME = MEMBERS".into()) };
    let names = members.iter().map(|member| name(member)).collect::<Said<_>>()?;
    Ok((name(who)?, Schedule { names, rules: "{}".into() }))
}

/// `nights = anna ben because turn 2`, or `nights = nobody because …`.
pub(crate) fn shift(words: &[&str]) -> Said<Shift> {
    let [schedule, "=", rest @ ..] = words else {
        return Err("write: on-call NAME = WHO because WHY".into());
    };
    let (who, why) = match rest.iter().position(|word| *word == "because") {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default().join(" ")),
        None => (rest, "its turn".to_owned()),
    };
    let who = if who == ["nobody"] { &[] } else { who };
    let who = who.iter().map(|word| name(word)).collect::<Said<_>>()?;
    Ok(Shift { schedule: name(schedule)?, who, because: why.into(), joined: Vec::new() })
}

/// `policy standard basic, step 5m boss, step 10m again by voice, repeat 2 after 15m from 1, …`.
pub(crate) fn policy(line: &str) -> Said<(Name, Policy)> {
    let mut clauses = line.split(',').map(words);
    let head = clauses.next().unwrap_or_default();
    let [_, who, mode] = head.as_slice() else { return Err("write: policy NAME MODE, …".into()) };
    let mode = match mode.as_str() {
        "none" => Mode::None,
        "basic" => Mode::Basic,
        "recall" => Mode::Recall,
        other => return Err(format!("{other} is no mode")),
    };
    let mut policy = Policy { mode, ..Policy::default() };
    for clause in clauses {
        let clause: Vec<&str> = clause.iter().map(String::as_str).collect();
        apply_clause(&mut policy, &clause)?;
    }
    Ok((name(who)?, policy))
}

fn apply_clause(policy: &mut Policy, clause: &[&str]) -> Said<()> {
    match clause {
        ["step", after, rest @ ..] => policy.steps.push(step(after, rest)?),
        ["repeat", times, "after", after, rest @ ..] => {
            let from_step = if let ["from", from] = rest { number(Some(from))? } else { 0 };
            let after = duration(Some(after))?;
            policy.repeat = Some(Repeat { times: number(Some(times))?, after, from_step });
        }
        ["acknowledges", "all"] => policy.acknowledges_all = true,
        ["unsent", "continue"] => policy.unsent = Unsent::Continue,
        ["tell", "acknowledgement"] => policy.tell_acknowledgement = true,
        ["tell", "comment"] => policy.tell_comment = true,
        ["tell", "resolved"] => policy.tell_resolved = true,
        ["exempt", word] => policy.exempt_keywords.push(word.trim_start_matches('"').into()),
        ["close", "after", after] => policy.close_after = duration(Some(after))?,
        ["abandon", "after", after] => policy.abandon_after = duration(Some(after))?,
        other => return Err(format!("a policy has no clause {other:?}")),
    }
    Ok(())
}

fn step(after: &str, rest: &[&str]) -> Said<Step> {
    let mut step = Step { after: duration(Some(after))?, to: Vec::new(), again: false, channel: None };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "again" => step.again = true,
            "by" => step.channel = Some(name(rest.next().ok_or("by what?")?)?),
            other => step.to.extend(targets(other)?),
        }
    }
    Ok(step)
}

/// `monitor backup every 5m grace 1m to anna severity critical label a=b`.
pub(crate) fn monitor(words: &[&str]) -> Said<(Name, Monitor)> {
    let (who, rest) = words.split_first().ok_or("which monitor?")?;
    let mut monitor = Monitor {
        every: Duration::from_secs(300),
        grace: Duration::from_secs(60),
        severity: Severity::High,
        summary: None,
        labels: std::collections::BTreeMap::new(),
        to: Vec::new(),
        policy: None,
    };
    for pair in rest.chunks(2) {
        let [key, value] = pair else { return Err("a monitor's clauses come in pairs".into()) };
        match *key {
            "every" => monitor.every = duration(Some(value))?,
            "grace" => monitor.grace = duration(Some(value))?,
            "severity" => monitor.severity = severity(value)?,
            "summary" => monitor.summary = Some(value.trim_start_matches('"').into()),
            "to" => monitor.to = targets(value)?,
            "policy" => monitor.policy = Some(name(value)?),
            other => return Err(format!("a monitor has no {other}")),
        }
    }
    Ok((name(who)?, monitor))
}

/// `route pumps to pumps source scada severity high matching site=north also bundle 3/1m policy standard ttl 1h`.
pub(crate) fn route(words: &[&str]) -> Said<Route> {
    let (who, rest) = words.split_first().ok_or("which route?")?;
    let mut route = Route {
        name: name(who)?,
        sources: Vec::new(),
        severity: Severity::Info,
        matchers: Matchers::default(),
        windows: Vec::new(),
        calendars: Vec::new(),
        except_calendars: Vec::new(),
        to: Vec::new(),
        policy: None,
        templates: Vec::new(),
        ttl: None,
        also: false,
        bundle: None,
        flapping: None,
    };
    let (also, rest): (Vec<_>, Vec<_>) = rest.iter().partition(|word| **word == "also");
    route.also = !also.is_empty();
    for pair in rest.chunks(2) {
        let [key, value] = pair else { return Err("a route's clauses come in pairs".into()) };
        match *key {
            "to" => route.to = targets(value)?,
            "source" => route.sources.push(name(value)?),
            "severity" => route.severity = severity(value)?,
            "matching" => route.matchers = matchers(value)?,
            "bundle" => route.bundle = Some(bundle(value)?),
            "policy" => route.policy = Some(name(value)?),
            "ttl" => route.ttl = Some(duration(Some(value))?),
            "flapping" => route.flapping = Some(flapping(value)?),
            other => return Err(format!("a route has no {other}")),
        }
    }
    Ok(route)
}

fn matchers(text: &str) -> Said<Matchers> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// `3/1m`, or `3/1m/critical` where critical ones wait as well.
fn bundle(text: &str) -> Said<Bundle> {
    let mut parts = text.split('/');
    let (over, within) = (number(parts.next())?, duration(parts.next())?);
    Ok(Bundle { over, within, critical: parts.next() == Some("critical") })
}

/// `filter quiet channel sms for anna below high matching site=north contains test in nights not-in holidays`.
fn filter(words: &[&str]) -> Said<(Name, Filter)> {
    let (who, rest) = words.split_first().ok_or("which filter?")?;
    let mut filter = Filter::default();
    for pair in rest.chunks(2) {
        let [key, value] = pair else { return Err("a filter's clauses come in pairs".into()) };
        match *key {
            "channel" => filter.channels.push(name(value)?),
            "for" => filter.recipients.push(name(value)?),
            "below" => filter.below = Some(severity(value)?),
            "matching" => filter.matchers = matchers(value)?,
            "contains" => filter.contains.push(value.trim_start_matches('"').into()),
            "in" => filter.calendars.push(name(value)?),
            "not-in" => filter.except_calendars.push(name(value)?),
            other => return Err(format!("a filter has no {other}")),
        }
    }
    Ok((name(who)?, filter))
}

/// `4/30m/5m`: raised so often, within this time, and told once it has stood for that.
fn flapping(text: &str) -> Said<Flapping> {
    let mut parts = text.split('/');
    let raised = number(parts.next())?;
    Ok(Flapping { raised, within: duration(parts.next())?, steady: duration(parts.next())? })
}

/// `site-down source severity=critical target severity=warning equal site`.
fn inhibition(words: &[&str]) -> Said<Inhibition> {
    let [who, "source", source, "target", target, rest @ ..] = words else {
        return Err("write: inhibit NAME source MATCHERS target MATCHERS equal LABELS".into());
    };
    let read = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    let equal = rest.iter().skip(1).map(|label| (*label).into()).collect();
    Ok(Inhibition { name: name(who)?, source: read(source)?, target: read(target)?, equal })
}

fn severity(word: &str) -> Said<Severity> {
    Severity::parse(word).ok_or_else(|| format!("{word} is no severity"))
}

/// `provider smtp-a mail capacity 4 per-minute 60 per-day 100`; gives the capacity too.
pub(crate) fn provider(words: &[&str]) -> Said<(ProviderSpec, usize)> {
    let [who, channel, rest @ ..] = words else { return Err("write: provider NAME CHANNEL …".into()) };
    let mut spec =
        ProviderSpec { name: name(who)?, channel: name(channel)?, per_minute: None, per_day: None };
    let mut capacity = 10;
    for pair in rest.chunks(2) {
        match pair {
            ["capacity", value] => capacity = number(Some(value))?,
            ["per-minute", value] => spec.per_minute = Some(number(Some(value))?),
            ["per-day", value] => spec.per_day = Some(number(Some(value))?),
            other => return Err(format!("a provider has no {other:?}")),
        }
    }
    Ok((spec, capacity))
}

/// `accepted`, `refused retry-later "why"`, `unknown "why"`, or `nothing` (which is none).
pub(crate) fn outcome(words: &[&str]) -> Said<Option<Outcome>> {
    let why =
        |text: Option<&&str>| text.map_or("no reason given", |text| text.trim_start_matches('"')).into();
    match words {
        ["nothing"] => Ok(None),
        ["accepted"] => Ok(Some(Outcome::Accepted { receipt: "queued".into() })),
        ["unknown", rest @ ..] => Ok(Some(Outcome::Unknown { why: why(rest.first()) })),
        ["refused", then, rest @ ..] => {
            let then = Then::ALL.into_iter().find(|known| known.word() == *then);
            let then = then.ok_or("refused: retry-now, retry-later, next-provider or give-up?")?;
            Ok(Some(Outcome::Refused { then, why: why(rest.first()) }))
        }
        other => Err(format!("{other:?} is no answer of a provider")),
    }
}

/// `notice "pump 3 stopped" high from scada to pumps fingerprint p3 key k1 policy standard label a=b`.
pub(crate) fn notice(words: &[&str]) -> Said<Notice> {
    let (summary, rest) = words.split_first().ok_or("what does it say?")?;
    let content = Content {
        severity: Severity::High,
        summary: summary.trim_start_matches('"').into(),
        details: "".into(),
        labels: std::collections::BTreeMap::new(),
        origin: None,
    };
    let mut notice = Notice {
        source: name("scada")?,
        key: None,
        fingerprint: None,
        resolved: false,
        stands_for: None,
        content,
        to: Vec::new(),
        policy: None,
        choices: Vec::new(),
        civil: Civil::default(),
    };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if let Some(severity) = Severity::parse(word) {
            notice.content.severity = severity;
            continue;
        }
        clause_of_notice(&mut notice, word, rest.next().ok_or("a value is missing")?)?;
    }
    if let Some((key, _)) = notice.key.take() {
        let digest = Hasher::new("request").text(&notice.content.summary).finish();
        notice.key = Some((key, digest));
    }
    Ok(notice)
}

fn clause_of_notice(notice: &mut Notice, key: &str, value: &str) -> Said<()> {
    match key {
        "from" => notice.source = name(value)?,
        "to" => notice.to = targets(value)?,
        "fingerprint" => notice.fingerprint = Some(fingerprint(value)),
        "key" => notice.key = Some((value.into(), Digest([0; 32]))),
        "policy" => notice.policy = Some(name(value)?),
        // As Prometheus posts it: it is over if it is not heard again within that time.
        "stands" => {
            notice.stands_for = Some(duration(Some(value))?);
            let (annotations, generator) = (std::collections::BTreeMap::new(), "".into());
            let origin = Origin { annotations, generator, starts: base::Wall(0) };
            notice.content.origin = Some(std::sync::Arc::new(origin));
        }
        // The first takes responsibility; so does one that ends in an exclamation mark.
        "choice" => {
            let text = value.trim_end_matches('!');
            let acknowledges = notice.choices.is_empty() || text != value;
            notice.choices.push(Choice { text: text.into(), acknowledges });
        }
        "label" => {
            let (label, text) = value.split_once('=').ok_or("write: label NAME=VALUE")?;
            notice.content.labels.insert(label.into(), text.into());
        }
        other => return Err(format!("a notice has no {other}")),
    }
    Ok(())
}

pub(crate) fn fingerprint(text: &str) -> Digest {
    Hasher::new("fingerprint").text(text).finish()
}

/// Takes one line of the address book; false if the line is about something else.
pub(crate) fn directory(book: &mut Directory, line: &str, words: &[&str]) -> Said<bool> {
    match words {
        ["recipient", rest @ ..] => {
            let (name, entry) = recipient(rest)?;
            book.recipients.insert(name, entry);
        }
        ["group", rest @ ..] => {
            let (name, entry) = group(rest)?;
            book.groups.insert(name, entry);
        }
        ["schedule", rest @ ..] => {
            let (name, entry) = schedule(rest)?;
            book.schedules.insert(name, entry);
        }
        ["people", count, "in", group] => crowd(book, number(Some(count))?, group)?,
        ["policy", ..] => {
            let (name, entry) = policy(line)?;
            book.policies.insert(name, entry);
        }
        ["route", rest @ ..] => book.routes.push(route(rest)?),
        ["filter", rest @ ..] => {
            let (name, entry) = filter(rest)?;
            book.filters.insert(name, entry);
        }
        ["inhibit", rest @ ..] => book.inhibitions.push(inhibition(rest)?),
        ["maintenance", who, matchers, "while", calendar] => {
            let window = Maintenance {
                title: (*who).into(),
                matchers: matchers.parse().map_err(|error| format!("{matchers}: {error}"))?,
                calendars: vec![name(calendar)?],
            };
            book.maintenance.insert(name(who)?, window);
        }
        ["operators", rest @ ..] => {
            book.settings.operators = rest.iter().map(|word| target(word)).collect::<Said<_>>()?;
        }
        ["monitor", rest @ ..] => {
            let (name, entry) = monitor(rest)?;
            book.monitors.insert(name, entry);
        }
        ["heartbeat", "to", to] => {
            book.settings.heartbeat = Some(Daily { minute: 480, to: targets(to)?, days: 0b111_1111 });
        }
        ["ttl", life] => book.settings.ttl = [duration(Some(life))?; 4],
        _ => return Ok(false),
    }
    Ok(true)
}

/// `people 300 in crowd`: p1, p2, … with a mail address each.
fn crowd(book: &mut Directory, count: usize, into: &str) -> Said<()> {
    let names: Vec<String> = (1..=count).map(|number| format!("p{number}")).collect();
    for who in &names {
        let address = format!("mail:{who}@x");
        let (name, entry) = recipient(&[who, &address])?;
        book.recipients.insert(name, entry);
    }
    let members = names.iter().map(|member| name(member)).collect::<Said<_>>()?;
    let group = Group { title: into.into(), department: None, members, policy: None };
    book.groups.insert(name(into)?, group);
    Ok(())
}
