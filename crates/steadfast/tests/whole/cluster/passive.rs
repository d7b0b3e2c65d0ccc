//! Active and passive: one node sends for both, and control changes hands by itself and by hand.

use crate::cluster::fewer_trials;
use crate::cluster::judge::{Figures, arrivals, downs, judge};
use crate::cluster::load::{CREW, GROUPS, Load};
use crate::cluster::nodes::{Cluster, Node};
use crate::site::Chance;
use lab::within;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Two nodes of which only the one in control sends.
fn pair() -> Cluster {
    let cluster = Cluster::start(2);
    cluster.nodes[0].post("/api/v1/cluster/conduct", &json!({"mode": "active/passive"}));
    for node in &cluster.nodes {
        node.wait("/api/v1/cluster", "the mode", |status| status["mode"] == "active/passive");
    }
    cluster.level();
    cluster
}

/// The node that both say is in control.
fn in_control(cluster: &Cluster) -> usize {
    let says = |node: &Node| node.get("/api/v1/cluster")["control"]["name"].as_str().map(str::to_owned);
    let until = Instant::now() + crate::site::PATIENCE;
    loop {
        let said: Vec<_> = cluster.nodes.iter().filter(|node| node.is_running()).map(says).collect();
        if let Some(Some(name)) = said.first()
            && said.iter().all(|it| it.as_ref() == Some(name))
        {
            return usize::from(name == "south");
        }
        assert!(Instant::now() < until, "who is in control? {said:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_the_standby_takes_the_active_one_sends_once() {
    within(|| {
        let cluster = pair();
        let active = in_control(&cluster);
        let load = Load::new(&cluster, "passive");
        for number in 0..40 {
            assert!(load.insist(&format!("passive {number}"), GROUPS[number % 2], &[number % 2]));
        }
        cluster.settle();
        let figures = judge(&cluster, &load.told(), "passive");
        let side = cluster.lan.side(active);
        let by_others = arrivals(&cluster).iter().filter(|one| one.from != side).count();
        let down = downs(&cluster);
        println!(
            "figure: active/passive: {figures}, by the standby {by_others}; peers declared down: {down:?}"
        );
        assert!(
            figures.repeats + figures.marked + by_others == 0 || !down.is_empty(),
            "{figures}, {by_others}"
        );
    });
}

#[test]
fn the_standby_takes_over_from_an_active_node_that_is_killed() {
    within(|| {
        let cluster = pair();
        let mut total = Figures::default();
        for seed in 0..fewer_trials() {
            let mut chance = Chance(seed ^ 0xFA);
            let active = in_control(&cluster);
            let load = Load::new(&cluster, &format!("failover {seed}"));
            load.during(4, || {
                std::thread::sleep(Duration::from_millis(chance.below(500)));
                let at = usize::try_from(seed % 2).unwrap();
                assert!(load.insist(&format!("failover {seed} last"), CREW, &[at]));
                cluster.nodes[active].kill();
                std::thread::sleep(Duration::from_millis(chance.below(800)));
            });
            cluster.settle();
            assert_eq!(in_control(&cluster), 1 - active, "seed {seed}");
            cluster.run(active);
            cluster.level();
            cluster.settle();
            total += judge(&cluster, &load.told(), &format!("seed {seed}"));
        }
        println!("figure: active/passive, kill -9 of the active one: {} trials, {total}", fewer_trials());
    });
}

#[test]
fn a_switch_over_under_load_repeats_nothing() {
    within(|| {
        let cluster = pair();
        let (mut total, mut down) = (Figures::default(), BTreeSet::new());
        for seed in 0..fewer_trials() {
            let mut chance = Chance(seed ^ 0x50);
            let active = in_control(&cluster);
            let load = Load::new(&cluster, &format!("switch {seed}"));
            load.during(4, || {
                std::thread::sleep(Duration::from_millis(100 + chance.below(500)));
                cluster.nodes[active].post("/api/v1/cluster/switch-over", &json!({"because": "a test"}));
                std::thread::sleep(Duration::from_millis(chance.below(300)));
            });
            cluster.settle();
            cluster.level();
            assert_eq!(in_control(&cluster), 1 - active, "seed {seed}");
            let figures = judge(&cluster, &load.told(), &format!("seed {seed}"));
            down = downs(&cluster);
            assert!(figures.repeats + figures.marked == 0 || !down.is_empty(), "seed {seed}: {figures}");
            total += figures;
        }
        println!(
            "figure: switch-over under load: {} trials, {total}; peers declared down: {down:?}",
            fewer_trials()
        );
    });
}
