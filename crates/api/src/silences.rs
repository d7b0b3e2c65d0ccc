//! Silences and maintenance windows: what holds alerts back by their labels, for a time.
//!
//! The same silences as in Alertmanager's API (`alertmanager/silences.rs`), under the same ids, in our own forms:
//! matchers are texts, and whoever asks is the author unless they say otherwise.

use crate::alertmanager::{find, state, uuid};
use crate::auth::{Allowed, Operate, Read};
use crate::orders::words;
use crate::problem::{Kind, Rejection};
use crate::read::{Json, Path, Query as Asked};
use crate::{Server, Shared, moment};
use axum::extract::State;
use base::{AlertId, Now, RecordId, Wall};
use dispatch::directory::Maintenance;
use dispatch::input::Order;
use dispatch::record::{Actor, Silence};
use dispatch::state::Silenced;
use dispatch::{Answer, Dispatch, Input};
use matcher::limits::MATCHERS_MAX;
use matcher::{Matcher, Matchers};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Alerts that are looked at in one turn of the event loop.
const SLICE: usize = 2000;
/// Codes of alerts that a preview names.
const CODES_NAMED: usize = 20;

/// A silence to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSilence)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceForm {
    /// Such as `site="north"`; all of them match what is silenced.
    matchers: Vec<String>,
    /// From when, as in RFC 3339; now if absent.
    from: Option<String>,
    /// Until when, as in RFC 3339.
    until: String,
    /// Why.
    comment: String,
    /// In whose name; who asks if absent.
    author: Option<String>,
}

/// Matchers to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SilencePreviewOf)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewForm {
    /// Such as `site="north"`.
    matchers: Vec<String>,
}

/// What matchers match.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SilencePreview)]
pub(crate) struct PreviewBody {
    /// Open alerts that they match now.
    alerts: usize,
    /// The codes of the first of these.
    codes: Vec<String>,
}

/// A silence that was made or ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SilenceMade)]
pub(crate) struct MadeBody {
    /// Its id.
    id: String,
    /// On how many disks that is.
    copies: u8,
}

/// What holds alerts back by their labels.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silences)]
pub(crate) struct ListBody {
    /// Those that are active, then those to come, then those that are over.
    silences: Vec<SilenceBody>,
    /// The maintenance windows of the directory, by name.
    maintenance: Vec<MaintenanceBody>,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
pub(crate) struct SilenceBody {
    /// Its id, the same as in Alertmanager's API.
    id: String,
    /// `active`, `pending` (it is to come) or `expired`.
    state: &'static str,
    /// All of them match what is silenced.
    matchers: Vec<String>,
    /// From when.
    from: String,
    /// Until when; where somebody ended it before, that time.
    until: String,
    /// Who asked for it.
    by: String,
    /// In whose name.
    author: String,
    /// Why.
    comment: String,
    /// Who ended it before its time.
    ended_by: Option<String>,
}

/// A maintenance window.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub(crate) struct MaintenanceBody {
    /// Its name in the directory.
    name: String,
    /// The name people read.
    title: String,
    /// It is on now.
    active: bool,
    /// All of them match what is held back.
    matchers: Vec<String>,
    /// The calendars that say when.
    calendars: Vec<String>,
}

/// Which silences.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Those that are over too; they are known for five days.
    #[serde(default)]
    all: bool,
}

/// Lists silences, and the maintenance windows of the directory.
#[utoipa::path(get, operation_id = "list_silences", path = "/api/v1/silences", tag = "silences", params(ListQuery),
    responses((status = 200, body = ListBody, description = "Silences and maintenance windows"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list(
    State(shared): Server,
    _: Allowed<Read>,
    Asked(query): Asked<ListQuery>,
) -> Result<axum::Json<ListBody>, Rejection> {
    let read = move |core: &Dispatch, now: Now| {
        let all = core.state().silences.iter();
        let mut asked: Vec<_> = all.filter(|(_, it)| query.all || it.span().1 > now.wall).collect();
        asked.sort_by_key(|(id, it)| (crate::alertmanager::rank(it, now.wall), **id));
        let windows = core.edition().directory.maintenance.iter();
        ListBody {
            silences: asked.into_iter().map(|(id, it)| body(*id, it, now.wall)).collect(),
            maintenance: windows.map(|(name, it)| window(core, name.as_str(), it)).collect(),
        }
    };
    Ok(axum::Json(shared.api.calls.read(read).await?))
}

/// Shows a silence.
#[utoipa::path(get, operation_id = "show_silence", path = "/api/v1/silences/{id}", tag = "silences",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = SilenceBody, description = "The silence"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn one(
    State(shared): Server,
    _: Allowed<Read>,
    Path(id): Path<String>,
) -> Result<axum::Json<SilenceBody>, Rejection> {
    let named = id.clone();
    let read = move |core: &Dispatch, now: Now| find(core, &named).map(|(id, it)| body(id, it, now.wall));
    shared.api.calls.read(read).await?.map(axum::Json).ok_or_else(|| nowhere(&id))
}

/// Tries matchers: which open alerts a silence with them would hold back now.
#[utoipa::path(post, operation_id = "preview_silence", path = "/api/v1/silences/preview", tag = "silences",
    request_body = PreviewForm,
    responses((status = 200, body = PreviewBody, description = "How many, and some of them"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn preview(
    State(shared): Server,
    _: Allowed<Operate>,
    Json(form): Json<PreviewForm>,
) -> Result<axum::Json<PreviewBody>, Rejection> {
    let wanted = Arc::new(matchers(&form.matchers)?);
    let mut found = PreviewBody { alerts: 0, codes: Vec::new() };
    let mut after = None;
    loop {
        let wanted = Arc::clone(&wanted);
        let read = move |core: &Dispatch, _: Now| slice(core, &wanted, after);
        let (codes, last) = shared.api.calls.read(read).await?;
        found.alerts += codes.len();
        let room = CODES_NAMED.saturating_sub(found.codes.len());
        found.codes.extend(codes.into_iter().take(room));
        if last.is_none() {
            return Ok(axum::Json(found));
        }
        after = last;
    }
}

/// The codes of those among the next after `after`, and the last that was looked at; none at the end.
fn slice(core: &Dispatch, wanted: &Matchers, after: Option<AlertId>) -> (Vec<String>, Option<AlertId>) {
    let (mut codes, mut last) = (Vec::new(), None);
    for (looked_at, (id, open)) in core.open_after(after).enumerate() {
        if looked_at == SLICE {
            return (codes, last);
        }
        last = Some(id);
        let open = Some(open).filter(|open| !open.alert.system && open.facts.end().is_none());
        let open = open.filter(|open| wanted.matches(|label| open.content().label(label)));
        codes.extend(open.map(|open| open.alert.code.to_string()));
    }
    (codes, None)
}

/// Makes a silence.
#[utoipa::path(post, operation_id = "make_silence", path = "/api/v1/silences", tag = "silences",
    request_body = SilenceForm,
    responses((status = 200, body = MadeBody, description = "It is durable"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn make(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<SilenceForm>,
) -> Result<axum::Json<MadeBody>, Rejection> {
    let silence = read(&form, moment::now(), &caller.actor)?;
    order(&shared, &caller.actor, Order::Silence(Arc::new(silence))).await.map(axum::Json)
}

/// Ends a silence before its time. It is shown for five days more.
#[utoipa::path(delete, operation_id = "expire_silence", path = "/api/v1/silences/{id}", tag = "silences",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = MadeBody, description = "It is over, durably"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn expire(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(id): Path<String>,
) -> Result<axum::Json<MadeBody>, Rejection> {
    let named = id.clone();
    let found = shared.api.calls.read(move |core, _| find(core, &named).map(|(id, _)| id)).await?;
    let silence = found.ok_or_else(|| nowhere(&id))?;
    order(&shared, &caller.actor, Order::Unsilence { silence }).await.map(axum::Json)
}

async fn order(shared: &Shared, by: &Actor, order: Order) -> Result<MadeBody, Rejection> {
    let by = by.clone();
    match shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await? {
        Answer::Silenced { silence, copies } => Ok(MadeBody { id: uuid(silence), copies }),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Taken { .. } | Answer::Done { .. } => {
            Err(Rejection::new(Kind::Fault, "the core gave another answer than to a silence"))
        }
    }
}

fn nowhere(id: &str) -> Rejection {
    Rejection::new(Kind::NotFound, format!("there is no silence {}", crate::nearest::quoted(id)))
}

fn read(form: &SilenceForm, now: Wall, by: &Actor) -> Result<Silence, Rejection> {
    let time = |pointer: &str, text: &str| {
        moment::read(text).ok_or_else(|| {
            let detail =
                format!("{} is no moment such as 2026-03-01T12:00:00Z", crate::nearest::quoted(text));
            Rejection::at(Kind::Invalid, pointer, detail)
        })
    };
    let from = form.from.as_deref().map(|text| time("/from", text)).transpose()?.unwrap_or(now).max(now);
    let until = time("/until", &form.until)?;
    if until <= from {
        let detail = if until <= now { "it lies in the past" } else { "it must be after from" };
        return Err(Rejection::at(Kind::Invalid, "/until", detail));
    }
    let author = match form.author.as_deref() {
        Some(author) => words(author, "/author")?,
        None => by.who.split_once(':').map_or(&*by.who, |(_, name)| name).into(),
    };
    let comment = words(&form.comment, "/comment")?;
    Ok(Silence { matchers: matchers(&form.matchers)?, from, until, by: by.clone(), author, comment })
}

fn matchers(texts: &[String]) -> Result<Matchers, Rejection> {
    if texts.len() > MATCHERS_MAX {
        let detail = format!("there are {}; at most {MATCHERS_MAX}", texts.len());
        return Err(Rejection::at(Kind::Invalid, "/matchers", detail));
    }
    let read = |(at, text): (usize, &String)| {
        text.parse::<Matcher>()
            .map_err(|why| Rejection::at(Kind::Invalid, format!("/matchers/{at}"), why.to_string()))
    };
    let made: Matchers = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    if made.matches_nothing_said() {
        let detail = "at least one of them must not match an absent label, or everything would be silenced";
        return Err(Rejection::at(Kind::Invalid, "/matchers", detail));
    }
    Ok(made)
}

fn body(id: RecordId, silenced: &Silenced, now: Wall) -> SilenceBody {
    let silence = &silenced.silence;
    let (from, until) = silenced.span();
    SilenceBody {
        id: uuid(id),
        state: state(silenced, now),
        matchers: texts(&silence.matchers),
        from: moment::written(from),
        until: moment::written(until),
        by: silence.by.to_string(),
        author: silence.author.to_string(),
        comment: silence.comment.to_string(),
        ended_by: silenced.ended.as_ref().map(|(.., by)| by.to_string()),
    }
}

fn window(core: &Dispatch, name: &str, window: &Maintenance) -> MaintenanceBody {
    MaintenanceBody {
        name: name.to_owned(),
        title: window.title.to_string(),
        active: core.is_on(window),
        matchers: texts(&window.matchers),
        calendars: window.calendars.iter().map(ToString::to_string).collect(),
    }
}

fn texts(matchers: &Matchers) -> Vec<String> {
    matchers.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_772_366_400_000); // 2026-03-01T12:00:00Z

    fn check(body: &serde_json::Value, pointer: &str, why: &str) {
        let form = serde_json::from_value(body.clone()).unwrap();
        let refused = read(&form, NOW, &Actor::ourselves()).unwrap_err();
        let place = refused.errors.first().map(|place| (place.pointer.as_str(), place.detail.as_str()));
        assert_eq!(place, Some((pointer, why)), "{body}");
    }

    #[test]
    fn a_silence_that_would_silence_everything_or_nothing_is_refused() {
        let later = "2026-03-01T13:00:00Z";
        let everything =
            "at least one of them must not match an absent label, or everything would be silenced";
        let with = |matchers: &[&str], until: &str| serde_json::json!({ "matchers": matchers, "until": until, "comment": "works" });
        check(&with(&[], later), "/matchers", everything);
        check(&with(&["site=~\".*\""], later), "/matchers", everything);
        check(&with(&["site!=\"north\""], later), "/matchers", everything);
        check(&with(&["site=north"], "2026-03-01T11:00:00Z"), "/until", "it lies in the past");
        let mut backwards = with(&["site=north"], later);
        backwards["from"] = "2026-03-01T14:00:00Z".into();
        check(&backwards, "/until", "it must be after from");
        let soon = "\"soon\" is no moment such as 2026-03-01T12:00:00Z";
        check(&with(&["site=north"], "soon"), "/until", soon);
    }

    #[test]
    fn who_asks_is_the_author_unless_they_name_another() {
        let body =
            serde_json::json!({ "matchers": ["site=north"], "until": "2026-03-01T13:00:00Z", "comment": "" });
        let by = Actor { who: "user:bea".into(), ..Actor::ourselves() };
        let read = read(&serde_json::from_value(body).unwrap(), NOW, &by).unwrap();
        assert_eq!((&*read.author, read.from), ("bea", NOW));
    }
}
