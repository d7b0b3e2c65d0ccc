//! Two nodes of ours on loopback, made by the commands that an operator types, and asked by the command line.
//!
//! Separate from `bench/node.rs`, whose node is alone, and from `compare/ours.rs`, whose nodes have a network each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::child::{Child, free_address};
use super::super::load::{Load, ask};
use super::super::{Ground, node};
use crate::step;

/// How long a node may take until it is ready, or level.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the nodes are called.
const NAMES: [&str; 2] = ["north", "south"];
/// What an answer says that waited for both disks, and for one.
pub(super) const TWO_COPIES: &str = "\"copies\":2";
pub(super) const ONE_COPY: &str = "\"copies\":1";
/// The paths that take one notice, and a list of them.
const ONE: &str = "/api/v1/notices";
const MANY: &str = "/api/v1/notices/batch";

/// Two data folders and the processes that run on them.
pub(super) struct Pair {
    nodes: [Node; 2],
}

/// One of them.
struct Node {
    folder: PathBuf,
    /// The plain-HTTP listener.
    at: SocketAddr,
    process: Option<Child>,
}

impl Pair {
    /// A pair that is level and tells Anna at `hook`; `name` is that of its folder.
    pub(super) fn start(ground: &Ground, name: &str, hook: SocketAddr) -> Result<Self, String> {
        let node = |of: &str| -> Result<Node, String> {
            let folder = ground.scratch.join(name).join(of);
            Ok(Node { folder, at: free_address()?, process: None })
        };
        let mut pair = Self { nodes: [node(NAMES[0])?, node(NAMES[1])?] };
        pair.make(0, &["init"])?;
        node::append(&pair.nodes[0].folder.join("directory.toml"), &node::hooked(hook))?;
        pair.run(0)?;
        let token = pair.said(0, &["token", "create"])?;
        // The same token opens both, for what is asked of the second one.
        let token_file = format!("--admin-token={}", pair.nodes[0].folder.join("admin.token").display());
        pair.make(1, &["join", token.trim(), &token_file])?;
        pair.run(1)?;
        pair.until_level()?;
        Ok(pair)
    }

    /// Makes a data folder with what both kinds of making take.
    fn make(&self, number: usize, words: &[&str]) -> Result<(), String> {
        let node = &self.nodes[number];
        let mut command = self.command(number, words);
        command.args(["--name", NAMES[number]]);
        command.arg(format!("--listen={}", free_address()?));
        command.arg(format!("--peers={}", free_address()?));
        command.arg(format!("--ingest={}", node.at));
        step::output(&mut command)?;
        node::append(&node.folder.join("node.toml"), &node::webhook(super::super::mail::SESSIONS))
    }

    fn command(&self, number: usize, words: &[&str]) -> Command {
        let mut command = Command::new(node::program());
        command.arg("--data").arg(&self.nodes[number].folder).arg("--quiet").args(words);
        command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN");
        command
    }

    /// What a node's command line prints.
    pub(super) fn said(&self, number: usize, words: &[&str]) -> Result<String, String> {
        step::output(&mut self.command(number, words))
    }

    /// The same, as the JSON that it is.
    pub(super) fn read(&self, number: usize, words: &[&str]) -> Result<Value, String> {
        let text = self.said(number, &[&["--json"], words].concat())?;
        serde_json::from_str(&text).map_err(|why| format!("{}: {why}", words.join(" ")))
    }

    /// A program of ours that goes on saying something of a node, line by line.
    pub(super) fn listen(&self, number: usize, words: &[&str]) -> Command {
        self.command(number, words)
    }

    /// Starts a node and waits until it answers that it is ready.
    pub(super) fn run(&mut self, number: usize) -> Result<(), String> {
        let mut command = self.command(number, &["run"]);
        let node = &mut self.nodes[number];
        let quiet = command.stdout(std::process::Stdio::null());
        node.process = Some(Child::start_at("steadfast", quiet, node.at, PATIENCE)?);
        let (at, listening) = (node.at, node.folder.join("listening"));
        // The command line finds the node by this file.
        until("listening", || Ok(listening.exists()))?;
        until("ready", || ask(at, "GET", "/readyz", "").map(|answer| answer.is_well()))
    }

    /// kill -9.
    pub(super) fn kill(&mut self, number: usize) {
        self.nodes[number].process = None;
    }

    /// Kills a node and waits until the other one goes on alone.
    pub(super) fn part(&mut self, number: usize) -> Result<(), String> {
        self.kill(number);
        until("alone", || Ok(self.copies(1 - number)? == 1))
    }

    /// Waits until each node says that what it accepts now is on two disks.
    pub(super) fn until_level(&self) -> Result<(), String> {
        until("level", || Ok(self.copies(0)? == 2 && self.copies(1)? == 2))
    }

    /// On how many disks an alert is that a node accepts now.
    fn copies(&self, number: usize) -> Result<u64, String> {
        let status = self.read(number, &["cluster", "status"])?;
        status["copies"].as_u64().ok_or_else(|| format!("the status of the cluster has no copies: {status}"))
    }

    /// Records that a node wrote since its start, as it says of its way to the other one.
    pub(super) fn written(&self, number: usize) -> Result<u64, String> {
        let status = self.read(number, &["cluster", "status"])?;
        let nodes = status["nodes"].as_array().into_iter().flatten();
        let written = nodes.filter_map(|node| node["own"]["written"].as_u64()).max();
        written.ok_or_else(|| format!("the status of the cluster does not say what was written: {status}"))
    }

    /// Every time that a node declared its peer down, in its own words.
    pub(super) fn downs(&self) -> Result<Vec<String>, String> {
        let mut downs = Vec::new();
        for (number, name) in NAMES.iter().enumerate() {
            let trail =
                self.read(number, &["trail", "--kind", "peer-state", "--node", name, "--limit", "500"])?;
            let entries = trail["entries"].as_array().cloned().unwrap_or_default();
            let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let is_down = |entry: &&Value| entry["record"]["peer-state"]["to"] == "down";
            downs.extend(
                entries
                    .iter()
                    .filter(is_down)
                    .map(|entry| format!("{} {name}: {}", text(entry, "at"), text(entry, "text"))),
            );
        }
        downs.sort();
        Ok(downs)
    }

    /// Notices to a node, one by one.
    pub(super) fn singly<'a>(
        &self,
        number: usize,
        connections: usize,
        requests: usize,
        body: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    ) -> Load<'a> {
        Load { at: self.nodes[number].at, path: ONE, connections, requests, body, says: "" }
    }

    /// Notices to a node, in batches.
    pub(super) fn batched<'a>(
        &self,
        number: usize,
        connections: usize,
        requests: usize,
        body: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    ) -> Load<'a> {
        Load { path: MANY, ..self.singly(number, connections, requests, body) }
    }
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> Result<bool, String>) -> Result<(), String> {
    let begun = Instant::now();
    while !is_so()? {
        if PATIENCE < begun.elapsed() {
            return Err(format!("the pair was not {what} in {PATIENCE:?}"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
