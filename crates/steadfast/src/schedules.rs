//! `on-call` and `schedule`: who is on call when, and overrides, which are edits of the directory.

use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, plain};
use crate::schedule_args::{OnCall, OverrideAction, ScheduleAction};
use crate::trail::expiry;
use reqwest::header::IF_MATCH;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Who is on call in a schedule, as the node says it.
#[derive(Debug, Deserialize)]
struct OnCallNow {
    schedule: String,
    who: Vec<String>,
    until: Option<String>,
    because: String,
}

/// Who is on call in each schedule.
#[derive(Debug, Deserialize)]
struct Schedules {
    schedules: Vec<OnCallNow>,
}

/// A part of a schedule's shifts.
#[derive(Debug, Deserialize)]
struct Shifts {
    shifts: Vec<Shift>,
    truncated: bool,
}

/// A shift, as the node says it.
#[derive(Debug, Deserialize)]
struct Shift {
    from: String,
    to: String,
    who: Vec<String>,
    because: String,
}

/// `on-call`.
pub(crate) async fn on_call(client: &Client, out: &mut Output, args: &OnCall) -> Outcome {
    let ask = match &args.schedule {
        Some(schedule) => Ask::get(&["schedules", schedule, "on-call"]),
        None => Ask::get(&["schedules"]),
    };
    let answer = client.ask(ask.maybe("at", args.at.as_deref())).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let found: Vec<OnCallNow> =
        if args.schedule.is_some() { vec![answer.read()?] } else { answer.read::<Schedules>()?.schedules };
    if found.is_empty() {
        out.say("there are no schedules");
        return Ok(());
    }
    let rows: Vec<_> = found
        .iter()
        .map(|it| {
            let until = it.until.as_deref().map(shown).unwrap_or_default();
            vec![plain(&it.schedule), plain(people(&it.who)), plain(until), plain(&it.because)]
        })
        .collect();
    let text = out.table(&["SCHEDULE", "ON CALL", "UNTIL", "BECAUSE"], &rows);
    out.data(&text)
}

/// `2026-11-21T09:00:00+01:00` as people read it: `2026-11-21 09:00 +01:00`.
fn shown(moment: &str) -> String {
    let parts = moment.split_once('T').and_then(|(day, rest)| Some((day, rest.split_at_checked(8)?)));
    parts.map_or_else(
        || moment.to_owned(),
        |(day, (time, offset))| format!("{day} {} {offset}", time.strip_suffix(":00").unwrap_or(time)),
    )
}

fn people(who: &[String]) -> String {
    if who.is_empty() { "nobody".to_owned() } else { who.join(", ") }
}

/// `schedule …`.
pub(crate) async fn schedule(client: &Client, out: &mut Output, action: &ScheduleAction) -> Outcome {
    match action {
        ScheduleAction::Shifts { schedule, from, to } => {
            let ask = Ask::get(&["schedules", schedule, "shifts"]);
            let ask = ask.maybe("from", from.as_deref()).maybe("to", to.as_deref());
            shifts(client, out, ask).await
        }
        ScheduleAction::Ical { schedule } => {
            let answer = client.ask(Ask::get(&["schedules", schedule, "calendar.ics"])).await?;
            out.data(&answer.body)
        }
        ScheduleAction::Override(OverrideAction::Add { schedule, who, from, until, instead_of }) => {
            let from = from.clone().map_or_else(|| expiry("0s"), Ok)?;
            let mut entry = json!({ "who": who, "from": from, "until": moment(until)? });
            if let Some(name) = instead_of {
                entry["instead_of"] = json!(name);
            }
            let said = format!("{} on call in {schedule} until {}", people(who), plainly(&entry["until"]));
            edit(client, out, schedule, said, |overrides| {
                overrides.push(entry);
                Ok(())
            })
            .await
        }
        ScheduleAction::Override(OverrideAction::Remove { schedule, number, sure }) => {
            out.confirm(&format!("remove override {number} of {schedule}?"), sure.yes)?;
            edit(client, out, schedule, format!("removed override {number} of {schedule}"), |overrides| {
                if *number >= overrides.len() {
                    let count = overrides.len();
                    let text =
                        format!("there is no override {number}; {schedule} has {count}, counted from 0");
                    return Err(Failure::new(Exit::NotFound, text));
                }
                overrides.remove(*number);
                Ok(())
            })
            .await
        }
    }
}

/// A local time of the schedule as it is, else a moment or how long from now.
fn moment(text: &str) -> Outcome<String> {
    if text.parse::<jiff::civil::DateTime>().is_ok() { Ok(text.to_owned()) } else { expiry(text) }
}

fn plainly(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn shifts(client: &Client, out: &mut Output, ask: Ask) -> Outcome {
    let answer = client.ask(ask).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let found: Shifts = answer.read()?;
    let rows: Vec<_> = found
        .shifts
        .iter()
        .map(|it| {
            vec![plain(shown(&it.from)), plain(shown(&it.to)), plain(people(&it.who)), plain(&it.because)]
        })
        .collect();
    let text = out.table(&["FROM", "TO", "ON CALL", "BECAUSE"], &rows);
    out.data(&text)?;
    if found.truncated {
        out.say("there are more; ask again with --from the end of the last one");
    }
    Ok(())
}

/// Changes the overrides of a schedule as they stand now, or not at all.
async fn edit(
    client: &Client,
    out: &mut Output,
    schedule: &str,
    said: String,
    change: impl FnOnce(&mut Vec<Value>) -> Outcome,
) -> Outcome {
    let path = ["directory", "schedules", schedule];
    let answer = client.ask(Ask::get(&path)).await?;
    let mut entry: Map<String, Value> = answer.read()?;
    let overrides = entry.entry("overrides").or_insert_with(|| json!([]));
    if let Value::Array(overrides) = overrides {
        change(overrides)?;
    }
    let mut ask = Ask::put(&path).body("application/json", Value::Object(entry).to_string());
    if let Some(etag) = answer.etag {
        ask = ask.header(IF_MATCH, etag);
    }
    let answer = client.ask(ask).await?;
    out.answer(&answer.body, || Ok(said))
}
