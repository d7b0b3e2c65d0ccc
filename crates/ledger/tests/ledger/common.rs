//! Records to fill a ledger with, and a way to hear what it tells.

use base::{AlertId, Hasher, LogId, Name, NotificationId, RecordId, Wall};
use dispatch::directory::{Address, Edition, Policy, Severity};
use dispatch::record::{
    Acknowledgement, Actor, Alert, BoundStep, Code, Concluded, Content, End, Entry, Outcome, Person, Purpose,
    Reach, Record, Roster, Send, StepKey, Via, Why,
};
use dispatch::state::State;
use ledger::{Ledger, LedgerEvent, OpenError, Options, Recovered, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// 2026-11-20 09:00 UTC.
pub(crate) const NINE: Wall = Wall(1_795_165_200_000);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A ledger, what it recovered, and what it tells.
pub(crate) type Opened = (Ledger, Recovered, Receiver<LedgerEvent>);

/// A ledger with small limits, of a node without peers.
pub(crate) fn open(folder: &Path) -> Result<Opened, OpenError> {
    open_as(folder, 0x1f3a_9c02, |options| options)
}

/// A ledger with small limits; a new one is this node's.
pub(crate) fn open_as(
    folder: &Path,
    node: u32,
    change: impl FnOnce(Options) -> Options,
) -> Result<Opened, OpenError> {
    let (tell, told) = channel();
    let chance = (u64::from(node) << 32) | 0xabcd;
    let options = Options {
        reserve_bytes: 1 << 20,
        roomy_bytes: 2 << 20,
        ..Options::new(chance, move |event| drop(tell.send(event)))
    };
    let (ledger, recovered) = Ledger::open(folder, change(options))?;
    Ok((ledger, recovered, told))
}

/// Records as the ledger takes them.
pub(crate) fn stored(records: Vec<(RecordId, Entry)>) -> Vec<Stored> {
    records.into_iter().map(|(id, entry)| Stored::new(id, entry)).collect()
}

/// What a start makes of what was recovered.
pub(crate) fn state(recovered: &Recovered) -> State {
    let mut state = State::default();
    state.lose(recovered.lost.iter().copied());
    for (id, entry) in &recovered.records {
        state.recover(*id, entry);
    }
    for (log, upto) in &recovered.upto {
        state.cover(*log, *upto);
    }
    state
}

/// Writes one log.
pub(crate) struct Pen {
    pub(crate) log: LogId,
    pub(crate) next: u64,
    pub(crate) at: Wall,
}

impl Pen {
    pub(crate) fn new(log: LogId) -> Self {
        Self { log, next: 0, at: NINE }
    }

    /// The next record of the log, a second after the one before.
    pub(crate) fn write(&mut self, record: Record) -> (RecordId, Entry) {
        let id = RecordId { log: self.log, seq: self.next };
        self.next += 1;
        self.at = self.at + Duration::from_secs(1);
        (id, Entry { at: self.at, record })
    }

    /// The first `count` records of an alert.
    pub(crate) fn beginning(&mut self, number: u32, count: usize) -> (AlertId, Vec<(RecordId, Entry)>) {
        let (id, mut story) = self.story(number);
        story.truncate(count);
        if let Some((last, entry)) = story.last() {
            (self.next, self.at) = (last.seq + 1, entry.at);
        }
        (id, story)
    }

    pub(crate) fn start(&mut self) -> (RecordId, Entry) {
        self.write(Record::Start { version: "0.1.0".into(), because: "clean".into() })
    }

    /// An alert from start to end: everything of it, in order.
    pub(crate) fn story(&mut self, number: u32) -> (AlertId, Vec<(RecordId, Entry)>) {
        let accept = self.write(Record::Accept(Arc::new(alert(number))));
        let id = AlertId(accept.0);
        let notification = notification(id);
        let intent = self.write(Record::Intent { alert: id, sends: vec![send(notification)] });
        let outcome = Outcome::Accepted { receipt: "250 queued as 4F1".into() };
        let outcomes = vec![Concluded { notification, intent: intent.0, outcome }];
        let done = self.write(Record::Done { alert: id, outcomes });
        let by = Actor::recipient(&name("anna"), Via::Link, Some("192.0.2.7".into()));
        let ack = Acknowledgement {
            at: self.at,
            recipient: Some(name("anna")),
            by: by.clone(),
            comment: Some("on my way".into()),
            chosen: None,
        };
        let ack = self.write(Record::Ack { alert: id, ack });
        let end = self.write(Record::End { alert: id, end: End { at: self.at, why: Why::Resolved, by } });
        let closed = self.write(Record::Closed { alert: id });
        (id, vec![accept, intent, done, ack, end, closed])
    }
}

pub(crate) fn alert(number: u32) -> Alert {
    let text = format!("request {number}");
    Alert {
        source: name("scada"),
        key: Some((format!("key-{number}").into(), Hasher::new("test").text(&text).finish())),
        fingerprint: None,
        content: Arc::new(Content {
            severity: Severity::High,
            summary: format!("pump {number} stopped").into(),
            details: "".into(),
            labels: BTreeMap::from([("site".into(), "north".into())]),
            origin: None,
        }),
        code: Code { letter: 'A', number },
        route: name("pumps"),
        roster: roster().id,
        ttl: Duration::from_secs(3600),
        escalates: true,
        system: false,
        on_call: BTreeSet::new(),
        withheld: BTreeSet::new(),
        flapping: None,
        choices: Vec::new(),
    }
}

pub(crate) fn notification(alert: AlertId) -> NotificationId {
    NotificationId(Hasher::new("test").text(&alert.to_string()).finish().short())
}

pub(crate) fn address() -> Address {
    Address { channel: name("mail"), value: "anna@x.test".into() }
}

pub(crate) fn send(notification: NotificationId) -> Send {
    Send {
        notification,
        recipient: name("anna"),
        address: address(),
        purpose: Purpose::Alert(StepKey::default()),
        provider: name("smtp-a"),
        attempt: 1,
        repeat: None,
    }
}

pub(crate) fn roster() -> Roster {
    Roster {
        id: Hasher::new("roster").finish(),
        policy_name: name("default"),
        policy: Policy::default(),
        templates: Vec::new(),
        people: vec![Person {
            name: name("anna"),
            title: "Anna".into(),
            language: None,
            addresses: vec![address()],
        }],
        steps: vec![BoundStep {
            after: Duration::ZERO,
            reach: vec![Reach { person: 0, address: 0 }],
            schedules: Vec::new(),
        }],
    }
}

pub(crate) fn edition(version: u64) -> Record {
    Record::Directory {
        edition: Edition { term: 1, version, ..Edition::default() },
        by: Actor::ourselves(),
        summary: "first edition".into(),
    }
}

/// Waits until `log` is told to be durable up to `upto`; anything but `Stored` fails the test.
pub(crate) fn wait_stored(told: &Receiver<LedgerEvent>, log: LogId, upto: u64) {
    loop {
        match told.recv().unwrap() {
            LedgerEvent::Stored { log: stored, upto: reached } if stored == log && reached >= upto => return,
            LedgerEvent::Stored { .. } | LedgerEvent::Truncated { .. } => (),
            other @ (LedgerEvent::Full { .. } | LedgerEvent::Roomy | LedgerEvent::Failed { .. }) => {
                panic!("{other:?}")
            }
        }
    }
}

/// Overwrites the first place in the file where a record says `from`.
pub(crate) fn flip(file: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let needle = [b"\"provider\":\"", from].concat();
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + needle.len() - to.len()..at + needle.len()].copy_from_slice(to);
    std::fs::write(file, bytes).unwrap();
}
