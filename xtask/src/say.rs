//! What xtask says: results on standard output, complaints on standard error.
//!
//! Separate, so that every sentence takes one of two ways, and a closed pipe is not a panic.

use std::io::Write as _;

/// A line of a result.
pub(crate) fn line(text: &str) {
    // A reader that has gone (`| head`) has seen what it wanted.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line for the person who waits or who has to act.
pub(crate) fn complaint(text: &str) {
    let _ = writeln!(std::io::stderr(), "xtask: {text}");
}
