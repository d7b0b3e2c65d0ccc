//! `cargo xtask check`: what one runs between two thoughts: format, lints, unit tests.
//!
//! Separate from `test`, because it needs no foreign programs and must stay quick. Never writes.

use crate::{nothing_more, step};

/// One line of help.
pub(crate) const HELP: &str = "format, lints and unit tests; quick, writes nothing";

/// Runs the three steps, and stops at the first that fails.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    nothing_more(words)?;
    step::run("format", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    step::run(
        "lints",
        &mut step::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    )?;
    step::run("unit tests", &mut step::cargo(&["test", "--workspace", "--locked", "--lib", "--bins"]))
}
