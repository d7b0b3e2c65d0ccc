//! Counts what happens, for Prometheus' text format.

use dispatch::record::{Outcome, Record, Then};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every counter: name, what it counts.
pub const COUNTERS: [(&str, &str); 10] = [
    ("steadfast_alerts_accepted_total", "Alerts accepted."),
    ("steadfast_alerts_acknowledged_total", "Acknowledgements recorded."),
    ("steadfast_alerts_closed_total", "Alerts closed."),
    ("steadfast_steps_fired_total", "Escalation steps fired, the first notification not counted."),
    ("steadfast_attempts_total", "Attempts announced."),
    ("steadfast_attempts_repeated_total", "Attempts that may have reached the recipient before."),
    ("steadfast_attempts_accepted_total", "Attempts that a provider accepted."),
    ("steadfast_attempts_refused_total", "Attempts that a provider refused."),
    ("steadfast_attempts_unknown_total", "Attempts whose outcome nobody knows."),
    ("steadfast_steps_withheld_total", "Steps, the first included, of which filters withheld something."),
];

/// The counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counters: [AtomicU64; COUNTERS.len()],
}

impl Metrics {
    /// Counts one durable record.
    pub(crate) fn count(&self, record: &Record) {
        match record {
            Record::Accept(alert) => {
                self.add(0, 1);
                self.add(9, usize::from(!alert.withheld.is_empty()));
            }
            Record::Ack { .. } => self.add(1, 1),
            Record::Closed { .. } => self.add(2, 1),
            Record::StepFired { fired, .. } => {
                self.add(3, 1);
                self.add(9, usize::from(!fired.withheld.is_empty()));
            }
            Record::Intent { sends, .. } => {
                self.add(4, sends.len());
                self.add(5, sends.iter().filter(|send| send.repeat.is_some()).count());
            }
            Record::Done { outcomes, .. } => {
                outcomes.iter().for_each(|done| self.count_outcome(&done.outcome));
            }
            Record::Start { .. }
            | Record::Roster(_)
            | Record::Update { .. }
            | Record::Comment { .. }
            | Record::End { .. }
            | Record::Pause { .. }
            | Record::Resume { .. }
            | Record::Silence(_)
            | Record::Unsilence { .. }
            | Record::Claim(_)
            | Record::Release { .. }
            | Record::Delegate { .. }
            | Record::Duty(_)
            | Record::Merged { .. }
            | Record::RosterDropped { .. }
            | Record::PeerState { .. }
            | Record::Member { .. }
            | Record::Conduct { .. }
            | Record::Directory { .. }
            | Record::Provider { .. }
            | Record::Note { .. } => (), // Rare, and in the trail.
        }
    }

    fn count_outcome(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted { .. } => self.add(6, 1),
            Outcome::Refused {
                then: Then::RetryNow | Then::RetryLater | Then::NextProvider | Then::Elsewhere | Then::GiveUp,
                ..
            } => self.add(7, 1),
            Outcome::Unknown { .. } => self.add(8, 1),
        }
    }

    fn add(&self, counter: usize, by: usize) {
        if let Some(counter) = self.counters.get(counter) {
            counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// The counters in Prometheus' text format, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for ((name, help), value) in COUNTERS.iter().zip(&self.counters) {
            let value = value.load(Ordering::Relaxed);
            let written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_help_type_and_value_of_every_counter() {
        let metrics = Metrics::default();
        metrics.add(0, 3);
        let text = metrics.text();
        assert!(text.contains("\nsteadfast_alerts_accepted_total 3\n"), "{text}");
        assert_eq!(text.lines().count(), 3 * COUNTERS.len());
    }
}
