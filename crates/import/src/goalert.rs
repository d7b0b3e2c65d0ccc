//! GoAlert: what its GraphQL API answers to the query in the manual.
//!
//! GoAlert has no export. A schedule there has several people on call at the same time; here a later layer lies over an
//! earlier one. So each of its assignments becomes a schedule of its own, and a step tells all of them.

use crate::people::{Desk, Stage};
use crate::{ImportError, Imported, json};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use record::document::Rules;
use schedule::form::{Layer, Rotation, Window};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// When somebody who is always on call begins to be.
const ALWAYS: &str = "2000-01-03T00:00";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    name: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    contact_methods: Option<Vec<Contact>>,
}

#[derive(Deserialize)]
struct Contact {
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Turning {
    id: String,
    name: String,
    time_zone: String,
    start: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "one")]
    shift_length: i64,
    #[serde(default)]
    active_user_index: usize,
    #[serde(default, rename = "userIDs")]
    users: Vec<String>,
    #[serde(default)]
    next_handoff_times: Vec<String>,
}

fn one() -> i64 {
    1
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    id: String,
    name: String,
    time_zone: String,
    #[serde(default)]
    targets: Vec<Assignment>,
    #[serde(default)]
    temporary_schedules: Vec<Value>,
}

#[derive(Deserialize)]
struct Assignment {
    target: Target,
    #[serde(default)]
    rules: Vec<Hours>,
}

#[derive(Deserialize)]
struct Target {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hours {
    start: String,
    end: String,
    #[serde(default)]
    weekday_filter: Vec<bool>,
}

#[derive(Deserialize)]
struct Escalation {
    id: String,
    name: String,
    #[serde(default)]
    repeat: u16,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(default)]
    step_number: i64,
    delay_minutes: u32,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(rename = "escalationPolicyID")]
    policy: String,
}

/// Reads the answer and makes a directory of it.
///
/// # Errors
/// It is no answer to that query, or says that something was wrong.
pub fn goalert(text: &str, rules: &Rules<'_>) -> Result<Imported, ImportError> {
    let whole = json::object(text)?;
    if let Some(errors) = whole.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty()) {
        return Err(ImportError::at(0, format!("GoAlert answered with an error: {}", errors[0])));
    }
    let root = whole.get("data").unwrap_or(&whole);
    let mut desk = Desk::new(rules);
    for user in json::list::<User>(root, "users")? {
        take_user(&mut desk, &user);
    }
    let rotations: BTreeMap<String, Turning> =
        json::list::<Turning>(root, "rotations")?.into_iter().map(|it| (it.id.clone(), it)).collect();
    for plan in json::list::<Planned>(root, "schedules")? {
        take_schedule(&mut desk, &plan, &rotations);
    }
    for escalation in json::list::<Escalation>(root, "escalationPolicies")? {
        take_escalation(&mut desk, escalation, &rotations);
    }
    for service in json::list::<Service>(root, "services")? {
        desk.route(&service.name, &service.policy);
    }
    for _ in json::list::<Value>(root, "userOverrides")? {
        desk.report.left(0, "userOverrides", "overrides are not read", "`steadfast schedule override add`");
    }
    Ok(Imported { book: desk.book, report: desk.report })
}

fn take_user(desk: &mut Desk<'_>, user: &User) {
    let mut mails = Vec::new();
    for contact in user.contact_methods.iter().flatten() {
        if contact.kind.eq_ignore_ascii_case("EMAIL") {
            mails.push(contact.value.clone());
        } else {
            let what = format!("user {:?}: contact method {:?} ({})", user.name, contact.name, contact.kind);
            desk.report.left(0, what, "there is no such way out yet", "");
        }
    }
    if mails.is_empty() {
        mails.extend(user.email.clone());
    }
    desk.user(&user.id, &user.name, &mails);
}

fn take_schedule(desk: &mut Desk<'_>, plan: &Planned, rotations: &BTreeMap<String, Turning>) {
    let mut made = Vec::new();
    for assignment in &plan.targets {
        let what = format!("schedule {:?}: {}", plan.name, assignment.target.name.as_deref().unwrap_or("?"));
        let Some(windows) = windows(&assignment.rules) else {
            desk.report.left(0, what, "its times cannot be read, or are none", "write them by hand");
            continue;
        };
        let Some((layer, zone)) = layer(desk, &what, &assignment.target, rotations, &plan.time_zone) else {
            continue;
        };
        if zone != plan.time_zone && !windows.is_empty() {
            let why =
                "the rotation is in another time zone than the schedule; its times are in the rotation's";
            desk.report.changed(0, what, why, "check the times");
        }
        made.extend(desk.schedule(&plan.name, &zone, vec![Layer { windows, ..layer }]));
    }
    if !plan.temporary_schedules.is_empty() {
        let what = format!("schedule {:?}: temporary schedules", plan.name);
        desk.report.left(0, what, "they are not read", "`steadfast schedule override add`");
    }
    desk.schedules.insert(plan.id.clone(), made);
}

/// The layer of somebody or of a rotation, and its zone.
fn layer(
    desk: &mut Desk<'_>,
    what: &str,
    target: &Target,
    rotations: &BTreeMap<String, Turning>,
    zone: &str,
) -> Option<(Layer, String)> {
    match target.kind.as_str() {
        "user" => {
            let user = desk.users.get(&target.id)?.clone();
            let layer = Layer { turns: vec![vec![user]], from: ALWAYS.to_owned(), ..Layer::default() };
            Some((layer, zone.to_owned()))
        }
        "rotation" => {
            let found =
                rotations.get(&target.id).and_then(|it| Some((rotated(desk, it)?, it.time_zone.clone())));
            if found.is_none() {
                desk.report.left(0, what, "its rotation is not there, or cannot be read", "write it by hand");
            }
            found
        }
        _ => {
            desk.report.left(0, what, "only users and rotations are carried over", "");
            None
        }
    }
}

/// The turns of a rotation, so placed that whoever is on call there is on call here.
fn rotated(desk: &mut Desk<'_>, turning: &Turning) -> Option<Layer> {
    let unit = match turning.kind.as_str() {
        "hourly" => "hours",
        "daily" => "days",
        "weekly" => "weeks",
        "monthly" => "months",
        _ => return None,
    };
    let users: Vec<String> = turning.users.iter().filter_map(|id| desk.users.get(id).cloned()).collect();
    if users.is_empty() || users.len() != turning.users.len() || turning.shift_length < 1 {
        return None;
    }
    let zone = TimeZone::get(&turning.time_zone).ok()?;
    let local = |text: &str| Some(text.parse::<Timestamp>().ok()?.to_zoned(zone.clone()).datetime());
    let (from, first) = match turning.next_handoff_times.first().and_then(|text| local(text)) {
        Some(next) => (before(next, unit, turning.shift_length)?, turning.active_user_index),
        None => {
            let why =
                "it does not say when the next hand-over is, so it begins with its first user at its start";
            desk.report.changed(0, format!("rotation {:?}", turning.name), why, "check whose turn it is");
            (local(&turning.start)?, 0)
        }
    };
    let mut turns: Vec<Vec<String>> = users.into_iter().map(|user| vec![user]).collect();
    turns.rotate_left(first.min(turning.users.len().saturating_sub(1)));
    let rotation = Rotation { unit: unit.to_owned(), length: turning.shift_length };
    Some(Layer { turns, rotation, from: minutes(from), ..Layer::default() })
}

/// One turn before `at`, by the clock on the wall.
fn before(at: DateTime, unit: &str, length: i64) -> Option<DateTime> {
    let span = jiff::Span::new();
    let span = match unit {
        "hours" => span.try_hours(length),
        "days" => span.try_days(length),
        "weeks" => span.try_weeks(length),
        _ => span.try_months(length),
    };
    at.checked_sub(span.ok()?).ok()
}

/// As a schedule has it, to the minute.
fn minutes(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Windows of the week; none is always. Nothing where it is never.
fn windows(rules: &[Hours]) -> Option<Vec<Window>> {
    let clock = |text: &str| text.get(..5).filter(|text| text.contains(':')).map(str::to_owned);
    let mut windows = Vec::new();
    for rule in rules {
        let days = DAYS.iter().zip(&rule.weekday_filter).filter(|(_, on)| **on);
        let days: Vec<String> = days.map(|(day, _)| (*day).to_owned()).collect();
        if days.is_empty() && !rule.weekday_filter.is_empty() {
            continue;
        }
        let (from, until) = (clock(&rule.start)?, clock(&rule.end)?);
        let whole = from == until && (days.is_empty() || days.len() == DAYS.len());
        if whole {
            return Some(Vec::new());
        }
        let until = if until == "00:00" { "24:00".to_owned() } else { until };
        windows.push(Window { days, from, until });
    }
    (!windows.is_empty()).then_some(windows)
}

fn take_escalation(desk: &mut Desk<'_>, mut escalation: Escalation, rotations: &BTreeMap<String, Turning>) {
    escalation.steps.sort_by_key(|step| step.step_number);
    let mut stages = Vec::new();
    for step in &escalation.steps {
        let mut to = Vec::new();
        for target in &step.targets {
            let name = target.name.as_deref().unwrap_or("?");
            let what = format!("escalation {:?}: {} {name:?}", escalation.name, target.kind);
            let found = match target.kind.as_str() {
                "user" => desk.users.get(&target.id).cloned().into_iter().collect(),
                "schedule" => desk.schedules.get(&target.id).cloned().unwrap_or_default(),
                "rotation" => alone(desk, &what, target, rotations),
                _ => Vec::new(),
            };
            if found.is_empty() {
                desk.report.left(
                    0,
                    what,
                    "there is nobody of ours for it",
                    "tell somebody else in that step",
                );
            }
            to.extend(found);
        }
        stages.push(Stage { to, wait: Duration::from_secs(u64::from(step.delay_minutes) * 60) });
    }
    desk.policy(&escalation.id, &escalation.name, stages, escalation.repeat);
}

/// A rotation that is told by itself is a schedule here.
fn alone(
    desk: &mut Desk<'_>,
    what: &str,
    target: &Target,
    rotations: &BTreeMap<String, Turning>,
) -> Vec<String> {
    if let Some(made) = desk.schedules.get(&target.id) {
        return made.clone();
    }
    let Some((layer, zone)) = layer(desk, what, target, rotations, "UTC") else { return Vec::new() };
    let name = rotations.get(&target.id).map_or("rotation", |it| it.name.as_str()).to_owned();
    let made: Vec<String> = desk.schedule(&name, &zone, vec![layer]).into_iter().collect();
    desk.schedules.insert(target.id.clone(), made.clone());
    made
}
