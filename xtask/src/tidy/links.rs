//! Every relative link in a document leads somewhere.

use super::Finding;
use super::tree::Tree;

/// Every Markdown file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(text) {
            let there = resolve(path, target);
            if !there.as_deref().is_some_and(|there| there.is_empty() || tree.has(there)) {
                let what = format!("links to {target}, which is not there; link to what is");
                findings.push(Finding::new(path, line, "links", what));
            }
        }
    }
    findings
}

/// The relative targets of `[text](target)`, outside of blocks of code, without their `#fragment`.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') {
                found.push((at + 1, target));
            }
        }
    }
    found
}

/// The path from the root that `target` means in the file at `path`; none if it leads out of the root.
fn resolve(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidy_fails_when_a_link_leads_nowhere() {
        for (text, count) in [
            ("[a](b.md) and [c](../README.md#top)", 0),
            ("[folder](../docs/) and [root](..)", 0),
            ("[web](https://example.org/x.md) and [here](#below)", 0),
            ("```\n[a](gone.md)\n```", 0),
            ("[a](gone.md)", 1),
            ("[a](b.md) and [c](../gone.md#top)", 1),
            ("[a](../../outside.md)", 1),
        ] {
            let tree = Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", "")]);
            assert_eq!(check(&tree).len(), count, "{text}");
        }
    }
}
