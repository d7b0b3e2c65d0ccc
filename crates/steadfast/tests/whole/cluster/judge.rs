//! What arrived, held against what clients were told and what the trail says.
//!
//! A message is known by its alert's summary and its recipient, not by its identity: the twins of one notice have
//! several.

use crate::cluster::load::{Told, Yes};
use crate::cluster::nodes::Cluster;
use crate::site::PATIENCE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One notification as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) at: Instant,
    pub(crate) from: IpAddr,
    pub(crate) summary: String,
    pub(crate) recipient: String,
    pub(crate) notification: String,
    /// Of which alert: twins have one each.
    pub(crate) alert: String,
    /// Its recipient is told that it may be a repeat, and why.
    pub(crate) repeat: Option<String>,
}

/// What one message is known by: summary and recipient.
pub(crate) type Message = (String, String);

/// Every notification of an alert that arrived, in order.
pub(crate) fn arrivals(cluster: &Cluster) -> Vec<Arrived> {
    let read = |arrival: lab::Arrival| {
        let body: Value = serde_json::from_str(&arrival.body).expect("a webhook posts JSON");
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        (body["purpose"] == "alert").then(|| Arrived {
            at: arrival.at,
            from: arrival.from,
            summary: text("summary").expect("it has one"),
            recipient: text("recipient").expect("it has one"),
            notification: text("notification").expect("it has one"),
            alert: text("alert").expect("it has one"),
            repeat: text("repeat"),
        })
    };
    cluster.sink.with("").into_iter().filter_map(read).collect()
}

/// The same by message.
pub(crate) fn messages(arrived: &[Arrived]) -> BTreeMap<Message, Vec<&Arrived>> {
    let mut by: BTreeMap<Message, Vec<&Arrived>> = BTreeMap::new();
    for one in arrived {
        by.entry((one.summary.clone(), one.recipient.clone())).or_default().push(one);
    }
    by
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) accepted: usize,
    pub(crate) sent: usize,
    /// Messages beyond the first of each.
    pub(crate) repeats: usize,
    /// Messages that say that they may be repeats, whether they were or not.
    pub(crate) marked: usize,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        let Self { accepted, sent, repeats, marked } = more;
        self.accepted += accepted;
        self.sent += sent;
        self.repeats += repeats;
        self.marked += marked;
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accepted, sent, repeats, marked } = self;
        write!(
            f,
            "{accepted} alerts answered yes, {sent} messages, {repeats} of them repeats ({marked} marked), 0 lost"
        )
    }
}

/// Holds what arrived against what was promised: nothing is lost, and every repeat is marked and has its cause.
pub(crate) fn judge(cluster: &Cluster, told: &Told, what: &str) -> Figures {
    until_delivered(cluster, told, what);
    cluster.settle();
    let arrived = arrivals(cluster);
    let by_message = messages(&arrived);
    not_after_acknowledgement(&arrived, told, what);
    let ours = |summary: &str| told.yes.contains_key(summary) || told.tried.contains(summary);
    let mut figures = Figures { accepted: told.yes.len(), ..Figures::default() };
    let ours: Vec<_> = by_message.iter().filter(|((summary, _), _)| ours(summary)).collect();
    for (_, sends) in &ours {
        figures.sent += sends.len();
        figures.repeats += sends.len() - 1;
        figures.marked += sends.iter().filter(|send| send.repeat.is_some()).count();
    }
    until_explained(cluster, &ours, what);
    figures
}

/// Waits until the trail explains what arrived: it is written behind what happens.
fn until_explained(cluster: &Cluster, all: &[(&Message, &Vec<&Arrived>)], what: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let trail = Trail::read(cluster);
        let wrong = all.iter().find_map(|(message, sends)| {
            let why = trail.explains(sends).err()?;
            Some(format!("{what}: {why}, of {message:?}: {sends:#?}"))
        });
        let Some(wrong) = wrong else { return };
        assert!(Instant::now() < until, "{wrong}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until everybody was told of every alert that was answered yes.
fn until_delivered(cluster: &Cluster, told: &Told, what: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let arrived = arrivals(cluster);
        let Some((message, yes)) = first_missing(cluster, told, &messages(&arrived)) else { return };
        assert!(Instant::now() < until, "{what}: {message:?} is lost: {yes:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn first_missing<'t>(
    cluster: &Cluster,
    told: &'t Told,
    arrived: &BTreeMap<Message, Vec<&Arrived>>,
) -> Option<(Message, &'t Yes)> {
    for (summary, yes) in &told.yes {
        let asked = told.tried.contains(summary);
        let messages = yes.people(asked).map(|person| (summary.clone(), person.to_owned()));
        let missing = messages.into_iter().find(|message| !arrived.contains_key(message));
        // Acknowledged before it went out, it need not be sent.
        if let Some(message) = missing.filter(|_| !(asked && is_acknowledged(cluster, &yes.code))) {
            return Some((message, yes));
        }
    }
    None
}

fn is_acknowledged(cluster: &Cluster, code: &str) -> bool {
    let node = cluster.nodes.iter().find(|node| node.is_running()).expect("somebody runs");
    let state = node.get(&format!("/api/v1/alerts/{code}"))["state"].clone();
    state == "acknowledged" || state == "closed"
}

/// A step further does not go out once the acknowledgement was answered yes.
fn not_after_acknowledgement(arrived: &[Arrived], told: &Told, what: &str) {
    for (number, one) in arrived.iter().enumerate().filter(|(_, one)| one.recipient == "ben") {
        if let Some(before) = told.acknowledged.get(&one.summary) {
            // What was on its way when the yes was heard may still arrive.
            let raced = arrived.iter().take(*before).any(|earlier| earlier.notification == one.notification);
            assert!(number < *before || raced, "{what}: {} escalated after its acknowledgement", one.summary);
        }
    }
}

/// What the trails of all nodes say of repeats.
struct Trail {
    /// Why notifications may be repeats.
    causes: BTreeMap<String, BTreeSet<String>>,
    /// Alerts that became part of their twins.
    merged: BTreeSet<String>,
}

impl Trail {
    fn read(cluster: &Cluster) -> Self {
        let mut causes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let running = || cluster.nodes.iter().filter(|node| node.is_running());
        for entry in running().flat_map(|node| node.trail("intent")) {
            for send in entry["record"]["intent"]["sends"].as_array().into_iter().flatten() {
                if let (Some(id), Some(cause)) = (send["notification"].as_str(), send["repeat"].as_str()) {
                    causes.entry(id.to_owned()).or_default().insert(cause.to_owned());
                }
            }
        }
        let part = |entry: Value| entry["record"]["merged"]["alert"].as_str().map(str::to_owned);
        let merged = running().flat_map(|node| node.trail("merged")).filter_map(part).collect();
        Self { causes, merged }
    }

    /// Of the sends of one message one may be unmarked, the others say why; those of a twin are explained by what
    /// it became part of.
    fn explains(&self, sends: &[&Arrived]) -> Result<(), String> {
        for send in sends {
            let cause = |why| self.causes.get(&send.notification).is_some_and(|causes| causes.contains(why));
            if send.repeat.as_ref().is_some_and(|why| !cause(why)) {
                return Err(format!("the trail has no such cause for the repeat by {}", send.from));
            }
        }
        let unmarked =
            |alert: &str| sends.iter().filter(|send| send.alert == alert && send.repeat.is_none()).count();
        let alerts: BTreeSet<&str> = sends.iter().map(|send| send.alert.as_str()).collect();
        if alerts.iter().any(|alert| unmarked(alert) > 1) {
            return Err("a message arrived again, unmarked".to_owned());
        }
        let whole = alerts.iter().filter(|alert| !self.merged.contains(**alert)).count();
        if whole > 1 { Err("the trail does not say that these alerts are one".to_owned()) } else { Ok(()) }
    }
}

/// When a peer was declared down since all nodes were first level, by whom and why, as the trails have it.
pub(crate) fn downs(cluster: &Cluster) -> BTreeSet<String> {
    let before = cluster.founding.lock().unwrap().clone();
    all_downs(cluster).into_iter().filter(|down| !before.contains(down)).collect()
}

/// The same from the beginning: while machines are joined one by one, those that do not run yet are down.
pub(crate) fn all_downs(cluster: &Cluster) -> BTreeSet<String> {
    let running = cluster.nodes.iter().filter(|node| node.is_running());
    let entries = running.flat_map(|node| node.trail("peer-state"));
    let down = entries.filter(|entry| entry["record"]["peer-state"]["to"] == "down");
    down.map(|entry| format!("{} {}", entry["at"].as_str().unwrap(), entry["text"].as_str().unwrap()))
        .collect()
}
