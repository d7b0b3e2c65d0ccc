//! Every order of events, for three real cores and one alert or two: who may send, and when.
//!
//! Random walks find what is likely; this looks at everything that is small. A accepted alerts that nobody sent yet,
//! and dies, is cut off or hands over. From there the orders are gone through in which messages arrive, disks finish,
//! providers answer, peers notice and deadlines pass: first the one in which nothing overtakes anything, then those
//! with one overtaking, then two, as far as the number of states goes. Every state that only time, a provider or
//! fate can move on is run to its end, fairly. `laws` and `world` say what must hold.
//!
//! `STEADFAST_STATES=2000000 cargo test -p dispatch --release --test claims -- --nocapture` looks further, and
//! prints how far; a path that breaks a law is printed as a list of events.

mod laws;
mod node;
#[path = "../transcripts/notation.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod notation;
mod search;
mod words;
mod world;

use ownership::{Rules, Timings};
use search::look;
use std::time::Duration;
use world::{Dies, Scene, Start};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Nobody is missed by silence: a search that waits for nothing else needs few deadlines.
const PATIENT: Timings = Timings {
    heartbeat: ms(20_000),
    down_after: ms(2_000_000),
    gate: ms(250),
    claim_wait: ms(600),
    disk_hangs: ms(1_000_000),
};

const RULES: Rules = Rules {
    mutual: true,
    vouching: true,
    per_boot: true,
    mirrored: true,
    gate: true,
    claim_wait: true,
    caught_up: true,
    barrier: true,
    pause_guard: true,
    chosen: true,
    home: true,
    fence: true,
    aliases: true,
    patience: true,
    hush: true,
};

/// Deadlines that come soon: silence is noticed.
const PROMPT: Timings = Timings {
    heartbeat: ms(550),
    down_after: ms(600),
    gate: ms(250),
    claim_wait: ms(600),
    disk_hangs: ms(1_000_000),
};

const DEATH: Scene = Scene {
    name: "A dies",
    alerts: 1,
    timings: PATIENT,
    rules: RULES,
    ticks: 2,
    start: Start::Posted,
    dies: Dies::AtAnyMoment,
    resets: true,
    restarts: false,
    cut: &[],
    slow: None,
    deep: false,
    switches: false,
    states: 12_000,
};
const TWO: Scene = Scene { name: "A dies with two alerts", alerts: 2, ..DEATH };
const SILENCE: Scene = Scene {
    name: "A falls silent",
    timings: PROMPT,
    rules: Rules { pause_guard: false, ..RULES },
    ticks: 4,
    resets: false,
    ..DEATH
};
const RETURN: Scene = Scene {
    name: "A dies and returns",
    start: Start::Mirrored,
    dies: Dies::AtOnce,
    restarts: true,
    states: 20_000,
    ..DEATH
};
const SPLIT: Scene = Scene {
    name: "A dies while B and C are cut off from each other",
    timings: PROMPT,
    rules: Rules { pause_guard: false, ..RULES },
    ticks: 3,
    start: Start::Mirrored,
    dies: Dies::AtOnce,
    cut: &[(1, 2)],
    ..DEATH
};
const SLOW: Scene = Scene { name: "the same, and B's disk is slow", slow: Some(1), states: 20_000, ..SPLIT };
const ABSENCE: Scene = Scene {
    name: "A is cut off and comes back",
    start: Start::Sent,
    dies: Dies::Never,
    cut: &[(0, 1), (0, 2)],
    slow: Some(1),
    deep: true,
    ticks: 3,
    ..SILENCE
};
const B_KNOWS: Scene = Scene {
    name: "B alone knows that A's message went out",
    start: Start::DoneKnownTo(1),
    dies: Dies::AtOnce,
    ..DEATH
};
const C_KNOWS: Scene =
    Scene { name: "C alone knows that A's message went out", start: Start::DoneKnownTo(2), ..B_KNOWS };
const HANDOVER: Scene = Scene { name: "A hands over, and dies", switches: true, ..DEATH };

/// Looks at a scene, in which nothing may be wrong.
fn holds(scene: &Scene) {
    let found = look(scene, "all rules on");
    let why = found.fault.map(|(why, path)| format!("{why}\n{}", path.join("\n")));
    assert_eq!(why, None, "{}", scene.name);
}

#[test]
fn whenever_the_acceptor_dies_one_survivor_sends() {
    holds(&DEATH);
}

#[test]
fn of_two_alerts_both_are_taken_over() {
    holds(&TWO);
}

#[test]
fn silence_is_enough_to_be_succeeded() {
    holds(&SILENCE);
}

#[test]
fn who_returns_does_not_send_beside_its_successor() {
    holds(&RETURN);
}

#[test]
fn survivors_that_cannot_hear_each_other_agree_when_they_can() {
    holds(&SPLIT);
    holds(&SLOW);
}

#[test]
fn an_owner_that_was_away_yields() {
    holds(&ABSENCE);
}

#[test]
fn what_is_handed_over_is_sent_by_the_heir() {
    holds(&HANDOVER);
}

#[test]
fn what_one_survivor_knows_to_be_done_is_not_repeated_by_the_other() {
    holds(&B_KNOWS);
    holds(&C_KNOWS);
}

/// Switches one rule off and looks whether that shows in a scene.
fn breaks(scene: &Scene, rule: &str, off: fn(&mut Rules)) -> bool {
    let mut rules = scene.rules;
    off(&mut rules);
    look(&Scene { rules, ..*scene }, &format!("without {rule}")).fault.is_some()
}

#[test]
fn without_the_rules_for_claims_something_breaks() {
    assert!(breaks(&RETURN, "claim_wait", |rules| rules.claim_wait = false));
    // One survivor is chosen, and where two claim all the same they wait: either rule covers for the other.
    assert!(
        breaks(&DEATH, "chosen and claim_wait", |rules| (rules.chosen, rules.claim_wait) = (false, false))
    );
    assert!(breaks(&RETURN, "barrier", |rules| rules.barrier = false));
    assert!(breaks(&B_KNOWS, "caught_up", |rules| rules.caught_up = false));
    assert!(breaks(&ABSENCE, "patience", |rules| rules.patience = false));
    // What another node is just sending is seen by either look before a message leaves.
    assert!(breaks(&SLOW, "fence and patience", |rules| (rules.fence, rules.patience) = (false, false)));
}
