//! Heartbeat monitors and the daily heartbeat.

use super::super::form;
use super::super::problem::Place;
use super::{Check, Section};
use base::Name;
use base::limits::{LABEL_BYTES_MAX, LABELS_MAX, MONITOR_EVERY_MIN, MONITORS_MAX, SUMMARY_BYTES_MAX};
use base::time::Human;
use dispatch::directory::{Daily, Monitor, Severity};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How much later than its time is no alert, if the monitor does not say.
pub(in super::super) const GRACE: Duration = Duration::from_secs(60);

impl Check<'_> {
    pub(super) fn monitors(&mut self) -> BTreeMap<Name, Monitor> {
        let book = self.book;
        if book.monitors.len() > MONITORS_MAX {
            let detail = format!("there are {} monitors; at most {MONITORS_MAX}", book.monitors.len());
            self.note(&Place::top("monitors"), detail);
        }
        self.table("monitors", &book.monitors, Self::monitor)
    }

    fn monitor(&mut self, place: &Place<'_>, _: &str, form: &form::Monitor) -> Monitor {
        let every = self.duration(&place.key("every"), &form.every);
        if !every.is_zero() && every < MONITOR_EVERY_MIN {
            let detail = format!("it must be {} at least", Human(MONITOR_EVERY_MIN));
            self.note(&place.key("every"), detail);
        }
        let severities = Severity::ALL.map(|severity| (severity.word(), severity));
        let severity = form.severity.as_deref();
        let severity = severity.and_then(|text| self.word(&place.key("severity"), text, &severities));
        Monitor {
            every,
            grace: self.duration_or(&place.key("grace"), form.grace.as_deref(), GRACE),
            severity: severity.unwrap_or(Severity::High),
            summary: self.summary(&place.key("summary"), form.summary.as_deref()),
            labels: self.monitor_labels(&place.key("labels"), &form.labels),
            to: self.targets(&place.key("to"), &form.to),
            policy: self.reference_at(place, "policy", Section::Policies, form.policy.as_deref()),
        }
    }

    fn summary(&mut self, place: &Place<'_>, text: Option<&str>) -> Option<Arc<str>> {
        let text = text?;
        self.plain(place, text);
        if text.trim().is_empty() {
            self.note(place, "it must not be empty");
        } else if text.len() > SUMMARY_BYTES_MAX {
            self.note(place, format!("a summary has at most {SUMMARY_BYTES_MAX} bytes"));
        }
        Some(text.into())
    }

    fn monitor_labels(
        &mut self,
        place: &Place<'_>,
        given: &BTreeMap<String, String>,
    ) -> BTreeMap<Arc<str>, Arc<str>> {
        if given.len() >= LABELS_MAX {
            let detail = format!("there are {} labels; at most {}", given.len(), LABELS_MAX - 1);
            self.note(place, detail);
        }
        for (name, value) in given {
            let place = place.key(name);
            self.plain(&place, name);
            self.plain(&place, value);
            if name.is_empty() {
                self.note(&place, "a label's name must not be empty");
            } else if name.len() + value.len() > LABEL_BYTES_MAX {
                let detail =
                    format!("a label's name and value have at most {LABEL_BYTES_MAX} bytes together");
                self.note(&place, detail);
            }
        }
        given.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
    }

    pub(super) fn heartbeat(&mut self, place: &Place<'_>, form: &form::Heartbeat) -> Daily {
        if form.to.is_empty() {
            self.note(&place.key("to"), "it tells nobody; name at least one recipient or group");
        }
        Daily {
            minute: self.time(&place.key("at"), &form.at, 0..=1439),
            to: self.targets(&place.key("to"), &form.to),
            days: self.days(&place.key("days"), &form.days),
        }
    }
}
