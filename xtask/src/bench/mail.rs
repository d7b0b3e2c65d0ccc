//! Mails per second into Postfix's sink: by Postfix's own load generator, and by a node of ours.
//!
//! The sink is the same, and so is the number of sessions, so that the difference is ours alone.

use std::fs;
use std::io::{BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{self, Child, free_address};
use super::node::{self, Node};
use super::sink::until;
use super::{Ground, Row, rate};
use crate::{peers, step};

/// Sessions at the same time, on either side.
pub(super) const SESSIONS: usize = 10;
/// Mails sent.
const MAILS: usize = 10_000;
/// Bytes of a mail's text.
const BYTES: &str = "1000";
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures Postfix's generator, then a mass alert, then as many single alerts.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let stays = source(ground, &["-d"])?;
    let each = source(ground, &[])?;
    let mass = mass(ground)?;
    Ok(vec![
        Row::new(
            "mails of one alert to 10,000 people",
            mass,
            format!("{stays} smtp-source, connections stay"),
        ),
        Row::new(
            "mails of 10,000 alerts to one person",
            single(ground)?,
            format!("{each} smtp-source, one each"),
        ),
    ])
}

fn mass(ground: &Ground) -> Result<String, String> {
    let sink = Sink::start(ground)?;
    let node = Node::started(ground, "mass", &node::mail(sink.address(), SESSIONS), &node::crowd(MAILS))?;
    let begun = Instant::now();
    node.send("all leave the building", "all")?;
    sink.wait(MAILS, PATIENCE)?;
    Ok(rate(MAILS, begun.elapsed()))
}

fn single(ground: &Ground) -> Result<String, String> {
    let sink = Sink::start(ground)?;
    let node = Node::started(ground, "single", &node::mail(sink.address(), SESSIONS), &node::crowd(0))?;
    let body = |number: usize| node::batch(number, 50);
    let begun = Instant::now();
    node.batched(8, MAILS / 50, &body).run()?;
    sink.wait(MAILS, PATIENCE)?;
    Ok(rate(MAILS, begun.elapsed()))
}

fn source(ground: &Ground, more: &[&str]) -> Result<String, String> {
    let sink = Sink::start(ground)?;
    let mut command = peers::postfix_tool(&ground.peers, "smtp-source");
    command.args(more).args(["-s", &SESSIONS.to_string(), "-l", BYTES, "-m", &MAILS.to_string()]);
    command.args(["-f", "node@example.org", "-t", "anna@example.org"]).arg(sink.address().to_string());
    let begun = Instant::now();
    step::output(&mut command)?;
    Ok(rate(MAILS, begun.elapsed()))
}

/// Postfix's sink on a free port; it takes every mail, counts it and forgets it.
pub(super) struct Sink {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
    _process: Child,
}

impl Sink {
    /// Starts it.
    pub(super) fn start(ground: &Ground) -> Result<Self, String> {
        let address = free_address()?;
        let mut command = peers::postfix_tool(&ground.peers, "smtp-sink");
        if is_root()? {
            command.args(["-u", "root"]); // It wants to be told that this is meant.
        }
        command.arg("-c").arg(address.to_string()).arg("128").stdout(Stdio::piped());
        let mut process = Child::start_at("smtp-sink", &mut command, address, child::PATIENCE)?;
        let received = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&received);
        let output = process.output().ok_or("smtp-sink has no output")?;
        thread::spawn(move || follow(BufReader::new(output), &counter));
        Ok(Self { address, received, _process: process })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Mails taken so far.
    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    /// Waits until so many mails were taken.
    pub(super) fn wait(&self, count: usize, patience: Duration) -> Result<(), String> {
        until(|| self.received(), count, patience)
    }
}

/// Reads what the sink counts aloud, `sess=1 quit=0 mesg=17` and a carriage return, until it ends.
fn follow(mut output: impl Read, counter: &AtomicUsize) {
    let mut number = None;
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = output.read(&mut bytes) {
        for byte in bytes.iter().take(read) {
            match (byte, number) {
                (b'0'..=b'9', Some(so_far)) => number = Some(so_far * 10 + usize::from(byte - b'0')),
                (b'\r', Some(mails)) => {
                    counter.store(mails, Ordering::SeqCst);
                    number = None;
                }
                // Each number starts anew; the one before the end of the line is that of the mails.
                _ => number = Some(0),
            }
        }
    }
}

/// Whether this runs as root: then our own entry in `/proc` belongs to user 0.
fn is_root() -> Result<bool, String> {
    fs::metadata("/proc/self").map(|own| own.uid() == 0).map_err(|why| format!("/proc/self: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sink_counts_is_read() {
        let counter = AtomicUsize::new(0);
        follow(&b"sess=1 quit=0 mesg=9\rsess=2 quit=11 mesg=104\rsess=2 quit"[..], &counter);
        assert_eq!(counter.into_inner(), 104);
    }
}
