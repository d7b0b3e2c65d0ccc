//! Words that must not be in the repository: work left over without a number, and one machine's names.
//!
//! Separate, because it looks into every file, of whatever language. The words are put together here
//! from their halves, so that this file does not find itself.

use super::Finding;
use super::tree::Tree;

/// Marks of work left over; each needs an issue's number on its line.
const LEFTOVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Folders of one machine.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp", "/t-")];
/// Hosts of package registries: which one is used is the machine's affair.
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("arti", "factory"),
];

/// Every line of every file, but the lock file, which cargo writes.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !path.ends_with("Cargo.lock")) {
        for (at, line) in text.lines().enumerate() {
            findings.extend(offence(line).map(|what| Finding::new(path, at + 1, "words", what)));
        }
    }
    findings
}

fn offence(line: &str) -> Option<String> {
    if let Some(word) = LEFTOVERS.iter().find(|word| has_word(line, word))
        && !has_number(line)
    {
        return Some(format!("{word} without a number; do it, or name its issue as #number"));
    }
    if let Some(folder) = FOLDERS.iter().find(|folder| line.contains(*folder)) {
        return Some(format!(
            "names {folder}, a folder of one machine; name it by a variable or from the root"
        ));
    }
    let host = HOSTS.iter().find(|host| line.contains(*host))?;
    Some(format!("names the registry {host}; leave the choice to the machine's settings"))
}

/// Whether `word` stands in `line` by itself.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|other| other == word)
}

/// Whether an issue is named, as in `#12`.
fn has_number(line: &str) -> bool {
    line.split('#').skip(1).any(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidy_fails_on_leftovers_machines_and_registries() {
        for word in LEFTOVERS {
            assert!(offence(&format!("// {word}: later")).is_some(), "{word}");
            assert!(offence(&format!("// {word}(#12): later")).is_none(), "{word}");
            assert!(offence(&format!("mktemp {word}{word}")).is_none(), "{word}");
        }
        for word in FOLDERS.iter().chain(HOSTS) {
            assert!(offence(&format!("see {word} there")).is_some(), "{word}");
        }
    }

    #[test]
    fn the_lock_file_is_cargos() {
        let line = format!("source = \"{}\"", HOSTS[0]);
        assert_eq!(check(&Tree::of(&[("Cargo.lock", &line), ("fuzz/Cargo.lock", &line)])), []);
        assert_eq!(check(&Tree::of(&[("README.md", &line)])).len(), 1);
    }
}
