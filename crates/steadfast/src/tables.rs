//! Tables of the manual that are made from the product's own definitions: metrics, template variables, limits.
//!
//! Separate from `about`, which writes about the command line; a check compares the manual with these.

use node::COUNTERS;
use node::render::{VARIABLES, Variable};
use std::fmt::Write as _;

/// Where the limits are defined, with a sentence each.
const LIMITS: &str = include_str!("../../base/src/limits.rs");

/// What the node counts.
pub(crate) fn metrics() -> String {
    let rows = COUNTERS.iter();
    table("| metric | type | counts |", rows.map(|(name, help)| format!("| `{name}` | counter | {help} |")))
}

/// What templates can say.
pub(crate) fn variables() -> String {
    let rows = VARIABLES.iter();
    let row = |it: &Variable| format!("| `{}` | {} | `{}` |", it.name, code_in(it.meaning), it.example);
    table("| variable | meaning | example |", rows.map(row))
}

/// Every limit, as `base` defines it.
pub(crate) fn limits() -> String {
    let rows = limits_of(LIMITS);
    let row =
        |(name, value, meaning): (String, String, String)| format!("| `{name}` | {value} | {meaning} |");
    table("| limit | value | what it limits, and what happens then |", rows.into_iter().map(row))
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let columns = head.matches('|').count().saturating_sub(1);
    let mut text = format!("{head}\n|{}\n", "---|".repeat(columns));
    for row in rows {
        writeln!(text, "{row}").unwrap_or_default();
    }
    text
}

/// Puts what stands in double braces between backquotes, so that a page shows it as it is written.
fn code_in(meaning: &str) -> String {
    meaning.replace("{{", "`{{").replace("}}", "}}`")
}

/// Each limit of a source text: its name, its value as people read it, and its documentation.
fn limits_of(source: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut says = Vec::new();
    for line in source.lines() {
        if let Some(sentence) = line.strip_prefix("/// ") {
            says.push(sentence);
        } else if let Some((name, value)) = constant(line) {
            let bytes = says.first().is_some_and(|first| first.starts_with("Bytes"));
            found.push((name.to_owned(), value_of(value, bytes), plain(&says.join(" "))));
            says.clear();
        } else {
            says.clear();
        }
    }
    found
}

/// Name and value of a line `pub const NAME: type = value;`.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (head, value) = line.strip_prefix("pub const ")?.split_once(" = ")?;
    Some((head.split(':').next()?, value.strip_suffix(';')?))
}

/// A product of numbers, or a duration in seconds, as people read it.
fn value_of(expression: &str, bytes: bool) -> String {
    let seconds = expression.strip_prefix("Duration::from_secs(").and_then(|rest| rest.strip_suffix(')'));
    let product = |text: &str| -> Option<u64> {
        text.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok()).product()
    };
    match (seconds, product(seconds.unwrap_or(expression))) {
        (_, None) => expression.to_owned(),
        (Some(_), Some(number)) => base::time::Human(std::time::Duration::from_secs(number)).to_string(),
        (None, Some(number)) if bytes && number % (1024 * 1024) == 0 => format!("{} MiB", number >> 20),
        (None, Some(number)) if bytes && number % 1024 == 0 => format!("{} KiB", number >> 10),
        (None, Some(number)) => number.to_string(),
    }
}

/// Documentation without the marks that link in source code.
fn plain(says: &str) -> String {
    says.replace("[`crate::Name`]", "name").replace(['[', ']'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_in_the_table_with_a_value() {
        let limits = limits_of(LIMITS);
        assert_eq!(limits.len(), LIMITS.matches("\npub const ").count());
        for (name, value, meaning) in limits {
            assert!(value.starts_with(|first: char| first.is_ascii_digit()), "{name}: {value}");
            assert!(meaning.ends_with('.') && !meaning.contains('|'), "{name}: {meaning}");
        }
    }

    #[test]
    fn a_value_is_written_as_people_read_it() {
        let check =
            |expression, bytes, expect| assert_eq!(value_of(expression, bytes), expect, "{expression}");
        check("4 * 1024", true, "4 KiB");
        check("4 * 1024 * 1024", true, "4 MiB");
        check("300", true, "300");
        check("100_000", false, "100000");
        check("Duration::from_secs(7 * 24 * 3600)", false, "7d");
        check("OTHER", false, "OTHER");
    }

    #[test]
    fn the_tables_have_as_many_columns_in_each_row() {
        for text in [metrics(), variables(), limits()] {
            let columns: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
            assert!(columns.len() > 2 && columns.iter().all(|count| *count == 4), "{text}");
        }
    }
}
