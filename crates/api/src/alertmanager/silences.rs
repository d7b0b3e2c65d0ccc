//! Silences, as Alertmanager writes them.

use super::Told;
use super::params::Params;
use super::shown::uuid;
use crate::auth::{Allowed, Caller, Operate, Read};
use crate::problem::Rejection;
use crate::read::Json as Body;
use crate::{Server, Shared, moment};
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use base::limits::{COMMENT_BYTES_MAX, SILENCE_REST};
use base::{Now, RecordId, Wall};
use dispatch::input::Order;
use dispatch::record::{Actor, Silence};
use dispatch::state::Silenced;
use dispatch::{Answer, Dispatch, Input, Refusal};
use matcher::limits::MATCHERS_MAX;
use matcher::{Expression, Matcher, Matchers, Test};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A test of one label.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MatcherForm {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// A silence as it is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SilenceForm {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<MatcherForm>,
    #[serde(default)]
    starts_at: Option<String>,
    ends_at: String,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

/// A silence as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SilenceBody {
    id: String,
    matchers: Vec<MatcherForm>,
    starts_at: String,
    ends_at: String,
    updated_at: String,
    created_by: String,
    comment: String,
    status: SilenceStatus,
}

#[derive(Debug, Serialize)]
struct SilenceStatus {
    state: &'static str,
}

/// A silence that was made.
#[derive(Debug, Serialize)]
pub(super) struct MadeBody {
    #[serde(rename = "silenceID")]
    id: String,
}

/// Lists silences: those that are active, those that are to come, then those that are over.
pub(super) async fn list(
    State(shared): Server,
    caller: Result<Allowed<Read>, Rejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<SilenceBody>>, Told> {
    caller?;
    let filter = Params::read(query.as_deref()).filter()?;
    let read = move |core: &Dispatch, now: Now| {
        let all = core.state().silences.iter();
        let asked = all.filter(|(_, it)| it.span().1 + SILENCE_REST > now.wall && has_all(it, &filter));
        let mut asked: Vec<_> = asked.map(|(id, it)| (rank(it, now.wall), *id, it)).collect();
        asked.sort_by_key(|(rank, id, _)| (*rank, *id));
        asked.into_iter().map(|(_, id, it)| body(id, it, now.wall)).collect()
    };
    Ok(Json(shared.api.calls.read(read).await?))
}

/// Active ones by their end, those to come by their beginning, the others by the latest end.
pub(crate) fn rank(silenced: &Silenced, now: Wall) -> (u8, i64) {
    let (from, until) = silenced.span();
    match state(silenced, now) {
        "active" => (0, until.0),
        "pending" => (1, from.0),
        _ => (2, until.0.saturating_neg()),
    }
}

/// A filter picks the silences that have these very matchers among theirs.
fn has_all(silenced: &Silenced, filter: &Matchers) -> bool {
    filter.iter().all(|asked| silenced.silence.matchers.iter().any(|matcher| matcher == asked))
}

/// Shows a silence.
pub(super) async fn one(
    State(shared): Server,
    caller: Result<Allowed<Read>, Rejection>,
    Path(id): Path<String>,
) -> Result<Json<SilenceBody>, Told> {
    caller?;
    let named = id.clone();
    let found = shared
        .api
        .calls
        .read(move |core, now| find(core, &named).map(|(id, silenced)| body(id, silenced, now.wall)));
    found.await?.map(Json).ok_or_else(|| nowhere(&id))
}

fn nowhere(id: &str) -> Told {
    let id: String = id.chars().take(80).collect();
    Told::unknown(format!("there is no silence {id}"))
}

/// Ends a silence.
pub(super) async fn expire(
    State(shared): Server,
    caller: Result<Allowed<Operate>, Rejection>,
    Path(id): Path<String>,
) -> Result<StatusCode, Told> {
    let Allowed(caller, ..) = caller?;
    let named = id.clone();
    let found = shared.api.calls.read(move |core, _| find(core, &named).map(|(id, _)| id)).await?;
    end(&shared, &caller, found.ok_or_else(|| nowhere(&id))?).await?;
    Ok(StatusCode::OK)
}

async fn end(shared: &Shared, caller: &Caller, silence: RecordId) -> Result<(), Told> {
    order(shared, &caller.actor, Order::Unsilence { silence }).await.map(|_| ())
}

async fn order(shared: &Shared, by: &Actor, order: Order) -> Result<RecordId, Told> {
    let by = by.clone();
    match shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await? {
        Answer::Silenced { silence, .. } => Ok(silence),
        Answer::Refused(Refusal::NoSilence) => {
            Err(Told(StatusCode::INTERNAL_SERVER_ERROR, "the silence is over already".to_owned()))
        }
        Answer::Refused(refusal) => Err(Rejection::from(refusal).into()),
        Answer::Taken { .. } | Answer::Done { .. } => {
            Err(Told(StatusCode::INTERNAL_SERVER_ERROR, "the core gave another answer".to_owned()))
        }
    }
}

/// Makes a silence. One that is changed is ended, and another one made: its id is a new one.
pub(super) async fn put(
    State(shared): Server,
    caller: Result<Allowed<Operate>, Rejection>,
    form: Result<Body<SilenceForm>, Rejection>,
) -> Result<Json<MadeBody>, Told> {
    let (Allowed(caller, ..), Body(form)) = (caller?, form?);
    let changed = form.id.clone().filter(|id| !id.is_empty());
    let silence = read(form, moment::now(), &caller.actor).map_err(Told::bad)?;
    let before = match changed {
        None => None,
        Some(id) => {
            let named = id.clone();
            let read = move |core: &Dispatch, now: Now| {
                find(core, &named).map(|(id, it)| (id, it.span().1 > now.wall))
            };
            let found = shared.api.calls.read(read).await?;
            found.map_or_else(|| Err(nowhere(&id)), |(id, stands)| Ok(stands.then_some(id)))?
        }
    };
    let made = order(&shared, &caller.actor, Order::Silence(Arc::new(silence))).await?;
    if let Some(before) = before {
        // The new one stands first, so that nothing is told in between.
        end(&shared, &caller, before).await?;
    }
    Ok(Json(MadeBody { id: uuid(made) }))
}

/// Reads a silence as it is sent, at `now`. Takes any bytes.
///
/// # Errors
/// What is wrong with it, with its field.
pub fn parse_silence(bytes: &[u8], now: Wall) -> Result<Silence, String> {
    let form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    read(form, now, &Actor::ourselves())
}

/// Reads a silence, at `now`.
///
/// # Errors
/// What is wrong with it, with its field.
fn read(form: SilenceForm, now: Wall, by: &Actor) -> Result<Silence, String> {
    let time = |field: &str, text: &str| {
        moment::read(text).ok_or_else(|| {
            format!("{field}: {text:?} is no time such as \"2026-03-01T12:00:00Z\" (RFC 3339)")
        })
    };
    let from = form.starts_at.as_deref().map(|text| time("startsAt", text)).transpose()?;
    let from = from.unwrap_or(now).max(now);
    let until = time("endsAt", &form.ends_at)?;
    if until <= now {
        return Err("endsAt: it lies in the past".to_owned());
    }
    if until <= from {
        return Err("endsAt: it lies before startsAt".to_owned());
    }
    if form.comment.len() + form.created_by.len() > COMMENT_BYTES_MAX {
        return Err(format!("comment: with createdBy it has at most {COMMENT_BYTES_MAX} bytes"));
    }
    let matchers = matchers(&form.matchers)?;
    let by = by.clone();
    Ok(Silence { matchers, from, until, by, author: form.created_by.into(), comment: form.comment.into() })
}

fn matchers(forms: &[MatcherForm]) -> Result<Matchers, String> {
    if forms.len() > MATCHERS_MAX {
        return Err(format!("matchers: there are {}; at most {MATCHERS_MAX}", forms.len()));
    }
    let each = forms.iter().enumerate();
    let made: Result<Vec<Matcher>, String> =
        each.map(|(at, form)| one_matcher(form).map_err(|why| format!("matchers[{at}].{why}"))).collect();
    let made = made?;
    let made: Matchers = made.into_iter().collect();
    if made.matches_nothing_said() {
        return Err("matchers: at least one of them must not match an absent label".to_owned());
    }
    Ok(made)
}

fn one_matcher(form: &MatcherForm) -> Result<Matcher, String> {
    let expression = || Expression::new(&form.value).map_err(|why| format!("value: {why}"));
    let test = match (form.is_regex, form.is_equal) {
        (false, true) => Test::Equal(form.value.clone()),
        (false, false) => Test::NotEqual(form.value.clone()),
        (true, true) => Test::Match(expression()?),
        (true, false) => Test::NoMatch(expression()?),
    };
    Matcher::new(&form.name, test).ok_or_else(|| format!("name: {:?} is no name of a label", form.name))
}

/// The silence of that id.
pub(crate) fn find<'c>(core: &'c Dispatch, id: &str) -> Option<(RecordId, &'c Silenced)> {
    let wanted = id.to_ascii_lowercase();
    core.state().silences.iter().find(|(id, _)| uuid(**id) == wanted).map(|(id, it)| (*id, it))
}

fn body(id: RecordId, silenced: &Silenced, now: Wall) -> SilenceBody {
    let silence = &silenced.silence;
    let (from, until) = silenced.span();
    SilenceBody {
        id: uuid(id),
        matchers: silence.matchers.iter().map(written).collect(),
        starts_at: moment::written(from),
        ends_at: moment::written(until),
        updated_at: moment::written(silenced.ended.as_ref().map_or(silenced.at, |(at, ..)| *at)),
        created_by: silence.author.to_string(),
        comment: silence.comment.to_string(),
        status: SilenceStatus { state: state(silenced, now) },
    }
}

/// `active`, `pending` or `expired`.
pub(crate) fn state(silenced: &Silenced, now: Wall) -> &'static str {
    let (from, until) = silenced.span();
    if until <= now {
        "expired"
    } else if now < from {
        "pending"
    } else {
        "active"
    }
}

/// Whether it is an expression, its text, and whether that is to match.
fn parts(matcher: &Matcher) -> (bool, &str, bool) {
    match matcher.test() {
        Test::Equal(value) => (false, value, true),
        Test::NotEqual(value) => (false, value, false),
        Test::Match(expression) => (true, expression.as_str(), true),
        Test::NoMatch(expression) => (true, expression.as_str(), false),
    }
}

fn written(matcher: &Matcher) -> MatcherForm {
    let (is_regex, value, is_equal) = parts(matcher);
    MatcherForm { name: matcher.label().to_owned(), value: value.to_owned(), is_regex, is_equal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Wall = Wall(1_772_366_400_000); // 2026-03-01T12:00:00Z

    fn silence(body: &str) -> Result<Silence, String> {
        parse_silence(body.as_bytes(), NOW)
    }

    #[test]
    fn a_silence_is_read_as_amtool_sends_it() {
        let body = r#"{"comment": "works", "createdBy": "bea", "endsAt": "2026-03-01T13:00:00.000Z",
            "startsAt": "2026-03-01T11:59:59.000Z", "matchers": [
            {"isEqual": true, "isRegex": false, "name": "alertname", "value": "Down"},
            {"isEqual": false, "isRegex": true, "name": "site", "value": "n.*"}]}"#;
        let read = silence(body).unwrap();
        assert_eq!(read.matchers.to_string(), r#"{alertname="Down",site!~"n.*"}"#);
        assert_eq!((read.from, read.until), (NOW, NOW + Duration::from_secs(3600)));
        assert_eq!((&*read.author, &*read.comment), ("bea", "works"));
    }

    #[test]
    fn what_is_wrong_with_a_silence_is_told_with_its_field() {
        let check = |matchers: &str, ends: &str, why: &str| {
            let body = format!(r#"{{"matchers": [{matchers}], "endsAt": "{ends}"}}"#);
            assert_eq!(silence(&body).unwrap_err(), why, "{body}");
        };
        let later = "2026-03-01T13:00:00Z";
        let none = "matchers: at least one of them must not match an absent label";
        check("", later, none);
        check(r#"{"name": "a", "value": ".*", "isRegex": true}"#, later, none);
        check(r#"{"name": "a-b", "value": "x"}"#, later, r#"matchers[0].name: "a-b" is no name of a label"#);
        check(r#"{"name": "a", "value": "x"}"#, "2026-03-01T12:00:00Z", "endsAt: it lies in the past");
        let wrong = silence(&format!(
            r#"{{"matchers": [{{"name": "a", "value": "(", "isRegex": true}}], "endsAt": "{later}"}}"#
        ));
        assert!(wrong.unwrap_err().starts_with("matchers[0].value: "));
    }
}
