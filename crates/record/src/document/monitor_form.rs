//! How heartbeat monitors and the daily heartbeat are written.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that says regularly that it lives, by `/ping/NAME`. Its silence is an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// How often it says so; a duration such as `5m`, at least `1s`.
    pub every: String,
    /// How much later than that is no alert yet; a duration, `1m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// Of the alert: `info`, `warning`, `high` (if absent) or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What the alert says; a sentence with the monitor's name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Of the alert, for routing and templates; `monitor` is added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whom to tell: recipients, groups, schedules or addresses; the routes decide if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// How to escalate; route and target decide if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A message each day that says how all is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// A time of day from `00:00` to `23:59`, in the settings' time zone.
    pub at: String,
    /// Whom to tell: recipients, groups, schedules or addresses; at least one.
    pub to: Vec<String>,
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`; every day if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
}
