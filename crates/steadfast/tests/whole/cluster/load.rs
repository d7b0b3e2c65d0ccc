//! Clients of a cluster: many at once, who try one node and then the next until they hear a yes.
//!
//! Separate from what is done to the nodes meanwhile, which is another story in each test.

use crate::cluster::nodes::Cluster;
use crate::site::Chance;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Groups that alerts are for, and who is told first.
pub(crate) const GROUPS: [(&str, &[&str]); 2] = [("crew", &["anna", "cleo"]), ("pumps", &["dora"])];

/// An alert that was answered yes.
#[derive(Clone, Debug)]
pub(crate) struct Yes {
    /// Which node said it.
    pub(crate) by: usize,
    pub(crate) code: String,
    pub(crate) copies: u64,
    /// Who is to be told at least.
    pub(crate) people: &'static [&'static str],
}

/// What clients were told.
#[derive(Default)]
pub(crate) struct Told {
    /// By summary.
    pub(crate) yes: BTreeMap<String, Yes>,
    /// Summaries of alerts whose acknowledgement was answered yes, with what had arrived by then.
    pub(crate) acknowledged: BTreeMap<String, usize>,
    /// Summaries of alerts whose acknowledgement was sent, answered or not.
    pub(crate) tried: BTreeSet<String>,
    /// The longest that a client waited for its yes from one node.
    pub(crate) slowest: Duration,
}

/// Clients at work.
pub(crate) struct Load<'c> {
    cluster: &'c Cluster,
    /// What all summaries of this load begin with.
    name: String,
    /// How long a client rests between two alerts.
    pub(crate) rest: Duration,
    pub(crate) told: Mutex<Told>,
    over: AtomicBool,
}

/// Ends the clients' work when it goes out of scope.
struct Over<'l>(&'l AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'c> Load<'c> {
    pub(crate) fn new(cluster: &'c Cluster, name: &str) -> Self {
        let rest = Duration::from_millis(20); // A few hundred alerts a trial can be looked through.
        Self { cluster, name: name.to_owned(), rest, told: Mutex::default(), over: AtomicBool::new(false) }
    }

    /// So many clients send while `meanwhile` is done; when it returns, none begins another alert.
    pub(crate) fn during<T>(&self, senders: usize, meanwhile: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            // Also if it panics: the scope waits for its threads.
            let _over = Over(&self.over);
            (0..senders).for_each(|sender| drop(scope.spawn(move || self.send(sender))));
            meanwhile()
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn told(self) -> Told {
        self.told.into_inner().expect("no client panicked")
    }

    /// Sends one alert after the other, each until it is answered, trying all nodes in turn.
    fn send(&self, sender: usize) {
        let count = self.cluster.nodes.len();
        for number in 0.. {
            let order = (0..count).map(|step| (sender + number + step) % count);
            let (group, people) = GROUPS[number % GROUPS.len()];
            let summary = format!("{} {sender}-{number}", self.name);
            if !self.insist(&summary, (group, people), &order.collect::<Vec<_>>()) || self.is_over() {
                return;
            }
            std::thread::sleep(self.rest);
        }
    }

    /// Sends one alert to one node after the other until one says yes; false if the load is over before.
    pub(crate) fn insist(
        &self,
        summary: &str,
        (group, people): (&str, &'static [&'static str]),
        order: &[usize],
    ) -> bool {
        let notice = json!({"summary": summary, "to": [group]});
        for node in order.iter().cycle() {
            if self.try_one(summary, &notice, people, *node, Some(summary)) {
                return true;
            }
            if self.is_over() {
                return false;
            }
        }
        false
    }

    /// Offers a notice to one node, and notes a yes.
    pub(crate) fn try_one(
        &self,
        summary: &str,
        notice: &Value,
        people: &'static [&'static str],
        node: usize,
        key: Option<&str>,
    ) -> bool {
        let begun = Instant::now();
        let answer = self.cluster.nodes[node].offer(notice, key);
        let Some((200..300, answer)) = answer else {
            std::thread::sleep(Duration::from_millis(5)); // Nobody is there, or it has no room.
            return false;
        };
        let mut told = self.told.lock().expect("no client panicked");
        told.slowest = told.slowest.max(begun.elapsed());
        let code = answer["code"].as_str().expect("a yes has a code").to_owned();
        let yes = Yes { by: node, code, copies: answer["copies"].as_u64().expect("a yes says it"), people };
        told.yes.insert(summary.to_owned(), yes);
        true
    }

    /// The same, and somebody acknowledges meanwhile.
    pub(crate) fn during_with_acknowledgements<T>(
        &self,
        senders: usize,
        seed: u64,
        meanwhile: impl FnOnce() -> T,
    ) -> T {
        std::thread::scope(|scope| {
            let _over = Over(&self.over);
            scope.spawn(move || self.acknowledge(seed));
            self.during(senders, meanwhile)
        })
    }

    /// Acknowledges every other alert or so, at any node that takes it.
    fn acknowledge(&self, seed: u64) {
        let mut chance = Chance(seed ^ 0xACED);
        let mut seen = BTreeSet::new();
        while !self.is_over() {
            let fresh = self.told.lock().expect("no client panicked").yes.clone();
            for (summary, yes) in fresh {
                if seen.insert(summary.clone()) && chance.below(2) == 0 {
                    self.acknowledge_one(&summary, &yes.code);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn acknowledge_one(&self, summary: &str, code: &str) {
        self.told.lock().expect("no client panicked").tried.insert(summary.to_owned());
        let path = format!("/api/v1/alerts/{code}/acknowledge");
        let answered = |node: &super::nodes::Node| {
            let answer = node.try_post(&path, &json!({"comment": "mine"}));
            answer.is_some_and(|(status, _)| (200..300).contains(&status))
        };
        if self.cluster.nodes.iter().any(answered) {
            let arrived = self.cluster.sink.with("").len();
            self.told.lock().expect("no client panicked").acknowledged.insert(summary.to_owned(), arrived);
        }
    }
}
