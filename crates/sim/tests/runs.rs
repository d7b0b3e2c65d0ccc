//! What must hold of the simulator itself, and of thousands of runs: part of every change's tests.
//!
//! Without optimisation a run takes a hundred times as long, so that the counts are small there; `cargo xtask
//! test` runs this in release, with all of them.

use ownership::Rules;
use sim::profile::{PROFILES, find};
use sim::{Plan, Sweep, run, sweep};

/// Runs of each profile and number of nodes; `cargo xtask sim` runs as many as one likes.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 440 };
/// The same of those profiles in which so much happens that one run takes ten times as long.
const SEEDS_OF_CROWDED: u64 = if cfg!(debug_assertions) { 2 } else { 120 };

fn plan(profile: &str, nodes: usize, seed: u64, told: bool) -> Plan {
    let profile = find(profile).expect("a profile of that name");
    Plan { profile, nodes, seed, rules: Rules::default(), told }
}

#[test]
fn one_seed_is_one_run() {
    for (profile, nodes) in [("full", 3), ("passive", 2)] {
        let one = run(plan(profile, nodes, 7, true)).transcript;
        let other = run(plan(profile, nodes, 7, true)).transcript;
        assert!(one.lines().count() > 100, "little happens in {profile}");
        assert!(one == other, "{profile} took two ways from one seed");
    }
}

#[test]
fn what_is_told_does_not_change_what_happens() {
    let told = run(plan("full", 3, 11, true)).tally;
    let quiet = run(plan("full", 3, 11, false)).tally;
    assert_eq!(format!("{told:?}"), format!("{quiet:?}"));
}

#[test]
fn seeds_that_failed_once_hold() {
    for (profile, nodes, seed, found) in PINNED {
        let broken = run(plan(profile, *nodes, *seed, false)).broken;
        assert!(broken.is_empty(), "{profile} with {nodes} nodes, seed {seed} ({found}): {broken:#?}");
    }
}

/// Seeds that found something, and what.
const PINNED: &[(&str, usize, u64, &str)] = &[
    ("calm", 2, 0, "the first member record set aside all that the data folder said"),
    ("calm", 3, 3, "a twin of an alert that was not seen yet lost its code"),
    (
        "partition",
        3,
        19,
        "the acceptance of a known twin set up its target anew, and the core ran in circles",
    ),
    ("partition", 3, 58, "records that a snapshot jumped over were offered to a peer"),
    ("partition", 3, 30, "an announcement withheld because its alert was merged counted as told"),
    ("partition", 3, 259, "the same, where that other alert had not arrived yet"),
    ("lossy", 2, 353, "a first word that came late made a clock seem behind, and steps fired late"),
    ("lossy", 3, 262, "the same, of one word after a long silence"),
    ("crash", 2, 57, "an alert waited for its own refused attempt for ever"),
    ("crash", 3, 47, "a step of a node that was never heard was late without saying so"),
    ("crash", 3, 39, "a step that was heard of before its alert counted from the acceptance"),
    ("pause", 3, 1, "the late firing of a step at one node moved the next one back at all"),
    (
        "passive",
        2,
        215,
        "an alert whose people its twin told after the two were one did not close when abandoned",
    ),
    ("pause", 2, 7, "an alert whose people its twin had told never closed"),
    ("full", 3, 115, "the disk's word on one snapshot lowered the base that a later one had raised"),
    ("full", 2, 264, "a node that lost its disk repeated without a mark what only that disk knew"),
    ("full", 2, 335, "an alert whose outcomes came before itself waited a day to be closed"),
    ("full", 2, 412, "a copy that was never synced was said to have survived"),
    ("full", 2, 36, "a peer that fell behind a snapshot got no other one"),
    ("disk", 2, 20, "a roster was forgotten while a peer held the end of its log"),
    ("operators", 2, 10, "words that had waited behind a cut set the other clock back"),
    ("operators", 2, 116, "two nodes forced themselves to be primary, and each kept its own book"),
    ("members", 3, 42, "nobody took the front while a witness lived"),
    ("wipe", 3, 47, "a message that waited to be tried again was announced twice at once"),
    ("members", 3, 406, "a node that had been taken out was listened to"),
    ("members", 3, 110, "a witness took orders, and the front"),
    ("flap", 3, 114, "a step of a node whose clock was a little ahead was due at once"),
    ("rot", 2, 121, "an alert whose people came back with a snapshot did not go on"),
    ("rot", 2, 311, "a claim spanned an alert that was lost, and nobody sent it when it came back"),
    ("rot", 2, 1653, "a firing that rotted was not known to the checker of times"),
    ("rot", 3, 1843, "a firing that came with a snapshot was not known to the checker of times"),
    ("passive", 2, 0, "a standby node woke for claims that it did not open"),
];

#[test]
fn nothing_breaks_in_a_thousand_runs() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut broken = Vec::new();
    let mut runs = 0;
    for profile in PROFILES.iter().filter(|profile| profile.hole.is_none()) {
        for nodes in [2, 3] {
            let rules = Rules::default();
            let seeds =
                0..if ["flap", "wipe", "lossy"].contains(&profile.name) { SEEDS_OF_CROWDED } else { SEEDS };
            let summary = sweep(&Sweep { profile, nodes, seeds, rules, threads });
            runs += summary.runs;
            let name = profile.name;
            broken.extend(
                summary.failures.into_iter().map(|(seed, what)| format!("{name} {nodes} {seed}: {what}")),
            );
        }
    }
    assert!(broken.is_empty(), "{} of {runs} runs broke:\n{}", broken.len(), broken.join("\n"));
}
