//! Nothing is wrong: each message goes out once, also where every notice is posted to both nodes. And what a peer
//! that was away has to catch up with.

use crate::cluster::judge::{arrivals, downs, judge, messages};
use crate::cluster::load::{GROUPS, Load};
use crate::cluster::nodes::Cluster;
use crate::site::PATIENCE;
use lab::within;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Clients at once.
const SENDERS: usize = 8;
/// Notices in one request.
const BATCH: usize = 250;

/// A number from the environment.
fn count(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn without_faults_each_message_goes_out_once_although_both_nodes_were_told() {
    let alerts = count("STEADFAST_ALERTS", 2000);
    within(move || {
        let cluster = Cluster::start(2);
        let load = Load::new(&cluster, "calm");
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (load, next) = (&load, &next);
                scope.spawn(move || {
                    while let Some(number) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < alerts)
                    {
                        post_to_both(load, number, sender % 2);
                    }
                });
            }
        });
        let posted = begun.elapsed();
        cluster.settle();
        let figures = judge(&cluster, &load.told(), "calm");
        let down = downs(&cluster);
        println!(
            "figure: no faults, every notice posted to both nodes: {figures}, in {} s; peers declared down: {down:?}",
            posted.as_secs()
        );
        assert_eq!(figures.accepted, alerts);
        // A machine too busy to run both may make one think the other dead: that is told, and not hidden.
        assert!(figures.sent == alerts || !down.is_empty(), "{figures}");
    });
}

/// The same notice to both nodes, as Prometheus does, at one first and at once at the other.
fn post_to_both(load: &Load<'_>, number: usize, first: usize) {
    let (group, people) = GROUPS[1];
    let summary = format!("calm {number}");
    let notice = json!({"summary": summary, "to": [group], "labels": {"instance": number.to_string()}});
    for node in [first, 1 - first] {
        while !load.try_one(&summary, &notice, people, node, None) {}
    }
}

#[test]
fn a_peer_that_was_away_comes_level_and_holds_the_same() {
    let wanted = count("STEADFAST_FACTS", 5000);
    within(move || {
        let cluster = Cluster::start(2);
        let [north, south] = &cluster.nodes[..] else { panic!("there are two") };
        south.kill();
        north.sees(south, "down");
        let mut number = 0;
        while facts(&north.get("/api/v1/cluster/verify")) < wanted {
            let notices: Vec<Value> = (number..number + BATCH)
                .map(|number| json!({"summary": format!("away {number}"), "to": ["pumps"]}))
                .collect();
            number += BATCH;
            north.post("/api/v1/notices/batch", &json!(notices));
            cluster.settle();
        }
        let held = facts(&north.get("/api/v1/cluster/verify"));
        let before = arrivals(&cluster).len();
        let begun = Instant::now();
        cluster.run(1);
        cluster.level();
        let took = begun.elapsed();
        same_everywhere(&cluster);
        println!(
            "figure: a peer returned after {held} facts: started and level after {} ms",
            took.as_millis()
        );
        let arrived = arrivals(&cluster);
        assert_eq!((before, arrived.len()), (number, number), "each message once, before and after");
        assert!(messages(&arrived).values().all(|sends| sends.len() == 1));
    });
}

/// Records in all logs that a node holds.
fn facts(verified: &Value) -> usize {
    let upto = verified["vector"].as_object().unwrap().values().map(|upto| upto.as_u64().unwrap());
    usize::try_from(upto.sum::<u64>()).unwrap()
}

/// Waits until all nodes hold the same, as far as digests tell.
pub(crate) fn same_everywhere(cluster: &Cluster) {
    let until = Instant::now() + PATIENCE;
    loop {
        let held: Vec<Value> = cluster.nodes.iter().map(|node| node.get("/api/v1/cluster/verify")).collect();
        let short = |held: &Value| (held["vector"].clone(), held["digest"].clone());
        if held.windows(2).all(|pair| short(&pair[0]) == short(&pair[1])) {
            return;
        }
        assert!(Instant::now() < until, "the nodes hold different things: {held:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
