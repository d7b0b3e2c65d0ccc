//! The directory as a document: how it is spelt, whether it holds, and what changed.
//!
//! Separate from the ledger's records, because people write this by hand and are owed an answer that names
//! every mistake with its line. [`Document`] is the spelling, [`Document::resolve`] the judgement; what it
//! lets through is a `Directory` in which every name leads somewhere.

mod diff;
pub mod form;
mod moment;
mod monitor_form;
mod nearest;
mod problem;
mod resolve;
mod schedules;
mod text;
mod write;

pub use diff::{Change, Kind, diff};
pub use form::Document;
pub use problem::{Located, PROBLEMS_MAX, Problem};
pub use resolve::{ChannelRule, Rules, TITLE_CHARS_MAX};
pub use schedules::book as schedule_book;
pub use text::{Lines, locate, read_json, read_toml, write_toml};

#[cfg(test)]
mod tests;
