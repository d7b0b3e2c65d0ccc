//! `alerts` and `alert`: what is going on, as a table, and one alert with everything about it.
//!
//! Separate from `orders`, which change something.

use crate::args::{AlertShow, Alerts, word};
use crate::client::{Answer, Ask, Client};
use crate::exit::Outcome;
use crate::forms::{Alert, AlertPage, Deed, Given, Notification, NotificationPage, Step, Tally};
use crate::output::{Cell, Output, Tone, ago, cell, count, harmless, one_line, plain, span};
use std::fmt::Write as _;
use std::time::Duration;

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Notifications listed with an alert; the API gives more by cursor.
const NOTIFICATIONS_MAX: &str = "500";
/// Names shown for each choice.
const ANSWERS_SHOWN: usize = 20;

/// `alerts`.
pub(crate) async fn list(client: &Client, out: &mut Output, args: &Alerts) -> Outcome {
    if args.watch {
        return watch(client, out, args).await;
    }
    let answer = page(client, args).await?;
    tell(out, args, &answer)
}

/// Shows the list again whenever it changed, until the program is stopped.
async fn watch(client: &Client, out: &mut Output, args: &Alerts) -> Outcome {
    let mut shown = None;
    loop {
        match page(client, args).await {
            Ok(answer) if out.on_terminal() || shown.as_ref() != Some(&answer) => {
                out.clear()?;
                tell(out, args, &answer)?;
                shown = Some(answer);
            }
            Ok(_) => (),
            Err(failure) if shown.is_none() => return Err(failure),
            Err(failure) => out.say(&failure.text), // It may come back, and somebody is watching.
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

async fn page(client: &Client, args: &Alerts) -> Outcome<Answer> {
    let ask = Ask::get(&["alerts"]).pair("state", word(&args.state)).pair("limit", args.limit.to_string());
    client.ask(ask.maybe("q", args.search.as_deref())).await
}

fn tell(out: &mut Output, args: &Alerts, answer: &Answer) -> Outcome {
    if out.json {
        return out.data(&answer.body);
    }
    let page: AlertPage = answer.read()?;
    if page.alerts.is_empty() {
        out.say(&format!("no alerts ({})", word(&args.state)));
        return Ok(());
    }
    let rows: Vec<_> = page.alerts.iter().map(row).collect();
    let text = out.table(&["CODE", "SEVERITY", "STATE", "AGE", "SENT", "NEXT", "SUMMARY"], &rows);
    out.data(&text)?;
    if page.next_cursor.is_some() {
        out.say(&format!("there are more than these {}; ask for more with --limit", page.alerts.len()));
    }
    Ok(())
}

fn row(alert: &Alert) -> Vec<Cell> {
    vec![
        plain(alert.name()),
        cell(&alert.severity, Tone::of_severity(&alert.severity)),
        cell(&alert.state, state_tone(&alert.state)),
        plain(span(Duration::from_secs(alert.age_seconds))),
        sent(alert),
        plain(next(alert)),
        plain(&alert.summary),
    ]
}

fn state_tone(state: &str) -> Tone {
    match state {
        "acknowledged" => Tone::Good,
        "closed" => Tone::Faint,
        _ => Tone::Plain,
    }
}

fn sent(alert: &Alert) -> Cell {
    let progress = alert.progress;
    let text = format!("{}/{}", progress.sent, progress.total);
    cell(text, if progress.failed > 0 { Tone::Bad } else { Tone::Plain })
}

/// The next step in few words, or that it is held back; empty if there is neither.
fn next(alert: &Alert) -> String {
    if !alert.held_back.is_empty() {
        return "held back".to_owned();
    }
    alert.next_step.as_ref().map_or_else(String::new, |next| {
        let step =
            if next.round > 1 { format!("{}.{}", next.round, next.step) } else { next.step.to_string() };
        match next.due_in_seconds {
            Some(seconds) => format!("step {step} in {}", span(Duration::from_secs(seconds))),
            None => format!("step {step}, paused"),
        }
    })
}

/// `alert`.
pub(crate) async fn show(client: &Client, out: &mut Output, args: &AlertShow) -> Outcome {
    if args.notifications && out.json {
        return out.data(&notifications(client, &args.alert).await?.body);
    }
    let answer = client.ask(Ask::get(&["alerts", &args.alert])).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let alert: Alert = answer.read()?;
    out.data(&describe(out, &alert))?;
    if args.notifications {
        let page: NotificationPage = notifications(client, &args.alert).await?.read()?;
        out.data(&list_notifications(out, &page))?;
    }
    Ok(())
}

async fn notifications(client: &Client, alert: &str) -> Outcome<Answer> {
    client.ask(Ask::get(&["alerts", alert, "notifications"]).pair("limit", NOTIFICATIONS_MAX)).await
}

fn describe(out: &Output, alert: &Alert) -> String {
    let mut text = out.facts(&[
        ("alert", plain(format!("{} ({})", alert.name(), alert.id))),
        ("summary", plain(&alert.summary)),
        ("severity", cell(&alert.severity, Tone::of_severity(&alert.severity))),
        ("state", cell(state(alert), state_tone(&alert.state))),
        ("accepted", plain(format!("{} ({})", alert.accepted_at, ago(alert.age_seconds)))),
        ("source", plain(&alert.source)),
        ("labels", plain(labels(alert))),
        ("route", plain(alert.route.as_deref().unwrap_or_default())),
        ("policy", plain(policy(alert))),
        ("told", cell(told(alert), if alert.progress.failed > 0 { Tone::Bad } else { Tone::Plain })),
        ("next", plain(next(alert))),
        ("why", plain(alert.held_back.join("; "))),
        ("closed", plain(alert.closed_at.as_deref().unwrap_or_default())),
    ]);
    if let Some(details) = alert.details.as_deref().filter(|details| !details.is_empty()) {
        write!(text, "\n{}\n", harmless(details.trim_end())).unwrap_or_default();
    }
    text += &tally(alert);
    text += &happened(alert);
    text
}

/// Who answered what, a line for each choice.
fn tally(alert: &Alert) -> String {
    let Some(answers) = &alert.answers else { return String::new() };
    let who = |given: &Given| {
        let comment = given.comment.as_deref().map_or_else(String::new, |it| format!(": {}", one_line(it)));
        format!("{}{comment}", harmless(given.recipient.as_deref().unwrap_or(&given.by)))
    };
    let line = |tally: &Tally| {
        let names: Vec<String> = tally.answers.iter().take(ANSWERS_SHOWN).map(who).collect();
        let more = tally.count.saturating_sub(names.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let names = if names.is_empty() { String::new() } else { format!(" ({}{more})", names.join("; ")) };
        let acknowledges = if tally.acknowledges { ", acknowledges" } else { "" };
        let text = one_line(&tally.text);
        format!("{} = {text}{acknowledges}: {}{names}\n", tally.number, tally.count)
    };
    let lines: String = answers.choices.iter().map(line).collect();
    let silent = &answers.unanswered_by;
    let named: Vec<String> = silent.iter().take(ANSWERS_SHOWN).map(|name| harmless(name)).collect();
    let dots = if silent.len() > named.len() { " …" } else { "" };
    let named = if named.is_empty() { String::new() } else { format!(" ({}{dots})", named.join("; ")) };
    format!("\n{lines}not answered: {}{named}\n", answers.unanswered)
}

fn state(alert: &Alert) -> String {
    let mut text = alert.state.clone();
    if let Some(deed) = &alert.acknowledged {
        write!(text, ", by {} at {}", deed.by, deed.at).unwrap_or_default();
    }
    if alert.missing > 0 {
        write!(text, ", {} still to acknowledge", alert.missing).unwrap_or_default();
    }
    if let Some(ended) = &alert.ended {
        write!(text, ", ended: {}", ended.why).unwrap_or_default();
    }
    if alert.late {
        text += ", late";
    }
    text
}

fn labels(alert: &Alert) -> String {
    alert.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

fn policy(alert: &Alert) -> String {
    let mode = alert.mode.as_deref().map_or_else(String::new, |mode| format!(" ({mode})"));
    let silent = if alert.escalates { "" } else { ", does not escalate" };
    alert.policy.as_deref().map_or_else(String::new, |name| format!("{name}{mode}{silent}"))
}

/// How many of how many were told.
pub(crate) fn told(alert: &Alert) -> String {
    let progress = alert.progress;
    let mut text = format!("sent {} of {}", progress.sent, progress.total);
    if progress.failed > 0 {
        write!(text, ", {} failed", progress.failed).unwrap_or_default();
    }
    if progress.waiting > 0 {
        write!(text, ", {} waiting", progress.waiting).unwrap_or_default();
    }
    text
}

/// Steps, acknowledgements and comments, in the order of time. Each in one line: what a stranger writes on a
/// second line must not read as something that happened.
fn happened(alert: &Alert) -> String {
    let told = |deed: &Deed, what: &str| {
        let comment = deed.comment.as_deref().map_or_else(String::new, |it| format!(": {}", one_line(it)));
        (deed.at.clone(), format!("{what} by {}{comment}", deed.by))
    };
    let mut lines: Vec<(String, String)> = alert.steps.iter().map(|it| (it.at.clone(), step(it))).collect();
    lines.extend(alert.acknowledgements.iter().map(|deed| told(deed, "acknowledged")));
    lines.extend(alert.comments.iter().map(|deed| told(deed, "comment")));
    lines.sort_by(|a, b| a.0.cmp(&b.0)); // RFC 3339 in UTC sorts by time.
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.into_iter().map(|(at, what)| format!("{at}  {what}\n")).collect();
    format!("\n{lines}")
}

fn step(step: &Step) -> String {
    let mut text = match step.step {
        0 => "first notification".to_owned(),
        later => format!("step {later}"),
    };
    if step.round > 1 {
        write!(text, ", round {}", step.round).unwrap_or_default();
    }
    if step.late_seconds > 0 {
        write!(text, ", {} late", span(Duration::from_secs(step.late_seconds))).unwrap_or_default();
    }
    if step.empty {
        text += ", reached nobody";
    }
    if let Some(by) = &step.by {
        write!(text, ", taken early by {by}").unwrap_or_default();
    }
    text
}

fn list_notifications(out: &Output, page: &NotificationPage) -> String {
    let rows: Vec<_> = page.notifications.iter().map(notification_row).collect();
    let table = out.table(&["RECIPIENT", "CHANNEL", "ADDRESS", "PURPOSE", "STATE", "LAST TRY"], &rows);
    let more = if page.next_cursor.is_some() { "…\n" } else { "" };
    format!("\n{}:\n{table}{more}", count(rows.len(), "notification"))
}

fn notification_row(it: &Notification) -> Vec<Cell> {
    let tone = match it.state.as_str() {
        "sent" => Tone::Good,
        "failed" => Tone::Bad,
        "unknown" => Tone::Warn,
        _ => Tone::Plain,
    };
    let last = it.attempts.last().map_or_else(String::new, |attempt| {
        let provider = attempt.provider.as_deref().unwrap_or_default();
        let why = attempt.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        format!("{provider} {}{why}", attempt.outcome.as_deref().unwrap_or("under way"))
    });
    vec![
        plain(it.recipient.as_deref().unwrap_or("-")),
        plain(&it.channel),
        plain(&it.address),
        plain(&it.purpose),
        cell(&it.state, tone),
        plain(last),
    ]
}
