//! Turns a message into a mail (RFC 5322, 2045, 2047).
//!
//! Separate, because every text in it comes from strangers: no name, subject or summary may begin a header
//! of its own, and no text may end the mail.

use super::Settings;
use crate::Message;
use crate::message::{cut, single_line};
use base::Wall;
use dispatch::directory::Severity;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use std::time::{Duration, SystemTime};

/// Bytes of a subject line; mailboxes show about a hundred characters.
const SUBJECT_BYTES_MAX: usize = 300;
/// Bytes of the name people read, in From and To.
const TITLE_BYTES_MAX: usize = 120;

/// A mail as it is handed over.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    /// The sender's bare address.
    pub(super) from: String,
    /// The recipient's bare address.
    pub(super) to: String,
    /// Header and text, dots stuffed (RFC 5321 §4.5.2), ending with a line end.
    pub(super) body: Vec<u8>,
}

/// Checks a mail address.
pub(super) fn check_address(text: &str) -> Result<(), String> {
    address(text).map(drop)
}

/// `text` as an address that can stand in a command: without quotes, spaces and line ends.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let wrong = |why: String| format!("{why}; write a mail address such as \"anna@example.org\"");
    if text.len() > 320 || text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"".contains(c)) {
        return Err(wrong("it is too long, or holds a space, quote or angle bracket".to_owned()));
    }
    text.parse::<Address>().map_err(|error| wrong(single_line(&error.to_string())))
}

/// The mail for `message`.
///
/// Its Message-ID follows from the notification, so a repeat is recognised as one by mail programs.
pub(super) fn compose(settings: &Settings, message: &Message) -> Result<Mail, String> {
    let to = address(&message.to)?;
    let domain = settings.sender.domain();
    let subject = message.subject.as_deref().unwrap_or(&message.summary);
    let mut builder = lettre::Message::builder()
        .from(mailbox(&settings.sender_name, settings.sender.clone()))
        .to(mailbox(&message.recipient_title, to.clone()))
        .subject(cut(&single_line(subject), SUBJECT_BYTES_MAX))
        .date(system_time(message.at))
        .message_id(Some(format!("<{}@{domain}>", message.notification)))
        .header(ContentType::TEXT_PLAIN);
    if let Some(thread) = &message.thread {
        // The root need not exist: mail programs show together what refers to the same one.
        let root = format!("<{}@{domain}>", token(thread));
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    let mail = marks(builder, message)?.body(clean(&message.text)).map_err(|error| error.to_string())?;
    Ok(Mail { from: settings.sender.to_string(), to: to.to_string(), body: stuffed(&mail.formatted()) })
}

/// Headers for programs: who wrote this, how it should be answered (not), and how it can be sorted.
fn marks(mut builder: MessageBuilder, message: &Message) -> Result<MessageBuilder, String> {
    let urgent = matches!(message.severity, Severity::High | Severity::Critical);
    let marks = [
        // RFC 3834: vacation programs do not answer it. Exchange listens to the second only. There is no
        // `Precedence: bulk`, which would have it sorted among newsletters.
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()),
        ("Importance", if urgent { "high" } else { "normal" }.to_owned()),
        ("X-Steadfast-Alert", token(&message.alert)),
        ("X-Steadfast-Severity", message.severity.word().to_owned()),
    ];
    for (name, value) in marks {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
        builder = builder.raw_header(HeaderValue::new(name, value));
    }
    Ok(builder)
}

fn mailbox(title: &str, address: Address) -> Mailbox {
    let title = cut(&single_line(title), TITLE_BYTES_MAX);
    Mailbox::new((!title.is_empty()).then_some(title), address)
}

/// What may stand in a message id: letters and digits of ASCII, `-`, `_` and `.`.
fn token(text: &str) -> String {
    let kept = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    kept.take(100).collect()
}

/// `text` with one kind of line end and without other control characters. A lone CR or LF could otherwise
/// be taken for a line end by one server and not by the next, and the text behind it for commands.
fn clean(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.retain(|c| matches!(c, '\n' | '\t') || !c.is_control());
    lines.replace('\n', "\r\n")
}

/// Doubles the dot at the start of each line, and ends the last line.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 64);
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn system_time(at: Wall) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}
