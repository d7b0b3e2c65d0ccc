//! How soon the other node sends what a killed process had begun: the machine stays, and says so.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::super::load::millis;
use super::super::{Ground, Row, node};
use super::pair::Pair;

/// Pairs of which one is killed.
const TRIALS: usize = 10;
/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut times = (0..TRIALS).map(|number| trial(ground, number)).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    let worst = times.last().copied().unwrap_or_default();
    Ok(vec![Row::new(
        format!("process killed (-9) until the other sends what it had begun, median / worst of {TRIALS}"),
        format!("{} / {}", millis(times[TRIALS / 2]), millis(worst)),
        "–",
    )])
}

/// The receiver takes the first node's message and does not answer; then that node dies.
fn trial(ground: &Ground, number: usize) -> Result<Duration, String> {
    let alert = "pump 7 stopped";
    let sink = lab::Sink::start(Ipv4Addr::LOCALHOST.into())?;
    let mut pair = Pair::start(ground, &format!("killed-{number}"), sink.address())?;
    sink.stall(Ipv4Addr::LOCALHOST.into());
    let body = |_: usize| node::notice(alert, "anna").into_bytes();
    pair.singly(0, 1, 1, &body).run()?;
    if sink.wait(alert, 1, PATIENCE).is_empty() {
        return Err("the first node did not begin to send".to_owned());
    }
    let begun = Instant::now();
    pair.kill(0);
    let sent = sink.wait(alert, 2, PATIENCE);
    let second = sent.get(1).ok_or("the second node did not send what the first had begun")?;
    Ok(second.at.saturating_duration_since(begun))
}
