//! How the small messages are written as JSON: greetings, heartbeats, and the borders of a snapshot.
//!
//! Separate from `frame`, which knows bytes and lengths, and from `ownership`, which must not know serde.

use crate::frame::{Cause, Lane, Open, SnapBegin};
use crate::version::Version;
use base::time::millis;
#[cfg(test)]
use base::{BootId, NodeId};
use base::{Digest, LogId, Name, RecordId, Wall};
use ownership::{Heartbeat, Hello, Vector};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

/// A message as it is written.
pub(crate) trait Form: Serialize + DeserializeOwned {
    /// What it is a form of.
    type Value;
    /// The form of a value.
    fn of(value: &Self::Value, version: Version) -> Self;
    /// The value of a form; what is wrong with it otherwise.
    fn value(self, version: Version) -> Result<Self::Value, String>;
}

/// How much of each log, by the log's text.
type Numbers = BTreeMap<String, u64>;

fn numbers(vector: &Vector) -> Numbers {
    vector.iter().map(|(log, number)| (log.to_string(), *number)).collect()
}

fn vector(numbers: &Numbers) -> Result<Vector, String> {
    numbers.iter().map(|(text, number)| Ok((parse(text)?, *number))).collect()
}

fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

/// `Open`: who dials, and for what.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenForm {
    cluster: String,
    boot: String,
    lane: String,
    versions: String,
}

impl Form for OpenForm {
    type Value = Open;

    fn of(open: &Open, _: Version) -> Self {
        Self {
            cluster: open.cluster.to_string(),
            boot: open.boot.to_string(),
            lane: open.lane.word().to_owned(),
            versions: open.versions.clone(),
        }
    }

    fn value(self, _: Version) -> Result<Open, String> {
        let lane = Lane::ALL.into_iter().find(|lane| lane.word() == self.lane);
        Ok(Open {
            cluster: Digest::parse(&self.cluster).ok_or("cluster is no digest")?,
            boot: parse(&self.boot)?,
            lane: lane.ok_or("lane is neither control nor bulk")?,
            versions: self.versions,
        })
    }
}

/// `Refused`: why the connection ends.
#[derive(Serialize, Deserialize)]
pub(crate) struct RefusedForm {
    cause: String,
    why: String,
}

impl Form for RefusedForm {
    type Value = (Cause, String);

    fn of((cause, why): &Self::Value, _: Version) -> Self {
        Self { cause: cause.word().to_owned(), why: why.clone() }
    }

    fn value(self, _: Version) -> Result<Self::Value, String> {
        let cause = Cause::ALL.into_iter().find(|cause| cause.word() == self.cause);
        // A cause that a later program invented still comes with its words.
        Ok((cause.unwrap_or(Cause::Other), self.why))
    }
}

/// `Hello`.
#[derive(Serialize, Deserialize)]
pub(crate) struct HelloForm {
    version: String,
    channels: Vec<String>,
    heartbeat: BeatForm,
}

impl Form for HelloForm {
    type Value = Hello;

    fn of(hello: &Hello, version: Version) -> Self {
        Self {
            version: hello.version.to_string(),
            channels: hello.channels.iter().map(Name::to_string).collect(),
            heartbeat: BeatForm::of(&hello.heartbeat, version),
        }
    }

    fn value(self, version: Version) -> Result<Hello, String> {
        Ok(Hello {
            version: self.version.into(),
            channels: self.channels.iter().map(|name| parse(name)).collect::<Result<_, _>>()?,
            heartbeat: self.heartbeat.value(version)?,
        })
    }
}

/// `Hb`.
#[derive(Serialize, Deserialize)]
pub(crate) struct BeatForm {
    boot: String,
    wall: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    durable: Numbers,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    held: Numbers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hears: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsynced_ms: Option<u64>,
    #[serde(default)]
    standby: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    lacks: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Form for BeatForm {
    type Value = Heartbeat;

    fn of(beat: &Heartbeat, version: Version) -> Self {
        Self {
            boot: beat.boot.to_string(),
            wall: beat.wall.0,
            durable: numbers(&beat.durable),
            held: numbers(&beat.held),
            hears: beat.hears.map(|log| log.to_string()),
            ups: beat.ups.iter().map(LogId::to_string).collect(),
            unsynced_ms: version.tells_unsynced.then(|| millis(beat.unsynced)),
            standby: beat.standby,
            lacks: version.tells_losses && beat.lacks,
        }
    }

    fn value(self, version: Version) -> Result<Heartbeat, String> {
        let unsynced = self.unsynced_ms.filter(|_| version.tells_unsynced);
        Ok(Heartbeat {
            boot: parse(&self.boot)?,
            wall: Wall(self.wall),
            durable: vector(&self.durable)?,
            held: vector(&self.held)?,
            hears: self.hears.as_deref().map(parse).transpose()?,
            ups: self.ups.iter().map(|log| parse(log)).collect::<Result<_, _>>()?,
            unsynced: Duration::from_millis(unsynced.unwrap_or(0)),
            standby: self.standby,
            lacks: version.tells_losses && self.lacks,
        })
    }
}

/// `SnapBegin`.
#[derive(Serialize, Deserialize)]
pub(crate) struct SnapBeginForm {
    upto: Numbers,
    rows: u64,
    extra: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
}

impl Form for SnapBeginForm {
    type Value = SnapBegin;

    fn of(begin: &SnapBegin, version: Version) -> Self {
        let lost = begin.lost.iter().filter(|_| version.tells_losses);
        Self {
            upto: numbers(&begin.upto),
            rows: begin.rows,
            extra: begin.extra,
            lost: lost.map(RecordId::to_string).collect(),
        }
    }

    fn value(self, _: Version) -> Result<SnapBegin, String> {
        Ok(SnapBegin {
            upto: vector(&self.upto)?,
            rows: self.rows,
            extra: self.extra,
            lost: self.lost.iter().map(|id| parse(id)).collect::<Result<_, _>>()?,
        })
    }
}

/// A message with everything in it, for tests.
#[cfg(test)]
pub(crate) fn example() -> Hello {
    let log = |node, boot| LogId { node: NodeId(node), boot: BootId(boot) };
    Hello {
        version: Arc::from("0.1.0"),
        channels: ["mail", "sip"].into_iter().map(|name| name.parse().unwrap()).collect(),
        heartbeat: Heartbeat {
            boot: log(1, 7),
            wall: Wall(1_700_000_000_000),
            durable: Vector::from([(log(1, 7), 17), (log(2, 9), 4)]),
            held: Vector::from([(log(1, 7), 18)]),
            hears: Some(log(2, 9)),
            ups: vec![log(2, 9), log(3, 1)],
            unsynced: Duration::from_millis(12),
            standby: true,
            lacks: true,
        },
    }
}
