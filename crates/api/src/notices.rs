//! The way in: a request becomes a notice, or is told field by field why not.
//!
//! Separate from the other routes, because what is sent here comes from machines that nobody watches: it is
//! cleaned where that is harmless, refused where it is not, and never half taken.

use crate::answers::{self, ChoiceForm};
use crate::auth::{Allowed, Caller, Send};
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Place, Rejection};
use crate::read::{Json, List, read_json, read_value};
use crate::{Server, Shared};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base::limits::{
    BATCH_NOTICES_MAX, DETAILS_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, NOTICE_TARGETS_MAX,
    SUMMARY_BYTES_MAX,
};
use base::{Digest, Hasher, Name};
use dispatch::directory::{Address, Directory, Edition, Severity, Target};
use dispatch::record::{Choice, Content};
use dispatch::{Answer, Input, Notice, Refusal, Taken};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Notice)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoticeForm {
    /// The one line that everybody gets. At most 4 KiB; control characters become spaces.
    summary: String,
    /// What channels with room for it add. At most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    /// `info`, `warning` (if absent), `high` or `critical`, or a word that the directory gives a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    /// For routing and templates. At most 64, of 1 KiB each.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Who is told: recipients, groups, or addresses such as `mail:someone@x.test`; at most 1000. The routes
    /// decide where this is absent.
    #[serde(default)]
    to: Vec<String>,
    /// The policy to escalate by; route and target decide where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// Notices of one source with the same key are the same alert while it is open. Where it is absent,
    /// notices with the same summary and the same labels are, if there are any labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dedup_key: Option<String>,
    /// `firing` (if absent) or `resolved`, which ends the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The same as the header Idempotency-Key, for notices in a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// What its people can answer: 2 to 9, of at most 40 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    choices: Vec<ChoiceForm>,
}

/// How a notice was taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Taken)]
pub(crate) struct TakenBody {
    /// `new`, `repeated`, `resolved` or `nothing-open`.
    taken: &'static str,
    /// The alert.
    id: Option<String>,
    /// What people type back.
    code: Option<String>,
    /// How many recipients it is for.
    recipients: usize,
    /// On how many disks it is.
    copies: u8,
}

/// What became of each notice of a batch, in its order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BatchBody {
    results: Vec<BatchResult>,
}

/// What became of one notice: `status` with either the answer or the problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// The HTTP status it would have had alone.
    status: u16,
    /// How it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<TakenBody>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Rejection>,
}

/// A notice that was read, before it is known from whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    content: Content,
    to: Vec<Target>,
    policy: Option<Name>,
    choices: Vec<Choice>,
    resolved: bool,
    dedup_key: Option<String>,
    key: Option<Arc<str>>,
    /// Of the request as it was meant: the same fields in another order are the same request.
    digest: Digest,
}

/// Reads one notice. Takes any bytes.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_notice(bytes: &[u8]) -> Result<Parsed, Rejection> {
    judge(read_json(bytes)?, None, None)
}

/// Whose words for severities are meant: what the directory says of a source's. None has ours alone.
type Words<'a> = Option<(&'a Directory, &'a Name)>;

/// Judges a notice.
fn judge(form: NoticeForm, header: Option<&str>, words: Words<'_>) -> Result<Parsed, Rejection> {
    let digest = Hasher::new("notice").bytes(&serde_json::to_vec(&form).unwrap_or_default()).finish();
    let mut found = Vec::new();
    let mut too_large = Vec::new();
    let severity = severity(form.severity.as_deref(), words, &mut found);
    let summary = one_line(&form.summary);
    if summary.is_empty() {
        found.push(Place::new("/summary", "a notice needs a summary"));
    }
    let details = form.details.as_deref().map(paragraphs).unwrap_or_default();
    for (pointer, text, max) in
        [("/summary", &summary, SUMMARY_BYTES_MAX), ("/details", &details, DETAILS_BYTES_MAX)]
    {
        if text.len() > max {
            too_large.push(Place::new(pointer, format!("it has {} bytes; at most {max}", text.len())));
        }
    }
    let labels = labels(&form.labels, &mut found);
    let to = targets(&form.to, &mut found);
    let policy = form.policy.as_deref().and_then(|text| name(text, "/policy", &mut found));
    let key = key(header, form.idempotency_key.as_deref(), &mut found);
    if form.dedup_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
        found.push(Place::new("/dedup_key", format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    let choices = answers::choices(&form.choices, &mut found);
    let resolved = resolved(&form, &mut found);
    if !too_large.is_empty() {
        return Err(Rejection::places(Kind::TooLarge, too_large));
    }
    if !found.is_empty() {
        return Err(Rejection::places(Kind::Invalid, found));
    }
    let content =
        Content { severity, summary: summary.into(), details: details.into(), labels, origin: None };
    Ok(Parsed { content, to, policy, choices, resolved, dedup_key: form.dedup_key, key, digest })
}

/// `text` with every run of control characters and line ends as one space.
pub(crate) fn one_line(text: &str) -> String {
    let line_end = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(line_end).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `text` without control characters other than ends of lines and tabs.
pub(crate) fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn severity(word: Option<&str>, words: Words<'_>, found: &mut Vec<Place>) -> Severity {
    let Some(word) = word else { return Severity::default() };
    let known =
        words.map_or_else(|| Severity::parse(word), |(directory, source)| directory.severity(source, word));
    known.unwrap_or_else(|| {
        let ours = || Severity::ALL.map(Severity::word).to_vec();
        let words = words.map_or_else(ours, |(directory, source)| directory.severity_words(source).collect());
        let hint = suggestion(word, words.iter().copied());
        let hint = if hint.is_empty() { format!("; there are {}", words.join(", ")) } else { hint };
        found.push(Place::new("/severity", format!("there is no severity {}{hint}", quoted(word))));
        Severity::default()
    })
}

fn resolved(form: &NoticeForm, found: &mut Vec<Place>) -> bool {
    match form.status.as_deref() {
        None | Some("firing") => false,
        Some("resolved") => {
            if form.dedup_key.is_none() && form.labels.is_empty() {
                found.push(Place::new(
                    "/status",
                    "what is resolved must be said by dedup_key or labels, as when it fired",
                ));
            }
            true
        }
        Some(other) => {
            let hint = suggestion(other, ["firing", "resolved"]);
            let detail = format!("a status is firing or resolved, not {}{hint}", quoted(other));
            found.push(Place::new("/status", detail));
            false
        }
    }
}

fn labels(given: &BTreeMap<String, String>, found: &mut Vec<Place>) -> BTreeMap<Arc<str>, Arc<str>> {
    if given.len() > LABELS_MAX {
        found.push(Place::new("/labels", format!("there are {} labels; at most {LABELS_MAX}", given.len())));
        return BTreeMap::new();
    }
    let mut labels = BTreeMap::new();
    for (name, value) in given {
        let pointer = format!("/labels/{}", name.replace('~', "~0").replace('/', "~1"));
        let (name, value) = (one_line(name), one_line(value));
        if name.is_empty() {
            found.push(Place::new(pointer, "a label's name must not be empty"));
        } else if name.len() + value.len() > LABEL_BYTES_MAX {
            let size = name.len() + value.len();
            let cut: String = pointer.chars().take(200).collect();
            let detail = format!("name and value have {size} bytes; at most {LABEL_BYTES_MAX}");
            found.push(Place::new(cut, detail));
        } else {
            labels.insert(name.into(), value.into());
        }
    }
    labels
}

fn targets(given: &[String], found: &mut Vec<Place>) -> Vec<Target> {
    if given.len() > NOTICE_TARGETS_MAX {
        let detail = format!("it names {}; at most {NOTICE_TARGETS_MAX}: use a group", given.len());
        found.push(Place::new("/to", detail));
        return Vec::new();
    }
    let each = given.iter().enumerate();
    each.filter_map(|(at, text)| target(text, &format!("/to/{at}"), found)).collect()
}

fn target(text: &str, pointer: &str, found: &mut Vec<Place>) -> Option<Target> {
    let Some((channel, value)) = text.split_once(':') else {
        return name(text, pointer, found).map(Target::Named);
    };
    if value.is_empty() || value.chars().any(char::is_control) {
        let detail = format!("{} is not an address such as \"mail:someone@x.test\"", quoted(text));
        found.push(Place::new(pointer, detail));
        return None;
    }
    let channel = name(channel, pointer, found)?;
    Some(Target::Address(Address { channel, value: value.trim().into() }))
}

fn name(text: &str, pointer: &str, found: &mut Vec<Place>) -> Option<Name> {
    Name::new(text)
        .map_err(|error| found.push(Place::new(pointer, format!("{} is no name: {error}", quoted(text)))))
        .ok()
}

/// The idempotency key, from the header (bare, or in quotes as a structured field) or the body.
fn key(header: Option<&str>, body: Option<&str>, found: &mut Vec<Place>) -> Option<Arc<str>> {
    let header = header.map(|text| {
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        inner.unwrap_or(text)
    });
    if header.is_some() && body.is_some() && header != body {
        found.push(Place::new("/idempotency_key", "the header Idempotency-Key says another one"));
    }
    let (text, place) = header
        .map(|text| (text, "Idempotency-Key"))
        .or_else(|| body.map(|text| (text, "/idempotency_key")))?;
    if text.is_empty() || text.len() > KEY_BYTES_MAX {
        found.push(Place::new(place, format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
        return None;
    }
    Some(text.into())
}

impl Parsed {
    /// What later notices of the same alert share with it.
    fn fingerprint(&self, source: &Name) -> Option<Digest> {
        let hasher = Hasher::new("fingerprint").text(source.as_str());
        if let Some(key) = &self.dedup_key {
            return Some(hasher.text(key).finish());
        }
        let labels = &self.content.labels;
        let hashed = labels.iter().fold(hasher, |hasher, (name, value)| hasher.text(name).text(value));
        // Labels often say only where something is; the summary says what, and two troubles in one place
        // must not be taken for one.
        (!labels.is_empty()).then(|| hashed.text(&self.content.summary).finish())
    }
}

/// Sends a notice.
///
/// The answer comes when it is on disk. With an Idempotency-Key the request can be repeated until there is
/// an answer: it makes one alert.
#[utoipa::path(post, operation_id = "send_notice", path = "/api/v1/notices", tag = "notices", request_body = NoticeForm,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request; at most 255 bytes")),
    responses((status = 201, body = TakenBody, description = "A new alert"),
        (status = 200, body = TakenBody, description = "A repetition, or the end of an alert"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "It was not taken")))]
pub(crate) async fn send(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    headers: HeaderMap,
    Json(form): Json<NoticeForm>,
) -> Result<Response, Rejection> {
    let edition = shared.edition().await?;
    let parsed = judge(form, header_key(&headers)?, Some((&edition.directory, &caller.source)))?;
    let (status, body) = take(&shared, &caller, &edition, parsed).await?;
    Ok((status, axum::Json(body)).into_response())
}

fn header_key(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|_| Rejection::at(Kind::Invalid, "Idempotency-Key", "a key is UTF-8"))
}

/// Sends several notices.
///
/// Each is taken or refused for itself; the answer has one result for each, in their order.
#[utoipa::path(post, operation_id = "send_notices", path = "/api/v1/notices/batch", tag = "notices", request_body = Vec<NoticeForm>,
    responses((status = 200, body = BatchBody, description = "What became of each"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "None was taken")))]
pub(crate) async fn send_batch(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Send>,
    List(notices): List<Value>,
) -> Result<axum::Json<BatchBody>, Rejection> {
    if notices.len() > BATCH_NOTICES_MAX {
        let detail = format!("there are {} notices; at most {BATCH_NOTICES_MAX}", notices.len());
        return Err(Rejection::at(Kind::Invalid, "", detail));
    }
    let edition = shared.edition().await?;
    // All are on their way together, so that one sync of the disk serves them all.
    let each = notices.into_iter().enumerate().map(|(at, value)| {
        let (shared, caller, edition) = (&shared, &caller, &edition);
        async move {
            let parsed = read_value(value)
                .and_then(|form| judge(form, None, Some((&edition.directory, &caller.source))));
            let taken = match parsed {
                Ok(parsed) => take(shared, caller, edition, parsed).await,
                Err(rejection) => Err(rejection),
            };
            match taken {
                Ok((status, answer)) => {
                    BatchResult { status: status.as_u16(), answer: Some(answer), problem: None }
                }
                Err(rejection) => {
                    let problem = rejection.below(&format!("/{at}"));
                    BatchResult { status: problem.status, answer: None, problem: Some(problem) }
                }
            }
        }
    });
    Ok(axum::Json(BatchBody { results: join_all(each).await }))
}

async fn take(
    shared: &Shared,
    caller: &Caller,
    edition: &Edition,
    parsed: Parsed,
) -> Result<(StatusCode, TakenBody), Rejection> {
    let mut found = Vec::new();
    for (at, target) in parsed.to.iter().enumerate() {
        if let Target::Address(address) = target
            && let Err(why) = shared.api.services.address(address)
        {
            found.push(Place::new(format!("/to/{at}"), why));
        }
    }
    if !found.is_empty() {
        return Err(Rejection::places(Kind::Invalid, found));
    }
    let civil = shared.api.services.civil(&edition.directory.settings.time_zone);
    let named = parsed.to.clone();
    let notice = Notice {
        source: caller.source.clone(),
        fingerprint: parsed.fingerprint(&caller.source),
        key: parsed.key.map(|key| (key, parsed.digest)),
        resolved: parsed.resolved,
        stands_for: None,
        content: parsed.content,
        to: parsed.to,
        policy: parsed.policy,
        choices: parsed.choices,
        civil,
    };
    let notice = Box::new(notice);
    match shared.api.calls.put(move |ticket| Input::Notice { ticket, notice }).await? {
        Answer::Taken { taken, alert, recipients, copies } => Ok(answer(taken, alert, recipients, copies)),
        Answer::Refused(refusal) => Err(refused(refusal, &named, &edition.directory)),
        Answer::Done { .. } | Answer::Silenced { .. } => {
            Err(Rejection::new(Kind::Fault, "the core gave another answer than to a notice"))
        }
    }
}

fn answer(
    taken: Taken,
    alert: Option<(base::AlertId, dispatch::record::Code)>,
    recipients: usize,
    copies: u8,
) -> (StatusCode, TakenBody) {
    let (status, word) = match taken {
        Taken::New => (StatusCode::CREATED, "new"),
        Taken::Repeated => (StatusCode::OK, "repeated"),
        Taken::Resolved => (StatusCode::OK, "resolved"),
        Taken::NothingOpen => (StatusCode::OK, "nothing-open"),
    };
    let id = alert.map(|(id, _)| id.to_string());
    let code = alert.map(|(_, code)| code.to_string());
    (status, TakenBody { taken: word, id, code, recipients, copies })
}

/// A refusal of the core with the place of the name it is about, and the nearest that there is.
fn refused(refusal: Refusal, named: &[Target], book: &Directory) -> Rejection {
    match &refusal {
        Refusal::UnknownTarget { name } => {
            let at = named.iter().position(|target| matches!(target, Target::Named(it) if it == name));
            let pointer = at.map_or_else(|| "/to".to_owned(), |at| format!("/to/{at}"));
            let names = book.groups.keys().chain(book.recipients.keys()).chain(book.schedules.keys());
            let hint = suggestion(name.as_str(), names.map(Name::as_str));
            Rejection::at(Kind::Invalid, pointer, format!("there is no recipient or group {name:?}{hint}"))
        }
        Refusal::UnknownPolicy { name } => {
            let hint = suggestion(name.as_str(), book.policies.keys().map(Name::as_str));
            Rejection::at(Kind::Invalid, "/policy", format!("there is no policy {name:?}{hint}"))
        }
        Refusal::NoRoute
        | Refusal::ReachesNobody
        | Refusal::KeyReused
        | Refusal::TooManyOpen { .. }
        | Refusal::DiskFull { .. }
        | Refusal::NotOpen { .. }
        | Refusal::UnknownCode { .. }
        | Refusal::NoFurtherStep
        | Refusal::TooManyComments
        | Refusal::NoChoice { .. }
        | Refusal::UnknownMonitor { .. }
        | Refusal::NoHeartbeat
        | Refusal::NotPaused
        | Refusal::Stale { .. }
        | Refusal::NotPrimary { .. }
        | Refusal::Solo
        | Refusal::NoSilence
        | Refusal::TooManySilences { .. }
        | Refusal::Witness
        | Refusal::Blocked { .. }
        | Refusal::UnknownNode { .. } => refusal.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, status: u16, detail: &str) {
        let rejection = parse_notice(body.as_bytes()).unwrap_err();
        assert_eq!((rejection.status, rejection.detail.as_str()), (status, detail), "{body}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        check(r#"{"summary": ""}"#, 422, "/summary: a notice needs a summary");
        check(r#"{"summary": " \n\t"}"#, 422, "/summary: a notice needs a summary");
        check(
            r#"{"summary": "x", "severity": "hihg"}"#,
            422,
            "/severity: there is no severity \"hihg\"; did you mean \"high\"?",
        );
        check(
            r#"{"summary": "x", "severity": "purple"}"#,
            422,
            "/severity: there is no severity \"purple\"; there are info, warning, high, critical",
        );
        check(
            r#"{"summary": "x", "to": ["anna", "a\r\nBcc: b"]}"#,
            422,
            "/to/1: \"a\\r\\nBcc\" is no name: a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold '\\r' there",
        );
        check(
            r#"{"summary": "x", "to": ["mail:a@x\r\nBcc: b"]}"#,
            422,
            "/to/0: \"mail:a@x\\r\\nBcc: b\" is not an address such as \"mail:someone@x.test\"",
        );
        check(
            r#"{"summary": "x", "status": "resolved"}"#,
            422,
            "/status: what is resolved must be said by dedup_key or labels, as when it fired",
        );
        check(
            r#"{"summary": "x", "status": "fireing"}"#,
            422,
            "/status: a status is firing or resolved, not \"fireing\"; did you mean \"firing\"?",
        );
        check(r#"{"summary": "x", "labels": {"": "v"}}"#, 422, "/labels/: a label's name must not be empty");
        check(r#"{"summary": "x", "dedup_key": ""}"#, 422, "/dedup_key: a key has 1 to 255 bytes");
    }

    #[test]
    fn limits_are_kept() {
        let with = |field: &str, value: &str| format!(r#"{{"summary": "x", "{field}": {value}}}"#);
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
        let status = |body: &str| parse_notice(body.as_bytes()).map_or_else(|it| it.status, |_| 0);
        assert_eq!(status(&format!(r#"{{"summary": {}}}"#, text(SUMMARY_BYTES_MAX))), 0);
        assert_eq!(status(&format!(r#"{{"summary": {}}}"#, text(SUMMARY_BYTES_MAX + 1))), 413);
        assert_eq!(status(&with("details", &text(DETAILS_BYTES_MAX))), 0);
        assert_eq!(status(&with("details", &text(DETAILS_BYTES_MAX + 1))), 413);
        assert_eq!(status(&with("idempotency_key", &text(KEY_BYTES_MAX))), 0);
        assert_eq!(status(&with("idempotency_key", &text(KEY_BYTES_MAX + 1))), 422);
        assert_eq!(status(&with("labels", &format!(r#"{{"a": {}}}"#, text(LABEL_BYTES_MAX - 1)))), 0);
        assert_eq!(status(&with("labels", &format!(r#"{{"a": {}}}"#, text(LABEL_BYTES_MAX)))), 422);
        let many = |n: usize| (0..n).map(|at| format!("\"r{at}\"")).collect::<Vec<_>>().join(",");
        assert_eq!(status(&with("to", &format!("[{}]", many(NOTICE_TARGETS_MAX)))), 0);
        assert_eq!(status(&with("to", &format!("[{}]", many(NOTICE_TARGETS_MAX + 1)))), 422);
    }

    #[test]
    fn texts_are_cleaned() {
        let body = r#"{"summary": " pump\r\n\u0000 3\u2028stopped 🔥 \u202eمرحبا ", "details": "a\r\nb\u0007", "labels": {"a\nb": "c\td"}}"#;
        let content = parse_notice(body.as_bytes()).unwrap().content;
        assert_eq!(&*content.summary, "pump 3 stopped 🔥 \u{202e}مرحبا");
        assert_eq!(&*content.details, "a\nb");
        assert_eq!(content.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["a b=c d"]);
    }

    #[test]
    fn the_order_of_fields_does_not_make_another_request() {
        let one = parse_notice(br#"{"summary": "x", "labels": {"a": "1", "b": "2"}}"#).unwrap();
        let other = parse_notice(br#"{"labels": {"b": "2", "a": "1"}, "summary": "x"}"#).unwrap();
        assert_eq!(one.digest, other.digest);
        assert_ne!(one.digest, parse_notice(br#"{"summary": "y"}"#).unwrap().digest);
    }

    #[test]
    fn what_is_the_same_alert_has_the_same_fingerprint() {
        let scada = Name::new("scada").unwrap();
        let of = |body: &str, source: &Name| parse_notice(body.as_bytes()).unwrap().fingerprint(source);
        let labelled = of(r#"{"summary": "x", "labels": {"a": "1"}}"#, &scada);
        assert_eq!(labelled, of(r#"{"summary": "x", "details": "more", "labels": {"a": "1"}}"#, &scada));
        assert_ne!(labelled, of(r#"{"summary": "y", "labels": {"a": "1"}}"#, &scada));
        assert_ne!(labelled, of(r#"{"summary": "x", "labels": {"a": "2"}}"#, &scada));
        assert_ne!(labelled, of(r#"{"summary": "x", "labels": {"a": "1"}}"#, &Name::new("other").unwrap()));
        assert_eq!(of(r#"{"summary": "x"}"#, &scada), None);
        let keyed = of(r#"{"summary": "x", "dedup_key": "k", "labels": {"a": "1"}}"#, &scada);
        assert_eq!(keyed, of(r#"{"summary": "x", "dedup_key": "k"}"#, &scada));
    }
}
