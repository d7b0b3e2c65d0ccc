//! The code map in ARCHITECTURE.md names exactly the crates there are, and no file that is not there.
//!
//! Separate from `links`, because the map names most files in backticks, where no link checker looks.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";

/// The map against the tree.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MAP) else {
        return vec![Finding::new(MAP, 1, "map", "is missing; it holds the code map")];
    };
    let named = crates_named(text);
    let absent = tree.crates().filter(|name| !named.contains_key(name));
    let mut findings: Vec<Finding> = absent
        .map(|name| Finding::new(MAP, 1, "map", format!("does not name crates/{name}; add it to the map")))
        .collect();
    if !text.contains("xtask") {
        findings.push(Finding::new(MAP, 1, "map", "does not name xtask; add it to the map"));
    }
    for (name, line) in named {
        if !tree.has(&format!("crates/{name}/Cargo.toml")) {
            let what = format!("names crates/{name}, which does not exist; remove it from the map");
            findings.push(Finding::new(MAP, line, "map", what));
        }
    }
    let missing = files_named(text).into_iter().filter(|(_, path)| !exists(tree, path));
    findings.extend(missing.map(|(line, path)| {
        Finding::new(
            MAP,
            line,
            "map",
            format!("names the file {path}, which does not exist; name the one that does"),
        )
    }));
    findings
}

/// The crates written as `crates/<name>`, with the line of their first mention.
fn crates_named(text: &str) -> BTreeMap<&str, usize> {
    let mut named = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        for rest in line.split("crates/").skip(1) {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
            let name = rest.split(|letter| !is_name(letter)).next().unwrap_or_default();
            if !name.is_empty() {
                named.entry(name).or_insert(at + 1);
            }
        }
    }
    named
}

/// The paths of files in backticks: something with a slash and one of our endings.
fn files_named(text: &str) -> Vec<(usize, &str)> {
    let mut files = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for quoted in line.split('`').skip(1).step_by(2) {
            let endings = [".rs", ".md", ".toml", ".txt", ".json"];
            let is_file = endings.iter().any(|ending| quoted.ends_with(ending));
            let is_pattern = quoted.contains(['*', '<', '{', ' ']) || quoted.starts_with('/');
            if is_file && quoted.contains('/') && !is_pattern {
                files.push((at + 1, quoted));
            }
        }
    }
    files
}

/// Whether a file is there under this path, or under `crates/` as the text may abbreviate it.
fn exists(tree: &Tree, path: &str) -> bool {
    tree.has(path) || tree.has(&format!("crates/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(map: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (MAP, map),
            ("crates/base/Cargo.toml", ""),
            ("crates/base/src/id.rs", ""),
            ("crates/node/Cargo.toml", ""),
        ]);
        check(&tree).into_iter().map(|finding| format!("{}: {}", finding.line, finding.what)).collect()
    }

    #[test]
    fn a_true_map_passes() {
        let map = "`crates/base` ids, in `crates/base/src/id.rs`\n`crates/node` (`base/src/id.rs`), xtask\n`config/*.toml`";
        assert_eq!(findings(map), [""; 0]);
    }

    #[test]
    fn tidy_fails_when_a_crate_is_not_on_the_map() {
        assert_eq!(findings("`crates/base`, xtask"), ["1: does not name crates/node; add it to the map"]);
    }

    #[test]
    fn tidy_fails_when_the_map_names_what_is_not_there() {
        assert_eq!(
            findings("crates/base crates/node xtask\ncrates/gone"),
            ["2: names crates/gone, which does not exist; remove it from the map"]
        );
        assert_eq!(
            findings("crates/base crates/node xtask\n`crates/base/src/gone.rs`"),
            ["2: names the file crates/base/src/gone.rs, which does not exist; name the one that does"]
        );
        assert_eq!(findings("crates/base crates/node"), ["1: does not name xtask; add it to the map"]);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
