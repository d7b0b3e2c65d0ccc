//! YAML as a tree that knows its lines: the parser says what stands where, and this puts it together.
//!
//! Separate, because texts of strangers are read here: anchors are followed, but not without an end.

use crate::ImportError;
use crate::limits::{NESTING_MAX, VALUES_MAX};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use std::collections::BTreeMap;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, also what looks like a number or a truth value.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Reads the first document of a text.
///
/// # Errors
/// It is no YAML, nests too deep or holds too much, with the line.
pub(crate) fn read(text: &str) -> Result<Node, ImportError> {
    let mut loader = Loader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), values: 0 };
    loop {
        let (event, line) = loader.next()?;
        match event {
            Event::StreamEnd => return Ok(Node { line: 1, value: Value::Null }),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => (),
            other @ (Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd) => return loader.node(other, line, 0),
        }
    }
}

struct Loader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What anchors stand for, and how many values that is.
    anchors: BTreeMap<usize, (Node, usize)>,
    values: usize,
}

impl<'t> Loader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, usize), ImportError> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, 0)),
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => {
                Err(ImportError::at(error.marker().line(), format!("no YAML: {}", error.info())))
            }
        }
    }

    fn node(&mut self, event: Event<'t>, line: usize, depth: usize) -> Result<Node, ImportError> {
        if NESTING_MAX < depth {
            return Err(ImportError::at(line, format!("nests deeper than {NESTING_MAX}")));
        }
        let before = self.values;
        self.count(line, 1)?;
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line),
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(&text, style)),
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(ImportError::at(line, "no YAML: a value is missing")),
        };
        let node = Node { line, value };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.values - before));
        }
        Ok(node)
    }

    fn count(&mut self, line: usize, values: usize) -> Result<(), ImportError> {
        self.values = self.values.saturating_add(values);
        if VALUES_MAX < self.values {
            return Err(ImportError::at(line, format!("holds more than {VALUES_MAX} values")));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Node, ImportError> {
        let found = self.anchors.get(&anchor).cloned();
        let (node, values) =
            found.ok_or_else(|| ImportError::at(line, "there is no such anchor before it"))?;
        self.count(line, values)?;
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, ImportError> {
        let mut list = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(list));
            }
            list.push(self.node(event, line, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, ImportError> {
        let (mut map, mut merged) = (Vec::new(), Vec::new());
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let Value::Text(text) = self.node(event, line, depth + 1)?.value else {
                return Err(ImportError::at(line, "a key must be a text"));
            };
            let (event, begin) = self.next()?;
            let node = self.node(event, begin, depth + 1)?;
            match (text.as_str(), node.value) {
                ("<<", Value::Map(entries)) => merged.extend(entries),
                (_, value) => map.push((Key { line, text }, Node { line: node.line, value })),
            }
        }
        // What stands in the map itself counts before what is merged into it.
        for (key, node) in merged {
            if !map.iter().any(|(there, _): &(Key, Node)| there.text == key.text) {
                map.push((key, node));
            }
        }
        Ok(Value::Map(map))
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let is_null = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if is_null { Value::Null } else { Value::Text(text.to_owned()) }
}

impl Node {
    /// Its entries; none where there is nothing.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn map(&self, what: &str) -> Result<&[(Key, Self)], ImportError> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            Value::Text(_) | Value::List(_) => {
                Err(ImportError::at(self.line, format!("{what} must be a map")))
            }
        }
    }

    /// Its elements; none where there is nothing.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn list(&self, what: &str) -> Result<&[Self], ImportError> {
        match &self.value {
            Value::List(list) => Ok(list),
            Value::Null => Ok(&[]),
            Value::Text(_) | Value::Map(_) => {
                Err(ImportError::at(self.line, format!("{what} must be a list")))
            }
        }
    }

    /// Its text; empty where there is nothing.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn text(&self, what: &str) -> Result<&str, ImportError> {
        match &self.value {
            Value::Text(text) => Ok(text),
            Value::Null => Ok(""),
            Value::List(_) | Value::Map(_) => {
                Err(ImportError::at(self.line, format!("{what} must be a text")))
            }
        }
    }

    /// Its truth value.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn flag(&self, what: &str) -> Result<bool, ImportError> {
        match self.text(what)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" | "" => Ok(false),
            other => Err(ImportError::at(self.line, format!("{what} must be true or false, not {other:?}"))),
        }
    }

    /// The texts of a list.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn texts(&self, what: &str) -> Result<Vec<String>, ImportError> {
        self.list(what)?.iter().map(|node| node.text(what).map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_anchors_and_merged_maps_are_known() {
        let root = read("a: 1\nb: &x\n  c: two\n  d: ~\ne: *x\nf:\n  <<: *x\n  c: three\n").unwrap();
        let map = root.map("x").unwrap();
        let keys: Vec<_> = map.iter().map(|(key, _)| (key.line, key.text.as_str())).collect();
        assert_eq!(keys, [(1, "a"), (2, "b"), (5, "e"), (6, "f")]);
        assert_eq!(map[2].1, map[1].1);
        let merged: Vec<_> =
            map[3].1.map("f").unwrap().iter().map(|(key, node)| (key.text.as_str(), &node.value)).collect();
        assert_eq!(merged, [("c", &Value::Text("three".to_owned())), ("d", &Value::Null)]);
        assert_eq!(read("").unwrap().value, Value::Null);
    }

    #[test]
    fn what_is_no_yaml_or_too_much_is_refused_with_its_line() {
        assert_eq!(read("a: [1,\nb: }").unwrap_err().line, 2);
        let laughs: String = (1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
        assert!(read(&format!("a0: &a0 [x, x]\n{laughs}")).unwrap_err().why.contains("more than"));
        let deep = "[".repeat(1000);
        assert!(read(&deep).is_err());
    }
}
