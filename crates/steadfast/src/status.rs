//! `status` and `providers`: how the node is, in the node's own sentence and a table.
//!
//! Separate, because this is what somebody looks at first when something seems wrong.

use crate::args::{ProviderAction, Providers};
use crate::client::{Ask, Client};
use crate::exit::Outcome;
use crate::forms::{Provider, Status};
use crate::output::{Cell, Output, Tone, cell, harmless, plain, span};
use serde_json::json;
use std::time::Duration;

/// `status`.
pub(crate) async fn status(client: &Client, out: &mut Output) -> Outcome {
    let answer = client.ask(Ask::get(&["status"])).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let status: Status = answer.read()?;
    let text = describe(out, &status);
    out.data(&text)
}

fn describe(out: &Output, status: &Status) -> String {
    let node = &status.node;
    let node = format!(
        "{} ({}), version {}, up {}",
        node.name,
        node.letter,
        node.version,
        span(Duration::from_secs(node.uptime_seconds))
    );
    let paused = status
        .paused
        .as_ref()
        .map_or_else(String::new, |pause| format!("by {} since {}: {}", pause.by, pause.at, pause.reason));
    let facts = out.facts(&[
        ("node", plain(node)),
        ("paused", cell(paused, Tone::Bad)),
        ("disk", cell(status.disk_full.as_deref().unwrap_or_default(), Tone::Bad)),
        ("alerts", plain(format!("{} open, {} acknowledged", status.open, status.acknowledged))),
        ("to be sent", plain(format!("{} of them have something that waits", status.waiting))),
        ("no way out for", cell(status.unserved_channels.join(", "), Tone::Warn)),
    ]);
    let providers = provider_table(out, &status.providers);
    format!("{}\n\n{facts}\n{providers}", harmless(&status.sentence))
}

fn provider_table(out: &Output, providers: &[Provider]) -> String {
    let rows: Vec<_> = providers.iter().map(provider_row).collect();
    out.table(&["PROVIDER", "CHANNEL", "HEALTH", "SENT TODAY", "WAITING", "WHY"], &rows)
}

fn provider_row(provider: &Provider) -> Vec<Cell> {
    let tone = if provider.why.is_some() { Tone::Bad } else { Tone::Good };
    let sent = match provider.per_day {
        Some(quota) => format!("{} of {quota}", provider.sent_today),
        None => provider.sent_today.to_string(),
    };
    let again = provider.next_try_in_seconds.map_or_else(String::new, |seconds| {
        format!("; tried again in {}", span(Duration::from_secs(seconds)))
    });
    let why = provider.why.as_deref().map_or_else(String::new, |why| format!("{why}{again}"));
    vec![
        plain(&provider.name),
        plain(&provider.channel),
        cell(&provider.health, tone),
        plain(sent),
        plain(provider.waiting.to_string()),
        plain(why),
    ]
}

/// `providers`.
pub(crate) async fn providers(client: &Client, out: &mut Output, args: &Providers) -> Outcome {
    match &args.action {
        Some(ProviderAction::Test { name }) => test(client, out, name).await,
        None => {
            let answer = client.ask(Ask::get(&["status"])).await?;
            let status: Status = answer.read()?;
            let text = provider_table(out, &status.providers);
            out.answer(&answer.body, || Ok(text))
        }
    }
}

/// The result of trying a provider.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Tried {
    detail: String,
}

async fn test(client: &Client, out: &mut Output, name: &str) -> Outcome {
    let answer = client.ask(Ask::post(&["providers", name, "test"], &json!({})).repeatable()).await?;
    let tried: Tried = answer.read()?;
    out.answer(&answer.body, || Ok(format!("{name}: {}", harmless(&tried.detail))))
}
