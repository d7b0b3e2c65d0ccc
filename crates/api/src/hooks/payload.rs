//! What Alertmanager (version 4) and Grafana (9 and later) post: a group of alerts.
//!
//! What cannot be kept as it is, is made to fit rather than refused: the sender drops a post that is refused, and
//! nobody watches it. Names of labels lose what names do not have, long values are cut, times that nobody can read
//! are passed over. An alert that says neither what it is nor whether it is over is named, and keeps no other out.

use super::{legacy, unreadable};
use crate::alertmanager::{AlertForm, cut, fingerprint_of, is_label, read};
use crate::moment;
use crate::notices::one_line;
use crate::problem::Rejection;
use crate::read::{read_json, read_value};
use base::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use base::{Digest, Hasher, Wall};
use dispatch::record::Content;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A post.
pub(super) struct Group {
    /// What the sender calls the group.
    pub(super) key: String,
    /// Alerts that the sender kept to itself.
    pub(super) left_out: u64,
    pub(super) members: Vec<Member>,
    /// What can never be read.
    pub(super) wrong: Vec<Wrong>,
}

/// An alert of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it says.
    pub content: Content,
    /// Its group and itself: what makes two posts the same alert.
    pub fingerprint: Digest,
    /// Whether it is over.
    pub resolved: bool,
    /// How long it stands without being posted again; for good where the sender does not say.
    pub stands_for: Option<Duration>,
}

/// A place that can never be read.
#[derive(Debug)]
pub(super) struct Wrong {
    /// A JSON pointer (RFC 6901).
    pub(super) pointer: String,
    pub(super) why: String,
}

/// Unknown fields are passed over: newer versions of the senders have more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupForm {
    #[serde(default)]
    group_key: Option<String>,
    #[serde(default)]
    truncated_alerts: Option<i64>,
    #[serde(default)]
    status: Option<String>,
    alerts: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberForm {
    #[serde(default)]
    status: Option<String>,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
    #[serde(default)]
    fingerprint: Option<String>,
    /// Grafana's.
    #[serde(default, rename = "dashboardURL")]
    dashboard_url: Option<String>,
    /// Grafana's.
    #[serde(default, rename = "panelURL")]
    panel_url: Option<String>,
}

/// The alerts of a post of Alertmanager that can be read, at `now`. Takes any bytes.
///
/// # Errors
/// It is no post at all.
pub fn parse_alertmanager_hook(bytes: &[u8], now: Wall) -> Result<Vec<Member>, Rejection> {
    alertmanager(bytes, now).map(|group| group.members)
}

/// The alerts of a post of Grafana, of any version, that can be read, at `now`. Takes any bytes.
///
/// # Errors
/// It is no post at all.
pub fn parse_grafana_hook(bytes: &[u8], now: Wall) -> Result<Vec<Member>, Rejection> {
    grafana(bytes, now).map(|group| group.members)
}

pub(super) fn alertmanager(bytes: &[u8], now: Wall) -> Result<Group, Rejection> {
    let form = read_json(bytes).map_err(unreadable)?;
    Ok(group("alertmanager hook", form, now))
}

/// Grafana before 9 posts one rule, and no list of alerts.
pub(super) fn grafana(bytes: &[u8], now: Wall) -> Result<Group, Rejection> {
    let value: Value = read_json(bytes).map_err(unreadable)?;
    if value.get("alerts").is_none() && value.get("ruleName").is_some() {
        return legacy::rule(read_value(value).map_err(unreadable)?, now);
    }
    let form = read_value(value).map_err(unreadable)?;
    Ok(group("grafana hook", form, now))
}

fn group(kind: &'static str, form: GroupForm, now: Wall) -> Group {
    let key = form.group_key.unwrap_or_default();
    let left_out = form.truncated_alerts.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    let (mut members, mut wrong) = (Vec::new(), Vec::new());
    for (at, value) in form.alerts.into_iter().enumerate() {
        let read = read_value(value).map_err(|rejection| placed(at, &rejection));
        let read = read.and_then(|member| {
            let hasher = Hasher::new(kind).text(&key);
            one(member, form.status.as_deref(), hasher, now)
                .map_err(|(field, why)| Wrong { pointer: format!("/alerts/{at}/{field}"), why })
        });
        match read {
            Ok(member) => members.push(member),
            Err(why) => wrong.push(why),
        }
    }
    Group { key, left_out, members, wrong }
}

fn placed(at: usize, rejection: &Rejection) -> Wrong {
    let place = rejection.errors.first();
    let pointer = place.map_or("", |place| place.pointer.as_str());
    let why = place.map_or(rejection.detail.as_str(), |place| place.detail.as_str());
    Wrong { pointer: format!("/alerts/{at}{pointer}"), why: why.to_owned() }
}

/// One alert; else the field that is wrong, and why.
fn one(
    form: MemberForm,
    status: Option<&str>,
    group: Hasher,
    now: Wall,
) -> Result<Member, (&'static str, String)> {
    let resolved = over(form.status.as_deref().or(status)).map_err(|why| ("status", why))?;
    let ends = form.ends_at.as_deref().and_then(moment::read).filter(|ends| !resolved && now < *ends);
    let itself = form.fingerprint.clone().filter(|text| !text.is_empty());
    let mut annotations = form.annotations.unwrap_or_default();
    for (name, link) in [("dashboard_url", form.dashboard_url), ("panel_url", form.panel_url)] {
        if let Some(link) = link.filter(|link| !link.is_empty()) {
            annotations.entry(name.to_owned()).or_insert(link);
        }
    }
    let content = content(form.labels, annotations, form.starts_at, form.generator_url, now)?;
    // A sender that does not say which alert it is, is told apart by labels.
    let itself = itself.unwrap_or_else(|| fingerprint_of(&content).to_string());
    let fingerprint = group.text(&itself).finish();
    Ok(Member { content, fingerprint, resolved, stands_for: ends.map(|ends| ends.since(now)) })
}

fn over(status: Option<&str>) -> Result<bool, String> {
    match status.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "firing" | "alerting") => Ok(false),
        Some("resolved" | "ok") => Ok(true),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            Err(format!("a status is firing or resolved, not {other:?}"))
        }
    }
}

/// What an alert says, made to fit.
pub(super) fn content(
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    generator_url: Option<String>,
    now: Wall,
) -> Result<Content, (&'static str, String)> {
    let form = AlertForm {
        labels: fitting_labels(labels),
        annotations,
        starts_at: starts_at.filter(|text| moment::read(text).is_some()),
        ends_at: None,
        generator_url,
    };
    let read = read(&form, now, Duration::ZERO).map_err(|why| ("labels", why))?;
    Ok(read.into_content())
}

/// Labels with names that labels have, each within its limit, no more than there may be.
fn fitting_labels(given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = given.into_iter().map(|(name, value)| {
        let name = cut(label_name(&name), LABEL_BYTES_MAX / 4);
        let value = cut(one_line(&value), LABEL_BYTES_MAX - name.len());
        (name, value)
    });
    let there = named.filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let mut labels: BTreeMap<String, String> = there.collect();
    while labels.len() > LABELS_MAX {
        // What an alert is called comes early in the alphabet, and is kept in any case.
        let last = labels.keys().rev().find(|name| !matches!(name.as_str(), "alertname" | "severity"));
        let Some(last) = last.cloned() else { break };
        labels.remove(&last);
    }
    labels
}

/// `text` as a name of a label: what a name does not have becomes `_`, as Prometheus makes it.
fn label_name(text: &str) -> String {
    if is_label(text) {
        return text.to_owned();
    }
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = text.chars().map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::limits::DETAILS_BYTES_MAX;

    const NOW: Wall = Wall(1_772_366_400_000); // 2026-03-01T12:00:00Z

    fn of(body: &Value) -> Group {
        alertmanager(body.to_string().as_bytes(), NOW).unwrap()
    }

    fn only(body: &Value) -> Member {
        let mut group = of(body);
        assert!(group.wrong.is_empty(), "{:?}", group.wrong);
        assert_eq!(group.members.len(), 1);
        group.members.remove(0)
    }

    fn firing(more: &Value) -> Value {
        let mut alert = serde_json::json!({"status": "firing", "labels": {"alertname": "Down"}});
        alert.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::json!({"version": "4", "groupKey": "{}:{}", "alerts": [alert]})
    }

    #[test]
    fn the_same_alert_of_the_same_group_is_the_same() {
        let of = |group: &str, itself: &str| {
            let mut body = firing(&serde_json::json!({"fingerprint": itself}));
            body["groupKey"] = group.into();
            only(&body).fingerprint
        };
        assert_eq!(of("g", "f"), of("g", "f"));
        assert_ne!(of("g", "f"), of("h", "f"));
        assert_ne!(of("g", "f"), of("g", "e"));
        let nameless = |label: &str| only(&firing(&serde_json::json!({"labels": {"a": label}}))).fingerprint;
        assert_ne!(nameless("b"), nameless("c"), "without a fingerprint the labels tell");
    }

    #[test]
    fn it_stands_until_it_is_resolved_unless_an_end_is_named() {
        let check = |more: Value, resolved: bool, stands_for: Option<u64>| {
            let member = only(&firing(&more));
            let seconds = member.stands_for.map(|it| it.as_secs());
            assert_eq!((member.resolved, seconds), (resolved, stands_for), "{more}");
        };
        check(serde_json::json!({}), false, None);
        check(serde_json::json!({"endsAt": "0001-01-01T00:00:00Z"}), false, None);
        check(serde_json::json!({"endsAt": "2026-03-01T12:05:00Z"}), false, Some(300));
        check(serde_json::json!({"endsAt": "2026-03-01T11:00:00Z"}), false, None);
        check(serde_json::json!({"endsAt": "whenever"}), false, None);
        check(serde_json::json!({"status": "resolved", "endsAt": "2026-03-01T11:00:00Z"}), true, None);
    }

    #[test]
    fn what_does_not_fit_is_made_to_fit() {
        let long = "x".repeat(3 * LABEL_BYTES_MAX);
        let body = firing(&serde_json::json!({
            "labels": {"alertname": "Down", "my label": "a\nb", "2nd": "c", "long": long, "größe": ""},
            "annotations": {"description": "y".repeat(2 * DETAILS_BYTES_MAX), "summary": "s"},
            "startsAt": "yesterday"
        }));
        let content = only(&body).content;
        let label = |name: &str| content.label(name).map(str::to_owned);
        assert_eq!(label("my_label").as_deref(), Some("a b"));
        assert_eq!(label("_2nd").as_deref(), Some("c"));
        assert!(label("long").is_some_and(|text| text.len() <= LABEL_BYTES_MAX && text.ends_with('…')));
        assert_eq!(content.labels.len(), 4);
        assert_eq!(&*content.summary, "s");
        assert!(content.details.len() <= DETAILS_BYTES_MAX);
        let many: BTreeMap<String, String> = (0..100).map(|n| (format!("a{n:02}"), "x".to_owned())).collect();
        let mut many = serde_json::json!(many);
        many["severity"] = "page".into();
        let content = only(&firing(&serde_json::json!({"labels": many}))).content;
        assert_eq!((content.labels.len(), content.label("severity")), (LABELS_MAX, Some("page")));
    }

    #[test]
    fn one_that_cannot_be_read_keeps_no_other_out() {
        let good = serde_json::json!({"labels": {"alertname": "Down"}});
        let check = |bad: Value, pointer: &str, why: &str| {
            let group = of(&serde_json::json!({"alerts": [good, bad, good]}));
            assert_eq!(group.members.len(), 2);
            let told: Vec<_> = group.wrong.iter().map(|it| (it.pointer.as_str(), it.why.as_str())).collect();
            assert_eq!(told, [(pointer, why)], "{bad}");
        };
        check(serde_json::json!(7), "/alerts/1", "it must be an object");
        check(serde_json::json!({}), "/alerts/1", "missing field `labels`");
        check(
            serde_json::json!({"labels": {"a": 1}}),
            "/alerts/1/labels/a",
            "invalid type: integer `1`, expected a string",
        );
        check(serde_json::json!({"labels": {}}), "/alerts/1/labels", "labels: at least one is needed");
        check(
            serde_json::json!({"labels": {"a": "b"}, "status": "odd"}),
            "/alerts/1/status",
            "a status is firing or resolved, not \"odd\"",
        );
    }

    #[test]
    fn what_is_no_post_is_a_400() {
        let check = |body: &str, detail: &str| {
            let rejection = alertmanager(body.as_bytes(), NOW).err().unwrap();
            assert_eq!((rejection.status, rejection.detail.as_str()), (400, detail), "{body}");
        };
        check("[]", "the body must be an object");
        check("{}", "missing field `alerts`, at line 1 column 2");
        check(
            r#"{"alerts": 1}"#,
            "/alerts: invalid type: integer `1`, expected a sequence, at line 1 column 12",
        );
        check("no", "expected ident, at line 1 column 2");
    }

    #[test]
    fn grafana_says_where_to_look() {
        let body = firing(&serde_json::json!({
            "dashboardURL": "https://g/d/1", "panelURL": "", "values": {"A": 1}, "valueString": "[ value=1 ]",
            "annotations": null
        }));
        let members = parse_grafana_hook(body.to_string().as_bytes(), NOW).unwrap();
        assert_eq!(&*members[0].content.details, "Dashboard: https://g/d/1");
        let other = parse_alertmanager_hook(body.to_string().as_bytes(), NOW).unwrap();
        assert_ne!(members[0].fingerprint, other[0].fingerprint, "two senders are two");
    }
}
