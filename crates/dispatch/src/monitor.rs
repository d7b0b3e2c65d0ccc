//! Heartbeat monitors: what says regularly that it lives, and is missed when it does not.
//!
//! A ping is a note in the log of the node that heard it, at most one for each quarter of the monitor's time, so that
//! the other nodes know; nothing of it is kept. Every node judges by what it knows, and where several raise the alert
//! they are twins. Our own downtime is no proof against anybody: after a start, and after it was configured, a
//! monitor has its whole time.

use crate::directory::{Civil, Directory, Monitor};
use crate::input::{Answer, Notice, Ping, Refusal};
use crate::record::{Actor, Code, Content, End, Record, Why};
use crate::run::Turn;
use crate::{Dispatch, Effect};
use base::limits::MONITOR_TOLD_MIN;
use base::time::Human;
use base::{AlertId, Digest, Hasher, Mono, Name, NodeId, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What a note says of a ping that is well.
const HEARD: &str = "heard";
/// What a note of a ping that is not well begins with.
const FAILED: &str = "failed: ";
/// How soon an alert that this node cannot raise or end yet is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How soon an alert that was refused, because the disk is full or nobody would be told, is raised anew.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// Whom alerts of monitors are from.
const SOURCE: &str = "monitor";

/// How a monitor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It has not been heard since this node began to watch it, and has time to be.
    New,
    /// It was heard in time.
    Up,
    /// It is over its time, and within its grace.
    Late,
    /// It was not heard in time.
    Missing,
    /// It says that it failed.
    Failing,
}

impl Pulse {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Late => "late",
            Self::Missing => "missing",
            Self::Failing => "failing",
        }
    }

    /// It is an alert.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::Missing | Self::Failing => true,
            Self::New | Self::Up | Self::Late => false,
        }
    }
}

/// A monitor as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorView {
    /// Its name.
    pub name: Name,
    /// How it is.
    pub pulse: Pulse,
    /// How long ago it was heard; none since this node began to watch it.
    pub heard: Option<Duration>,
    /// In how long its time is over, grace included; nothing if it is.
    pub due: Duration,
    /// How often it is to be heard.
    pub every: Duration,
    /// How much later is no alert yet.
    pub grace: Duration,
    /// Why it says that it failed.
    pub why: Option<Arc<str>>,
    /// Its open alert.
    pub alert: Option<Code>,
}

/// What is known of one monitor.
#[derive(Clone, Debug)]
struct Watch {
    monitor: Monitor,
    /// Since when this node watches it as it is configured now.
    since: Mono,
    /// When it was heard last.
    heard: Option<Mono>,
    /// How much later another node may have heard it, and not said so.
    unsaid: Duration,
    /// When this node last told the others.
    told: Option<Mono>,
    /// It says that it failed, for this reason.
    failed: Option<Arc<str>>,
    /// This absence has its alert.
    raised: bool,
    /// When it is to be looked at again.
    next: Option<Mono>,
}

impl Watch {
    fn new(monitor: &Monitor, now: Now) -> Self {
        Self {
            monitor: monitor.clone(),
            since: now.mono,
            heard: None,
            unsaid: Duration::ZERO,
            told: None,
            failed: None,
            raised: false,
            next: None,
        }
    }

    /// How long another node keeps to itself that it heard it.
    fn quarter(&self) -> Duration {
        (self.monitor.every / 4).max(MONITOR_TOLD_MIN)
    }

    /// The instant from which its time counts.
    fn from(&self) -> Mono {
        self.heard.map_or(self.since, |heard| heard.max(self.since))
    }

    /// When it is late.
    fn late(&self) -> Mono {
        self.from() + self.monitor.every + self.unsaid
    }

    /// When it is missing.
    fn due(&self) -> Mono {
        self.late() + self.monitor.grace
    }

    fn pulse(&self, now: Now) -> Pulse {
        if self.failed.is_some() {
            Pulse::Failing
        } else if self.due() <= now.mono {
            Pulse::Missing
        } else if self.late() <= now.mono {
            Pulse::Late
        } else if self.heard.is_some() {
            Pulse::Up
        } else {
            Pulse::New
        }
    }

    /// It was heard, its time is not over, and it is well.
    fn is_well(&self, now: Now) -> bool {
        let until = self.heard.map(|heard| heard + self.monitor.every + self.unsaid + self.monitor.grace);
        self.failed.is_none() && until.is_some_and(|until| until > now.mono)
    }

    /// It was heard at `at`, by us or, `unsaid` later at most, by another node. False if later news is known.
    fn hear(&mut self, at: Mono, unsaid: Duration, ping: &Ping) -> bool {
        if self.heard.is_some_and(|heard| heard > at) {
            return false;
        }
        (self.heard, self.unsaid) = (Some(at), unsaid);
        self.failed = match ping {
            Ping::Well => None,
            Ping::Failed { why } => Some(Arc::clone(why)),
        };
        true
    }
}

/// All monitors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Monitors {
    /// The book that they are of.
    directory: Arc<Directory>,
    watches: BTreeMap<Name, Watch>,
    /// When each is to be looked at again.
    queue: BTreeSet<(Mono, Name)>,
}

impl Monitors {
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Looks at a monitor again then, and not before.
    fn look(&mut self, name: &Name, at: Option<Mono>) {
        let Some(watch) = self.watches.get_mut(name) else { return };
        if let Some(old) = std::mem::replace(&mut watch.next, at) {
            self.queue.remove(&(old, name.clone()));
        }
        self.queue.extend(at.map(|at| (at, name.clone())));
    }

    /// Follows the directory; gives the monitors that are no more.
    fn follow(&mut self, directory: &Arc<Directory>, now: Now) -> Vec<Name> {
        if Arc::ptr_eq(&self.directory, directory) {
            return Vec::new();
        }
        self.directory = Arc::clone(directory);
        let gone = |name: &&Name| !directory.monitors.contains_key(*name);
        let gone: Vec<Name> = self.watches.keys().filter(gone).cloned().collect();
        for name in &gone {
            self.look(name, None);
            self.watches.remove(name);
        }
        for (name, monitor) in &directory.monitors {
            match self.watches.get_mut(name) {
                Some(watch) => {
                    let times = |monitor: &Monitor| (monitor.every, monitor.grace);
                    if times(&watch.monitor) != times(monitor) {
                        watch.since = now.mono;
                    }
                    watch.monitor = monitor.clone();
                }
                None => drop(self.watches.insert(name.clone(), Watch::new(monitor, now))),
            }
            self.look(name, Some(now.mono));
        }
        gone
    }
}

/// What a note says of a ping.
fn words(ping: &Ping) -> Arc<str> {
    match ping {
        Ping::Well => HEARD.into(),
        Ping::Failed { why } => format!("{FAILED}{why}").into(),
    }
}

/// The ping that a note tells of.
fn read(what: &str) -> Option<Ping> {
    if what == HEARD {
        return Some(Ping::Well);
    }
    what.strip_prefix(FAILED).map(|why| Ping::Failed { why: why.into() })
}

/// Whether a record tells of a ping that is well: there are many, and none of them says anything new.
pub fn is_routine(record: &Record) -> bool {
    matches!(record, Record::Note { by, what } if by.as_monitor().is_some() && **what == *HEARD)
}

fn fingerprint(name: &Name) -> Digest {
    Hasher::new("monitor").text(name.as_str()).finish()
}

impl Dispatch {
    /// A monitor says that it lives, or that it failed.
    pub(crate) fn ping(
        &mut self,
        now: Now,
        by: &Actor,
        (name, ping): (&Name, &Ping),
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        self.follow_monitors(now, out);
        let alone = self.cluster.is_alone();
        let watch = self.monitors.watches.get_mut(name);
        let watch = watch.ok_or_else(|| Refusal::UnknownMonitor { name: name.clone() })?;
        let news = watch.failed.is_some() || *ping != Ping::Well;
        let quiet = watch.told.is_some_and(|told| now.mono.since(told) < watch.quarter());
        watch.hear(now.mono, Duration::ZERO, ping);
        if news || !quiet && !alone {
            watch.told = Some(now.mono);
            let by = Actor::monitor(name, by.via, by.from.clone());
            self.append(now, Record::Note { by, what: words(ping) }, out);
        }
        self.look_at(now, name, out);
        Ok(self.done(Vec::new()))
    }

    /// Another node noted something: if it heard a monitor, we know as well.
    pub(crate) fn hear_note(&mut self, now: Now, (node, at): (NodeId, Wall), by: &Actor, what: &str) {
        let Some((name, ping)) = by.as_monitor().zip(read(what)) else { return };
        let age = self.moment(now, node, at).age(now);
        let at = Mono(now.mono.0.saturating_sub(base::time::millis(age)));
        let Ok(name) = Name::new(name) else { return };
        let Some(watch) = self.monitors.watches.get_mut(&name) else { return };
        let quarter = watch.quarter();
        if watch.hear(at, quarter, &ping) {
            self.monitors.look(&name, Some(now.mono));
        }
    }

    /// Takes up the monitors of the directory in force, and looks at those whose time has come.
    pub(crate) fn watch(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.follow_monitors(now, out);
        let due = self.monitors.queue.iter().take_while(|(at, _)| *at <= now.mono);
        let due: Vec<Name> = due.map(|(_, name)| name.clone()).collect();
        for name in due {
            self.look_at(now, &name, out);
        }
    }

    fn follow_monitors(&mut self, now: Now, out: &mut Vec<Effect>) {
        let directory = Arc::clone(&self.state.edition.directory);
        for name in self.monitors.follow(&directory, now) {
            self.end_absence(now, &name, Why::Automatic, out);
        }
    }

    /// Looks at one monitor: raises its alert, or ends it.
    fn look_at(&mut self, now: Now, name: &Name, out: &mut Vec<Effect>) {
        let open = self.same(fingerprint(name));
        let silent = self.is_bystander() || !self.active;
        let Some(watch) = self.monitors.watches.get_mut(name) else { return };
        let (trouble, well) = (watch.pulse(now).is_trouble(), watch.is_well(now));
        watch.raised = trouble && (watch.raised || open.is_some());
        let mut next = (watch.due() > now.mono).then(|| watch.due());
        if trouble && !watch.raised {
            if silent {
                next = Some(now.mono + LOOK_AGAIN);
            } else {
                next = self.raise_absence(now, name, out);
            }
        } else if well && open.is_some() && !self.end_absence(now, name, Why::Resolved, out) {
            next = Some(now.mono + LOOK_AGAIN);
        }
        self.monitors.look(name, next);
    }

    /// Raises the alert of a monitor; gives when that is to be tried again.
    fn raise_absence(&mut self, now: Now, name: &Name, out: &mut Vec<Effect>) -> Option<Mono> {
        let civil = self.almanac.civil(now.wall);
        let watch = self.monitors.watches.get_mut(name)?;
        watch.raised = true;
        let notice = notice(name, watch, civil, now);
        let refusal = self.take(now, notice, out).err()?;
        if let Some(watch) = self.monitors.watches.get_mut(name) {
            watch.raised = false;
        }
        let summary = format!("monitor {name} is missing, and its alert was refused");
        let details = format!("The reason: {refusal:?}");
        self.tell(now, &format!("monitor {name}"), &summary, &details, out);
        Some(now.mono + TRY_AGAIN)
    }

    /// Ends the alert of a monitor, if it is this node's to end. False if another node's word is waited for.
    fn end_absence(&mut self, now: Now, name: &Name, why: Why, out: &mut Vec<Effect>) -> bool {
        let Some(alert) = self.same(fingerprint(name)) else { return true };
        if self.runs.get(&alert).is_none_or(|run| run.turn == Turn::Theirs) {
            return false;
        }
        let by = Actor::monitor(name, crate::record::Via::Node, None);
        self.end(now, alert, End { at: now.wall, why, by }, out);
        true
    }

    /// Every monitor as this node sees it.
    pub fn monitors(&self, now: Now) -> Vec<MonitorView> {
        let view = |(name, watch): (&Name, &Watch)| MonitorView {
            name: name.clone(),
            pulse: watch.pulse(now),
            heard: watch.heard.map(|heard| now.mono.since(heard)),
            due: watch.due().since(now.mono),
            every: watch.monitor.every,
            grace: watch.monitor.grace,
            why: watch.failed.clone(),
            alert: self.same(fingerprint(name)).and_then(|id| self.code_of(id)),
        };
        self.monitors.watches.iter().map(view).collect()
    }

    fn code_of(&self, alert: AlertId) -> Option<Code> {
        self.state.open.get(&alert).map(|open| open.alert.code)
    }
}

/// What the alert of a monitor says.
fn notice(name: &Name, watch: &Watch, civil: Civil, now: Now) -> Notice {
    let monitor = &watch.monitor;
    let usual = || match &watch.failed {
        Some(_) => format!("{name} says that it failed"),
        None => format!("{name} was not heard of in time"),
    };
    let summary = monitor.summary.clone().unwrap_or_else(|| usual().into());
    let times = format!("expected every {}, {} of grace", Human(monitor.every), Human(monitor.grace));
    let details = match (&watch.failed, watch.heard) {
        (Some(why), _) => format!("It says that it failed: {why}"),
        (None, Some(heard)) => format!("It was last heard {} ago; {times}.", whole(now.mono.since(heard))),
        (None, None) => {
            format!(
                "It was not heard since this node began to watch it, {} ago; {times}.",
                whole(now.mono.since(watch.since))
            )
        }
    };
    let mut labels = monitor.labels.clone();
    labels.insert("monitor".into(), name.as_str().into());
    Notice {
        source: crate::bind::constant(SOURCE),
        key: None,
        fingerprint: Some(fingerprint(name)),
        resolved: false,
        stands_for: None,
        content: Content {
            severity: monitor.severity,
            summary,
            details: details.into(),
            labels,
            origin: None,
        },
        to: monitor.to.clone(),
        policy: monitor.policy.clone(),
        choices: Vec::new(),
        civil,
    }
}

/// A time for people to read: of more than a second in whole seconds.
fn whole(time: Duration) -> Human {
    Human(if time.as_secs() > 0 { Duration::from_secs(time.as_secs()) } else { time })
}
