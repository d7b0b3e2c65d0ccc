//! What a yes costs that waits for two disks, beside one that waits for one because the peer is down.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::super::child::Child;
use super::super::load::{Measured, millis, share};
use super::super::sink::Sink;
use super::super::{Ground, Row, node};
use super::pair::{ONE_COPY, Pair, TWO_COPIES};

/// How long messages may take to be gone, once everything was accepted.
const PATIENCE: Duration = Duration::from_secs(300);

/// Clients at once, and what they post between them.
const WAYS: [(usize, usize); 2] = [(1, 3_000), (64, 30_000)];
/// Alerts whose way to the peer is timed, by one client.
const TIMED: usize = 3_000;

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (clients, requests) in WAYS {
        let mirrored = posted(ground, clients, requests, true)?;
        let alone = posted(ground, clients, requests, false)?;
        let time = |it: &Measured| format!("{} / {}", it.within(50), it.within(99));
        let noun = if clients == 1 { "client" } else { "clients" };
        rows.push(Row::new(
            format!("pair, {clients} {noun}: accepted on two disks; webhooks going out"),
            mirrored.rate(1),
            format!("{} peer down", alone.rate(1)),
        ));
        rows.push(Row::new(
            "  time to the answer, p50 / p99",
            time(&mirrored),
            format!("{} peer down", time(&alone)),
        ));
    }
    rows.push(Row::new(
        "  accepted by one until durable at the other and told, p50 / p99",
        lag(ground)?,
        "–",
    ));
    Ok(rows)
}

/// Posts to the first node of a fresh pair, whose second runs or was killed.
fn posted(ground: &Ground, clients: usize, requests: usize, both: bool) -> Result<Measured, String> {
    let hooks = Sink::start()?;
    let name = format!("accept-{clients}-{both}");
    let mut pair = Pair::start(ground, &name, hooks.address())?;
    if !both {
        pair.part(1)?;
    }
    let body = |number: usize| node::notice(&format!("pump {number} stopped"), "anna").into_bytes();
    let mut load = pair.singly(0, clients, requests, &body);
    load.says = if both { TWO_COPIES } else { ONE_COPY };
    let measured = load.run()?;
    hooks.wait(requests, PATIENCE)?;
    Ok(measured)
}

/// From the moment that the first node wrote an alert down until the second, on whose disk it then is, has told a
/// follower of its trail: one machine, one clock.
fn lag(ground: &Ground) -> Result<String, String> {
    let hooks = Sink::start()?;
    let pair = Pair::start(ground, "lag", hooks.address())?;
    let mut follower = pair.listen(1, &["--json", "trail", "--follow", "--kind", "accept"]);
    follower.stdout(Stdio::piped());
    let mut follower = Child::spawn("steadfast trail --follow", &mut follower)?;
    let output = follower.output().ok_or("the follower says nothing")?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Whoever counts them may have enough.
            let _ = tell.send((SystemTime::now(), line));
        }
    });
    let body = |number: usize| node::notice(&format!("pump {number} stopped"), "anna").into_bytes();
    // The follower follows once it tells of the first of these.
    while told.recv_timeout(Duration::from_millis(100)).is_err() {
        pair.singly(0, 1, 1, &body).run()?;
    }
    while told.recv_timeout(Duration::from_secs(1)).is_ok() {}
    pair.singly(0, 1, TIMED, &body).run()?;
    let mut times = Vec::new();
    while times.len() < TIMED {
        let (at, line) =
            told.recv_timeout(PATIENCE).map_err(|_| "the follower was not told of every alert")?;
        times.push(since(at, &line)?);
    }
    times.sort_unstable();
    Ok(format!("{} / {}", millis(share(&times, 50)), millis(share(&times, 99))))
}

/// From the moment that an entry of the trail bears until `at`.
fn since(at: SystemTime, line: &str) -> Result<Duration, String> {
    let entry: Value = serde_json::from_str(line).map_err(|why| format!("{line}: {why}"))?;
    let written = entry["at"].as_str().and_then(of_day).ok_or_else(|| format!("{line}: has no time"))?;
    let day = Duration::from_secs(86_400).as_nanos();
    let now = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() % day;
    // Over midnight, too.
    let apart = (now + day - written.as_nanos()) % day;
    Ok(Duration::from_nanos(u64::try_from(apart).unwrap_or_default()))
}

/// The time of day of `2026-07-28T10:00:00.123Z` (RFC 3339, in UTC).
fn of_day(moment: &str) -> Option<Duration> {
    let (_, time) = moment.strip_suffix('Z')?.split_once('T')?;
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = hours.parse::<u32>().ok()? * 3600 + minutes.parse::<u32>().ok()? * 60;
    let seconds: f64 = seconds.parse().ok()?;
    Some(Duration::from_secs_f64(f64::from(whole) + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_an_entry_is_that_of_its_moment() {
        let at = UNIX_EPOCH + Duration::from_millis(86_400_000 * 3 + 5);
        let since = |line: &str| since(at, line);
        assert_eq!(since("{\"at\":\"1970-01-04T00:00:00.001Z\"}"), Ok(Duration::from_millis(4)));
        assert_eq!(since("{\"at\":\"1970-01-03T23:59:59.999Z\"}"), Ok(Duration::from_millis(6)));
        assert!(since("{\"at\":\"yesterday\"}").is_err());
        assert!(since("{}").is_err());
    }
}
