//! A link that is slow: what has to be carried is more than it carries.

use crate::cluster::judge::{downs, judge};
use crate::cluster::load::{Load, PUMPS};
use crate::cluster::nodes::Cluster;
use lab::within;
use serde_json::json;
use std::time::{Duration, Instant};

/// What the link carries, in kilobits a second.
const RATE: u32 = 256;
/// What is to go over it, in alerts of this size: some twenty seconds.
const ALERTS: usize = 30;
const DETAILS_BYTES: usize = 20_000;
/// Waiting longer than this for a yes is no waiting for a peer that keeps up any more.
const YES_MAX: Duration = Duration::from_secs(20);

#[test]
fn over_a_slow_link_alerts_are_accepted_on() {
    within(|| {
        let cluster = Cluster::start(2);
        cluster.lan.slow(1, Some(RATE)).unwrap();
        let load = Load::new(&cluster, "slow");
        let details = "0123456789abcdef".repeat(DETAILS_BYTES / 16);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (load, details) = (&load, &details);
                scope.spawn(move || {
                    for number in 0..ALERTS / 4 {
                        let summary = format!("slow {sender}-{number}");
                        let notice = json!({"summary": summary, "details": details, "to": [PUMPS.name]});
                        while !load.try_one(&summary, &notice, PUMPS, 0, Some(&summary)) {}
                    }
                });
            }
        });
        let posted = begun.elapsed();
        let down = downs(&cluster);
        cluster.lan.slow(1, None).unwrap();
        cluster.level();
        let level = begun.elapsed();
        cluster.settle();
        let told = load.told();
        let alone = told.yes.values().filter(|yes| yes.copies == 1).count();
        let slowest = told.slowest;
        let figures = judge(&cluster, &told, "slow");
        println!(
            "figure: link of {RATE} kbit/s: {figures}; {alone} on 1 disk; all accepted after {} ms, the longest wait for \
             a yes {} ms, level after {} ms; peers declared down: {down:?}",
            posted.as_millis(),
            slowest.as_millis(),
            level.as_millis()
        );
        assert!(slowest < YES_MAX, "a client waited {slowest:?} for its yes");
        // One is what a machine too busy to run both nodes may make one of them say.
        assert!(down.len() <= 1, "a slow way is no dead peer: {down:#?}");
    });
}
