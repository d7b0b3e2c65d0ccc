//! What comes in and what goes out: the whole conversation between the pure core and its shell.
//!
//! Inputs are nouns that arrived; effects are imperatives, executed in order. An answer or a delivery is
//! held back inside the core until the records it rests on are stored, so the shell cannot get that wrong.

use crate::directory::{Address, Civil, Directory, Severity, Target};
use crate::lane::Job;
use crate::on_call::Almanac;
use crate::record::{
    Actor, Alert, Cause, Choice, Code, Concluded, Content, Entry, Purpose, Reach, Roster, Send, Silence,
};
use crate::run::Run;
use crate::state::{Open, State};
use base::{AlertId, Digest, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use ownership::{Heartbeat, Hello, Member, Shipment, Vector};
use std::sync::Arc;
use std::time::Duration;

/// Names a request to the core, so that its answer finds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What arrived from outside, parsed but not yet trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who sent it.
    pub source: Name,
    /// The client's idempotency key and a digest of its request.
    pub key: Option<(Arc<str>, Digest)>,
    /// What later notices of the same alert share with it.
    pub fingerprint: Option<Digest>,
    /// The trouble is gone.
    pub resolved: bool,
    /// It is gone as well if the same is not heard again within this time; none where its source says when.
    pub stands_for: Option<Duration>,
    /// What it says.
    pub content: Content,
    /// Whom the sender wants told; empty leaves it to the routes.
    pub to: Vec<Target>,
    /// How the sender wants it to escalate; none leaves it to route and target.
    pub policy: Option<Name>,
    /// What its people can answer; empty where nothing is offered.
    pub choices: Vec<Choice>,
    /// The time on the clocks of the directory's time zone.
    pub civil: Civil,
}

/// The alerts an order is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// These.
    Alerts(Vec<AlertId>),
    /// Those with these codes.
    Codes(Vec<Code>),
    /// All that are open, as of now: the records name each.
    All,
}

/// Taking responsibility for alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledge {
    /// For which alerts.
    pub which: Which,
    /// On whose behalf; none is an operator, who acknowledges for everybody.
    pub recipient: Option<Name>,
    /// Said with it.
    pub comment: Option<Arc<str>>,
}

/// Answering an alert with one of the choices that it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choose {
    /// Which alerts.
    pub which: Which,
    /// The choice's number, from 1.
    pub number: u8,
    /// On whose behalf; none is an operator.
    pub recipient: Option<Name>,
    /// Said with it.
    pub comment: Option<Arc<str>>,
}

/// What somebody wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take responsibility.
    Acknowledge(Acknowledge),
    /// Answer with one of the choices.
    Choose(Choose),
    /// Say something.
    Comment {
        /// About which alerts.
        which: Which,
        /// What.
        text: Arc<str>,
    },
    /// End alerts by hand.
    Close {
        /// Which.
        which: Which,
    },
    /// Fire the next escalation step now.
    Escalate {
        /// Of which alerts.
        which: Which,
    },
    /// End alerts that still have something to send, without sending it.
    DeletePending {
        /// Which.
        which: Which,
    },
    /// Let sending and escalation stand still.
    Pause {
        /// Why.
        reason: Arc<str>,
    },
    /// Let them go on.
    Resume {
        /// End the alerts that waited instead of sending them.
        discard: bool,
    },
    /// Tell nothing of alerts with certain labels for a while.
    Silence(Arc<Silence>),
    /// End a silence before its time.
    Unsilence {
        /// Which.
        silence: RecordId,
    },
    /// Replace the book.
    Directory {
        /// By this one.
        directory: Arc<Directory>,
        /// Only if the present version is this one.
        expected: Option<u64>,
        /// What changed, in a line.
        summary: Arc<str>,
    },
    /// Take a node into the cluster, or change what is known of it.
    Enrol {
        /// It.
        member: Member,
    },
    /// Take a node out of the cluster.
    Dismiss {
        /// Which.
        node: NodeId,
    },
    /// Change how the cluster behaves.
    Conduct {
        /// Only the node in control sends; none leaves it.
        passive: Option<bool>,
        /// Nothing is taken over by itself; none leaves it.
        by_hand: Option<bool>,
        /// Maintenance, with its reason; `Some(None)` ends it, none leaves it.
        maintenance: Option<Option<Arc<str>>>,
    },
    /// Hand over what this node sends, and the front if it has it, without interrupting anything.
    SwitchOver {
        /// To whom; none is the next in the order of precedence.
        to: Option<NodeId>,
        /// Why.
        because: Arc<str>,
    },
    /// Take the front, and in active/passive all that is sent, without asking who has it.
    TakeOver {
        /// Why.
        because: Arc<str>,
    },
    /// Become the one node that changes the directory.
    ForcePrimary,
    /// Tell the operators of troubles that the node found with itself: of each once, until it is gone.
    Warn {
        /// All that stand now, in words: what was told and is not among them is gone.
        standing: Vec<Arc<str>>,
    },
    /// A monitor says how it is.
    Ping {
        /// Which.
        monitor: Name,
        /// How.
        ping: Ping,
    },
    /// Tell how all is, once a day in the whole cluster.
    Beat(Beat),
    /// Put an action into the trail.
    Note {
        /// What was done.
        what: Arc<str>,
    },
}

/// What a monitor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ping {
    /// All is well with it.
    Well,
    /// It failed.
    Failed {
        /// Why, in words such as `exit status 3`.
        why: Arc<str>,
    },
}

/// The daily heartbeat: a message that says that all is well, or what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The day that it is for, such as `2026-03-01`; none for one that is sent to try it out.
    pub day: Option<Arc<str>>,
    /// In a line.
    pub summary: Arc<str>,
    /// All of it.
    pub details: Arc<str>,
}

/// One thing that happened outside the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A notice arrived.
    Notice {
        /// Where the answer goes.
        ticket: Ticket,
        /// It.
        notice: Box<Notice>,
    },
    /// Somebody wants something done.
    Order {
        /// Where the answer goes.
        ticket: Ticket,
        /// Who.
        by: Actor,
        /// What.
        order: Order,
    },
    /// Attempts came to their ends.
    Report(Vec<(AlertId, Concluded)>),
    /// A log is durable on our disk below `upto`.
    Stored {
        /// Which.
        log: LogId,
        /// The first place that is not.
        upto: u64,
    },
    /// Logs are kept whole only from here on.
    Truncated {
        /// Each with the first place that is kept.
        base: Vector,
    },
    /// A record of our ledger that was to be sent to a peer cannot be read any more.
    Damaged {
        /// Which.
        id: RecordId,
    },
    /// Something about a peer.
    Peer {
        /// Which.
        peer: NodeId,
        /// What.
        event: PeerEvent,
    },
    /// A provider can take `free` deliveries at once, none of them used yet.
    Capacity {
        /// Which.
        provider: Name,
        /// How many.
        free: usize,
    },
    /// The disk is full (`Some`, with the reason), or has room again.
    Disk {
        /// The reason, while it is full.
        full: Option<Arc<str>>,
    },
    /// What schedules and calendars say, from now until this is said again.
    Almanac(Almanac),
    /// The node is about to stop: nothing further is handed out, so that nothing is interrupted half-way.
    Drain,
    /// Time passed.
    Deadline,
}

/// How a notice was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// As a new alert.
    New,
    /// As a repetition of an open alert, or of a request with the same idempotency key.
    Repeated,
    /// As the end of an open alert.
    Resolved,
    /// There was nothing open to resolve.
    NothingOpen,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No recipient or group has that name.
    UnknownTarget {
        /// The name.
        name: Name,
    },
    /// No policy has that name.
    UnknownPolicy {
        /// The name.
        name: Name,
    },
    /// The notice names nobody, no route matches, and there are no operators to fall back to.
    NoRoute,
    /// Nobody among the recipients has an address.
    ReachesNobody,
    /// The idempotency key was used for another request.
    KeyReused,
    /// Too many alerts are open.
    TooManyOpen {
        /// The limit.
        limit: usize,
    },
    /// The disk is full.
    DiskFull {
        /// The system's words.
        why: Arc<str>,
    },
    /// None of the alerts is open.
    NotOpen {
        /// Those that were named.
        named: Vec<Arc<str>>,
    },
    /// A code that is unknown, or was not sent to this recipient.
    UnknownCode {
        /// The code.
        code: Code,
    },
    /// The alert has no further step, or does not escalate any more: it is acknowledged or over.
    NoFurtherStep,
    /// The alert has its full number of comments.
    TooManyComments,
    /// The alert offers no such choice.
    NoChoice {
        /// Its code.
        code: Code,
        /// The number that was named.
        number: u8,
        /// What it offers, in order; empty if it asks for no answer.
        choices: Vec<Choice>,
    },
    /// No monitor has that name.
    UnknownMonitor {
        /// The name.
        name: Name,
    },
    /// The directory says nobody whom the daily heartbeat is for.
    NoHeartbeat,
    /// Nothing is paused.
    NotPaused,
    /// No silence is that one, or it is over.
    NoSilence,
    /// Too many silences lie ahead.
    TooManySilences {
        /// The limit.
        limit: usize,
    },
    /// The directory is changed on another node.
    NotPrimary {
        /// Which; none if it does not belong to the cluster any more.
        primary: Option<Arc<Member>>,
    },
    /// No peer holds what would be accepted, and the source wants no promise of one disk alone.
    Solo,
    /// This node holds no alerts: it is a witness.
    Witness,
    /// A switch-over is not possible now.
    Blocked {
        /// Everything that blocks it, in words.
        why: Vec<Arc<str>>,
    },
    /// No node of the cluster is that one.
    UnknownNode {
        /// Its id.
        node: NodeId,
    },
    /// The directory changed meanwhile.
    Stale {
        /// Its present version.
        version: u64,
    },
}

/// What the core says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a notice.
    Taken {
        /// How.
        taken: Taken,
        /// The alert; none if there was nothing to resolve.
        alert: Option<(AlertId, Code)>,
        /// How many recipients the alert is for.
        recipients: usize,
        /// On how many disks it is.
        copies: u8,
    },
    /// To an order.
    Done {
        /// The alerts it changed.
        alerts: Vec<AlertId>,
        /// The directory's version from now on.
        version: u64,
        /// On how many disks it is.
        copies: u8,
    },
    /// To an order of a silence.
    Silenced {
        /// The silence.
        silence: RecordId,
        /// On how many disks it is.
        copies: u8,
    },
    /// It was not done; nothing changed.
    Refused(Refusal),
}

/// One attempt for a channel to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The alert it is about.
    pub alert_id: AlertId,
    /// The alert as accepted.
    pub alert: Arc<Alert>,
    /// What it says now.
    pub content: Arc<Content>,
    /// When it was accepted.
    pub accepted: Wall,
    /// For whom it is.
    pub roster: Arc<Roster>,
    /// Which notification.
    pub notification: NotificationId,
    /// The `Intent` that announced it.
    pub intent: RecordId,
    /// Whom of the roster, where.
    pub reach: Reach,
    /// Where, in full.
    pub address: Address,
    /// By which provider.
    pub provider: Name,
    /// What for.
    pub purpose: Purpose,
    /// From 1.
    pub attempt: u16,
    /// It may have arrived before.
    pub repeat: Option<Cause>,
    /// How much later than the policy says it goes out, where that is a minute or more.
    pub late: Duration,
    /// What the purpose refers to: who acknowledged, and what they said; the comment; why it ended.
    pub said: Option<Said>,
    /// Further notifications of the same address that go out in the same message, each with its own outcome: that of
    /// the message.
    pub others: Vec<Self>,
}

impl Delivery {
    /// An attempt to tell of an alert, by a message that may tell of others, too.
    pub(crate) fn new(
        alert: AlertId,
        (open, run): (&Open, &Run),
        (intent, send): (RecordId, &Send),
        job: &Job,
    ) -> Self {
        Self {
            alert_id: alert,
            alert: Arc::clone(&open.alert),
            content: Arc::clone(open.content()),
            accepted: open.at,
            roster: Arc::clone(&run.roster),
            notification: job.notification,
            intent,
            reach: job.reach,
            address: send.address.clone(),
            provider: send.provider.clone(),
            purpose: job.purpose,
            attempt: send.attempt,
            repeat: job.repeat,
            late: Duration::ZERO,
            said: None,
            others: Vec::new(),
        }
    }

    /// The notifications that the message is for.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }
}

/// What a notification about an acknowledgement, a comment or an end tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: Arc<str>,
    /// Their words, or why the alert ended.
    pub words: Arc<str>,
    /// When.
    pub at: Wall,
}

/// Something for the shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make the record durable, here and at the peers; answer with [`Input::Stored`].
    Append {
        /// Its id: our log, the next place.
        id: RecordId,
        /// It.
        entry: Entry,
    },
    /// Make an attempt; answer with [`Input::Report`], always.
    Deliver(Box<Delivery>),
    /// Answer a request.
    Answer {
        /// Which.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// Say hello to a peer: the first thing on a connection.
    Hello {
        /// To whom.
        to: NodeId,
        /// What.
        hello: Hello,
    },
    /// Say this to a peer.
    Beat {
        /// To whom.
        to: NodeId,
        /// What.
        beat: Heartbeat,
    },
    /// Send a peer what it lacks.
    Ship {
        /// To whom.
        to: NodeId,
        /// What.
        shipment: Shipment,
    },
    /// Tell a witness what everybody knows of the cluster.
    Brief {
        /// Which.
        to: NodeId,
        /// The registers (members, conduct, duties, editions of the directory) as records that stand in no log.
        registers: Vec<Entry>,
    },
    /// Make the snapshot that this peer sent durable.
    Merge {
        /// From whom it came.
        from: NodeId,
        /// Alerts that it showed to be finished: their records go.
        finished: Vec<AlertId>,
    },
    /// The records of these finished alerts, of rosters that nothing refers to, and of old silences may be deleted.
    Forget {
        /// The alerts.
        alerts: Vec<AlertId>,
        /// The rosters.
        rosters: Vec<Digest>,
        /// Silences that have long been over, with what ended them.
        silences: Vec<RecordId>,
    },
}

/// One of the ways out, as configured on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// Its name.
    pub name: Name,
    /// The channel it serves.
    pub channel: Name,
    /// At most this many messages a minute; none is no limit.
    pub per_minute: Option<u32>,
    /// At most this many messages a day (UTC); none is no limit.
    pub per_day: Option<u32>,
}

/// What was known before this boot, as the ledger recovered it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Idempotency keys still remembered: source and key, with alert, code and digest of the request.
    pub keys: Vec<PastKey>,
    /// Numbers given to codes of our letter: hour (milliseconds of its beginning) and highest number in it.
    pub codes: Vec<(Wall, u32)>,
    /// Messages sent today: provider, day since 1970 (UTC), count.
    pub quota: Vec<(Name, i64, u32)>,
    /// From where on each log is kept whole.
    pub base: Vector,
    /// Who belongs to the cluster, for a node that has yet to hear it from its peers.
    pub members: Vec<Member>,
    /// What schedules and calendars say: steps may be overdue.
    pub almanac: Almanac,
}

/// What is heard of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Records can be sent to it; what was sent before may not have arrived.
    Connected,
    /// Nothing can be sent to it.
    Disconnected,
    /// Its process is gone: the connection was reset, and nobody listens at its addresses.
    Gone,
    /// It introduced itself.
    Hello(Hello),
    /// It spoke.
    Beat(Heartbeat),
    /// It sent records of a log, from this place on.
    Records {
        /// Which log.
        log: LogId,
        /// The place of the first.
        first: u64,
        /// They.
        entries: Vec<Entry>,
    },
    /// It sent all that it knows, because it no longer has the records that we lack.
    Snapshot(Box<Snapshot>),
    /// It told this witness the registers, as records that stand in no log.
    Registers(Vec<Entry>),
}

/// What a peer knows, as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The fold of its records.
    pub state: State,
    /// The idempotency keys that it remembers.
    pub keys: Vec<PastKey>,
}

/// An idempotency key of an earlier boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastKey {
    /// The source that used it.
    pub source: Name,
    /// The key.
    pub key: Arc<str>,
    /// Digest of the request.
    pub digest: Digest,
    /// The alert it led to.
    pub alert: AlertId,
    /// Its code.
    pub code: Code,
    /// When.
    pub at: Wall,
}

/// The severity of our own alerts.
pub(crate) const SYSTEM_SEVERITY: Severity = Severity::High;
