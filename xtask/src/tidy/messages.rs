//! Every warning and every error that the program can log stands in the operators' manual.
//!
//! Separate, because such a line is read at three in the morning by somebody who did not write it: the page
//! says what it means and what to do, and this rule sees that it has them all and none that is gone.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

use super::Finding;
use super::source::Source;
use super::tree::Tree;

const PAGE: &str = "docs/manual/messages.md";
/// What a message's heading begins with.
const HEADING: &str = "### ";

/// What `tracing::warn!` and `tracing::error!` say, against the headings of the page.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let page = tree.text(PAGE).unwrap_or_default();
    let headings: Vec<(usize, &str)> = page
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.strip_prefix(HEADING)?.trim())))
        .collect();
    let mut findings = Vec::new();
    let mut said = BTreeSet::new();
    for (path, text) in tree.sources() {
        for (line, message) in messages(text) {
            let Some(message) = message else {
                let what = "logs a warning or an error without a text; say what happened";
                findings.push(Finding::new(path, line, "messages", what));
                continue;
            };
            if headings.iter().all(|(_, heading)| *heading != message) {
                let what = format!(
                    "logs \"{message}\", which {PAGE} does not explain; add \"{HEADING}{message}\" there, \
                     with what it means and what to do"
                );
                findings.push(Finding::new(path, line, "messages", what));
            }
            said.insert(message);
        }
    }
    let gone = headings.iter().filter(|(_, heading)| !said.contains(*heading));
    findings.extend(gone.map(|(line, heading)| {
        let what = format!("explains \"{heading}\", which nothing logs; remove it");
        Finding::new(PAGE, *line, "messages", what)
    }));
    findings
}

/// Each warning and error outside of tests: its line and its text, if it has one.
fn messages(text: &str) -> Vec<(usize, Option<String>)> {
    let (Ok(source), Ok(stream)) = (Source::read(text), TokenStream::from_str(text)) else {
        return Vec::new(); // The rule on sizes tells what is not Rust.
    };
    let mut found = Vec::new();
    search(stream, &mut found);
    found.retain(|(line, _)| !source.is_test(*line));
    found
}

/// Looks for `warn!(…)` and `error!(…)` in all depths.
fn search(stream: TokenStream, found: &mut Vec<(usize, Option<String>)>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before =
            |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map(ToString::to_string);
        let name = before(2).unwrap_or_default();
        if before(1).as_deref() == Some("!") && (name == "warn" || name == "error") {
            found.push((group.span_open().start().line, message(group.stream())));
        } else {
            search(group.stream(), found);
        }
    }
}

/// The text of a log line: the literal that is not the value of a field.
fn message(inside: TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = inside.into_iter().collect();
    let is_value = |at: usize| at > 0 && tokens.get(at - 1).is_some_and(|token| token.to_string() == "=");
    tokens.iter().enumerate().find_map(|(at, token)| {
        let TokenTree::Literal(literal) = token else { return None };
        let text = syn::parse_str::<syn::LitStr>(&literal.to_string()).ok()?;
        (!is_value(at)).then(|| text.value())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn f() {\n    if bad {\n        tracing::warn!(%error, at = \"x\", \"the disk is slow\");\n    }\n}\n";

    fn findings(code: &str, page: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/node/src/lib.rs", code), (PAGE, page)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_message_that_is_explained_passes() {
        assert_eq!(findings(CODE, "# Messages\n\n### the disk is slow\n\nBuy another.\n"), [""; 0]);
    }

    #[test]
    fn tidy_fails_when_a_warning_or_an_error_is_not_explained() {
        let expect = "crates/node/src/lib.rs:3: messages: logs \"the disk is slow\", which \
                      docs/manual/messages.md does not explain; add \"### the disk is slow\" there, with what \
                      it means and what to do";
        for page in ["", "### the disk is fast\n", "the disk is slow\n"] {
            assert!(findings(CODE, page).contains(&expect.to_owned()), "{page}");
            let error = CODE.replace("tracing::warn", "tracing::error");
            assert!(findings(&error, page).contains(&expect.to_owned()), "{page}");
        }
    }

    #[test]
    fn tidy_fails_when_the_page_explains_what_nothing_logs() {
        let gone = "docs/manual/messages.md:1: messages: explains \"the disk is slow\", which nothing logs; remove it";
        for code in [
            "",
            "fn f() { tracing::info!(\"the disk is slow\"); }",
            "#[test]\nfn f() { tracing::warn!(\"the disk is slow\"); }",
            "// tracing::warn!(\"the disk is slow\")",
        ] {
            assert_eq!(findings(code, "### the disk is slow\n"), [gone], "{code}");
        }
    }

    #[test]
    fn tidy_fails_when_a_warning_has_no_text() {
        let expect = "crates/node/src/lib.rs:1: messages: logs a warning or an error without a text; say what happened";
        assert_eq!(findings("fn f() { tracing::warn!(%error, at = \"x\"); }", ""), [expect]);
    }
}
