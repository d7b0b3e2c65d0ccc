//! Every order of events, for three real cores and one alert or two: who may send, and when.
//!
//! Random walks find what is likely; this looks at everything that is small. A accepted alerts that nobody sent
//! yet, and dies at every possible moment. From there all orders in which messages arrive, disks finish, providers
//! answer, peers notice and deadlines pass are gone through, and each state that time alone can move on is run to its end.
//! `STEADFAST_STATES=20000000 cargo test -p dispatch --release --test claims` looks further.

mod laws;
mod node;
#[path = "../transcripts/notation.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod notation;
mod search;
mod world;

use ownership::{Rules, Timings};
use search::look;
use std::time::Duration;
use world::Scene;

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
    home: true,
    exact_ranges: true,
    fence: true,
    aliases: true,
    patience: true,
};

/// Deadlines that come soon: silence is noticed.
const PROMPT: Timings = Timings {
    heartbeat: ms(500),
    down_after: ms(1000),
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
    dies: true,
    resets: true,
    restarts: false,
    cut: &[],
    switches: false,
    states: 30_000,
};
const TWO: Scene = Scene { name: "A dies with two alerts", alerts: 2, ..DEATH };
const SILENCE: Scene = Scene { name: "A falls silent", timings: PROMPT, ticks: 6, resets: false, ..DEATH };
const RETURN: Scene = Scene { name: "A dies and returns", restarts: true, ticks: 3, ..DEATH };
const SPLIT: Scene =
    Scene { name: "A dies while B and C are cut off from each other", cut: &[(1, 2)], ..SILENCE };
const ABSENCE: Scene =
    Scene { name: "A is cut off and comes back", dies: false, cut: &[(0, 1), (0, 2)], ..SILENCE };
const HANDOVER: Scene = Scene { name: "A hands over, and dies", switches: true, ..DEATH };

/// Looks at a scene, in which nothing may be wrong.
fn holds(scene: &Scene) {
    let found = look(scene);
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
}

#[test]
fn an_owner_that_was_away_yields() {
    holds(&ABSENCE);
}

#[test]
fn what_is_handed_over_is_sent_by_the_heir() {
    holds(&HANDOVER);
}

/// Each rule that concerns claims, switched off: in which scene something goes wrong then.
#[test]
#[ignore = "report"]
fn each_rule_is_needed() {
    type Off = fn(&mut Rules);
    let rules: [(&str, Off); 9] = [
        ("claim_wait", |rules| rules.claim_wait = false),
        ("caught_up", |rules| rules.caught_up = false),
        ("fence", |rules| rules.fence = false),
        ("exact_ranges", |rules| rules.exact_ranges = false),
        ("home", |rules| rules.home = false),
        ("patience", |rules| rules.patience = false),
        ("barrier", |rules| rules.barrier = false),
        ("gate", |rules| rules.gate = false),
        ("vouching", |rules| rules.vouching = false),
    ];
    for (name, off) in rules {
        for scene in [DEATH, TWO, SILENCE, RETURN, SPLIT, ABSENCE, HANDOVER] {
            let mut rules = RULES;
            off(&mut rules);
            let found = look(&Scene { rules, ..scene });
            if let Some((why, path)) = found.fault {
                println!("WITHOUT {name}: {why} ({} events)", path.len());
            }
        }
    }
}
