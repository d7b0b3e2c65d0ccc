//! `cargo xtask fix`: what `check` and `tidy` would complain about and a program can mend.
//!
//! Separate, because it is the command that writes: `check`, `tidy` and `test` never do.

use crate::{codegen, nothing_more, step};

/// One line of help.
pub(crate) const HELP: &str = "formats the sources and writes the generated files anew";

/// Formats, then generates.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    nothing_more(words)?;
    step::run("format", &mut step::cargo(&["fmt", "--all"]))?;
    codegen::run(&[])
}
