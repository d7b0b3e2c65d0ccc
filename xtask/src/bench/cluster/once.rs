//! Every notice is posted to both nodes, as Prometheus does it, under load and without a fault: how many messages
//! go out for each.

use std::time::Duration;

use super::super::load::{Load, Measured};
use super::super::sink::Sink;
use super::super::{Ground, Row};
use super::pair::Pair;
use crate::say;

/// Alerts, each posted twice.
const ALERTS: usize = 100_000;
/// Clients of each node.
const CLIENTS: usize = 8;
/// How long messages may take to be gone, once everything was accepted.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let hooks = Sink::remembering("summary")?;
    let pair = Pair::start(ground, "once", hooks.address())?;
    let body = |number: usize| notice(number).into_bytes();
    // The first one declared the second one down while that was still being made.
    let before = pair.downs()?.len();
    let (north, south) =
        both(&pair.singly(0, CLIENTS, ALERTS, &body), &pair.singly(1, CLIENTS, ALERTS, &body))?;
    hooks.wait(ALERTS, PATIENCE)?;
    hooks.settle(PATIENCE)?;
    let seen = hooks.remembered();
    let (sent, most) = (hooks.received(), seen.values().max().copied().unwrap_or_default());
    let downs = pair.downs()?.split_off(before);
    downs.iter().for_each(|down| say::complaint(&format!("declared down: {down}")));
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let per_alert = number(sent) / number(ALERTS);
    Ok(vec![
        Row::new(
            format!("{ALERTS} alerts posted to both nodes by {CLIENTS} clients each: messages per alert"),
            format!("{per_alert:.5}, none of them more than {most}"),
            "–",
        ),
        Row::new(
            "  alerts of which no message arrived",
            (ALERTS.saturating_sub(seen.len())).to_string(),
            "–",
        ),
        Row::new("  times that a node declared the other one down", downs.len().to_string(), "–"),
        Row::new(
            "  answered by the first / by the second",
            format!("{} / {}", north.rate(1), south.rate(1)),
            "–",
        ),
    ])
}

/// Posts to both at once.
fn both(north: &Load<'_>, south: &Load<'_>) -> Result<(Measured, Measured), String> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| south.run());
        let north = north.run()?;
        let south = other.join().unwrap_or_else(|_| Err("the load generator panicked".to_owned()))?;
        Ok((north, south))
    })
}

/// What both are told: the same summary and labels are the same alert.
fn notice(number: usize) -> String {
    format!(
        "{{\"summary\":\"pump {number} stopped\",\"to\":[\"anna\"],\"severity\":\"warning\",\
         \"labels\":{{\"instance\":\"{number}\"}}}}"
    )
}
