//! The vocabulary of facts. Everything durable that the product knows is one of these.
//!
//! A record is written by one boot into its own log and never changed. Facts are sets and maxima: applied
//! in any order that keeps each log's own order, they give the same state (see `state`). How they are
//! written as bytes is the `record` crate's business.

use crate::directory::{Address, Edition, Policy, Severity};
use base::time::Human;
use base::{AlertId, Digest, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use matcher::Matchers;
use ownership::{Condition, Member};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A record with the wall time at which it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, by the writer's clock.
    pub at: Wall,
    /// What.
    pub record: Record,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The first of every log: a node started.
    Start {
        /// The program's version.
        version: Arc<str>,
        /// Why this boot exists: `clean` or `after a crash`.
        because: Arc<str>,
    },
    /// The recipients and addresses that alerts are for; content-addressed.
    Roster(Arc<Roster>),
    /// A notice became an alert. The record's id is the alert's, and it is the firing of the first step.
    Accept(Arc<Alert>),
    /// A later notice of the same alert said something else.
    Update {
        /// The alert.
        alert: AlertId,
        /// What it says from now on.
        content: Arc<Content>,
        /// It says nothing new: its source was not heard in time, and who heard it is asked to say so, by an update
        /// that is not silent.
        silent: bool,
    },
    /// An escalation step was reached.
    StepFired {
        /// The alert.
        alert: AlertId,
        /// Which step of which round.
        step: StepKey,
        /// How it came to fire.
        fired: Fired,
    },
    /// Notifications are about to be sent. Durable before the first byte leaves.
    Intent {
        /// The alert.
        alert: AlertId,
        /// At most `INTENT_NOTIFICATIONS_MAX`.
        sends: Vec<Send>,
    },
    /// What became of them.
    Done {
        /// The alert.
        alert: AlertId,
        /// At most `DONE_OUTCOMES_MAX`.
        outcomes: Vec<Concluded>,
    },
    /// Somebody acknowledged.
    Ack {
        /// The alert.
        alert: AlertId,
        /// Who, and how.
        ack: Acknowledgement,
    },
    /// Somebody said something.
    Comment {
        /// The alert.
        alert: AlertId,
        /// Who, and what.
        comment: Comment,
    },
    /// The alert is over; what remains to be told is told, then it closes.
    End {
        /// The alert.
        alert: AlertId,
        /// Why.
        end: End,
    },
    /// Terminal: nothing about the alert is left to do. There is one, and nothing follows it.
    Closed {
        /// The alert.
        alert: AlertId,
    },
    /// Sending and escalation stand still until this is resumed.
    Pause {
        /// Who paused.
        by: Actor,
        /// Why, in their words.
        reason: Arc<str>,
    },
    /// Ends the pauses it names, and no others.
    Resume {
        /// The pauses, and when each began.
        pauses: Vec<(RecordId, Wall)>,
        /// Who resumed.
        by: Actor,
    },
    /// Nothing is told of alerts with certain labels for a while.
    Silence(Arc<Silence>),
    /// Ends a silence before its time.
    Unsilence {
        /// Which.
        silence: RecordId,
        /// Who ended it.
        by: Actor,
    },
    /// The writer takes over items whose owner is dead.
    Claim(Claim),
    /// The owner hands items to another boot, which need not wait for anybody: nobody else sends them.
    Release {
        /// To whom.
        to: LogId,
        /// What.
        claims: Vec<Claim>,
    },
    /// A boot holds a cluster-wide duty from now on, such as the front.
    Duty(Duty),
    /// The owner lets another boot send what goes out by a channel that it has no provider for itself.
    Delegate {
        /// Of which alert.
        alert: AlertId,
        /// Which channel.
        channel: Name,
        /// The epoch at which the writer owns the alert; the highest counts.
        epoch: u64,
        /// Who sends.
        to: LogId,
    },
    /// An alert turned out to be another one's twin, accepted elsewhere: it is over, its code leads to the other.
    Merged {
        /// The one that is over.
        alert: AlertId,
        /// Its code, which stays valid.
        code: Code,
        /// The one that is sent, with the smaller id.
        into: AlertId,
    },
    /// Nothing in this log will refer to these rosters any more, unless they are written again.
    RosterDropped {
        /// Which.
        rosters: Vec<Digest>,
    },
    /// A peer is in another condition, as seen by the writer.
    PeerState {
        /// Which.
        peer: NodeId,
        /// How it is.
        to: Condition,
        /// Why, in words.
        because: Arc<str>,
    },
    /// A node belongs to the cluster, in this way, or does not any more.
    Member {
        /// Which.
        node: NodeId,
        /// Counts the changes; the highest wins.
        generation: u64,
        /// How; none if it does not belong any more.
        member: Option<Member>,
        /// Who changed it.
        by: Actor,
    },
    /// How the cluster is to behave from now on.
    Conduct {
        /// So.
        conduct: Conduct,
        /// Who changed it.
        by: Actor,
    },
    /// The book changed.
    Directory {
        /// The whole of it.
        edition: Edition,
        /// Who changed it.
        by: Actor,
        /// What changed, in a line.
        summary: Arc<str>,
    },
    /// A provider changed its state.
    Provider {
        /// Which.
        provider: Name,
        /// What it is from now on, such as `failing` or `preferred again`.
        to: Arc<str>,
        /// Why.
        because: Arc<str>,
    },
    /// An action that changes nothing above, kept for the trail.
    Note {
        /// Who acted.
        by: Actor,
        /// What they did.
        what: Arc<str>,
    },
}

impl Record {
    /// The alert this is about, if it is about one. An `Accept` is about the alert that it creates.
    pub fn alert(&self, id: RecordId) -> Option<AlertId> {
        match self {
            Self::Accept(_) => Some(AlertId(id)),
            Self::Update { alert, .. }
            | Self::StepFired { alert, .. }
            | Self::Intent { alert, .. }
            | Self::Done { alert, .. }
            | Self::Ack { alert, .. }
            | Self::Comment { alert, .. }
            | Self::End { alert, .. }
            | Self::Merged { alert, .. }
            | Self::Delegate { alert, .. }
            | Self::Closed { alert } => Some(*alert),
            Self::Start { .. }
            | Self::Roster(_)
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Silence(_)
            | Self::Unsilence { .. }
            | Self::Claim(_)
            | Self::Release { .. }
            | Self::Duty(_)
            | Self::RosterDropped { .. }
            | Self::PeerState { .. }
            | Self::Member { .. }
            | Self::Conduct { .. }
            | Self::Directory { .. }
            | Self::Provider { .. }
            | Self::Note { .. } => None,
        }
    }
}

/// Alerts of which nothing is told for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// All of these match the alert's labels.
    pub matchers: Matchers,
    /// From when on, by civil time.
    pub from: Wall,
    /// Until when.
    pub until: Wall,
    /// Who asked for it.
    pub by: Actor,
    /// In whose name they did, as they wrote it.
    pub author: Arc<str>,
    /// Why, in their words.
    pub comment: Arc<str>,
}

/// What stands before the name of a monitor that acts.
const MONITOR: &str = "monitor:";

/// Who did something, through what, and from where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    /// `recipient:anna`, `token:ops`, `user:bea`, `source:scada`, `monitor:backup`, or `steadfast` itself.
    pub who: Arc<str>,
    /// How it reached us.
    pub via: Via,
    /// The network address, where there was one.
    pub from: Option<Arc<str>>,
}

impl Actor {
    /// Steadfast itself.
    pub fn ourselves() -> Self {
        Self { who: "steadfast".into(), via: Via::Node, from: None }
    }

    /// Something that a monitor watches.
    pub fn monitor(name: &Name, via: Via, from: Option<Arc<str>>) -> Self {
        Self { who: format!("{MONITOR}{name}").into(), via, from }
    }

    /// The monitor that this is, if it is one.
    pub fn as_monitor(&self) -> Option<&str> {
        self.who.strip_prefix(MONITOR)
    }

    /// A recipient.
    pub fn recipient(name: &Name, via: Via, from: Option<Arc<str>>) -> Self {
        Self { who: format!("recipient:{name}").into(), via, from }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)?;
        match self.via {
            Via::Node => (),
            Via::Api | Via::Link => write!(f, " through the {}", self.via.word())?,
            Via::Reply => f.write_str(" through a reply")?,
        }
        self.from.as_ref().map_or(Ok(()), |from| write!(f, " from {from}"))
    }
}

/// How an action reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// The node did it by itself.
    Node,
    /// The API; the command line speaks it too.
    Api,
    /// The link in a message.
    Link,
    /// A reply to a message.
    Reply,
}

impl Via {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Node, Self::Api, Self::Link, Self::Reply];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Api => "api",
            Self::Link => "link",
            Self::Reply => "reply",
        }
    }
}

/// What people type back: a letter that names the accepting node, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `A` to `Z`, one for each node of a cluster.
    pub letter: char,
    /// From 1.
    pub number: u32,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.letter, self.number)
    }
}

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How much it matters.
    pub severity: Severity,
    /// The one line that everybody gets.
    pub summary: Arc<str>,
    /// What channels with room for it add.
    pub details: Arc<str>,
    /// For routing and for templates.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// What came with it in the form that Prometheus posts; none of an alert that came in another.
    pub origin: Option<Arc<Origin>>,
}

impl Content {
    /// The value of a label. An alert without the label `alertname` is called by its summary.
    pub fn label(&self, name: &str) -> Option<&str> {
        let said = self.labels.get(name).map(AsRef::as_ref);
        said.or_else(|| (name == "alertname").then_some(&*self.summary))
    }

    /// The same, standing since when `earlier` says, if that is longer: Prometheus forgets over a restart.
    pub(crate) fn standing_since(mut self, earlier: &Self) -> Self {
        if let (Some(mine), Some(theirs)) = (&self.origin, &earlier.origin)
            && theirs.starts < mine.starts
        {
            self.origin = Some(Arc::new(Origin { starts: theirs.starts, ..Origin::clone(mine) }));
        }
        self
    }
}

/// What an alert has besides in the form of Prometheus and Alertmanager. Such an alert is posted again and again
/// while it stands; one that is not is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Texts by name; some of them make the summary and the details.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// Where its source shows it; empty where it did not say.
    pub generator: Arc<str>,
    /// Since when it stands, by its source.
    pub starts: Wall,
}

/// An accepted notice, with all that was bound at accept: an adopter with an older directory tells the same
/// people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub source: Name,
    /// The client's idempotency key, with a digest of the request so that another one under it is noticed.
    pub key: Option<(Arc<str>, Digest)>,
    /// What later notices of the same alert share with it; none means that there are none.
    pub fingerprint: Option<Digest>,
    /// What it says.
    pub content: Arc<Content>,
    /// What people type back.
    pub code: Code,
    /// The route that picked the recipients; `direct` where the notice named them.
    pub route: Name,
    /// For whom, and how it escalates.
    pub roster: Digest,
    /// Found older than this with nobody told, it ends as expired.
    pub ttl: Duration,
    /// False where the text has an exempting keyword.
    pub escalates: bool,
    /// One of our own, about ourselves.
    pub system: bool,
    /// Who was on call in the schedules of the first step, which the acceptance fires.
    pub on_call: BTreeSet<Shift>,
    /// What filters withhold of the first step.
    pub withheld: BTreeSet<Withheld>,
    /// The same trouble was raised too often of late: it is told once it has stood for a while.
    pub flapping: Option<Flapping>,
    /// What its people can answer, in order; answers name them by number, from 1.
    pub choices: Vec<Choice>,
}

/// Trouble that comes and goes, as its route judged it when the alert was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// How often it was raised, this time included.
    pub times: u32,
    /// Within which time.
    pub within: Duration,
    /// It is told once it has stood for so long.
    pub steady: Duration,
}

impl fmt::Display for Flapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "raised {} times in {}", self.times, Human(self.within))
    }
}

/// One of the answers that a notice offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it says.
    pub text: Arc<str>,
    /// Who answers so takes responsibility.
    pub acknowledges: bool,
}

/// The choice that somebody answered with, in full: who reads only the fact knows what was meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chosen {
    /// Its number, from 1.
    pub number: u8,
    /// What it says.
    pub text: Arc<str>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.number, self.text)
    }
}

/// A recipient as bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The recipient's name; `direct-1` and so on for an address outside the directory.
    pub name: Name,
    /// The name people read.
    pub title: Arc<str>,
    /// The language of their messages.
    pub language: Option<Name>,
    /// Where they are reached.
    pub addresses: Vec<Address>,
}

/// One notification of a step: which person, at which of their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// Index into [`Roster::people`].
    pub person: u32,
    /// Index into [`Person::addresses`].
    pub address: u8,
}

/// A step as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundStep {
    /// Counted from the previous step's recorded firing.
    pub after: Duration,
    /// Whom it tells, where, in order, without repetition.
    pub reach: Vec<Reach>,
    /// Of each of these it tells besides whoever is on call when it fires.
    pub schedules: Vec<BoundSchedule>,
}

impl BoundStep {
    /// It tells nobody, whoever is on call.
    pub fn is_empty(&self) -> bool {
        let nobody = |schedule: &BoundSchedule| schedule.members.iter().all(|member| member.reach.is_empty());
        self.reach.is_empty() && self.schedules.iter().all(nobody)
    }
}

/// An on-call schedule as bound: all of whom it can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundSchedule {
    /// The schedule's name.
    pub name: Name,
    /// Those whom it names, or a schedule that it names, each once.
    pub members: Vec<BoundMember>,
}

impl BoundSchedule {
    /// It knows where this one is told.
    pub(crate) fn reaches(&self, name: &Name) -> bool {
        self.members.iter().any(|member| member.name == *name && !member.reach.is_empty())
    }
}

/// Somebody whom a schedule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundMember {
    /// A recipient or a group.
    pub name: Name,
    /// Whom that tells, where.
    pub reach: Vec<Reach>,
}

/// Who is on call in a schedule, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// The schedule.
    pub schedule: Name,
    /// Recipients and groups; empty if nobody is on call.
    pub who: Vec<Name>,
    /// Why they are, in words such as `turn 2 of nights`.
    pub because: Arc<str>,
    /// Those of them whom the alert's roster does not know.
    pub joined: Vec<Joined>,
}

/// Somebody on call who joined the schedule after the alert was accepted: bound when the step fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Joined {
    /// A recipient or a group.
    pub name: Name,
    /// Whom that tells, at all of these addresses.
    pub people: Vec<Person>,
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let who = if who.is_empty() { "nobody" } else { &who };
        write!(f, "{who} on call in {} ({})", self.schedule, self.because)
    }
}

/// Which messages of a step a filter withholds, as judged when the step fired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Withheld {
    /// The filter's name.
    pub filter: Name,
    /// Those by these channels; empty means any.
    pub channels: Vec<Name>,
    /// Those for these people: ranges of places in [`Roster::people`], first and last.
    pub people: Vec<(u32, u32)>,
}

impl Withheld {
    /// Whether it withholds what is for the person at that place of the roster, at that address.
    pub(crate) fn holds(&self, person: u32, address: &Address) -> bool {
        let after = self.people.partition_point(|(first, _)| *first <= person);
        let range = after.checked_sub(1).and_then(|at| self.people.get(at));
        range.is_some_and(|(_, last)| person <= *last)
            && (self.channels.is_empty() || self.channels.contains(&address.channel))
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.channels.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let what = if channels.is_empty() { "messages" } else { &channels };
        write!(f, "filter {} withholds {what}", self.filter)
    }
}

/// For whom an alert is and how it escalates, as the directory said when it was accepted.
///
/// One for many alerts: named by the digest of its content, kept while an open alert needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The digest of what follows.
    pub id: Digest,
    /// The policy's name.
    pub policy_name: Name,
    /// The policy; its steps' targets are bound in `steps`.
    pub policy: Policy,
    /// Templates the route named.
    pub templates: Vec<Name>,
    /// Everybody who may be told.
    pub people: Vec<Person>,
    /// The first notification, then the policy's steps.
    pub steps: Vec<BoundStep>,
}

impl Roster {
    /// The person and address that `reach` stands for.
    pub fn at(&self, reach: Reach) -> Option<(&Person, &Address)> {
        let person = self.people.get(usize::try_from(reach.person).ok()?)?;
        Some((person, person.addresses.get(usize::from(reach.address))?))
    }

    /// Whom a step tells, where, if these are on call: those bound at accept, then those of its schedules, without
    /// repetition, and without what is withheld.
    pub fn told(
        &self,
        step: StepKey,
        on_call: &BTreeSet<Shift>,
        withheld: &BTreeSet<Withheld>,
    ) -> Cow<'_, [Reach]> {
        let reach = self.chosen(step, on_call);
        if withheld.is_empty() {
            return reach;
        }
        let passes = |reach: &Reach| {
            let at = self.at(*reach);
            at.is_some_and(|(_, address)| !withheld.iter().any(|it| it.holds(reach.person, address)))
        };
        Cow::Owned(reach.iter().copied().filter(passes).collect())
    }

    /// Whom a step is for, where, if these are on call.
    pub(crate) fn chosen(&self, step: StepKey, on_call: &BTreeSet<Shift>) -> Cow<'_, [Reach]> {
        let Some(bound) = self.steps.get(usize::from(step.step)) else { return Cow::Borrowed(&[]) };
        if bound.schedules.is_empty() {
            return Cow::Borrowed(&bound.reach);
        }
        let mut told = bound.reach.clone();
        let mut seen: BTreeSet<Reach> = told.iter().copied().collect();
        for schedule in &bound.schedules {
            let shifts = on_call.iter().filter(|shift| shift.schedule == schedule.name);
            for name in shifts.flat_map(|shift| &shift.who) {
                let members = schedule.members.iter().filter(|member| member.name == *name);
                told.extend(members.flat_map(|member| &member.reach).filter(|reach| seen.insert(**reach)));
            }
        }
        Cow::Owned(told)
    }

    /// The same with those on call at a step who joined its schedules later; none if it knows them all. They come
    /// after everybody else, so that each [`Reach`] stays what it was.
    pub fn with_joined(&self, step: StepKey, on_call: &BTreeSet<Shift>) -> Option<Self> {
        let at = usize::from(step.step);
        let schedules = &self.steps.get(at)?.schedules;
        let mut late: Vec<(usize, &Joined)> = Vec::new();
        for (place, schedule) in schedules.iter().enumerate() {
            let shifts = on_call.iter().filter(|shift| shift.schedule == schedule.name);
            let joined = shifts.flat_map(|shift| &shift.joined);
            late.extend(
                joined.filter(|joined| !schedule.reaches(&joined.name)).map(|joined| (place, joined)),
            );
        }
        if late.is_empty() {
            return None;
        }
        let mut roster = self.clone();
        for (place, joined) in late {
            let reach = joined.people.iter().flat_map(|person| roster.take_up(person)).collect();
            let schedule = roster.steps.get_mut(at).and_then(|step| step.schedules.get_mut(place))?;
            schedule.members.push(BoundMember { name: joined.name.clone(), reach });
        }
        Some(roster)
    }

    /// Takes up a person, and says where they stand.
    fn take_up(&mut self, person: &Person) -> Vec<Reach> {
        let known = self.people.iter().position(|known| known.name == person.name);
        let place = known.unwrap_or(self.people.len());
        if known.is_none() {
            self.people.push(Person { addresses: Vec::new(), ..person.clone() });
        }
        let (Some(known), Ok(index)) = (self.people.get_mut(place), u32::try_from(place)) else {
            return Vec::new();
        };
        let new = person.addresses.iter().filter(|address| !known.addresses.contains(address));
        let new: Vec<Address> = new.cloned().collect();
        known.addresses.extend(new);
        let places =
            known.addresses.iter().zip(0u8..).filter(|(address, _)| person.addresses.contains(address));
        places.map(|(_, address)| Reach { person: index, address }).collect()
    }

    /// The person of that name.
    pub fn person(&self, name: &Name) -> Option<&Person> {
        self.people.iter().find(|person| person.name == *name)
    }
}

/// Which step of which round; both from 0, and step 0 is the notification of the first recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    /// Which time through the policy.
    pub round: u16,
    /// Which step of it.
    pub step: u16,
}

/// How a step came to fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fired {
    /// When, by the writer's clock.
    pub at: Wall,
    /// How much later than the policy says, where that is a second or more.
    pub late: Duration,
    /// It has nobody to tell, so the next step does not wait for it.
    pub empty: bool,
    /// Who asked for it before its time.
    pub by: Option<Actor>,
    /// Who was on call in the step's schedules, one shift for each; of several nodes that fired it, all.
    pub on_call: BTreeSet<Shift>,
    /// What filters withhold of it; of several nodes that fired it, what all say.
    pub withheld: BTreeSet<Withheld>,
}

/// What a notification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To tell of the alert.
    Alert(StepKey),
    /// To tell that somebody acknowledged.
    Acknowledgement(RecordId),
    /// To tell of a comment.
    Comment(RecordId),
    /// To tell that it is over.
    End,
}

/// Why a notification may reach somebody twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A node stopped after the intent and before the outcome.
    Crash,
    /// Another node took the alert over, and cannot know what the one before it sent: they do not hear each
    /// other.
    Takeover,
    /// The provider did not say what became of the last try.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Crash, Self::Takeover, Self::Unknown];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Takeover => "takeover",
            Self::Unknown => "unknown",
        }
    }
}

/// One attempt that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Of which notification.
    pub notification: NotificationId,
    /// Whom it is for.
    pub recipient: Name,
    /// Where.
    pub address: Address,
    /// What for.
    pub purpose: Purpose,
    /// By which provider.
    pub provider: Name,
    /// From 1.
    pub attempt: u16,
    /// Set when an earlier attempt may have arrived; the recipient is told so.
    pub repeat: Option<Cause>,
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// Of which notification.
    pub notification: NotificationId,
    /// The `Intent` that announced the attempt.
    pub intent: RecordId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a provider said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It took responsibility for the message.
    Accepted {
        /// Its own reference, such as a queue id.
        receipt: Arc<str>,
    },
    /// It did not, for certain.
    Refused {
        /// What to do about it.
        then: Then,
        /// Its words.
        why: Arc<str>,
    },
    /// Nobody knows: the connection dropped or timed out when the message may already have been taken.
    Unknown {
        /// What was seen.
        why: Arc<str>,
    },
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Then {
    /// Try again at once: a stale connection, nothing wrong with provider or recipient.
    RetryNow,
    /// Try this one again after a while: the recipient's side is not ready.
    RetryLater,
    /// The provider is in trouble: use another one, and leave this one alone for a while.
    NextProvider,
    /// This provider will not take it, and another one may: that one is asked before anybody gives up.
    Elsewhere,
    /// It will never work: a wrong address, a message refused for its content.
    GiveUp,
}

impl Then {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::RetryNow, Self::RetryLater, Self::NextProvider, Self::Elsewhere, Self::GiveUp];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RetryNow => "retry-now",
            Self::RetryLater => "retry-later",
            Self::NextProvider => "next-provider",
            Self::Elsewhere => "elsewhere",
            Self::GiveUp => "give-up",
        }
    }
}

/// Somebody took responsibility for an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acknowledgement {
    /// When.
    pub at: Wall,
    /// The recipient it counts for; none is an operator, who acknowledges for everybody.
    pub recipient: Option<Name>,
    /// Who acted, and how.
    pub by: Actor,
    /// What they said with it.
    pub comment: Option<Arc<str>>,
    /// What they answered, where the alert offers choices and they took one.
    pub chosen: Option<Chosen>,
}

/// Something said about an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comment {
    /// When.
    pub at: Wall,
    /// Who.
    pub by: Actor,
    /// What. Of an answer: the choice's text, and what was said with it.
    pub text: Arc<str>,
    /// It is an answer that takes no responsibility.
    pub answer: Option<Answer>,
}

/// An answer of somebody who does not take responsibility with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The recipient it counts for; none is an operator's.
    pub recipient: Option<Name>,
    /// What they answered.
    pub chosen: Chosen,
    /// What they said with it.
    pub comment: Option<Arc<str>>,
}

/// Why and by whom an alert is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// When.
    pub at: Wall,
    /// Why.
    pub why: Why,
    /// Who ended it.
    pub by: Actor,
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its source says that the trouble is gone.
    Resolved,
    /// Somebody closed it.
    ByHand,
    /// It was acknowledged or abandoned long enough ago, or asks for no acknowledgement and is sent.
    Automatic,
    /// It was found too old with nobody told.
    Expired,
    /// It was deleted while pending.
    Cancelled,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Resolved, Self::ByHand, Self::Automatic, Self::Expired, Self::Cancelled];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::ByHand => "by-hand",
            Self::Automatic => "automatic",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A boot takes over a range of another boot's alerts, whose owner is dead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The highest epoch wins.
    pub epoch: u64,
    /// Whose items.
    pub log: LogId,
    /// The first of them.
    pub from: u64,
    /// The first that is not of them.
    pub upto: u64,
}

/// A cluster-wide duty: something that one node does for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Which: `front`, or what else one node does.
    pub duty: Name,
    /// The highest wins.
    pub epoch: u64,
    /// Who holds it; the higher, where the epochs are equal.
    pub to: LogId,
    /// Why it changed hands, in words.
    pub because: Arc<str>,
}

/// How the cluster behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conduct {
    /// Counts the changes; the highest wins.
    pub generation: u64,
    /// Only the node in control sends; the others stand by.
    pub passive: bool,
    /// Nothing is taken over by itself: somebody has to switch over by hand.
    pub by_hand: bool,
    /// Somebody is at work on the site, for this reason: nothing is taken over by itself, and the loss of a
    /// peer is not told to the operators.
    pub maintenance: Option<Arc<str>>,
}

impl Conduct {
    /// What a dead node leaves is taken over by itself.
    pub fn takes_over(&self) -> bool {
        !self.by_hand && self.maintenance.is_none()
    }
}
