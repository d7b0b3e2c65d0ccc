//! How soon the other machine is in control: keepalived's backup holds the address, ours sends what was pending.
//!
//! Separate from `cases`: one time per trial, and nothing to count. Ours is measured to the end of the work and not
//! to the decision: the first node has begun to send a notification whose receiver does not answer; the time is
//! that from the node's end until the same notification arrives from the other node.

use std::time::{Duration, Instant};

use lab::{Lan, Process};

use super::keepalived::{self, Setting, Taken};
use super::ours::{self, Ours};
use super::pair::{Pair as _, Room};
use super::{Ground, trials};
use crate::bench::Row;
use crate::say;

/// Trials at the same time: few, because some of these times are milliseconds.
const THREADS: usize = 2;
/// How long ours may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The priorities in the sample of keepalived's manual, and the highest that one can set.
const SAMPLE: [u8; 2] = [150, 100];
const HIGHEST: [u8; 2] = [254, 253];

/// How the end of the node in control comes.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// Its cable is pulled.
    Unplug,
    /// It is asked to end (SIGTERM), and may say good-bye.
    Terminate,
    /// Its processes are killed (-9); the machine stays.
    Kill,
}

impl End {
    /// Does it to node 0 of a network.
    pub(super) fn happen(self, lan: &Lan, process: &mut Process) -> Result<(), String> {
        match self {
            Self::Unplug => lan.unplug(0)?,
            Self::Terminate => process.terminate(),
            Self::Kill => process.kill(),
        }
        Ok(())
    }
}

/// One row: what is done, to whom.
struct Fault {
    what: &'static str,
    end: End,
    /// What is added to our node files; nothing where ours has no such setting.
    ours: Option<&'static str>,
    theirs: Setting,
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "cable pulled, defaults (theirs: adverts every 1 s)",
        end: End::Unplug,
        ours: Some(""),
        theirs: Setting { interval: "1", priorities: SAMPLE },
    },
    Fault {
        what: "cable pulled, tuned (theirs: every 0.1 s)",
        end: End::Unplug,
        ours: Some(ours::TUNED),
        theirs: Setting { interval: "0.1", priorities: HIGHEST },
    },
    Fault {
        what: "cable pulled, adverts every 0.01 s",
        end: End::Unplug,
        ours: None,
        theirs: Setting { interval: "0.01", priorities: HIGHEST },
    },
    Fault {
        what: "asked to end (SIGTERM), defaults",
        end: End::Terminate,
        ours: Some(""),
        theirs: Setting { interval: "1", priorities: SAMPLE },
    },
    Fault {
        what: "process killed (-9), defaults",
        end: End::Kill,
        ours: Some(""),
        theirs: Setting { interval: "1", priorities: SAMPLE },
    },
];

/// Every row.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (at, fault) in FAULTS.iter().enumerate() {
        let ours = match fault.ours.filter(|_| ours::is_there()) {
            None => Vec::new(),
            Some(more) => trials::run(ground.trials, THREADS, |number| {
                let room = Room::new(ground, &format!("takeover-ours-{at}-{number}"))?;
                trial(&room, more, fault.end)
            })?,
        };
        let theirs = trials::run(ground.trials, THREADS, |number| {
            // Spread over a second, the longest interval between adverts.
            let phase = Duration::from_millis(1000 * number as u64 / ground.trials as u64);
            let name = format!("takeover-keepalived-{at}-{number}");
            keepalived::trial(ground, fault.theirs, fault.end, phase, &name)
        })?;
        say::complaint(&format!("{}: done", fault.what));
        rows.push(Row::new(
            format!("{}, median / worst", fault.what),
            trials::median_and_worst(ours),
            told(&theirs),
        ));
    }
    Ok(rows)
}

/// From the end of our first node until the second has sent what the first had begun.
fn trial(room: &Room, more: &str, end: End) -> Result<Duration, String> {
    let alert = "pump-7-stopped";
    let mut pair = Ours::start(room, more)?;
    room.sink.stall(room.lan.side(0));
    pair.post(0, alert)?;
    if room.sink.wait(alert, 1, PATIENCE).is_empty() {
        return Err("the first node did not begin to send".to_owned());
    }
    let begun = Instant::now();
    end.happen(&room.lan, pair.process(0)?)?;
    let sent = room.sink.wait(alert, 2, PATIENCE);
    let second = sent.iter().find(|arrival| arrival.from == room.lan.side(1));
    let second = second.ok_or("the second node did not send what the first had begun")?;
    Ok(second.at.saturating_duration_since(begun))
}

/// The times, and whether the address was then at both.
fn told(taken: &[Taken]) -> String {
    let times = trials::median_and_worst(taken.iter().map(|taken| taken.after).collect());
    let both = taken.iter().filter(|taken| taken.both).count();
    if both == 0 { times } else { format!("{times}; {both} of {} times at both", taken.len()) }
}
