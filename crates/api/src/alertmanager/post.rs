//! What Prometheus posts becomes notices: one alert for each set of labels.
//!
//! Everything that can be taken is taken: an alert that cannot be is named in the answer, and keeps none of the
//! others out. A text that is too long is cut rather than refused, because nobody watches the machine that sent it.

use super::Told;
use crate::auth::{Allowed, Caller, Send};
use crate::notices::{one_line, paragraphs};
use crate::problem::Rejection;
use crate::read::List;
use crate::{Server, Shared, moment};
use axum::extract::State;
use axum::http::StatusCode;
use base::limits::{BATCH_NOTICES_MAX, DETAILS_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, SUMMARY_BYTES_MAX};
use base::{Hasher, Name, Wall};
use dispatch::directory::{Directory, Edition, Settings, Severity};
use dispatch::record::{Content, Origin};
use dispatch::{Answer, Input, Notice};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Annotations that make the summary, the first that is there; else the name of the alert does.
const SUMMARIES: [&str; 4] = ["summary", "message", "title", "description"];
/// Annotations that make the details, all that are there and are not the summary.
const DETAILS: [&str; 3] = ["description", "message", "details"];
/// Annotations that lead somewhere, with what stands before them in the details; of each the first that is there.
const LINKS: [(&str, [&str; 2]); 3] = [
    ("Runbook", ["runbook_url", "runbook"]),
    ("Dashboard", ["dashboard_url", "dashboard"]),
    ("Panel", ["panel_url", "panel"]),
];
/// Wrong alerts that an answer names.
const NAMED_MAX: usize = 10;

/// An alert as it is posted. Unknown fields are passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertForm {
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) starts_at: Option<String>,
    #[serde(default)]
    pub(crate) ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    pub(crate) generator_url: Option<String>,
}

/// An alert that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    content: Content,
    resolved: bool,
    stands_for: Duration,
}

impl Posted {
    /// What it says.
    pub(crate) fn into_content(self) -> Content {
        self.content
    }
}

/// Takes alerts. The answer comes when they are on disk.
pub(super) async fn alerts(
    State(shared): Server,
    caller: Result<Allowed<Send>, Rejection>,
    body: Result<List<Value>, Rejection>,
) -> Result<StatusCode, Told> {
    let (Allowed(caller, ..), List(alerts)) = (caller?, body?);
    let edition = shared.edition().await?;
    let mut wrong = Vec::new();
    let mut numbered: Vec<(usize, Value)> = alerts.into_iter().enumerate().collect();
    while !numbered.is_empty() {
        let rest = numbered.split_off(numbered.len().min(BATCH_NOTICES_MAX));
        let each = numbered.into_iter().map(|(at, value)| one(&shared, &caller, &edition, at, value));
        wrong.extend(join_all(each).await.into_iter().filter_map(Result::err));
        numbered = rest;
    }
    // The gravest is told: what failed for our sake may be sent again.
    let status = wrong.iter().map(|told: &Told| told.0).max();
    status.map_or(Ok(StatusCode::OK), |status| Err(Told(status, listed(&texts_of(&wrong)))))
}

fn texts_of(wrong: &[Told]) -> Vec<&str> {
    wrong.iter().map(|told| told.1.as_str()).collect()
}

/// The first of these reasons, and how many more there are.
pub(crate) fn listed(why: &[&str]) -> String {
    let mut texts: Vec<&str> = why.iter().take(NAMED_MAX).copied().collect();
    let more = format!("and {} more", why.len().saturating_sub(NAMED_MAX));
    if why.len() > NAMED_MAX {
        texts.push(&more);
    }
    texts.join("; ")
}

async fn one(
    shared: &Shared,
    caller: &Caller,
    edition: &Edition,
    at: usize,
    value: Value,
) -> Result<(), Told> {
    let settings = &edition.directory.settings;
    let form: AlertForm =
        serde_json::from_value(value).map_err(|error| Told::bad(format!("alert {at}: {error}")))?;
    let name = form.labels.get("alertname").map_or_else(String::new, |name| format!(" ({name})"));
    let placed = |why: String| format!("alert {at}{name}: {why}");
    let mut posted =
        read(&form, moment::now(), settings.resolve_timeout).map_err(|why| Told::bad(placed(why)))?;
    grade(&edition.directory, &caller.source, &mut posted.content);
    let notice = Box::new(Notice {
        source: caller.source.clone(),
        key: None,
        fingerprint: Some(fingerprint_of(&posted.content)),
        resolved: posted.resolved,
        stands_for: Some(posted.stands_for),
        content: posted.content,
        to: Vec::new(),
        policy: None,
        choices: Vec::new(),
        civil: shared.api.services.civil(&settings.time_zone),
    });
    match shared.api.calls.put(move |ticket| Input::Notice { ticket, notice }).await? {
        Answer::Taken { .. } | Answer::Done { .. } | Answer::Silenced { .. } => Ok(()),
        Answer::Refused(refusal) => {
            let Told(status, why) = Rejection::from(refusal).into();
            Err(Told(status, placed(why)))
        }
    }
}

/// The label `severity` may have a word that the directory gives another meaning for this source.
pub(crate) fn grade(directory: &Directory, source: &Name, content: &mut Content) {
    let word = content.labels.get("severity").map_or("", AsRef::as_ref);
    if let Some(severity) = directory.severity(source, word) {
        content.severity = severity;
    }
}

/// What makes two posts the same alert: the labels, whoever sends them.
pub(crate) fn fingerprint_of(content: &Content) -> base::Digest {
    let hasher = Hasher::new("alertmanager");
    content.labels.iter().fold(hasher, |hasher, (name, value)| hasher.text(name).text(value)).finish()
}

/// Reads one alert as it is posted, at `now`. Takes any bytes.
///
/// # Errors
/// What is wrong with it, with its field.
pub fn parse_posted(bytes: &[u8], now: Wall) -> Result<Content, String> {
    let form: AlertForm = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    read(&form, now, Settings::default().resolve_timeout).map(|posted| posted.content)
}

/// Reads one alert, at `now`.
///
/// # Errors
/// What is wrong with it, with its field.
pub(crate) fn read(form: &AlertForm, now: Wall, resolve_timeout: Duration) -> Result<Posted, String> {
    let labels = labels(&form.labels)?;
    let starts = time("startsAt", form.starts_at.as_deref())?;
    let ends = time("endsAt", form.ends_at.as_deref())?;
    if let (Some(starts), Some(ends)) = (starts, ends)
        && ends < starts
    {
        return Err("endsAt: it lies before startsAt".to_owned());
    }
    let resolved = ends.is_some_and(|ends| ends <= now);
    let stands_for = ends.map_or(resolve_timeout, |ends| ends.since(now));
    let generator = form.generator_url.as_deref().map(one_line).unwrap_or_default();
    let (summary, details) = texts(&form.annotations, &labels, &generator);
    let kept = fitting(&form.annotations).map(|(name, value)| (name.as_str().into(), value.into()));
    let starts = starts.unwrap_or_else(|| ends.filter(|_| resolved).unwrap_or(now));
    let origin = Origin { annotations: kept.collect(), generator: generator.into(), starts };
    let content = Content {
        severity: severity(labels.get("severity").map_or("", AsRef::as_ref)),
        summary: summary.into(),
        details: details.into(),
        labels,
        origin: Some(Arc::new(origin)),
    };
    Ok(Posted { content, resolved, stands_for })
}

/// A moment; Go's zero time is none.
fn time(field: &str, text: Option<&str>) -> Result<Option<Wall>, String> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01")) else {
        return Ok(None);
    };
    let read = moment::read(text).map(Some);
    read.ok_or_else(|| format!("{field}: {text:?} is no time such as \"2026-03-01T12:00:00Z\" (RFC 3339)"))
}

fn labels(given: &BTreeMap<String, String>) -> Result<BTreeMap<Arc<str>, Arc<str>>, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in given {
        let value = one_line(value);
        if !is_label(name) {
            return Err(format!("labels: {name:?} is no name of a label, such as \"alertname\""));
        }
        if name.len() > LABEL_BYTES_MAX / 2 {
            let (bytes, most) = (name.len(), LABEL_BYTES_MAX / 2);
            let name: String = name.chars().take(80).collect();
            return Err(format!("labels: the name {name}… has {bytes} bytes; at most {most}"));
        }
        let value = cut(value, LABEL_BYTES_MAX - name.len());
        // An empty label is the same as none.
        if !value.is_empty() {
            labels.insert(name.as_str().into(), value.into());
        }
    }
    match labels.len() {
        0 => Err("labels: at least one is needed".to_owned()),
        1..=LABELS_MAX => Ok(labels),
        many => Err(format!("labels: there are {many}; at most {LABELS_MAX}")),
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, as Prometheus has it.
pub(crate) fn is_label(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| letter(*first))
        && bytes.iter().all(|byte| letter(*byte) || byte.is_ascii_digit())
}

/// The severity that a word of the world outside means; ours where it means nothing to us.
fn severity(word: &str) -> Severity {
    match word.to_ascii_lowercase().as_str() {
        "critical" | "crit" | "page" | "emergency" | "emerg" | "fatal" | "disaster" | "p1" => {
            Severity::Critical
        }
        "error" | "err" | "major" | "high" | "alert" | "severe" | "p2" => Severity::High,
        "info" | "information" | "informational" | "notice" | "none" | "debug" | "ok" | "low" | "p4"
        | "p5" => Severity::Info,
        _ => Severity::Warning, // "warning", "warn", "minor", "p3", and whatever else somebody wrote.
    }
}

/// Summary and details.
fn texts(
    annotations: &BTreeMap<String, String>,
    labels: &BTreeMap<Arc<str>, Arc<str>>,
    generator: &str,
) -> (String, String) {
    let text = |name: &str| {
        annotations.get(name).map(|text| paragraphs(text)).filter(|text| !text.trim().is_empty())
    };
    let first = SUMMARIES.into_iter().find_map(|name| text(name).map(|text| (name, text)));
    let (used, summary) = first.map_or(("", None), |(name, text)| (name, Some(one_line(&text))));
    let summary = summary.unwrap_or_else(|| named(labels));
    let mut parts: Vec<String> = DETAILS.into_iter().filter(|name| *name != used).filter_map(text).collect();
    for (title, names) in LINKS {
        let link = names.into_iter().find_map(text);
        parts.extend(link.map(|link| format!("{title}: {link}")));
    }
    if !generator.is_empty() {
        parts.push(format!("Source: {generator}"));
    }
    (cut(summary, SUMMARY_BYTES_MAX), cut(parts.join("\n"), DETAILS_BYTES_MAX))
}

/// Annotations within what an alert may hold; the longest lose their ends.
fn fitting(given: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, String)> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    let share = if bytes > DETAILS_BYTES_MAX { DETAILS_BYTES_MAX / given.len().max(1) } else { usize::MAX };
    let named = given.iter().filter(move |(name, _)| name.len() < share / 2);
    named.map(move |(name, value)| (name, cut(value.clone(), share - name.len())))
}

/// What an alert without words is called.
fn named(labels: &BTreeMap<Arc<str>, Arc<str>>) -> String {
    let name = labels.get("alertname").map_or("alert", AsRef::as_ref);
    labels.get("instance").map_or_else(|| name.to_owned(), |instance| format!("{name} on {instance}"))
}

/// At most `max` bytes of a text; that something is missing is seen.
pub(crate) fn cut(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max.saturating_sub('…'.len_utf8())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_772_366_400_000); // 2026-03-01T12:00:00Z

    fn posted(body: &str) -> Result<Posted, String> {
        let form: AlertForm = serde_json::from_str(body).map_err(|error| error.to_string())?;
        read(&form, NOW, Duration::from_secs(300))
    }

    #[test]
    fn severities_of_others_are_known() {
        for (word, severity_of) in [
            ("critical", Severity::Critical),
            ("PAGE", Severity::Critical),
            ("error", Severity::High),
            ("major", Severity::High),
            ("warn", Severity::Warning),
            ("minor", Severity::Warning),
            ("", Severity::Warning),
            ("teal", Severity::Warning),
            ("none", Severity::Info),
            ("info", Severity::Info),
        ] {
            assert_eq!(severity(word), severity_of, "{word}");
        }
    }

    #[test]
    fn texts_come_from_annotations_else_from_the_name() {
        let check = |annotations: &str, summary: &str, details: &str| {
            let body = format!(
                r#"{{"labels": {{"alertname": "Down", "instance": "a:1"}}, "annotations": {annotations},
                     "generatorURL": "http://p/g"}}"#
            );
            let content = posted(&body).unwrap().content;
            assert_eq!((&*content.summary, &*content.details), (summary, details), "{annotations}");
        };
        check("{}", "Down on a:1", "Source: http://p/g");
        check(r#"{"summary": "it is\ndown", "description": "d"}"#, "it is down", "d\nSource: http://p/g");
        check(r#"{"message": "m", "runbook_url": "r"}"#, "m", "Runbook: r\nSource: http://p/g");
        check(r#"{"description": "d"}"#, "d", "Source: http://p/g");
        check(r#"{"summary": " ", "message": "m", "description": "d"}"#, "m", "d\nSource: http://p/g");
    }

    #[test]
    fn the_end_says_how_long_it_stands_or_that_it_is_over() {
        let check = |ends: &str, expect: (bool, u64)| {
            let posted = posted(&format!(r#"{{"labels": {{"a": "b"}}{ends}}}"#)).unwrap();
            assert_eq!((posted.resolved, posted.stands_for.as_secs()), expect, "{ends}");
        };
        check("", (false, 300));
        check(r#", "endsAt": "0001-01-01T00:00:00Z""#, (false, 300));
        check(r#", "endsAt": "2026-03-01T12:04:00.5Z""#, (false, 240));
        check(r#", "endsAt": "2026-03-01T12:00:00Z""#, (true, 0));
        check(r#", "startsAt": "2026-03-01T10:00:00Z", "endsAt": "2026-03-01T11:00:00+00:00""#, (true, 0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        let check = |body: &str, why: &str| assert_eq!(posted(body).unwrap_err(), why, "{body}");
        check(r#"{"labels": {}}"#, "labels: at least one is needed");
        check(r#"{"labels": {"a": ""}}"#, "labels: at least one is needed");
        check(r#"{"labels": {"a-b": "c"}}"#, r#"labels: "a-b" is no name of a label, such as "alertname""#);
        check(
            r#"{"labels": {"a": "b"}, "endsAt": "tomorrow"}"#,
            r#"endsAt: "tomorrow" is no time such as "2026-03-01T12:00:00Z" (RFC 3339)"#,
        );
        check(
            r#"{"labels": {"a": "b"}, "startsAt": "2026-03-01T12:00:01Z", "endsAt": "2026-03-01T12:00:00Z"}"#,
            "endsAt: it lies before startsAt",
        );
        let long = "x".repeat(LABEL_BYTES_MAX);
        check(
            &format!(r#"{{"labels": {{"{long}": "b"}}}}"#),
            &format!("labels: the name {}… has 1024 bytes; at most 512", &long[..80]),
        );
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        assert_eq!(cut("ää".to_owned(), 4), "ää");
        assert_eq!(cut("äää".to_owned(), 5), "ä…");
        let summary = "ä".repeat(SUMMARY_BYTES_MAX);
        let body = format!(r#"{{"labels": {{"a": "b"}}, "annotations": {{"summary": "{summary}"}}}}"#);
        assert!(posted(&body).unwrap().content.summary.len() <= SUMMARY_BYTES_MAX);
        let long = "x".repeat(2 * DETAILS_BYTES_MAX);
        let body = format!(r#"{{"labels": {{"a": "{long}"}}, "annotations": {{"b": "{long}", "c": "d"}}}}"#);
        let content = posted(&body).unwrap().content;
        assert_eq!(content.labels["a"].len() + 1, LABEL_BYTES_MAX);
        let annotations = &content.origin.as_ref().unwrap().annotations;
        assert_eq!((annotations["b"].len() + 1, &*annotations["c"]), (DETAILS_BYTES_MAX / 2, "d"));
    }
}
