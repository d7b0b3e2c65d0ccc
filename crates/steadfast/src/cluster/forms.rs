//! What the API answers about the cluster, as far as this program reads it to put it into words.
//!
//! Separate from the forms of alerts. Unknown fields are passed over and missing ones are empty, so that a node
//! one version ahead or behind can still be asked.

use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) node: String,
    pub(super) mode: String,
    pub(super) takeover: bool,
    pub(super) maintenance: Option<String>,
    pub(super) control: Option<Control>,
    pub(super) last_switch_over: Option<SwitchOver>,
    pub(super) directory: Primary,
    pub(super) copies: u64,
    pub(super) under_way: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) sentence: String,
}

/// Who is in control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Control {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) since: String,
    pub(super) because: String,
}

/// Control changed hands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct SwitchOver {
    pub(super) at: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) because: String,
}

/// Who changes the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Primary {
    pub(super) node: Option<String>,
    pub(super) name: Option<String>,
    pub(super) term: u64,
    pub(super) version: u64,
    pub(super) lost: Option<serde_json::Value>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) letter: String,
    pub(super) role: String,
    pub(super) rank: u16,
    pub(super) this: bool,
    pub(super) state: String,
    pub(super) because: String,
    pub(super) since: Option<String>,
    pub(super) standing: Option<String>,
    pub(super) alerts: u64,
    pub(super) address: Option<String>,
    pub(super) api: String,
    pub(super) listens: BTreeMap<String, String>,
    pub(super) channels: Vec<String>,
    pub(super) connected_at: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) last_error_at: Option<String>,
    pub(super) behind: Option<u64>,
    pub(super) ahead: Option<u64>,
    pub(super) clock_ahead_ms: Option<i64>,
    pub(super) version: Option<String>,
    pub(super) protocol: Option<u8>,
    pub(super) certificate_expires_at: Option<String>,
}

/// A certificate of the node that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Certificate {
    pub(super) what: String,
    pub(super) file: String,
    pub(super) expires_at: String,
    pub(super) renews: bool,
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Holdings {
    pub(super) name: String,
    pub(super) vector: BTreeMap<String, u64>,
    pub(super) digest: String,
}

/// What went through the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) rows: Vec<Total>,
}

/// What went through one node for one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Total {
    pub(super) node: String,
    pub(super) name: Option<String>,
    pub(super) source: Option<String>,
    pub(super) accepted: u64,
    pub(super) sent: u64,
    pub(super) refused: u64,
    pub(super) unknown: u64,
    pub(super) acknowledged: u64,
}

/// Asks a node how the cluster is.
pub(super) async fn seen_by(client: &Client) -> Outcome<Cluster> {
    client.ask(Ask::get(&["cluster"])).await?.read()
}

impl Cluster {
    /// The node that was asked.
    pub(super) fn this(&self) -> Outcome<&Node> {
        let found = self.nodes.iter().find(|node| node.this);
        found.ok_or_else(|| Failure::failed("the node's answer does not name itself"))
    }

    /// The node of that name or id.
    pub(super) fn named(&self, text: &str) -> Outcome<&Node> {
        let found = self.nodes.iter().find(|node| node.name == text || node.id == text);
        found.ok_or_else(|| {
            let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            Failure::new(Exit::NotFound, format!("there is no node {text}; there are {}", names.join(", ")))
        })
    }

    /// The node in control; the one that was asked if nobody is.
    pub(super) fn holder(&self) -> Outcome<&Node> {
        match &self.control {
            Some(control) => self.named(&control.node),
            None => self.this(),
        }
    }

    /// Who would be handed to if nobody is named.
    pub(super) fn next(&self) -> Option<&Node> {
        let able = |node: &&Node| !node.this && node.is_up() && node.role != "witness";
        self.nodes.iter().filter(able).min_by_key(|node| node.rank)
    }

    /// Fails where there is only one node.
    pub(super) fn must_be_several(&self) -> Outcome {
        if self.nodes.len() > 1 {
            return Ok(());
        }
        let why = "this node stands alone; `steadfast token create` invites a second one";
        Err(Failure::new(Exit::Conflict, why))
    }
}

impl Node {
    /// It holds what the others hold.
    pub(super) fn is_up(&self) -> bool {
        self.state == "up"
    }

    /// Records that it lacks, and that are lacked of what it holds.
    pub(super) fn lag(&self) -> u64 {
        self.behind.unwrap_or(0) + self.ahead.unwrap_or(0)
    }
}
