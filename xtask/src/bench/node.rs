//! A node of ours in a folder of its own: made, started, killed and asked, as an operator would.
//!
//! It is spoken to over its plain-HTTP listener, as the others are, so that both sides speak the same.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::Ground;
use super::child::{Child, free_address, resident};
use super::load::{Load, ask};
use crate::step;

/// The path that takes one notice.
pub(super) const ONE: &str = "/api/v1/notices";
/// The path that takes a list of them.
pub(super) const MANY: &str = "/api/v1/notices/batch";
/// How long a node may take to its first yes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A data folder and, while it runs, the node's process.
pub(super) struct Node {
    folder: PathBuf,
    /// The plain-HTTP listener.
    pub(super) at: SocketAddr,
    process: Option<Child>,
}

impl Node {
    /// A node called `name` with one provider, given as TOML, and a directory besides the admin's token.
    pub(super) fn make(ground: &Ground, name: &str, provider: &str, directory: &str) -> Result<Self, String> {
        let folder = ground.scratch.join(name);
        let (api, at, peers) = (free_address()?, free_address()?, free_address()?);
        let mut init = Command::new(program());
        init.arg("--data").arg(&folder).args(["init", "--name", name]);
        init.args(["--listen", &api.to_string(), "--ingest", &at.to_string()]);
        init.args(["--peers", &peers.to_string()]);
        step::output(&mut init)?;
        append(&folder.join("node.toml"), provider)?;
        append(&folder.join("directory.toml"), directory)?;
        Ok(Self { folder, at, process: None })
    }

    /// The same, started and ready.
    pub(super) fn started(
        ground: &Ground,
        name: &str,
        provider: &str,
        directory: &str,
    ) -> Result<Self, String> {
        let mut node = Self::make(ground, name, provider, directory)?;
        node.start()?;
        Ok(node)
    }

    /// Starts it, and says how long it took until it answered that it is ready.
    pub(super) fn start(&mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        let mut command = Command::new(program());
        command.arg("--data").arg(&self.folder).arg("run");
        self.process = Some(Child::start_at(
            "steadfast",
            command.stdout(std::process::Stdio::null()),
            self.at,
            PATIENCE,
        )?);
        while !ask(self.at, "GET", "/readyz", "")?.is_well() {
            if PATIENCE < begun.elapsed() {
                return Err("the node did not become ready".to_owned());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(begun.elapsed())
    }

    /// The admin's token.
    pub(super) fn token(&self) -> Result<String, String> {
        let file = self.folder.join("admin.token");
        let text = fs::read_to_string(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(text.trim().to_owned())
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// Its resident memory, in bytes.
    pub(super) fn resident(&self) -> Result<u64, String> {
        resident(self.process.as_ref().ok_or("the node does not run")?.pid())
    }

    /// Notices to `to`, one by one.
    pub(super) fn singly<'a>(
        &self,
        connections: usize,
        requests: usize,
        body: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    ) -> Load<'a> {
        Load { at: self.at, path: ONE, connections, requests, body, says: "" }
    }

    /// Notices in batches.
    pub(super) fn batched<'a>(
        &self,
        connections: usize,
        requests: usize,
        body: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    ) -> Load<'a> {
        Load { path: MANY, ..self.singly(connections, requests, body) }
    }

    /// Sends one notice over a connection of its own.
    pub(super) fn send(&self, summary: &str, to: &str) -> Result<(), String> {
        let answer = ask(self.at, "POST", ONE, &notice(summary, to))?;
        if answer.is_well() { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }

    /// Sends one notice by the command line, and waits until it says that its recipients were told.
    pub(super) fn send_and_see(&self, summary: &str, to: &str) -> Result<Duration, String> {
        let mut command = Command::new(program());
        command.arg("--data").arg(&self.folder);
        command.args(["--quiet", "send", "-i", to, "-m", summary, "--wait", "sent"]);
        command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN");
        let begun = Instant::now();
        step::output(&mut command)?;
        Ok(begun.elapsed())
    }
}

/// Our program, as `cargo build --release` leaves it.
pub(super) fn program() -> PathBuf {
    step::target().join("release/steadfast")
}

/// Adds to a file.
pub(super) fn append(file: &std::path::Path, text: &str) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("{}: {why}", file.display());
    let before = fs::read_to_string(file).map_err(failed)?;
    fs::write(file, format!("{before}\n{text}")).map_err(failed)
}

/// A provider that mails to `at`.
pub(super) fn mail(at: SocketAddr, connections: usize) -> String {
    format!(
        "[[providers]]\nname = \"mail-1\"\nchannel = \"mail\"\nhost = \"{}\"\nport = {}\ntls = \"plain\"\n\
         sender = \"node@example.org\"\nconnections = {connections}\n",
        at.ip(),
        at.port()
    )
}

/// A provider that posts webhooks.
pub(super) fn webhook(connections: usize) -> String {
    format!("[[providers]]\nname = \"hook-1\"\nchannel = \"webhook\"\nconnections = {connections}\n")
}

/// A directory in which the group `all` has so many people, Anna stands outside it, and alerts stay open
/// until somebody acknowledges.
pub(super) fn crowd(people: usize) -> String {
    let mut text = String::from(
        "[recipients.anna]\ntitle = \"Anna\"\naddresses = [{ channel = \"mail\", value = \"anna@example.org\" }]\n\
         [policies.default]\nmode = \"basic\"\n",
    );
    let members: Vec<String> = (0..people).map(|number| format!("\"p{number}\"")).collect();
    for number in 0..people {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "[recipients.p{number}]\ntitle = \"Person {number}\"\n\
             addresses = [{{ channel = \"mail\", value = \"p{number}@example.org\" }}]"
        );
    }
    format!("{text}[groups.all]\ntitle = \"All\"\nmembers = [{}]\n", members.join(", "))
}

/// The same with one recipient, who is told by a webhook.
pub(super) fn hooked(at: SocketAddr) -> String {
    format!(
        "[recipients.anna]\ntitle = \"Anna\"\naddresses = [{{ channel = \"webhook\", value = \"http://{at}/\" }}]\n\
         [policies.default]\nmode = \"basic\"\n"
    )
}

/// A notice as JSON.
pub(super) fn notice(summary: &str, to: &str) -> String {
    format!("{{\"summary\":\"{summary}\",\"to\":[\"{to}\"],\"severity\":\"warning\"}}")
}

/// A batch of `each` notices for Anna that occur in no other batch.
pub(super) fn batch(number: usize, each: usize) -> Vec<u8> {
    let one = |n: usize| notice(&format!("valve {} stuck", number * each + n), "anna");
    let list: Vec<String> = (0..each).map(one).collect();
    format!("[{}]", list.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_notice_occurs_in_two_batches() {
        let text = |number| String::from_utf8(batch(number, 2)).unwrap();
        assert!(text(0).contains("valve 0 ") && text(0).contains("valve 1 "));
        assert!(text(1).contains("valve 2 ") && text(1).contains("valve 3 "));
    }

    #[test]
    fn a_crowd_is_a_directory() {
        let directory: toml::Table = crowd(3).parse().unwrap();
        assert_eq!(directory["recipients"].as_table().unwrap().len(), 4);
        assert_eq!(directory["groups"]["all"]["members"].as_array().unwrap().len(), 3);
    }
}
