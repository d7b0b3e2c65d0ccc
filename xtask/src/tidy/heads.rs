//! Every source file opens with what it is for: `//!` on its first line, and a sentence on it.

use super::Finding;
use super::tree::Tree;

/// Characters that a first line needs to say something.
const HEAD_CHARS_MIN: usize = 20;

/// The first line of every source file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources().filter_map(|(path, text)| Some(Finding::new(path, 1, "head", offence(text)?))).collect()
}

fn offence(text: &str) -> Option<&'static str> {
    match text.lines().next().unwrap_or_default().strip_prefix("//! ") {
        None => Some("does not open with //!; say what the file is for and why it is separate"),
        Some(head) if head.chars().count() < HEAD_CHARS_MIN => {
            Some("opens with too few words; say what the file is for and why it is separate")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidy_fails_when_a_file_does_not_say_what_it_is_for() {
        for (text, findings) in [
            ("//! Rings a telephone over SIP and reads the alert out.\n", 0),
            ("use std::fmt;\n//! Rings a telephone over SIP.\n", 1),
            ("//! To come.\n", 1),
            ("", 1),
        ] {
            assert_eq!(check(&Tree::of(&[("crates/a/src/lib.rs", text)])).len(), findings, "{text}");
        }
    }
}
