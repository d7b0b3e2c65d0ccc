//! How fast alerts are taken while messages go out: ours, synced to disk, beside Alertmanager's, in memory.

use std::time::Duration;

use super::load::{Load, Measured};
use super::mail::{SESSIONS, Sink};
use super::node::{self, Node};
use super::sink::Sink as Hooks;
use super::{Ground, Row, alertmanager, child, mib};

/// How long messages may take to be gone, once everything was accepted.
const PATIENCE: Duration = Duration::from_secs(300);

/// A way to post.
struct Way {
    /// In the table.
    how: &'static str,
    /// The name of its folders.
    name: &'static str,
    connections: usize,
    requests: usize,
    /// Alerts in a request.
    each: usize,
}

/// Every way, each measured with fresh programs.
const WAYS: &[Way] = &[
    Way { how: "singly, 1 connection", name: "alone", connections: 1, requests: 3_000, each: 1 },
    Way { how: "singly, 8 connections", name: "single", connections: 8, requests: 10_000, each: 1 },
    Way { how: "in batches of 50, 8 connections", name: "batch", connections: 8, requests: 400, each: 50 },
];

/// What came of it on one side.
struct Figures {
    measured: Measured,
    /// Messages that had arrived when the last answer came.
    sent: usize,
    /// What the program grew by, in bytes, once all messages had arrived.
    grown: u64,
}

/// Measures each way, by mail and by webhook.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for way in WAYS {
        rows.extend(way.rows(&way.mailed(ground)?, &way.hooked(ground)?, &way.theirs(ground)?));
    }
    Ok(rows)
}

impl Way {
    fn alerts(&self) -> usize {
        self.requests * self.each
    }

    fn post(&self, node: &Node) -> Result<Measured, String> {
        let one = |number: usize| node::notice(&format!("pump {number} stopped"), "anna").into_bytes();
        let many = |number: usize| node::batch(number, self.each);
        if self.each == 1 {
            node.singly(self.connections, self.requests, &one).run()
        } else {
            node.batched(self.connections, self.requests, &many).run()
        }
    }

    fn mailed(&self, ground: &Ground) -> Result<Figures, String> {
        let sink = Sink::start(ground)?;
        let name = format!("{}-mail", self.name);
        let node = Node::started(ground, &name, &node::mail(sink.address(), SESSIONS), &node::crowd(0))?;
        let before = node.resident()?;
        let measured = self.post(&node)?;
        let sent = sink.received();
        sink.wait(self.alerts(), PATIENCE)?;
        Ok(Figures { measured, sent, grown: node.resident()?.saturating_sub(before) })
    }

    fn hooked(&self, ground: &Ground) -> Result<Figures, String> {
        let hooks = Hooks::start()?;
        let name = format!("{}-hook", self.name);
        let node = Node::started(ground, &name, &node::webhook(SESSIONS), &node::hooked(hooks.address()))?;
        let before = node.resident()?;
        let measured = self.post(&node)?;
        let sent = hooks.received();
        hooks.wait(self.alerts(), PATIENCE)?;
        Ok(Figures { measured, sent, grown: node.resident()?.saturating_sub(before) })
    }

    fn theirs(&self, ground: &Ground) -> Result<Figures, String> {
        let hooks = Hooks::start()?;
        let (server, at) = alertmanager::start(ground, &hooks)?;
        let before = child::resident(server.pid())?;
        let body = |number: usize| alertmanager::alerts(number, self.each).into_bytes();
        let Self { connections, requests, .. } = *self;
        let measured =
            Load { at, path: "/api/v2/alerts", connections, requests, body: &body, says: "" }.run()?;
        let sent = hooks.received();
        hooks.wait(self.alerts(), PATIENCE)?;
        Ok(Figures { measured, sent, grown: child::resident(server.pid())?.saturating_sub(before) })
    }

    fn rows(&self, mailed: &Figures, hooked: &Figures, theirs: &Figures) -> Vec<Row> {
        let rate = |figures: &Figures| figures.measured.rate(self.each);
        let time =
            |figures: &Figures| format!("{} / {}", figures.measured.within(50), figures.measured.within(99));
        let sent = |figures: &Figures| format!("{} of {}", figures.sent, self.alerts());
        let count = u64::try_from(self.alerts()).unwrap_or(u64::MAX);
        let memory = |figures: &Figures| mib(figures.grown * 10_000 / count);
        let how = self.how;
        vec![
            Row::new(format!("accepted {how}; mail going out"), rate(mailed), "–"),
            Row::new("  time to the answer, p50 / p99", time(mailed), "–"),
            Row::new("  mails gone at the last answer", sent(mailed), "–"),
            Row::new("  memory per 10,000 open alerts", memory(mailed), "–"),
            Row::new(format!("accepted {how}; webhooks going out"), rate(hooked), rate(theirs)),
            Row::new("  time to the answer, p50 / p99", time(hooked), time(theirs)),
            Row::new("  webhooks gone at the last answer", sent(hooked), sent(theirs)),
            Row::new("  memory per 10,000 open alerts", memory(hooked), memory(theirs)),
        ]
    }
}
