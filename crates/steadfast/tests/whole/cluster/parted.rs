//! Links that are cut: both ways, one way, and one of three.

use crate::cluster::judge::{Figures, arrivals, downs, judge, messages};
use crate::cluster::load::{Load, PUMPS};
use crate::cluster::nodes::{Cluster, Node};
use crate::cluster::{fewer_trials, on_clusters};
use crate::site::{Chance, PATIENCE};
use lab::within;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Waiting longer for a yes than this is no wait for a silent peer (1 s) any more.
const YES_MAX: Duration = Duration::from_secs(10);

#[test]
fn both_sides_of_a_cut_deliver_and_agree_after_it() {
    within(|| {
        let mut total = Figures::default();
        on_clusters(2, fewer_trials(), |cluster, seeds| {
            let acknowledged = acknowledge_on_one_side(cluster);
            seeds.for_each(|seed| total += cut_trial(cluster, seed));
            assert_never_escalated(cluster, &acknowledged);
        });
        println!("figure: cut between two: {} trials, {total}, at most 2 of each", fewer_trials());
    });
}

/// Cuts the two apart under load, with some notices posted to both sides, and heals.
fn cut_trial(cluster: &Cluster, seed: u64) -> Figures {
    let mut chance = Chance(seed ^ 0xC07);
    let load = Load::new(cluster, &format!("cut {seed}"));
    load.during(2, || {
        std::thread::sleep(Duration::from_millis(chance.below(400)));
        cluster.lan.cut(0, 1).unwrap();
        std::thread::sleep(Duration::from_millis(chance.below(800)));
        post_to_both(&load, &format!("cut {seed} both early"));
        cluster.nodes[0].sees(&cluster.nodes[1], "down");
        cluster.nodes[1].sees(&cluster.nodes[0], "down");
        post_to_both(&load, &format!("cut {seed} both late"));
        std::thread::sleep(Duration::from_millis(chance.below(800)));
    });
    // Some heal in the middle of what each side does, some after it.
    if chance.below(2) == 0 {
        cluster.settle();
    }
    cluster.lan.heal(0, 1).unwrap();
    cluster.level();
    cluster.settle();
    let figures = judge(cluster, &load.told(), &format!("seed {seed}"));
    for (message, sends) in messages(&arrivals(cluster)) {
        assert!(sends.len() <= 2, "seed {seed}: {message:?} arrived {} times: {sends:#?}", sends.len());
    }
    agree(cluster);
    once_more(cluster, seed);
    figures
}

/// The same notice at each node, as Prometheus posts it.
fn post_to_both(load: &Load<'_>, summary: &str) {
    let notice = json!({"summary": summary, "to": [PUMPS.name], "dedup_key": summary});
    for node in [0, 1] {
        assert!(load.try_one(summary, &notice, PUMPS, node, None), "{summary}: node {node} says no");
    }
}

/// After a heal a new alert is sent once, also one that is posted to both.
fn once_more(cluster: &Cluster, seed: u64) {
    let load = Load::new(cluster, &format!("healed {seed}"));
    let summaries = [0, 1].map(|node| format!("healed {seed} at {node}"));
    for (node, summary) in summaries.iter().enumerate() {
        assert!(load.insist(summary, PUMPS, &[node]));
    }
    post_to_both(&load, &format!("healed {seed} both"));
    cluster.settle();
    let figures = judge(cluster, &load.told(), &format!("seed {seed}, healed"));
    assert_eq!((figures.accepted, figures.sent), (3, 3), "seed {seed}: after the heal");
}

/// All nodes show the same alerts in the same state.
fn agree(cluster: &Cluster) {
    let shown = |node: &Node| -> BTreeSet<String> {
        let short = |alert: Value| format!("{} {} {}", alert["id"], alert["code"], alert["state"]);
        node.alerts().into_iter().map(short).collect()
    };
    let [first, others @ ..] = &cluster.nodes[..] else { return };
    for other in others {
        let (one, two) = (shown(first), shown(other));
        let differ: Vec<_> = one.symmetric_difference(&two).collect();
        assert!(differ.is_empty(), "the nodes show different alerts: {differ:?}");
    }
}

/// An alert that was known to both when they were cut apart, and was acknowledged on one side; its code.
fn acknowledge_on_one_side(cluster: &Cluster) -> String {
    let answer = cluster.nodes[0].send("office", "acknowledged on one side");
    assert_eq!(answer["copies"], 2);
    let told = cluster.sink.wait("acknowledged on one side", 2, PATIENCE);
    assert_eq!(told.len(), 2);
    cluster.lan.cut(0, 1).unwrap();
    cluster.nodes[0].sees(&cluster.nodes[1], "down");
    let code = answer["code"].as_str().unwrap().to_owned();
    cluster.nodes[0].post(&format!("/api/v1/alerts/{code}/acknowledge"), &json!({"comment": "mine"}));
    cluster.lan.heal(0, 1).unwrap();
    let path = format!("/api/v1/alerts/{code}");
    cluster.nodes[1].wait(&path, "the acknowledgement", |alert| alert["state"] == "acknowledged");
    cluster.level();
    code
}

/// Nobody takes the step when its time has come.
fn assert_never_escalated(cluster: &Cluster, code: &str) {
    for node in &cluster.nodes {
        let path = format!("/api/v1/alerts/{code}");
        let alert = node.wait(&path, "the time of the step", |alert| alert["age_seconds"].as_u64() > Some(7));
        assert_eq!(alert["state"], "acknowledged", "{alert:#}");
    }
    let arrived = arrivals(cluster);
    let mut escalated = arrived.iter().filter(|one| one.summary == "acknowledged on one side");
    assert!(escalated.all(|one| one.recipient != "ben"), "it escalated all the same");
}

#[test]
fn a_link_that_carries_one_way_delays_nobody_and_loses_nothing() {
    within(|| {
        let (mut total, mut slowest) = (Figures::default(), Duration::ZERO);
        on_clusters(2, fewer_trials(), |cluster, seeds| {
            for seed in seeds {
                let deaf = usize::try_from(seed % 2).unwrap();
                let (figures, waited) = one_way_trial(cluster, seed, deaf);
                total += figures;
                slowest = slowest.max(waited);
            }
        });
        println!(
            "figure: one-way link: {} trials, {total}; the longest wait for a yes was {} ms",
            fewer_trials(),
            slowest.as_millis()
        );
    });
}

fn one_way_trial(cluster: &Cluster, seed: u64, deaf: usize) -> (Figures, Duration) {
    let mut chance = Chance(seed ^ 0x01);
    let load = Load::new(cluster, &format!("one way {seed}"));
    load.during(2, || {
        std::thread::sleep(Duration::from_millis(chance.below(300)));
        cluster.lan.cut_one_way(1 - deaf, deaf).unwrap();
        cluster.nodes[0].sees(&cluster.nodes[1], "down");
        cluster.nodes[1].sees(&cluster.nodes[0], "down");
        std::thread::sleep(Duration::from_millis(chance.below(500)));
    });
    cluster.settle();
    cluster.lan.heal(0, 1).unwrap();
    cluster.level();
    cluster.settle();
    let told = load.told();
    assert!(told.slowest < YES_MAX, "seed {seed}: a client waited {:?} for its yes", told.slowest);
    (judge(cluster, &told, &format!("seed {seed}")), told.slowest)
}

#[test]
fn of_three_nodes_with_one_bad_link_nobody_sends_twice() {
    within(|| {
        let (mut total, mut besides) = (Figures::default(), 0);
        on_clusters(3, fewer_trials(), |cluster, seeds| {
            for seed in seeds {
                let before = unexpected(cluster);
                let figures = bad_link_trial(cluster, seed);
                let others = unexpected(cluster) - before;
                assert!(figures.repeats + figures.marked == 0 || others > 0, "seed {seed}: {figures}");
                total += figures;
                besides += others;
            }
        });
        println!(
            "figure: three nodes with one bad link: {} trials, {total}; nodes declared down besides: {besides}",
            fewer_trials()
        );
    });
}

/// How often the node whose links are whole was declared down, or declared another one down.
fn unexpected(cluster: &Cluster) -> usize {
    let east = node::members::node_id(&cluster.nodes[2].folder).unwrap().expect("the folder says it");
    downs(cluster).iter().filter(|down| down.contains(&east.to_string())).count()
}

fn bad_link_trial(cluster: &Cluster, seed: u64) -> Figures {
    let mut chance = Chance(seed ^ 0x3);
    let load = Load::new(cluster, &format!("bad link {seed}"));
    load.during(3, || {
        std::thread::sleep(Duration::from_millis(chance.below(300)));
        cluster.lan.cut(0, 1).unwrap();
        cluster.nodes[0].sees(&cluster.nodes[1], "down");
        cluster.nodes[1].sees(&cluster.nodes[0], "down");
        std::thread::sleep(Duration::from_millis(chance.below(600)));
    });
    if chance.below(2) == 0 {
        cluster.settle();
    }
    cluster.lan.heal(0, 1).unwrap();
    cluster.level();
    cluster.settle();
    judge(cluster, &load.told(), &format!("seed {seed}"))
}
