//! The simulated shell of a story: clock, ledger, providers, crashes. Executes effects as a node would.

use crate::notation::{self, Said};
use crate::speech::{self, CodesKnown};
use base::time::Human;
use base::{AlertId, BootId, LogId, Mono, Name, NodeId, Now, RecordId, Wall};
use dispatch::directory::Directory;
use dispatch::input::Acknowledge;
use dispatch::record::{Actor, Concluded, Entry, Outcome, Record, Silence, Via};
use dispatch::state::State;
use dispatch::{
    Almanac, Delivery, Dispatch, Effect, Identity, Input, Order, Past, PastKey, ProviderSpec, Settings,
    Ticket, Which,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// 2026-01-01 00:00 UTC: stories begin at noon of it.
const NEW_YEAR: i64 = 1_767_225_600_000;
/// Inputs to one command, after which something must be running in circles.
const INPUTS_MAX: usize = 200_000;

struct Provider {
    spec: ProviderSpec,
    capacity: usize,
    /// What it says; none: it keeps what it got and says nothing.
    answers: Option<Outcome>,
    /// What it says about single recipients.
    exceptions: BTreeMap<Name, Option<Outcome>>,
    in_flight: VecDeque<Box<Delivery>>,
}

pub(crate) struct World {
    book: Directory,
    providers: Vec<Provider>,
    core: Option<Dispatch>,
    boots: u64,
    /// Time since the story began, and since this boot did.
    story: Duration,
    boot_began: Duration,
    clock_off: i64,
    suspect: bool,
    /// What is on the disk.
    rows: BTreeMap<RecordId, Entry>,
    upto: BTreeMap<LogId, u64>,
    /// Everything that ever was, for what outlives finished alerts.
    history: Vec<(RecordId, Entry)>,
    unsynced: Vec<(RecordId, Entry)>,
    disk_holds: bool,
    inputs: VecDeque<Input>,
    /// What schedules and calendars say.
    almanac: Almanac,
    codes: CodesKnown,
    lines: Vec<(Duration, Line)>,
    ticket: u64,
}

enum Line {
    Said(String),
    /// What is said alike of many addresses is told together: before them, they, after them.
    Of(String, Vec<String>, String),
}

/// Lines in a row that say the same in turn, before the middle of them is left out.
const ALIKE_MAX: usize = 12;

impl World {
    pub(crate) fn new() -> Self {
        Self {
            book: Directory::default(),
            providers: Vec::new(),
            core: None,
            boots: 0,
            story: Duration::ZERO,
            boot_began: Duration::ZERO,
            clock_off: 0,
            suspect: false,
            rows: BTreeMap::new(),
            upto: BTreeMap::new(),
            history: Vec::new(),
            unsynced: Vec::new(),
            disk_holds: false,
            inputs: VecDeque::new(),
            almanac: Almanac::default(),
            codes: CodesKnown::new(),
            lines: Vec::new(),
            ticket: 0,
        }
    }

    /// A line tells of something that happens, rather than how things are.
    pub(crate) fn happens(line: &str) -> bool {
        const SETTINGS: [&str; 10] = [
            "recipient",
            "group",
            "schedule",
            "people",
            "policy",
            "route",
            "inhibit",
            "maintenance",
            "operators",
            "ttl",
        ];
        let words = notation::words(line);
        let first = words.first().map_or("", String::as_str);
        let answers = words.get(1).is_some_and(|word| word == "answers");
        !SETTINGS.contains(&first) && first != "provider" && !answers
    }

    fn now(&self) -> Now {
        let mono = Mono(base::time::millis(self.story - self.boot_began));
        let wall = Wall(NEW_YEAR + 12 * 3_600_000 + self.clock_off) + self.story;
        Now { mono, wall, suspect: self.suspect }
    }

    fn say(&mut self, line: String) {
        self.lines.push((self.story, Line::Said(line)));
    }

    /// Everything that happened since it was last asked, a line each.
    pub(crate) fn take_consequence(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.lines);
        let told = lines.into_iter().map(|(at, line)| {
            let text = match line {
                Line::Said(text) => text,
                Line::Of(before, addresses, after) => format!("{before}{}{after}", crowd(&addresses)),
            };
            (format!("{:>6} {text}", Human(at).to_string()), text)
        });
        shortened(&told.collect::<Vec<_>>())
    }

    /// Carries out one line of a story.
    pub(crate) fn obey(&mut self, line: &str) -> Said<()> {
        let words = notation::words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.is_empty() || line.starts_with('#') || notation::directory(&mut self.book, line, &words)? {
            return Ok(());
        }
        if let ["provider", rest @ ..] = words.as_slice() {
            let (spec, capacity) = notation::provider(rest)?;
            let answers = notation::outcome(&["accepted"])?;
            let exceptions = BTreeMap::new();
            self.providers.push(Provider { spec, capacity, answers, exceptions, in_flight: VecDeque::new() });
            return Ok(());
        }
        if self.boots == 0 {
            self.boot("first start")?;
        }
        self.act(&words)?;
        self.run()
    }

    fn act(&mut self, words: &[&str]) -> Said<()> {
        match words {
            ["notice", rest @ ..] => self.notice(notation::notice(rest)?),
            ["resolve", rest @ ..] => {
                let mut notice = notation::notice(rest)?;
                notice.resolved = true;
                self.notice(notice);
            }
            ["pass", time] => self.pass(notation::duration(Some(time))?)?,
            ["crash"] => self.crash(),
            ["restart"] => self.boot("start after a crash")?,
            ["restart", "after", outage] => {
                self.story += notation::duration(Some(outage))?;
                self.boot("start after a crash")?;
            }
            ["disk", rest @ ..] => self.disk(rest)?,
            ["clock", rest @ ..] => self.clock(rest)?,
            ["on-call", rest @ ..] => {
                let shift = notation::shift(rest)?;
                self.almanac.on_call.insert(shift.schedule.clone(), shift);
                if self.core.is_some() {
                    self.inputs.push_back(Input::Almanac(self.almanac.clone()));
                }
            }
            ["calendar", calendar, state] => {
                let calendar = notation::name(calendar)?;
                match *state {
                    "begins" => drop(self.almanac.calendars.insert(calendar)),
                    "ends" => drop(self.almanac.calendars.remove(&calendar)),
                    other => return Err(format!("a calendar does not {other}")),
                }
                if self.core.is_some() {
                    self.inputs.push_back(Input::Almanac(self.almanac.clone()));
                }
            }
            ["apply", "directory"] => {
                let directory = Arc::new(self.book.clone());
                self.order(
                    "operator",
                    Order::Directory { directory, expected: None, summary: "edited".into() },
                );
            }
            ["operator", "silences", labels, "for", time, why] => self.silence(labels, "0s", time, why)?,
            ["operator", "silences", labels, "in", start, "for", time, why] => {
                self.silence(labels, start, time, why)?;
            }
            ["show", "silences"] => {
                let count = self.core.as_ref().map_or(0, |core| core.state().silences.len());
                self.say(format!("{count} silence(s) are known"));
            }
            ["operator", "ends", "silence"] => {
                let newest =
                    self.core.as_ref().and_then(|core| core.state().silences.keys().next_back().copied());
                let silence = newest.ok_or("there is no silence")?;
                self.order("operator", Order::Unsilence { silence });
            }
            ["show", rest @ ..] => self.show(rest)?,
            [provider, "answers", rest @ ..] => self.answers(provider, rest)?,
            [provider, "finishes", rest @ ..] => self.finishes(provider, rest)?,
            [who, rest @ ..] => self.person(who, rest)?,
            [] => (),
        }
        Ok(())
    }

    fn notice(&mut self, notice: dispatch::Notice) {
        self.ticket += 1;
        self.inputs.push_back(Input::Notice { ticket: Ticket(self.ticket), notice: Box::new(notice) });
    }

    fn order(&mut self, who: &str, order: Order) {
        self.ticket += 1;
        let by = match who {
            "operator" => Actor { who: "user:bea".into(), via: Via::Api, from: None },
            _ => Actor { who: format!("recipient:{who}").into(), via: Via::Link, from: None },
        };
        self.inputs.push_back(Input::Order { ticket: Ticket(self.ticket), by, order });
    }

    fn silence(&mut self, labels: &str, start: &str, time: &str, why: &str) -> Said<()> {
        let from = self.now().wall + notation::duration(Some(start))?;
        let silence = Silence {
            matchers: labels.parse().map_err(|error| format!("{labels}: {error}"))?,
            from,
            until: from + notation::duration(Some(time))?,
            by: Actor { who: "user:bea".into(), via: Via::Api, from: None },
            author: "bea".into(),
            comment: why.trim_start_matches('"').into(),
        };
        self.order("operator", Order::Silence(Arc::new(silence)));
        Ok(())
    }

    fn person(&mut self, who: &str, words: &[&str]) -> Said<()> {
        let (verb, rest) = words.split_first().ok_or_else(|| format!("{who} does what?"))?;
        let (rest, text) = match rest {
            [rest @ .., last] if last.starts_with('"') => (rest, Some(Arc::from(&last[1..]))),
            rest => (rest, None),
        };
        let recipient = if who == "operator" { None } else { Some(notation::name(who)?) };
        let which = which(rest)?;
        let order = match *verb {
            "acknowledges" => Order::Acknowledge(Acknowledge { which, recipient, comment: text }),
            "comments" => Order::Comment { which, text: text.ok_or("with which words?")? },
            "closes" => Order::Close { which },
            "escalates" => Order::Escalate { which },
            "deletes" => Order::DeletePending { which },
            "pauses" => Order::Pause { reason: text.ok_or("for which reason?")? },
            "resumes" => Order::Resume { discard: rest == ["and", "discards"] },
            other => return Err(format!("nobody {other}")),
        };
        self.order(who, order);
        Ok(())
    }

    fn answers(&mut self, provider: &str, words: &[&str]) -> Said<()> {
        let (outcome, only) = match words {
            [outcome @ .., "to", who] => (outcome, Some(notation::name(who)?)),
            outcome => (outcome, None),
        };
        let outcome = notation::outcome(outcome)?;
        let provider = self.provider(provider)?;
        match only {
            Some(who) => drop(provider.exceptions.insert(who, outcome)),
            None => provider.answers = outcome,
        }
        Ok(())
    }

    fn finishes(&mut self, provider: &str, words: &[&str]) -> Said<()> {
        let outcome = notation::outcome(words)?.ok_or("finishes how?")?;
        let waiting = std::mem::take(&mut self.provider(provider)?.in_flight);
        for delivery in waiting {
            self.report(&delivery, &outcome);
        }
        Ok(())
    }

    fn provider(&mut self, name: &str) -> Said<&mut Provider> {
        let found = self.providers.iter_mut().find(|provider| provider.spec.name.as_str() == name);
        found.ok_or_else(|| format!("there is no provider {name}"))
    }

    fn disk(&mut self, words: &[&str]) -> Said<()> {
        match words {
            ["holds"] => self.disk_holds = true,
            ["syncs"] => {
                self.disk_holds = false;
                self.sync();
            }
            ["full", why] => self.inputs.push_back(Input::Disk { full: Some(why[1..].into()) }),
            ["has", "room"] => self.inputs.push_back(Input::Disk { full: None }),
            other => return Err(format!("a disk does not {other:?}")),
        }
        Ok(())
    }

    fn clock(&mut self, words: &[&str]) -> Said<()> {
        match words {
            ["jumps", "back", by] => self.clock_off -= ms(by)?,
            ["jumps", "forward", by] => self.clock_off += ms(by)?,
            ["is", "suspect"] => self.suspect = true,
            ["is", "trusted"] => self.suspect = false,
            other => return Err(format!("a clock does not {other:?}")),
        }
        Ok(())
    }

    fn show(&mut self, words: &[&str]) -> Said<()> {
        let now = self.now();
        let core = self.core.as_ref().ok_or("the node is down")?;
        let mut lines = Vec::new();
        match words {
            ["providers"] => lines.extend(core.providers(now).iter().map(|view| {
                let why = view.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                let quota = view.per_day.map_or_else(String::new, |max| format!(" of {max}"));
                let (name, health, sent, waiting) = (&view.name, view.health, view.sent_today, view.waiting);
                format!("{name} is {health}{why}; {sent}{quota} sent today; {waiting} alert(s) wait")
            })),
            codes => {
                for code in codes {
                    lines.push(
                        standing(core, now, notation::code(code)?)
                            .unwrap_or_else(|| format!("{code} is not open")),
                    );
                }
            }
        }
        lines.into_iter().for_each(|line| self.say(line));
        Ok(())
    }

    /// Lets time pass, stopping wherever the core asked to be woken.
    fn pass(&mut self, time: Duration) -> Said<()> {
        self.run()?;
        let until = self.story + time;
        for _ in 0..INPUTS_MAX {
            let now = self.now();
            let deadline = self.core.as_ref().and_then(|core| core.deadline(now));
            let due = deadline.map(|deadline| self.boot_began + Duration::from_millis(deadline.at.0));
            match due.filter(|due| *due <= until) {
                Some(due) => {
                    self.story = self.story.max(due);
                    self.inputs.push_back(Input::Deadline);
                    self.run()?;
                }
                None => {
                    self.story = until;
                    return Ok(());
                }
            }
        }
        Err("the core wants to be woken without end".into())
    }

    fn run(&mut self) -> Said<()> {
        for _ in 0..INPUTS_MAX {
            let Some(input) = self.inputs.pop_front() else { return Ok(()) };
            let now = self.now();
            let Some(core) = self.core.as_mut() else { return Err("the node is down".into()) };
            let mut effects = Vec::new();
            core.handle(now, input, &mut effects);
            self.execute(effects);
        }
        Err("the core never comes to rest".into())
    }

    fn execute(&mut self, effects: Vec<Effect>) {
        let mut deliveries = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => self.append(id, entry),
                Effect::Deliver(delivery) => deliveries.push(delivery),
                Effect::Answer { answer, .. } => {
                    let text = speech::answer(&self.codes, &answer);
                    self.say(format!("answered: {text}"));
                }
                Effect::Forget { alerts, rosters, silences } => self.forget(&alerts, &rosters, &silences),
                Effect::Hello { .. }
                | Effect::Beat { .. }
                | Effect::Ship { .. }
                | Effect::Brief { .. }
                | Effect::Merge { .. } => {
                    unreachable!("this node is alone")
                }
            }
        }
        for delivery in &deliveries {
            self.tell_delivery(delivery);
        }
        for delivery in deliveries {
            self.deliver(delivery);
        }
        if !self.disk_holds {
            self.sync();
        }
    }

    fn append(&mut self, id: RecordId, entry: Entry) {
        if let Record::Accept(alert) = &entry.record {
            self.codes.insert(AlertId(id), alert.code);
        }
        let empty = State::default();
        let state = self.core.as_ref().map_or(&empty, Dispatch::state);
        if let Some(text) = speech::record(&self.codes, state, &entry, self.disk_holds) {
            self.say(text);
        }
        self.unsynced.push((id, entry));
    }

    fn sync(&mut self) {
        let Some((last, _)) = self.unsynced.last() else { return };
        let (log, upto) = (last.log, last.seq + 1);
        self.upto.insert(log, upto);
        for (id, entry) in std::mem::take(&mut self.unsynced) {
            self.rows.insert(id, entry.clone());
            self.history.push((id, entry));
        }
        self.inputs.push_back(Input::Stored { log, upto });
    }

    fn forget(&mut self, alerts: &[AlertId], rosters: &[base::Digest], silences: &[RecordId]) {
        self.rows.retain(|id, entry| {
            let finished = entry.record.alert(*id).is_some_and(|alert| alerts.contains(&alert));
            let unused = matches!(&entry.record, Record::Roster(roster) if rosters.contains(&roster.id));
            !finished && !unused && !about_silence(*id, entry, silences)
        });
    }

    fn deliver(&mut self, delivery: Box<Delivery>) {
        let recipient = delivery.roster.at(delivery.reach).map(|(person, _)| person.name.clone());
        let provider = self.provider(delivery.provider.as_str()).expect("the core uses what there is");
        let exception = recipient.and_then(|who| provider.exceptions.get(&who).cloned());
        let outcome = exception.unwrap_or_else(|| provider.answers.clone());
        let room = provider.in_flight.len() < provider.capacity;
        assert!(room, "{} got more than it can take", delivery.provider);
        match outcome {
            Some(outcome) => self.report(&delivery, &outcome),
            None => provider.in_flight.push_back(delivery),
        }
    }

    fn tell_delivery(&mut self, delivery: &Delivery) {
        let what = speech::delivery(&self.codes, delivery);
        self.say_of(format!("{} -> ", delivery.provider), &delivery.address.value, format!(": {what}"));
    }

    fn say_of(&mut self, before: String, address: &str, after: String) {
        if let Some((at, Line::Of(last_before, addresses, last_after))) = self.lines.last_mut()
            && (*at, &*last_before, &*last_after) == (self.story, &before, &after)
        {
            addresses.push(address.to_owned());
            return;
        }
        self.lines.push((self.story, Line::Of(before, vec![address.to_owned()], after)));
    }

    fn report(&mut self, delivery: &Delivery, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Accepted { .. }) {
            let text = speech::outcome(outcome);
            self.say_of(format!("{} <- ", delivery.provider), &delivery.address.value, format!(": {text}"));
        }
        let (notification, intent) = (delivery.notification, delivery.intent);
        let concluded = Concluded { notification, intent, outcome: outcome.clone() };
        self.inputs.push_back(Input::Report(vec![(delivery.alert_id, concluded)]));
    }

    fn crash(&mut self) {
        let lost = self.unsynced.len();
        self.say(format!("the node dies; {lost} record(s) were not on the disk"));
        self.core = None;
        self.unsynced.clear();
        self.inputs.clear();
        self.disk_holds = false;
        for provider in &mut self.providers {
            provider.in_flight.clear();
        }
    }

    fn boot(&mut self, because: &str) -> Said<()> {
        if self.core.is_some() {
            return Err("the node is up; let it crash first".into());
        }
        self.boots += 1;
        self.boot_began = self.story;
        let log = LogId { node: NodeId(1), boot: BootId(self.boots << 32) };
        let (state, mut past) = self.recover();
        past.almanac = self.almanac.clone();
        let identity = Identity { log, letter: 'A', version: "test".into(), because: because.into() };
        let specs = self.providers.iter().map(|provider| provider.spec.clone()).collect();
        let mut effects = Vec::new();
        let now = self.now();
        let core = Dispatch::start(identity, Settings::default(), (state, past), specs, now, &mut effects);
        self.core = Some(core);
        self.execute(effects);
        for provider in &self.providers {
            let (provider, free) = (provider.spec.name.clone(), provider.capacity);
            self.inputs.push_back(Input::Capacity { provider, free });
        }
        if self.boots == 1 {
            let directory = Arc::new(self.book.clone());
            self.order("operator", Order::Directory { directory, expected: None, summary: "first".into() });
            self.run()?;
            self.lines.clear();
        }
        self.run()
    }

    fn recover(&self) -> (State, Past) {
        let mut state = State::default();
        for (id, entry) in &self.rows {
            state.recover(*id, entry);
        }
        for (log, upto) in &self.upto {
            state.cover(*log, *upto);
        }
        let mut past = Past::default();
        for (id, entry) in &self.history {
            if let Record::Accept(alert) = &entry.record {
                past.codes.push((entry.at, alert.code.number));
                past.keys.extend(alert.key.as_ref().map(|(key, digest)| PastKey {
                    source: alert.source.clone(),
                    key: Arc::clone(key),
                    digest: *digest,
                    alert: AlertId(*id),
                    code: alert.code,
                    at: entry.at,
                }));
            }
            if let Record::Intent { sends, .. } = &entry.record {
                let day = entry.at.0.div_euclid(86_400_000);
                past.quota.extend(sends.iter().map(|send| (send.provider.clone(), day, 1)));
            }
        }
        (state, past)
    }
}

/// Leaves out the middle of what is said again and again, such as the attempts of a long outage.
fn shortened(lines: &[(String, String)]) -> Vec<String> {
    let alike = |a: &str, b: &str| {
        let without = |text: &str| text.split(", attempt ").next().map(ToOwned::to_owned);
        without(a) == without(b)
    };
    let mut told = Vec::new();
    let mut at = 0;
    while let Some((line, _)) = lines.get(at) {
        let pairs = lines[at..].iter().zip(&lines[(at + 2).min(lines.len())..]);
        let run = pairs.take_while(|((_, a), (_, b))| alike(a, b)).count() + 2;
        if run < ALIKE_MAX {
            told.push(line.clone());
            at += 1;
            continue;
        }
        told.extend(lines[at..at + 4].iter().map(|(line, _)| line.clone()));
        told.push(format!("       … and so on, {} more lines …", run - 8));
        told.extend(lines[at + run - 4..at + run].iter().map(|(line, _)| line.clone()));
        at += run;
    }
    told
}

fn ms(text: &str) -> Said<i64> {
    let by = notation::duration(Some(text))?;
    i64::try_from(by.as_millis()).map_err(|error| error.to_string())
}

fn which(words: &[&str]) -> Said<Which> {
    match words {
        [] | ["all" | "pending"] | ["and", "discards"] => Ok(Which::All),
        codes => Ok(Which::Codes(codes.iter().map(|word| notation::code(word)).collect::<Said<_>>()?)),
    }
}

fn standing(core: &Dispatch, now: Now, code: dispatch::record::Code) -> Option<String> {
    let alert = core.by_code(code)?;
    let word = core.standing(alert)?.word();
    let pending = if core.pending(alert) { ", something is still to be sent" } else { "" };
    let next = core.next_step(now, alert).map_or_else(String::new, |next| {
        let due = next.due_in.map_or_else(|| "once resumed".into(), |due| format!("in {}", Human(due)));
        format!(", step {} {due}", next.step.step + 1)
    });
    Some(format!("{code} is {word}{pending}{next}"))
}

fn crowd(to: &[String]) -> String {
    match to {
        [first, .., last] if to.len() > 6 => format!("{first} to {last} ({})", to.len()),
        _ => to.join(", "),
    }
}

/// A record is one of these silences, or ends one.
fn about_silence(id: RecordId, entry: &Entry, silences: &[RecordId]) -> bool {
    let is = matches!(entry.record, Record::Silence(_)) && silences.contains(&id);
    is || matches!(&entry.record, Record::Unsilence { silence, .. } if silences.contains(silence))
}
