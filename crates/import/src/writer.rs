//! How what an import makes is spelt: the one place that knows which keys the directory has.

use crate::book::{Book, Inhibition, Maintenance, Rule};
use crate::report::Report;
use matcher::{Matchers, Test};
use record::document::{Document, write_toml};
use std::fmt::Write as _;

/// What the directory of this version can say.
struct Speech {
    /// Routes have `matchers` and `also`, instead of `labels`.
    routes: bool,
    /// There are `[[inhibitions]]`.
    inhibitions: bool,
    /// There is `[maintenance.NAME]`.
    maintenance: bool,
}

/// A test below says when one of these has come true.
const SPEECH: Speech = Speech { routes: false, inhibitions: false, maintenance: false };
/// Why something is left that a later version can say.
const NOT_YET: &str = "the directory of this version cannot say it";

/// The whole as TOML.
pub(crate) fn write(book: &Book, file: &str, report: &mut Report) -> String {
    let mut out = format!("# Made by `steadfast import` from {}.\n", one_line(file));
    for remark in &book.remarks {
        writeln!(out, "# {remark}").unwrap_or_default();
    }
    let document = Document { routes: Vec::new(), ..book.document.clone() };
    out.extend(["\n", &write_toml(&document)]);
    for rule in &book.rules {
        if SPEECH.routes {
            spoken(&mut out, rule);
        } else {
            stammered(&mut out, rule, report);
        }
    }
    for inhibition in &book.inhibitions {
        if SPEECH.inhibitions {
            inhibited(&mut out, inhibition);
        } else {
            report.left(inhibition.line, "inhibit_rules", NOT_YET, "");
        }
    }
    for maintenance in &book.maintenance {
        if SPEECH.maintenance {
            held(&mut out, maintenance);
        } else {
            report.left(maintenance.line, format!("maintenance {}", maintenance.name), NOT_YET, "");
        }
    }
    out
}

fn spoken(out: &mut String, rule: &Rule) {
    begun(out, rule);
    if rule.matchers.iter().next().is_some() {
        writeln!(out, "matchers = {}", matchers(&rule.matchers)).unwrap_or_default();
    }
    if rule.also {
        out.push_str("also = true\n");
    }
    ended(out, rule);
}

/// A route without expressions; one with them is left, and so is what comes on top of another.
fn stammered(out: &mut String, rule: &Rule, report: &mut Report) {
    let plain = |test: &Test| match test {
        Test::Equal(value) => Some(("equals", value.clone())),
        Test::NotEqual(value) => Some(("differs", value.clone())),
        Test::Match(_) | Test::NoMatch(_) => None,
    };
    let tests: Option<Vec<String>> = rule
        .matchers
        .iter()
        .map(|it| {
            let (word, value) = plain(it.test())?;
            Some(format!("{{ label = {}, {word} = {} }}", quoted(it.label()), quoted(&value)))
        })
        .collect();
    let Some(tests) = tests.filter(|_| !rule.also) else {
        report.left(rule.line, format!("route {}", rule.name), NOT_YET, "");
        return;
    };
    begun(out, rule);
    if !tests.is_empty() {
        writeln!(out, "labels = [{}]", tests.join(", ")).unwrap_or_default();
    }
    ended(out, rule);
}

fn begun(out: &mut String, rule: &Rule) {
    write!(out, "\n[[routes]]\nname = {}\n", quoted(&rule.name)).unwrap_or_default();
    if !rule.sources.is_empty() {
        writeln!(out, "sources = {}", list(&rule.sources)).unwrap_or_default();
    }
}

fn ended(out: &mut String, rule: &Rule) {
    writeln!(out, "to = {}", list(&rule.to)).unwrap_or_default();
    if let Some(policy) = &rule.policy {
        writeln!(out, "policy = {}", quoted(policy)).unwrap_or_default();
    }
}

fn inhibited(out: &mut String, it: &Inhibition) {
    write!(out, "\n[[inhibitions]]\nname = {}\n", quoted(&it.name)).unwrap_or_default();
    writeln!(out, "source = {}", matchers(&it.source)).unwrap_or_default();
    writeln!(out, "target = {}", matchers(&it.target)).unwrap_or_default();
    if !it.equal.is_empty() {
        writeln!(out, "equal = {}", list(&it.equal)).unwrap_or_default();
    }
}

fn held(out: &mut String, it: &Maintenance) {
    write!(out, "\n[maintenance.{}]\n", quoted(&it.name)).unwrap_or_default();
    writeln!(out, "matchers = {}", matchers(&it.matchers)).unwrap_or_default();
    writeln!(out, "calendars = {}", list(&it.calendars)).unwrap_or_default();
}

fn matchers(all: &Matchers) -> String {
    list(&all.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A text in TOML: what JSON writes is read there, but for one control character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A text that ends no comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::document::read_toml;

    #[test]
    fn what_the_directory_can_say_is_said() {
        let reads = |text: &str| read_toml(text, "x").is_ok();
        assert_eq!(
            SPEECH.routes,
            reads("[[routes]]\nname = \"a\"\nto = []\nmatchers = ['a=\"b\"']\nalso = true\n")
        );
        assert_eq!(
            SPEECH.inhibitions,
            reads(
                "[[inhibitions]]\nname = \"a\"\nsource = ['a=\"b\"']\ntarget = ['a=\"c\"']\nequal = [\"d\"]\n"
            )
        );
        assert_eq!(
            SPEECH.maintenance,
            reads("[maintenance.a]\nmatchers = ['a=\"b\"']\ncalendars = [\"c\"]\n")
        );
    }

    #[test]
    fn texts_are_written_so_that_toml_reads_them() {
        for text in ["a\"b\\c", "line\nend\ttab", "\u{7f}\u{1}", "größe 😀"] {
            let toml = format!("[[routes]]\nname = {}\nto = []\n", quoted(text));
            assert_eq!(read_toml(&toml, "x").expect(&toml).routes[0].name, text);
        }
    }
}
