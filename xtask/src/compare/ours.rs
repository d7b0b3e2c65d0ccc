//! Our pair, made as an operator makes it: `init` and `token create` on one machine, `join` on the other, `run` on
//! both.
//!
//! Separate from `bench/node.rs`, whose node is alone and on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use lab::Process;

use super::pair::{Pair, Room, until_answers, write};
use crate::bench::load::ask;
use crate::step;

const API: u16 = 8443;
const INGEST: u16 = 8080;

/// What the tuned rows add to the node files.
pub(super) const TUNED: &str = "[cluster]\nsilence = \"300ms\"\n";
/// How both nodes notify.
const PROVIDER: &str = "[[providers]]\nname = \"hook-1\"\nchannel = \"webhook\"\nconnections = 4\n";

/// The running pair.
pub(super) struct Ours<'a> {
    room: &'a Room,
    nodes: Vec<Process>,
}

impl<'a> Ours<'a> {
    /// Makes and starts both, with `more` in their node files, and waits until each is ready.
    pub(super) fn start(room: &'a Room, more: &str) -> Result<Self, String> {
        let mut pair = Self { room, nodes: Vec::new() };
        step::output(&mut pair.command(0, &["init", "--name", "north"], true))?;
        append(&pair.folder(0).join("directory.toml"), &directory(room.sink.address()))?;
        append(&pair.folder(0).join("node.toml"), &format!("{PROVIDER}{more}"))?;
        pair.nodes.push(pair.run(0)?);
        pair.ready(0)?;
        let token = step::output(&mut pair.command(0, &["token", "create"], false))?;
        step::output(&mut pair.command(1, &["join", token.trim(), "--name", "south"], true))?;
        append(&pair.folder(1).join("node.toml"), &format!("{PROVIDER}{more}"))?;
        pair.nodes.push(pair.run(1)?);
        pair.ready(1)?;
        Ok(pair)
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.room.file(&format!("data-{node}"))
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
        until_answers(self.process(node)?, at, "/readyz", "")
    }
}

impl Pair for Ours<'_> {
    fn post(&self, node: usize, alert: &str) -> Result<(), String> {
        let body = format!("{{\"summary\":\"{alert}\",\"to\":[\"anna\"],\"severity\":\"warning\"}}");
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
