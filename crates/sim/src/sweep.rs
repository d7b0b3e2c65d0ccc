//! Many runs of one kind, on all processors, and what they came to together.
//!
//! Separate from `world`, which knows one run: here are threads and sums, and nothing depends on their order.

use crate::history::Tally;
use crate::profile::Profile;
use crate::world::{Outcome, Plan, run};
use ownership::Rules;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// What the runs are about.
    pub profile: &'static Profile,
    /// How many nodes, 2 to 5.
    pub nodes: usize,
    /// Which seeds.
    pub seeds: Range<u64>,
    /// The rules of the protocol that are on.
    pub rules: Rules,
    /// On how many threads.
    pub threads: usize,
}

/// What the runs came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub runs: u64,
    /// Their figures, added up.
    pub tally: Tally,
    /// The seeds in which something did not hold, with the first thing that did not, in order.
    pub failures: Vec<(u64, String)>,
}

/// Runs every seed.
pub fn sweep(sweep: &Sweep) -> Summary {
    let next = AtomicU64::new(sweep.seeds.start);
    let summary = Mutex::new(Summary::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= sweep.seeds.end {
                return;
            }
            let outcome = one(sweep, seed);
            let Ok(mut summary) = summary.lock() else { return };
            summary.runs += 1;
            summary.tally.add(&outcome.tally);
            summary.failures.extend(outcome.broken.into_iter().next().map(|what| (seed, what)));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..sweep.threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_default();
    summary.failures.sort();
    summary
}

/// One seed. A panic of the core is a failure of that seed and of no other.
fn one(sweep: &Sweep, seed: u64) -> Outcome {
    let Sweep { profile, nodes, rules, .. } = *sweep;
    let plan = Plan { profile, nodes, seed, rules, told: false };
    std::panic::catch_unwind(|| run(plan)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome { broken: vec![format!("panic: {}", words.unwrap_or_default())], ..Outcome::default() }
    })
}

impl Summary {
    /// Messages that arrived once more than they should, of a thousand that arrived.
    pub fn duplicates_per_mille(&self) -> u64 {
        self.tally.duplicates * 1000 / self.tally.deliveries.max(1)
    }

    /// Everything in a line.
    pub fn line(&self, profile: &str, nodes: usize) -> String {
        let Tally {
            accepted,
            solo,
            deliveries,
            duplicates,
            marked,
            destroyed,
            crashes,
            cuts,
            pauses,
            wiped,
            ..
        } = &self.tally;
        let per_mille = self.duplicates_per_mille();
        format!(
            "{profile:10} {nodes} nodes  {:>6} seeds  {:>3} broken  {accepted} accepted ({solo} on one disk), \
             {deliveries} delivered, {duplicates} twice ({}.{} %), {marked} marked, {destroyed} destroyed; \
             {crashes} crashes, {cuts} cuts, {pauses} pauses, {wiped} disks lost",
            self.runs,
            self.failures.len(),
            per_mille / 10,
            per_mille % 10,
        )
    }
}
