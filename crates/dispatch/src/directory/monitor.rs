//! What has to be heard of again and again: heartbeat monitors, and our own daily heartbeat.

use super::{Severity, Target};
use base::Name;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A dead man's switch: something that says regularly that it lives. Its silence is an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// How often it says so.
    pub every: Duration,
    /// How much later than that is no alert yet.
    pub grace: Duration,
    /// Of the alert.
    pub severity: Severity,
    /// What the alert says; a sentence with its name if absent.
    pub summary: Option<Arc<str>>,
    /// Of the alert, besides `monitor`.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Whom to tell; empty leaves it to the routes.
    pub to: Vec<Target>,
    /// How to escalate; none leaves it to route and target.
    pub policy: Option<Name>,
}

/// One message a day that says that all is well, or what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daily {
    /// Minutes from midnight in the directory's time zone, 0 to 1439.
    pub minute: u16,
    /// Whom to tell.
    pub to: Vec<Target>,
    /// On which days; Monday is bit 0.
    pub days: u8,
}
