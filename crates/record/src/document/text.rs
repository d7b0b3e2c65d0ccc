//! Documents as text: read with the line of every mistake, written in a stable and readable order.

use super::form::Document;
use super::nearest::{Nearest, suggestion};
use super::problem::{Located, Place, Problem, push_key, segments};
use base::limits::DIRECTORY_BYTES_MAX;
use std::fmt::Write as _;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Characters of an array past which it is written with one element to a line.
const LINE_CHARS_MAX: usize = 100;

/// Reads a document from TOML.
///
/// # Errors
/// The first thing that is not TOML or not of a directory's shape: an unknown or missing key, a wrong type,
/// a key given twice. With its line, and the nearest valid key. `file` is only quoted.
pub fn read_toml(text: &str, file: &str) -> Result<Document, Located> {
    refuse_large(text, file)?;
    toml::from_str(text).map_err(|error| {
        let lines = Lines::new(text);
        let offset = error.span().map_or(0, |span| span.start);
        let problem = Problem { pointer: lines.pointer_at(offset), detail: plainly(error.message()) };
        let (line, column) = if error.span().is_some() { lines.position(offset) } else { (0, 0) };
        Located { file: file.to_owned(), line, column, problem }
    })
}

/// Reads a document from JSON.
///
/// # Errors
/// As for [`read_toml`].
pub fn read_json(text: &str, file: &str) -> Result<Document, Located> {
    refuse_large(text, file)?;
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        // The position is told apart from the words.
        let words = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(words, _)| words);
        let problem = Problem { pointer: String::new(), detail: plainly(words) };
        Located { file: file.to_owned(), line: error.line(), column: error.column(), problem }
    })
}

fn refuse_large(text: &str, file: &str) -> Result<(), Located> {
    if text.len() <= DIRECTORY_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("it has {} bytes; at most {DIRECTORY_BYTES_MAX}", text.len());
    let problem = Problem { pointer: String::new(), detail };
    Err(Located { file: file.to_owned(), line: 0, column: 0, problem })
}

/// A parser's message in one line, with the nearest key where it did not know one.
fn plainly(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let Some(rest) = message.strip_prefix("unknown field `") else { return message };
    // From the end, since the key is a stranger's text and the choices are ours.
    let Some((meant, choices)) = rest.rsplit_once("`, expected") else { return message };
    let choices: Vec<_> = choices.split('`').skip(1).step_by(2).collect();
    let near = Nearest::new().of(meant, choices.iter().copied());
    let hint = if near.is_some() { suggestion(near) } else { format!("; there are {}", choices.join(", ")) };
    format!("there is no key {}{hint}", super::problem::quote(meant))
}

/// Where things stand in a TOML text.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    /// Where each line starts.
    starts: Vec<usize>,
    root: DeTable<'t>,
}

/// What is at a place of a parsed text.
enum Node<'a, 't> {
    Table(&'a DeTable<'t>),
    Array(&'a [Spanned<DeValue<'t>>]),
    Leaf,
}

impl<'a, 't> Node<'a, 't> {
    fn of(value: &'a DeValue<'t>) -> Self {
        if let Some(table) = value.as_table() {
            Self::Table(table)
        } else {
            value.as_array().map_or(Self::Leaf, |array| Self::Array(array))
        }
    }
}

impl<'t> Lines<'t> {
    /// Reads as much of `text` as can be read.
    pub fn new(text: &'t str) -> Self {
        let (root, _) = DeTable::parse_recoverable(text);
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, root: root.into_inner() }
    }

    /// Line and column, both from 1, of what `problem` is about; of the nearest thing around it where it is
    /// about something missing. None where it is about the document as a whole.
    pub fn locate(&self, problem: &Problem) -> Option<(usize, usize)> {
        self.span(&problem.pointer).map(|span| self.position(span.start))
    }

    /// `problem` with its place in `file`.
    pub fn located(&self, problem: Problem, file: &str) -> Located {
        let (line, column) = self.locate(&problem).unwrap_or((0, 0));
        Located { file: file.to_owned(), line, column, problem }
    }

    /// The key or array element that a JSON pointer leads to, or the last on the way that is there.
    fn span(&self, pointer: &str) -> Option<Range<usize>> {
        let mut found = None;
        let mut node = Node::Table(&self.root);
        for segment in segments(pointer) {
            let (span, value) = match node {
                Node::Table(table) => {
                    let Some((key, value)) = table.get_key_value(segment.as_str()) else { break };
                    (key.span(), value)
                }
                Node::Array(array) => {
                    let Some(value) = segment.parse::<usize>().ok().and_then(|at| array.get(at)) else {
                        break;
                    };
                    (value.span(), value)
                }
                Node::Leaf => break,
            };
            found = Some(span);
            node = Node::of(value.get_ref());
        }
        found
    }

    /// The JSON pointer of the smallest thing that covers `offset`.
    fn pointer_at(&self, offset: usize) -> String {
        let mut best = (usize::MAX, String::new());
        self.table_at(&self.root, None, offset, &mut best);
        best.1
    }

    /// The parser refuses what is nested deeper than a stack holds, so this may recurse.
    fn table_at(
        &self,
        table: &DeTable<'_>,
        place: Option<&Place<'_>>,
        offset: usize,
        best: &mut (usize, String),
    ) {
        for (key, value) in table {
            let here = place.map_or_else(|| Place::top(key.get_ref()), |place| place.key(key.get_ref()));
            if key.span().contains(&offset) {
                *best = (0, here.pointer());
            }
            self.value_at(value, &here, offset, best);
        }
    }

    fn value_at(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place<'_>,
        offset: usize,
        best: &mut (usize, String),
    ) {
        let span = value.span();
        if span.contains(&offset) && span.len() <= best.0 {
            *best = (span.len(), place.pointer());
        }
        match Node::of(value.get_ref()) {
            Node::Table(table) => self.table_at(table, Some(place), offset, best),
            Node::Array(array) => {
                for (at, value) in array.iter().enumerate() {
                    self.value_at(value, &place.at(at), offset, best);
                }
            }
            Node::Leaf => (),
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// Line and column, both from 1, of what `problem` is about in the TOML text it was found in. For several
/// problems of one text, make its [`Lines`] once.
pub fn locate(text: &str, problem: &Problem) -> Option<(usize, usize)> {
    Lines::new(text).locate(problem)
}

/// Writes a document as TOML: sections in a fixed order, entries by name, one table for each entry.
pub fn write_toml(document: &Document) -> String {
    let mut out = String::new();
    for (section, value) in &as_table(document) {
        match value {
            toml::Value::Table(fields) if section == "settings" => {
                write_table(&mut out, "[settings]", section, fields);
            }
            toml::Value::Table(entries) => {
                for (name, entry) in entries {
                    let mut path = section.clone();
                    push_key(&mut path, name);
                    write_entry(&mut out, &format!("[{path}]"), &path, entry);
                }
            }
            toml::Value::Array(entries) => {
                for entry in entries {
                    write_entry(&mut out, &format!("[[{section}]]"), section, entry);
                }
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => (), // The document itself holds sections only.
        }
    }
    out
}

fn as_table(document: &Document) -> toml::Table {
    toml::Table::try_from(document).expect("a document holds texts, small numbers and tables only")
}

fn write_entry(out: &mut String, header: &str, path: &str, entry: &toml::Value) {
    if let toml::Value::Table(fields) = entry {
        write_table(out, header, path, fields);
    }
}

/// A header and its fields; steps, which are what a policy is read for, get tables of their own.
fn write_table(out: &mut String, header: &str, path: &str, fields: &toml::Table) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend([header, "\n"]);
    for (key, value) in fields {
        if key != "steps" {
            writeln!(out, "{key} = {}", inline(value)).unwrap_or_default();
        }
    }
    if let Some(toml::Value::Array(steps)) = fields.get("steps") {
        for step in steps {
            write_entry(out, &format!("[[{path}.steps]]"), path, step);
        }
    }
}

/// A value, with one element to a line where an array is long.
fn inline(value: &toml::Value) -> String {
    let text = value.to_string();
    let toml::Value::Array(elements) = value else { return text };
    if text.chars().count() <= LINE_CHARS_MAX {
        return text;
    }
    let lines: String = elements.iter().map(|element| format!("    {element},\n")).collect();
    format!("[\n{lines}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Rules;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        match read_toml(text, "directory.toml") {
            Err(located) => located.to_string(),
            Ok(document) => {
                let lines = Lines::new(text);
                let problems = document.resolve(&Rules::any()).err().unwrap_or_default();
                let told = problems.into_iter().map(|it| lines.located(it, "directory.toml").to_string());
                told.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn check(text: &str, expect: &str) {
        assert_eq!(told(text), expect, "{text}");
    }

    #[test]
    fn a_problem_is_shown_with_its_line() {
        check(
            "[policies.standard]\nmode = \"basic\"\n\n[[policies.standard.steps]]\nafter = \"5m\"\nto = [\n  \"ana\",\n]\n[recipients.anna]\naddresses = [{ channel = \"mail\", value = \"a@x\" }]",
            "directory.toml:7: policies.standard.steps[0].to[0]: there is no recipient or group \"ana\"; did you mean \"anna\"?",
        );
        check(
            "[groups.a]\n\n[recipients.b]\ntitle = \"B\"",
            "directory.toml:3: recipients.b.addresses: a recipient needs at least one address",
        );
    }

    #[test]
    fn an_unknown_key_is_shown_with_the_nearest() {
        check(
            "[recipients.anna]\nadresses = []",
            "directory.toml:2: recipients.anna.adresses: there is no key \"adresses\"; did you mean \"addresses\"?",
        );
        check(
            "\n[recipents.anna]",
            "directory.toml:2: recipents: there is no key \"recipents\"; did you mean \"recipients\"?",
        );
        check(
            "[[routes]]\nname = \"r\"\nto = []\nlabels = [{ label = \"x\", matches = \"y\" }]",
            "directory.toml:4: routes[0].labels[0].matches: there is no key \"matches\"; there are label, equals, differs",
        );
    }

    #[test]
    fn what_is_no_toml_or_of_a_wrong_type_is_shown_with_its_line() {
        check(
            "[groups.a]\nmembers = \"anna\"",
            "directory.toml:2: groups.a.members: invalid type: string \"anna\", expected a sequence",
        );
        check("[groups.a]\n\n[groups.a]", "directory.toml:3: groups.a: duplicate key");
        check("a = ", "directory.toml:1: string values must be quoted, expected literal string");
        check("[[routes]]\nname = \"x\"", "directory.toml:1: routes[0]: missing field `to`");
    }

    #[test]
    fn json_is_refused_with_line_and_key() {
        let told = |text| read_json(text, "body").unwrap_err().to_string();
        assert_eq!(
            told("{\n\"recipents\": {}}"),
            "body:2: there is no key \"recipents\"; did you mean \"recipients\"?"
        );
        assert_eq!(told(r#"{"groups": {"a": {}, "a": {}}}"#), "body:1: there are two entries named \"a\"");
    }

    #[test]
    fn a_document_is_written_for_people() {
        let text = r#"[settings]
time_zone = "Europe/Berlin"
operators = ["anna"]
ttl = { info = "2d" }

[recipients.anna]
title = "Anna Berg"
addresses = [{ channel = "mail", value = "anna@x.test" }]

[recipients."night.shift"]
addresses = [
    { channel = "mail", value = "night@x.test" },
    { channel = "voice", value = "+49 30 1234567", default = false },
]

[policies.standard]
mode = "basic"
footnote = """
Reply {{ code }}
to acknowledge."""

[[policies.standard.steps]]
after = "5m"
again = true

[[routes]]
name = "all"
to = ["anna"]
"#;
        let document = read_toml(text, "x").unwrap();
        assert_eq!(write_toml(&document), text);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\[+(recipients|groups|routes)(\\.[a-z\"]{0,3})?\\]+|[a-z]{0,3} ?= ?[\"\\[{}\\],='é😀]{0,6}|\\PC{0,6}|\n){0,12}") {
            told(&text);
            let _ = read_json(&text, "x");
        }
    }
}
