//! The `[cluster]` section of the node file: how peers reach this machine, and the times of the protocol.
//!
//! Separate from the other sections, because its values depend on each other: what is judged here is whether
//! they can work together.

use super::error::{ConfigError, Lines};
use base::time::Human;
use cluster::{Allowed, PROTOCOL_MAX};
use ownership::Timings;
use serde::Deserialize;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Where a new node listens for its peers: everywhere, because nobody gets in without the cluster's own
/// certificate.
pub const PEERS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8444);
/// Heartbeats that must fit into the time after which a silent peer is down: with fewer, one lost packet
/// would be a death.
const HEARTBEATS_MIN: u32 = 3;

const HEARTBEAT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
const DOWN_AFTER: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const GATE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10);
const CLAIM_WAIT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(30);
const DISK_HANGS: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(60);
const CERTIFICATE_LIFE: RangeInclusive<Duration> =
    Duration::from_secs(3600)..=Duration::from_secs(3650 * 86_400);

/// The section as it stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    listen: Option<SocketAddr>,
    addresses: Vec<String>,
    allow: Vec<String>,
    heartbeat: String,
    down_after: String,
    gate: String,
    claim_wait: String,
    disk_hangs: String,
    certificate_life: String,
    protocol_max: u8,
}

impl Default for Section {
    fn default() -> Self {
        let timings = Timings::default();
        let written = |duration: Duration| Human(duration).to_string();
        Self {
            listen: None,
            addresses: Vec::new(),
            allow: Vec::new(),
            heartbeat: written(timings.heartbeat),
            down_after: written(timings.down_after),
            gate: written(timings.gate),
            claim_wait: written(timings.claim_wait),
            disk_hangs: written(timings.disk_hangs),
            certificate_life: "365d".into(),
            protocol_max: PROTOCOL_MAX,
        }
    }
}

/// What this machine brings to a cluster. A node whose section is absent has no listener for peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where peers are let in; none is off.
    pub listen: Option<SocketAddr>,
    /// What peers dial, `host:port`, in this order; empty leaves it to what is known otherwise.
    pub addresses: Vec<Arc<str>>,
    /// From where peers may connect; empty is from anywhere.
    pub allow: Vec<Allowed>,
    /// The times of the protocol.
    pub timings: Timings,
    /// How long a certificate of this node is valid when the node makes it itself.
    pub certificate_life: Duration,
    /// The highest version of the protocol to speak.
    pub protocol_max: u8,
}

impl Section {
    /// Judges the section.
    pub(super) fn judge(self, lines: &Lines<'_>) -> Result<ClusterConfig, ConfigError> {
        let timings = Timings {
            heartbeat: duration(lines, "heartbeat", &self.heartbeat, &HEARTBEAT)?,
            down_after: duration(lines, "down_after", &self.down_after, &DOWN_AFTER)?,
            gate: duration(lines, "gate", &self.gate, &GATE)?,
            claim_wait: duration(lines, "claim_wait", &self.claim_wait, &CLAIM_WAIT)?,
            disk_hangs: duration(lines, "disk_hangs", &self.disk_hangs, &DISK_HANGS)?,
        };
        fit_together(lines, &timings)?;
        if !(1..=PROTOCOL_MAX).contains(&self.protocol_max) {
            return Err(lines.at("protocol_max", &format!("must be from 1 to {PROTOCOL_MAX}")));
        }
        let addresses = self.addresses.iter().map(|text| dialled(text)).collect::<Result<_, _>>();
        let allow = self.allow.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        Ok(ClusterConfig {
            listen: self.listen,
            addresses: addresses.map_err(|why| lines.at("addresses", &why))?,
            allow: allow.map_err(|why: cluster::AllowedError| lines.at("allow", &why))?,
            timings,
            certificate_life: duration(lines, "certificate_life", &self.certificate_life, &CERTIFICATE_LIFE)?,
            protocol_max: self.protocol_max,
        })
    }
}

fn duration(
    lines: &Lines<'_>,
    key: &str,
    text: &str,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let duration = base::time::parse_duration(text).map_err(|error| lines.at(key, &error))?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (Human(*range.start()), Human(*range.end()));
    Err(lines.at(key, &format!("must be from {least} to {most}, not {text}")))
}

/// What one of the times means depends on another.
fn fit_together(lines: &Lines<'_>, timings: &Timings) -> Result<(), ConfigError> {
    let Timings { heartbeat, down_after, claim_wait, gate: _, disk_hangs: _ } = *timings;
    let beat = Human(heartbeat);
    if heartbeat * HEARTBEATS_MIN > down_after {
        let least = Human(heartbeat * HEARTBEATS_MIN);
        let why = format!(
            "must be at least {HEARTBEATS_MIN} heartbeats of {beat}, {least}, not {}",
            Human(down_after)
        );
        return Err(lines.at("down_after", &why));
    }
    if heartbeat * 2 > claim_wait {
        let why = format!(
            "must be at least 2 heartbeats of {beat}, {}, not {}",
            Human(heartbeat * 2),
            Human(claim_wait)
        );
        return Err(lines.at("claim_wait", &why));
    }
    Ok(())
}

/// Reads what peers are to dial: a host and a port.
///
/// # Errors
/// What is wrong with it.
pub fn dialled(text: &str) -> Result<Arc<str>, String> {
    let wrong = || format!("{text:?} is not host:port, such as \"10.1.0.7:8444\" or \"north.example:8444\"");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_name = host.parse::<Allowed>().is_ok() && !host.contains(['/', ':']);
    let is_v6 = bare.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    match port.parse::<u16>() {
        Ok(1..) if is_name || is_v6 => Ok(text.into()),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn judged(section: &str) -> Result<ClusterConfig, String> {
        let text = format!("name = \"a\"\n[cluster]\n{section}\n");
        let config = super::super::parse(Path::new("node.toml"), &text);
        config.map(|config| config.cluster).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_section_has_the_times_of_the_protocol_and_no_listener() {
        let config = judged("").unwrap();
        assert_eq!((config.timings, config.listen), (Timings::default(), None));
        assert_eq!(config.protocol_max, PROTOCOL_MAX);
    }

    #[test]
    fn what_is_given_is_taken() {
        let config = judged(
            "listen = \"[::]:8444\"\naddresses = [\"10.0.0.1:8444\", \"[2001:db8::1]:8444\", \"north.example:1\"]\n\
             allow = [\"10.0.0.0/8\"]\nheartbeat = \"20ms\"\ndown_after = \"300ms\"",
        )
        .unwrap();
        assert_eq!(config.addresses.len(), 3);
        assert_eq!(config.timings.down_after, Duration::from_millis(300));
        assert_eq!(config.allow, ["10.0.0.0/8".parse().unwrap()]);
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_line_and_the_numbers() {
        for (section, parts) in [
            (
                "heartbeat = \"1s\"\ndown_after = \"2s\"",
                ["node.toml:4", "down_after: must be at least 3 heartbeats of 1s, 3s"],
            ),
            (
                "heartbeat = \"500ms\"\ndown_after = \"2s\"",
                ["claim_wait", "at least 2 heartbeats of 500ms, 1s"],
            ),
            ("down_after = \"2h\"", ["node.toml:3", "down_after: must be from 100ms to 1m, not 2h"]),
            ("addresses = [\"north\"]", ["node.toml:3", "\"north\" is not host:port"]),
            ("addresses = [\"north:0\"]", ["node.toml:3", "is not host:port"]),
            ("addresses = [\"2001:db8::1:8444\"]", ["node.toml:3", "is not host:port"]),
            ("allow = [\"10.0.0.0/40\"]", ["node.toml:3", "is neither an address"]),
            ("protocol_max = 9", ["node.toml:3", "must be from 1 to"]),
            ("listne = \"x\"", ["node.toml:3", "listen"]),
        ] {
            let error = judged(section).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
