//! What the book says of when alerts are held back: inhibition, maintenance windows, flapping.

use base::Name;
use matcher::Matchers;
use std::sync::Arc;
use std::time::Duration;

/// While an alert that `source` matches is open, those that `target` matches are held back, as far as they agree in
/// the labels of `equal`. The rules are those of Alertmanager 0.25.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition {
    /// Its name.
    pub name: Name,
    /// What holds others back.
    pub source: Matchers,
    /// What is held back.
    pub target: Matchers,
    /// Labels that both must have the same value of; an absent one counts as empty.
    pub equal: Vec<Arc<str>>,
}

/// A time that comes again and again in which alerts are held back, as by a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// The name people read.
    pub title: Arc<str>,
    /// What is held back.
    pub matchers: Matchers,
    /// While any of these calendars is on.
    pub calendars: Vec<Name>,
}

/// When the same trouble comes and goes too often to be told each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// It was raised so often before …
    pub raised: u16,
    /// … within this time.
    pub within: Duration,
    /// A further one is told once it has stood for so long.
    pub steady: Duration,
}
