//! What peers say to each other besides records.

use base::{LogId, Name, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How much of each log: everything below the number.
pub type Vector = BTreeMap<LogId, u64>;

/// The first message on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The program's version.
    pub version: Arc<str>,
    /// The channels that this boot has providers for.
    pub channels: BTreeSet<Name>,
    /// The heartbeat, with whole vectors.
    pub heartbeat: Heartbeat,
}

/// Said every tenth of a second, and at once when something became durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who speaks.
    pub boot: LogId,
    /// Its wall clock, to notice clocks that differ. Nothing is decided by it.
    pub wall: Wall,
    /// How much of each log is on its disk; only what changed since it was last said.
    pub durable: Vector,
    /// How much of each log it holds; only what changed since it was last said.
    pub held: Vector,
    /// The boot of yours that it hears. Without this a link that carries one way only would count, and both
    /// ends would disagree for ever on who is alive.
    pub hears: Option<LogId>,
    /// The boots that it and they hear of each other: it vouches for them.
    pub ups: Vec<LogId>,
    /// The age of its oldest write that is not on disk yet.
    pub unsynced: Duration,
    /// It is on standby: another node sends what it accepts.
    pub standby: bool,
    /// Some of the records that it counts as held cannot be read there any more. Without this nobody would send
    /// them again, and it would differ from all others for ever.
    pub lacks: bool,
}
