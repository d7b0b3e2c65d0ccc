//! Two nodes of one program on two machines, as the comparison sees any program.
//!
//! Separate from the programs themselves, so that each is asked the same in the same order.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Lan, Process, Sink};

use crate::bench::load::ask;

/// How long a node may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two nodes, numbered 0 and 1, that know each other and tell one receiver of every alert.
pub(super) trait Pair {
    /// Hands one alert to a node, and returns when that has said yes.
    fn post(&self, node: usize, alert: &str) -> Result<(), String>;
    /// The node that sends first what both were given.
    fn first(&self) -> usize;
    /// A node's process.
    fn process(&mut self, node: usize) -> Result<&mut Process, String>;
    /// Starts a node that has ended again, on what is left on its disk, and waits until it is ready.
    fn restart(&mut self, node: usize) -> Result<(), String>;
}

/// Where one trial happens.
pub(super) struct Room {
    /// The foreign programs.
    pub(super) peers: PathBuf,
    /// An empty folder.
    pub(super) folder: PathBuf,
    /// The network.
    pub(super) lan: Lan,
    /// The receiver.
    pub(super) sink: Sink,
}

impl Room {
    /// A network of two nodes and a receiver; `name` is that of the trial.
    pub(super) fn new(ground: &super::Ground, name: &str) -> Result<Self, String> {
        let folder = ground.scratch.join(name);
        fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        let lan = Lan::new(2)?;
        let sink = Sink::start(lan.outside())?;
        Ok(Self { peers: ground.peers.clone(), folder, lan, sink })
    }

    /// The file in this room's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Writes a file whole.
pub(super) fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))
}

/// Waits until a node's server answers `path` well, with `text` in its answer.
pub(super) fn until_answers(
    process: &mut Process,
    at: SocketAddr,
    path: &str,
    text: &str,
) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        if ask(at, "GET", path, "").is_ok_and(|answer| answer.is_well() && answer.body.contains(text)) {
            return Ok(());
        }
        if let Some(status) = process.ended() {
            return Err(format!("a node ended with {status} before it was ready: {}", process.log()));
        }
        if PATIENCE < begun.elapsed() {
            return Err(format!("a node did not become ready: {}", process.log()));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
