//! Who is on call, was and will be: answers for an instant, shifts for a span, and a calendar to subscribe to.
//!
//! Read from the directory in force and computed here: nothing of it is stored, and what is past is told by the
//! schedule as it stands now. Whom an alert did reach, and why, is in the alert's steps and in the trail.

use crate::auth::{Allowed, Read};
use crate::directory::aside;
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Rejection};
use crate::read::{Path, Query as Asked};
use crate::{Server, Shared};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use base::Name;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schedule::{Book, Reference, Shift, Timeline, ical};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Shifts in one answer.
const SHIFTS_MAX: usize = 1000;
/// How long a list of shifts goes on, if the request does not say.
const LISTED: SignedDuration = SignedDuration::from_hours(28 * 24);
/// How much of the past a calendar has.
const CALENDAR_PAST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// How much of the future a calendar has.
const CALENDAR_AHEAD: SignedDuration = SignedDuration::from_hours(184 * 24);

/// When.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtQuery {
    /// The moment, as in RFC 3339 or in the schedule's local time, such as `2026-12-24T12:00`; now if absent.
    at: Option<String>,
}

/// From when until when.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpanQuery {
    /// As in RFC 3339 or in local time; now if absent.
    from: Option<String>,
    /// As in RFC 3339 or in local time; four weeks after `from` if absent.
    to: Option<String>,
}

/// Who is on call in each schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SchedulesBody {
    /// One for each schedule, by name.
    schedules: Vec<OnCallBody>,
}

/// Who is on call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OnCall)]
pub(crate) struct OnCallBody {
    /// The schedule.
    schedule: String,
    /// At this moment.
    at: String,
    /// Recipients and groups; empty if nobody is on call.
    who: Vec<String>,
    /// Until when nothing of this changes; none if that is more than ten years away.
    until: Option<String>,
    /// Why they are, such as `turn 2 of nights` or `overrides[0]`.
    because: String,
}

/// The shifts of a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shifts)]
pub(crate) struct ShiftsBody {
    /// The schedule.
    schedule: String,
    /// One after the other; at most a thousand.
    shifts: Vec<ShiftBody>,
    /// There are more in that span: ask again from the end of the last one.
    truncated: bool,
}

/// A time during which the same people are on call for the same reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shift)]
pub(crate) struct ShiftBody {
    /// Its first moment.
    from: String,
    /// The first moment after it.
    to: String,
    /// Recipients and groups; empty if nobody is on call.
    who: Vec<String>,
    /// Why they are.
    because: String,
}

/// Tells who is on call now in each schedule.
#[utoipa::path(get, operation_id = "list_schedules", path = "/api/v1/schedules", tag = "schedules", params(AtQuery),
    responses((status = 200, body = SchedulesBody, description = "Every schedule"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list(
    State(shared): Server,
    _: Allowed<Read>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<SchedulesBody>, Rejection> {
    let found = computed(&shared, move |book| {
        let all = book.schedules().filter_map(|name| on_call(book, name.as_str(), query.at.as_deref()));
        Ok(SchedulesBody { schedules: all.collect::<Result<_, _>>()? })
    });
    found.await.map(Json)
}

/// Tells who is on call in a schedule at a moment.
#[utoipa::path(get, operation_id = "show_on_call", path = "/api/v1/schedules/{name}/on-call", tag = "schedules",
    params(AtQuery, ("name" = String, Path, description = "The schedule")),
    responses((status = 200, body = OnCallBody, description = "Who, until when, and why"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn one(
    State(shared): Server,
    _: Allowed<Read>,
    Path(name): Path<String>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<OnCallBody>, Rejection> {
    let found = computed(&shared, move |book| {
        on_call(book, &name, query.at.as_deref()).unwrap_or_else(|| Err(unknown(book, &name)))
    });
    found.await.map(Json)
}

/// Lists who is on call from when until when, without gaps.
#[utoipa::path(get, operation_id = "list_shifts", path = "/api/v1/schedules/{name}/shifts", tag = "schedules",
    params(SpanQuery, ("name" = String, Path, description = "The schedule")),
    responses((status = 200, body = ShiftsBody, description = "The shifts of that span"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn shifts(
    State(shared): Server,
    _: Allowed<Read>,
    Path(name): Path<String>,
    Asked(query): Asked<SpanQuery>,
) -> Result<Json<ShiftsBody>, Rejection> {
    let found = computed(&shared, move |book| {
        let schedule = book.schedule(&name).ok_or_else(|| unknown(book, &name))?;
        let from = instant(&schedule, "from", query.from.as_deref())?.unwrap_or_else(Timestamp::now);
        let to = instant(&schedule, "to", query.to.as_deref())?.unwrap_or_else(|| later(from, LISTED));
        if to <= from {
            return Err(Rejection::at(Kind::Invalid, "to", "it must be after from"));
        }
        let zone = schedule.zone();
        let mut shifts: Vec<ShiftBody> =
            schedule.shifts(from, to).take(SHIFTS_MAX + 1).map(|it| shift(&it, zone)).collect();
        let truncated = shifts.len() > SHIFTS_MAX;
        shifts.truncate(SHIFTS_MAX);
        Ok(ShiftsBody { schedule: name, shifts, truncated })
    });
    found.await.map(Json)
}

/// Gives the shifts of a schedule as an iCalendar document, to subscribe to.
#[utoipa::path(get, operation_id = "show_calendar", path = "/api/v1/schedules/{name}/calendar.ics", tag = "schedules",
    params(("name" = String, Path, description = "The schedule")),
    responses((status = 200, content_type = "text/calendar", body = String, description = "The last month and the next six, after RFC 5545"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn calendar(
    State(shared): Server,
    _: Allowed<Read>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Rejection> {
    let now = Timestamp::now();
    let found = computed(&shared, move |book| {
        let schedule = book.schedule(&name).ok_or_else(|| unknown(book, &name))?;
        let shifts = schedule.whole_shifts(later(now, -CALENDAR_PAST), later(now, CALENDAR_AHEAD));
        Ok(ical::ical(&name, &shifts, now))
    });
    Ok(([(CONTENT_TYPE, "text/calendar; charset=utf-8")], found.await?))
}

/// Computes with the schedules of the directory in force, where that holds nobody up.
async fn computed<T: Send + 'static>(
    shared: &Shared,
    ask: impl FnOnce(&Book) -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    let directory = shared.edition().await?.directory;
    aside(move || {
        let book = record::document::schedule_book(&directory).read(jiff::tz::db());
        let book = book.map_err(|problems| {
            let why = problems.first().map(ToString::to_string).unwrap_or_default();
            Rejection::new(Kind::Unavailable, format!("this node cannot read the schedules: {why}"))
        })?;
        ask(&book)
    })
    .await?
}

/// Who is on call in a schedule; none if there is no such schedule.
fn on_call(book: &Book, name: &str, at: Option<&str>) -> Option<Result<OnCallBody, Rejection>> {
    let schedule = book.schedule(name)?;
    let zone = schedule.zone();
    let body = |at: Timestamp| {
        let found = schedule.on_call(at);
        OnCallBody {
            schedule: name.to_owned(),
            at: written(at, zone),
            who: names(&found.who),
            until: found.until.map(|until| written(until, zone)),
            because: found.because.to_string(),
        }
    };
    Some(instant(&schedule, "at", at).map(|at| body(at.unwrap_or_else(Timestamp::now))))
}

fn shift(shift: &Shift, zone: &TimeZone) -> ShiftBody {
    ShiftBody {
        from: written(shift.from, zone),
        to: written(shift.to, zone),
        who: names(&shift.who),
        because: shift.because.to_string(),
    }
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

/// As in RFC 3339, as clocks in `zone` show it.
fn written(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

fn instant(
    schedule: &Reference<'_>,
    parameter: &str,
    text: Option<&str>,
) -> Result<Option<Timestamp>, Rejection> {
    let read = |text| schedule.moment_named(text).map_err(|why| Rejection::at(Kind::Invalid, parameter, why));
    text.map(read).transpose()
}

fn unknown(book: &Book, name: &str) -> Rejection {
    let hint = suggestion(name, book.schedules().map(Name::as_str));
    Rejection::new(Kind::NotFound, format!("there is no schedule {}{hint}", quoted(name)))
}
