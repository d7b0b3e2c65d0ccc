//! What a channel is asked to deliver, and the words it may answer with.

use base::limits::REASON_BYTES_MAX;
use base::{NotificationId, Wall};
use dispatch::directory::Severity;
use dispatch::record::Cause;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One rendered notification, with what it was rendered from for channels that send data instead of text.
///
/// Its texts come from strangers: a channel treats every one of them as hostile.
#[derive(Clone, Debug)]
pub struct Message {
    /// Names it at every attempt; the idempotency token follows from it.
    pub notification: NotificationId,
    /// The alert's id.
    pub alert: String,
    /// What people type back, such as `A123`.
    pub code: String,
    /// Which attempt this is, from 1.
    pub attempt: u16,
    /// Set when an earlier attempt may have arrived. The text says so already.
    pub repeat: Option<Cause>,
    /// The address value.
    pub to: Arc<str>,
    /// The recipient's name.
    pub recipient: String,
    /// The name people read.
    pub recipient_title: String,
    /// The subject line, for channels that have one.
    pub subject: Option<String>,
    /// The message.
    pub text: String,
    /// How much the alert matters.
    pub severity: Severity,
    /// The alert's one line.
    pub summary: Arc<str>,
    /// The alert's details.
    pub details: Arc<str>,
    /// The alert's labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// What the notification is for: `alert`, `acknowledgement`, `comment` or `end`.
    pub purpose: String,
    /// Where to acknowledge.
    pub link: Option<String>,
    /// What all messages about one alert share, so that a mailbox shows them as one thread.
    pub thread: Option<String>,
    /// When this attempt is made.
    pub at: Wall,
    /// The alerts that it tells of, where it tells of several: then `alert` is the first, and the text lists them.
    pub together: Vec<Listed>,
}

/// One alert of several that a message tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The alert's id.
    pub alert: String,
    /// What people type back.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// Its one line, cut where it is long.
    pub summary: String,
    /// Where to acknowledge.
    pub link: Option<String>,
}

/// `text` as a reason: on one line, without control characters, at most `REASON_BYTES_MAX` bytes.
pub fn reason(text: &str) -> Arc<str> {
    let line = single_line(text);
    cut(&line, REASON_BYTES_MAX).into()
}

/// `text` on one line: runs of white space and control characters become one space.
pub(crate) fn single_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most `bytes` bytes of `text`; where some are missing, the last character is an ellipsis.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub('…'.len_utf8());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line() {
        assert_eq!(&*reason("550 no\r\nsuch\0user "), "550 no such user");
        let long = reason(&"泵".repeat(200));
        assert!(long.len() <= REASON_BYTES_MAX && long.ends_with("泵…"), "{long}");
    }
}
