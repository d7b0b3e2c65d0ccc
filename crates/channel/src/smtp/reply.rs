//! What a server's answer, or its silence, means for the mail (RFC 5321 §4.2, RFC 3463).
//!
//! Separate, because this table is the channel's judgement; everything else only moves bytes.

use super::Secrets;
use crate::message::{reason, single_line};
use dispatch::record::{Outcome, Then};
use std::fmt;
use std::time::Duration;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Opening the TCP connection.
    Connect,
    /// Waiting for the server's first line.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS and the TLS handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA, and the mail up to its final dot.
    Data,
    /// From the first byte of the final dot: the server may have taken the mail.
    Dot,
}

impl Phase {
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Greeting => "waiting for the greeting",
            Self::Hello => "EHLO",
            Self::Tls => "starting TLS",
            Self::Auth => "logging in",
            Self::Mail => "naming the sender (MAIL)",
            Self::Recipient => "naming the recipient (RCPT)",
            Self::Data => "sending the mail (DATA)",
            Self::Dot => "waiting for the answer to the whole mail",
        }
    }
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200 to 599.
    pub(super) code: u16,
    /// The lines, without their codes.
    pub(super) lines: Vec<String>,
}

impl Reply {
    pub(super) fn positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// Whether its enhanced status (RFC 3463) is about `subject`, such as 3 for the mail system.
    fn about(&self, subject: char) -> bool {
        let mut parts = self.lines.first().map_or("", String::as_str).split('.');
        matches!(parts.next(), Some("2" | "4" | "5"))
            && parts.next().is_some_and(|part| part.chars().eq([subject]))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, single_line(&self.lines.join(" ")))
    }
}

/// The lines of a reply that has begun.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<String>);

impl Gathered {
    /// Takes the next line; gives the reply once it is whole: `250-…`, `250 …` (RFC 5321 §4.2.1).
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, String> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        let code = line.get(..3).and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
        let last = match line.as_bytes().get(3) {
            None | Some(b' ') => Some(true),
            Some(b'-') => Some(false),
            Some(_) => None,
        };
        let (Some(code), Some(last)) = (code, last) else {
            return Err(format!("{line:?} is not an SMTP reply"));
        };
        self.0.push(line.get(4..).unwrap_or_default().to_owned());
        Ok(last.then(|| Reply { code, lines: std::mem::take(&mut self.0) }))
    }
}

/// The first reply in what a server said, as the channel reads it: its code and its words on one line. None if
/// it is not whole yet.
///
/// # Errors
/// Which line is not one of a reply.
pub fn parse_reply(said: &[u8]) -> Result<Option<(u16, String)>, String> {
    let mut gathered = Gathered::default();
    for line in said.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        if let Some(reply) = gathered.line(line)? {
            return Ok(Some((reply.code, single_line(&reply.lines.join(" ")))));
        }
    }
    Ok(None)
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The server said no.
    Said(Reply),
    /// The connection dropped, TLS failed, or what came was not SMTP.
    Broke(String),
    /// Nothing came within this time.
    Silent(Duration),
    /// The server does not offer what we need.
    Lacks(&'static str),
}

/// A mail that did not get through, and where it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) phase: Phase,
    pub(super) what: What,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.phase.words())?;
        match &self.what {
            What::Said(reply) => write!(f, "the server said {reply}"),
            What::Broke(how) => f.write_str(how),
            What::Silent(time) => write!(f, "no answer within {}", base::time::Human(*time)),
            What::Lacks(what) => write!(f, "the server does not offer {what}"),
        }
    }
}

impl Failure {
    pub(super) fn new(phase: Phase, what: What) -> Self {
        Self { phase, what }
    }

    /// On a connection that lay idle: the server had closed it, which says nothing about the mail.
    pub(super) fn is_stale(&self) -> bool {
        self.phase == Phase::Mail
            && match &self.what {
                What::Said(reply) => reply.code == 421,
                What::Broke(_) | What::Silent(_) => true,
                What::Lacks(_) => false,
            }
    }

    /// Whether the conversation can go on: both sides agree where it stands.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        matches!(&self.what, What::Said(reply) if reply.code != 421)
    }

    /// The failure as the caller is told it, without `secrets`.
    pub(super) fn outcome(&self, secrets: &Secrets) -> Outcome {
        let why = reason(&secrets.hide_in(&self.to_string()));
        match self.then() {
            Some(then) => Outcome::Refused { then, why },
            None => Outcome::Unknown { why },
        }
    }

    /// What to do next; none where nobody knows whether the server has the mail.
    fn then(&self) -> Option<Then> {
        match (&self.what, self.phase) {
            (What::Said(reply), Phase::Recipient) => Some(refused_recipient(reply)),
            (What::Said(reply), Phase::Dot) => refused_mail(reply),
            (What::Said(reply), Phase::Data) if reply.code >= 500 => Some(Then::GiveUp),
            // Only this mail needs it: its address is not ASCII (RFC 6531).
            (What::Lacks(_), Phase::Mail) => Some(Then::GiveUp),
            (What::Broke(_) | What::Silent(_) | What::Lacks(_), Phase::Dot) => None,
            // Before the recipient is named, and wherever the line fails, it is about the server or about us.
            (
                What::Said(_) | What::Broke(_) | What::Silent(_) | What::Lacks(_),
                Phase::Connect
                | Phase::Greeting
                | Phase::Hello
                | Phase::Tls
                | Phase::Auth
                | Phase::Mail
                | Phase::Recipient
                | Phase::Data,
            ) => Some(Then::NextProvider),
        }
    }
}

/// A refused RCPT is about the recipient, except where the server says that it is about itself or the session.
fn refused_recipient(reply: &Reply) -> Then {
    match reply.code {
        421 | 454 | 500..=504 | 530..=538 => Then::NextProvider,
        400..=499 if reply.about('3') => Then::NextProvider,
        400..=499 => Then::RetryLater,
        _ => Then::GiveUp,
    }
}

/// A whole mail that was answered with no: full or closing servers are left for another one.
fn refused_mail(reply: &Reply) -> Option<Then> {
    match reply.code {
        421 | 452 => Some(Then::NextProvider),
        400..=499 if reply.about('3') => Some(Then::NextProvider),
        400..=499 => Some(Then::RetryLater),
        500..=599 => Some(Then::GiveUp),
        _ => None, // A 3xx: the server understood something else, and may have taken the mail.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phase: Phase, reply: &str, expect: Option<Then>) {
        let (code, line) = reply.split_once(' ').unwrap();
        let reply = Reply { code: code.parse().unwrap(), lines: vec![line.to_owned()] };
        assert_eq!(Failure::new(phase, What::Said(reply.clone())).then(), expect, "{phase:?} {reply}");
    }

    #[test]
    fn refusals_are_about_recipient_mail_or_server() {
        use Phase::{Auth, Connect, Data, Dot, Greeting, Hello, Mail, Recipient, Tls};
        use Then::{GiveUp, NextProvider, RetryLater};
        check(Greeting, "554 no service", Some(NextProvider));
        check(Hello, "421 too busy", Some(NextProvider));
        check(Tls, "454 TLS not available", Some(NextProvider));
        check(Auth, "535 5.7.8 bad credentials", Some(NextProvider));
        check(Mail, "451 try later", Some(NextProvider));
        check(Mail, "550 sender refused", Some(NextProvider));
        check(Recipient, "451 4.7.1 greylisted", Some(RetryLater));
        check(Recipient, "450 4.2.1 mailbox busy", Some(RetryLater));
        check(Recipient, "452 4.2.2 mailbox full", Some(RetryLater));
        check(Recipient, "452 4.3.1 insufficient system storage", Some(NextProvider));
        check(Recipient, "421 4.3.2 shutting down", Some(NextProvider));
        check(Recipient, "550 5.1.1 no such user", Some(GiveUp));
        check(Recipient, "553 5.1.3 bad address", Some(GiveUp));
        check(Recipient, "530 5.7.0 log in first", Some(NextProvider));
        check(Data, "451 try later", Some(NextProvider));
        check(Data, "554 no", Some(GiveUp));
        check(Dot, "451 4.7.1 scanner busy", Some(RetryLater));
        check(Dot, "451 4.3.0 queue broken", Some(NextProvider));
        check(Dot, "452 disk full", Some(NextProvider));
        check(Dot, "421 closing", Some(NextProvider));
        check(Dot, "554 5.7.1 spam", Some(GiveUp));
        check(Dot, "354 go ahead", None);
        check(Connect, "421 unused", Some(NextProvider));
    }

    #[test]
    fn a_dropped_or_silent_line_is_unknown_only_from_the_final_dot_on() {
        for what in [What::Broke("closed".into()), What::Silent(Duration::from_secs(5))] {
            for phase in [Phase::Connect, Phase::Tls, Phase::Mail, Phase::Recipient, Phase::Data] {
                let failure = Failure::new(phase, what.clone());
                assert_eq!(failure.then(), Some(Then::NextProvider), "{failure}");
            }
            assert_eq!(Failure::new(Phase::Dot, what).then(), None);
        }
    }
}
