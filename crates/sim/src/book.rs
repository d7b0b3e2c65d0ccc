//! The address book of every run: few people, short steps, so that much happens in little time.

use base::{Name, Wall};
use dispatch::Almanac;
use dispatch::directory::{
    Address, Calendar, Directory, Group, Inhibition, ListedAddress, Maintenance, Mode, Policy, Recipient,
    Repeat, Schedule, Step, Target,
};
use dispatch::record::Shift;
use std::sync::Arc;
use std::time::Duration;

/// Who is told, besides the operators.
pub(crate) const PEOPLE: [&str; 4] = ["anna", "ben", "chief", "olga"];

/// A name that stands in the code.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a constant that is a name")
}

fn recipient(who: &str) -> (Name, Recipient) {
    let address = Address { channel: name("mail"), value: format!("{who}@x").into() };
    let addresses = vec![ListedAddress { address, default: true }];
    let entry = Recipient { title: who.into(), department: None, language: None, addresses, policy: None };
    (name(who), entry)
}

fn step(after_ms: u64, to: &[&str], again: bool) -> Step {
    let to = to.iter().map(|who| Target::Named(name(who))).collect();
    Step { after: Duration::from_millis(after_ms), to, again, channel: None }
}

fn policies() -> [(Name, Policy); 4] {
    let secs = Duration::from_secs;
    let basic = Policy {
        steps: vec![step(2000, &["ben"], false), step(3000, &["chief"], true)],
        tell_acknowledgement: true,
        tell_comment: true,
        close_after: secs(2),
        abandon_after: secs(6),
        ..Policy::default()
    };
    let recall = Policy {
        mode: Mode::Recall,
        steps: vec![step(2500, &[], true)],
        repeat: Some(Repeat { times: 1, after: secs(3), from_step: 1 }),
        close_after: secs(2),
        abandon_after: secs(6),
        ..Policy::default()
    };
    let lasting = Policy {
        steps: vec![step(4000, &["ben"], false)],
        tell_resolved: true,
        close_after: secs(25),
        abandon_after: secs(25),
        ..Policy::default()
    };
    let quiet = Policy { mode: Mode::None, ..Policy::default() };
    [(name("basic"), basic), (name("recall"), recall), (name("lasting"), lasting), (name("quiet"), quiet)]
}

/// What the directory says of the schedule. Nobody computes with it here; it is what a record carries.
fn rota(names: &[&str]) -> Arc<str> {
    let turns = names.iter().map(|who| format!("[\"{who}\"]")).collect::<Vec<_>>().join(",");
    let rotation = r#""rotation":{"unit":"weeks","length":1},"from":"2026-01-05T09:00""#;
    format!(r#"{{"zone":"UTC","layers":[{{"turns":[{turns}],{rotation}}}]}}"#).into()
}

/// What the directory says of the nights; nobody computes with that either.
const NIGHTS: &str = r#"{"zone":"UTC","windows":[{"from":"22:00","until":"06:00"}]}"#;

/// How long a shift is: short, so that clocks which differ see many alerts on both sides of a hand-over.
const SHIFT_MS: i64 = 1300;

/// Which shift it is, by a wall clock.
pub(crate) fn shift(now: Wall) -> i64 {
    now.0.div_euclid(SHIFT_MS)
}

/// Who is on call in a shift; in one of four nobody is. One of six is a night.
pub(crate) fn almanac(shift: i64) -> Almanac {
    let who = match shift.rem_euclid(4) {
        0 => vec![name("anna")],
        1 => vec![name("ben")],
        2 => vec![name("chief"), name("anna")],
        _ => Vec::new(),
    };
    let because = format!("shift {shift}").into();
    let on_call = [(name("rota"), Shift { schedule: name("rota"), who, because, joined: Vec::new() })].into();
    let night = (shift.rem_euclid(6) == 0).then(|| name("nights"));
    Almanac { on_call, calendars: night.into_iter().collect(), offset: 0 }
}

/// How long an alert stands that its source has to post again and again.
pub(crate) const STANDS_FOR: Duration = Duration::from_secs(6);

/// What holds alerts back; every third edit takes it out.
fn hold_back(book: &mut Directory, edit: u64) {
    book.settings.resolve_timeout = STANDS_FOR;
    if edit % 3 == 2 {
        return;
    }
    let matchers = |text: &str| text.parse().expect("a constant that is a list of matchers");
    book.inhibitions.push(Inhibition {
        name: name("severity"),
        source: matchers("severity=critical"),
        target: matchers("severity=high"),
        equal: vec!["site".into()],
    });
    let window =
        Maintenance { title: "".into(), matchers: matchers("site=south"), calendars: vec![name("nights")] };
    book.maintenance.insert(name("nightly"), window);
    book.calendars.insert(name("nights"), Calendar { rules: NIGHTS.into() });
}

/// The book; `edit` makes one that differs, for edits while a run goes on. With `holds` it holds alerts back.
pub(crate) fn book(edit: u64, holds: bool) -> Arc<Directory> {
    let mut book = Directory::default();
    book.recipients.extend(PEOPLE.iter().map(|who| recipient(who)));
    let members = vec![name("anna"), name("ben")];
    let title = format!("pumps, as of edit {edit}").into();
    book.groups.insert(name("pumps"), Group { title, department: None, members, policy: None });
    // In every other book the chief is on call without being known to the alerts from before.
    let names: &[&str] = if edit.is_multiple_of(2) { &["anna", "ben"] } else { &["anna", "ben", "chief"] };
    let rules = rota(names);
    let names = names.iter().map(|who| name(who)).collect();
    book.schedules.insert(name("rota"), Schedule { names, rules });
    book.policies.extend(policies());
    book.settings.operators = vec![Target::Named(name("olga"))];
    if holds {
        hold_back(&mut book, edit);
    }
    Arc::new(book)
}
