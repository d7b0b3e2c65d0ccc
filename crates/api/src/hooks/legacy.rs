//! What Grafana posted before its version 9, and still does where the old alerting is on: one rule and its state.

use super::payload::{Group, Member, Wrong, content};
use crate::problem::Rejection;
use base::{Hasher, Wall};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Measured values that the details tell.
const MATCHES_TOLD_MAX: usize = 20;

/// A rule. Unknown fields are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleForm {
    rule_name: String,
    #[serde(default)]
    rule_id: Option<i64>,
    #[serde(default)]
    org_id: Option<i64>,
    #[serde(default)]
    rule_url: Option<String>,
    state: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    tags: Option<Value>,
    #[serde(default)]
    eval_matches: Option<Vec<MatchForm>>,
}

/// A measured value.
#[derive(Deserialize)]
struct MatchForm {
    #[serde(default)]
    metric: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

/// A group of that one rule.
///
/// # Errors
/// Never: what is wrong stands in the group.
#[expect(clippy::unnecessary_wraps, reason = "it stands beside readers that can refuse")]
pub(super) fn rule(form: RuleForm, now: Wall) -> Result<Group, Rejection> {
    let key = format!("rule {} {}", form.org_id.unwrap_or(1), form.rule_id.unwrap_or(0));
    let mut group = Group { key, left_out: 0, members: Vec::new(), wrong: Vec::new() };
    match standing(&form.state) {
        Ok(Some(resolved)) => match member(form, &group.key, resolved, now) {
            Ok(member) => group.members.push(member),
            Err(why) => group.wrong.push(why),
        },
        Ok(None) => (),
        Err(why) => group.wrong.push(why),
    }
    Ok(group)
}

/// Whether a state says that the rule is over; nothing where it says neither.
fn standing(state: &str) -> Result<Option<bool>, Wrong> {
    match state {
        "alerting" | "no_data" => Ok(Some(false)),
        "ok" => Ok(Some(true)),
        "pending" | "paused" | "unknown" => Ok(None),
        other => {
            let other: String = other.chars().take(40).collect();
            let why = format!("a state is alerting, no_data, ok, pending, paused or unknown, not {other:?}");
            Err(Wrong { pointer: "/state".to_owned(), why })
        }
    }
}

fn member(form: RuleForm, key: &str, resolved: bool, now: Wall) -> Result<Member, Wrong> {
    let fingerprint = Hasher::new("grafana rule").text(key).text(&form.rule_name).finish();
    let mut labels = tags(form.tags);
    labels.insert("alertname".to_owned(), form.rule_name);
    let title = form.title.filter(|title| !title.trim().is_empty());
    let annotations = [("summary", title), ("description", description(form.message, form.eval_matches))];
    let annotations = annotations.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    let content = content(labels, annotations.collect(), None, form.rule_url, now)
        .map_err(|(_, why)| Wrong { pointer: "/ruleName".to_owned(), why })?;
    Ok(Member { content, fingerprint, resolved, stands_for: None })
}

/// Tags are an object, or a list of `key:value`.
fn tags(tags: Option<Value>) -> BTreeMap<String, String> {
    match tags {
        Some(Value::Object(tags)) => {
            tags.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
        }
        Some(Value::Array(tags)) => {
            let both = |tag: &Value| {
                let (name, value) = tag.as_str()?.split_once(':')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            };
            tags.iter().filter_map(both).collect()
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => BTreeMap::new(),
    }
}

fn description(message: Option<String>, matches: Option<Vec<MatchForm>>) -> Option<String> {
    let mut text = message.unwrap_or_default();
    for it in matches.unwrap_or_default().iter().take(MATCHES_TOLD_MAX) {
        let value = it.value.as_ref().map_or_else(|| "no value".to_owned(), Value::to_string);
        let metric = it.metric.as_deref().unwrap_or("value");
        // Writing to a text does not fail.
        let _ = write!(text, "\n{metric}: {value}");
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::payload::grafana;
    use super::*;
    use serde_json::json;

    fn group(body: &Value) -> Group {
        grafana(body.to_string().as_bytes(), Wall(0)).unwrap()
    }

    #[test]
    fn a_rule_is_one_alert_from_its_first_post_to_its_last() {
        let post = |state: &str| {
            let body = json!({
                "ruleName": "CPU", "ruleId": 7, "orgId": 1, "ruleUrl": "https://g/d/1", "state": state,
                "title": format!("[{state}] CPU"), "message": "too hot", "tags": {"site": "north", "n": 1},
                "evalMatches": [{"metric": "core 1", "value": 98.5, "tags": null}], "imageUrl": "x",
            });
            group(&body).members.remove(0)
        };
        let (firing, over) = (post("alerting"), post("ok"));
        assert_eq!((firing.resolved, over.resolved), (false, true));
        assert_eq!(firing.fingerprint, over.fingerprint);
        assert_eq!(firing.content.label("site"), Some("north"));
        assert_eq!(firing.content.label("alertname"), Some("CPU"));
        assert_eq!(&*firing.content.summary, "[alerting] CPU");
        assert_eq!(&*firing.content.details, "too hot\ncore 1: 98.5\nSource: https://g/d/1");
        assert!(!post("no_data").resolved);
    }

    #[test]
    fn states_that_are_neither_trouble_nor_its_end_make_nothing() {
        for state in ["pending", "paused", "unknown"] {
            let group = group(&json!({"ruleName": "CPU", "state": state, "tags": ["a:b", "c"]}));
            assert!(group.members.is_empty() && group.wrong.is_empty(), "{state}");
        }
        let wrong = group(&json!({"ruleName": "CPU", "state": "odd"})).wrong;
        assert_eq!(wrong[0].pointer, "/state");
    }
}
