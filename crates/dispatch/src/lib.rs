//! Decides whom to tell, when, and when to stop: the pure core of dispatch.
//!
//! [`Dispatch::handle`] takes one [`Input`] and the time, and emits [`Effect`]s; [`Dispatch::deadline`] says
//! when time alone will matter. No clock, no chance, no I/O, no hash order: the same inputs give the same
//! effects, so a story can be told as a transcript and replayed.
//!
//! Read on in this order: `alert` (a notice becomes an alert), `bind` (for whom), `escalation` (when),
//! `delivery` (out, and back with an outcome), `acknowledge`, `lapse` (how it ends). What is known lies in
//! `state`, which changes through records only.

mod acknowledge;
mod alert;
mod bind;
mod choice;
mod clock;
mod codes;
mod delivery;
pub mod directory;
mod escalation;
#[cfg(test)]
mod fixture;
pub mod input;
mod keys;
mod lane;
mod lapse;
mod order;
mod provider;
pub mod record;
mod recover;
mod run;
pub mod state;
mod system;
mod view;

pub use input::{
    Answer, Delivery, Effect, Input, Notice, Order, Past, PastKey, ProviderSpec, Refusal, Said, Taken,
};
pub use input::{Ticket, Which};
pub use recover::{Identity, Timings};
pub use run::notification_id;
pub use view::{NextStep, ProviderView, Standing};

use base::{AlertId, Digest, LogId, Mono, Name, Now, RecordId};
use bind::Binding;
use clock::{Active, ActiveClock};
use codes::Codes;
use delivery::Channel;
use input::Effect::Append;
use keys::Keys;
use lane::Job;
use provider::Provider;
use record::{Code, Entry, Record, Roster};
use run::Run;
use state::State;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Why the core wants to be woken, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Mono,
    /// What for, in words.
    pub because: &'static str,
}

/// The core: all that is known, and all that is under way.
#[derive(Debug)]
pub struct Dispatch {
    me: LogId,
    state: State,
    /// The next place in our log.
    next: u64,
    /// Our log is durable below this.
    stored: u64,
    /// On so many disks, as last heard.
    copies: u8,
    /// What waits for records to be durable, with the first place that must not be missing.
    held: VecDeque<(u64, Held)>,
    /// What is under way for each open alert that is ours to send.
    runs: BTreeMap<AlertId, Run>,
    channels: BTreeMap<Name, Channel>,
    providers: BTreeMap<Name, Provider>,
    clock: ActiveClock,
    steps_due: BTreeSet<(Active, AlertId)>,
    lapses_due: BTreeSet<(Mono, AlertId)>,
    retries_due: BTreeSet<(Mono, AlertId, Job)>,
    pause_alarm: Option<Mono>,
    fingerprints: BTreeMap<Digest, AlertId>,
    open_codes: BTreeMap<Code, AlertId>,
    codes: Codes,
    keys: Keys,
    bindings: BTreeMap<Binding, Arc<Roster>>,
    /// The place of each person in a roster.
    indexes: BTreeMap<Digest, Arc<run::Index>>,
    /// Rosters that stand in our log.
    rosters_written: BTreeSet<Digest>,
    disk_full: Option<Arc<str>>,
    /// Nothing further is handed out: the node is about to stop.
    draining: bool,
    /// When the operators were last told of each trouble.
    told: BTreeMap<Arc<str>, Mono>,
    /// The last turn ended before everything that could be sent was.
    unfinished: bool,
}

/// What an effect waits for.
#[derive(Debug)]
enum Held {
    Deliver(Box<Delivery>),
    Answer(Ticket, Answer),
    Forget { alerts: Vec<AlertId>, rosters: Vec<Digest> },
}

impl Dispatch {
    /// Takes one input; the effects in `out` are to be executed in order.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Notice { ticket, notice } => self.raise(now, ticket, *notice, out),
            Input::Order { ticket, by, order } => self.obey(now, ticket, &by, order, out),
            Input::Report(reports) => self.conclude(now, reports, out),
            Input::Stored { upto, copies } => self.release(now, upto, copies, out),
            Input::Capacity { provider, free } => self.offer(&provider, free),
            Input::Disk { full } => self.disk(now, full, out),
            Input::Drain => self.draining = true,
            Input::Deadline => (), // Time alone; the clock is looked at below.
        }
        // What changed nothing rests on what is durable already, and nobody else will let it go.
        self.release(now, self.stored, self.copies, out);
        self.advance(now, out);
    }

    /// Does what time alone has made due, and sends what can be sent.
    fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.fire_due(now, out);
        self.retry_due(now);
        self.lapse_due(now, out);
        self.alarm_pause(now, out);
        self.alarm_unserved(now, out);
        self.send(now, out);
    }

    /// The next instant at which time alone changes something, and what.
    pub fn deadline(&self, now: Now) -> Option<Deadline> {
        let step = self.steps_due.first().and_then(|(due, _)| self.clock.mono(*due));
        let candidates = [
            (step, "an escalation step is due"),
            (self.retries_due.first().map(|(due, ..)| *due), "a notification is to be tried again"),
            (self.lapses_due.first().map(|(due, _)| *due), "an alert closes or expires"),
            (self.pause_alarm, "a pause stands"),
            (self.channel_deadline(now), "a provider may be used again"),
            (self.unfinished.then_some(now.mono), "there is more to send than one turn takes"),
        ];
        let due = candidates.into_iter().filter_map(|(at, because)| Some(Deadline { at: at?, because }));
        due.min_by_key(|deadline| deadline.at)
    }

    /// Appends a record to our log and folds it in.
    fn append(&mut self, now: Now, record: Record, out: &mut Vec<Effect>) -> RecordId {
        let id = RecordId { log: self.me, seq: self.next };
        let entry = Entry { at: now.wall, record };
        let applied = self.state.apply(id, &entry);
        assert!(applied.is_ok(), "our own record {id} is the next of our log: {applied:?}");
        self.next += 1;
        out.push(Append { id, entry });
        id
    }

    /// Executes `effect` once everything appended so far is durable.
    fn hold(&mut self, effect: Held) {
        self.held.push_back((self.next, effect));
    }

    /// Answers at once; for what changed nothing.
    fn refuse(ticket: Ticket, refusal: Refusal, out: &mut Vec<Effect>) {
        out.push(Effect::Answer { ticket, answer: Answer::Refused(refusal) });
    }

    /// Our log is durable below `upto`, on `copies` disks: what waited for that goes out.
    fn release(&mut self, now: Now, upto: u64, copies: u8, out: &mut Vec<Effect>) {
        self.stored = self.stored.max(upto);
        self.copies = copies;
        while self.held.front().is_some_and(|(needs, _)| *needs <= self.stored) {
            match self.held.pop_front() {
                Some((_, Held::Deliver(delivery))) => self.let_go(now, delivery, out),
                Some((_, Held::Answer(ticket, answer))) => {
                    out.push(Effect::Answer { ticket, answer: answer.on(copies) });
                }
                Some((_, Held::Forget { alerts, mut rosters })) => {
                    // A roster that was written again meanwhile is needed again.
                    rosters.retain(|id| !self.state.rosters.contains_key(id));
                    out.push(Effect::Forget { alerts, rosters });
                }
                None => break,
            }
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
            Self::Refused(refusal) => Self::Refused(refusal),
        }
    }
}
