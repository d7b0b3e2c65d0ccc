//! What changed between two documents, for an operator to read before saying yes.

use super::form::Document;
use super::problem::push_key;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is there from now on.
    Added,
    /// It is gone.
    Removed,
    /// It is another one.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What, as a TOML path such as `recipients.anna.addresses[0].value`. Routes go by their name.
    pub what: String,
    /// What became of it.
    pub kind: Kind,
    /// What it was, unless it was added or is a secret.
    pub from: Option<String>,
    /// What it is, unless it was removed or is a secret.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(secret)".to_owned());
        match (self.kind, &self.from, &self.to) {
            (Kind::Added, _, to) => write!(f, "{}: added {}", self.what, shown(to)),
            (Kind::Removed, from, _) => write!(f, "{}: removed {}", self.what, shown(from)),
            (Kind::Changed, None, None) => write!(f, "{}: (changed)", self.what),
            (Kind::Changed, from, to) => write!(f, "{}: {} -> {}", self.what, shown(from), shown(to)),
        }
    }
}

/// Every difference between two documents, in the order of the paths. Secrets are not shown.
pub fn diff(from: &Document, to: &Document) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &as_value(from), &as_value(to), &mut changes);
    changes
}

fn as_value(document: &Document) -> Value {
    serde_json::to_value(document).expect("a document holds texts, small numbers and tables only")
}

/// Forms nest six deep at most, so this may recurse.
fn compare(path: &str, from: &Value, to: &Value, changes: &mut Vec<Change>) {
    match (from, to) {
        _ if from == to => (),
        (Value::Object(before), Value::Object(after)) => {
            let pairs = |entries: &serde_json::Map<String, Value>| {
                entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            compare_entries(path, &pairs(before), &pairs(after), changes);
        }
        (Value::Array(before), Value::Array(after)) if matches!(path, "routes" | "inhibitions") => {
            compare_named(path, before, after, changes);
        }
        (Value::Array(before), Value::Array(after))
            if before.iter().chain(after).all(|it| it.is_string()) =>
        {
            compare_lists(path, before, after, changes);
        }
        (Value::Array(before), Value::Array(after)) => {
            for at in 0..before.len().max(after.len()) {
                compare_one(&format!("{path}[{at}]"), before.get(at), after.get(at), changes);
            }
        }
        _ => changes.push(change(path, Kind::Changed, Some(from), Some(to))),
    }
}

type Entries = BTreeMap<String, Value>;

fn compare_entries(path: &str, before: &Entries, after: &Entries, changes: &mut Vec<Change>) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    let mut keys: Vec<&String> = before.keys().chain(added).collect();
    keys.sort_unstable();
    for key in keys {
        let mut path = path.to_owned();
        push_key(&mut path, key);
        compare_one(&path, before.get(key), after.get(key), changes);
    }
}

fn compare_one(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    match (before, after) {
        (Some(before), Some(after)) => compare(path, before, after, changes),
        // A section that comes or goes is told entry by entry.
        (Some(Value::Object(gone)), None) if !path.contains('.') => {
            compare(path, &Value::Object(gone.clone()), &Value::Object(serde_json::Map::new()), changes);
        }
        (None, Some(Value::Object(new))) if !path.contains('.') => {
            compare(path, &Value::Object(serde_json::Map::new()), &Value::Object(new.clone()), changes);
        }
        (Some(Value::Array(gone)), None) => {
            compare(path, &Value::Array(gone.clone()), &Value::Array(Vec::new()), changes);
        }
        (None, Some(Value::Array(new))) => {
            compare(path, &Value::Array(Vec::new()), &Value::Array(new.clone()), changes);
        }
        (Some(gone), None) => changes.push(change(path, Kind::Removed, Some(gone), None)),
        (None, Some(new)) => changes.push(change(path, Kind::Added, None, Some(new))),
        (None, None) => (),
    }
}

/// Routes go by their names, and their order counts.
fn compare_named(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    let name = |route: &Value| route.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = |routes: &[Value]| routes.iter().map(|route| (name(route), route.clone())).collect();
    let (old, new): (Entries, Entries) = (named(before), named(after));
    compare_entries(path, &old, &new, changes);
    let order = |routes: &[Value], other: &Entries| {
        routes.iter().map(name).filter(|name| other.contains_key(name)).collect::<Vec<_>>()
    };
    let (was, is) = (order(before, &new), order(after, &old));
    if was != is {
        let told = |names: Vec<String>| Some(cut(&names.join(", ")));
        changes.push(Change {
            what: format!("{path} (order)"),
            kind: Kind::Changed,
            from: told(was),
            to: told(is),
        });
    }
}

/// Lists of names: what came and what went, or that the order is another one.
fn compare_lists(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    let mut counts: BTreeMap<&str, isize> = BTreeMap::new();
    for (values, one) in [(before, -1), (after, 1)] {
        for text in values.iter().filter_map(Value::as_str) {
            *counts.entry(text).or_default() += one;
        }
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        let (was, is) = (Value::Array(before.to_vec()), Value::Array(after.to_vec()));
        changes.push(change(path, Kind::Changed, Some(&was), Some(&is)));
    }
    for (text, count) in counts {
        let value = Value::String(text.to_owned());
        let (kind, from, to) =
            if count < 0 { (Kind::Removed, Some(&value), None) } else { (Kind::Added, None, Some(&value)) };
        changes.push(change(path, kind, from, to));
    }
}

fn change(path: &str, kind: Kind, from: Option<&Value>, to: Option<&Value>) -> Change {
    let secret = path.rsplit_once('.').is_some_and(|(_, key)| is_secret(key));
    let told = |value: Option<&Value>| value.filter(|_| !secret).map(|value| cut(&shown(value)));
    Change { what: path.to_owned(), kind, from: told(from), to: told(to) }
}

fn is_secret(key: &str) -> bool {
    matches!(key, "password" | "sha256")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A value in one line, as TOML would have it.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let told = if is_secret(key) { "(secret)".to_owned() } else { shown(value) };
                format!("{key} = {told}")
            };
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::read_toml;

    fn check(from: &str, to: &str, expect: &[&str]) {
        let read = |text| read_toml(text, "x").unwrap();
        let told: Vec<_> = diff(&read(from), &read(to)).iter().map(Change::to_string).collect();
        assert_eq!(told, expect, "{from}\n{to}");
    }

    #[test]
    fn a_change_is_told_at_its_smallest() {
        let anna = "[recipients.anna]\naddresses = [{ channel = \"mail\", value = \"a@x\" }]\n";
        check(anna, anna, &[]);
        check(anna, &anna.replace("a@", "b@"), &["recipients.anna.addresses[0].value: \"a@x\" -> \"b@x\""]);
        check(
            "",
            anna,
            &["recipients.anna: added { addresses = [{ channel = \"mail\", value = \"a@x\" }] }"],
        );
        check(
            anna,
            "",
            &["recipients.anna: removed { addresses = [{ channel = \"mail\", value = \"a@x\" }] }"],
        );
    }

    #[test]
    fn lists_of_names_are_compared_as_sets_and_then_by_order() {
        let group = |members: &str| format!("[groups.g]\nmembers = [{members}]");
        check(
            &group("'a', 'b'"),
            &group("'c', 'b'"),
            &["groups.g.members: removed \"a\"", "groups.g.members: added \"c\""],
        );
        check(
            &group("'a', 'b'"),
            &group("'b', 'a'"),
            &["groups.g.members: [\"a\", \"b\"] -> [\"b\", \"a\"]"],
        );
    }

    #[test]
    fn routes_go_by_name_and_order() {
        let route = |name: &str, to: &str| format!("[[routes]]\nname = \"{name}\"\nto = [\"{to}\"]\n");
        check(
            &(route("a", "x") + &route("b", "x")),
            &(route("b", "x") + &route("new", "y") + &route("a", "z")),
            &[
                "routes.a.to: removed \"x\"",
                "routes.a.to: added \"z\"",
                "routes.new: added { name = \"new\", to = [\"y\"] }",
                "routes (order): a, b -> b, a",
            ],
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let user = |hash: &str| format!("[users.bea]\npassword = \"{hash}\"\nscopes = [\"read\"]");
        check(&user("one"), &user("two"), &["users.bea.password: (changed)"]);
        check("", &user("two"), &["users.bea: added { password = (secret), scopes = [\"read\"] }"]);
    }
}
