//! The same questions put to `oracle.py`, which works by writing hand-overs down one after the other.
//!
//! Separate, because it needs Python 3.9 or later with its zones: the system's, or those of the package
//! `tzdata`. Without Python the test says so and passes; in CI it fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use schedule::{Schedule, Timeline as _, form};
use serde_json::{Value, json};

use crate::arbitrary;
use crate::common::names;

/// Schedules, and instants for each: 12,000 pairs.
const SCHEDULES: usize = 400;
const INSTANTS: usize = 30;
/// Days after a schedule's day within which instants are, and what the oracle looks ahead.
const DAYS: i64 = 400;
const AHEAD_DAYS: i64 = 40;

/// One schedule with the instants to ask about.
struct Case {
    form: form::Schedule,
    schedule: Schedule,
    instants: Vec<Timestamp>,
    until: i64,
}

#[test]
fn an_independent_oracle_gives_the_same_people_and_hand_overs() {
    let Some(python) = python() else { return };
    let cases = cases();
    let answers = ask(&python, &cases);
    let (mut pairs, mut somebody, mut handed_over) = (0, 0, 0);
    for (case, answers) in cases.iter().zip(&answers) {
        for (at, answer) in case.instants.iter().zip(answers.as_array().unwrap()) {
            let who: Vec<&str> = answer[0].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let on_call = case.schedule.on_call(*at);
            let place = || format!("at {at} of {}", serde_json::to_string(&case.form).unwrap());
            assert_eq!(names(&on_call.who), who.join(" "), "{}", place());
            let next = case.schedule.next_hand_over(*at).map(Timestamp::as_second);
            let next = next.filter(|next| *next <= at.as_second() + AHEAD_DAYS * 86_400);
            assert_eq!(next, answer[1].as_i64(), "the hand-over after {}", place());
            pairs += 1;
            somebody += usize::from(!who.is_empty());
            handed_over += usize::from(next.is_some());
        }
    }
    assert_eq!((answers.len(), pairs), (SCHEDULES, SCHEDULES * INSTANTS));
    assert!(pairs / 2 < somebody && pairs / 2 < handed_over, "{somebody} and {handed_over} of {pairs}");
}

/// The cases are the same in every run.
fn cases() -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    (0..SCHEDULES)
        .map(|_| {
            let (day, form) =
                arbitrary::schedule().new_tree(&mut runner).expect("nothing is filtered").current();
            let schedule = form.read(tz::db()).expect("it is allowed");
            let first = arbitrary::start(day);
            let mut draw =
                |below: i64| (0..below).new_tree(&mut runner).expect("nothing is filtered").current();
            let instants: Vec<Timestamp> = (0..INSTANTS)
                .map(|count| {
                    let at = first + SignedDuration::from_secs(draw(DAYS * 86_400));
                    near(&schedule, &form.zone, count, at, draw(9 * 3600) - 9 * 1800)
                })
                .collect();
            let until = (first + SignedDuration::from_hours(24 * (DAYS + AHEAD_DAYS + 201))).as_second();
            Case { form, schedule, instants, until }
        })
        .collect()
}

/// A third of the instants are anywhere, a third at hand-overs and a second before, a third where clocks are set.
fn near(schedule: &Schedule, zone: &str, count: usize, at: Timestamp, offset: i64) -> Timestamp {
    let soon = |other: Option<Timestamp>| {
        other.filter(|other| *other < at + SignedDuration::from_hours(24 * 200)).unwrap_or(at)
    };
    match count % 6 {
        0 | 1 => at,
        2 => soon(schedule.next_hand_over(at)),
        3 => soon(schedule.next_hand_over(at)) - SignedDuration::from_secs(1),
        _ => {
            let zone = TimeZone::get(zone).expect("it is in the list");
            let change = zone.following(at).next().map(|change| change.timestamp());
            soon(change) + SignedDuration::from_secs(offset)
        }
    }
}

fn ask(python: &Path, cases: &[Case]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/on_call/oracle.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this Python was found");
    let mut input = child.stdin.take().expect("it is piped");
    let questions: Vec<String> = cases
        .iter()
        .map(|case| {
            let instants: Vec<i64> = case.instants.iter().map(|at| at.as_second()).collect();
            json!({ "schedule": case.form, "until": case.until, "instants": instants }).to_string()
        })
        .collect();
    let writer = std::thread::spawn(move || {
        // An oracle that stopped early has said why; its status is looked at below.
        questions.iter().try_for_each(|question| writeln!(input, "{question}")).unwrap_or_default();
    });
    let output = child.wait_with_output().expect("it was started");
    writer.join().expect("it does not panic");
    assert!(
        output.status.success(),
        "the oracle failed; where zones are missing, install the package tzdata"
    );
    let text = String::from_utf8(output.stdout).expect("it writes ASCII");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The Python of `STEADFAST_PEERS`, or the machine's.
#[expect(clippy::print_stderr, reason = "a test that does nothing has to say so")]
fn python() -> Option<PathBuf> {
    let peers = std::env::var_os("STEADFAST_PEERS").map(|folder| Path::new(&folder).join("venv/bin/python"));
    let choices = peers.into_iter().chain([PathBuf::from("python3")]);
    let works = |python: &PathBuf| {
        let probe = Command::new(python).args(["-c", "import zoneinfo"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    };
    let found = choices.into_iter().find(works);
    if found.is_none() {
        let why = "there is no python3 with zoneinfo (3.9 or later) on the path or in STEADFAST_PEERS";
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
        eprintln!("not tried: {why}");
    }
    found
}
