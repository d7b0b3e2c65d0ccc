//! What the core shows of itself: for status pages, lists and metrics. Reads only.

use crate::Dispatch;
use crate::directory::Edition;
use crate::escalation::next_step;
use crate::provider::day;
use crate::record::StepKey;
use crate::state::{Open, State};
use base::{AlertId, Mono, Name, Now, Wall};
use base::{LogId, NodeId};
use ownership::{Member, PeerView, Vector};
use selection::Health;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody is still asked to acknowledge.
    Open,
    /// Somebody took responsibility.
    Acknowledged,
    /// It is over; what remains to be told is being told.
    Ended,
}

impl Standing {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Ended => "ended",
        }
    }
}

/// The step that an alert waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// Which.
    pub step: StepKey,
    /// In how long; none while sending is paused.
    pub due_in: Option<Duration>,
    /// How many people it would tell.
    pub people: usize,
}

/// A provider as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderView {
    /// Its name.
    pub name: Name,
    /// The channel it serves.
    pub channel: Name,
    /// `healthy`, `failing` or `on trial`.
    pub health: &'static str,
    /// Why it is not healthy.
    pub why: Option<Arc<str>>,
    /// When it may be tried again.
    pub next_try: Option<Mono>,
    /// Messages sent today (UTC).
    pub sent_today: u32,
    /// The daily quota.
    pub per_day: Option<u32>,
    /// Alerts that wait for its channel.
    pub waiting: usize,
}

/// The cluster as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// This boot.
    pub me: LogId,
    /// Who belongs to it, in no order but that of their ids.
    pub members: BTreeMap<NodeId, Member>,
    /// What is known of each peer.
    pub peers: BTreeMap<NodeId, PeerView>,
    /// The boot in control, since when by its own wall clock, and why.
    pub control: Option<(LogId, Wall, Arc<str>)>,
    /// This node sends what it owns; else it stands by.
    pub active: bool,
    /// How much of each log this node holds.
    pub held: Vector,
    /// How much of each log is on this node's disk.
    pub durable: Vector,
    /// Open alerts by the node that sends them.
    pub owned: BTreeMap<NodeId, usize>,
}

impl Dispatch {
    /// The cluster as this node sees it; nobody but this node, if it is alone.
    pub fn cluster(&self, now: Now) -> ClusterView {
        let mut owned = BTreeMap::new();
        for run in self.runs.values() {
            *owned.entry(run.owner.node).or_default() += 1;
        }
        let front = self.state.duties.get(crate::adopt::FRONT);
        ClusterView {
            me: self.me,
            members: self.cluster.members().clone(),
            peers: self.cluster.views(now.mono).collect(),
            control: front.map(|(_, holder, since, because)| (*holder, *since, Arc::clone(because))),
            active: self.active,
            held: self.state.applied.clone(),
            durable: self.durable.clone(),
            owned,
        }
    }

    /// Who belongs to the cluster.
    pub fn members(&self) -> &BTreeMap<NodeId, Member> {
        self.cluster.members()
    }

    /// The fold of all records.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The book.
    pub fn edition(&self) -> &Edition {
        &self.state.edition
    }

    /// Sending is paused.
    pub fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// Nothing is known of any open alert, waits for anything, or is due: what finished alerts leave behind.
    pub fn idle(&self) -> bool {
        let books = self.state.open.is_empty() && self.state.early.is_empty() && self.runs.is_empty();
        let due = self.steps_due.is_empty() && self.lapses_due.is_empty() && self.retries_due.is_empty();
        let found = self.marks.is_empty() && self.open_codes.is_empty();
        books
            && due
            && found
            && self.held.is_empty()
            && self.answers.is_empty()
            && self.bundles.is_empty()
            && self.hush.is_idle()
            && self.channels.values().all(|c| c.lane.is_empty())
    }

    /// Nothing is on its way out, and nobody waits for an answer: the node may stop without interrupting
    /// anything.
    pub fn is_drained(&self) -> bool {
        let handed_over = self.switch_over.is_none();
        handed_over && self.held.is_empty() && self.answers.is_empty() && self.flights.is_empty()
    }

    /// Messages that are on their way out.
    pub fn under_way(&self) -> usize {
        self.runs.values().map(|run| run.in_flight).sum()
    }

    /// New alerts are refused, because the disk is full.
    pub fn disk_full(&self) -> Option<&str> {
        self.disk_full.as_deref()
    }

    /// The open alerts after `after`, oldest first.
    pub fn open_after(&self, after: Option<AlertId>) -> impl Iterator<Item = (AlertId, &Open)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.state.open.range((from, Bound::Unbounded)).map(|(id, open)| (*id, open))
    }

    /// The open alert with that code.
    pub fn by_code(&self, code: crate::record::Code) -> Option<AlertId> {
        self.open_codes.get(&code).copied()
    }

    /// Where an open alert stands.
    pub fn standing(&self, alert: AlertId) -> Option<Standing> {
        let open = self.state.open.get(&alert)?;
        let acknowledged = self.runs.get(&alert).is_some_and(|run| run.acknowledged(&open.facts));
        Some(if open.facts.end().is_some() {
            Standing::Ended
        } else if acknowledged {
            Standing::Acknowledged
        } else {
            Standing::Open
        })
    }

    /// Something of an alert waits to be sent, or is on its way.
    pub fn pending(&self, alert: AlertId) -> bool {
        self.is_pending(alert)
    }

    /// How long an alert stands from now on if nothing is heard of it; none where its source says when it is over.
    pub fn stands_for(&self, now: Now, alert: AlertId) -> Option<Duration> {
        self.runs.get(&alert)?.stands_until.map(|until| until.since(now.mono))
    }

    /// The step that an alert waits for.
    pub fn next_step(&self, now: Now, alert: AlertId) -> Option<NextStep> {
        let (open, run) = self.state.open.get(&alert).zip(self.runs.get(&alert))?;
        let due = run.step_due?;
        let (step, _) = next_step(open, run)?;
        let on_call = self.shifts(&run.roster, step, run.system);
        let wider = run.roster.with_joined(step, &on_call);
        let roster = wider.as_ref().unwrap_or(&run.roster);
        let withheld = self.withheld(roster, step, open.content(), run.system);
        let told = roster.told(step, &on_call, &withheld);
        let people = told.chunk_by(|a, b| a.person == b.person).count();
        Some(NextStep { step, due_in: self.clock.mono(due).map(|at| at.since(now.mono)), people })
    }

    /// Every provider as it is now.
    pub fn providers(&self, now: Now) -> Vec<ProviderView> {
        let mut views = Vec::new();
        for (channel, entry) in &self.channels {
            for (name, health) in entry.selection.iter().flat_map(|selection| selection.targets()) {
                let Some(provider) = self.providers.get(name) else { continue };
                let (word, why, next_try) = match health {
                    Health::Healthy => ("healthy", None, None),
                    Health::Cooling { until, why, .. } => ("failing", Some(Arc::clone(why)), Some(*until)),
                    Health::Trial { why, .. } => ("on trial", Some(Arc::clone(why)), None),
                };
                views.push(ProviderView {
                    name: name.clone(),
                    channel: channel.clone(),
                    health: word,
                    why,
                    next_try,
                    sent_today: provider.sent_on(day(now.wall)),
                    per_day: provider.spec.per_day,
                    waiting: entry.lane.alerts(),
                });
            }
        }
        views
    }

    /// Channels that something waits for and that no provider of this node serves.
    pub fn unserved_channels(&self) -> impl Iterator<Item = &Name> {
        let unserved =
            |channel: &crate::delivery::Channel| channel.selection.is_none() && !channel.lane.is_empty();
        self.channels.iter().filter(move |(_, channel)| unserved(channel)).map(|(name, _)| name)
    }
}
