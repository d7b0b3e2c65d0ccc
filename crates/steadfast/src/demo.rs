//! `steadfast demo`: the whole story on this machine, with nothing to set up.
//!
//! Two nodes of its own, as processes of which one really gets killed, a mailbox on loopback, real SMTP between
//! them. What is told is what was seen: every line follows from a mail that arrived or from a node's own answer.

mod mailbox;
mod stage;

use mailbox::Mail;
use stage::{Place, Stage, StageError};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Between the steps of the demo's policy.
const STEP: Duration = Duration::from_secs(4);
/// How long any part of the story may take before the demo says that it failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays the story. With `keep`, or on a terminal, the node goes on running afterwards for a look around.
pub(crate) async fn run(keep: bool) -> Result<(), StageError> {
    let mut out = Teller { started: Instant::now() };
    out.title(
        "Steadfast demo: an alert goes out, its node dies, the other one escalates, somebody acknowledges",
    );
    let mut stage = Stage::set(STEP).await?;
    out.say(&format!("node north is running ({}), with a mailbox on loopback", stage.url(Place::North)));
    out.say("`steadfast token create` on north, `steadfast join …` for south: two commands make a pair");
    out.say(&format!("node south is running ({}); each holds what the other does", stage.url(Place::South)));

    out.title("1. A notice comes in at north");
    let sent = Instant::now();
    let taken = stage.post(Place::North, "/api/v1/notices", NOTICE).await?;
    let (code, copies) = (text(&taken, "code"), number(&taken, "copies"));
    out.say(&format!(
        "accepted as {code} in {}: it is on {copies} disks before the sender hears yes",
        took(sent.elapsed())
    ));
    let first = stage.mail(PATIENCE).await?;
    out.mail(&first, sent.elapsed());
    stage.until_sent(code, PATIENCE).await?;

    out.title("2. North is killed (kill -9), in the middle of the escalation");
    stage.kill(Place::North)?;
    out.say("the process is gone; nobody has acknowledged");

    out.title("3. Nobody answers, so south escalates");
    let asked = escalation(&mut stage, &mut out, sent).await?;

    out.title("4. Ben follows the link in his mail and presses Acknowledge");
    let link = link(&asked).ok_or_else(|| StageError::new("the mail has no link to acknowledge with"))?;
    let page = stage.get_page(&link).await?;
    out.say(&format!("the page has {} bytes and no script; looking at it acknowledges nothing", page.len()));
    stage.submit(&link, "on my way").await?;
    out.say(&whose(&stage, Place::South, code).await?);

    out.title("5. North is repaired and starts again");
    let restarted = Instant::now();
    stage.start(Place::North).await?;
    stage.until_level().await?;
    out.say(&format!("level with south {} later", took(restarted.elapsed())));
    out.say(&whose(&stage, Place::North, code).await?);

    out.title("6. Everything has stopped");
    let until = Instant::now() + STEP * 2;
    while let Ok(mail) = stage.mail(until.saturating_duration_since(Instant::now())).await {
        if mail.to.starts_with("chief") {
            return Err(StageError::new(format!("{} was told although {code} was acknowledged", mail.to)));
        }
        out.mail(&mail, sent.elapsed()); // To the operator, or on its way already.
    }
    out.say(&format!("{} later: no further mail; the chief was never called", took(STEP * 2)));
    out.title("What the trail kept of it");
    for line in stage.trail(Place::South).await? {
        out.line(&line);
    }
    out.title("Next");
    stay(&mut stage, &mut out, keep || std::io::stdout().is_terminal()).await
}

/// Waits for the mails of the next step; the operator is told of the lost node as well. Gives Ben's.
async fn escalation(stage: &mut Stage, out: &mut Teller, sent: Instant) -> Result<String, StageError> {
    let mut asked = String::new();
    let mut awaited = vec!["anna", "ben", "operator"];
    while !awaited.is_empty() {
        let mail = stage.mail(PATIENCE).await?;
        out.mail(&mail, sent.elapsed());
        awaited.retain(|name| !mail.to.starts_with(name));
        if mail.to.starts_with("ben") {
            asked = mail.text;
        }
    }
    Ok(asked)
}

/// Where an alert stands, as a node tells it.
async fn whose(stage: &Stage, place: Place, code: &str) -> Result<String, StageError> {
    let alert = stage.get(place, &format!("/api/v1/alerts/{code}")).await?;
    let by = alert.pointer("/acknowledged/by").and_then(serde_json::Value::as_str).unwrap_or("nobody");
    let by = by.trim_start_matches("recipient:");
    let node = if place == Place::North { "north" } else { "south" };
    Ok(format!("{node} says: {code} is {} by {by}", text(&alert, "state")))
}

/// What the demo sends.
const NOTICE: &str = r#"{
    "summary": "Pump 3 stopped", "details": "Pressure fell to 1.2 bar and keeps falling.",
    "severity": "high", "labels": {"site": "north", "unit": "pump-3"}, "to": ["pumps"]
}"#;

/// Says what to try, and waits until the visitor has seen enough.
async fn stay(stage: &mut Stage, out: &mut Teller, keep: bool) -> Result<(), StageError> {
    let data = stage.folder(Place::North).display().to_string();
    out.line("try, in another terminal, while this one keeps both nodes running:");
    for command in [
        "send -i pumps -m 'Pump 4 stopped' --wait acknowledged",
        "alerts --watch",
        "ack A2 -m 'I am on it'",
        "trail --follow",
        "cluster status",
        "directory export",
    ] {
        out.line(&format!("  cargo run -q -- --data {data} {command}"));
    }
    out.line(&format!(
        "or open {}/a/… from a mail. A node of your own: `steadfast init`, then `steadfast run`.",
        stage.url(Place::North)
    ));
    if !keep {
        out.line("(no terminal here, so the demo ends and removes its folders; `demo --keep` stays)");
        return Ok(());
    }
    out.line("Ctrl-C ends the demo and removes its folders. Mail that arrives is shown here.");
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
