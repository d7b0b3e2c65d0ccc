//! Decides whom to tell, when, and when to stop: the pure core of dispatch.
//!
//! [`Dispatch::handle`] takes one [`Input`] and the time, and emits [`Effect`]s; [`Dispatch::deadline`] says
//! when time alone will matter. No clock, no chance, no I/O, no hash order: the same inputs give the same
//! effects, so a story can be told as a transcript and replayed.
//!
//! Read on in this order: `alert` (a notice becomes an alert), `bind` (for whom), `on_call` (who of them),
//! `escalation` (when), `delivery` (out, and back with an outcome), `acknowledge`, `hold` (when nothing is told, for
//! the sake of `silence`, `inhibition` or `flapping`), `lapse` and `unheard` (how it ends). What is known lies in `state`, which changes through records only.
//!
//! With peers: `mirror` (what they say, and what it means for what is under way), `loss` (what our disk lost and they
//! may have), `adopt` (whose turn it is to send), `twin` (the same notice at several nodes), `switch` (what people
//! ask of the cluster), `witness` (what a node knows that holds no alerts). Who is alive and who holds what is the
//! `ownership` crate's.

mod acknowledge;
mod adopt;
mod alert;
mod bind;
mod choice;
mod clock;
mod codes;
mod delegate;
mod delivery;
pub mod directory;
mod escalation;
#[cfg(test)]
mod fixture;
mod flapping;
mod hold;
mod inhibition;
pub mod input;
mod keys;
mod lane;
mod lapse;
mod loss;
mod mirror;
mod on_call;
mod order;
mod provider;
pub mod record;
mod recover;
mod run;
mod silence;
pub mod state;
mod switch;
mod system;
mod twin;
mod unheard;
mod view;
mod witness;

pub use hold::Hold;
pub use input::{
    Answer, Delivery, Effect, Input, Notice, Order, Past, PastKey, PeerEvent, ProviderSpec, Refusal, Said,
    Snapshot, Taken,
};
pub use input::{Ticket, Which};
pub use on_call::Almanac;
pub use recover::{Identity, Settings};
pub use run::notification_id;
pub use view::{ClusterView, NextStep, ProviderView, Standing};

use adopt::{Awaited, Owned};
use base::{AlertId, Digest, LogId, Mono, Name, NotificationId, Now, RecordId};
use bind::Binding;
use clock::{Active, ActiveClock};
use codes::Codes;
use delivery::Channel;
use input::Effect::Append;
use keys::Keys;
use lane::Job;
use mirror::Keepalive;
use ownership::{Cluster, Vector};
use provider::Provider;
use record::{Code, Entry, Record, Roster};
use run::Run;
use silence::Hush;
use state::State;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use switch::SwitchOver;
use witness::Briefing;

/// Why the core wants to be woken, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Mono,
    /// What for, in words.
    pub because: &'static str,
}

/// The core: all that is known, and all that is under way.
#[derive(Clone, Debug)]
pub struct Dispatch {
    me: LogId,
    state: State,
    /// The next place in our log.
    next: u64,
    /// How much of each log is on our disk.
    durable: Vector,
    /// From where on each log is still kept whole.
    base: Vector,
    /// The logs of this node's earlier boots that were on its disk when it started.
    kept: BTreeSet<LogId>,
    /// Who else there is.
    cluster: Cluster,
    keepalive: Keepalive,
    briefing: Briefing,
    /// What waits for records to be durable here, with the first place that must not be missing.
    held: VecDeque<(u64, Held)>,
    /// Answers that wait for records to be durable here and at the peers that count.
    answers: VecDeque<(u64, Option<RecordId>, Ticket, Answer)>,
    /// What is under way for each open alert.
    runs: BTreeMap<AlertId, Run>,
    /// The attempts that are announced or under way, and by which provider.
    flights: BTreeMap<(RecordId, NotificationId), Name>,
    /// Whose they are.
    owned: Owned,
    /// Ours that wait for the peers to hold them, or to have seen our claim.
    awaited: Awaited,
    /// We send what we own.
    active: bool,
    switch_over: Option<SwitchOver>,
    /// Who belongs to the cluster by the data folder.
    seeds: Vec<ownership::Member>,
    version: Arc<str>,
    channels: BTreeMap<Name, Channel>,
    providers: BTreeMap<Name, Provider>,
    clock: ActiveClock,
    hush: Hush,
    steps_due: BTreeSet<(Active, AlertId)>,
    lapses_due: BTreeSet<(Mono, AlertId)>,
    retries_due: BTreeSet<(Mono, AlertId, Job)>,
    pause_alarm: Option<Mono>,
    /// Open alerts by what makes them the same: fingerprint, idempotency key.
    marks: BTreeMap<Digest, BTreeSet<AlertId>>,
    open_codes: BTreeMap<Code, AlertId>,
    codes: Codes,
    keys: Keys,
    bindings: BTreeMap<Binding, Arc<Roster>>,
    /// The place of each person in a roster.
    indexes: BTreeMap<Digest, Arc<run::Index>>,
    /// Rosters that stand in our log.
    rosters_written: BTreeSet<Digest>,
    /// What schedules and calendars say, as the shell last said.
    almanac: Almanac,
    disk_full: Option<Arc<str>>,
    /// Nothing further is handed out: the node is about to stop.
    draining: bool,
    /// Alerts that were not heard of in time: the peers are asked, by the record before this place of our log.
    doubts: VecDeque<(u64, AlertId)>,
    /// When the operators were last told of each trouble.
    told: BTreeMap<Arc<str>, Mono>,
    /// What the node last said to be wrong with itself.
    troubles: BTreeSet<Arc<str>>,
    /// The last turn ended before everything that could be sent was.
    unfinished: bool,
}

/// What an effect waits for.
#[derive(Clone, Debug)]
enum Held {
    Deliver(Box<Delivery>),
    Forget { alerts: Vec<AlertId>, rosters: Vec<Digest>, silences: Vec<RecordId> },
}

impl Dispatch {
    /// Takes one input; the effects in `out` are to be executed in order.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Notice { ticket, notice } => self.raise(now, ticket, *notice, out),
            Input::Order { ticket, by, order } => self.obey(now, ticket, &by, order, out),
            Input::Report(reports) => self.conclude(now, reports, out),
            Input::Stored { log, upto } => self.stored(log, upto),
            Input::Truncated { base } => self.raise_base(base),
            Input::Damaged { id } => self.fall_short(id),
            Input::Peer { peer, event } => self.listen(now, peer, event, out),
            Input::Capacity { provider, free } => self.offer(&provider, free),
            Input::Disk { full } => self.disk(now, full, out),
            Input::Almanac(almanac) => self.take_almanac(almanac),
            Input::Drain => self.drain(now),
            Input::Deadline => (), // Time alone; the clock is looked at below.
        }
        self.keep_alive(now, out);
        self.advance(now, out);
        // What changed nothing rests on what is durable already, and nobody else will let it go.
        self.release(now, out);
        self.ship(out);
        self.brief(now, out);
    }

    /// Does what time alone has made due, and sends what can be sent.
    fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.take_duties(now, out);
        self.adopt(now, out);
        self.open_awaited(now, out);
        self.hush(now, out);
        self.fire_due(now, out);
        self.retry_due(now);
        self.lapse_due(now, out);
        self.end_unheard(now, out);
        self.alarm_pause(now, out);
        self.delegate_unserved(now, out);
        self.alarm_unserved(now, out);
        self.send(now, out);
        self.go_on_switching(now, out);
    }

    /// The next instant at which time alone changes something, and what.
    pub fn deadline(&self, now: Now) -> Option<Deadline> {
        let step = self.steps_due.first().and_then(|(due, _)| self.clock.mono(*due));
        let candidates = [
            (step, "an escalation step is due"),
            (self.retries_due.first().map(|(due, ..)| *due), "a notification is to be tried again"),
            (self.lapses_due.first().map(|(due, _)| *due), "an alert closes or expires"),
            (self.pause_alarm, "a pause stands"),
            (self.hush.deadline(now), "alerts are held back, or go on"),
            (self.channel_deadline(now), "a provider may be used again"),
            (self.unfinished.then_some(now.mono), "there is more to send than one turn takes"),
            (self.keepalive_deadline(), "a peer is to hear from us, or was not heard"),
            (self.awaited_deadline(), "a wait for the peers is over"),
            (self.switch_deadline(), "a switch-over takes too long"),
        ];
        let due = candidates.into_iter().filter_map(|(at, because)| Some(Deadline { at: at?, because }));
        due.min_by_key(|deadline| deadline.at)
    }

    /// Appends a record to our log and folds it in.
    fn append(&mut self, now: Now, record: Record, out: &mut Vec<Effect>) -> RecordId {
        self.write(now, Entry { at: now.wall, record }, out)
    }

    /// The same with the time at which it came about elsewhere.
    fn write(&mut self, now: Now, entry: Entry, out: &mut Vec<Effect>) -> RecordId {
        let id = RecordId { log: self.me, seq: self.next };
        let applied = self.state.apply(id, &entry);
        assert!(applied.is_ok(), "our own record {id} is the next of our log: {applied:?}");
        self.next += 1;
        self.keepalive.append(now.mono, self.next);
        self.briefing.note(id, &entry.record);
        out.push(Append { id, entry });
        id
    }

    /// Executes `effect` here once everything appended so far is durable.
    fn hold(&mut self, effect: Held) {
        self.held.push_back((self.next, effect));
    }

    /// Answers at once; for what changed nothing.
    fn refuse(ticket: Ticket, refusal: Refusal, out: &mut Vec<Effect>) {
        out.push(Effect::Answer { ticket, answer: Answer::Refused(refusal) });
    }

    /// Answers once everything appended so far is durable, here and at the peers that count. `about` is a
    /// record of a peer that the answer rests on.
    fn answer(&mut self, about: Option<RecordId>, ticket: Ticket, answer: Answer) {
        self.answers.push_back((self.next, about, ticket, answer));
    }

    /// Logs are whole from further up on only. What the disk says of a snapshot may come after the next one was
    /// taken, so that a base never goes back.
    fn raise_base(&mut self, base: Vector) {
        for (log, from) in base {
            let slot = self.base.entry(log).or_default();
            *slot = (*slot).max(from);
        }
    }

    /// How much of our log is on our disk.
    fn own_durable(&self) -> u64 {
        self.durable.get(&self.me).copied().unwrap_or(0)
    }

    /// A log is durable here below `upto`.
    fn stored(&mut self, log: LogId, upto: u64) {
        let slot = self.durable.entry(log).or_default();
        *slot = (*slot).max(upto);
        if log == self.me {
            self.keepalive.settle(*slot, self.next);
        }
        self.keepalive.news = true;
    }

    /// What waited for records to be durable goes out.
    fn release(&mut self, now: Now, out: &mut Vec<Effect>) {
        let durable = self.own_durable();
        while self.held.front().is_some_and(|(needs, _)| *needs <= durable) {
            match self.held.pop_front() {
                Some((_, Held::Deliver(delivery))) => self.let_go(now, delivery, out),
                Some((_, Held::Forget { alerts, mut rosters, silences })) => {
                    // A roster that was written again meanwhile is needed again.
                    rosters.retain(|id| !self.state.rosters.contains_key(id));
                    out.push(Effect::Forget { alerts, rosters, silences });
                }
                None => break,
            }
        }
        let upto = durable.min(self.cluster.mirrored());
        let there = |about: &Option<RecordId>, durable: &Vector| {
            about.is_none_or(|about| durable.get(&about.log).copied().unwrap_or(0) > about.seq)
        };
        while self
            .answers
            .front()
            .is_some_and(|(needs, about, ..)| *needs <= upto && there(about, &self.durable))
        {
            let Some((needs, _, ticket, answer)) = self.answers.pop_front() else { break };
            let copies = self.cluster.copies(needs);
            out.push(Effect::Answer { ticket, answer: answer.on(copies) });
        }
    }
}

impl Answer {
    /// The same answer, saying on how many disks what it promises is.
    fn on(self, on: u8) -> Self {
        match self {
            Self::Taken { taken, alert, recipients, copies: _ } => {
                Self::Taken { taken, alert, recipients, copies: on }
            }
            Self::Done { alerts, version, copies: _ } => Self::Done { alerts, version, copies: on },
            Self::Silenced { silence, copies: _ } => Self::Silenced { silence, copies: on },
            Self::Refused(refusal) => Self::Refused(refusal),
        }
    }
}
