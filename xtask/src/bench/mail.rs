//! Postfix's load generator into Postfix's sink: what mail over loopback can reach on this machine.
//!
//! Our own sending is measured into the same sink, so that the difference is ours alone.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use super::child::{Child, free_address};
use super::{Ground, Row};
use crate::{peers, step};

/// Mails sent.
const MAILS: u32 = 20_000;
/// Sessions at the same time.
const SESSIONS: &str = "10";
/// Bytes of a mail's text.
const BYTES: &str = "1000";

/// Measures with connections that stay, then with one for each mail.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let (_sink, at) = sink(ground)?;
    Ok(vec![
        Row::new("measure", "value"),
        Row::new("mails over connections that stay", source(ground, at, &["-d"])?),
        Row::new("mails over a connection each", source(ground, at, &[])?),
    ])
}

/// Postfix's sink on a free port; it takes every mail and forgets it.
pub(super) fn sink(ground: &Ground) -> Result<(Child, SocketAddr), String> {
    let at = free_address()?;
    let mut command = peers::postfix_tool(&ground.peers, "smtp-sink");
    if is_root()? {
        command.args(["-u", "root"]); // It wants to be told that this is meant.
    }
    command.arg(at.to_string()).arg("128");
    Ok((Child::start_at("smtp-sink", &mut command, at)?, at))
}

/// Whether this runs as root: then our own entry in `/proc` belongs to user 0.
fn is_root() -> Result<bool, String> {
    fs::metadata("/proc/self").map(|own| own.uid() == 0).map_err(|why| format!("/proc/self: {why}"))
}

fn source(ground: &Ground, at: SocketAddr, more: &[&str]) -> Result<String, String> {
    let mut command = peers::postfix_tool(&ground.peers, "smtp-source");
    command.args(more).args(["-s", SESSIONS, "-l", BYTES, "-m", &MAILS.to_string()]);
    command.args(["-f", "node@example.org", "-t", "anna@example.org"]).arg(at.to_string());
    let begun = Instant::now();
    step::output(&mut command)?;
    Ok(format!("{:.0}/s", f64::from(MAILS) / begun.elapsed().as_secs_f64()))
}
