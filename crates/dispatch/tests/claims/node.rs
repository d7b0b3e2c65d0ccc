//! One node: the real core, the rows it holds, what of them is on its disk, and the provider's hands.
//!
//! A step of a node depends on nothing but the node, the step and the time, and different histories of the
//! cluster lead to the same node again and again. So nodes are kept once, by a digest of all that is in them,
//! and each step of each is taken once: that is what makes a search of the real machine affordable.

use crate::laws;
use base::{AlertId, BootId, Digest, Hasher, LogId, Mono, NodeId, NotificationId, Now, RecordId, Wall};
use dispatch::directory::Directory;
use dispatch::record::{Actor, Concluded, Entry, Outcome, Record, Send, Via};
use dispatch::state::State;
use dispatch::{
    Answer, Delivery, Dispatch, Effect, Identity, Input, Order, Past, PeerEvent, ProviderSpec, Settings,
    Ticket,
};
use ownership::{Heartbeat, Hello, Member, PeerView, Range, Role, Rules, Shipment, Timings};
use selection::Timing;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which node: 0 is A.
pub(crate) type Ix = usize;
pub(crate) const NODES: usize = 3;
/// 2026-01-01.
const NEW_YEAR: i64 = 1_767_225_600_000;
/// Messages that the provider takes at once.
const ROOM: usize = 4;

pub(crate) fn letter(ix: Ix) -> char {
    ['A', 'B', 'C'].get(ix).copied().unwrap_or('?')
}

pub(crate) fn ix(node: NodeId) -> Ix {
    usize::try_from(node.0).expect("small") - 1
}

/// Which of the two connections to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    Control,
    Bulk,
}

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Hello(Hello),
    Beat(Heartbeat),
    Records { log: LogId, first: u64, entries: Vec<Entry> },
}

/// Something that happens to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Hear {
        from: Ix,
        message: u32,
    },
    /// Everything that was written is on the disk.
    Sync,
    /// The provider took the message.
    Report(usize),
    Wake,
    Connected(Ix),
    Disconnected(Ix),
    Gone(Ix),
    Book,
    Notice(u8),
    SwitchOver,
    /// The dead node starts again, from its disk.
    Restart,
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) core: Dispatch,
    pub(crate) me: LogId,
    pub(crate) rows: BTreeMap<RecordId, Arc<Entry>>,
    /// A digest of the rows, whatever their order.
    sum: u128,
    stored: BTreeMap<LogId, u64>,
    pub(crate) in_flight: Vec<Arc<Delivery>>,
}

/// A message that is about to be given to a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    pub(crate) alert: AlertId,
    pub(crate) notification: NotificationId,
}

/// A message that a provider was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    pub(crate) alert: AlertId,
    pub(crate) notification: NotificationId,
    pub(crate) marked: bool,
}

/// What came of a step.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) node: u32,
    pub(crate) sends: Vec<(Ix, Lane, u32)>,
    pub(crate) announced: Vec<Announced>,
    pub(crate) handed: Vec<Handed>,
    /// Alerts whose senders heard yes, with the copies that they were promised.
    pub(crate) answered: Vec<(AlertId, u8)>,
    pub(crate) accepted: Option<AlertId>,
    pub(crate) fault: Option<String>,
}

/// All nodes and messages that occurred, and every step that was taken.
pub(crate) struct Kept {
    pub(crate) nodes: Vec<Node>,
    by_digest: BTreeMap<Digest, u32>,
    pub(crate) messages: Vec<Message>,
    messages_by_digest: BTreeMap<Digest, u32>,
    turns: BTreeMap<(u32, Step, u64), Arc<Turn>>,
    book: Arc<Directory>,
    provider: ProviderSpec,
    timings: Timings,
    rules: Rules,
}

fn log(ix: Ix, boot: u64) -> LogId {
    LogId { node: NodeId(u32::try_from(ix).expect("small") + 1), boot: BootId(boot << 32) }
}

fn now(at: u64) -> Now {
    let wall = Wall(NEW_YEAR + i64::try_from(at).expect("small"));
    Now { mono: Mono(at), wall, suspect: false }
}

fn words(line: &str) -> Vec<String> {
    crate::notation::words(line)
}

fn book() -> Directory {
    let mut book = Directory::default();
    for line in ["recipient anna mail:anna@x", "policy once none, abandon after 5s"] {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(crate::notation::directory(&mut book, line, &words), Ok(true), "{line}");
    }
    book
}

/// C comes first in the order of precedence, so that A's death moves alerts and nothing else.
fn members() -> Vec<Member> {
    let member = |ix: Ix| Member {
        node: log(ix, 1).node,
        name: crate::notation::name(&format!("node-{}", letter(ix).to_ascii_lowercase())).expect("a name"),
        letter: letter(ix),
        role: Role::Member,
        rank: u16::try_from(NODES - ix).expect("small"),
        addresses: Vec::new(),
        api: "".into(),
    };
    (0..NODES).map(member).collect()
}

impl Kept {
    pub(crate) fn new(timings: Timings, rules: Rules) -> Self {
        let (provider, _) = crate::notation::provider(&["smtp", "mail"]).expect("a provider");
        Self {
            nodes: Vec::new(),
            by_digest: BTreeMap::new(),
            messages: Vec::new(),
            messages_by_digest: BTreeMap::new(),
            turns: BTreeMap::new(),
            book: Arc::new(book()),
            provider,
            timings,
            rules,
        }
    }

    pub(crate) fn node(&self, at: u32) -> &Node {
        &self.nodes[usize::try_from(at).expect("small")]
    }

    pub(crate) fn message(&self, at: u32) -> &Message {
        &self.messages[usize::try_from(at).expect("small")]
    }

    /// A first boot.
    pub(crate) fn start(&mut self, ix: Ix, at: u64) -> Turn {
        self.boot(log(ix, 1), BTreeMap::new(), at)
    }

    fn boot(&mut self, me: LogId, rows: BTreeMap<RecordId, Arc<Entry>>, at: u64) -> Turn {
        let mut state = State::default();
        for (id, entry) in &rows {
            state.recover(*id, entry);
        }
        let upto = state.applied.clone();
        for (log, upto) in &upto {
            state.cover(*log, *upto);
        }
        let past = Past { members: members(), ..Past::default() };
        let (letter, timings, rules) = (letter(ix(me.node)), self.timings, self.rules);
        let identity = Identity { log: me, letter, version: "test".into(), because: "test".into() };
        let settings = Settings { provider: Timing::default(), cluster: timings, rules };
        let mut effects = Vec::new();
        let providers = vec![self.provider.clone()];
        let core = Dispatch::start(identity, settings, (state, past), providers, now(at), &mut effects);
        let sum = rows.iter().fold(0, |sum, (id, entry)| sum ^ row_digest(*id, entry));
        let mut node = Node { core, me, rows, sum, stored: upto, in_flight: Vec::new() };
        let mut turn = Turn::default();
        self.execute(&mut node, effects, &mut turn);
        let room = Input::Capacity { provider: self.provider.name.clone(), free: ROOM };
        self.handle(&mut node, at, room, &mut turn);
        turn.node = self.keep(node);
        turn
    }

    /// Takes a step, unless it was taken before.
    pub(crate) fn step(&mut self, node: u32, step: Step, at: u64) -> Arc<Turn> {
        if let Some(turn) = self.turns.get(&(node, step, at)) {
            return Arc::clone(turn);
        }
        let turn = Arc::new(self.take(node, step, at));
        self.turns.insert((node, step, at), Arc::clone(&turn));
        turn
    }

    fn take(&mut self, node: u32, step: Step, at: u64) -> Turn {
        let mut node = self.node(node).clone();
        if step == Step::Restart {
            return self.boot(log(ix(node.me.node), 2), node.on_disk(), at);
        }
        let before = node.clone();
        let mut turn = Turn::default();
        for input in self.inputs(&mut node, step, &mut turn) {
            self.handle(&mut node, at, input, &mut turn);
        }
        if turn.fault.is_none() {
            turn.fault = laws::epochs_went_back(&before, &node);
        }
        turn.node = self.keep(node);
        turn
    }

    fn inputs(&self, node: &mut Node, step: Step, turn: &mut Turn) -> Vec<Input> {
        let peer = |ix: Ix, event| vec![Input::Peer { peer: log(ix, 1).node, event }];
        match step {
            Step::Hear { from, message } => match self.message(message).clone() {
                Message::Hello(hello) => peer(from, PeerEvent::Hello(hello)),
                Message::Beat(beat) => peer(from, PeerEvent::Beat(beat)),
                Message::Records { log, first, entries } => {
                    peer(from, PeerEvent::Records { log, first, entries })
                }
            },
            Step::Sync => node.sync(),
            Step::Report(which) => {
                let delivery = node.in_flight.remove(which);
                turn.accepted = Some(delivery.alert_id);
                let outcome = Outcome::Accepted { receipt: "queued".into() };
                let (notification, intent) = (delivery.notification, delivery.intent);
                vec![Input::Report(vec![(delivery.alert_id, Concluded { notification, intent, outcome })])]
            }
            Step::Wake => vec![Input::Deadline],
            Step::Connected(ix) => peer(ix, PeerEvent::Connected),
            Step::Disconnected(ix) => peer(ix, PeerEvent::Disconnected),
            Step::Gone(ix) => peer(ix, PeerEvent::Gone),
            Step::Book => vec![self.order(Order::Directory {
                directory: Arc::clone(&self.book),
                expected: None,
                summary: "first".into(),
            })],
            Step::Notice(number) => {
                let text = format!("\"pump {number} stopped");
                let notice =
                    crate::notation::notice(&[&text, "to", "anna", "policy", "once"]).expect("a notice");
                vec![Input::Notice { ticket: Ticket(u64::from(number)), notice: Box::new(notice) }]
            }
            Step::SwitchOver => vec![self.order(Order::SwitchOver { to: None, because: "test".into() })],
            Step::Restart => Vec::new(),
        }
    }

    fn order(&self, order: Order) -> Input {
        let by = Actor { who: "user:bea".into(), via: Via::Api, from: None };
        Input::Order { ticket: Ticket(1000), by, order }
    }

    /// One input, and as many turns as the core asks for without a pause.
    fn handle(&mut self, node: &mut Node, at: u64, input: Input, turn: &mut Turn) {
        let mut input = Some(input);
        for _ in 0..20 {
            let mut effects = Vec::new();
            node.core.handle(now(at), input.take().unwrap_or(Input::Deadline), &mut effects);
            self.execute(node, effects, turn);
            if node.core.deadline(now(at)).is_none_or(|due| due.at > Mono(at)) {
                return;
            }
        }
        panic!("the core runs in circles: {:?}", node.core.deadline(now(at)));
    }

    fn execute(&mut self, node: &mut Node, effects: Vec<Effect>, turn: &mut Turn) {
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => node.append(id, entry, turn),
                Effect::Deliver(delivery) => {
                    if turn.fault.is_none() {
                        turn.fault = laws::must_not_send(node, &delivery);
                    }
                    let marked = delivery.repeat.is_some();
                    let (alert, notification) = (delivery.alert_id, delivery.notification);
                    turn.handed.push(Handed { alert, notification, marked });
                    node.in_flight.push(Arc::new(*delivery));
                }
                Effect::Answer { answer, .. } => {
                    if let Answer::Taken { alert: Some((alert, _)), copies, .. } = answer {
                        turn.answered.push((alert, copies));
                    }
                }
                Effect::Hello { to, hello } => self.send(to, Lane::Control, Message::Hello(hello), turn),
                Effect::Beat { to, beat } => self.send(to, Lane::Control, Message::Beat(beat), turn),
                Effect::Ship { to, shipment: Shipment::Records(range) } => {
                    let message = node.read(range);
                    self.send(to, Lane::Bulk, message, turn);
                }
                Effect::Ship { shipment: Shipment::Snapshot, .. } | Effect::Merge { .. } => {
                    unreachable!("every log is kept whole")
                }
                Effect::Forget { .. } | Effect::Brief { .. } => (), // All are members.
            }
        }
    }

    fn send(&mut self, to: NodeId, lane: Lane, message: Message, turn: &mut Turn) {
        let digest = Hasher::new("message").text(&format!("{message:?}")).finish();
        let next = u32::try_from(self.messages.len()).expect("fewer");
        let at = *self.messages_by_digest.entry(digest).or_insert(next);
        if at == next {
            self.messages.push(message);
        }
        turn.sends.push((ix(to), lane, at));
    }

    fn keep(&mut self, node: Node) -> u32 {
        let digest = node.digest();
        let next = u32::try_from(self.nodes.len()).expect("fewer");
        let at = *self.by_digest.entry(digest).or_insert(next);
        if at == next {
            self.nodes.push(node);
        }
        at
    }

    /// When time alone changes something for a node, and what.
    pub(crate) fn deadline(&self, node: u32, at: u64) -> Option<dispatch::Deadline> {
        self.node(node).core.deadline(now(at))
    }
}

impl Node {
    fn digest(&self) -> Digest {
        let core = format!("{:?}{:?}{:?}", self.core, self.stored, self.in_flight);
        Hasher::new("node").text(&core).bytes(&self.sum.to_le_bytes()).finish()
    }

    /// What it knows of a peer.
    pub(crate) fn view(&self, peer: NodeId, at: u64) -> Option<PeerView> {
        self.core.cluster(now(at)).peers.remove(&peer)
    }

    /// Where this boot announced the same, if that has no outcome yet.
    pub(crate) fn under_way(&self, announced: &Announced) -> Option<RecordId> {
        let open = self.core.state().open.get(&announced.alert)?;
        let attempts = &open.facts.sent.get(&announced.notification)?.attempts;
        let mine = attempts.iter().find(|attempt| attempt.intent.log == self.me && attempt.outcome.is_none());
        mine.map(|attempt| attempt.intent)
    }

    fn append(&mut self, id: RecordId, entry: Entry, turn: &mut Turn) {
        self.sum ^= row_digest(id, &entry);
        if turn.fault.is_none() {
            turn.fault = laws::must_not_announce(self, id, &entry);
        }
        if let Record::Intent { alert, sends } = &entry.record
            && id.log == self.me
        {
            let announced = |send: &Send| Announced { alert: *alert, notification: send.notification };
            turn.announced.extend(sends.iter().map(announced));
        }
        self.rows.insert(id, Arc::new(entry));
    }

    /// What was written is on the disk.
    fn sync(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (log, upto) in self.ends() {
            if self.stored.get(&log) != Some(&upto) {
                self.stored.insert(log, upto);
                inputs.push(Input::Stored { log, upto });
            }
        }
        inputs
    }

    fn ends(&self) -> BTreeMap<LogId, u64> {
        self.rows.keys().map(|id| (id.log, id.seq + 1)).collect()
    }

    /// Something was written that is not on the disk.
    pub(crate) fn is_dirty(&self) -> bool {
        self.ends() != self.stored
    }

    fn on_disk(&self) -> BTreeMap<RecordId, Arc<Entry>> {
        let kept = |id: &RecordId| self.stored.get(&id.log).is_some_and(|upto| id.seq < *upto);
        self.rows.iter().filter(|(id, _)| kept(id)).map(|(id, entry)| (*id, Arc::clone(entry))).collect()
    }

    fn read(&self, Range { log, from, upto }: Range) -> Message {
        let row = |seq| Entry::clone(self.rows.get(&RecordId { log, seq }).expect("what it ships it has"));
        Message::Records { log, first: from, entries: (from..upto).map(row).collect() }
    }
}

fn row_digest(id: RecordId, entry: &Entry) -> u128 {
    Hasher::new("row").text(&format!("{id:?}{entry:?}")).finish().short()
}

/// What kind of record it is, in a word.
pub(crate) fn kind(record: &Record) -> String {
    format!("{record:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}
