//! The directory as a document: how it is spelt, whether it holds, and what changed.
//!
//! Separate from the ledger's records, because people write this by hand and are owed an answer that names
//! every mistake with its line. [`Document`] is the spelling, [`Document::resolve`] the judgement; what it
//! lets through is a `Directory` in which every name leads somewhere.

pub mod form;
mod moment;
mod nearest;
mod problem;
mod resolve;
mod write;

pub use form::Document;
pub use problem::{Located, PROBLEMS_MAX, Problem};
pub use resolve::{ChannelRule, Rules, TITLE_CHARS_MAX};

#[cfg(test)]
mod tests;
