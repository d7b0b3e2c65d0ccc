//! What a full node costs: how fast it takes alerts with 1,000 routes, 200 silences and 100,000 open alerts, beside the
//! same build with none of these, in turns within one run.

use std::fmt::Write as _;
use std::time::Duration;

use super::load::{Load, ask_with};
use super::mail::{SESSIONS, Sink};
use super::node::{self, Node};
use super::{Ground, Row};

/// Routes of the full node. The alerts match the last of them.
const ROUTES: usize = 1_000;
/// Silences of the full node. None matches.
const SILENCES: usize = 200;
/// Alerts that are open on the full node.
const OPEN: usize = 100_000;
/// Turns of each node and way. Odd, so that one lies in the middle.
const TURNS: usize = 7;
/// How long all mails may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// A way to post.
struct Way {
    how: &'static str,
    path: &'static str,
    connections: usize,
    requests: usize,
    /// Alerts in a request.
    each: usize,
}

/// Every way.
const WAYS: &[Way] = &[
    Way { how: "singly, 1 connection", path: node::ONE, connections: 1, requests: 500, each: 1 },
    Way { how: "singly, 8 connections", path: node::ONE, connections: 8, requests: 2_000, each: 1 },
    Way { how: "in batches of 50, 8 connections", path: node::MANY, connections: 8, requests: 80, each: 50 },
];

/// Measures.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let sink = Sink::start(ground)?;
    let provider = node::mail(sink.address(), SESSIONS);
    let full = Node::started(ground, "full", &provider, &directory(ROUTES))?;
    let empty = Node::started(ground, "empty", &provider, &directory(1))?;
    full.batched(8, OPEN / 50, &|number| batch(number, 50)).run()?;
    silence(&full)?;
    sink.wait(OPEN, PATIENCE)?;
    let mut sent = OPEN;
    let mut rows = Vec::new();
    for way in WAYS {
        let (mut ours, mut theirs, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let first = sent;
            // Who begins changes from turn to turn, since the first finds the disk as the other one left it.
            let mut rates = [0.0; 2];
            for at in [turn % 2, (turn + 1) % 2] {
                let node = [&full, &empty][at];
                rates[at] = way.rate(node, first)?;
                sent += way.requests * way.each;
                sink.wait(sent, PATIENCE)?;
            }
            ours.push(rates[0]);
            theirs.push(rates[1]);
            changes.push((rates[0] / rates[1] - 1.0) * 100.0);
        }
        let rate = |rates: &mut Vec<f64>| format!("{:.0}/s", middle(rates));
        rows.push(Row::new(
            format!("accepted {}; full / empty", way.how),
            rate(&mut ours),
            rate(&mut theirs),
        ));
        rows.push(Row::new("  change by the load", format!("{:+.1} %", middle(&mut changes)), "–"));
    }
    Ok(rows)
}

impl Way {
    /// Alerts per second. `first` makes them others than all before.
    fn rate(&self, node: &Node, first: usize) -> Result<f64, String> {
        let begin = first.div_ceil(self.each);
        let one = |number: usize| notice(begin + number).into_bytes();
        let many = |number: usize| batch(begin + number, self.each);
        let body: &(dyn Fn(usize) -> Vec<u8> + Sync) = if self.each == 1 { &one } else { &many };
        let Self { connections, requests, path, .. } = *self;
        let measured = Load { at: node.at, path, connections, requests, body, says: "" }.run()?;
        let each = f64::from(u32::try_from(self.each).unwrap_or(u32::MAX));
        Ok(measured.requests_per_second() * each)
    }
}

/// The one in the middle.
fn middle(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// A directory with so many routes, of which the last takes what these alerts say.
fn directory(routes: usize) -> String {
    let mut text = node::crowd(0);
    for number in 0..routes.saturating_sub(1) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "[[routes]]\nname = \"r{number}\"\n{}\nto = [\"anna\"]", tests(number));
    }
    text + "[[routes]]\nname = \"last\"\nto = [\"anna\"]\n"
}

/// The tests of a route that no alert passes: the first holds for all of them.
fn tests(number: usize) -> String {
    format!("matchers = ['site=\"north\"', 'unit=\"u{number}\"']")
}

/// A notice that the routes decide upon.
fn notice(number: usize) -> String {
    format!(
        "{{\"summary\":\"valve {number} stuck\",\"severity\":\"warning\",\
         \"labels\":{{\"site\":\"north\",\"unit\":\"none\",\"valve\":\"{number}\"}}}}"
    )
}

fn batch(number: usize, each: usize) -> Vec<u8> {
    let list: Vec<String> = (0..each).map(|n| notice(number * each + n)).collect();
    format!("[{}]", list.join(",")).into_bytes()
}

/// Makes the silences, half of them with expressions.
fn silence(node: &Node) -> Result<(), String> {
    let token = node.token()?;
    for number in 0..SILENCES {
        let expression = number % 2 == 0;
        let value = if expression { format!("s{number}(a|b).*") } else { format!("s{number}") };
        let body = format!(
            "{{\"matchers\":[{{\"name\":\"unit\",\"value\":\"{value}\",\"isRegex\":{expression}}}],\
             \"endsAt\":\"2999-01-01T00:00:00Z\",\"createdBy\":\"bench\",\"comment\":\"-\"}}"
        );
        let answer = ask_with(node.at, "POST", "/api/v2/silences", &body, &token)?;
        if !answer.is_well() {
            return Err(format!("a silence: {}: {}", answer.status, answer.body));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_has_its_routes_and_no_notice_is_sent_twice() {
        let table: toml::Table = directory(3).parse().unwrap();
        assert_eq!(table["routes"].as_array().map(Vec::len), Some(3));
        assert_ne!(batch(0, 2), batch(1, 2));
        assert!(String::from_utf8(batch(1, 2)).unwrap().contains("valve 3 "));
    }

    #[test]
    fn the_middle_is_that_of_the_sorted() {
        assert_eq!(middle(&mut [3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }
}
