//! Debian's Alertmanager as a pair: the anchor that follows the same rule as ours, "the last one works on".
//!
//! Separate from `bench/alertmanager.rs`, which runs a single one. Every alert is a group of its own. What its cluster
//! does is left at its defaults: a node waits 15 s for each one before it in the order of their names.

use std::net::SocketAddr;
use std::path::Path;

use lab::Process;

use super::pair::{Pair, Room, until_answers, write};
use crate::bench::load::ask;
use crate::{peers, step};

const API: u16 = 9093;
const GOSSIP: u16 = 9094;

/// The running pair.
pub(super) struct Alertmanagers<'a> {
    room: &'a Room,
    nodes: Vec<Process>,
    first: usize,
}

impl<'a> Alertmanagers<'a> {
    /// Starts both, which wait so long for more alerts of a group, and waits until each has the other as its peer and says that it is ready.
    pub(super) fn start(room: &'a Room, group_wait: &str) -> Result<Self, String> {
        write(&room.file("alertmanager.yml"), &configuration(room.sink.address(), group_wait))?;
        let mut pair = Self { room, nodes: Vec::new(), first: 0 };
        for node in 0..2 {
            pair.nodes.push(pair.run(node)?);
        }
        for (node, other) in [(0, 1), (1, 0)] {
            let address = room.lan.address(other).to_string();
            pair.ready(node, &address)?;
        }
        // The order is that of the names, which each makes up when it starts.
        if name(room, 1)? < name(room, 0)? {
            pair.first = 1;
        }
        Ok(pair)
    }

    fn run(&self, node: usize) -> Result<Process, String> {
        let room = self.room;
        let mut command = peers::alertmanager(&room.peers);
        command.arg(format!("--config.file={}", room.file("alertmanager.yml").display()));
        command.arg(format!("--storage.path={}", room.file(&format!("data-{node}")).display()));
        command.arg(format!("--web.listen-address={}", api(room, node)));
        command.arg(format!("--cluster.listen-address={}:{GOSSIP}", room.lan.address(node)));
        command.arg(format!("--cluster.peer={}:{GOSSIP}", room.lan.address(1 - node)));
        Process::start(&mut room.lan.at(node, &command), &room.file(&format!("node-{node}.log")))
    }

    fn ready(&mut self, node: usize, peer: &str) -> Result<(), String> {
        let at = api(self.room, node);
        let process = self.process(node)?;
        until_answers(process, at, "/api/v2/status", peer)?;
        until_answers(process, at, "/api/v2/status", "\"status\":\"ready\"")
    }
}

impl Pair for Alertmanagers<'_> {
    fn post(&self, node: usize, alert: &str) -> Result<(), String> {
        let body = format!("[{{\"labels\":{{\"alertname\":\"{alert}\",\"severity\":\"warning\"}}}}]");
        let answer = ask(api(self.room, node), "POST", "/api/v2/alerts", &body)?;
        if answer.is_well() { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }

    fn first(&self) -> usize {
        self.first
    }

    fn process(&mut self, node: usize) -> Result<&mut Process, String> {
        self.nodes.get_mut(node).ok_or_else(|| "there is no such node".to_owned())
    }

    fn restart(&mut self, node: usize) -> Result<(), String> {
        *self.process(node)? = self.run(node)?;
        let peer = self.room.lan.address(1 - node).to_string();
        self.ready(node, &peer)
    }
}

/// What it calls itself in the cluster.
fn name(room: &Room, node: usize) -> Result<String, String> {
    let body = ask(api(room, node), "GET", "/api/v2/status", "")?.body;
    let name = body.split_once("\"cluster\":{\"name\":\"").and_then(|(_, rest)| rest.split('"').next());
    name.map(str::to_owned).ok_or_else(|| format!("Alertmanager does not say its name: {body}"))
}

fn api(room: &Room, node: usize) -> SocketAddr {
    (room.lan.side(node), API).into()
}

fn configuration(hook: SocketAddr, group_wait: &str) -> String {
    format!(
        "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: {group_wait}\n  group_interval: 5m\n  repeat_interval: 4h\n\
         receivers:\n- name: hook\n  webhook_configs:\n  - url: http://{hook}/\n    send_resolved: false\n"
    )
}

/// `alertmanager, version 0.25.0`.
pub(super) fn version(peers: &Path) -> String {
    let said = step::output(peers::alertmanager(peers).arg("--version")).unwrap_or_default();
    said.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
