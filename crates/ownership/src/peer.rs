//! What is known of one peer: whether it lives, what it holds, and how far we are level with each other.

use crate::{Heartbeat, Timings, Vector};
use base::{LogId, Mono, Name, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Records by which a peer may be behind and still be called level: they are on their way.
const LAG_RECORDS: u64 = 4096;
/// A clock that seems set back by more than this is not believed at once, in milliseconds.
const CLOCK_STEP_MS: i64 = 50;
/// A clock that seems behind by less than this when it is heard first is taken to be like ours, in milliseconds: that
/// word may have waited in a connection that stalled, or for a process that stood still.
const STALL_MS: i64 = 10_000;
/// It is believed once it has seemed so for this long, by this many words.
const CLOCK_BELIEVED: Duration = Duration::from_secs(10);
const CLOCK_WORDS: u32 = 50;
/// Acknowledgements kept while we lack what the peer held when it gave them.
const PENDING_MAX: usize = 32;

/// How a peer is, as seen from here. Never just "the link".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Nothing is known yet: we have just started.
    #[default]
    Unknown,
    /// We hear each other, and each holds what the other had.
    Up,
    /// We hear each other, and one of us lacks something. Nobody waits for it, and it is not in `copies`.
    CatchingUp,
    /// We do not hear each other.
    Down,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Up, Self::CatchingUp, Self::Down];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::CatchingUp => "catching up",
            Self::Down => "down",
        }
    }

    /// We hear each other.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Up | Self::CatchingUp)
    }
}

/// What people are shown of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// How it is.
    pub condition: Condition,
    /// Why, in words.
    pub because: Arc<str>,
    /// Since when, on our monotonic clock.
    pub since: Mono,
    /// Its present boot.
    pub boot: Option<LogId>,
    /// The program's version.
    pub version: Option<Arc<str>>,
    /// The channels that it serves.
    pub channels: BTreeSet<Name>,
    /// How long ago it was heard.
    pub silent: Option<Duration>,
    /// How much of each log is on its disk.
    pub acked: Vector,
    /// How far its wall clock is ahead of ours, in milliseconds.
    pub ahead: Option<i64>,
    /// It is on standby.
    pub standby: bool,
    /// The age of its oldest write that is not on disk.
    pub unsynced: Duration,
}

/// How a clock seems that seems to be set back.
#[derive(Clone, Copy, Debug)]
struct Behind {
    since: Mono,
    words: u32,
    /// By the word that was under way for the shortest time.
    ahead: i64,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one peer")]
pub(crate) struct Peer {
    pub(crate) condition: Condition,
    pub(crate) because: Arc<str>,
    pub(crate) since: Mono,
    pub(crate) boot: Option<LogId>,
    pub(crate) heard: Option<Mono>,
    /// When we last knew that it hears us too.
    mutual: Option<Mono>,
    durable: Vector,
    pub(crate) held: Vector,
    /// What it said of our log, with what it held then and we lack.
    pending: Vec<(u64, Vector)>,
    /// It has our log below this on disk, and we hold what it held when it said so.
    pub(crate) confirmed: u64,
    /// What it had when we first heard this boot of it; we are level once we hold that.
    theirs: Option<Vector>,
    /// What we had when we first heard each other; it is level once it has that on disk.
    ours: Option<Vector>,
    /// We hold all that it had.
    pub(crate) synced: bool,
    pub(crate) ups: Vec<LogId>,
    pub(crate) standby: bool,
    unsynced: Duration,
    pub(crate) ahead: Option<i64>,
    /// All that it says since then makes its clock seem further behind.
    behind: Option<Behind>,
    pub(crate) hello: Option<(Arc<str>, BTreeSet<Name>)>,
    pub(crate) told_durable: Vector,
    pub(crate) told_held: Vector,
    /// How much of each log was handed to its connection.
    pub(crate) sent: Vector,
    pub(crate) connected: bool,
    /// One of us is a witness: no logs go either way, and neither lacks anything of the other.
    pub(crate) no_logs: bool,
    /// A snapshot is on its way that holds at least this.
    pub(crate) snapshot: Option<Vector>,
    /// Some of its records are lost.
    pub(crate) lacks: bool,
    /// It was sent all that we know, for the sake of what it lost.
    pub(crate) helped: bool,
    /// It sent us all that it knows, since we hear it.
    pub(crate) helped_us: bool,
}

impl Peer {
    pub(crate) fn new(now: Mono) -> Self {
        Self {
            condition: Condition::Unknown,
            because: "not heard yet".into(),
            since: now,
            boot: None,
            heard: None,
            mutual: None,
            durable: Vector::new(),
            held: Vector::new(),
            pending: Vec::new(),
            confirmed: 0,
            theirs: None,
            ours: None,
            synced: false,
            ups: Vec::new(),
            standby: false,
            unsynced: Duration::ZERO,
            ahead: None,
            behind: None,
            hello: None,
            told_durable: Vector::new(),
            told_held: Vector::new(),
            sent: Vector::new(),
            connected: false,
            no_logs: false,
            snapshot: None,
            lacks: false,
            helped: false,
            helped_us: false,
        }
    }

    /// How much of a log is on its disk.
    pub(crate) fn acked(&self, log: LogId) -> u64 {
        self.durable.get(&log).copied().unwrap_or(0)
    }

    pub(crate) fn hear(
        &mut self,
        (now, wall): (Mono, Wall),
        beat: &Heartbeat,
        (me, held): (LogId, &Vector),
        (mutual, caught_up): (bool, bool),
    ) {
        if self.boot != Some(beat.boot) {
            self.replace(beat.boot);
        }
        self.heard = Some(now);
        self.ups.clone_from(&beat.ups);
        self.standby = beat.standby;
        self.lacks = beat.lacks;
        self.unsynced = beat.unsynced;
        self.compare(now, beat.wall.0.saturating_sub(wall.0));
        raise(&mut self.durable, &beat.durable);
        raise(&mut self.held, &beat.held);
        raise(&mut self.held, &beat.durable);
        if mutual {
            self.mutual = Some(now);
        }
        self.theirs.get_or_insert_with(|| beat.held.clone());
        let lacking = if caught_up { lacking(held, &self.held) } else { Vector::new() };
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop(); // The one that follows asks for more, and says more.
        }
        self.pending.push((self.acked(me), lacking));
        self.promote(held);
    }

    /// Takes note of how far its clock seems to be ahead. A word that was long under way makes it seem behind: it is
    /// believed only when many words have said so for a while, and then the least of it. Without this what comes after
    /// a stalled connection would be dated by how long it stalled.
    fn compare(&mut self, now: Mono, ahead: i64) {
        let stalled = (-STALL_MS..0).contains(&ahead);
        let known = *self.ahead.get_or_insert(if stalled { 0 } else { ahead });
        if ahead >= known - CLOCK_STEP_MS {
            self.ahead = Some(ahead);
            self.behind = None;
            return;
        }
        let behind = self.behind.get_or_insert(Behind { since: now, words: 0, ahead });
        behind.words += 1;
        behind.ahead = behind.ahead.max(ahead);
        if behind.words >= CLOCK_WORDS && now.since(behind.since) >= CLOCK_BELIEVED {
            self.ahead = Some(behind.ahead);
            self.behind = None;
        }
    }

    /// Another boot of the same node speaks: what the old one held says nothing.
    fn replace(&mut self, boot: LogId) {
        self.boot = Some(boot);
        self.durable.clear();
        self.held.clear();
        self.pending.clear();
        self.confirmed = 0;
        self.theirs = None;
        self.ours = None;
        self.synced = false;
        self.mutual = None;
        self.hello = None;
        self.told_durable.clear();
        self.told_held.clear();
        self.sent.clear();
        self.snapshot = None;
        self.helped = false;
        self.helped_us = false;
    }

    /// Takes note of what we hold by now.
    pub(crate) fn promote(&mut self, held: &Vector) {
        let confirmed = &mut self.confirmed;
        self.pending.retain(|(acked, lacking)| {
            let level = covers(held, lacking);
            if level {
                *confirmed = (*confirmed).max(*acked);
            }
            !level
        });
        self.synced |= self.theirs.as_ref().is_some_and(|theirs| covers(held, theirs));
    }

    /// Its process is gone.
    pub(crate) fn fall(&mut self, because: Arc<str>) -> Option<Condition> {
        self.mutual = None;
        self.heard = None;
        self.enter(Condition::Down, because, None)
    }

    /// We were not there to listen: nothing is known.
    pub(crate) fn doubt(&mut self, now: Mono) {
        self.heard = None;
        self.mutual = None;
        self.synced = false;
        self.theirs = None;
        self.ours = None;
        self.condition = Condition::Unknown;
        self.since = now;
        self.because = "this process stood still for a while".into();
    }

    /// Its condition by the clock; told if that is another one.
    pub(crate) fn review(
        &mut self,
        now: Mono,
        timings: &Timings,
        (me, durable): (LogId, u64),
        held: &Vector,
    ) -> Option<Condition> {
        let hears = self.mutual.is_some_and(|at| now.since(at) <= timings.down_after);
        if !hears {
            if self.condition == Condition::Unknown && now.since(self.since) <= timings.unknown_for() {
                return None;
            }
            let because = match self.heard {
                Some(at) if now.since(at) <= timings.down_after => "it does not hear us",
                Some(_) => "it has been silent for too long",
                None => "it does not answer",
            };
            return self.enter(Condition::Down, because.into(), Some(now));
        }
        if self.no_logs {
            self.synced = true;
            return self.enter(Condition::Up, "it says whom it hears".into(), Some(now));
        }
        if self.unsynced > timings.disk_hangs {
            self.ours = None;
            return self.enter(Condition::CatchingUp, "its disk does not keep up".into(), Some(now));
        }
        if self.condition != Condition::Up {
            let ours = self.ours.get_or_insert_with(|| held.clone());
            let has = covers(&self.durable, ours);
            let lag = durable.saturating_sub(self.durable.get(&me).copied().unwrap_or(0));
            if has && self.synced && lag <= LAG_RECORDS {
                return self.enter(Condition::Up, "it holds what we hold".into(), Some(now));
            }
            if has && lag > LAG_RECORDS {
                self.ours = Some(held.clone()); // More was written meanwhile than it had to catch up with.
            }
            return self.enter(Condition::CatchingUp, "it is being brought level".into(), Some(now));
        }
        None
    }

    fn enter(&mut self, to: Condition, because: Arc<str>, now: Option<Mono>) -> Option<Condition> {
        if to == Condition::Down {
            self.synced = false;
            self.theirs = None;
            self.ours = None;
            self.pending.clear();
        }
        if self.condition == to {
            return None;
        }
        self.condition = to;
        self.because = because;
        self.since = now.unwrap_or(self.since);
        Some(to)
    }

    /// When silence alone changes its condition.
    pub(crate) fn deadline(&self, timings: &Timings) -> Option<Mono> {
        let instant = Duration::from_millis(1);
        match self.condition {
            Condition::Unknown => Some(self.since + timings.unknown_for() + instant),
            Condition::Up | Condition::CatchingUp => self.mutual.map(|at| at + timings.down_after + instant),
            Condition::Down => None,
        }
    }

    pub(crate) fn view(&self, now: Mono) -> PeerView {
        PeerView {
            condition: self.condition,
            because: Arc::clone(&self.because),
            since: self.since,
            boot: self.boot,
            version: self.hello.as_ref().map(|(version, _)| Arc::clone(version)),
            channels: self.hello.as_ref().map(|(_, channels)| channels.clone()).unwrap_or_default(),
            silent: self.heard.map(|at| now.since(at)),
            acked: self.durable.clone(),
            ahead: self.ahead,
            standby: self.standby,
            unsynced: self.unsynced,
        }
    }
}

/// Raises each entry to what `to` says.
fn raise(vector: &mut Vector, to: &Vector) {
    for (log, upto) in to {
        let slot = vector.entry(*log).or_default();
        *slot = (*slot).max(*upto);
    }
}

/// Whether `held` has all that `wanted` asks for.
pub(crate) fn covers(held: &Vector, wanted: &Vector) -> bool {
    wanted.iter().all(|(log, upto)| held.get(log).copied().unwrap_or(0) >= *upto)
}

/// What of `wanted` is missing in `held`.
fn lacking(held: &Vector, wanted: &Vector) -> Vector {
    let lacks = |(log, upto): &(&LogId, &u64)| held.get(*log).copied().unwrap_or(0) < **upto;
    wanted.iter().filter(lacks).map(|(log, upto)| (*log, *upto)).collect()
}
