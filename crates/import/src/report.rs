//! What could not be carried over, and what is different: one line each, with its place and what to do.

use std::fmt;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, and does something else than before.
    Changed,
    /// It is not there.
    Left,
}

impl Fate {
    /// How the report says it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Changed => "carried over with a difference",
            Self::Left => "not carried over",
        }
    }
}

/// One thing that is not as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line in the other program's file, from 1; 0 where it is about the whole.
    pub line: usize,
    /// What it is about.
    pub what: String,
    /// What became of it.
    pub fate: Fate,
    /// Why.
    pub why: String,
    /// What can be done about it; empty if nothing has to be.
    pub advice: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.what, self.fate.words(), self.why)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// Everything that is not as before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Its lines, in the order of the file.
    pub fn lines(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.line);
        lines
    }

    /// Whether everything was carried over, differences or not.
    pub fn is_whole(&self) -> bool {
        self.lines.iter().all(|line| line.fate == Fate::Changed)
    }

    pub(crate) fn left(&mut self, line: usize, what: impl Into<String>, why: &str, advice: &str) {
        self.add(line, what.into(), Fate::Left, why, advice);
    }

    pub(crate) fn changed(&mut self, line: usize, what: impl Into<String>, why: &str, advice: &str) {
        self.add(line, what.into(), Fate::Changed, why, advice);
    }

    fn add(&mut self, line: usize, what: String, fate: Fate, why: &str, advice: &str) {
        let line = Line { line, what, fate, why: why.to_owned(), advice: advice.to_owned() };
        // What is inherited or used twice is told once.
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }
}
