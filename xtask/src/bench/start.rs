//! How long a node takes to start after `kill -9`, with 100,000 alerts open.

use std::time::Duration;

use super::load::millis;
use super::mail::{SESSIONS, Sink};
use super::node::{self, Node};
use super::{Ground, Row, mib};

/// Alerts that are open.
const OPEN: usize = 100_000;
/// How long their mails may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let sink = Sink::start(ground)?;
    let provider = node::mail(sink.address(), SESSIONS);
    let mut node = Node::make(ground, "full", &provider, &node::crowd(0))?;
    let empty = node.start()?;
    let body = |number: usize| node::batch(number, 50);
    node.batched(8, OPEN / 50, &body).run()?;
    sink.wait(OPEN, PATIENCE)?;
    let memory = node.resident()?;
    node.kill();
    let full = node.start()?;
    let after = node.resident()?;
    Ok(vec![
        Row::new("start of an empty node", millis(empty), "–"),
        Row::new("start after kill -9 with 100,000 open alerts", millis(full), "–"),
        Row::new(
            "  memory before the kill / after the start",
            format!("{} / {}", mib(memory), mib(after)),
            "–",
        ),
    ])
}
