//! Debian's Alertmanager 0.25, alone, posting to a webhook: alerts per second, answer times, memory.
//!
//! Every alert is a group of its own and goes out at once (`group_wait: 0s`), as with us. It writes
//! nothing to disk per alert: its yes is another promise than ours, and the table says so. Where its
//! package is not installed it needs `unshare -Urm` (see `peers`).

use std::fs;
use std::net::SocketAddr;

use super::child::{Child, resident};
use super::load::Load;
use super::sink::Sink;
use super::{Ground, Row};
use crate::peers;

/// Connections that post at once.
const CONNECTIONS: usize = 8;
/// Alerts posted one by one.
const SINGLE: usize = 10_000;
/// Alerts in a batch, and batches.
const BATCH: usize = 50;
const BATCHES: usize = 400;

/// Measures one by one, then in batches, each against a fresh instance.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut rows = vec![Row::new("measure", "value")];
    rows.extend(measure(ground, "one by one", SINGLE, 1)?);
    rows.extend(measure(ground, "in batches of 50", BATCHES, BATCH)?);
    Ok(rows)
}

fn measure(ground: &Ground, how: &str, requests: usize, each: usize) -> Result<Vec<Row>, String> {
    let sink = Sink::start()?;
    let (server, at) = start(ground, &sink)?;
    let before = resident(server.pid())?;
    let body = |number: usize| alerts(number, each).into_bytes();
    let load =
        Load { at, path: "/api/v2/alerts", headers: "", connections: CONNECTIONS, requests, body: &body };
    let measured = load.run()?;
    let grown = resident(server.pid())?.saturating_sub(before);
    let count = u64::try_from(requests * each).unwrap_or(u64::MAX);
    Ok(vec![
        Row::new(format!("alerts {how}"), measured.rate(each)),
        Row::new(format!("answer {how}, p50"), measured.within(50)),
        Row::new(format!("answer {how}, p99"), measured.within(99)),
        Row::new(
            format!("memory per 10,000 active alerts, {how}"),
            format!("{} MiB", grown * 10_000 / count / (1 << 20)),
        ),
        Row::new(
            format!("webhooks sent by the last answer, {how}"),
            format!("{} of {count}", sink.received()),
        ),
    ])
}

/// Starts an instance that tells everything to `sink`, and waits until it says where it listens.
fn start(ground: &Ground, sink: &Sink) -> Result<(Child, SocketAddr), String> {
    let file = ground.scratch.join("alertmanager.yml");
    let data = ground.scratch.join("data");
    // Each instance starts with nothing; the first one has no folder yet.
    let _ = fs::remove_dir_all(&data);
    fs::write(&file, configuration(sink.address())).map_err(|why| format!("{}: {why}", file.display()))?;
    let mut command = peers::alertmanager(&ground.peers);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.path={}", data.display()));
    command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--log.level=info"]);
    Child::start("prometheus-alertmanager", &mut command, address)
}

/// The address on the line `… msg="Listening on" address=127.0.0.1:41234`.
fn address(line: &str) -> Option<SocketAddr> {
    line.split_once("msg=\"Listening on\" address=")?.1.split(' ').next()?.parse().ok()
}

fn configuration(hook: SocketAddr) -> String {
    format!(
        "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 5m\n  repeat_interval: 4h\n\
         receivers:\n- name: hook\n  webhook_configs:\n  - url: http://{hook}/\n    send_resolved: false\n"
    )
}

/// The body of request `number`, with `each` alerts that occur in no other request.
fn alerts(number: usize, each: usize) -> String {
    let one = |n: usize| {
        format!(
            "{{\"labels\":{{\"alertname\":\"Pump{n}\",\"severity\":\"warning\",\"site\":\"north\"}},\
             \"annotations\":{{\"summary\":\"pump {n} stopped\"}}}}"
        )
    };
    let list: Vec<String> = (0..each).map(|n| one(number * each + n)).collect();
    format!("[{}]", list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log() {
        let line = "ts=2026-01-01T00:00:00Z caller=tls_config.go:232 level=info msg=\"Listening on\" address=127.0.0.1:4";
        assert_eq!(address(line), "127.0.0.1:4".parse().ok());
        assert_eq!(address("level=info msg=\"Starting Alertmanager\""), None);
    }

    #[test]
    fn no_alert_occurs_in_two_requests() {
        assert!(alerts(0, 2).contains("Pump0\"") && alerts(0, 2).contains("Pump1\""));
        assert!(alerts(1, 2).contains("Pump2\"") && alerts(1, 2).contains("Pump3\""));
    }
}
