//! Several nodes, as machines on a network that is cut, slowed and unplugged, and whose nodes are killed.
//!
//! Each test stands in namespaces of its own (`lab`). Notifications go by webhook to a receiver that every node
//! reaches, whatever is cut between them: what arrived there is the truth. Repeats are judged by what the trail
//! says of them.

mod calm;
mod judge;
mod kill;
mod load;
mod mail;
pub(crate) mod nodes;
mod parted;
mod passive;
mod rot;
mod slow;
mod strangers;
mod trouble;
mod upgrade;

use nodes::Cluster;
use std::ops::Range;

/// Trials with one cluster; then comes a new one, so that no trail has to be read that tells of hundreds.
const TRIALS_EACH: u64 = 6;

/// Runs so many trials on clusters of so many nodes, a few on each.
fn on_clusters(nodes: usize, trials: u64, mut run: impl FnMut(&Cluster, Range<u64>)) {
    for first in (0..trials).step_by(usize::try_from(TRIALS_EACH).expect("a few")) {
        run(&Cluster::start(nodes), first..trials.min(first + TRIALS_EACH));
    }
}

/// How many trials are run of each fault but the kill of the acceptor, which is run as often as anybody asks for.
fn fewer_trials() -> u64 {
    crate::site::trials().min(100)
}
