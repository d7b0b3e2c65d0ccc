//! An alert as Alertmanager shows it.

use super::Receiver;
use crate::moment;
use base::{AlertId, Now, RecordId};
use dispatch::record::Content;
use dispatch::state::Open;
use dispatch::{Dispatch, Hold};
use serde::Serialize;
use std::collections::BTreeMap;

/// An alert.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertBody {
    pub(super) labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    updated_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    pub(super) fingerprint: String,
    pub(super) receivers: Vec<Receiver>,
    pub(super) status: AlertStatus,
}

/// Whether it is heard of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertStatus {
    state: &'static str,
    pub(super) silenced_by: Vec<String>,
    pub(super) inhibited_by: Vec<String>,
    pub(super) muted_by: Vec<String>,
}

/// How that alert is shown, with what holds it back.
pub(super) fn shown(core: &Dispatch, now: Now, id: AlertId, open: &Open) -> AlertBody {
    let content = open.content();
    let labels = labels(content);
    let stands_for = core.stands_for(now, id).unwrap_or(core.edition().directory.settings.resolve_timeout);
    let origin = content.origin.as_ref();
    let text = |it: &std::sync::Arc<str>| it.to_string();
    // Ours have texts instead of annotations.
    let ours = || [("summary", &content.summary), ("description", &content.details)];
    let annotations = origin.map_or_else(
        || {
            ours()
                .into_iter()
                .filter(|(_, it)| !it.is_empty())
                .map(|(name, it)| (name.to_owned(), text(it)))
                .collect()
        },
        |origin| origin.annotations.iter().map(|(name, it)| (text(name), text(it))).collect(),
    );
    AlertBody {
        fingerprint: fingerprint(&labels),
        labels,
        annotations,
        starts_at: moment::written(origin.map_or(open.at, |origin| origin.starts)),
        updated_at: moment::written(open.facts.updates.keys().next_back().map_or(open.at, |(at, _)| *at)),
        ends_at: moment::written(now.wall + stands_for),
        generator_url: origin.map_or_else(String::new, |origin| origin.generator.to_string()),
        receivers: vec![Receiver { name: open.alert.route.to_string() }],
        status: status(core, id),
    }
}

/// Whether it is heard of, and why not. A maintenance window is what Alertmanager calls a mute time interval; what
/// flapped is only late.
fn status(core: &Dispatch, id: AlertId) -> AlertStatus {
    let mut status = AlertStatus {
        state: "active",
        silenced_by: Vec::new(),
        inhibited_by: Vec::new(),
        muted_by: Vec::new(),
    };
    for hold in core.holds(id) {
        match hold {
            Hold::Silence(silence) => status.silenced_by.push(uuid(silence)),
            Hold::Maintenance(name) => status.muted_by.push(name.to_string()),
            Hold::Inhibition { by, .. } => {
                let open = core.state().open.get(&by);
                status.inhibited_by.extend(open.map(|open| fingerprint(&labels(open.content()))));
            }
            Hold::Flapping(_) => continue,
        }
        status.state = "suppressed";
    }
    status
}

/// The labels, with the name by which an alert without one is called.
fn labels(content: &Content) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> =
        content.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    if let Some(name) = content.label("alertname") {
        labels.insert("alertname".to_owned(), name.to_owned());
    }
    labels
}

/// What Alertmanager calls a set of labels: FNV-1a of 64 bits over names and values in order, each followed by a
/// byte that stands in no text.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    const END: u8 = 0xff;
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([END]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

/// The id of a silence, in the form of a UUID of version 8 (RFC 9562): made from the record's, the same on all nodes.
pub(crate) fn uuid(silence: RecordId) -> String {
    let digest = base::Hasher::new("silence").text(&silence.to_string()).finish();
    let hex: String = digest.0.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BootId, LogId, NodeId};

    #[test]
    fn fingerprints_are_those_of_alertmanager() {
        // As prometheus/common computes them: of no labels it is the offset itself.
        let of = |labels: &[(&str, &str)]| {
            fingerprint(
                &labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            )
        };
        assert_eq!(of(&[]), "cbf29ce484222325");
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
    }

    #[test]
    fn a_silence_has_the_form_of_a_uuid() {
        let id = RecordId { log: LogId { node: NodeId(1), boot: BootId(1) }, seq: 7 };
        let text = uuid(id);
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
        assert_ne!(text, uuid(RecordId { seq: 8, ..id }));
    }
}
