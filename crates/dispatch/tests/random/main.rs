//! Random walks: one core, driven through notices, orders, outcomes, time, crashes and restarts in any order,
//! held to the account in `model` at every step, and healed at the end, when every promise must be kept.
//!
//! `STEADFAST_SEEDS=100000 cargo test -p dispatch --release --test random` walks further; a failing seed is
//! printed and walks the same way again with `STEADFAST_SEED=…`.

mod model;
#[path = "../transcripts/notation.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod notation;
mod rng;

use base::{AlertId, BootId, Digest, LogId, Mono, NodeId, Now, RecordId, Wall};
use dispatch::directory::Directory;
use dispatch::input::Acknowledge;
use dispatch::record::{Actor, Concluded, Entry, Outcome, Record, Then, Via};
use dispatch::state::State;
use dispatch::{
    Answer, Delivery, Dispatch, Effect, Identity, Input, Order, Past, PastKey, ProviderSpec, Settings,
    Ticket, Which,
};
use model::Model;
use rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

const SEEDS: u64 = 200;
const STEPS: usize = 250;
const EFFECTS_MAX: usize = 6000;
/// Turns without a pause, after which the core runs in circles.
const TURNS_MAX: usize = 2000;
const NEW_YEAR: i64 = 1_767_225_600_000;

const BOOK: &[&str] = &[
    "recipient p0 mail:p0@x (voice:10)",
    "recipient p1 mail:p1@x mail:p1@home",
    "recipient p2 mail:p2@x",
    "recipient p3 mail:p3@x",
    "recipient p4 voice:14",
    "recipient olga mail:olga@x (voice:99)",
    "group left = p0 p1 p2",
    "group right = p2 p3 p4 left",
    "group empty =",
    "operators olga",
    "ttl 6h",
    "policy basic basic, step 5m p3, step 10m again by voice, repeat 1 after 20m, tell acknowledgement, tell comment",
    "policy all basic, step 5m p4, acknowledges all, unsent continue, tell resolved, close after 1h",
    "policy recall recall, step 5m again, step 5m again+p4, repeat 1 after 10m from 1, abandon after 4h",
    "policy quiet none, step 5m p3, tell resolved",
    "policy exempt basic, step 1m p3, exempt \"two\", abandon after 2h",
];
const PROVIDERS: &[&str] =
    &["smtp-a mail capacity 3", "smtp-b mail capacity 2 per-minute 60", "phone voice capacity 2 per-day 60"];

struct Walk {
    rng: Rng,
    model: Model,
    book: Arc<Directory>,
    providers: Vec<(ProviderSpec, usize)>,
    core: Dispatch,
    log: LogId,
    now: Now,
    /// What is on the disk, what outlives finished alerts, and what is not on the disk yet.
    rows: BTreeMap<RecordId, Entry>,
    upto: BTreeMap<LogId, u64>,
    past: Past,
    unsynced: Vec<(RecordId, Entry)>,
    stored: u64,
    in_flight: Vec<Delivery>,
    tickets: BTreeSet<Ticket>,
    next_ticket: u64,
    healed: bool,
}

#[test]
fn no_walk_breaks_a_promise() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("STEADFAST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STEADFAST_SEEDS").unwrap_or(SEEDS),
    };
    let mut promised = 0;
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| walk(seed))) {
            Ok(kept) => promised += kept,
            Err(panic) => {
                eprintln!("seed {seed} fails; STEADFAST_SEED={seed} repeats it");
                resume_unwind(panic);
            }
        }
    }
    assert!(promised > 0, "walks that promise nothing prove nothing");
}

fn walk(seed: u64) -> usize {
    let mut walk = Walk::new(seed);
    for _ in 0..STEPS {
        walk.step();
    }
    walk.heal();
    walk.model.check_promises();
    assert!(walk.tickets.is_empty(), "requests without an answer: {:?}", walk.tickets);
    assert!(walk.core.idle(), "something of finished alerts is left");
    walk.model.promised()
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut book = Directory::default();
        for line in BOOK {
            let words = notation::words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(notation::directory(&mut book, line, &words), Ok(true), "{line}");
        }
        let provider = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            notation::provider(&words).expect("a provider")
        };
        let providers: Vec<_> = PROVIDERS.iter().map(provider).collect();
        let now = Now { mono: Mono(0), wall: Wall(NEW_YEAR), suspect: false };
        let log = LogId { node: NodeId(1), boot: BootId(1) };
        let mut effects = Vec::new();
        let core = start(log, (State::default(), Past::default()), &providers, now, &mut effects);
        let mut walk = Self {
            rng: Rng::new(seed),
            model: Model::default(),
            book: Arc::new(book),
            providers,
            core,
            log,
            now,
            rows: BTreeMap::new(),
            upto: BTreeMap::new(),
            past: Past::default(),
            unsynced: Vec::new(),
            stored: 0,
            in_flight: Vec::new(),
            tickets: BTreeSet::new(),
            next_ticket: 0,
            healed: false,
        };
        walk.execute(effects);
        walk.announce_capacity();
        let directory = Arc::clone(&walk.book);
        walk.order(Order::Directory { directory, expected: None, summary: "first".into() });
        walk.sync(usize::MAX);
        walk
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..=17 => self.notice(),
            18..=25 => self.acknowledge(),
            26..=35 => self.other_order(),
            36..=62 => self.report(),
            63..=82 => {
                let some = self.rng.below(self.unsynced.len() + 1);
                let all = self.rng.chance(70);
                self.sync(if all { usize::MAX } else { some });
            }
            83..=94 => self.pass_some(),
            95 => {
                let full = self.rng.chance(50).then(|| "no space".into());
                self.handle(Input::Disk { full });
            }
            96 => {
                let directory = Arc::clone(&self.book);
                self.order(Order::Directory { directory, expected: None, summary: "again".into() });
            }
            97 => self.jump(),
            98 => self.stop(),
            _ => self.crash(),
        }
    }

    /// Somebody sets the machine's clock; the shell may notice or not.
    fn jump(&mut self) {
        let by = Duration::from_secs(self.rng.below(2 * 86_400) as u64);
        self.now.wall = if self.rng.chance(50) { self.now.wall + by } else { self.now.wall - by };
        self.now.suspect = self.rng.chance(70);
    }

    /// A stop that was asked for: what is under way comes to its end, and nothing needs to be repeated.
    fn stop(&mut self) {
        self.handle(Input::Drain);
        self.sync(usize::MAX);
        while let Some(delivery) = self.in_flight.pop() {
            let outcome = self.outcome();
            self.conclude(&delivery, outcome);
        }
        while !self.unsynced.is_empty() {
            self.sync(usize::MAX);
        }
        assert!(self.core.is_drained(), "something is under way after the last report");
        self.crash();
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.tickets.insert(ticket);
        ticket
    }

    fn notice(&mut self) {
        let text = *self.rng.pick(&["\"one", "\"two", "\"three"]);
        let to = *self.rng.pick(&["p0", "left", "right", "p1+mail:guest@y", "empty", "p4+p2", "left"]);
        let policy = *self.rng.pick(&["basic", "all", "recall", "quiet", "exempt"]);
        let severity = *self.rng.pick(&["info", "warning", "high", "critical"]);
        let mut words = vec![text, severity, "to", to, "policy", policy];
        if self.rng.chance(40) {
            words.extend(["fingerprint", *self.rng.pick(&["f1", "f2", "f3", "f4"])]);
        }
        if self.rng.chance(25) {
            words.extend(["key", *self.rng.pick(&["k1", "k2", "k3", "k4", "k5", "k6"])]);
        }
        let mut notice = notation::notice(&words).expect("a notice");
        notice.resolved = notice.fingerprint.is_some() && self.rng.chance(25);
        let ticket = self.ticket();
        self.handle(Input::Notice { ticket, notice: Box::new(notice) });
    }

    fn order(&mut self, order: Order) {
        let ticket = self.ticket();
        let by = Actor { who: "user:bea".into(), via: Via::Api, from: None };
        self.handle(Input::Order { ticket, by, order });
    }

    /// Some alert that is open, or was.
    fn some_alert(&mut self) -> Option<AlertId> {
        let open: Vec<AlertId> = self.core.open_after(None).map(|(alert, _)| alert).collect();
        (!open.is_empty()).then(|| *self.rng.pick(&open))
    }

    fn acknowledge(&mut self) {
        let Some(alert) = self.some_alert() else { return };
        let state = self.core.state();
        let roster = state.open.get(&alert).and_then(|open| state.rosters.get(&open.alert.roster));
        let people: Vec<_> =
            roster.map_or_else(Vec::new, |roster| roster.people.iter().map(|who| who.name.clone()).collect());
        let recipient = if people.is_empty() || self.rng.chance(15) {
            None
        } else {
            Some(self.rng.pick(&people).clone())
        };
        let which = if self.rng.chance(5) { Which::All } else { Which::Alerts(vec![alert]) };
        let comment = self.rng.chance(30).then(|| "on my way".into());
        self.order(Order::Acknowledge(Acknowledge { which, recipient, comment }));
    }

    fn other_order(&mut self) {
        let kind = self.rng.below(100);
        if kind < 30 {
            let order = match kind {
                0..=11 => Order::Pause { reason: "maintenance".into() },
                12..=24 => Order::Resume { discard: self.rng.chance(20) },
                _ => Order::DeletePending { which: Which::All },
            };
            return self.order(order);
        }
        let Some(alert) = self.some_alert() else { return };
        let which = Which::Alerts(vec![alert]);
        self.order(match kind {
            30..=59 => Order::Escalate { which },
            60..=84 => Order::Comment { which, text: "a word".into() },
            _ => Order::Close { which },
        });
    }

    fn report(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let delivery = self.in_flight.swap_remove(self.rng.below(self.in_flight.len()));
        let outcome = self.outcome();
        self.conclude(&delivery, outcome);
    }

    fn conclude(&mut self, delivery: &Delivery, outcome: Outcome) {
        self.model.report(delivery, &outcome);
        let concluded = Concluded { notification: delivery.notification, intent: delivery.intent, outcome };
        self.handle(Input::Report(vec![(delivery.alert_id, concluded)]));
    }

    fn outcome(&mut self) -> Outcome {
        let refused = |then| Outcome::Refused { then, why: "refused".into() };
        match self.rng.below(100) {
            0..=54 => Outcome::Accepted { receipt: "queued".into() },
            55..=64 => refused(Then::RetryLater),
            65..=69 => refused(Then::RetryNow),
            70..=81 => refused(Then::NextProvider),
            82..=86 => refused(Then::GiveUp),
            _ => Outcome::Unknown { why: "dropped".into() },
        }
    }

    fn pass_some(&mut self) {
        let limit = *self.rng.pick(&[500, 5_000, 60_000, 600_000, 3_600_000]);
        let by = Duration::from_millis(self.rng.below(limit) as u64);
        let due = self.core.deadline(self.now).map(|deadline| deadline.at.since(self.now.mono));
        let by = if self.rng.chance(60) { due.unwrap_or(by) } else { by };
        self.pass(by);
        self.handle(Input::Deadline);
    }

    fn pass(&mut self, by: Duration) {
        self.now.mono = self.now.mono + by;
        self.now.wall = self.now.wall + by;
    }

    /// One turn, and as many as the core asks for without a pause.
    fn handle(&mut self, input: Input) {
        let mut input = Some(input);
        for _ in 0..TURNS_MAX {
            let mut effects = Vec::new();
            self.core.handle(self.now, input.take().unwrap_or(Input::Deadline), &mut effects);
            assert!(effects.len() <= EFFECTS_MAX, "{} effects in one turn", effects.len());
            self.execute(effects);
            let due = self.core.deadline(self.now);
            if due.is_none_or(|due| due.at > self.now.mono) {
                return;
            }
        }
        panic!("the core runs in circles: {:?}", self.core.deadline(self.now));
    }

    fn execute(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => {
                    self.model.append(id, &entry);
                    self.unsynced.push((id, entry));
                }
                Effect::Deliver(delivery) => {
                    self.model.deliver(&delivery, self.stored);
                    self.in_flight.push(*delivery);
                    self.check_capacity();
                }
                Effect::Answer { ticket, answer } => self.answer(ticket, &answer),
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
    }

    fn check_capacity(&self) {
        for (spec, capacity) in &self.providers {
            let busy = self.in_flight.iter().filter(|delivery| delivery.provider == spec.name).count();
            assert!(busy <= *capacity, "{} got {busy} at once", spec.name);
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: &Answer) {
        assert!(self.tickets.remove(&ticket), "{ticket:?} is answered twice");
        self.model.answer(answer, self.stored);
    }

    fn forget(&mut self, alerts: &[AlertId], rosters: &[Digest], silences: &[RecordId]) {
        self.rows.retain(|id, entry| {
            let finished = entry.record.alert(*id).is_some_and(|alert| alerts.contains(&alert));
            let unused = matches!(&entry.record, Record::Roster(roster) if rosters.contains(&roster.id));
            !finished && !unused && !about_silence(*id, entry, silences)
        });
    }

    /// The first `count` of what waits reaches the disk.
    fn sync(&mut self, count: usize) {
        let count = count.min(self.unsynced.len());
        for (id, entry) in self.unsynced.drain(..count) {
            self.stored = id.seq + 1;
            if let Record::Accept(alert) = &entry.record {
                self.past.codes.push((entry.at, alert.code.number));
                self.past.keys.extend(alert.key.as_ref().map(|(key, digest)| PastKey {
                    source: alert.source.clone(),
                    key: Arc::clone(key),
                    digest: *digest,
                    alert: AlertId(id),
                    code: alert.code,
                    at: entry.at,
                }));
            }
            self.rows.insert(id, entry);
        }
        self.upto.insert(self.log, self.stored);
        self.handle(Input::Stored { log: self.log, upto: self.stored });
    }

    fn crash(&mut self) {
        self.model.crash(self.log, self.stored);
        self.unsynced.clear();
        self.in_flight.clear();
        self.tickets.clear();
        let outage = *self.rng.pick(&[0, 1_000, 60_000, 3_600_000]);
        self.now.wall = self.now.wall + Duration::from_millis(self.rng.below(outage + 1) as u64);
        self.now = Now { mono: Mono(0), suspect: !self.healed && self.rng.chance(10), ..self.now };
        self.log.boot = BootId(self.log.boot.0 + (1 << 32));
        self.stored = 0;
        let mut state = State::default();
        for (id, entry) in &self.rows {
            state.recover(*id, entry);
        }
        for (log, upto) in &self.upto {
            state.cover(*log, *upto);
        }
        let mut effects = Vec::new();
        self.core = start(self.log, (state, self.past.clone()), &self.providers, self.now, &mut effects);
        self.execute(effects);
        self.announce_capacity();
    }

    fn announce_capacity(&mut self) {
        for (spec, capacity) in self.providers.clone() {
            self.handle(Input::Capacity { provider: spec.name, free: capacity });
        }
    }

    /// From here on everything works; after enough time everything must have come to its end.
    fn heal(&mut self) {
        self.healed = true;
        self.now.suspect = false;
        self.handle(Input::Disk { full: None });
        self.order(Order::Resume { discard: false });
        for _ in 0..20_000 {
            self.sync(usize::MAX);
            if let Some(delivery) = self.in_flight.pop() {
                self.conclude(&delivery, Outcome::Accepted { receipt: "queued".into() });
                continue;
            }
            if !self.unsynced.is_empty() {
                continue;
            }
            let Some(due) = self.core.deadline(self.now) else { return };
            self.pass(due.at.since(self.now.mono));
            self.handle(Input::Deadline);
        }
        panic!("the walk does not come to its end: {:?}", self.core.deadline(self.now));
    }
}

fn start(
    log: LogId,
    known: (State, Past),
    providers: &[(ProviderSpec, usize)],
    now: Now,
    effects: &mut Vec<Effect>,
) -> Dispatch {
    let identity = Identity { log, letter: 'A', version: "test".into(), because: "walk".into() };
    let specs = providers.iter().map(|(spec, _)| spec.clone()).collect();
    Dispatch::start(identity, Settings::default(), known, specs, now, effects)
}

/// A record is one of these silences, or ends one.
fn about_silence(id: RecordId, entry: &Entry, silences: &[RecordId]) -> bool {
    let is = matches!(entry.record, Record::Silence(_)) && silences.contains(&id);
    is || matches!(&entry.record, Record::Unsilence { silence, .. } if silences.contains(silence))
}
