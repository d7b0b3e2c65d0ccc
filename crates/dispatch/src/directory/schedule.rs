//! Schedules and calendars as the core sees them: names, and rules that it does not read.
//!
//! Separate, because they alone hold what the core cannot judge: who is on call takes time zones. The shell reads
//! the rules and hands in what they come to.

use base::Name;
use std::sync::Arc;

/// Who is on call. Schedules may stand in schedules, without cycles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Everybody whom it names in any place: recipients, groups and schedules, each once.
    pub names: Vec<Name>,
    /// Who has which turn, in the words of the directory's document (JSON).
    pub rules: Arc<str>,
}

/// A set of times, such as holidays or quiet hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Which times, in the words of the directory's document (JSON).
    pub rules: Arc<str>,
}
