//! `alertmanager.yml`, of Alertmanager 0.25 and later.
//!
//! What Alertmanager itself refuses is refused here, with its line: a file that it does not run says nothing about
//! what its users want. Keys that are not known here are told as left.

mod inhibit;
mod matchers;
mod receivers;
mod routes;
mod times;
mod tree;

pub(crate) use receivers::{NOWHERE, is_break};

use crate::book::{Book, Names};
use crate::report::Report;
use crate::yaml::{self, Key, Node};
use crate::{ImportError, Imported};
use base::time::{Human, parse_duration};
use record::document::{Rules, form};
use std::collections::BTreeMap;
use std::time::Duration;

/// Why grouping is left.
const SINGLY: &str = "each alert is told for itself, at once";

/// Reads `text` and makes a directory of it, whose addresses and zones are those that `rules` takes.
///
/// # Errors
/// It is no configuration that Alertmanager would run.
pub fn alertmanager(text: &str, rules: &Rules<'_>) -> Result<Imported, ImportError> {
    let root = yaml::read(text)?;
    let mut reader = Reader {
        rules,
        report: Report::default(),
        book: Book::default(),
        people: Names::default(),
        names: Names::default(),
        receivers: BTreeMap::new(),
        intervals: BTreeMap::new(),
        policies: BTreeMap::new(),
    };
    reader.whole(&root)?;
    Ok(Imported { book: reader.book, report: reader.report })
}

/// What is known of the file so far.
struct Reader<'r> {
    rules: &'r Rules<'r>,
    report: Report,
    book: Book,
    /// Names of recipients and groups.
    people: Names,
    /// Names of routes and of what goes with them.
    names: Names,
    receivers: BTreeMap<String, Receiver>,
    intervals: BTreeMap<String, Interval>,
    /// Policies by how often they repeat and whether they tell the end.
    policies: BTreeMap<(Duration, bool), String>,
}

/// What became of a receiver.
#[derive(Clone, Debug)]
struct Receiver {
    /// The recipient or group.
    name: String,
    /// Whether it is told of the end.
    tell_resolved: bool,
    /// Whether an address of it could be kept.
    reached: bool,
}

/// What became of a time interval.
#[derive(Clone, Debug, Default)]
struct Interval {
    /// Calendars that together are the interval, or less than it.
    within: Vec<String>,
    /// Calendars that together are every other time, where that can be said.
    without: Option<Vec<String>>,
}

impl Reader<'_> {
    fn whole(&mut self, root: &Node) -> Result<(), ImportError> {
        let mut fields = Fields::of(root, "the file")?;
        if let Some(global) = fields.take("global") {
            self.global(global)?;
        }
        for list in ["time_intervals", "mute_time_intervals"] {
            if let Some(node) = fields.take(list) {
                self.intervals(node, list)?;
            }
        }
        let receivers = fields.take("receivers");
        self.receivers(receivers.ok_or_else(|| ImportError::at(0, "there are no receivers"))?)?;
        let route = fields.take("route").ok_or_else(|| ImportError::at(0, "there is no route"))?;
        self.routes(route)?;
        if let Some(rules) = fields.take("inhibit_rules") {
            self.inhibit_rules(rules)?;
        }
        if let Some(templates) = fields.take("templates") {
            let advice = "write templates of the directory for what matters";
            self.report.left(templates.line, "templates", "they are in Go's language", advice);
        }
        self.unknown(&fields, "");
        Ok(())
    }

    fn global(&mut self, node: &Node) -> Result<(), ImportError> {
        let mut fields = Fields::of(node, "global")?;
        if let Some(timeout) = fields.take("resolve_timeout") {
            let timeout = duration(timeout, "resolve_timeout")?;
            if !timeout.is_zero() {
                self.book.document.settings.resolve_timeout = Some(Human(timeout).to_string());
            }
        }
        self.mail_server(&mut fields)?;
        let rest = fields.rest();
        for (key, _) in rest {
            let advice = "see what became of the receivers that use it";
            self.report.left(key.line, format!("global.{}", key.text), "no way out of ours has it", advice);
        }
        Ok(())
    }

    /// The mail server belongs to the node file, so it becomes a remark.
    fn mail_server(&mut self, fields: &mut Fields<'_>) -> Result<(), ImportError> {
        let keys = fields.rest().into_iter().filter(|(key, _)| key.text.starts_with("smtp_"));
        let keys: Vec<String> = keys.map(|(key, _)| key.text.clone()).collect();
        let mut said = BTreeMap::new();
        for key in &keys {
            let Some(node) = fields.take(key) else { continue };
            let text = node.text(key)?.to_owned();
            match key.as_str() {
                "smtp_smarthost" | "smtp_from" | "smtp_auth_username" | "smtp_require_tls" => {
                    let advice = "put the remark at the head of the text into the node file";
                    self.report.changed(node.line, format!("global.{key}"), "it belongs to the node", advice);
                    said.insert(key.clone(), text);
                }
                "smtp_auth_password" | "smtp_auth_password_file" => {
                    let advice = "write the password into the file that the remark names";
                    self.report.left(node.line, format!("global.{key}"), "secrets are not copied", advice);
                }
                _ => self.report.left(node.line, format!("global.{key}"), "our mail has no such setting", ""),
            }
        }
        if said.is_empty() {
            return Ok(());
        }
        let of = |key: &str| said.get(key).map(|text| remarkable(text));
        let server = of("smtp_smarthost").unwrap_or_else(|| "localhost:25".to_owned());
        let (host, port) = server.rsplit_once(':').unwrap_or((server.as_str(), "25"));
        let mut lines = vec![
            "For the node file:".to_owned(),
            "  [[providers]]".to_owned(),
            "  name = \"mail\"".to_owned(),
            "  channel = \"mail\"".to_owned(),
            format!("  host = \"{host}\""),
            format!("  port = {port}"),
        ];
        let plain = of("smtp_require_tls").is_some_and(|text| text == "false");
        lines.push(format!("  tls = \"{}\"", if plain { "plain" } else { "starttls" }));
        lines.extend(of("smtp_from").map(|from| format!("  sender = \"{from}\"")));
        lines.extend(of("smtp_auth_username").map(|user| format!("  user = \"{user}\"")));
        lines.extend(
            said.contains_key("smtp_auth_username")
                .then(|| "  password = { file = \"mail-password\" }".to_owned()),
        );
        self.book.remarks.extend(lines);
        Ok(())
    }

    /// Tells of keys that nobody asked for.
    fn unknown(&mut self, fields: &Fields<'_>, place: &str) {
        for (key, _) in fields.rest() {
            self.report.left(key.line, format!("{place}{}", key.text), "this key is not known here", "");
        }
    }

    /// The policy that repeats so often, and tells the end or not.
    fn policy(&mut self, repeat: Duration, tell_resolved: bool) -> String {
        if let Some(name) = self.policies.get(&(repeat, tell_resolved)) {
            return name.clone();
        }
        let after = Human(repeat).to_string();
        let name =
            self.names.give(&format!("every-{after}{}", if tell_resolved { "" } else { "-quiet-end" }));
        let policy = form::Policy {
            mode: Some("basic".to_owned()),
            tell_resolved: tell_resolved.then_some(true),
            repeat: Some(form::Repeat { times: REPEATS, after, from_step: None }),
            ..form::Policy::default()
        };
        self.book.document.policies.insert(name.clone(), policy);
        self.policies.insert((repeat, tell_resolved), name.clone());
        name
    }
}

/// How often a policy repeats at most.
const REPEATS: u16 = base::limits::ROUNDS_MAX - 1;

/// The fields of a map, and which of them nobody asked for.
struct Fields<'n> {
    line: usize,
    entries: Vec<&'n (Key, Node)>,
}

impl<'n> Fields<'n> {
    fn of(node: &'n Node, what: &str) -> Result<Self, ImportError> {
        Ok(Self { line: node.line, entries: node.map(what)?.iter().collect() })
    }

    /// The value of a key, once.
    fn take(&mut self, key: &str) -> Option<&'n Node> {
        let at = self.entries.iter().position(|(there, _)| there.text == key)?;
        Some(&self.entries.remove(at).1)
    }

    fn rest(&self) -> Vec<&'n (Key, Node)> {
        self.entries.clone()
    }
}

/// A duration as Prometheus writes it, which has years.
fn duration(node: &Node, what: &str) -> Result<Duration, ImportError> {
    let text = node.text(what)?;
    let (years, rest) = match text.split_once('y') {
        Some((years, rest)) => (years.parse::<u32>().ok(), rest),
        None => (Some(0), text),
    };
    let wrong = || ImportError::at(node.line, format!("{what}: {text:?} is no duration such as \"5m\""));
    let days =
        years.and_then(|years| years.checked_mul(365)).filter(|days| *days <= 10_000).ok_or_else(wrong)?;
    let rest = match rest {
        "" if days > 0 => Duration::ZERO,
        "0" => Duration::ZERO,
        other => parse_duration(other).map_err(|_| wrong())?,
    };
    Ok(Duration::from_secs(u64::from(days) * 86_400) + rest)
}

/// A text within a remark: without what ends a line or a string.
fn remarkable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        let of = |text: &str| {
            let root = yaml::read(&format!("a: {text}")).unwrap();
            duration(&root.map("x").unwrap()[0].1, "a").ok().map(|it| it.as_secs())
        };
        assert_eq!(of("5m"), Some(300));
        assert_eq!(of("1w"), Some(604_800));
        assert_eq!(of("1y"), Some(31_536_000));
        assert_eq!(of("1y1d"), Some(31_622_400));
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("soon"), None);
        assert_eq!(of("99999999y"), None);
    }
}
