//! Several nodes, as machines on a network that is cut, slowed and unplugged, and whose nodes are killed.
//!
//! Each test stands in namespaces of its own (`lab`). Notifications go by webhook to a receiver that every node
//! reaches, whatever is cut between them: what arrived there is the truth. Repeats are judged by what the trail
//! says of them.

mod calm;
mod judge;
mod kill;
mod load;
mod nodes;
mod parted;
mod passive;
mod slow;
mod strangers;
mod trouble;
mod upgrade;

/// How many trials are run of each fault but the kill of the acceptor, which is run as often as anybody asks for.
fn fewer_trials() -> u64 {
    crate::site::trials().min(100)
}
