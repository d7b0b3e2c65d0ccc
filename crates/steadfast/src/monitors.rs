//! `ping`, `monitors list` and `heartbeat send`.

use crate::client::{Ask, Client};
use crate::exit::Outcome;
use crate::monitor_args::{HeartbeatAction, Ping};
use crate::output::{Output, Tone, cell, count, plain, span};
use serde::Deserialize;
use std::time::Duration;

/// How every monitor is, as the node says it.
#[derive(Debug, Deserialize)]
struct Monitors {
    monitors: Vec<Monitor>,
}

/// How a monitor is.
#[derive(Debug, Deserialize)]
struct Monitor {
    name: String,
    state: String,
    heard: Option<String>,
    due_in_seconds: u64,
    every_seconds: f64,
    why: Option<String>,
    alert: Option<String>,
}

/// What became of a heartbeat.
#[derive(Debug, Deserialize)]
struct Sent {
    summary: String,
    recipients: usize,
}

/// `ping`.
pub(crate) async fn ping(client: &Client, out: &mut Output, args: &Ping) -> Outcome {
    let status = match args.status {
        Some(status) => Some(status.to_string()),
        None => args.fail.then(|| "fail".to_owned()),
    };
    let path: Vec<&str> = [args.monitor.as_str()].into_iter().chain(status.as_deref()).collect();
    let ask = Ask::ping(&path).body("text/plain", args.message.clone().unwrap_or_default());
    client.ask(ask).await?;
    out.say(&format!("{} was heard", args.monitor));
    Ok(())
}

/// `monitors list`.
pub(crate) async fn list(client: &Client, out: &mut Output) -> Outcome {
    let answer = client.ask(Ask::get(&["monitors"])).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let found: Monitors = answer.read()?;
    if found.monitors.is_empty() {
        out.say("there are no monitors");
        return Ok(());
    }
    let rows: Vec<_> = found.monitors.iter().map(row).collect();
    let text = out.table(&["MONITOR", "STATE", "HEARD", "EVERY", "MISSING IN", "ALERT"], &rows);
    out.data(&text)
}

fn row(monitor: &Monitor) -> Vec<crate::output::Cell> {
    let tone = match monitor.state.as_str() {
        "up" => Tone::Good,
        "late" => Tone::Warn,
        "missing" | "failing" => Tone::Bad,
        _ => Tone::Plain,
    };
    let why = monitor.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let due = match monitor.due_in_seconds {
        0 => "-".to_owned(),
        seconds => span(Duration::from_secs(seconds)),
    };
    vec![
        plain(&monitor.name),
        cell(format!("{}{why}", monitor.state), tone),
        plain(monitor.heard.as_deref().unwrap_or("not yet")),
        plain(span(Duration::try_from_secs_f64(monitor.every_seconds).unwrap_or_default())),
        plain(due),
        plain(monitor.alert.as_deref().unwrap_or("-")),
    ]
}

/// `heartbeat …`.
pub(crate) async fn heartbeat(client: &Client, out: &mut Output, action: &HeartbeatAction) -> Outcome {
    let HeartbeatAction::Send = action;
    let answer = client.ask(Ask::post(&["heartbeat", "send"], &serde_json::json!({}))).await?;
    let sent: Sent = answer.read()?;
    let told = format!("to {}: {}", count(sent.recipients, "recipient"), sent.summary);
    out.answer(&answer.body, || Ok(told))
}
