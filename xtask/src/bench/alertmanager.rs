//! Debian's Alertmanager 0.25, alone, posting to a webhook: started, and what is posted to it.
//!
//! Every alert is a group of its own and goes out at once (`group_wait: 0s`), as with us. It writes
//! nothing to disk per alert: its yes is another promise than ours, and the table says so. Where its
//! package is not installed it needs `unshare -Urm` (see `peers`).

use std::fs;
use std::net::SocketAddr;

use super::Ground;
use super::child::Child;
use super::sink::Sink;
use crate::peers;

/// Starts an instance that tells everything to `sink`, and waits until it says where it listens.
pub(super) fn start(ground: &Ground, sink: &Sink) -> Result<(Child, SocketAddr), String> {
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
pub(super) fn alerts(number: usize, each: usize) -> String {
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
