//! Writes the one message for several notifications of an address: a list of their alerts, the most urgent first.
//!
//! Ours alone: a template is about one alert, and a list of hundred bodies is what such a message is to save people
//! from. Each alert stands there with what is needed to acknowledge it.

use super::{Letters, without_replies};
use crate::render::repeat_text;
use base::limits::BUNDLE_LISTED_MAX;
use base::{Hasher, NotificationId};
use channel::{Listed, Message};
use dispatch::Delivery;
use dispatch::record::Cause;
use std::fmt::Write as _;
use std::sync::Arc;

/// Characters of a summary that the list shows.
const SUMMARY_CHARS_MAX: usize = 200;

impl Letters {
    /// The message that tells of all that `lead` and its others are about.
    pub(super) fn write_together(&self, lead: &Delivery) -> Message {
        let count = lead.each().count();
        let listed: Vec<Listed> =
            lead.each().take(BUNDLE_LISTED_MAX).map(|delivery| self.listed(delivery)).collect();
        let severity = lead.each().map(|delivery| delivery.content.severity).max().unwrap_or_default();
        let summary: Arc<str> = format!("{count} alerts, first: {}", short(&lead.content.summary)).into();
        let repeat = lead.each().filter_map(|delivery| delivery.repeat).max();
        let replies = lead.roster.policy.reply && without_replies(lead).is_none();
        let person = lead.roster.at(lead.reach).map(|(person, _)| person);
        Message {
            notification: name(lead),
            alert: lead.alert_id.to_string(),
            code: listed.iter().map(|it| it.code.as_str()).collect::<Vec<_>>().join(", "),
            attempt: lead.each().map(|delivery| delivery.attempt).max().unwrap_or(1),
            repeat,
            to: Arc::clone(&lead.address.value),
            recipient: person.map_or_else(String::new, |person| person.name.to_string()),
            recipient_title: person.map_or_else(String::new, |person| person.title.to_string()),
            subject: Some(format!("[{severity}] {summary}")),
            text: text(&listed, count, repeat, replies),
            severity,
            summary,
            details: "".into(),
            labels: std::collections::BTreeMap::new(),
            purpose: "alert".to_owned(),
            link: None,
            thread: None,
            at: lead.accepted,
            together: listed,
        }
    }

    fn listed(&self, delivery: &Delivery) -> Listed {
        let person = delivery.roster.at(delivery.reach).map(|(person, _)| person);
        Listed {
            alert: delivery.alert_id.to_string(),
            code: delivery.alert.code.to_string(),
            severity: delivery.content.severity,
            summary: short(&delivery.content.summary),
            link: person.and_then(|person| self.link(delivery, person)),
        }
    }
}

/// Names the message: the same notifications make the same one, whichever is the most urgent by now.
fn name(lead: &Delivery) -> NotificationId {
    let mut each: Vec<String> = lead.each().map(|delivery| delivery.notification.to_string()).collect();
    each.sort_unstable();
    let hasher = each.iter().fold(Hasher::new("bundle"), |hasher, id| hasher.text(id));
    NotificationId(hasher.finish().short())
}

fn text(listed: &[Listed], count: usize, repeat: Option<Cause>, replies: bool) -> String {
    let mut text =
        repeat.map_or_else(String::new, |cause| format!("This may be a repeat: {}.\n\n", repeat_text(cause)));
    writeln!(text, "{count} alerts came at once.").unwrap_or_default();
    for alert in listed {
        writeln!(text, "\n{} ({}): {}", alert.code, alert.severity, alert.summary).unwrap_or_default();
        if let Some(link) = &alert.link {
            writeln!(text, "To acknowledge, open {link}").unwrap_or_default();
        }
    }
    if count > listed.len() {
        writeln!(text, "\nAnd {} more, less urgent.", count - listed.len()).unwrap_or_default();
    }
    if replies {
        text.push_str("\nTo acknowledge, reply with the codes of those that you take care of.\n");
    }
    text
}

/// A summary as the list shows it.
fn short(summary: &str) -> String {
    match summary.char_indices().nth(SUMMARY_CHARS_MAX) {
        Some((at, _)) => format!("{}…", summary.get(..at).unwrap_or_default()),
        None => summary.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dispatch::directory::Severity;

    fn alert(number: usize, severity: Severity, link: bool) -> Listed {
        Listed {
            alert: format!("1-2-{number}"),
            code: format!("A{number}"),
            severity,
            summary: format!("pump {number} stopped"),
            link: link.then(|| format!("https://node.test/a/{number}")),
        }
    }

    #[test]
    fn a_list_tells_of_each_alert_and_of_how_many_more_there_are() {
        let listed = [alert(5, Severity::Critical, true), alert(4, Severity::Info, false)];
        assert_eq!(
            text(&listed, 12, Some(Cause::Crash), true),
            "This may be a repeat: the sending node stopped before it knew whether an earlier try arrived.\n\n\
             12 alerts came at once.\n\n\
             A5 (critical): pump 5 stopped\nTo acknowledge, open https://node.test/a/5\n\n\
             A4 (info): pump 4 stopped\n\n\
             And 10 more, less urgent.\n\n\
             To acknowledge, reply with the codes of those that you take care of.\n"
        );
        assert_eq!(text(&[], 0, None, false), "0 alerts came at once.\n");
    }

    #[test]
    fn a_long_summary_is_cut() {
        assert_eq!(short("pump"), "pump");
        assert_eq!(short(&"ä".repeat(500)).chars().count(), SUMMARY_CHARS_MAX + 1);
    }
}
