//! What we stand on stays small, known and explained: the lock file's number, and a sentence for each.
//!
//! Separate from `borders`, which says who may use what; this says whether we use it at all.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::Finding;
use super::borders::line_of;
use super::tree::Tree;

/// Packages in the lock file, ours included.
const PACKAGES_MAX: usize = 400;
const LOCK: &str = "Cargo.lock";
const ROOT: &str = "Cargo.toml";
const REASONS: &str = "docs/decisions/0002-dependencies.md";

/// The lock file, the workspace's dependencies, and their reasons.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = lock(tree);
    let text = tree.text(ROOT).unwrap_or_default();
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(why) => return vec![Finding::new(ROOT, 1, "packages", format!("is not TOML: {why}"))],
    };
    if let Some(line) = text.lines().position(|line| line.starts_with("[patch")) {
        findings.push(Finding::new(
            ROOT,
            line + 1,
            "packages",
            "patches a package; use what its authors published",
        ));
    }
    let Some(Value::Table(workspace)) = table.get("workspace") else { return findings };
    let Some(Value::Table(dependencies)) = workspace.get("dependencies") else { return findings };
    let reasons = tree.text(REASONS).unwrap_or_default();
    let used = used(tree);
    for (name, value) in dependencies {
        let offences = offences(name, value, reasons, &used);
        findings.extend(offences.map(|what| Finding::new(ROOT, line_of(text, name), "packages", what)));
    }
    findings.extend(stale(reasons, dependencies));
    findings
}

/// What is wrong with one line of the workspace's dependencies.
fn offences(
    name: &str,
    value: &Value,
    reasons: &str,
    used: &BTreeSet<String>,
) -> impl Iterator<Item = String> + use<> {
    let has = |key: &str| value.as_table().is_some_and(|table| table.contains_key(key));
    let of_others = !has("path");
    let git = has("git").then(|| format!("{name} is taken from git; use what its authors published"));
    let unexplained = (of_others && !reasons.contains(&format!("`{name}`")))
        .then(|| format!("{name} has no sentence in {REASONS}; say what we would have to write otherwise"));
    let unused =
        (of_others && !used.contains(name)).then(|| format!("{name} is used by no crate; remove the line"));
    [git, unexplained, unused].into_iter().flatten()
}

/// Rows of the reasons for what is not used any more.
fn stale(reasons: &str, dependencies: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in reasons.lines().enumerate() {
        let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) else { continue };
        if !dependencies.contains_key(name) {
            let what = format!("explains {name}, which we do not use; remove the row");
            findings.push(Finding::new(REASONS, at + 1, "packages", what));
        }
    }
    findings
}

/// The names of everything that a manifest of ours depends on.
fn used(tree: &Tree) -> BTreeSet<String> {
    let is_ours = |path: &str| {
        path == "xtask/Cargo.toml" || (path.starts_with("crates/") && path.ends_with("/Cargo.toml"))
    };
    let manifests =
        tree.files().filter(|(path, _)| is_ours(path)).filter_map(|(_, text)| text.parse::<Table>().ok());
    let mut names = BTreeSet::new();
    for manifest in manifests {
        let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let tables = targets.filter_map(Value::as_table).chain([&manifest]);
        for table in tables {
            for key in ["dependencies", "build-dependencies", "dev-dependencies"] {
                let section = table.get(key).and_then(Value::as_table);
                names.extend(section.into_iter().flat_map(Table::keys).cloned());
            }
        }
    }
    names
}

fn lock(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(LOCK) else {
        return vec![Finding::new(LOCK, 1, "packages", "is missing; builds are not repeatable without it")];
    };
    let mut findings = Vec::new();
    let count: usize = versions(text).values().map(BTreeSet::len).sum();
    if PACKAGES_MAX < count {
        let what =
            format!("holds {count} packages, and {PACKAGES_MAX} are the limit; find what brought them");
        findings.push(Finding::new(LOCK, 1, "packages", what));
    }
    let git = text.lines().position(|line| line.starts_with("source = \"git+"));
    findings.extend(git.map(|at| {
        Finding::new(LOCK, at + 1, "packages", "holds a package from git; use what its authors published")
    }));
    findings
}

/// Every package of the lock file with its versions.
fn versions(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        let value = |key: &str| line.strip_prefix(key)?.strip_suffix('"');
        if let Some(found) = value("name = \"") {
            name = found;
        } else if let (Some(version), false) = (value("version = \""), name.is_empty()) {
            versions.entry(std::mem::take(&mut name)).or_default().insert(version);
        }
    }
    versions
}

/// The numbers that we watch, in a sentence.
pub(super) fn figures(tree: &Tree) -> String {
    let versions = versions(tree.text(LOCK).unwrap_or_default());
    let count: usize = versions.values().map(BTreeSet::len).sum();
    let doubles: Vec<&str> =
        versions.iter().filter(|(_, all)| 1 < all.len()).map(|(name, _)| *name).collect();
    let list = if doubles.is_empty() { String::new() } else { format!(" ({})", doubles.join(", ")) };
    format!("{count} packages in {LOCK}, {PACKAGES_MAX} at most; {} in several versions{list}", doubles.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "[workspace.dependencies]\nbase = { path = \"crates/base\" }\ntokio = \"1\"\n";
    const USER: (&str, &str) = ("crates/node/Cargo.toml", "[dependencies]\ntokio.workspace = true\n");
    const REASON: (&str, &str) = (REASONS, "| `tokio` | the runtime |\n");

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let found = check(&Tree::of(files));
        found.iter().map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.what)).collect()
    }

    /// A lock file with this many packages.
    fn locked(count: usize) -> String {
        (0..count).map(|n| format!("[[package]]\nname = \"p{n}\"\nversion = \"1.0.0\"\n\n")).collect()
    }

    #[test]
    fn tidy_fails_when_a_dependency_is_not_explained_or_not_used() {
        assert_eq!(findings(&[(ROOT, WORKSPACE), (LOCK, ""), USER, REASON]), [""; 0]);
        assert_eq!(
            findings(&[(ROOT, WORKSPACE), (LOCK, ""), USER]),
            [format!(
                "Cargo.toml:3: tokio has no sentence in {REASONS}; say what we would have to write otherwise"
            )]
        );
        assert_eq!(
            findings(&[(ROOT, WORKSPACE), (LOCK, ""), REASON]),
            ["Cargo.toml:3: tokio is used by no crate; remove the line"]
        );
        let gone = (REASONS, "| `tokio` | the runtime |\n| `rand` | dice |\n");
        assert_eq!(
            findings(&[(ROOT, WORKSPACE), (LOCK, ""), USER, gone]),
            [format!("{REASONS}:2: explains rand, which we do not use; remove the row")]
        );
    }

    #[test]
    fn tidy_fails_when_something_comes_from_git_or_is_patched() {
        let git = "[workspace.dependencies]\ntokio = { git = \"there\" }\n";
        assert_eq!(findings(&[(ROOT, git), (LOCK, ""), USER, REASON]).len(), 1);
        let patched = format!("{WORKSPACE}[patch.there]\n");
        assert_eq!(findings(&[(ROOT, &patched), (LOCK, ""), USER, REASON]).len(), 1);
        assert_eq!(findings(&[(ROOT, ""), (LOCK, "source = \"git+there\"")]).len(), 1);
    }

    #[test]
    fn tidy_fails_when_the_lock_file_grows_past_its_limit() {
        assert_eq!(findings(&[(ROOT, ""), (LOCK, &locked(400))]), [""; 0]);
        assert_eq!(findings(&[(ROOT, ""), (LOCK, &locked(401))]).len(), 1);
        assert_eq!(findings(&[(ROOT, "")]).len(), 1);
    }

    #[test]
    fn packages_in_several_versions_are_counted() {
        let text = format!("{}[[package]]\nname = \"p0\"\nversion = \"2.0.0\"\n", locked(2));
        assert_eq!(
            figures(&Tree::of(&[(LOCK, &text)])),
            "3 packages in Cargo.lock, 400 at most; 1 in several versions (p0)"
        );
    }
}
