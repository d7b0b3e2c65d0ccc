//! `steadfast demo`: the whole story on this machine, with nothing to set up.
//!
//! A node of its own, as a process that really gets killed, a mailbox on loopback, real SMTP between them.
//! What is told is what was seen: every line follows from a mail that arrived or from the node's own answer.

mod mailbox;
mod stage;

use mailbox::Mail;
use stage::{Stage, StageError};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Between the steps of the demo's policy.
const STEP: Duration = Duration::from_secs(4);
/// How long any part of the story may take before the demo says that it failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays the story. With `keep`, or on a terminal, the node goes on running afterwards for a look around.
pub(crate) async fn run(keep: bool) -> Result<(), StageError> {
    let mut out = Teller { started: Instant::now() };
    out.title("Steadfast demo: an alert goes out, nobody answers, it escalates, the node is killed, somebody acknowledges");
    let mut stage = Stage::set(STEP).await?;
    out.say(&format!(
        "a node is running ({}), with a mailbox on loopback that takes its mail by SMTP",
        stage.url()
    ));

    out.title("1. A notice comes in");
    let sent = Instant::now();
    let taken = stage.post("/api/v1/notices", NOTICE).await?;
    let (code, copies) = (text(&taken, "code"), number(&taken, "copies"));
    out.say(&format!(
        "accepted as {code} in {}: it is on disk ({copies} copy) before the sender hears yes",
        took(sent.elapsed())
    ));
    let first = stage.mail(PATIENCE).await?;
    out.mail(&first, sent.elapsed());
    stage.until_sent(code, PATIENCE).await?;

    out.title("2. The node is killed (kill -9), in the middle of the escalation");
    stage.kill()?;
    out.say("the process is gone; nobody has acknowledged");
    let restarted = Instant::now();
    stage.start().await?;
    out.say(&format!("started again after {}; it goes on where it was", took(restarted.elapsed())));

    out.title("3. Nobody answers, so it escalates");
    let mut asked = String::new();
    let mut awaited = vec!["anna", "ben"];
    while !awaited.is_empty() {
        let mail = stage.mail(PATIENCE).await?;
        out.mail(&mail, sent.elapsed());
        awaited.retain(|name| !mail.to.starts_with(name));
        if mail.to.starts_with("ben") {
            asked = mail.text;
        }
    }

    out.title("4. Ben follows the link in his mail and presses Acknowledge");
    let link = link(&asked).ok_or_else(|| StageError::new("the mail has no link to acknowledge with"))?;
    let page = stage.get_page(&link).await?;
    out.say(&format!("the page has {} bytes and no script; looking at it acknowledges nothing", page.len()));
    stage.submit(&link, "on my way").await?;
    let alert = stage.get(&format!("/api/v1/alerts/{code}")).await?;
    let by = alert.pointer("/acknowledged/by").and_then(serde_json::Value::as_str).unwrap_or("nobody");
    let by = by.trim_start_matches("recipient:");
    out.say(&format!(
        "{code} is {} by {by}, {} after it came in",
        text(&alert, "state"),
        took(sent.elapsed())
    ));

    out.title("5. Everything stops at once");
    let until = Instant::now() + STEP * 2;
    while let Ok(mail) = stage.mail(until.saturating_duration_since(Instant::now())).await {
        if mail.to.starts_with("chief") {
            return Err(StageError::new(format!("{} was told although {code} was acknowledged", mail.to)));
        }
        out.mail(&mail, sent.elapsed()); // It was on its way already.
    }
    out.say(&format!("{} later: no further mail; the chief was never called", took(STEP * 2)));
    out.title("What the trail kept of it");
    for line in stage.trail().await? {
        out.line(&line);
    }
    out.title("Next");
    stay(&mut stage, &mut out, keep || std::io::stdout().is_terminal()).await
}

/// What the demo sends.
const NOTICE: &str = r#"{
    "summary": "Pump 3 stopped", "details": "Pressure fell to 1.2 bar and keeps falling.",
    "severity": "high", "labels": {"site": "north", "unit": "pump-3"}, "to": ["pumps"]
}"#;

/// Says what to try, and waits until the visitor has seen enough.
async fn stay(stage: &mut Stage, out: &mut Teller, keep: bool) -> Result<(), StageError> {
    let data = stage.folder().display().to_string();
    out.line("try, in another terminal, while this one keeps the node running:");
    for command in [
        "send -i pumps -m 'Pump 4 stopped' --wait acknowledged",
        "alerts --watch",
        "ack A2 -m 'I am on it'",
        "trail --follow",
        "directory export",
    ] {
        out.line(&format!("  cargo run -q -- --data {data} {command}"));
    }
    out.line(&format!(
        "or open {}/a/… from a mail. A node of your own: `steadfast init`, then `steadfast run`.",
        stage.url()
    ));
    if !keep {
        out.line("(no terminal here, so the demo ends and removes its folder; `demo --keep` stays)");
        return Ok(());
    }
    out.line("Ctrl-C ends the demo and removes its folder. Mail that arrives is shown here.");
    loop {
        tokio::select! {
            end = tokio::signal::ctrl_c() => {
                return end.map_err(|error| StageError::new(format!("cannot wait for Ctrl-C: {error}")));
            }
            mail = stage.mail(Duration::from_secs(3600)) => if let Ok(mail) = mail {
                out.mail(&mail, Duration::ZERO);
            }
        }
    }
}

/// The first link to acknowledge with in a message.
fn link(text: &str) -> Option<String> {
    let words = text.split_whitespace();
    words.map(|word| word.trim_matches(['<', '>'])).find(|word| word.contains("/a/")).map(str::to_owned)
}

fn text<'a>(value: &'a serde_json::Value, key: &str) -> &'a str {
    value.get(key).and_then(serde_json::Value::as_str).unwrap_or("?")
}

fn number(value: &serde_json::Value, key: &str) -> u64 {
    value.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// A time that something took, for people.
fn took(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// Tells the story on standard output, each line with the time since the beginning.
struct Teller {
    started: Instant,
}

impl Teller {
    fn title(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    fn say(&mut self, text: &str) {
        let since = self.started.elapsed().as_secs_f64();
        self.line(&format!("  {since:6.2}s  {text}"));
    }

    fn mail(&mut self, mail: &Mail, after: Duration) {
        let when =
            if after.is_zero() { String::new() } else { format!(", {} after the notice", took(after)) };
        self.say(&format!("mail for {}{when}: {}", mail.to, mail.subject));
    }

    /// A reader that went away (a closed pipe) does not stop the story.
    fn line(&mut self, text: &str) {
        let mut out = std::io::stdout().lock();
        drop(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_found_in_a_message() {
        assert_eq!(link("Acknowledge: <https://h:1/a/x-y>\n").as_deref(), Some("https://h:1/a/x-y"));
        assert_eq!(link("nothing here"), None);
    }
}
