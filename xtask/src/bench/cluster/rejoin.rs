//! How soon a peer is level again that was away while 100,000 records were written.

use std::time::{Duration, Instant};

use super::super::sink::Sink;
use super::super::{Ground, Row, rate};
use super::pair::Pair;

/// Records written meanwhile.
const FACTS: u64 = 100_000;
/// Alerts in a batch, which are raised by one and ended by the next.
const EACH: usize = 250;
/// Batches between two looks at how many records there are.
const BATCHES: usize = 8;
/// How long messages may take to be gone.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let hooks = Sink::start()?;
    let mut pair = Pair::start(ground, "away", hooks.address())?;
    pair.part(1)?;
    let before = pair.written(0)?;
    let mut batches = 0;
    let written = loop {
        let raised = |number: usize| batch(batches + number, "firing");
        let ended = |number: usize| batch(batches + number, "resolved");
        pair.batched(0, 2, BATCHES, &raised).run()?;
        pair.batched(0, 2, BATCHES, &ended).run()?;
        batches += BATCHES;
        let written = pair.written(0)?.saturating_sub(before);
        if FACTS <= written {
            break written;
        }
    };
    // What is sent now would be measured as well.
    hooks.settle(PATIENCE)?;
    let begun = Instant::now();
    pair.run(1)?;
    let ready = begun.elapsed();
    pair.until_level()?;
    let level = begun.elapsed();
    let count = usize::try_from(written).unwrap_or(usize::MAX);
    Ok(vec![
        Row::new(
            format!("a peer returns after {written} records: from its start until level"),
            format!("{:.1} s", level.as_secs_f64()),
            "–",
        ),
        Row::new("  of that, until its process was ready", format!("{:.1} s", ready.as_secs_f64()), "–"),
        Row::new("  records taken over", rate(count, level.saturating_sub(ready)), "–"),
    ])
}

/// Alerts that occur in no other batch of that status.
fn batch(number: usize, status: &str) -> Vec<u8> {
    let one = |n: usize| {
        format!(
            "{{\"summary\":\"valve {n}\",\"dedup_key\":\"v{n}\",\"to\":[\"anna\"],\"status\":\"{status}\"}}"
        )
    };
    let list: Vec<String> = (0..EACH).map(|n| one(number * EACH + n)).collect();
    format!("[{}]", list.join(",")).into_bytes()
}
