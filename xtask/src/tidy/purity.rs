//! The pure core stays pure: no clock, no entropy, no files, no network, no order that differs per run.
//!
//! Separate from `borders`, because the standard library needs no line in a manifest.

use super::Finding;
use super::source::{Source, Word, is_test_file};
use super::tree::Tree;

/// The crates that this holds for.
const PURE: &[&str] = &["base", "selection", "schedule", "matcher", "dispatch"];

/// Identifiers that must not occur.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("HashMap", "its order differs per run; use BTreeMap"),
    ("HashSet", "its order differs per run; use BTreeSet"),
    ("RandomState", "it is entropy; seeds are arguments"),
    ("tokio", "the core awaits nothing; this belongs to the shell"),
    ("rand", "entropy is a seed in an argument"),
    ("getrandom", "entropy is a seed in an argument"),
];

/// Modules of the standard library that must not be named.
const MODULES: &[(&str, &str)] = &[
    ("fs", "files belong to the ledger and the shell"),
    ("net", "the network belongs to the channels and the shell"),
    ("thread", "the core runs where it is called"),
    ("env", "the environment is read by the shell"),
    ("process", "the core decides; the shell acts"),
];

/// Every word of the pure crates.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let is_pure = |path: &str| PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    let mut findings = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| is_pure(path) && !is_test_file(path)) {
        // A file that is not Rust is told of by the rule about sizes.
        let Ok(source) = Source::read(text) else { continue };
        let words: Vec<&Word> = source.words().collect();
        let offences = (0..words.len()).filter_map(|at| offence(&words, at));
        findings.extend(offences.map(|(line, what)| Finding::new(path, line, "purity", what)));
    }
    findings
}

/// What is wrong with the words that start at `at`, if anything is, and its line.
fn offence(words: &[&Word], at: usize) -> Option<(usize, String)> {
    let word = words.get(at)?;
    let text = |ahead: usize| words.get(at + ahead).map(|word| word.text.as_str());
    if let Some((name, why)) = IDENTIFIERS.iter().find(|(name, _)| *name == word.text) {
        return Some((word.line, format!("{name} in the pure core: {why}")));
    }
    let follows = text(1) == Some(":") && text(2) == Some(":");
    let is_clock = matches!(word.text.as_str(), "Instant" | "SystemTime") && text(3) == Some("now");
    if follows && is_clock {
        return Some((word.line, format!("{}::now in the pure core: time is an input", word.text)));
    }
    if !follows || word.text != "std" {
        return None;
    }
    let (line, (name, why)) = named_by_std(words.get(at + 3..)?)?;
    Some((line, format!("std::{name} in the pure core: {why}")))
}

/// The first forbidden module in what follows `std::`, be it one name or a group in braces.
fn named_by_std(rest: &[&Word]) -> Option<(usize, (&'static str, &'static str))> {
    let forbidden = |word: &Word| {
        let module = MODULES.iter().find(|(name, _)| *name == word.text)?;
        Some((word.line, *module))
    };
    let first = rest.first()?;
    if first.text != "{" {
        return forbidden(first);
    }
    let mut depth = 0_usize;
    for pair in rest.windows(2) {
        let [before, word] = pair else { continue };
        match before.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth == 0 {
            return None;
        }
        let begins = matches!(before.text.as_str(), "{" | ",") && depth == 1;
        if let Some(found) = begins.then(|| forbidden(word)).flatten() {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<(usize, String)> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn tidy_fails_when_the_core_is_not_pure() {
        for (text, named) in [
            ("fn f() { let t = Instant::now(); }", "Instant::now"),
            ("fn f() { let t = std::time::SystemTime::now(); }", "SystemTime::now"),
            ("use std::collections::HashMap;", "HashMap"),
            ("use std::collections::{BTreeMap, HashSet};", "HashSet"),
            ("fn f() { std::fs::read(p); }", "std::fs"),
            ("use std::{fmt, net::IpAddr};", "std::net"),
            ("use std::{fmt::{self, Write}, thread};", "std::thread"),
            ("fn f() { vec![std::env::var(\"A\")]; }", "std::env"),
            ("use tokio::time;", "tokio"),
            ("fn f() { rand::random() }", "rand"),
        ] {
            for name in PURE {
                let found = findings(&format!("crates/{name}/src/a.rs"), text);
                assert_eq!(found.len(), 1, "{name}: {text}: {found:?}");
                assert!(found[0].1.starts_with(named), "{text}: {found:?}");
            }
        }
    }

    #[test]
    fn what_looks_like_it_but_is_not_passes() {
        for text in [
            "// std::fs and HashMap are out.",
            "/// Never calls `Instant::now`.\nfn f() {}",
            "fn f() { let s = \"tokio\"; }",
            "use std::time::Instant;",
            "use std::collections::{BTreeMap, btree_map};",
            "use std::{fmt::{fs, net}, mem};",
            "fn f(net: u8) -> u8 { net }",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
        ] {
            assert_eq!(findings("crates/dispatch/src/a.rs", text), [], "{text}");
        }
        assert_eq!(findings("crates/node/src/a.rs", "use std::fs;"), [], "the shell may");
    }
}
