//! `silence`: what is told nobody for a time.

use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Output, count, plain};
use crate::silence_args::{SilenceAction, SilenceAdd};
use crate::trail::expiry;
use base::time::parse_duration;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

/// What matchers match, as the node says it.
#[derive(Debug, Deserialize)]
struct Preview {
    alerts: usize,
    codes: Vec<String>,
}

/// A silence that was made or ended.
#[derive(Debug, Deserialize)]
struct Made {
    id: String,
}

/// Silences and maintenance windows.
#[derive(Debug, Deserialize)]
struct Listed {
    silences: Vec<Silence>,
    maintenance: Vec<Maintenance>,
}

/// A silence, as the node says it.
#[derive(Debug, Deserialize)]
struct Silence {
    id: String,
    state: String,
    matchers: Vec<String>,
    from: String,
    until: String,
    by: String,
    author: String,
    comment: String,
    ended_by: Option<String>,
}

/// A maintenance window, as the node says it.
#[derive(Debug, Deserialize)]
struct Maintenance {
    name: String,
    title: String,
    active: bool,
    matchers: Vec<String>,
    calendars: Vec<String>,
}

/// `silence …`.
pub(crate) async fn silence(client: &Client, out: &mut Output, action: &SilenceAction) -> Outcome {
    match action {
        SilenceAction::Add(args) => add(client, out, args).await,
        SilenceAction::List { all } => list(client, out, *all).await,
        SilenceAction::Show { id } => {
            let answer = client.ask(Ask::get(&["silences", id])).await?;
            if out.json { out.data(&answer.body) } else { shown(out, &answer.read()?) }
        }
        SilenceAction::Expire { id, sure } => {
            out.confirm(&format!("end the silence {id}?"), sure.yes)?;
            let answer = client.ask(Ask::delete(&["silences", id])).await?;
            out.answer(&answer.body, || Ok(format!("ended {id}")))
        }
    }
}

async fn add(client: &Client, out: &mut Output, args: &SilenceAdd) -> Outcome {
    let from = args.from.as_deref().map(expiry).transpose()?;
    let until = match (&args.lasts, &args.until) {
        (Some(lasts), _) => after(from.as_deref(), lasts)?,
        (None, Some(until)) => expiry(until)?,
        (None, None) => return Err(Failure::new(Exit::Usage, "say for how long: --for 2h, or --until")),
    };
    let asked = json!({ "matchers": args.matchers });
    let answer = client.ask(Ask::post(&["silences", "preview"], &asked).repeatable()).await?;
    let found: Preview = answer.read()?;
    if args.dry_run {
        return out.answer(&answer.body, || Ok(preview(&found, "would silence")));
    }
    let mut asked = json!({ "matchers": args.matchers, "until": until, "comment": args.comment });
    for (key, value) in [("from", from.as_ref()), ("author", args.author.as_ref())] {
        if let Some(value) = value {
            asked[key] = json!(value);
        }
    }
    let answer = client.ask(Ask::post(&["silences"], &asked)).await?;
    let made: Made = answer.read()?;
    if out.json {
        return out.data(&answer.body);
    }
    out.data(&made.id)?;
    let begins = from.map_or_else(String::new, |from| format!(", from {from} on"));
    out.say(&format!("{} until {until}{begins}", preview(&found, "silences")));
    Ok(())
}

fn preview(found: &Preview, verb: &str) -> String {
    let more = found.alerts.saturating_sub(found.codes.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let which = if found.codes.is_empty() { String::new() } else { format!(": {}", found.codes.join(", ")) };
    format!("{verb} {} now{which}{more}", count(found.alerts, "open alert"))
}

/// The end of a time that begins at `from`, or now.
fn after(from: Option<&str>, lasts: &str) -> Outcome<String> {
    let wrong = |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("--for {lasts}: {why}"));
    let by = parse_duration(lasts).map_err(|why| wrong(&why))?;
    let from = from.map(str::parse::<Timestamp>).transpose().map_err(|why| wrong(&why))?;
    let until = from.unwrap_or_else(Timestamp::now).checked_add(by).map_err(|why| wrong(&why))?;
    Ok(format!("{until:.0}"))
}

async fn list(client: &Client, out: &mut Output, all: bool) -> Outcome {
    let answer = client.ask(Ask::get(&["silences"]).maybe("all", all.then_some("true"))).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let found: Listed = answer.read()?;
    if found.silences.is_empty() && found.maintenance.is_empty() {
        out.say("there are no silences and no maintenance windows");
        return Ok(());
    }
    let windows = found.maintenance.iter().map(|it| {
        let state = if it.active { "active" } else { "off" };
        let when = format!("while {} is on", it.calendars.join(" or "));
        row([&it.name, state, "", &when, &it.matchers.join(", "), "directory", &it.title])
    });
    let silences = found.silences.iter().map(|it| {
        let matchers = it.matchers.join(", ");
        row([&it.id, &it.state, &it.from, &it.until, &matchers, &it.author, &it.comment])
    });
    let rows: Vec<_> = silences.chain(windows).collect();
    let text = out.table(&["SILENCE", "STATE", "FROM", "UNTIL", "MATCHERS", "BY", "WHY"], &rows);
    out.data(&text)
}

fn row(cells: [&str; 7]) -> Vec<Cell> {
    cells.into_iter().map(plain).collect()
}

fn shown(out: &mut Output, it: &Silence) -> Outcome {
    let by =
        if it.by == it.author { it.by.clone() } else { format!("{} in the name of {}", it.by, it.author) };
    let mut facts = vec![
        ("id", plain(&it.id)),
        ("state", plain(&it.state)),
        ("matchers", plain(it.matchers.join(", "))),
        ("from", plain(&it.from)),
        ("until", plain(&it.until)),
        ("by", plain(by)),
        ("why", plain(&it.comment)),
    ];
    facts.extend(it.ended_by.as_ref().map(|by| ("ended by", plain(by))));
    let text = out.facts(&facts);
    out.data(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_names_some_and_counts_all() {
        let check = |alerts, codes: &[&str], text: &str| {
            let codes = codes.iter().map(ToString::to_string).collect();
            assert_eq!(preview(&Preview { alerts, codes }, "silences"), text);
        };
        check(0, &[], "silences 0 open alerts now");
        check(1, &["A1"], "silences 1 open alert now: A1");
        check(30, &["A1", "A2"], "silences 30 open alerts now: A1, A2 and 28 more");
    }

    #[test]
    fn how_long_it_lasts_counts_from_its_beginning() {
        let until = after(Some("2026-12-24T22:00:00Z"), "4h").unwrap();
        assert_eq!(until, "2026-12-25T02:00:00Z");
        assert!(after(None, "soon").is_err());
    }
}
