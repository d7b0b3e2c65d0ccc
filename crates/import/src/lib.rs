//! Other dispatchers' configurations become a directory document, and a report of what could not be carried over.
//!
//! Separate from the directory itself, because nothing here runs in a node: a text comes in, a text goes out, and
//! whoever moves reads both. What the other program does and ours does not is said line by line, never passed over in
//! silence; what it would refuse itself is refused.
//!
//! Reading order: `report`, `book` (what is made) with `writer` (the one place that spells it), `yaml`, then the
//! programs: `alertmanager`; and `people` with `json`, for `goalert` and `oncall`.

mod alertmanager;
mod book;
mod goalert;
mod json;
pub mod limits;
mod oncall;
mod people;
mod report;
mod writer;
mod yaml;

pub use alertmanager::alertmanager;
pub use book::{Book, Inhibition, Maintenance, Rule};
pub use goalert::goalert;
pub use oncall::oncall;
pub use report::{Fate, Line, Report};

/// What came of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// What was carried over.
    pub book: Book,
    /// What was not, or is different.
    pub report: Report,
}

impl Imported {
    /// The directory as TOML. `file` is named in its head.
    pub fn write(&self, file: &str) -> String {
        writer::write(&self.book, file)
    }
}

/// Why nothing could be made of a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ImportError {
    /// The line, from 1; 0 where it is about the whole.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl ImportError {
    fn at(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}
