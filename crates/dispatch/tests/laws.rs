//! The laws of the fold: what is known depends on the records alone, not on the way they came.
//!
//! Histories are those of three writers that refer to each other's records at will, earlier and later ones,
//! real and bogus: a peer's records are not ours to trust.

use base::limits::SILENCES_MAX;
use base::{AlertId, BootId, Digest, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use dispatch::directory::{Address, Directory, Edition, Policy};
use dispatch::record::{
    Acknowledgement, Actor, Alert, Answer, BoundStep, Chosen, Claim, Code, Comment, Concluded, Content, Duty,
    End, Entry, Fired, Outcome, Person, Purpose, Reach, Record, Roster, Send, Shift, Silence, StepKey, Then,
    Why, Withheld,
};
use dispatch::state::{Poison, State};
use matcher::Matchers;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const WRITERS: usize = 3;

/// The logs of all writers: entries by writer and place.
type Logs = Vec<Vec<Entry>>;
/// How far each log is known.
type Cut = [usize; WRITERS];

fn log(writer: usize) -> LogId {
    let number = u32::try_from(writer).unwrap_or(0) + 1;
    LogId { node: NodeId(number), boot: BootId(u64::from(number) << 32) }
}

fn id(writer: usize, place: usize) -> RecordId {
    RecordId { log: log(writer), seq: place as u64 }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A record in small numbers: what it is, and two numbers that pick what it is about.
#[derive(Clone, Debug)]
struct Seed {
    kind: u8,
    about: (usize, usize),
    other: u64,
}

fn seeds() -> impl Strategy<Value = Vec<Vec<Seed>>> {
    let seed = (0u8..30, (0..WRITERS, 0usize..14), 0u64..6).prop_map(|(kind, about, other)| Seed {
        kind,
        about,
        other,
    });
    prop::collection::vec(prop::collection::vec(seed, 0..14), WRITERS)
}

fn logs(seeds: &[Vec<Seed>]) -> Logs {
    let log = |(writer, seeds): (usize, &Vec<Seed>)| {
        let mut entries: Vec<Entry> =
            seeds.iter().enumerate().map(|(place, seed)| entry(writer, place, seed)).collect();
        conclude_own(writer, &mut entries);
        entries
    };
    let mut logs = seeds.iter().enumerate().map(log).collect();
    pair_twins(&mut logs);
    logs
}

/// Lets twins be two alerts, the larger part of the smaller, known to its writer where they are its own.
fn pair_twins(logs: &mut Logs) {
    let mut alerts = Vec::new();
    for (writer, entries) in logs.iter().enumerate() {
        let accepts =
            entries.iter().enumerate().filter(|(_, entry)| matches!(entry.record, Record::Accept(_)));
        alerts.extend(accepts.map(|(place, _)| (writer, place)));
    }
    for (writer, entries) in logs.iter_mut().enumerate() {
        for (place, entry) in entries.iter_mut().enumerate() {
            let Record::Merged { alert, code, .. } = entry.record else { continue };
            let known = |(of, at): &&(usize, usize)| *of != writer || *at < place;
            let mut found: Vec<AlertId> =
                alerts.iter().filter(known).map(|(of, at)| AlertId(id(*of, *at))).collect();
            let by = usize::try_from(alert.0.seq).unwrap_or(0) % found.len().max(1);
            found.rotate_left(by);
            entry.record = match found.get(..2) {
                Some([one, other]) => Record::Merged { alert: *one.max(other), code, into: *one.min(other) },
                Some(_) | None => Record::Note { by: Actor::ourselves(), what: "no twins".into() },
            };
        }
    }
}

/// Lets most outcomes be those of an attempt that their own writer announced before.
fn conclude_own(writer: usize, entries: &mut [Entry]) {
    let mut announced = None;
    for (place, entry) in entries.iter_mut().enumerate() {
        if let Record::Intent { alert, sends } = &entry.record {
            announced = sends.first().map(|send| (*alert, send.notification, id(writer, place)));
        } else if let Record::Done { alert, outcomes } = &mut entry.record
            && let Some((of, notification, intent)) = announced
        {
            *alert = of;
            outcomes.iter_mut().for_each(|done| (done.notification, done.intent) = (notification, intent));
        }
    }
}

fn entry(writer: usize, place: usize, seed: &Seed) -> Entry {
    let (of, at) = seed.about;
    // A record of one's own log that lies ahead would be poison; another's may.
    let at = if of == writer { at.min(place.saturating_sub(1)) } else { at };
    let record = record(writer, place, seed, id(of, at));
    Entry { at: Wall(1000 + i64::try_from(seed.other).unwrap_or(0)), record }
}

fn record(writer: usize, place: usize, seed: &Seed, about: RecordId) -> Record {
    let alert = AlertId(about);
    let at = Wall(i64::try_from(seed.other).unwrap_or(0));
    let by = Actor::ourselves();
    let text: Arc<str> = format!("{writer}.{place}").into();
    let step = StepKey { round: 0, step: u16::try_from(seed.other).unwrap_or(0) };
    match seed.kind {
        0..=4 => Record::Accept(accepted(seed.other)),
        5 => Record::Roster(roster(seed.other)),
        6 => Record::Update { alert, content: content(&text), silent: seed.other == 1 },
        7 => {
            let (on_call, withheld) = (shifts(writer, seed.other), withheld(writer, seed.other));
            let (late, empty) = (Duration::ZERO, seed.other == 0);
            let fired = Fired { at, late, empty, by: None, on_call, withheld };
            Record::StepFired { alert, step, fired }
        }
        8 | 9 => Record::Intent { alert, sends: vec![send(seed.other)] },
        10 | 11 => {
            let concluded = Concluded {
                notification: NotificationId(u128::from(seed.other)),
                intent: id(writer, place.saturating_sub(1)),
                outcome: outcome(seed.other),
            };
            Record::Done { alert, outcomes: vec![concluded] }
        }
        12 => {
            let (recipient, chosen) =
                (seed.other.is_multiple_of(2).then(|| name("anna")), Some(chosen(seed.other)));
            let ack = Acknowledgement { at, recipient, by, comment: Some(text), chosen };
            Record::Ack { alert, ack }
        }
        13 => {
            let recipient = seed.other.is_multiple_of(3).then(|| name("anna"));
            let answer = Answer { recipient, chosen: chosen(seed.other), comment: None };
            let answer = (seed.other > 1).then_some(answer);
            Record::Comment { alert, comment: Comment { at, by, text, answer } }
        }
        14 => Record::End { alert, end: End { at, why: Why::ByHand, by } },
        15 | 16 => Record::Closed { alert },
        17 => Record::Pause { by, reason: text },
        // What resumes a pause comes after it, so the first record of a log resumes none of its own.
        18 if about != id(writer, place) => Record::Resume { pauses: vec![(about, at)], by },
        20 | 21 => Record::Merged { alert, code: Code { letter: 'A', number: 1 }, into: alert },
        22 => Record::Release {
            to: about.log,
            claims: vec![Claim { epoch: seed.other, log: about.log, from: 0, upto: about.seq }],
        },
        23 => Record::Duty(Duty { duty: name("front"), epoch: seed.other, to: about.log, because: text }),
        25..=27 => Record::Silence(Arc::new(Silence {
            matchers: Matchers::default(),
            from: Wall(0),
            until: at,
            by,
            author: text,
            comment: "".into(),
        })),
        // What ends a silence comes after it.
        28 | 29 if about != id(writer, place) => Record::Unsilence { silence: about, by },
        24 => Record::RosterDropped { rosters: vec![roster(seed.other).id] },
        _ if seed.other < 3 => {
            Record::Claim(Claim { epoch: seed.other, log: about.log, from: 0, upto: about.seq })
        }
        _ => {
            // One writer at a time: no two editions share a term and a version.
            let version = (place * WRITERS + writer) as u64 + 1;
            let directory = Arc::new(Directory::default());
            let edition = Edition { term: seed.other, version, writer: None, follows: (0, 0), directory };
            Record::Directory { edition, by, summary: text }
        }
    }
}

fn chosen(number: u64) -> Chosen {
    Chosen { number: u8::try_from(number).unwrap_or(1), text: "coming".into() }
}

fn content(text: &Arc<str>) -> Arc<Content> {
    Arc::new(Content {
        severity: dispatch::directory::Severity::High,
        summary: Arc::clone(text),
        details: "".into(),
        labels: BTreeMap::new(),
        origin: None,
    })
}

fn accepted(number: u64) -> Arc<Alert> {
    Arc::new(Alert {
        source: name("scada"),
        key: None,
        fingerprint: None,
        content: content(&"pump 3 stopped".into()),
        code: Code { letter: 'A', number: 1 },
        route: name("direct"),
        roster: roster(number).id,
        ttl: Duration::from_secs(60),
        escalates: true,
        system: false,
        on_call: shifts(0, number),
        withheld: withheld(0, number),
        flapping: None,
        choices: Vec::new(),
    })
}

/// What filters withhold: by one writer's directory more than by the other's.
fn withheld(writer: usize, number: u64) -> BTreeSet<Withheld> {
    let by = |filter: &str| Withheld { filter: name(filter), channels: vec![], people: vec![(0, 0)] };
    match number % 3 {
        0 => BTreeSet::new(),
        1 => BTreeSet::from([by("nights")]),
        _ => BTreeSet::from([by("nights"), by(if writer == 0 { "tests" } else { "drills" })]),
    }
}

/// Who was on call: to one writer somebody else than to the other, and nobody where nobody was asked for.
fn shifts(writer: usize, number: u64) -> BTreeSet<Shift> {
    let shift = |who: &str| Shift {
        schedule: name("nights"),
        who: vec![name(who)],
        because: "turn 1".into(),
        joined: Vec::new(),
    };
    match number % 3 {
        0 => BTreeSet::new(),
        1 => BTreeSet::from([shift("anna")]),
        _ => BTreeSet::from([shift(if writer == 0 { "anna" } else { "ben" })]),
    }
}

fn address() -> Address {
    Address { channel: name("mail"), value: "anna@x".into() }
}

fn roster(number: u64) -> Arc<Roster> {
    let digest = u8::try_from(number).unwrap_or(0);
    let person =
        Person { name: name("anna"), title: "Anna".into(), language: None, addresses: vec![address()] };
    Arc::new(Roster {
        id: Digest([digest; 32]),
        policy_name: name("default"),
        policy: Policy::default(),
        templates: Vec::new(),
        people: vec![person],
        steps: vec![BoundStep {
            after: Duration::ZERO,
            reach: vec![Reach { person: 0, address: 0 }],
            schedules: Vec::new(),
        }],
    })
}

fn send(number: u64) -> Send {
    Send {
        notification: NotificationId(u128::from(number)),
        recipient: name("anna"),
        address: address(),
        purpose: Purpose::Alert(StepKey::default()),
        provider: name("smtp-a"),
        attempt: 1,
        repeat: None,
    }
}

fn outcome(number: u64) -> Outcome {
    match number % 3 {
        0 => Outcome::Accepted { receipt: "queued".into() },
        1 => Outcome::Refused { then: Then::RetryLater, why: "busy".into() },
        _ => Outcome::Unknown { why: "dropped".into() },
    }
}

/// Folds the records before `cut`; `turns` says whose record is next, again and again.
fn fold(logs: &Logs, cut: Cut, turns: &[usize]) -> State {
    let mut state = State::default();
    advance(&mut state, logs, cut, turns);
    state
}

fn advance(state: &mut State, logs: &Logs, cut: Cut, turns: &[usize]) {
    let in_order = (0..WRITERS).flat_map(|writer| std::iter::repeat_n(writer, cut[writer]));
    for writer in turns.iter().copied().chain(in_order) {
        let place = usize::try_from(state.applied(log(writer))).unwrap_or(usize::MAX);
        if place < cut[writer] {
            state.apply(id(writer, place), &logs[writer][place]).expect("a record in its place is no poison");
        }
    }
}

fn cut(logs: &Logs, shares: [usize; WRITERS]) -> Cut {
    std::array::from_fn(|writer| shares[writer] * logs[writer].len() / 100)
}

fn whole(logs: &Logs) -> Cut {
    std::array::from_fn(|writer| logs[writer].len())
}

fn shares() -> impl Strategy<Value = [usize; WRITERS]> {
    [0usize..=100, 0..=100, 0..=100]
}

fn turns() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..WRITERS, 0..60)
}

/// The same of a node whose disk lost some records.
fn fold_without(logs: &Logs, cut: Cut, lost: &BTreeSet<RecordId>) -> State {
    let mut state = State::default();
    let known = |id: &RecordId| (0..WRITERS).any(|of| log(of) == id.log && id.seq < cut[of] as u64);
    state.lose(lost.iter().copied().filter(known));
    for writer in 0..WRITERS {
        for place in (0..cut[writer]).filter(|place| !lost.contains(&id(writer, *place))) {
            state.recover(id(writer, place), &logs[writer][place]);
        }
    }
    for writer in (0..WRITERS).filter(|writer| cut[*writer] > 0) {
        state.cover(log(writer), cut[writer] as u64);
    }
    state
}

fn losses() -> impl Strategy<Value = BTreeSet<RecordId>> {
    let place = (0..WRITERS, 0usize..14).prop_map(|(writer, place)| id(writer, place));
    prop::collection::btree_set(place, 0..6)
}

/// A state without what it keeps for the sake of lost records only: it may know too late that a log does not refer to
/// a roster any more.
fn without_roster_logs(mut state: State) -> State {
    state.roster_logs.clear();
    state
}

/// What a start makes of the records that are left where those of `gone` are deleted.
fn recover_without(logs: &Logs, gone: &BTreeSet<AlertId>) -> State {
    let mut recovered = State::default();
    for (writer, entries) in logs.iter().enumerate() {
        for (place, entry) in entries.iter().enumerate() {
            let id = id(writer, place);
            if entry.record.alert(id).is_none_or(|alert| !gone.contains(&alert)) {
                recovered.recover(id, entry);
            }
        }
    }
    for (writer, entries) in logs.iter().enumerate() {
        if !entries.is_empty() {
            recovered.cover(log(writer), entries.len() as u64);
        }
    }
    recovered
}

/// The alerts that some record closes.
fn finished(logs: &Logs) -> BTreeSet<AlertId> {
    let closed = logs
        .iter()
        .flatten()
        .filter_map(|entry| if let Record::Closed { alert } = &entry.record { Some(*alert) } else { None });
    let mut closed: BTreeSet<AlertId> = closed.collect();
    // What closes one twin closes the other.
    for _ in 0..logs.iter().map(Vec::len).sum() {
        for entry in logs.iter().flatten() {
            if let Record::Merged { alert, into, .. } = &entry.record
                && (closed.contains(alert) || closed.contains(into))
            {
                closed.extend([*alert, *into]);
            }
        }
    }
    closed
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_interleaving_folds_to_the_same_state(seeds in seeds(), one in turns(), two in turns()) {
        let logs = logs(&seeds);
        prop_assert_eq!(fold(&logs, whole(&logs), &one), fold(&logs, whole(&logs), &two));
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent(
        seeds in seeds(), a in shares(), b in shares(), c in shares(), turns in turns(),
    ) {
        let logs = logs(&seeds);
        let [a, b, c] = [a, b, c].map(|shares| fold(&logs, cut(&logs, shares), &turns));
        prop_assert_eq!(a.join(&b), b.join(&a));
        prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(&a.join(&a), &a);
        prop_assert_eq!(a.join(&b).join(&b), a.join(&b));
        prop_assert_eq!(a.join(&State::default()), a);
    }

    #[test]
    fn joining_two_states_is_folding_what_either_has_seen(seeds in seeds(), a in shares(), b in shares()) {
        let logs = logs(&seeds);
        let (a, b) = (cut(&logs, a), cut(&logs, b));
        let both = std::array::from_fn(|writer| a[writer].max(b[writer]));
        let joined = fold(&logs, a, &[]).join(&fold(&logs, b, &[]));
        prop_assert_eq!(joined, fold(&logs, both, &[]));
    }

    #[test]
    fn a_record_may_come_before_or_after_a_join(seeds in seeds(), a in shares(), b in shares()) {
        let logs = logs(&seeds);
        let (a, b) = (cut(&logs, a), cut(&logs, b));
        let (mine, theirs) = (fold(&logs, a, &[]), fold(&logs, b, &[]));
        for writer in 0..WRITERS {
            if a[writer] < b[writer] || a[writer] >= logs[writer].len() {
                continue; // It is not the next for both, or there is none.
            }
            let (next, entry) = (id(writer, a[writer]), &logs[writer][a[writer]]);
            let mut first = mine.clone();
            first.apply(next, entry).expect("it is the next");
            let mut last = mine.join(&theirs);
            last.apply(next, entry).expect("it is the next of the joined state too");
            prop_assert_eq!(first.join(&theirs), last);
        }
    }

    #[test]
    fn joining_states_with_losses_is_commutative_associative_and_idempotent(
        seeds in seeds(), cuts in [shares(), shares(), shares()], lost in [losses(), losses(), losses()],
    ) {
        let logs = logs(&seeds);
        let [a, b, c] = std::array::from_fn(|at| fold_without(&logs, cut(&logs, cuts[at]), &lost[at]));
        prop_assert_eq!(a.join(&b), b.join(&a));
        let (one, other) = (a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(without_roster_logs(one), without_roster_logs(other));
        prop_assert_eq!(&a.join(&a), &a);
        prop_assert_eq!(a.join(&b).join(&b), a.join(&b));
        prop_assert_eq!(a.join(&State::default()), a);
    }

    #[test]
    fn who_has_seen_as_much_and_lost_nothing_makes_all_losses_good(
        seeds in seeds(), cut_at in shares(), lost in losses(),
    ) {
        let logs = logs(&seeds);
        let cut = cut(&logs, cut_at);
        let whole = fold(&logs, cut, &[]);
        let joined = fold_without(&logs, cut, &lost).join(&whole);
        prop_assert!(joined.lost.is_empty(), "{:?}", joined.lost);
        for (roster, kept) in &whole.roster_logs {
            prop_assert!(joined.roster_logs.get(roster).is_some_and(|logs| logs.is_superset(kept)));
        }
        prop_assert_eq!(without_roster_logs(joined), without_roster_logs(whole));
    }

    #[test]
    fn what_two_nodes_lost_in_different_places_they_know_together(
        seeds in seeds(), a in shares(), b in shares(), lost in losses(),
    ) {
        let logs = logs(&seeds);
        let (a, b) = (cut(&logs, a), cut(&logs, b));
        let both = std::array::from_fn(|writer| a[writer].max(b[writer]));
        // Every second one is lost here, the others there.
        let here = lost.iter().copied().step_by(2).collect();
        let there = lost.iter().copied().skip(1).step_by(2).collect();
        let joined = fold_without(&logs, a, &here).join(&fold_without(&logs, b, &there));
        // What one lost beyond the end of the other is known to nobody.
        let within = |id: &RecordId, cut: Cut| (0..WRITERS).any(|of| log(of) == id.log && id.seq < cut[of] as u64);
        let unknown = lost.iter().copied().filter(|id| {
            let known = within(id, a) && !here.contains(id) || within(id, b) && !there.contains(id);
            within(id, both) && !known
        });
        let unknown: BTreeSet<RecordId> = unknown.collect();
        prop_assert_eq!(&joined.lost, &unknown);
        let expected = fold_without(&logs, both, &unknown);
        prop_assert_eq!(without_roster_logs(joined), without_roster_logs(expected));
    }

    #[test]
    fn a_finished_alert_never_comes_back_with_a_stale_copy(seeds in seeds(), stale in shares()) {
        let logs = logs(&seeds);
        let full = fold(&logs, whole(&logs), &[]);
        let stale = fold(&logs, cut(&logs, stale), &[]);
        for joined in [full.join(&stale), stale.join(&full)] {
            for alert in finished(&logs) {
                prop_assert!(!joined.open.contains_key(&alert), "{alert} is back");
                prop_assert!(!joined.early.contains_key(&alert), "facts of {alert} are back");
            }
            prop_assert_eq!(&joined, &full);
        }
    }

    #[test]
    fn what_is_left_after_forgetting_recovers_to_the_same_state(seeds in seeds(), turns in turns()) {
        let logs = logs(&seeds);
        let full = fold(&logs, whole(&logs), &turns);
        // Only what is folded in whole is forgotten: a `Closed` that came before its `Accept` still waits.
        let gone: BTreeSet<AlertId> =
            finished(&logs).into_iter().filter(|alert| !full.early_closed.contains(alert)).collect();
        let recovered = recover_without(&logs, &gone);
        prop_assert_eq!(recovered, full);
    }

    #[test]
    fn what_is_left_halfway_through_forgetting_recovers_to_the_same_state(seeds in seeds(), which in any::<u64>()) {
        let logs = logs(&seeds);
        let full = fold(&logs, whole(&logs), &[]);
        let over = finished(&logs).into_iter().filter(|alert| !full.early_closed.contains(alert));
        let mut gone: BTreeSet<AlertId> =
            over.enumerate().filter(|(at, _)| which >> (at % 64) & 1 == 1).map(|(_, alert)| alert).collect();
        // A twin goes after what it was merged into: its records say what became of that.
        for _ in 0..logs.iter().map(Vec::len).sum() {
            for entry in logs.iter().flatten() {
                if let Record::Merged { alert, into, .. } = &entry.record && !gone.contains(into) {
                    gone.remove(alert);
                }
            }
        }
        prop_assert_eq!(recover_without(&logs, &gone), full);
    }
}

#[test]
fn a_record_that_names_a_later_one_of_its_own_log_is_poison_and_changes_nothing() {
    let resume = |pause| Record::Resume { pauses: vec![(pause, Wall(0))], by: Actor::ourselves() };
    let close = |alert| Record::Closed { alert: AlertId(alert) };
    let check = |record: Record, expect: Result<(), Poison>| {
        let mut state = State::default();
        let pause = Record::Pause { by: Actor::ourselves(), reason: "work".into() };
        state.apply(id(0, 0), &Entry { at: Wall(0), record: pause }).expect("the first record");
        let before = state.clone();
        let entry = Entry { at: Wall(1), record };
        assert_eq!(state.apply(id(0, 1), &entry), expect, "{entry:?}");
        assert_eq!(state == before, expect.is_err(), "{entry:?}");
    };
    check(resume(id(0, 0)), Ok(()));
    check(resume(id(0, 1)), Err(Poison::Future));
    check(resume(id(0, 2)), Err(Poison::Future));
    check(resume(id(1, 9)), Ok(()));
    check(close(id(0, 2)), Err(Poison::Future));
    check(close(id(1, 9)), Ok(()));
}

/// A node lets go of a silence that has long been over, each in its own time.
#[test]
fn a_silence_that_one_side_let_go_of_does_not_come_back() {
    let silence = Silence {
        matchers: Matchers::default(),
        from: Wall(0),
        until: Wall(10),
        by: Actor::ourselves(),
        author: "".into(),
        comment: "".into(),
    };
    let (first, ends) = (id(0, 0), id(1, 0));
    let silence = Entry { at: Wall(0), record: Record::Silence(Arc::new(silence)) };
    let ended = Record::Unsilence { silence: first, by: Actor::ourselves() };
    let ended = Entry { at: Wall(5), record: ended };
    let mut still = State::default();
    still.apply(first, &silence).expect("the next of its log");
    let mut gone = still.clone();
    gone.silences.clear();
    let mut heard = still.clone();
    heard.apply(ends, &ended).expect("the next of its log");
    for other in [&still, &heard] {
        let joined = gone.join(other);
        assert_eq!(joined, other.join(&gone));
        assert!(joined.silences.is_empty() && joined.early_unsilenced.is_empty());
        assert_eq!(joined.join(other), joined);
    }
    gone.apply(ends, &ended).expect("the next of its log");
    assert!(gone.silences.is_empty() && gone.early_unsilenced.is_empty(), "what ends it comes too late");
    assert_eq!(gone.join(&still), still.join(&gone));
}

#[test]
fn of_too_many_silences_those_that_end_last_are_kept_however_they_came() {
    let many = u64::try_from(SILENCES_MAX / 2).expect("a number") + 50;
    let log = |writer: usize| {
        // Not in the order of their ends.
        let until = move |place: u64| Wall(i64::try_from((place * 7919) % many * 2).expect("small") + 1);
        (0..many).map(move |place| {
            let silence = Silence {
                matchers: Matchers::default(),
                from: Wall(0),
                until: until(place),
                by: Actor::ourselves(),
                author: "".into(),
                comment: "".into(),
            };
            (id(writer, 0).log, place, Record::Silence(Arc::new(silence)))
        })
    };
    let fold = |records: &mut dyn Iterator<Item = (LogId, u64, Record)>| {
        let mut state = State::default();
        for (log, seq, record) in records {
            state.apply(RecordId { log, seq }, &Entry { at: Wall(0), record }).expect("the next of its log");
        }
        state
    };
    let (one, other) = (fold(&mut log(0)), fold(&mut log(1)));
    let both = fold(&mut log(1).chain(log(0)));
    assert_eq!(both.silences.len(), SILENCES_MAX);
    assert_eq!(one.join(&other), both);
    assert_eq!(other.join(&one), both);
    assert_eq!(both.join(&one), both);
}
