//! The figures of a pair: what it costs that every yes waits for two disks, and how soon one node does without the
//! other, or has it back.
//!
//! Both nodes run on loopback, on one disk and on the machine's cores, with the load generator and the receiver:
//! two machines would have twice as much of each. Takeover by a machine whose peer is unplugged needs networks that
//! can be cut; `compare` measures it.

mod accept;
mod once;
mod pair;
mod rejoin;
mod takeover;

use super::{Ground, Row};

/// Mirrored accepts, beside those of a node whose peer is down; and how far the peer is behind.
pub(super) fn accepts(ground: &Ground) -> Result<Vec<Row>, String> {
    accept::run(ground)
}

/// How soon a peer that was away is level again.
pub(super) fn rejoin(ground: &Ground) -> Result<Vec<Row>, String> {
    rejoin::run(ground)
}

/// How soon what a killed process had begun is sent by the other node.
pub(super) fn takeover(ground: &Ground) -> Result<Vec<Row>, String> {
    takeover::run(ground)
}

/// How many messages go out for one notice that is posted to both.
pub(super) fn once(ground: &Ground) -> Result<Vec<Row>, String> {
    once::run(ground)
}
