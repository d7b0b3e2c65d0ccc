//! Every limit says what happens when it is reached, and something outside of its file keeps it.
//!
//! Separate, because a limit that nobody reads looks exactly like one that holds.

use super::Finding;
use super::source::Source;
use super::tree::Tree;

const LIMITS: &str = "crates/base/src/limits.rs";

/// Every `pub const` of the limits.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(LIMITS) else { return Vec::new() };
    let mut findings = Vec::new();
    for (line, name, says) in limits(text) {
        if !names_the_answer(&says) {
            let what = format!("{name} does not say what happens when it is reached; add a sentence");
            findings.push(Finding::new(LIMITS, line, "limits", what));
        }
        if !is_used(tree, name) {
            let what = format!(
                "{name} is kept by nobody outside of this file; keep it where it counts, or remove it"
            );
            findings.push(Finding::new(LIMITS, line, "limits", what));
        }
    }
    findings
}

/// Each limit: its line, its name and its documentation.
fn limits(text: &str) -> Vec<(usize, &str, String)> {
    let mut found = Vec::new();
    let mut says = String::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(sentence) = line.strip_prefix("///") {
            says.push_str(sentence);
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let name = rest.split(':').next().unwrap_or_default();
            found.push((at + 1, name, std::mem::take(&mut says)));
        } else {
            says.clear();
        }
    }
    found
}

/// Whether a documentation says more than what is counted: a second sentence, or a second clause.
fn names_the_answer(says: &str) -> bool {
    [". ", "; ", ", and "].iter().any(|joint| says.contains(joint))
}

/// Whether a source other than the limits' own, and other than a test, names the limit.
fn is_used(tree: &Tree, name: &str) -> bool {
    let others = tree.sources().filter(|(path, text)| *path != LIMITS && text.contains(name));
    let names = |source: Source| source.words().any(|word| word.text == name);
    others.filter_map(|(_, text)| Source::read(text).ok()).any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(limits: &str, other: &str) -> Vec<String> {
        let tree = Tree::of(&[(LIMITS, limits), ("crates/api/src/lib.rs", other)]);
        check(&tree).into_iter().map(|finding| format!("{}: {}", finding.line, finding.what)).collect()
    }

    const GOOD: &str = "/// Labels of one alert. More are refused.\npub const LABELS_MAX: usize = 64;\n";

    #[test]
    fn a_limit_that_is_explained_and_kept_passes() {
        assert_eq!(findings(GOOD, "fn f() -> bool { n <= LABELS_MAX }"), [""; 0]);
    }

    #[test]
    fn tidy_fails_when_nobody_keeps_a_limit() {
        let expect =
            ["2: LABELS_MAX is kept by nobody outside of this file; keep it where it counts, or remove it"];
        for other in
            ["", "// LABELS_MAX", "fn f() -> usize { OTHER_LABELS_MAX }", "#[test]\nfn f() { LABELS_MAX; }"]
        {
            assert_eq!(findings(GOOD, other), expect, "{other}");
        }
    }

    #[test]
    fn tidy_fails_when_a_limit_does_not_say_what_happens() {
        let expect = ["2: LABELS_MAX does not say what happens when it is reached; add a sentence"];
        for says in ["/// Labels of one alert.\n", "\n"] {
            let limits = format!("{says}pub const LABELS_MAX: usize = 64;\n");
            assert_eq!(findings(&limits, "fn f() -> usize { LABELS_MAX }"), expect, "{says}");
        }
    }
}
