//! Reads the machine's clocks, and notices when the wall clock jumps.
//!
//! Between two starts on one boot of the machine, the kernel's boot-time clock tells how long it really was;
//! the file `clock` in the data folder remembers both clocks for that.

use base::{Mono, Now, Wall};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A difference between the clocks beyond this is a jump, not drift.
const JUMP: Duration = Duration::from_secs(60);

/// The clocks of one process.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    wall_at_start: i64,
    suspect: bool,
    file: PathBuf,
}

/// What the clocks said together.
struct Reading {
    /// Names one boot of the machine.
    machine_boot: String,
    wall: i64,
    since_boot: i64,
}

impl Clock {
    /// Starts. `last` is the latest time that the ledger was written at.
    pub(crate) fn start(folder: &Path, last: Option<Wall>) -> Self {
        let file = folder.join("clock");
        let now = reading();
        let before = std::fs::read_to_string(&file).ok().and_then(|text| Reading::parse(&text));
        let jumped = before.is_some_and(|before| before.contradicts(&now));
        let back = last.is_some_and(|last| last.0 > now.wall.saturating_add(1000));
        if jumped || back {
            tracing::warn!(
                "the clock was set while this node was down; nothing expires by it until the next start"
            );
        }
        Self { started: Instant::now(), wall_at_start: now.wall, suspect: jumped || back, file }
    }

    /// The moment it is, on both clocks.
    pub(crate) fn now(&mut self) -> Now {
        let mono = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let wall = wall();
        if !self.suspect && wall.abs_diff(self.wall_at_start.saturating_add(mono)) > millis(JUMP) {
            tracing::warn!("the clock jumped; nothing expires by it until the next start");
            self.suspect = true;
        }
        Now { mono: Mono(u64::try_from(mono).unwrap_or(0)), wall: Wall(wall), suspect: self.suspect }
    }

    /// How long until `at`.
    pub(crate) fn until(&self, at: Mono) -> Duration {
        Duration::from_millis(at.0).saturating_sub(self.started.elapsed())
    }

    /// Writes down what both clocks say, for the next start. Failing changes nothing but how well a jump
    /// is noticed.
    pub(crate) fn remember(&self) {
        if let Err(error) = std::fs::write(&self.file, reading().to_string()) {
            tracing::debug!(%error, "the clock file could not be written");
        }
    }
}

impl Reading {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let machine_boot = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self { machine_boot, wall: number()?, since_boot: number()? })
    }

    /// On one boot of the machine, both clocks must have gone on by the same time.
    fn contradicts(&self, later: &Self) -> bool {
        let by_wall = later.wall.saturating_sub(self.wall);
        let by_boot = later.since_boot.saturating_sub(self.since_boot);
        self.machine_boot == later.machine_boot && by_wall.abs_diff(by_boot) > millis(JUMP)
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {} {}", self.machine_boot, self.wall, self.since_boot)
    }
}

fn reading() -> Reading {
    let machine_boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let since_boot = since_boot.tv_sec.saturating_mul(1000).saturating_add(since_boot.tv_nsec / 1_000_000);
    let machine_boot =
        if machine_boot.trim().is_empty() { "unknown" } else { machine_boot.trim() }.to_owned();
    Reading { machine_boot, wall: wall(), since_boot }
}

/// Milliseconds since 1970 on the machine's clock.
pub(crate) fn wall() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

fn millis(duration: Duration) -> u64 {
    base::time::millis(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(machine_boot: &str, wall: i64, since_boot: i64) -> Reading {
        Reading { machine_boot: machine_boot.into(), wall, since_boot }
    }

    #[test]
    fn a_clock_set_between_two_starts_is_noticed_unless_the_machine_was_restarted() {
        let hour = 3_600_000;
        let before = at("x", 0, 0);
        assert!(!before.contradicts(&at("x", hour, hour + 900)));
        assert!(before.contradicts(&at("x", 25 * hour, hour)));
        assert!(before.contradicts(&at("x", -23 * hour, hour)));
        assert!(!before.contradicts(&at("y", 25 * hour, 10)));
    }

    #[test]
    fn a_reading_reads_back_as_written() {
        let reading = Reading::parse(&at("b-1", 12, 7).to_string()).unwrap();
        assert_eq!((reading.machine_boot.as_str(), reading.wall, reading.since_boot), ("b-1", 12, 7));
        assert!(Reading::parse("").is_none());
    }
}
