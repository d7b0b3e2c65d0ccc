//! Records of every kind: fixed ones for the golden file, and arbitrary ones for properties.

use base::{AlertId, BootId, Digest, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use dispatch::directory::{
    Address, Directory, Edition, ListedAddress, Mode, Policy, Recipient, Repeat, Severity, Step, Target,
    Unsent,
};
use dispatch::record::{
    Acknowledgement, Actor, Alert, Answer, BoundMember, BoundSchedule, BoundStep, Cause, Choice, Chosen,
    Claim, Code, Comment, Concluded, Conduct, Content, Duty, End, Entry, Fired, Flapping, Joined, Origin,
    Outcome, Person, Purpose, Reach, Record, Roster, Send, Shift, Silence, StepKey, Then, Via, Why, Withheld,
};
use ownership::{Condition, Member, Role};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn log() -> impl Strategy<Value = LogId> {
    (any::<u32>(), any::<u64>()).prop_map(|(node, boot)| LogId { node: NodeId(node), boot: BootId(boot) })
}

fn record_id() -> impl Strategy<Value = RecordId> {
    (log(), any::<u64>()).prop_map(|(log, seq)| RecordId { log, seq })
}

fn alert_id() -> impl Strategy<Value = AlertId> {
    record_id().prop_map(AlertId)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Into::into)
}

fn name() -> impl Strategy<Value = Name> {
    "[a-zA-Z0-9äß泵][a-zA-Z0-9._-]{0,20}".prop_map(|text| Name::new(&text).unwrap())
}

fn wall() -> impl Strategy<Value = Wall> {
    any::<i64>().prop_map(Wall)
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn actor() -> impl Strategy<Value = Actor> {
    (text(), select(Via::ALL.to_vec()), of(text())).prop_map(|(who, via, from)| Actor { who, via, from })
}

fn address() -> impl Strategy<Value = Address> {
    (name(), text()).prop_map(|(channel, value)| Address { channel, value })
}

fn origin() -> impl Strategy<Value = Arc<Origin>> {
    (btree_map(text(), text(), 0..4), text(), any::<i64>()).prop_map(|(annotations, generator, starts)| {
        Arc::new(Origin { annotations, generator, starts: Wall(starts) })
    })
}

fn silence() -> impl Strategy<Value = Record> {
    let texts = select(vec!["{}", r#"{a="b"}"#, r#"{a!="\"\n\\",b=~"x|y",c!~".+"}"#]);
    (texts, wall(), wall(), actor(), text(), text()).prop_map(
        |(matchers, from, until, by, author, comment)| {
            let matchers = matchers.parse().expect("matchers");
            Record::Silence(Arc::new(Silence { matchers, from, until, by, author, comment }))
        },
    )
}

fn content() -> impl Strategy<Value = Arc<Content>> {
    let labels = btree_map(text(), text(), 0..4);
    (select(Severity::ALL.to_vec()), text(), text(), labels, of(origin())).prop_map(
        |(severity, summary, details, labels, origin)| {
            Arc::new(Content { severity, summary, details, labels, origin })
        },
    )
}

fn flapping() -> impl Strategy<Value = Flapping> {
    (any::<u32>(), duration(), duration()).prop_map(|(times, within, steady)| Flapping {
        times,
        within,
        steady,
    })
}

fn alert() -> impl Strategy<Value = Alert> {
    let told = (shifts(), withheld(), of(flapping()), choices());
    let bound = (name(), digest(), duration(), any::<bool>(), any::<bool>(), told);
    let code = (proptest::char::range('A', 'Z'), any::<u32>());
    (name(), of((text(), digest())), of(digest()), content(), code, bound).prop_map(
        |(
            source,
            key,
            fingerprint,
            content,
            (letter, number),
            (route, roster, ttl, escalates, system, (on_call, withheld, flapping, choices)),
        )| {
            Alert {
                source,
                key,
                fingerprint,
                content,
                code: Code { letter, number },
                route,
                roster,
                ttl,
                escalates,
                system,
                on_call,
                withheld,
                flapping,
                choices,
            }
        },
    )
}

fn shifts() -> impl Strategy<Value = BTreeSet<Shift>> {
    let joined = (name(), vec(person(), 0..2)).prop_map(|(name, people)| Joined { name, people });
    let shift = (name(), vec(name(), 0..3), text(), vec(joined, 0..2));
    let shift = shift.prop_map(|(schedule, who, because, joined)| Shift { schedule, who, because, joined });
    btree_set(shift, 0..3)
}

fn withheld() -> impl Strategy<Value = BTreeSet<Withheld>> {
    let withheld = (name(), vec(name(), 0..3), vec(any::<(u32, u32)>(), 0..3));
    btree_set(withheld.prop_map(|(filter, channels, people)| Withheld { filter, channels, people }), 0..3)
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![name().prop_map(Target::Named), address().prop_map(Target::Address)]
}

fn step() -> impl Strategy<Value = Step> {
    (duration(), vec(target(), 0..3), any::<bool>(), of(name()))
        .prop_map(|(after, to, again, channel)| Step { after, to, again, channel })
}

fn repeat() -> impl Strategy<Value = Repeat> {
    (any::<u16>(), duration(), any::<u16>()).prop_map(|(times, after, from_step)| Repeat {
        times,
        after,
        from_step,
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode = select(vec![Mode::None, Mode::Basic, Mode::Recall]);
    let unsent = select(vec![Unsent::Stop, Unsent::Continue]);
    let texts = (of(text()), vec(text(), 0..3));
    (mode, vec(step(), 0..3), of(repeat()), any::<[bool; 6]>(), texts, (unsent, duration(), duration()))
        .prop_map(
            |(
                mode,
                steps,
                repeat,
                flags,
                (footnote, exempt_keywords),
                (unsent, close_after, abandon_after),
            )| {
                let [link, reply, acknowledges_all, tell_acknowledgement, tell_comment, tell_resolved] =
                    flags;
                Policy {
                    mode,
                    steps,
                    repeat,
                    link,
                    reply,
                    acknowledges_all,
                    footnote,
                    exempt_keywords,
                    tell_acknowledgement,
                    tell_comment,
                    tell_resolved,
                    unsent,
                    close_after,
                    abandon_after,
                }
            },
        )
}

fn person() -> impl Strategy<Value = Person> {
    (name(), text(), of(name()), vec(address(), 0..3)).prop_map(|(name, title, language, addresses)| Person {
        name,
        title,
        language,
        addresses,
    })
}

fn roster() -> impl Strategy<Value = Roster> {
    let reach = (any::<u32>(), any::<u8>()).prop_map(|(person, address)| Reach { person, address });
    let reach = vec(reach, 0..4);
    let member = (name(), reach.clone()).prop_map(|(name, reach)| BoundMember { name, reach });
    let bound = (name(), vec(member, 0..3)).prop_map(|(name, members)| BoundSchedule { name, members });
    let step = (duration(), reach, vec(bound, 0..2));
    let steps = vec(step.prop_map(|(after, reach, schedules)| BoundStep { after, reach, schedules }), 0..3);
    (digest(), name(), policy(), vec(name(), 0..2), vec(person(), 0..3), steps).prop_map(
        |(id, policy_name, policy, templates, people, steps)| Roster {
            id,
            policy_name,
            policy,
            templates,
            people,
            steps,
        },
    )
}

fn step_key() -> impl Strategy<Value = StepKey> {
    (any::<u16>(), any::<u16>()).prop_map(|(round, step)| StepKey { round, step })
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![
        step_key().prop_map(Purpose::Alert),
        record_id().prop_map(Purpose::Acknowledgement),
        record_id().prop_map(Purpose::Comment),
        Just(Purpose::End),
    ]
}

fn send() -> impl Strategy<Value = Send> {
    let attempt = (any::<u16>(), of(select(Cause::ALL.to_vec())));
    (any::<u128>(), name(), address(), purpose(), name(), attempt).prop_map(
        |(id, recipient, address, purpose, provider, (attempt, repeat))| Send {
            notification: NotificationId(id),
            recipient,
            address,
            purpose,
            provider,
            attempt,
            repeat,
        },
    )
}

fn concluded() -> impl Strategy<Value = Concluded> {
    let outcome = prop_oneof![
        text().prop_map(|receipt| Outcome::Accepted { receipt }),
        (select(Then::ALL.to_vec()), text()).prop_map(|(then, why)| Outcome::Refused { then, why }),
        text().prop_map(|why| Outcome::Unknown { why }),
    ];
    (any::<u128>(), record_id(), outcome).prop_map(|(id, intent, outcome)| Concluded {
        notification: NotificationId(id),
        intent,
        outcome,
    })
}

fn chosen() -> impl Strategy<Value = Chosen> {
    (any::<u8>(), text()).prop_map(|(number, text)| Chosen { number, text })
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    vec((text(), any::<bool>()).prop_map(|(text, acknowledges)| Choice { text, acknowledges }), 0..3)
}

fn about_an_alert() -> impl Strategy<Value = Record> {
    let fired = (wall(), duration(), any::<bool>(), of(actor()), shifts(), withheld()).prop_map(
        |(at, late, empty, by, on_call, withheld)| Fired { at, late, empty, by, on_call, withheld },
    );
    let ack = (wall(), of(name()), actor(), of(text()), of(chosen())).prop_map(
        |(at, recipient, by, comment, chosen)| Acknowledgement { at, recipient, by, comment, chosen },
    );
    let answer = (of(name()), chosen(), of(text())).prop_map(|(recipient, chosen, comment)| Answer {
        recipient,
        chosen,
        comment,
    });
    let comment = (wall(), actor(), text(), of(answer)).prop_map(|(at, by, text, answer)| Comment {
        at,
        by,
        text,
        answer,
    });
    let end = (wall(), select(Why::ALL.to_vec()), actor()).prop_map(|(at, why, by)| End { at, why, by });
    prop_oneof![
        (alert_id(), content(), any::<bool>()).prop_map(|(alert, content, silent)| Record::Update {
            alert,
            content,
            silent
        }),
        (alert_id(), step_key(), fired).prop_map(|(alert, step, fired)| Record::StepFired {
            alert,
            step,
            fired
        }),
        (alert_id(), vec(send(), 0..4)).prop_map(|(alert, sends)| Record::Intent { alert, sends }),
        (alert_id(), vec(concluded(), 0..4)).prop_map(|(alert, outcomes)| Record::Done { alert, outcomes }),
        (alert_id(), ack).prop_map(|(alert, ack)| Record::Ack { alert, ack }),
        (alert_id(), comment).prop_map(|(alert, comment)| Record::Comment { alert, comment }),
        (alert_id(), end).prop_map(|(alert, end)| Record::End { alert, end }),
        alert_id().prop_map(|alert| Record::Closed { alert }),
        (alert_id(), name(), any::<u64>(), log()).prop_map(|(alert, channel, epoch, to)| Record::Delegate {
            alert,
            channel,
            epoch,
            to
        }),
        (alert_id(), any::<u32>(), alert_id()).prop_map(|(alert, number, into)| Record::Merged {
            alert,
            code: Code { letter: 'B', number },
            into
        }),
    ]
}

fn of_the_node() -> impl Strategy<Value = Record> {
    let claim = (any::<u64>(), log(), any::<u64>(), any::<u64>())
        .prop_map(|(epoch, log, from, upto)| Record::Claim(Claim { epoch, log, from, upto }));
    let directory = (any::<u64>(), any::<u64>(), actor(), text()).prop_map(|(term, version, by, summary)| {
        let edition = Edition { term, version, writer: None, follows: (0, 0), directory: Arc::new(book()) };
        Record::Directory { edition, by, summary }
    });
    prop_oneof![
        (text(), text()).prop_map(|(version, because)| Record::Start { version, because }),
        roster().prop_map(|roster| Record::Roster(Arc::new(roster))),
        alert().prop_map(|alert| Record::Accept(Arc::new(alert))),
        (actor(), text()).prop_map(|(by, reason)| Record::Pause { by, reason }),
        (vec((record_id(), wall()), 0..3), actor()).prop_map(|(pauses, by)| Record::Resume { pauses, by }),
        silence(),
        (record_id(), actor()).prop_map(|(silence, by)| Record::Unsilence { silence, by }),
        claim,
        directory,
        (name(), text(), text()).prop_map(|(provider, to, because)| Record::Provider {
            provider,
            to,
            because
        }),
        (actor(), text()).prop_map(|(by, what)| Record::Note { by, what }),
    ]
}

/// An arbitrary record, written at an arbitrary time. Directories have one content; `document` has its own
/// tests.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (wall(), prop_oneof![about_an_alert(), of_the_node()]).prop_map(|(at, record)| Entry { at, record })
}

fn named(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn book() -> Directory {
    let address = Address { channel: named("mail"), value: "anna@x.test".into() };
    let anna = Recipient {
        title: "Anna".into(),
        department: None,
        language: Some(named("de")),
        addresses: vec![ListedAddress { address, default: true }],
        policy: None,
    };
    Directory { recipients: [(named("anna"), anna)].into(), ..Directory::default() }
}

/// One record of each kind, with every optional part in it.
pub(crate) fn samples() -> Vec<Entry> {
    let mut at = Wall(1_795_165_200_000);
    let stamp = |record| {
        at = at + Duration::from_secs(1);
        Entry { at, record }
    };
    node_samples()
        .into_iter()
        .chain(alert_samples())
        .chain(on_call_samples())
        .chain(filter_samples())
        .chain([flapping_sample()])
        .chain(answer_samples())
        .map(stamp)
        .collect()
}

fn flapping_sample() -> Record {
    let flapping = Flapping { times: 5, within: Duration::from_secs(1800), steady: Duration::from_secs(300) };
    Record::Accept(Arc::new(Alert { flapping: Some(flapping), ..sample_alert() }))
}

fn id(seq: u64) -> RecordId {
    RecordId { log: LogId { node: NodeId(0x1f3a_9c02), boot: BootId(0x1_0000_abcd) }, seq }
}

fn anna() -> Actor {
    Actor::recipient(&named("anna"), Via::Link, Some("192.0.2.7".into()))
}

fn node_samples() -> Vec<Record> {
    let by = Actor { who: "user:bea".into(), via: Via::Api, from: Some("192.0.2.9".into()) };
    let edition = Edition { term: 1, version: 2, writer: None, follows: (0, 0), directory: Arc::new(book()) };
    vec![
        Record::Start { version: "0.1.0".into(), because: "after a crash".into() },
        Record::Directory { edition, by: by.clone(), summary: "1 recipient added".into() },
        Record::Provider {
            provider: named("smtp-a"),
            to: "failing".into(),
            because: "421 try again later".into(),
        },
        Record::Pause { by: by.clone(), reason: "maintenance".into() },
        Record::Resume { pauses: vec![(id(3), Wall(1_795_165_204_000))], by: by.clone() },
        Record::Claim(Claim { epoch: 1, log: id(0).log, from: 0, upto: 9 }),
        Record::Release { to: id(0).log, claims: vec![Claim { epoch: 2, log: id(0).log, from: 0, upto: 9 }] },
        Record::Duty(Duty {
            duty: named("front"),
            epoch: 3,
            to: id(0).log,
            because: "the node in control is down".into(),
        }),
        Record::RosterDropped { rosters: vec![Digest([7; 32])] },
        Record::PeerState {
            peer: NodeId(0xbb),
            to: Condition::CatchingUp,
            because: "it is being brought level".into(),
        },
        Record::Member { node: NodeId(0xbb), generation: 1, member: Some(sample_member()), by: by.clone() },
        Record::Conduct {
            conduct: Conduct {
                generation: 2,
                passive: true,
                by_hand: false,
                maintenance: Some("new switch".into()),
            },
            by: by.clone(),
        },
        Record::Note { by, what: "made a backup".into() },
    ]
}

fn sample_member() -> Member {
    Member {
        node: NodeId(0xbb),
        name: named("south"),
        letter: 'B',
        role: Role::Backup,
        rank: 1,
        addresses: vec!["192.0.2.2:8444".into()],
        api: "https://192.0.2.2:8443".into(),
    }
}

fn sample_roster() -> Roster {
    let address = Address { channel: named("mail"), value: "anna@x.test".into() };
    let step = Step {
        after: Duration::from_secs(60),
        to: vec![Target::Named(named("anna")), Target::Address(address.clone())],
        again: true,
        channel: Some(named("webhook")),
    };
    Roster {
        id: Digest([7; 32]),
        policy_name: named("default"),
        policy: Policy {
            mode: Mode::Recall,
            steps: vec![step],
            repeat: Some(Repeat { times: 2, after: Duration::from_secs(300), from_step: 1 }),
            footnote: Some("ACK: reply {{ code }}".into()),
            exempt_keywords: vec!["drill".into()],
            unsent: Unsent::Continue,
            ..Policy::default()
        },
        templates: vec![named("short")],
        people: vec![Person {
            name: named("anna"),
            title: "Anna".into(),
            language: Some(named("de")),
            addresses: vec![address],
        }],
        steps: vec![BoundStep {
            after: Duration::ZERO,
            reach: vec![Reach { person: 0, address: 0 }],
            schedules: Vec::new(),
        }],
    }
}

fn sample_alert() -> Alert {
    Alert {
        source: named("scada"),
        key: Some(("order-66".into(), Digest([1; 32]))),
        fingerprint: Some(Digest([2; 32])),
        content: Arc::new(Content {
            severity: Severity::Critical,
            summary: "Pumpe 3 steht \u{1f6a8}".into(),
            details: "line one\nline \"two\"".into(),
            labels: [("site".into(), "north".into())].into(),
            origin: None,
        }),
        code: Code { letter: 'A', number: 12 },
        route: named("pumps"),
        roster: Digest([7; 32]),
        ttl: Duration::from_secs(86_400),
        escalates: true,
        system: false,
        on_call: BTreeSet::new(),
        withheld: BTreeSet::new(),
        flapping: None,
        choices: Vec::new(),
    }
}

/// What records say of answers, where there are any.
fn answer_samples() -> Vec<Record> {
    let (alert, at) = (AlertId(id(7)), Wall(1_795_165_209_000));
    let choice = |text: &str, acknowledges| Choice { text: text.into(), acknowledges };
    let accepted =
        Alert { choices: vec![choice("coming", true), choice("cannot come", false)], ..sample_alert() };
    let chosen = |number, text: &str| Chosen { number, text: text.into() };
    let (recipient, by) = (Some(named("anna")), anna());
    let answer = Answer {
        recipient: recipient.clone(),
        chosen: chosen(2, "cannot come"),
        comment: Some("abroad".into()),
    };
    let text = "cannot come: abroad".into();
    let ack =
        Acknowledgement { at, recipient, by: by.clone(), comment: None, chosen: Some(chosen(1, "coming")) };
    vec![
        Record::Accept(Arc::new(accepted)),
        Record::Comment { alert, comment: Comment { at, by, text, answer: Some(answer) } },
        Record::Ack { alert, ack },
    ]
}

/// What records say of on-call schedules, where there are any.
fn on_call_samples() -> Vec<Record> {
    let nights = || named("nights");
    let shift = |who: &[&str], because: &str| Shift {
        schedule: nights(),
        who: who.iter().map(|who| named(who)).collect(),
        because: because.into(),
        joined: Vec::new(),
    };
    let mut roster = sample_roster();
    let members = vec![BoundMember { name: named("anna"), reach: vec![Reach { person: 0, address: 0 }] }];
    let schedules = vec![BoundSchedule { name: nights(), members }];
    roster.steps = vec![BoundStep { after: Duration::ZERO, reach: Vec::new(), schedules }];
    let on_call = [shift(&["anna"], "turn 2 of layers[0]")].into();
    let accepted = Alert { on_call, ..sample_alert() };
    let on_call =
        [shift(&[], "no layer and no override has anybody"), shift(&["anna"], "overrides[0]")].into();
    let at = Wall(1_795_165_209_000);
    let withheld = BTreeSet::new();
    let fired = Fired { at, late: Duration::ZERO, empty: false, by: None, on_call, withheld };
    let step = StepKey { round: 0, step: 1 };
    vec![
        Record::Roster(Arc::new(roster)),
        Record::Accept(Arc::new(accepted)),
        Record::StepFired { alert: AlertId(id(7)), step, fired },
    ]
}

/// What records say of filters, where they withhold something.
fn filter_samples() -> Vec<Record> {
    let withheld = |channels: &[&str]| -> BTreeSet<Withheld> {
        let channels = channels.iter().map(|channel| named(channel)).collect();
        [Withheld { filter: named("quiet"), channels, people: vec![(0, 3), (7, 7)] }].into()
    };
    let accepted = Alert { withheld: withheld(&["sms", "voice"]), ..sample_alert() };
    let at = Wall(1_795_165_209_000);
    let (late, on_call) = (Duration::ZERO, BTreeSet::new());
    let fired = Fired { at, late, empty: true, by: None, on_call, withheld: withheld(&[]) };
    let step = StepKey { round: 0, step: 1 };
    vec![Record::Accept(Arc::new(accepted)), Record::StepFired { alert: AlertId(id(7)), step, fired }]
}

fn sample_sends() -> Vec<Send> {
    let purposes = [
        Purpose::Alert(StepKey { round: 1, step: 2 }),
        Purpose::Acknowledgement(id(5)),
        Purpose::Comment(id(6)),
        Purpose::End,
    ];
    let send = |(at, purpose)| Send {
        notification: NotificationId(at),
        recipient: named("anna"),
        address: Address { channel: named("mail"), value: "anna@x.test".into() },
        purpose,
        provider: named("smtp-a"),
        attempt: 2,
        repeat: Some(Cause::Unknown),
    };
    (1..).zip(purposes).map(send).collect()
}

fn alert_samples() -> Vec<Record> {
    let (alert, at) = (AlertId(id(7)), Wall(1_795_165_209_000));
    let outcomes = [
        Outcome::Accepted { receipt: "250 queued as 4F1".into() },
        Outcome::Refused { then: Then::NextProvider, why: "454 try later".into() },
        Outcome::Unknown { why: "the connection was lost after DATA".into() },
    ];
    let concluded = |(at, outcome)| Concluded { notification: NotificationId(at), intent: id(9), outcome };
    let fired = Fired {
        at,
        late: Duration::from_millis(1500),
        empty: true,
        by: Some(Actor::ourselves()),
        on_call: BTreeSet::new(),
        withheld: BTreeSet::new(),
    };
    vec![
        Record::Roster(Arc::new(sample_roster())),
        Record::Accept(Arc::new(sample_alert())),
        Record::Update { alert, content: sample_alert().content, silent: false },
        Record::StepFired { alert, step: StepKey { round: 0, step: 1 }, fired },
        Record::Intent { alert, sends: sample_sends() },
        Record::Done { alert, outcomes: (1..).zip(outcomes).map(concluded).collect() },
        Record::Ack {
            alert,
            ack: Acknowledgement {
                at,
                recipient: Some(named("anna")),
                by: anna(),
                comment: Some("on my way".into()),
                chosen: None,
            },
        },
        Record::Comment {
            alert,
            comment: Comment { at, by: anna(), text: "it is the valve".into(), answer: None },
        },
        Record::End { alert, end: End { at, why: Why::ByHand, by: anna() } },
        Record::Closed { alert },
        Record::Delegate { alert, channel: named("sms"), epoch: 1, to: id(0).log },
        Record::Merged { alert, code: Code { letter: 'A', number: 7 }, into: AlertId(id(2)) },
        Record::Silence(Arc::new(Silence {
            matchers: r#"{alertname="Down",site=~"n.*"}"#.parse().expect("matchers"),
            from: Wall(1_795_165_204_000),
            until: Wall(1_795_168_804_000),
            by: anna(),
            author: "bea".into(),
            comment: "works at the line".into(),
        })),
        Record::Unsilence { silence: id(4), by: anna() },
        Record::Update {
            alert,
            content: Arc::new(Content {
                origin: Some(Arc::new(Origin {
                    annotations: [("summary".into(), "it is down".into())].into(),
                    generator: "http://prometheus.x.test/graph".into(),
                    starts: Wall(1_795_165_204_000),
                })),
                ..Content::clone(&sample_alert().content)
            }),
            silent: true,
        },
    ]
}
