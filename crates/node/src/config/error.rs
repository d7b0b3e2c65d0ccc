//! Says what is wrong with a node file, and where.

use channel::nearest;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong with a node file: file, line, key, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    pub(crate) fn whole(file: &Path, why: String) -> Self {
        Self { file: file.to_owned(), line: None, why }
    }
}

/// Where a table of an array stands, kept for what is found wrong with it later.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: PathBuf,
    header: Option<usize>,
    keys: BTreeMap<String, usize>,
}

impl Place {
    /// `file:line` of a key; of the table's header where the key is missing.
    pub(crate) fn of(&self, key: Option<&str>) -> String {
        let line = key.and_then(|key| self.keys.get(key).copied()).or(self.header);
        let line = line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{line}", self.file.display())
    }
}

/// The text of a node file, to find lines in.
pub(crate) struct Lines<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl Lines<'_> {
    /// What the TOML reader did not like.
    pub(crate) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let line = error.span().map(|span| self.line_of(&span));
        let key = error.span().and_then(|span| self.text.get(span)).unwrap_or_default().to_owned();
        let mut why = error.message().replace('`', "\"");
        if why == "invalid socket address syntax" {
            why = "write an address and a port, such as \"127.0.0.1:8443\"".to_owned();
        }
        if let Some(expected) = why.strip_prefix(&format!("unknown field \"{key}\", expected ")) {
            let choices: Vec<&str> = expected.split('"').skip(1).step_by(2).collect();
            why = format!("there is no key {key:?}{}", nearest(&key, &choices));
        } else if let Some(name) = line.and_then(|line| self.key_at(line)).filter(|name| *name != key) {
            why = format!("{name}: {why}");
        }
        ConfigError { file: self.path.to_owned(), line, why }
    }

    /// What is wrong with the value of `key`, wherever that stands.
    pub(crate) fn at(&self, key: &str, why: &dyn fmt::Display) -> ConfigError {
        ConfigError { file: self.path.to_owned(), line: self.find(key, 0), why: format!("{key}: {why}") }
    }

    /// What is wrong with `key` in the table of that number in an array of tables.
    pub(crate) fn in_table(&self, array: &str, index: usize, key: &str, why: &str) -> ConfigError {
        let start = self.header(array, index);
        let line = start.map(|start| self.find(key, start).unwrap_or(start + 1));
        ConfigError { file: self.path.to_owned(), line, why: format!("{array}[{index}].{key}: {why}") }
    }

    /// Where the table of that number in an array of tables stands, with its keys.
    pub(crate) fn place(&self, array: &str, index: usize) -> Place {
        let header = self.header(array, index);
        let below = header.map_or(usize::MAX, |header| header + 1);
        let lines = self.text.lines().enumerate().skip(below);
        let own = lines.take_while(|(_, line)| !line.trim().starts_with('['));
        let keys = own.filter_map(|(at, _)| Some((self.key_at(at + 1)?.to_owned(), at + 1)));
        Place { file: self.path.to_owned(), header: header.map(|header| header + 1), keys: keys.collect() }
    }

    /// The header of the table of that number in an array of tables, counted from 0.
    fn header(&self, array: &str, index: usize) -> Option<usize> {
        let header = format!("[[{array}]]");
        let mut headers = self.text.lines().enumerate().filter(|(_, line)| line.trim() == header);
        headers.nth(index).map(|(at, _)| at)
    }

    /// The key that is set on a line.
    fn key_at(&self, line: usize) -> Option<&str> {
        let (name, _) = self.text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
        let name = name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!name.is_empty() && name.chars().all(plain)).then_some(name)
    }

    fn find(&self, key: &str, from: usize) -> Option<usize> {
        let found = self.text.lines().enumerate().skip(from).find(|(at, line)| {
            let is_key = line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
            is_key && (from == 0 || !self.another_table(from, *at))
        });
        found.map(|(at, _)| at + 1)
    }

    /// Another table begins between the header at `start` and line `at`.
    fn another_table(&self, start: usize, at: usize) -> bool {
        self.text
            .lines()
            .skip(start + 1)
            .take(at.saturating_sub(start))
            .any(|line| line.trim().starts_with('['))
    }

    fn line_of(&self, span: &Range<usize>) -> usize {
        self.text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
    }
}
