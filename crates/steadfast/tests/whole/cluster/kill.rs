//! kill -9, and orderly stops, of one node of two under load.

use crate::cluster::judge::{Figures, arrivals, downs, judge, messages};
use crate::cluster::load::{CREW, Load, PUMPS, Told};
use crate::cluster::nodes::Cluster;
use crate::cluster::{fewer_trials, on_clusters};
use crate::site::{Chance, trials};
use lab::within;
use std::time::{Duration, Instant};

/// Clients at once.
const SENDERS: usize = 4;
#[test]
fn a_node_killed_right_after_its_yes_loses_nothing() {
    within(|| {
        let (mut total, mut level) = (Figures::default(), Duration::ZERO);
        on_clusters(2, trials(), |cluster, seeds| {
            for seed in seeds {
                let (figures, took) = kill_trial(cluster, seed);
                total += figures;
                level = level.max(took);
            }
        });
        println!(
            "figure: kill -9 of the acceptor right after its yes: {} trials, {total}; level again after {} ms at most",
            trials(),
            level.as_millis()
        );
    });
}

/// Kills one of the two under load, lets the other finish, and starts it again.
fn kill_trial(cluster: &Cluster, seed: u64) -> (Figures, Duration) {
    let mut chance = Chance(seed);
    let victim = usize::from(chance.below(2) == 1);
    let load = Load::new(cluster, &format!("kill {seed}"));
    load.during_with_acknowledgements(SENDERS, seed, || {
        std::thread::sleep(Duration::from_millis(chance.below(600)));
        // What it sends in half of the trials arrives, but it does not live to hear so.
        if chance.below(2) == 0 {
            cluster.sink.stall(cluster.lan.side(victim));
        }
        // What is killed is now the middle of two steps, now that of one.
        let group = if seed.is_multiple_of(3) { PUMPS } else { CREW };
        assert!(load.insist(&format!("kill {seed} last"), group, &[victim]));
        cluster.nodes[victim].kill();
        cluster.sink.answer(cluster.lan.side(victim));
        std::thread::sleep(Duration::from_millis(chance.below(1200)));
    });
    let told = load.told();
    cluster.settle();
    let before = judge(cluster, &told, &format!("seed {seed}"));
    let arrived = arrivals(cluster);
    let begun = Instant::now();
    cluster.run(victim);
    cluster.level();
    let level = begun.elapsed();
    cluster.settle();
    nothing_again(cluster, &told, arrived.len(), seed);
    let after = judge(cluster, &told, &format!("seed {seed}, after the return"));
    assert_eq!((before.accepted, before.repeats), (after.accepted, after.repeats), "seed {seed}");
    (after, level)
}

/// What had arrived before a node returned does not arrive again.
fn nothing_again(cluster: &Cluster, told: &Told, before: usize, seed: u64) {
    let arrived = arrivals(cluster);
    let (before, after) = arrived.split_at(before);
    let known = messages(before);
    for one in after {
        let again = known.contains_key(&(one.summary.clone(), one.recipient.clone()));
        assert!(
            !again,
            "seed {seed}: sent again after the return: {one:?}, {:?}",
            told.yes.get(&one.summary)
        );
    }
}

#[test]
fn an_orderly_stop_repeats_nothing() {
    within(|| {
        let (mut total, mut down) = (Figures::default(), 0);
        on_clusters(2, fewer_trials(), |cluster, seeds| {
            for seed in seeds {
                let (figures, others) = stop_trial(cluster, seed);
                total += figures;
                down += others;
            }
        });
        println!(
            "figure: SIGTERM under load: {} trials, {total}; peers declared down otherwise: {down}",
            fewer_trials()
        );
    });
}

/// Stops one of the two under load, and starts it again.
fn stop_trial(cluster: &Cluster, seed: u64) -> (Figures, usize) {
    let mut chance = Chance(seed ^ 0x5709);
    let victim = usize::from(chance.below(2) == 1);
    let downs_before = downs(cluster).len();
    let load = Load::new(cluster, &format!("stop {seed}"));
    load.during(SENDERS, || {
        std::thread::sleep(Duration::from_millis(200 + chance.below(600)));
        let status = cluster.nodes[victim].stop();
        assert!(status.success(), "seed {seed}: {status}: {}", cluster.nodes[victim].said());
        std::thread::sleep(Duration::from_millis(chance.below(400)));
    });
    cluster.settle();
    cluster.run(victim);
    cluster.level();
    cluster.settle();
    let figures = judge(cluster, &load.told(), &format!("seed {seed}"));
    let seen = downs(cluster);
    // Of the node that stopped it is true.
    let others = (seen.len() - downs_before).saturating_sub(1);
    // A machine too busy to run both nodes may make one think the other dead; then marks are right.
    assert!(
        figures.marked == 0 || others > 0,
        "seed {seed}: {} messages are marked as repeats: {seen:?}",
        figures.marked
    );
    (figures, others)
}
