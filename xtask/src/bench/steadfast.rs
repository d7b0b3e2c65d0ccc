//! Our node, measured by the same generator as the others, over its plain-HTTP listener on loopback.
//!
//! It measures a node that runs already: `STEADFAST_BENCH_URL` (such as `http://127.0.0.1:8080`),
//! `STEADFAST_BENCH_TOKEN`, `STEADFAST_BENCH_GROUP`, and `STEADFAST_BENCH_PID` for its memory.

use std::net::SocketAddr;

use super::child::resident;
use super::load::{Load, Measured};
use super::{Ground, Row};

/// Connections that post at once.
const CONNECTIONS: usize = 8;
/// Notices posted one by one.
const SINGLE: usize = 10_000;
/// Notices in a batch, and batches.
const BATCH: usize = 50;
const BATCHES: usize = 400;

/// Measures the node that the environment names.
pub(super) fn run(_ground: &Ground) -> Result<Vec<Row>, String> {
    let named = |name: &str| {
        std::env::var(name)
            .map_err(|_| format!("{name} is not set; start a node, and name it by STEADFAST_BENCH_*"))
    };
    let pid = named("STEADFAST_BENCH_PID")?;
    let pid =
        pid.parse().map_err(|_| format!("STEADFAST_BENCH_PID is \"{pid}\", which is no process number"))?;
    measure(
        &named("STEADFAST_BENCH_URL")?,
        &named("STEADFAST_BENCH_TOKEN")?,
        &named("STEADFAST_BENCH_GROUP")?,
        pid,
    )
}

/// Posts notices to `group` at the node under `base_url`, whose process is `pid`.
pub(super) fn measure(base_url: &str, token: &str, group: &str, pid: u32) -> Result<Vec<Row>, String> {
    let at = address(base_url)?;
    let headers = format!("Authorization: Bearer {token}\r\n");
    let before = resident(pid)?;
    let one = |number: usize| notice(number, group).into_bytes();
    let many = |number: usize| batch(number, group).into_bytes();
    let single = Load {
        at,
        path: "/api/v1/notices",
        headers: &headers,
        connections: CONNECTIONS,
        requests: SINGLE,
        body: &one,
    };
    let batched = Load { path: "/api/v1/notices/batch", requests: BATCHES, body: &many, ..single };
    let mut rows = vec![Row::new("measure", "value")];
    rows.extend(rows_of("one by one", 1, &single.run()?));
    rows.extend(rows_of("in batches of 50", BATCH, &batched.run()?));
    let grown = resident(pid)?.saturating_sub(before);
    let count = u64::try_from(SINGLE + BATCHES * BATCH).unwrap_or(u64::MAX);
    let memory = format!("{} MiB", grown * 10_000 / count / (1 << 20));
    rows.push(Row::new("memory per 10,000 open alerts", memory));
    Ok(rows)
}

/// The figures of one way to post, where each request carried `each` notices.
fn rows_of(how: &str, each: usize, measured: &Measured) -> [Row; 3] {
    [
        Row::new(format!("alerts {how}"), measured.rate(each)),
        Row::new(format!("answer {how}, p50"), measured.within(50)),
        Row::new(format!("answer {how}, p99"), measured.within(99)),
    ]
}

/// The address in a URL such as `http://127.0.0.1:8080`.
fn address(base_url: &str) -> Result<SocketAddr, String> {
    let rest = base_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let address = rest.and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| format!("\"{base_url}\" is not of the form http://127.0.0.1:8080"))
}

/// A notice that no other request carries.
fn notice(number: usize, group: &str) -> String {
    format!("{{\"summary\":\"pump {number} stopped\",\"to\":[\"{group}\"],\"severity\":\"warning\"}}")
}

fn batch(number: usize, group: &str) -> String {
    // Numbers behind those of the single notices, so that nothing is taken for a repeat.
    let list: Vec<String> = (0..BATCH).map(|n| notice(SINGLE + number * BATCH + n, group)).collect();
    format!("{{\"notices\":[{}]}}", list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_with_an_address_is_measured() {
        assert_eq!(address("http://127.0.0.1:80/"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert!(address("https://127.0.0.1:80").is_err());
        assert!(address("http://localhost").is_err());
    }

    #[test]
    fn a_batch_repeats_no_single_notice() {
        assert!(notice(9_999, "x").contains("pump 9999 "));
        assert!(batch(0, "x").contains("pump 10000 ") && batch(0, "x").contains("pump 10049 "));
    }
}
