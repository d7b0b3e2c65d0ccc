//! What an import makes: the directory's own forms, and routes with what goes with them.

use base::Name;
use base::limits::NAME_CHARS_MAX;
use matcher::Matchers;
use record::document::Document;
use std::collections::BTreeSet;

/// What an import makes.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Everything but what stands below.
    pub document: Document,
    /// Routes, in order.
    pub rules: Vec<Rule>,
    /// What quiets other alerts.
    pub inhibitions: Vec<Inhibition>,
    /// Times in which alerts are held back.
    pub maintenance: Vec<Maintenance>,
    /// Remarks for the head of the text, a line each.
    pub remarks: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name; no two have the same.
    pub name: String,
    /// Where it comes from.
    pub line: usize,
    /// What the labels must be.
    pub matchers: Matchers,
    /// From any of these; any source if empty.
    pub sources: Vec<String>,
    /// Whom it tells.
    pub to: Vec<String>,
    /// How it escalates.
    pub policy: Option<String>,
    /// The routes after it are looked at too.
    pub also: bool,
}

/// Alerts that keep others quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition {
    /// Its name; no two have the same.
    pub name: String,
    /// Where it comes from.
    pub line: usize,
    /// The alerts that quiet others.
    pub source: Matchers,
    /// Those that are quieted.
    pub target: Matchers,
    /// Labels that both have alike.
    pub equal: Vec<String>,
}

/// Times in which alerts are held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Its name; no two have the same.
    pub name: String,
    /// Where it comes from.
    pub line: usize,
    /// Which alerts.
    pub matchers: Matchers,
    /// When.
    pub calendars: Vec<String>,
}

/// Names that were given already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// A name made from `text` that nothing else has.
    pub(crate) fn give(&mut self, text: &str) -> String {
        let base = named(text);
        let mut name = base.clone();
        let mut number = 1usize;
        while !self.0.insert(name.clone()) {
            number += 1;
            let tail = format!("-{number}");
            let room = NAME_CHARS_MAX - tail.len();
            name = base.chars().take(room).chain(tail.chars()).collect();
        }
        name
    }
}

/// `text` as a name: what names do not have becomes a hyphen.
fn named(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        let fits = c.is_alphanumeric() || (!name.is_empty() && matches!(c, '-' | '_' | '.'));
        if fits {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.trim_end_matches('-').chars().take(NAME_CHARS_MAX).collect();
    if Name::new(&name).is_ok() { name } else { "unnamed".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_any_text_and_no_two_are_the_same() {
        let mut names = Names::default();
        for (text, name) in [
            ("Team X / pager", "Team-X-pager"),
            ("team-X", "team-X"),
            ("team X", "team-X-2"),
            ("", "unnamed"),
            ("!!", "unnamed-2"),
            ("größe.1_a", "größe.1_a"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(names.give(text), name, "{text}");
        }
        let long = names.give(&"x".repeat(100));
        let other = names.give(&"x".repeat(100));
        assert!(Name::new(&long).is_ok() && Name::new(&other).is_ok() && long != other);
    }
}
