//! `cargo xtask tidy`: the silent reviewer. What design and style promise, checked on every change.
//!
//! Separate from `check`, because no compiler knows these rules. Each group of rules is a function from
//! the tree of files to findings; the tests break each rule in a tree of their own and see it caught.

mod borders;
mod channels;
mod heads;
mod limits;
mod links;
mod map;
mod messages;
mod packages;
mod purity;
mod size;
mod source;
mod tree;
mod words;

use std::fmt;

use self::tree::Tree;
use crate::{codegen, nothing_more, say, step};

/// One line of help.
pub(crate) const HELP: &str = "the rules no compiler knows: borders, sizes, documents, limits";

/// A rule that is broken somewhere.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the root of the repository.
    path: String,
    /// The line, from 1.
    line: usize,
    /// The rule's name.
    rule: &'static str,
    /// What is wrong, and what to do.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// Every group of rules.
const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    map::check,
    borders::check,
    purity::check,
    size::check,
    heads::check,
    channels::check,
    limits::check,
    words::check,
    packages::check,
    links::check,
    messages::check,
];

/// Checks the repository's files, then whether the generated ones are fresh.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    nothing_more(words)?;
    let tree = Tree::read(&step::root())?;
    let findings = all(&tree);
    for finding in &findings {
        say::line(&finding.to_string());
    }
    say::line(&packages::figures(&tree));
    say::line(&size::figures(&tree));
    let stale = codegen::run(&["--check".to_owned()]);
    match (findings.len(), stale) {
        (0, stale) => stale,
        (count, Ok(())) => Err(format!("{count} findings")),
        (count, Err(stale)) => Err(format!("{count} findings\n{stale}")),
    }
}

fn all(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compilers() {
        let finding = Finding::new("crates/a/src/lib.rs", 3, "head", "says nothing");
        assert_eq!(finding.to_string(), "crates/a/src/lib.rs:3: head: says nothing");
    }
}
