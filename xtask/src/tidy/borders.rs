//! Which crate may stand on which: the direction of dependencies of ARCHITECTURE.md, as a table.
//!
//! Separate from `purity`, which looks into the sources: this one reads manifests alone.

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

/// What one crate may stand on.
struct Border {
    /// The crate.
    name: &'static str,
    /// Those of our crates that it may use.
    ours: &'static [&'static str],
    /// Which of others' crates it may use.
    theirs: Theirs,
}

/// A list of others' crates, read one way or the other.
enum Theirs {
    /// None but these.
    Only(&'static [&'static str]),
    /// Any but these.
    AnyBut(&'static [&'static str]),
}

/// What the pure core may use: no runtime, no clock, no entropy, no files, no way of writing records.
const PURE: Theirs = Theirs::Only(&["hmac", "sha2", "thiserror", "tracing"]);

/// Ours that stand in tests and nowhere else.
const FOR_TESTS: &[&str] = &["lab"];

/// The borders, from the bottom up. Dependencies for tests alone are bound by `ours` only.
const BORDERS: &[Border] = &[
    Border { name: "base", ours: &[], theirs: PURE },
    Border { name: "selection", ours: &["base"], theirs: PURE },
    // Answers about civil time: it may have forms of its own and read zones that are handed to it, nothing else. Its
    // feature `schema` describes the forms with utoipa.
    Border {
        name: "schedule",
        ours: &["base"],
        theirs: Theirs::Only(&["jiff", "serde", "strsim", "utoipa"]),
    },
    // Reads a foreign syntax; whatever has labels can use it.
    Border { name: "matcher", ours: &[], theirs: Theirs::Only(&["regex"]) },
    Border { name: "ownership", ours: &["base"], theirs: PURE },
    Border { name: "dispatch", ours: &["base", "selection", "matcher", "ownership"], theirs: PURE },
    // The only one below the shell that knows how records are written. Its feature `schema` describes the
    // directory document with utoipa, and writes nothing.
    Border {
        name: "record",
        ours: &["base", "schedule", "matcher", "ownership", "dispatch"],
        theirs: Theirs::AnyBut(&["axum", "lettre", "reqwest", "rusqlite", "tokio"]),
    },
    // Stores facts; knows no channel and no way of writing them.
    Border {
        name: "ledger",
        ours: &["base", "ownership", "dispatch", "record"],
        theirs: Theirs::AnyBut(&["axum", "lettre", "reqwest", "serde", "serde_json", "utoipa"]),
    },
    // Runs the core itself under faults; knows no shell.
    Border {
        name: "sim",
        ours: &["base", "matcher", "selection", "ownership", "dispatch", "record"],
        theirs: Theirs::Only(&[]),
    },
    // The ways out and the ways in do not know each other.
    Border {
        name: "channel",
        ours: &["base", "selection", "dispatch"],
        theirs: Theirs::AnyBut(&["axum", "rusqlite", "utoipa"]),
    },
    // Carries facts between nodes; stores none and decides nothing.
    Border {
        name: "cluster",
        ours: &["base", "ownership", "dispatch", "record", "lab"],
        theirs: Theirs::Only(&[
            "crc32fast",
            "rustix",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ]),
    },
    Border {
        name: "api",
        ours: &["base", "schedule", "matcher", "ownership", "dispatch", "record", "ledger"],
        theirs: Theirs::AnyBut(&["lettre", "rusqlite"]),
    },
    Border {
        name: "node",
        ours: &[
            "base",
            "schedule",
            "selection",
            "ownership",
            "dispatch",
            "record",
            "ledger",
            "channel",
            "api",
            "cluster",
        ],
        theirs: Theirs::AnyBut(&["rusqlite"]),
    },
    // Texts of other programs in, a directory out: it asks no node and opens no file.
    Border {
        name: "import",
        ours: &["base", "schedule", "matcher", "record"],
        theirs: Theirs::Only(&["jiff", "saphyr-parser", "serde", "serde_json", "thiserror"]),
    },
    Border {
        name: "steadfast",
        ours: &[
            "base",
            "selection",
            "dispatch",
            "record",
            "ledger",
            "channel",
            "api",
            "node",
            "import",
            "lab",
        ],
        theirs: Theirs::AnyBut(&[]),
    },
    // Looks at programs from outside; what it knew of ours, it could not observe.
    Border { name: "lab", ours: &[], theirs: Theirs::Only(&["rustix"]) },
];

/// Every crate's manifest against its row.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in tree.crates() {
        let path = format!("crates/{name}/Cargo.toml");
        match BORDERS.iter().find(|border| border.name == name) {
            None => {
                let what = "has no row in xtask/src/tidy/borders.rs; say there what it may stand on";
                findings.push(Finding::new(&path, 1, "borders", what));
            }
            Some(border) => manifest(tree, &path, border, &mut findings),
        }
    }
    findings
}

fn manifest(tree: &Tree, path: &str, border: &Border, findings: &mut Vec<Finding>) {
    let text = tree.text(path).unwrap_or_default();
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(why) => return findings.push(Finding::new(path, 1, "borders", format!("is not TOML: {why}"))),
    };
    let mut judge = |section: &Table, for_tests: bool| {
        for name in section.keys() {
            if let Some(what) = offence(border, name, for_tests) {
                findings.push(Finding::new(path, line_of(text, name), "borders", what));
            }
        }
    };
    sections(&table, &mut judge);
    for target in table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        target.as_table().into_iter().for_each(|target| sections(target, &mut judge));
    }
}

fn sections(table: &Table, judge: &mut impl FnMut(&Table, bool)) {
    for (key, for_tests) in
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        table.get(key).and_then(Value::as_table).into_iter().for_each(|section| judge(section, for_tests));
    }
}

/// What is wrong with `border.name` using `name`, if anything is.
fn offence(border: &Border, name: &str, for_tests: bool) -> Option<String> {
    let is_ours = BORDERS.iter().any(|other| other.name == name);
    let allowed = match &border.theirs {
        _ if FOR_TESTS.contains(&name) && !for_tests => false,
        _ if is_ours => border.ours.contains(&name),
        _ if for_tests => true,
        Theirs::Only(list) => list.contains(&name),
        Theirs::AnyBut(list) => !list.contains(&name),
    };
    let instead = if is_ours {
        "; turn the direction round, or change the table of borders with the reason"
    } else {
        "; do this in a crate above, or change the table of borders with the reason"
    };
    (!allowed).then(|| format!("{} must not stand on {name}{instead}", border.name))
}

/// The line on which a manifest names a dependency.
pub(super) fn line_of(text: &str, name: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=', '"']))
    };
    text.lines().position(names).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, manifest: &str) -> Vec<String> {
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, manifest)])).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn tidy_fails_when_dispatch_depends_on_tokio() {
        let found = findings("dispatch", "[dependencies]\nbase.workspace = true\ntokio.workspace = true\n");
        assert_eq!(
            found,
            [
                "crates/dispatch/Cargo.toml:3: borders: dispatch must not stand on tokio; do this in a crate above, or \
             change the table of borders with the reason"
            ]
        );
    }

    #[test]
    fn each_border_is_guarded() {
        for (name, other) in [
            ("base", "dispatch"),
            ("base", "serde"),
            ("selection", "jiff"),
            ("selection", "dispatch"),
            ("schedule", "tokio"),
            ("schedule", "record"),
            ("dispatch", "schedule"),
            ("dispatch", "rusqlite"),
            ("dispatch", "getrandom"),
            ("dispatch", "record"),
            ("record", "tokio"),
            ("record", "ledger"),
            ("ledger", "serde"),
            ("ledger", "channel"),
            ("channel", "api"),
            ("channel", "record"),
            ("api", "channel"),
            ("api", "node"),
            ("node", "rusqlite"),
            ("lab", "base"),
            ("steadfast", "lab"),
        ] {
            for manifest in [
                format!("[dependencies]\n{other} = \"1\"\n"),
                format!("[build-dependencies]\n{other} = {{ version = \"1\" }}\n"),
                format!("[target.'cfg(unix)'.dependencies]\n{other}.workspace = true\n"),
            ] {
                assert_eq!(findings(name, &manifest).len(), 1, "{name} with {other}: {manifest}");
            }
        }
    }

    #[test]
    fn what_the_design_allows_passes() {
        for (name, other) in [
            ("dispatch", "base"),
            ("record", "serde"),
            ("ledger", "rusqlite"),
            ("channel", "lettre"),
            ("api", "ledger"),
            ("node", "channel"),
            ("steadfast", "node"),
        ] {
            assert!(
                findings(name, &format!("[dependencies]\n{other} = \"1\"\n")).is_empty(),
                "{name} with {other}"
            );
        }
    }

    #[test]
    fn tests_may_use_what_others_wrote_but_not_our_crates_above() {
        assert!(findings("dispatch", "[dev-dependencies]\nproptest = \"1\"\n").is_empty());
        assert_eq!(findings("dispatch", "[dev-dependencies]\nnode = \"1\"\n").len(), 1);
        assert!(findings("steadfast", "[dev-dependencies]\nlab = \"1\"\n").is_empty());
        assert_eq!(findings("dispatch", "[dev-dependencies]\nlab = \"1\"\n").len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_a_finding() {
        assert_eq!(findings("helper", "").len(), 1);
    }
}
