//! Grafana OnCall: what its public API lists, in one object, as the manual says.
//!
//! Of shifts of one level all are on call at the same time there, and a higher level lies over a lower one; here a later
//! layer lies over an earlier one. So a schedule with one level becomes several of one layer each, which a step tells
//! together; one with several levels becomes one, and where two shifts share a level the report says so.

use crate::people::{Desk, Stage};
use crate::{ImportError, Imported, json};
use jiff::civil::DateTime;
use record::document::Rules;
use schedule::form::{Layer, Rotation, Window};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rounds of a chain that says `repeat_escalation`, as OnCall has it.
const REPEATS: u16 = 5;
const DAY: i64 = 86_400;
const DAYS: [(&str, &str); 7] =
    [("MO", "mon"), ("TU", "tue"), ("WE", "wed"), ("TH", "thu"), ("FR", "fri"), ("SA", "sat"), ("SU", "sun")];

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    email: Option<String>,
    username: String,
}

#[derive(Deserialize)]
struct Planned {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    shifts: Option<Vec<String>>,
    #[serde(default)]
    ical_url_overrides: Option<String>,
}

#[derive(Deserialize)]
struct Shift {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    level: Option<i64>,
    start: String,
    duration: i64,
    #[serde(default)]
    frequency: Option<String>,
    #[serde(default)]
    interval: Option<i64>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    by_day: Option<Vec<String>>,
    #[serde(default)]
    by_month: Option<Vec<i64>>,
    #[serde(default)]
    by_monthday: Option<Vec<i64>>,
    #[serde(default)]
    users: Option<Vec<String>>,
    #[serde(default)]
    rolling_users: Option<Vec<Vec<String>>>,
    #[serde(default)]
    start_rotation_from_user_index: Option<usize>,
}

#[derive(Deserialize)]
struct Chain {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Step {
    escalation_chain_id: String,
    #[serde(default)]
    position: i64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    persons_to_notify: Option<Vec<String>>,
    #[serde(default)]
    persons_to_notify_next_each_time: Option<Vec<String>>,
    #[serde(default)]
    notify_on_call_from_schedule: Option<String>,
}

#[derive(Deserialize)]
struct Integration {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Way {
    integration_id: String,
    #[serde(default)]
    escalation_chain_id: Option<String>,
    #[serde(default)]
    routing_regex: Option<String>,
    #[serde(default)]
    is_the_last_route: bool,
}

/// Reads the lists and makes a directory of them.
///
/// # Errors
/// They are no such lists.
pub fn oncall(text: &str, rules: &Rules<'_>) -> Result<Imported, ImportError> {
    let root = json::object(text)?;
    let mut desk = Desk::new(rules);
    for user in json::list::<User>(&root, "users")? {
        desk.user(&user.id, &user.username, &user.email.into_iter().collect::<Vec<_>>());
    }
    let shifts: BTreeMap<String, Shift> =
        json::list::<Shift>(&root, "on_call_shifts")?.into_iter().map(|it| (it.id.clone(), it)).collect();
    for plan in json::list::<Planned>(&root, "schedules")? {
        take_schedule(&mut desk, &plan, &shifts);
    }
    let mut steps: Vec<Step> = json::list(&root, "escalation_policies")?;
    steps.sort_by_key(|step| step.position);
    for chain in json::list::<Chain>(&root, "escalation_chains")? {
        take_chain(&mut desk, &chain, steps.iter().filter(|step| step.escalation_chain_id == chain.id));
    }
    let named: BTreeMap<String, String> =
        json::list::<Integration>(&root, "integrations")?.into_iter().map(|it| (it.id, it.name)).collect();
    for way in json::list::<Way>(&root, "routes")? {
        take_route(&mut desk, &way, &named);
    }
    if root.get("personal_notification_rules").is_some() {
        let why = "who is reached how is said by addresses and steps";
        desk.report.left(0, "personal_notification_rules", why, "");
    }
    Ok(Imported { book: desk.book, report: desk.report })
}

fn take_schedule(desk: &mut Desk<'_>, plan: &Planned, shifts: &BTreeMap<String, Shift>) {
    let what = format!("schedule {:?}", plan.name);
    if plan.kind == "ical" {
        desk.report.left(0, what, "it is read from a calendar elsewhere", "write its layers by hand");
        return;
    }
    if plan.ical_url_overrides.as_deref().is_some_and(|url| !url.is_empty()) {
        desk.report.left(0, format!("{what}: ical_url_overrides"), "overrides are not read", "");
    }
    let zone = plan.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    let mut layers: Vec<(i64, String, Layer)> = Vec::new();
    for id in plan.shifts.iter().flatten() {
        let Some(shift) = shifts.get(id) else {
            desk.report.left(0, format!("{what}: shift {id}"), "it is not in on_call_shifts", "");
            continue;
        };
        match layer(desk, shift) {
            Ok(layer) => {
                let zone = shift.time_zone.clone().unwrap_or_else(|| zone.clone());
                layers.push((shift.level.unwrap_or(0), zone, layer));
            }
            Err(why) => {
                desk.report.left(0, format!("{what}: shift {:?}", shift.name), why, "write it by hand");
            }
        }
    }
    layers.sort_by_key(|(level, ..)| *level);
    let levels: BTreeSet<i64> = layers.iter().map(|(level, ..)| *level).collect();
    let zones: BTreeSet<&String> = layers.iter().map(|(_, zone, _)| zone).collect();
    let mut made = Vec::new();
    if levels.len() <= 1 || zones.len() > 1 || schedule::limits::LAYERS_MAX < layers.len() {
        if levels.len() > 1 {
            let why =
                "its levels are in several time zones, so everybody is told whose shift it is at any level";
            desk.report.changed(0, what, why, "write it by hand");
        }
        for (_, zone, layer) in layers {
            made.extend(desk.schedule(&plan.name, &zone, vec![layer]));
        }
    } else {
        if levels.len() < layers.len() {
            let why = "where two shifts of one level overlap, both are on call there, and the later one here";
            desk.report.changed(0, what, why, "give them turns of several people");
        }
        let zone = layers.first().map_or(zone, |(_, zone, _)| zone.clone());
        made.extend(desk.schedule(&plan.name, &zone, layers.into_iter().map(|(.., layer)| layer).collect()));
    }
    desk.schedules.insert(plan.id.clone(), made);
}

/// The layer of a shift; else why there is none.
fn layer(desk: &Desk<'_>, shift: &Shift) -> Result<Layer, &'static str> {
    let known = |ids: &[String]| -> Option<Vec<String>> {
        let mut names: Vec<String> =
            ids.iter().map(|id| desk.users.get(id).cloned()).collect::<Option<_>>()?;
        crate::people::dedup(&mut names);
        (!names.is_empty() && names.len() <= schedule::limits::PEOPLE_MAX).then_some(names)
    };
    let mut turns: Vec<Vec<String>> = match (&shift.rolling_users, &shift.users) {
        (Some(rolling), _) if shift.kind == "rolling_users" => rolling
            .iter()
            .map(|users| known(users))
            .collect::<Option<_>>()
            .ok_or("its users are not known")?,
        (_, Some(users)) => vec![known(users).ok_or("its users are not known")?],
        (_, None) => return Err("it has no users"),
    };
    if turns.is_empty() || schedule::limits::TURNS_MAX < turns.len() {
        return Err("it has no turns, or more than 200");
    }
    let first = shift.start_rotation_from_user_index.unwrap_or(0) % turns.len();
    turns.rotate_left(first);
    let start: DateTime = shift.start.parse().map_err(|_| "its start cannot be read")?;
    if shift.duration <= 0 || shift.duration % 60 != 0 {
        return Err("its duration is not whole minutes");
    }
    let end = start.checked_add(jiff::Span::new().try_seconds(shift.duration).map_err(|_| "it is too long")?);
    let end = end.map_err(|_| "it is too long")?;
    let from = minutes(start);
    let Some(frequency) = &shift.frequency else {
        return Ok(Layer { turns, from, until: Some(minutes(end)), ..Layer::default() });
    };
    if shift.by_month.as_ref().or(shift.by_monthday.as_ref()).is_some_and(|list| !list.is_empty()) {
        return Err("it goes by months or days of months");
    }
    let length = shift.interval.unwrap_or(1);
    let (unit, seconds) = match frequency.as_str() {
        "hourly" => ("hours", 3600),
        "daily" => ("days", DAY),
        "weekly" => ("weeks", 7 * DAY),
        "monthly" => ("months", 28 * DAY),
        _ => return Err("its frequency is not known"),
    };
    if !(1..=50).contains(&length) {
        return Err("its interval is not from 1 to 50");
    }
    let windows = windows(shift, (start, end), unit, seconds * length)?;
    let until = shift.until.as_deref().map(|text| text.trim_end_matches('Z').parse::<DateTime>());
    let until = until.transpose().map_err(|_| "its end cannot be read")?;
    if until.is_some_and(|until| until <= start) {
        return Err("it is over");
    }
    let rotation = Rotation { unit: unit.to_owned(), length };
    Ok(Layer { turns, rotation, from, until: until.map(minutes), windows, ..Layer::default() })
}

fn minutes(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// The times of the week of a shift that does not last until its next turn.
fn windows(
    shift: &Shift,
    (start, end): (DateTime, DateTime),
    unit: &str,
    period: i64,
) -> Result<Vec<Window>, &'static str> {
    let by_day = shift.by_day.as_deref().unwrap_or_default();
    if by_day.is_empty() && shift.duration >= period {
        return Ok(Vec::new());
    }
    if shift.duration > DAY || !matches!(unit, "days" | "weeks") {
        return Err("its times cannot be written as times of the week");
    }
    if shift.interval.unwrap_or(1) > 1 {
        return Err("it skips days or weeks");
    }
    let days: Vec<String> = if by_day.is_empty() && unit == "weeks" {
        let at = usize::try_from(start.weekday().to_monday_zero_offset()).unwrap_or(0);
        DAYS.iter().skip(at).take(1).map(|(_, day)| (*day).to_owned()).collect()
    } else {
        let each = by_day.iter().map(|word| DAYS.iter().find(|(there, _)| there == word));
        let each: Option<Vec<_>> = each.collect();
        each.ok_or("its days cannot be read")?.into_iter().map(|(_, day)| (*day).to_owned()).collect()
    };
    let clock = |at: DateTime| at.strftime("%H:%M").to_string();
    let until = if clock(end) == "00:00" { "24:00".to_owned() } else { clock(end) };
    Ok(vec![Window { days, from: clock(start), until }])
}

fn take_chain<'s>(desk: &mut Desk<'_>, chain: &Chain, steps: impl Iterator<Item = &'s Step>) {
    let mut stages: Vec<Stage> = Vec::new();
    let mut repeat = 0;
    for step in steps {
        let what = format!("escalation {:?}: {}", chain.name, step.kind);
        let users = |ids: &Option<Vec<String>>| -> Vec<String> {
            ids.iter().flatten().filter_map(|id| desk.users.get(id).cloned()).collect()
        };
        let to = match step.kind.as_str() {
            "wait" => {
                let seconds = step.duration.unwrap_or(0.0).clamp(0.0, 1e6);
                let wait = Duration::from_secs_f64(seconds.trunc());
                stages.push(Stage { to: Vec::new(), wait });
                continue;
            }
            "repeat_escalation" => {
                repeat = REPEATS;
                continue;
            }
            "notify_persons" => users(&step.persons_to_notify),
            "notify_person_next_each_time" => {
                let to = users(&step.persons_to_notify_next_each_time);
                desk.report.changed(0, what.clone(), "all of them are told, not one after the other", "");
                to
            }
            "notify_on_call_from_schedule" => {
                let id = step.notify_on_call_from_schedule.as_deref().unwrap_or_default();
                desk.schedules.get(id).cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if to.is_empty() {
            desk.report.left(0, what, "there is nobody of ours for it", "tell somebody else in that step");
        }
        stages.push(Stage { to, wait: Duration::ZERO });
    }
    desk.policy(&chain.id, &chain.name, stages, repeat);
}

fn take_route(desk: &mut Desk<'_>, way: &Way, named: &BTreeMap<String, String>) {
    let source = named.get(&way.integration_id).map_or(way.integration_id.as_str(), String::as_str);
    if !way.is_the_last_route {
        let regex: String = way.routing_regex.as_deref().unwrap_or_default().chars().take(80).collect();
        let why = "it looks through the whole text of what was posted";
        let advice = "write a route with matchers on labels, before the other one";
        desk.report.left(0, format!("route of {source:?}: {regex:?}"), why, advice);
        return;
    }
    match &way.escalation_chain_id {
        Some(chain) => desk.route(source, chain),
        None => desk.report.left(0, format!("route of {source:?}"), "it tells nobody", ""),
    }
}
