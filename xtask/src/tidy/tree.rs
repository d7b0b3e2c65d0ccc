//! The files of the repository as text, so that rules need no disk and tests can bring their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step;

/// Every file that is tracked, or would be: path from the root, and its text (empty if it is no text).
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads what git tracks or would add; what is ignored is not looked at.
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let names = step::output(Command::new("git").args(words).current_dir(root))?;
        let read = |name: &str| {
            let bytes = fs::read(root.join(name)).ok()?; // Deleted, but not yet in git.
            Some((name.to_owned(), String::from_utf8(bytes).unwrap_or_default()))
        };
        let files = names.split('\0').filter(|name| !name.is_empty()).filter_map(read).collect();
        Ok(Self { files })
    }

    /// A tree made for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
        Self { files: files.iter().map(owned).collect() }
    }

    /// All files, in the order of their paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files().any(|(file, _)| file.starts_with(&folder))
    }

    /// The names of the crates: folders of `crates` with a manifest.
    pub(super) fn crates(&self) -> impl Iterator<Item = &str> {
        self.files().filter_map(|(path, _)| {
            let name = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then_some(name)
        })
    }

    /// The Rust files of the crates' `src` folders and of xtask.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| {
            let ours =
                path.starts_with("xtask/src/") || (path.starts_with("crates/") && path.contains("/src/"));
            ours && path.ends_with(".rs")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_crates_and_sources_are_found() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/tests/x.rs", ""),
            ("xtask/src/main.rs", ""),
        ]);
        assert!(tree.has("crates/a") && tree.has("crates/a/src/lib.rs") && !tree.has("crates/b"));
        assert_eq!(tree.crates().collect::<Vec<_>>(), ["a"]);
        assert_eq!(
            tree.sources().map(|(path, _)| path).collect::<Vec<_>>(),
            ["crates/a/src/lib.rs", "xtask/src/main.rs"]
        );
    }
}
