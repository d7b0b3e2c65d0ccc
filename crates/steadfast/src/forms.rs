//! What the API answers, as far as this program reads it to put it into words.
//!
//! Separate, because `--json` prints the answers untouched; here unknown fields are passed over and missing
//! ones are empty, so that a node one version ahead or behind can still be asked.

use serde::Deserialize;
use std::collections::BTreeMap;

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) state: String,
    pub(crate) severity: String,
    pub(crate) source: String,
    pub(crate) summary: String,
    pub(crate) details: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) route: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) accepted_at: String,
    pub(crate) age_seconds: u64,
    pub(crate) acknowledged: Option<Deed>,
    pub(crate) acknowledgements: Vec<Deed>,
    pub(crate) missing: u64,
    pub(crate) ended: Option<Ended>,
    pub(crate) closed_at: Option<String>,
    pub(crate) recipients: u64,
    pub(crate) progress: Progress,
    pub(crate) next_step: Option<NextStep>,
    pub(crate) escalates: bool,
    pub(crate) system: bool,
    pub(crate) late: bool,
    pub(crate) answers: Option<Answers>,
    pub(crate) held_back: Vec<String>,
    pub(crate) comments: Vec<Deed>,
    pub(crate) steps: Vec<Step>,
}

/// An acknowledgement or a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Deed {
    pub(crate) by: String,
    pub(crate) at: String,
    #[serde(alias = "text")]
    pub(crate) comment: Option<String>,
}

/// Why and when an escalation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Ended {
    pub(crate) why: String,
    pub(crate) by: Option<String>,
    pub(crate) at: String,
}

/// How far the notifications are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) waiting: u64,
    pub(crate) total: u64,
}

/// What was answered, where the alert offers choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Answers {
    pub(crate) choices: Vec<Tally>,
    pub(crate) unanswered: u64,
    pub(crate) unanswered_by: Vec<String>,
}

/// A choice, and who took it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) number: u64,
    pub(crate) text: String,
    pub(crate) acknowledges: bool,
    pub(crate) count: usize,
    pub(crate) answers: Vec<Given>,
}

/// Somebody's last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    pub(crate) recipient: Option<String>,
    pub(crate) by: String,
    pub(crate) comment: Option<String>,
}

/// What comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct NextStep {
    pub(crate) step: u64,
    pub(crate) round: u64,
    /// None while sending is paused.
    pub(crate) due_in_seconds: Option<u64>,
    pub(crate) people: Option<u64>,
}

/// An escalation step that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Step {
    pub(crate) round: u64,
    pub(crate) step: u64,
    pub(crate) at: String,
    pub(crate) late_seconds: u64,
    pub(crate) empty: bool,
    pub(crate) by: Option<String>,
}

/// A page of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct AlertPage {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) next_cursor: Option<String>,
}

/// The alerts that an order met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Met {
    pub(crate) alerts: Vec<Named>,
    /// Those that were named and are over or unknown.
    pub(crate) not_open: Vec<String>,
}

/// An alert by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) code: Option<String>,
}

/// What became of a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Taken {
    pub(crate) taken: String,
    pub(crate) id: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) recipients: Option<u64>,
}

/// A page of notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct NotificationPage {
    pub(crate) notifications: Vec<Notification>,
    pub(crate) next_cursor: Option<String>,
}

/// One message for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Notification {
    pub(crate) recipient: Option<String>,
    pub(crate) channel: String,
    pub(crate) address: String,
    pub(crate) purpose: String,
    pub(crate) state: String,
    pub(crate) attempts: Vec<Attempt>,
}

/// One try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Attempt {
    pub(crate) provider: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) why: Option<String>,
}

/// How the node is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) node: Node,
    pub(crate) paused: Option<Pause>,
    pub(crate) disk_full: Option<String>,
    pub(crate) open: u64,
    pub(crate) acknowledged: u64,
    pub(crate) waiting: u64,
    pub(crate) providers: Vec<Provider>,
    pub(crate) unserved_channels: Vec<String>,
    pub(crate) sentence: String,
}

/// Which node it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) letter: String,
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
}

/// Who stopped the sending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Pause {
    pub(crate) by: String,
    pub(crate) at: String,
    pub(crate) reason: String,
}

/// A configured way out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) channel: String,
    pub(crate) health: String,
    pub(crate) why: Option<String>,
    pub(crate) next_try_in_seconds: Option<u64>,
    pub(crate) sent_today: u64,
    pub(crate) per_day: Option<u64>,
    pub(crate) waiting: u64,
}

/// A page of the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct TrailPage {
    pub(crate) entries: Vec<TrailEntry>,
    pub(crate) next_cursor: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct TrailEntry {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) node: Option<String>,
    pub(crate) node_name: Option<String>,
    pub(crate) alert: Option<serde_json::Value>,
    pub(crate) who: Option<String>,
    pub(crate) via: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) text: String,
    /// What a stream tells instead of a text.
    pub(crate) data: Option<serde_json::Value>,
}

/// What a document would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Diff {
    pub(crate) changes: Vec<DiffChange>,
}

/// One difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct DiffChange {
    pub(crate) what: String,
    pub(crate) kind: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Alert {
    /// What people call it: its code, or the id where it has none.
    pub(crate) fn name(&self) -> &str {
        if self.code.is_empty() { &self.id } else { &self.code }
    }
}

/// A branch of the directory that was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Lost {
    pub(crate) term: u64,
    pub(crate) version: u64,
    pub(crate) kept_term: u64,
    pub(crate) kept_version: u64,
    pub(crate) node: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) changes: Vec<DiffChange>,
}
