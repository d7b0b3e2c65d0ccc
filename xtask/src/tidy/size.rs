//! Files of at most 1,000 lines and functions of at most 70, with a list of exceptions that only shrinks.
//!
//! Separate, because of that list (`xtask/ratchet.txt`): a row allows exactly today's size, so that a
//! long thing never grows, and its row must go once it is short.

use std::collections::BTreeMap;

use super::Finding;
use super::source::{Source, is_test_file};
use super::tree::Tree;

/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 1000;
/// Lines of a function from its signature to its closing brace; those for tests are not counted.
const FUNCTION_LINES_MAX: usize = 70;
/// The list of exceptions: `<lines> <path>` or `<lines> <path> <function>`, one per line.
const RATCHET: &str = "xtask/ratchet.txt";

/// Everything over its limit that the ratchet does not allow, and every row that allows too much.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rows = rows(tree, &mut findings);
    for (path, text) in tree.sources() {
        let lines = text.lines().count();
        judge(
            &mut rows,
            &mut findings,
            Measured { path, function: None, line: 1, lines, max: FILE_LINES_MAX },
        );
        let source = match Source::read(text) {
            Ok(source) => source,
            Err((line, what)) => {
                findings.push(Finding::new(path, line, "size", what));
                continue;
            }
        };
        for function in source.functions.iter().filter(|_| !is_test_file(path)) {
            let (name, line, lines) = (function.name.as_str(), function.line, function.lines);
            let measured = Measured { path, function: Some(name), line, lines, max: FUNCTION_LINES_MAX };
            judge(&mut rows, &mut findings, measured);
        }
    }
    let unused = rows.into_iter().map(|(key, (line, _))| {
        Finding::new(RATCHET, line, "size", format!("{key} is gone or within its limit; remove the row"))
    });
    findings.extend(unused);
    findings
}

/// A file or function, how long it is, and how long it may be.
#[derive(Clone, Copy)]
struct Measured<'a> {
    path: &'a str,
    function: Option<&'a str>,
    line: usize,
    lines: usize,
    max: usize,
}

/// The rows of the ratchet: what they are for, their line, and the size they allow.
fn rows(tree: &Tree, findings: &mut Vec<Finding>) -> BTreeMap<String, (usize, usize)> {
    let mut rows = BTreeMap::new();
    for (at, row) in tree.text(RATCHET).unwrap_or_default().lines().enumerate() {
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        match row.split_once(' ').and_then(|(lines, key)| Some((lines.parse::<usize>().ok()?, key))) {
            Some((lines, key)) => drop(rows.insert(key.to_owned(), (at + 1, lines))),
            None => {
                let what = "is not \"<lines> <path>\" or \"<lines> <path> <function>\"";
                findings.push(Finding::new(RATCHET, at + 1, "size", what));
            }
        }
    }
    rows
}

fn judge(rows: &mut BTreeMap<String, (usize, usize)>, findings: &mut Vec<Finding>, measured: Measured<'_>) {
    let Measured { path, function, line, lines, max } = measured;
    if lines <= max {
        return;
    }
    let key = function.map_or_else(|| path.to_owned(), |name| format!("{path} {name}"));
    let subject = function.map_or_else(|| "the file".to_owned(), |name| format!("the function {name}"));
    match rows.remove(&key) {
        None => {
            let what = format!("{subject} has {lines} lines, and {max} are the limit; split it");
            findings.push(Finding::new(path, line, "size", what));
        }
        Some((_, allowed)) if allowed < lines => {
            let what = format!("{subject} grew from {allowed} to {lines} lines; make it shorter than it was");
            findings.push(Finding::new(path, line, "size", what));
        }
        Some((row, allowed)) if lines < allowed => {
            let what = format!("{key} shrank to {lines} lines; write {lines} here");
            findings.push(Finding::new(RATCHET, row, "size", what));
        }
        Some(_) => (),
    }
}

/// The scorecard's sizes, in a sentence.
pub(super) fn figures(tree: &Tree) -> String {
    let mut files: Vec<usize> = tree.sources().map(|(_, text)| text.lines().count()).collect();
    let mut functions: Vec<usize> = tree
        .sources()
        .filter(|(path, _)| !is_test_file(path))
        .filter_map(|(_, text)| Source::read(text).ok())
        .flat_map(|source| source.functions)
        .map(|function| function.lines)
        .collect();
    files.sort_unstable();
    functions.sort_unstable();
    format!(
        "{} functions: lines median {}, p90 {}, p99 {}, max {}; {} files: median {}, p90 {}, max {}",
        functions.len(),
        share(&functions, 50),
        share(&functions, 90),
        share(&functions, 99),
        share(&functions, 100),
        files.len(),
        share(&files, 50),
        share(&files, 90),
        share(&files, 100),
    )
}

/// The value that `percent` of the sorted values do not exceed.
fn share(sorted: &[usize], percent: usize) -> usize {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/a/src/lib.rs";

    fn findings(text: &str, ratchet: &str) -> Vec<String> {
        let tree = Tree::of(&[(PATH, text), (RATCHET, ratchet)]);
        check(&tree)
            .iter()
            .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.what))
            .collect()
    }

    /// A function of this many lines.
    fn function(lines: usize) -> String {
        format!("fn long() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn tidy_fails_when_a_function_is_too_long() {
        assert_eq!(findings(&function(70), ""), [""; 0]);
        assert_eq!(
            findings(&function(71), ""),
            [format!("{PATH}:1: the function long has 71 lines, and 70 are the limit; split it")]
        );
    }

    #[test]
    fn tidy_fails_when_a_file_is_too_long() {
        assert_eq!(findings(&"//\n".repeat(1000), ""), [""; 0]);
        assert_eq!(
            findings(&"//\n".repeat(1001), ""),
            [format!("{PATH}:1: the file has 1001 lines, and 1000 are the limit; split it")]
        );
    }

    #[test]
    fn the_ratchet_allows_todays_size_and_turns_one_way() {
        let row = |lines: usize| format!("# Exceptions.\n{lines} {PATH} long\n");
        assert_eq!(findings(&function(80), &row(80)), [""; 0]);
        assert_eq!(
            findings(&function(81), &row(80)),
            [format!("{PATH}:1: the function long grew from 80 to 81 lines; make it shorter than it was")]
        );
        assert_eq!(
            findings(&function(79), &row(80)),
            [format!("{RATCHET}:2: {PATH} long shrank to 79 lines; write 79 here")]
        );
        assert_eq!(
            findings(&function(70), &row(80)),
            [format!("{RATCHET}:2: {PATH} long is gone or within its limit; remove the row")]
        );
        assert_eq!(findings("", "long one\n").len(), 1);
    }

    #[test]
    fn functions_for_tests_may_be_long() {
        let text = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(90));
        assert_eq!(findings(&text, ""), [""; 0]);
    }

    #[test]
    fn shares_are_those_of_the_sorted_values() {
        let values: Vec<usize> = (1..=200).collect();
        assert_eq!([50, 90, 99, 100].map(|percent| share(&values, percent)), [100, 180, 198, 200]);
        assert_eq!(share(&[], 50), 0);
    }
}
