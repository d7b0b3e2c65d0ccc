//! Matchers, in the three ways in which Alertmanager has written them.

use super::Fields;
use crate::ImportError;
use crate::yaml::Node;
use matcher::{Expression, Matcher, Matchers, Test};

/// The keys of a set of matchers: a list of texts, a map of values, and a map of expressions.
pub(super) struct Keys {
    pub(super) list: &'static str,
    pub(super) equal: &'static str,
    pub(super) expressions: &'static str,
}

/// Takes the matchers from a map's fields.
///
/// # Errors
/// One of them is none.
pub(super) fn take(fields: &mut Fields<'_>, keys: &Keys) -> Result<Vec<Matcher>, ImportError> {
    let mut all = Vec::new();
    if let Some(node) = fields.take(keys.equal) {
        for (key, node) in node.map(keys.equal)? {
            let value = node.text(&key.text)?.to_owned();
            all.push(made(key.line, &key.text, Test::Equal(value))?);
        }
    }
    if let Some(node) = fields.take(keys.expressions) {
        for (key, node) in node.map(keys.expressions)? {
            let value = node.text(&key.text)?;
            let expression = Expression::new(value)
                .map_err(|why| ImportError::at(node.line, format!("{}: {why}", key.text)))?;
            all.push(made(key.line, &key.text, Test::Match(expression))?);
        }
    }
    if let Some(node) = fields.take(keys.list) {
        for node in node.list(keys.list)? {
            all.extend(listed(node, keys.list)?);
        }
    }
    Ok(all)
}

fn listed(node: &Node, what: &str) -> Result<Vec<Matcher>, ImportError> {
    let text = node.text(what)?;
    let read = text.parse::<Matchers>();
    let read = read.map_err(|why| ImportError::at(node.line, format!("{what}: {text:?}: {why}")))?;
    Ok(read.iter().cloned().collect())
}

fn made(line: usize, label: &str, test: Test) -> Result<Matcher, ImportError> {
    Matcher::new(label, test).ok_or_else(|| ImportError::at(line, format!("{label:?} is no name of a label")))
}
