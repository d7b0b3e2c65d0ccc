//! What operators and programs do about alerts: acknowledge, comment, close, escalate, delete pending, pause
//! and resume.
//!
//! Each answer comes when what was done is on disk. Alerts that are over meanwhile are passed over and named,
//! because escalation of the others must not go on for their sake.

use crate::Server;
use crate::alerts::Reference;
use crate::auth::{Allowed, Caller, Operate};
use crate::problem::{Kind, Place, Rejection};
use crate::read::{Json, Path};
use crate::{Shared, nearest};
use axum::extract::State;
use base::limits::COMMENT_BYTES_MAX;
use base::{AlertId, Name};
use dispatch::input::{Acknowledge, Order};
use dispatch::record::Code;
use dispatch::{Answer, Input, Which};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Alerts that one request may name.
const NAMED_MAX: usize = 1000;
/// Alerts whose codes are looked up for an answer.
const CODES_MAX: usize = 500;

/// Which alerts, and as whom.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcknowledgeMany {
    /// Ids or codes, at most 1000.
    #[serde(default)]
    alerts: Vec<String>,
    /// All that are open.
    #[serde(default)]
    all: bool,
    /// On whose behalf; without it the acknowledgement is an operator's and counts for everybody.
    recipient: Option<String>,
    /// Said with it; at most 4 KiB.
    comment: Option<String>,
}

/// As whom.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcknowledgeOne {
    /// On whose behalf; without it the acknowledgement is an operator's and counts for everybody.
    recipient: Option<String>,
    /// Said with it; at most 4 KiB.
    comment: Option<String>,
}

/// Which alerts, and what to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentMany {
    /// Ids or codes, at most 1000.
    #[serde(default)]
    alerts: Vec<String>,
    /// All that are open.
    #[serde(default)]
    all: bool,
    /// What; at most 4 KiB.
    text: String,
}

/// What to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentOne {
    /// What; at most 4 KiB.
    text: String,
}

/// Which alerts.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Several {
    /// Ids or codes, at most 1000.
    #[serde(default)]
    alerts: Vec<String>,
    /// All that are open.
    #[serde(default)]
    all: bool,
}

/// Nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Why sending and escalation are to stand still.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseForm {
    /// In words, for those who wonder; at most 4 KiB.
    reason: String,
}

/// What becomes of what waited.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumeForm {
    /// Ends the alerts that waited instead of sending them; false if absent.
    #[serde(default)]
    discard: bool,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Done)]
pub(crate) struct DoneBody {
    /// The alerts it changed.
    alerts: Vec<NamedAlert>,
    /// Those that were named and are over or unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_open: Vec<String>,
    /// On how many disks it is.
    copies: u8,
}

/// An alert by its names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedAlert {
    /// Its id.
    id: String,
    /// Its code; none where that is not at hand any more.
    code: Option<String>,
}

/// The alerts of an order, as they were found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    open: BTreeMap<AlertId, Code>,
    not_open: Vec<String>,
}

impl Several {
    pub(crate) fn one(alert: String) -> Self {
        Self { alerts: vec![alert], all: false }
    }

    fn references(&self) -> Result<Vec<Reference>, Rejection> {
        if self.all != self.alerts.is_empty() {
            let detail = "name the alerts, or say \"all\": true; not both";
            return Err(Rejection::at(Kind::Invalid, "/alerts", detail));
        }
        if self.alerts.len() > NAMED_MAX {
            let detail = format!("it names {}; at most {NAMED_MAX}", self.alerts.len());
            return Err(Rejection::at(Kind::Invalid, "/alerts", detail));
        }
        let each = self.alerts.iter().enumerate();
        each.map(|(at, text)| {
            Reference::parse(text).map_err(|mut rejection| {
                rejection.errors.push(Place::new(format!("/alerts/{at}"), rejection.detail.clone()));
                rejection
            })
        })
        .collect()
    }

    /// What the order is about: the alerts named that are open.
    pub(crate) async fn find(&self, shared: &Shared) -> Result<(Which, Found), Rejection> {
        let references = self.references()?;
        if self.all {
            return Ok((Which::All, Found::default()));
        }
        let names = self.alerts.clone();
        let found = shared.api.calls.read(move |core, _| {
            let mut found = Found::default();
            for (reference, name) in references.into_iter().zip(names) {
                let id = reference.find(core);
                match id.and_then(|id| core.state().open.get(&id).map(|open| (id, open.alert.code))) {
                    Some((id, code)) => drop(found.open.insert(id, code)),
                    None => found.not_open.push(name),
                }
            }
            found
        });
        let found = found.await?;
        if found.open.is_empty() {
            let detail = format!("no alert is open that is called {}", found.not_open.join(" or "));
            return Err(Rejection::new(Kind::NotFound, detail));
        }
        Ok((Which::Alerts(found.open.keys().copied().collect()), found))
    }
}

/// Has an order carried out, and answers once it is durable.
pub(crate) async fn carry_out(
    shared: &Shared,
    caller: Caller,
    found: Found,
    order: Order,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let by = caller.actor;
    let (alerts, copies) =
        done(shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?)?;
    let mut codes = found.open;
    let unnamed: Vec<_> =
        alerts.iter().filter(|id| !codes.contains_key(id)).copied().take(CODES_MAX).collect();
    if !unnamed.is_empty() {
        let more = shared.api.calls.read(move |core, _| {
            let coded = |id| core.state().open.get(&id).map(|open| (id, open.alert.code));
            unnamed.into_iter().filter_map(coded).collect::<Vec<_>>()
        });
        codes.extend(more.await?);
    }
    let named =
        |id: &AlertId| NamedAlert { id: id.to_string(), code: codes.get(id).map(ToString::to_string) };
    let alerts = alerts.iter().map(named).collect();
    Ok(axum::Json(DoneBody { alerts, not_open: found.not_open, copies }))
}

/// The alerts that an order changed, and on how many disks that is.
pub(crate) fn done(answer: Answer) -> Result<(Vec<AlertId>, u8), Rejection> {
    match answer {
        Answer::Done { alerts, copies, version: _ } => Ok((alerts, copies)),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Taken { .. } | Answer::Silenced { .. } => {
            Err(Rejection::new(Kind::Fault, "the core gave another answer than to an order"))
        }
    }
}

/// What somebody said, without control characters but ends of lines.
pub(crate) fn words(text: &str, pointer: &str) -> Result<Arc<str>, Rejection> {
    if text.len() > COMMENT_BYTES_MAX {
        let detail = format!("it has {} bytes; at most {COMMENT_BYTES_MAX}", text.len());
        return Err(Rejection::at(Kind::TooLarge, pointer, detail));
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    Ok(clean.trim().into())
}

fn needed(text: &str, pointer: &str) -> Result<Arc<str>, Rejection> {
    let words = words(text, pointer)?;
    if words.is_empty() {
        return Err(Rejection::at(Kind::Invalid, pointer, "there are no words in it"));
    }
    Ok(words)
}

async fn acknowledging(
    shared: &Shared,
    caller: Caller,
    several: Several,
    form: AcknowledgeOne,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let comment = form.comment.as_deref().map(|text| words(text, "/comment")).transpose()?;
    let comment = comment.filter(|words| !words.is_empty());
    let recipient = match form.recipient.as_deref() {
        Some(text) => Some(recipient(shared, text).await?),
        None => None,
    };
    let (which, found) = several.find(shared).await?;
    let order = Order::Acknowledge(Acknowledge { which, recipient, comment });
    carry_out(shared, caller, found, order).await
}

/// A recipient of the directory, or one outside it as a roster names them.
pub(crate) async fn recipient(shared: &Shared, text: &str) -> Result<Name, Rejection> {
    let book = shared.edition().await?.directory;
    let known = |name: &Name| book.recipients.contains_key(name) || name.as_str().starts_with("direct-");
    Name::new(text).ok().filter(known).ok_or_else(|| {
        let hint = nearest::suggestion(text, book.recipients.keys().map(Name::as_str));
        let detail = format!("there is no recipient {}{hint}", nearest::quoted(text));
        Rejection::at(Kind::Invalid, "/recipient", detail)
    })
}

/// Acknowledges alerts.
#[utoipa::path(post, path = "/api/v1/alerts/acknowledge", tag = "orders", request_body = AcknowledgeMany,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn acknowledge_many(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<AcknowledgeMany>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let several = Several { alerts: form.alerts, all: form.all };
    let one = AcknowledgeOne { recipient: form.recipient, comment: form.comment };
    acknowledging(&shared, caller, several, one).await
}

/// Acknowledges an alert.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/acknowledge", tag = "orders", request_body = AcknowledgeOne,
    params(("alert" = String, Path, description = "Its id or code")),
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn acknowledge_one(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(alert): Path<String>,
    Json(form): Json<AcknowledgeOne>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    acknowledging(&shared, caller, Several::one(alert), form).await
}

async fn commenting(
    shared: &Shared,
    caller: Caller,
    several: Several,
    text: &str,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let text = needed(text, "/text")?;
    let (which, found) = several.find(shared).await?;
    carry_out(shared, caller, found, Order::Comment { which, text }).await
}

/// Says something about alerts.
#[utoipa::path(post, path = "/api/v1/alerts/comment", tag = "orders", request_body = CommentMany,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn comment_many(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<CommentMany>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    commenting(&shared, caller, Several { alerts: form.alerts, all: form.all }, &form.text).await
}

/// Says something about an alert.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/comment", tag = "orders", request_body = CommentOne,
    params(("alert" = String, Path, description = "Its id or code")),
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn comment_one(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(alert): Path<String>,
    Json(form): Json<CommentOne>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    commenting(&shared, caller, Several::one(alert), &form.text).await
}

async fn plain(
    shared: &Shared,
    caller: Caller,
    several: Several,
    order: impl FnOnce(Which) -> Order,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let (which, found) = several.find(shared).await?;
    carry_out(shared, caller, found, order(which)).await
}

/// Ends alerts by hand.
#[utoipa::path(post, path = "/api/v1/alerts/close", tag = "orders", request_body = Several,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn close_many(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<Several>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    plain(&shared, caller, form, |which| Order::Close { which }).await
}

/// Ends an alert by hand.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/close", tag = "orders", request_body = Nothing,
    params(("alert" = String, Path, description = "Its id or code")),
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn close_one(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(alert): Path<String>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    plain(&shared, caller, Several::one(alert), |which| Order::Close { which }).await
}

/// Fires the next escalation step of alerts now.
#[utoipa::path(post, path = "/api/v1/alerts/escalate", tag = "orders", request_body = Several,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn escalate_many(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<Several>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    plain(&shared, caller, form, |which| Order::Escalate { which }).await
}

/// Fires the next escalation step of an alert now.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/escalate", tag = "orders", request_body = Nothing,
    params(("alert" = String, Path, description = "Its id or code")),
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn escalate_one(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(alert): Path<String>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    plain(&shared, caller, Several::one(alert), |which| Order::Escalate { which }).await
}

/// Ends alerts that still have something to send, without sending it.
#[utoipa::path(post, path = "/api/v1/pending/delete", tag = "orders", request_body = Several,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn delete_pending(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<Several>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    plain(&shared, caller, form, |which| Order::DeletePending { which }).await
}

/// Lets sending and escalation stand still.
#[utoipa::path(post, path = "/api/v1/pause", tag = "orders", request_body = PauseForm,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn pause(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<PauseForm>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let reason = needed(&form.reason, "/reason")?;
    carry_out(&shared, caller, Found::default(), Order::Pause { reason }).await
}

/// Lets them go on.
#[utoipa::path(post, path = "/api/v1/resume", tag = "orders", request_body = ResumeForm,
    responses((status = 200, body = DoneBody, description = "What was changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn resume(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Json(form): Json<ResumeForm>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    carry_out(&shared, caller, Found::default(), Order::Resume { discard: form.discard }).await
}
