//! Our pair, made as an operator makes it: `init` and `token create` on one machine, `join` on the other, `run` on
//! both.
//!
//! Separate from `bench/node.rs`, whose node is alone and on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lab::Process;

use super::pair::{Pair, Room, until_answers, write};
use crate::bench::load::ask;
use crate::step;

const API: u16 = 8443;
const INGEST: u16 = 8080;

const PEERS: u16 = 8444;
/// How long the second node may take to hold what the first one does.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tuned rows add to the section `[cluster]` of the node files.
pub(super) const TUNED: &str = "heartbeat = \"30ms\"\ndown_after = \"300ms\"\nclaim_wait = \"100ms\"\n";
/// How both nodes notify.
const PROVIDER: &str = "[[providers]]\nname = \"hook-1\"\nchannel = \"webhook\"\nconnections = 4\n";

/// The running pair.
pub(super) struct Ours<'a> {
    room: &'a Room,
    nodes: Vec<Process>,
}

impl<'a> Ours<'a> {
    /// Makes and starts both, with `more` in their sections `[cluster]`, and waits until each is ready.
    pub(super) fn start(room: &'a Room, more: &str) -> Result<Self, String> {
        let mut pair = Self { room, nodes: Vec::new() };
        step::output(&mut pair.command(0, &["init", "--name", "north"], true))?;
        append(&pair.folder(0).join("directory.toml"), &directory(room.sink.address()))?;
        // `join` writes down by itself where peers reach the node, `init` does not know it.
        let addresses = format!("addresses = [\"{}:{PEERS}\"]\n", room.lan.address(0));
        pair.complete(0, &format!("{addresses}{more}"))?;
        pair.nodes.push(pair.run(0)?);
        pair.ready(0)?;
        let token = step::output(&mut pair.command(0, &["token", "create"], false))?;
        let address = format!("--address={}:{PEERS}", room.lan.address(1));
        let join = ["join", token.trim(), "--name", "south", &address];
        step::output(&mut pair.command(1, &join, true))?;
        pair.complete(1, more)?;
        pair.nodes.push(pair.run(1)?);
        pair.ready(1)?;
        pair.level()?;
        Ok(pair)
    }

    /// Waits until what the first node accepts is on two disks.
    fn level(&self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let status = step::output(&mut self.command(0, &["--json", "cluster", "status"], false))?;
            let status: serde_json::Value =
                serde_json::from_str(&status).map_err(|why| format!("the status of the cluster: {why}"))?;
            if status["copies"] == 2 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the pair did not come level in {PATIENCE:?}"))
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.room.file(&format!("data-{node}"))
    }

    /// Adds to a node file how to notify, and these keys to its section `[cluster]`.
    fn complete(&self, node: usize, keys: &str) -> Result<(), String> {
        let file = self.folder(node).join("node.toml");
        let before = fs::read_to_string(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        write(&file, &completed(&before, keys))
    }

    /// The program at a node with these words, and with where it listens for those that make a node.
    fn command(&self, node: usize, words: &[&str], makes: bool) -> Command {
        let lan = &self.room.lan;
        let mut command = Command::new(program());
        command.arg("--data").arg(self.folder(node)).args(words);
        if makes {
            command.arg(format!("--listen={}:{API}", lan.address(node)));
            command.arg(format!("--ingest={}:{INGEST}", lan.side(node)));
        }
        command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN");
        lan.at(node, &command)
    }

    fn run(&self, node: usize) -> Result<Process, String> {
        let log = self.room.file(&format!("node-{node}.log"));
        Process::start(&mut self.command(node, &["run"], false), &log)
    }

    fn ready(&mut self, node: usize) -> Result<(), String> {
        let at = ingest(self.room, node);
        until_answers(self.process(node)?, at, "/readyz", "")?;
        // The command line finds the node by this file.
        let (begun, listening) = (Instant::now(), self.folder(node).join("listening"));
        while !listening.exists() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Pair for Ours<'_> {
    fn post(&self, node: usize, alert: &str) -> Result<(), String> {
        // The same text and labels are the same alert, at whichever node; without labels each would be one of its own.
        let body = format!(
            "{{\"summary\":\"{alert}\",\"to\":[\"anna\"],\"severity\":\"warning\",\
             \"labels\":{{\"alertname\":\"{alert}\"}}}}"
        );
        let answer = ask(ingest(self.room, node), "POST", "/api/v1/notices", &body)?;
        if answer.is_well() { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }

    fn first(&self) -> usize {
        0
    }

    fn process(&mut self, node: usize) -> Result<&mut Process, String> {
        self.nodes.get_mut(node).ok_or_else(|| "there is no such node".to_owned())
    }

    fn restart(&mut self, node: usize) -> Result<(), String> {
        *self.process(node)? = self.run(node)?;
        self.ready(node)
    }
}

fn ingest(room: &Room, node: usize) -> SocketAddr {
    (room.lan.side(node), INGEST).into()
}

fn append(file: &std::path::Path, text: &str) -> Result<(), String> {
    let before = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
    write(file, &format!("{before}\n{text}"))
}

/// A node file with a provider and with these keys in its section `[cluster]`.
fn completed(before: &str, keys: &str) -> String {
    let head = "\n[cluster]\n";
    if before.contains(head) {
        return format!("{}\n{PROVIDER}", before.replacen(head, &format!("{head}{keys}"), 1));
    }
    format!("{before}{head}listen = \"0.0.0.0:{PEERS}\"\n{keys}\n{PROVIDER}")
}

/// Anna, who is told by a webhook, and alerts that stay open.
fn directory(hook: SocketAddr) -> String {
    format!(
        "[recipients.anna]\ntitle = \"Anna\"\naddresses = [{{ channel = \"webhook\", value = \"http://{hook}/\" }}]\n\
         [policies.default]\nmode = \"basic\"\n"
    )
}

/// Whether the program at hand knows pairs.
pub(super) fn is_there() -> bool {
    step::output(Command::new(program()).args(["join", "--help"])).is_ok()
}

/// Our program, as `cargo build --release` leaves it.
fn program() -> PathBuf {
    step::target().join("release/steadfast")
}

/// `steadfast 0.1.0`.
pub(super) fn version() -> String {
    step::output(Command::new(program()).arg("--version")).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_completed_or_made() {
        for before in ["name = \"a\"\n", "name = \"a\"\n\n[cluster]\nlisten = \"0.0.0.0:8444\"\n\n[api]\n"] {
            let text = completed(before, "gate = \"1s\"\n");
            let file: toml::Table = text.parse().unwrap_or_else(|why| panic!("{why}: {text}"));
            assert_eq!(file["cluster"]["gate"].as_str(), Some("1s"), "{text}");
            assert_eq!(file["cluster"]["listen"].as_str(), Some("0.0.0.0:8444"), "{text}");
            assert_eq!(file["providers"].as_array().map(Vec::len), Some(1), "{text}");
        }
    }
}
