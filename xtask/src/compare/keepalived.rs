//! Debian's keepalived (VRRP) on two machines: the anchor for how soon a standby is in control.
//!
//! Separate from `alertmanager`, because it holds an address and knows no alerts. Priorities and intervals are
//! those of its manual's sample unless a row says otherwise; RFC 5798 adds to three intervals a part of one that
//! is smaller the higher the priority, so that the tuned rows use the highest.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Lan, Process};

use super::Ground;
use super::pair::write;
use super::takeover::End;
use crate::peers;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the address is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// How the pair is set.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// `advert_int`, in seconds.
    pub(super) interval: &'static str,
    /// Priorities of the master and the backup.
    pub(super) priorities: [u8; 2],
}

/// What a trial saw.
pub(super) struct Taken {
    /// From the master's end until the backup holds the address.
    pub(super) after: Duration,
    /// The master's machine holds it still.
    pub(super) both: bool,
}

/// Starts a pair, waits until it is settled, ends the master, and waits for the backup.
///
/// `phase`, below a second, is how much later than usual the end comes: adverts are periodic, and so would be the
/// times of trials that all begin alike.
pub(super) fn trial(
    ground: &Ground,
    setting: Setting,
    end: End,
    phase: Duration,
    name: &str,
) -> Result<Taken, String> {
    let folder = ground.scratch.join(name);
    std::fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let lan = Lan::new(2)?;
    let mut master = process(ground, &lan, setting, &folder, 0)?;
    until_held(&lan, 0, &master)?;
    let backup = process(ground, &lan, setting, &folder, 1)?;
    until_standing_by(&backup)?;
    thread::sleep(phase);
    let begun = Instant::now();
    end.happen(&lan, &mut master)?;
    until_held(&lan, 1, &backup)?;
    let after = begun.elapsed();
    Ok(Taken { after, both: lan.holds(0, lan.spare())? })
}

fn process(
    ground: &Ground,
    lan: &Lan,
    setting: Setting,
    folder: &Path,
    node: usize,
) -> Result<Process, String> {
    let file = folder.join(format!("node-{node}.conf"));
    write(&file, &configuration(lan, setting, node))?;
    let mut command = peers::keepalived(&ground.peers);
    command.args(["--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file"]).arg(file);
    for (option, name) in [("--pid", "all"), ("--vrrp_pid", "vrrp")] {
        command.arg(option).arg(folder.join(format!("{name}-{node}.pid")));
    }
    Process::start(&mut lan.at(node, &command), &folder.join(format!("node-{node}.log")))
}

/// Waits until a node holds the address.
fn until_held(lan: &Lan, node: usize, process: &Process) -> Result<(), String> {
    until(process, || lan.holds(node, lan.spare()))
}

/// Waits until the backup says that it is one, and then for two of the slowest adverts: it says nothing of those.
fn until_standing_by(process: &Process) -> Result<(), String> {
    until(process, || Ok(process.log().contains("Entering BACKUP STATE")))?;
    thread::sleep(Duration::from_millis(2200));
    Ok(())
}

fn until(process: &Process, mut is_so: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let begun = Instant::now();
    while !is_so()? {
        if PATIENCE < begun.elapsed() {
            return Err(format!("keepalived did not come that far: {}", process.log()));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

fn configuration(lan: &Lan, setting: Setting, node: usize) -> String {
    let state = if node == 0 { "MASTER" } else { "BACKUP" };
    let priority = setting.priorities.get(node).copied().unwrap_or_default();
    format!(
        "global_defs {{\n  router_id node{node}\n  vrrp_version 3\n}}\n\
         vrrp_instance front {{\n  state {state}\n  interface lan\n  virtual_router_id 51\n  priority {priority}\n  \
         advert_int {}\n  virtual_ipaddress {{\n    {}/24 dev lan\n  }}\n}}\n",
        setting.interval,
        lan.spare()
    )
}

/// `Keepalived v2.2.7`.
pub(super) fn version(peers: &Path) -> String {
    // It tells its version on standard error.
    let said = peers::keepalived(peers).arg("--version").output();
    let said = said.map(|done| String::from_utf8_lossy(&done.stderr).into_owned()).unwrap_or_default();
    said.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
