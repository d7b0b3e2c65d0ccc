//! A channel is one file and two lines: each file is declared, and each that has a `KIND` is registered.
//!
//! Separate, because a file that nobody declares is not compiled, and so no compiler complains of it.

use super::Finding;
use super::tree::Tree;

const FOLDER: &str = "crates/channel/src/";

/// The files of the channels' folder against its `lib.rs`.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let root = format!("{FOLDER}lib.rs");
    let Some(list) = tree.text(&root) else { return Vec::new() };
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let Some(name) = path.strip_prefix(FOLDER).and_then(|file| file.strip_suffix(".rs")) else {
            continue;
        };
        if name == "lib" || name.contains('/') {
            continue;
        }
        if !declares(list, name) {
            let what = format!("is not compiled; add \"mod {name};\" to {root}");
            findings.push(Finding::new(path, 1, "channels", what));
        }
        if text.contains("const KIND: Kind") && !list.contains(&format!("{name}::KIND")) {
            let what =
                format!("is a channel nobody can configure; add \"{name}::KIND\" to CHANNELS in {root}");
            findings.push(Finding::new(path, 1, "channels", what));
        }
    }
    findings
}

/// Whether a line of `list` declares the module.
fn declares(list: &str, name: &str) -> bool {
    let declaration = format!("mod {name};");
    list.lines().any(|line| line.trim() == declaration || line.trim().ends_with(&format!(" {declaration}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(list: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("crates/channel/src/lib.rs", list),
            ("crates/channel/src/sip.rs", "pub(crate) const KIND: Kind = Kind {};"),
            ("crates/channel/src/text.rs", ""),
        ]);
        check(&tree).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_registered_channel_passes() {
        assert_eq!(findings("mod sip;\npub mod text;\nconst CHANNELS: &[Kind] = &[sip::KIND];"), [""; 0]);
    }

    #[test]
    fn tidy_fails_when_a_channel_is_not_registered() {
        assert_eq!(
            findings("mod sip;\nmod text;\nconst CHANNELS: &[Kind] = &[];"),
            ["is a channel nobody can configure; add \"sip::KIND\" to CHANNELS in crates/channel/src/lib.rs"]
        );
        assert_eq!(
            findings("mod sip;\nconst CHANNELS: &[Kind] = &[sip::KIND];"),
            ["is not compiled; add \"mod text;\" to crates/channel/src/lib.rs"]
        );
    }
}
