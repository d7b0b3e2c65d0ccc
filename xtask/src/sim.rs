//! `cargo xtask sim`: clusters of the product's own core under simulated faults; see `crates/sim`.
//!
//! Separate from `test`, which runs a fixed part of it: here one says which profile, how many nodes and which
//! seeds, or has one seed told in words.

use crate::step;

/// One line of help.
pub(crate) const HELP: &str =
    "clusters under simulated faults; --seed tells one run, --mutations drops each rule";

/// Runs the simulator with the words given.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let mut command = step::cargo(&["run", "--quiet", "--locked", "--release", "--package", "sim", "--"]);
    step::run("sim", command.args(words))
}
