//! One call to 53,000 people: when the last of them is told, and what becomes of other alerts meanwhile.
//!
//! So many were told by MIR3, a hosted service, in 7.5 minutes, as its maker publishes.

use std::thread;
use std::time::{Duration, Instant};

use super::load::millis;
use super::mail::{SESSIONS, Sink};
use super::node::{self, Node};
use super::{Ground, Row, mib};

/// People in the group.
const PEOPLE: usize = 53_000;
/// How long the last of them may wait.
const PATIENCE: Duration = Duration::from_secs(900);

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let sink = Sink::start(ground)?;
    let node = Node::started(ground, "crowd", &node::mail(sink.address(), SESSIONS), &node::crowd(PEOPLE))?;
    let before = node.resident()?;
    let calm = node.send_and_see("nothing else happens", "anna")?;
    let begun = Instant::now();
    node.send("all leave the building", "all")?;
    let taken = begun.elapsed();
    let meanwhile = node.send_and_see("pump 3 stopped", "anna")?;
    let others = others(&node, &sink)?;
    sink.wait(PEOPLE + 2 + others.len(), PATIENCE)?;
    let told = begun.elapsed();
    let grown = node.resident()?.saturating_sub(before);
    let slowest = others.last().copied().unwrap_or_default();
    let median = others.get(others.len() / 2).copied().unwrap_or_default();
    Ok(vec![
        Row::new("one alert to 53,000 people: until accepted", millis(taken), "–"),
        Row::new("  until the last mail has arrived", format!("{:.1} s", told.as_secs_f64()), "450 s (MIR3)"),
        Row::new("  memory it took", mib(grown), "–"),
        Row::new(
            "another alert meanwhile, p50 / slowest of 100",
            format!("{} / {}", millis(median), millis(slowest)),
            "–",
        ),
        Row::new(
            "  `send --wait sent`: meanwhile / in calm",
            format!("{} / {}", millis(meanwhile), millis(calm)),
            "–",
        ),
    ])
}

/// The times of a hundred other alerts, while the crowd is told; the shortest first.
fn others(node: &Node, sink: &Sink) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    while times.len() < 100 && sink.received() < PEOPLE {
        let begun = Instant::now();
        node.send(&format!("valve {} stuck", times.len()), "anna")?;
        times.push(begun.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    times.sort_unstable();
    Ok(times)
}
