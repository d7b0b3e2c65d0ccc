//! `trail`: what happened, from the history and then as it happens.
//!
//! Separate, because following survives a broken connection: it resumes after the last event it saw, at the
//! next host if need be.

use crate::args::Trail;
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::forms::{Alert, Named, TrailEntry, TrailPage};
use crate::output::{Cell, Output, Tone, cell, one_line, plain};
use crate::sse::{Event, Events};
use reqwest::header::{ACCEPT, HeaderName};
use serde_json::Value;
use std::time::Duration;

/// How long to wait before connecting again, doubled to the limit while it fails.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest such wait.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// `trail`.
pub(crate) async fn trail(client: &Client, out: &mut Output, args: &Trail) -> Outcome {
    let filter = Filter::new(client, args).await?;
    let since = args.since.as_deref().map(moment).transpose()?;
    if !args.follow || since.is_some() {
        past(client, out, args, since.as_deref()).await?;
    }
    if args.follow { follow(client, out, &filter).await } else { Ok(()) }
}

async fn past(client: &Client, out: &mut Output, args: &Trail, since: Option<&str>) -> Outcome {
    let ask = Ask::get(&["trail"]).pair("limit", args.limit.to_string()).maybe("since", since);
    let ask = ask.maybe("alert", args.alert.as_deref()).maybe("kind", args.kind.as_deref());
    let ask = ask.maybe("node", args.node.as_deref());
    let answer = client.ask(ask).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let page: TrailPage = answer.read()?;
    // The node gives the newest first, so that a page has them; a story is read from its beginning.
    let rows: Vec<_> = page.entries.iter().rev().map(row).collect();
    let text = out.table(&["AT", "NODE", "KIND", "WHAT"], &rows);
    out.data(&text)?;
    if page.next_cursor.is_some() {
        out.say(&format!("there is more than these {}; ask for more with --limit", page.entries.len()));
    }
    Ok(())
}

fn row(entry: &TrailEntry) -> Vec<Cell> {
    let text = if entry.text.is_empty() { &entry.kind } else { &entry.text };
    let node = entry.node_name.as_ref().or(entry.node.as_ref()).map(String::as_str).unwrap_or_default();
    vec![cell(&entry.at, Tone::Faint), plain(node), plain(&entry.kind), plain(text)]
}

/// The alert's code, or its id.
fn alert_name(entry: &TrailEntry) -> String {
    match &entry.alert {
        Some(Value::String(name)) => name.clone(),
        Some(alert) => alert["code"].as_str().or_else(|| alert["id"].as_str()).unwrap_or_default().to_owned(),
        None => String::new(),
    }
}

/// What happened; where a stream gives no text, its kind and what it says.
fn what(entry: &TrailEntry) -> String {
    let Some(Value::Object(data)) = entry.data.as_ref().filter(|_| entry.text.is_empty()) else {
        return entry.text.clone();
    };
    let said = data.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key}={value}")
    });
    std::iter::once(entry.kind.clone()).chain(said).collect::<Vec<_>>().join(" ")
}

/// Who did it and from where; the node itself is nobody.
fn who(entry: &TrailEntry) -> String {
    let from = entry.from.as_deref().map_or_else(String::new, |from| format!(" from {from}"));
    entry.who.as_deref().map_or_else(String::new, |who| format!("{who}{from}"))
}

/// A time as the API takes it, from a time or from how long ago it was.
pub(crate) fn moment(text: &str) -> Outcome<String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    shifted(text, |now, by| now.checked_sub(by))
}

/// A time in the future, from a time or from how long it is until then.
pub(crate) fn expiry(text: &str) -> Outcome<String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    shifted(text, |now, by| now.checked_add(by))
}

fn shifted(
    text: &str,
    shift: impl FnOnce(jiff::Timestamp, Duration) -> Result<jiff::Timestamp, jiff::Error>,
) -> Outcome<String> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Usage,
            format!("{text:?} is neither a time such as 2026-07-28T10:00:00Z nor a duration: {why}"),
        )
    };
    let by = base::time::parse_duration(text).map_err(|why| wrong(&why))?;
    let now = jiff::Timestamp::now();
    let then = shift(now, by).map_err(|why| wrong(&why))?;
    Ok(format!("{then:.0}"))
}

/// What of the stream is wanted.
struct Filter {
    alert: Option<Named>,
    kind: Option<String>,
}

impl Filter {
    /// The stream names alerts by id, and people by code: both are looked up once.
    async fn new(client: &Client, args: &Trail) -> Outcome<Self> {
        let alert = match &args.alert {
            Some(name) if args.follow => {
                let alert: Alert = client.ask(Ask::get(&["alerts", name])).await?.read()?;
                Some(Named { id: alert.id, code: Some(alert.code) })
            }
            Some(_) | None => None,
        };
        Ok(Self { alert, kind: args.kind.clone() })
    }

    fn wants(&self, entry: &TrailEntry) -> bool {
        let name = alert_name(entry);
        self.alert
            .as_ref()
            .is_none_or(|alert| name == alert.id || Some(name.as_str()) == alert.code.as_deref())
            && self.kind.as_ref().is_none_or(|kinds| kinds.split(',').any(|kind| kind.trim() == entry.kind))
    }
}

/// Prints what happens, until the program is stopped or the node refuses.
async fn follow(client: &Client, out: &mut Output, filter: &Filter) -> Outcome {
    let mut events = Events::default();
    let mut wait = RETRY_FIRST;
    let mut connected = false;
    loop {
        match follow_once(client, out, filter, &mut events).await {
            Ok(why) => {
                connected = true;
                wait = RETRY_FIRST;
                out.say(&format!("the stream ended ({why}); connecting again"));
                client.next_host();
            }
            Err(failure) if connected && failure.exit == Exit::Unreachable => out.say(&failure.text),
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
        events.restart();
    }
}

/// One connection: gives why it ended.
async fn follow_once(
    client: &Client,
    out: &mut Output,
    filter: &Filter,
    events: &mut Events,
) -> Outcome<String> {
    let mut ask = Ask::get(&["trail", "stream"]).header(ACCEPT, "text/event-stream");
    if let Some(id) = &events.last_id {
        ask = ask.header(HeaderName::from_static("last-event-id"), id);
    }
    let mut response = client.stream(ask).await?;
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => {
                let found = events.take(&bytes).map_err(Failure::failed)?;
                found.iter().try_for_each(|event| tell(out, filter, event))?;
            }
            Ok(None) => return Ok("the node closed it".into()),
            Err(error) => return Ok(error.to_string()),
        }
    }
}

fn tell(out: &mut Output, filter: &Filter, event: &Event) -> Outcome {
    if event.name == "resync" {
        out.say("some entries were missed; `steadfast trail --since …` has them");
        return Ok(());
    }
    // A later node may tell what this program does not know; one line of it is better than none.
    let entry: TrailEntry = serde_json::from_str(&event.data).unwrap_or_default();
    if !filter.wants(&entry) {
        return Ok(());
    }
    if out.json {
        return out.data(&event.data.replace('\n', " "));
    }
    let parts = [entry.at.clone(), alert_name(&entry), who(&entry), what(&entry)];
    let told: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(|part| one_line(part)).collect();
    let line = if told.is_empty() { one_line(&event.data) } else { told.join("  ") };
    out.data(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::heard;

    fn entry(alert: Value) -> TrailEntry {
        TrailEntry { alert: Some(alert), kind: "accepted".into(), ..TrailEntry::default() }
    }

    #[test]
    fn a_time_is_taken_as_it_is_and_a_duration_counts_back() {
        assert_eq!(moment("2026-07-28T10:00:00Z").unwrap(), "2026-07-28T10:00:00Z");
        let hour_ago: jiff::Timestamp = moment("1h").unwrap().parse().unwrap();
        assert!(hour_ago < jiff::Timestamp::now());
        let in_a_day: jiff::Timestamp = expiry("1d").unwrap().parse().unwrap();
        assert!(in_a_day > jiff::Timestamp::now());
        assert_eq!(moment("yesterday").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let alert = Some(Named { id: "x-1".into(), code: Some("A7".into()) });
        let filter = Filter { alert, kind: None };
        assert!(filter.wants(&entry("x-1".into())));
        assert!(filter.wants(&entry(serde_json::json!({ "id": "x-1", "code": "A7" }))));
        assert!(!filter.wants(&entry("x-2".into())));
        assert!(!filter.wants(&TrailEntry::default()));
    }

    #[test]
    fn an_event_is_one_line() {
        let (mut out, page, said) = heard(false);
        let filter = Filter { alert: None, kind: None };
        let data =
            r#"{"at":"2026-07-28T10:00:00Z","alert":"A7","who":"token:x","from":"::1","text":"two\nlines"}"#;
        tell(&mut out, &filter, &Event { name: "trail".into(), data: data.into() }).unwrap();
        let data = r#"{"kind":"ack","alert":"x-1","at":"T","data":{"by":"user:bea","comment":null,"n":2}}"#;
        tell(&mut out, &filter, &Event { name: "ack".into(), data: data.into() }).unwrap();
        tell(&mut out, &filter, &Event { name: "resync".into(), data: "{}".into() }).unwrap();
        assert_eq!(
            page.text(),
            "2026-07-28T10:00:00Z  A7  token:x from ::1  two lines\nT  x-1  ack by=user:bea n=2\n"
        );
        assert!(said.text().starts_with("some entries were missed"));
    }
}
