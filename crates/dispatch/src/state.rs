//! What is known: the fold of all records, an optimised OR-set of open alerts.
//!
//! Everything durable changes here and nowhere else, for our own, a peer's and replayed records alike.
//! `applied` counts how much of each log has been folded in. An alert that is absent although its `Accept`
//! is covered by `applied` is finished: no tombstones, nothing to collect, and a stale copy cannot bring a
//! finished alert back. Facts about an alert that has not been seen yet wait in `early`. A record that cannot be
//! read any more leaves a place in `lost`, which counts as not seen: somebody else may still have it.
//!
//! Any interleaving that keeps each log's own order folds to the same state, and [`State::join`] is
//! commutative, associative and idempotent; `tests/laws.rs` holds both.

use crate::directory::Address;
use crate::directory::Edition;
use crate::record::{
    Acknowledgement, Actor, Alert, Chosen, Claim, Code, Comment, Conduct, Content, Duty, End, Entry, Fired,
    Outcome, Purpose, Record, Roster, Send, Silence, StepKey,
};
use base::limits::{COMMENTS_MAX, SILENCES_MAX};
use base::{AlertId, BootId, Digest, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use ownership::Member;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Terms of the directory whose newest editions are kept.
const BRANCHES_MAX: usize = 4;

/// An alert that is part of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Its code, which stays valid; none while that is not known.
    pub code: Option<Code>,
    /// The smallest of its twins, which stands for all.
    pub into: AlertId,
    /// Its `Accept` was seen.
    pub met: bool,
}

/// One attempt at a notification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The `Intent` that announced it.
    pub intent: RecordId,
    /// By which provider.
    pub provider: Name,
    /// What came of it; none while it is under way, and for ever if its node died.
    pub outcome: Option<Outcome>,
}

/// All that is known of one notification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// Whom it is for.
    pub recipient: Name,
    /// Where.
    pub address: Address,
    /// What for.
    pub purpose: Purpose,
    /// Every attempt, by its intent.
    pub attempts: Vec<Attempt>,
}

impl Sent {
    /// Some attempt was accepted by a provider.
    pub fn accepted(&self) -> bool {
        self.attempts.iter().any(|attempt| matches!(attempt.outcome, Some(Outcome::Accepted { .. })))
    }

    /// Some attempt was accepted, or refused for good.
    pub fn concluded(&self) -> bool {
        self.attempts.iter().any(|attempt| {
            matches!(
                attempt.outcome,
                Some(Outcome::Accepted { .. } | Outcome::Refused { then: crate::record::Then::GiveUp, .. })
            )
        })
    }

    fn merge(&mut self, other: &Self) {
        for attempt in &other.attempts {
            self.note(attempt);
        }
    }

    fn note(&mut self, attempt: &Attempt) {
        match self.attempts.binary_search_by_key(&attempt.intent, |mine| mine.intent) {
            // Known beats unknown; both logs agree where both know, for an attempt has one writer.
            Ok(at) => {
                if let Some(mine) = self.attempts.get_mut(at)
                    && mine.outcome < attempt.outcome
                {
                    mine.outcome.clone_from(&attempt.outcome);
                }
            }
            Err(at) => self.attempts.insert(at, attempt.clone()),
        }
    }
}

/// What somebody answered last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// When.
    pub at: Wall,
    /// The record that says so.
    pub record: RecordId,
    /// What.
    pub chosen: Chosen,
    /// Who acted, and how.
    pub by: Actor,
    /// What they said with it.
    pub comment: Option<Arc<str>>,
}

/// What happened to one alert since its acceptance. Sets and maxima only, so that it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The steps that fired.
    pub fired: BTreeMap<StepKey, Fired>,
    /// The notifications that were tried.
    pub sent: BTreeMap<NotificationId, Sent>,
    /// Outcomes of attempts whose `Intent` is not known: it is lost, and may come back.
    pub orphans: BTreeMap<(NotificationId, RecordId), Outcome>,
    /// Who acknowledged.
    pub acks: BTreeMap<RecordId, Acknowledgement>,
    /// What was said.
    pub comments: BTreeMap<RecordId, Comment>,
    /// What each recipient answered last, by (time, record); under no name what operators did.
    pub answers: BTreeMap<Option<Name>, Answered>,
    /// Why it is over; the first counts.
    pub ends: BTreeMap<RecordId, End>,
    /// Later words of its source; the newest counts.
    pub updates: BTreeMap<(Wall, RecordId), Arc<Content>>,
    /// Who sends by a channel that the owner has no provider for: by epoch and record, the highest counts.
    pub delegates: BTreeMap<Name, (u64, RecordId, LogId)>,
}

impl Facts {
    /// The end that counts: the earliest, by (time, record).
    pub fn end(&self) -> Option<&End> {
        self.ends.iter().min_by_key(|(id, end)| (end.at, **id)).map(|(_, end)| end)
    }

    /// The acknowledgement that came first, with its record.
    pub fn first_ack(&self) -> Option<(RecordId, &Acknowledgement)> {
        self.acks.iter().min_by_key(|(id, ack)| (ack.at, **id)).map(|(id, ack)| (*id, ack))
    }

    fn merge(&mut self, other: &Self) {
        for (key, fired) in &other.fired {
            self.fire(*key, fired);
        }
        for (channel, delegate) in &other.delegates {
            self.delegate(channel, *delegate);
        }
        self.merge_twin(other);
    }

    /// Takes over what happened to a twin. Its steps stay its own: they told people under other identities,
    /// and this alert goes through its own policy in its own time.
    fn merge_twin(&mut self, other: &Self) {
        for (id, sent) in &other.sent {
            match self.sent.get_mut(id) {
                Some(mine) => mine.merge(sent),
                None => drop(self.sent.insert(*id, sent.clone())),
            }
        }
        let orphans = std::mem::take(&mut self.orphans);
        for ((notification, intent), outcome) in orphans.iter().chain(&other.orphans) {
            self.conclude(*notification, *intent, outcome);
        }
        self.acks.extend(other.acks.iter().map(|(id, ack)| (*id, ack.clone())));
        self.comments.extend(other.comments.iter().map(|(id, comment)| (*id, comment.clone())));
        for (recipient, answered) in &other.answers {
            self.answer(recipient.as_ref(), answered.clone());
        }
        self.ends.extend(other.ends.iter().map(|(id, end)| (*id, end.clone())));
        self.updates.extend(other.updates.iter().map(|(id, content)| (*id, Arc::clone(content))));
        self.trim();
    }

    /// Two nodes may fire the same step; the earlier firing is kept on both. Where the one found somebody on call and
    /// the other somebody else, or nobody, both are told: a hand-over lay between, and nobody is left out.
    fn fire(&mut self, key: StepKey, fired: &Fired) {
        let Some(mine) = self.fired.get_mut(&key) else {
            self.fired.insert(key, fired.clone());
            return;
        };
        if (fired.at, fired.late, &fired.by) < (mine.at, mine.late, &mine.by) {
            (mine.at, mine.late) = (fired.at, fired.late);
            mine.by.clone_from(&fired.by);
        }
        mine.empty &= fired.empty;
        mine.on_call.extend(fired.on_call.iter().cloned());
        // Withheld is what all withhold: each that fired it saw to it that somebody is told of what it let through.
        mine.withheld.retain(|withheld| fired.withheld.contains(withheld));
    }

    /// Keeps the newest update and the first comments; a maximum and a minimum, so it still joins.
    fn trim(&mut self) {
        while self.updates.len() > 1 {
            self.updates.pop_first();
        }
        while self.comments.len() > COMMENTS_MAX {
            self.comments.pop_last();
        }
    }

    fn apply(&mut self, id: RecordId, at: Wall, record: &Record) {
        match record {
            Record::Update { silent: true, .. } => (), // A question, and nothing that happened.
            Record::Update { content, .. } => drop(self.updates.insert((at, id), Arc::clone(content))),
            Record::StepFired { step, fired, .. } => self.fire(*step, fired),
            Record::Intent { sends, .. } => sends.iter().for_each(|send| self.intend(id, send)),
            Record::Done { outcomes, .. } => {
                for concluded in outcomes {
                    self.conclude(concluded.notification, concluded.intent, &concluded.outcome);
                }
            }
            Record::Ack { ack, .. } => self.acknowledge(id, ack),
            Record::Comment { comment, .. } => self.comment(id, comment),
            Record::End { end, .. } => drop(self.ends.insert(id, end.clone())),
            Record::Delegate { channel, epoch, to, .. } => self.delegate(channel, (*epoch, id, *to)),
            Record::Start { .. }
            | Record::Roster(_)
            | Record::Accept(_)
            | Record::Closed { .. }
            | Record::Pause { .. }
            | Record::Resume { .. }
            | Record::Silence(_)
            | Record::Unsilence { .. }
            | Record::Claim(_)
            | Record::Release { .. }
            | Record::Duty(_)
            | Record::Merged { .. }
            | Record::RosterDropped { .. }
            | Record::PeerState { .. }
            | Record::Member { .. }
            | Record::Conduct { .. }
            | Record::Directory { .. }
            | Record::Provider { .. }
            | Record::Note { .. } => (), // Not about what happened to an alert; `State::apply` deals with them.
        }
        self.trim();
    }

    fn acknowledge(&mut self, id: RecordId, ack: &Acknowledgement) {
        if let Some(chosen) = ack.chosen.clone() {
            let answered =
                Answered { at: ack.at, record: id, chosen, by: ack.by.clone(), comment: ack.comment.clone() };
            self.answer(ack.recipient.as_ref(), answered);
        }
        self.acks.insert(id, ack.clone());
    }

    /// An answer is no comment: there may be one of each of many people.
    fn comment(&mut self, id: RecordId, comment: &Comment) {
        let Some(answer) = &comment.answer else {
            self.comments.insert(id, comment.clone());
            return;
        };
        let chosen = answer.chosen.clone();
        let (by, said) = (comment.by.clone(), answer.comment.clone());
        let answered = Answered { at: comment.at, record: id, chosen, by, comment: said };
        self.answer(answer.recipient.as_ref(), answered);
    }

    /// Whoever answers again means the last.
    fn answer(&mut self, recipient: Option<&Name>, answered: Answered) {
        let slot = self.answers.entry(recipient.cloned()).or_insert_with(|| answered.clone());
        if *slot < answered {
            *slot = answered;
        }
    }

    fn delegate(&mut self, channel: &Name, delegate: (u64, RecordId, LogId)) {
        let slot = self.delegates.entry(channel.clone()).or_insert(delegate);
        *slot = (*slot).max(delegate);
    }

    fn intend(&mut self, intent: RecordId, send: &Send) {
        let outcome = self.orphans.remove(&(send.notification, intent));
        let attempt = Attempt { intent, provider: send.provider.clone(), outcome };
        self.sent
            .entry(send.notification)
            .or_insert_with(|| Sent {
                recipient: send.recipient.clone(),
                address: send.address.clone(),
                purpose: send.purpose,
                attempts: Vec::with_capacity(1),
            })
            .note(&attempt);
    }

    /// An outcome follows its intent in the same log, so the attempt is there, unless the intent is lost.
    fn conclude(&mut self, notification: NotificationId, intent: RecordId, outcome: &Outcome) {
        let attempt = self.sent.get_mut(&notification).and_then(|sent| {
            let at = sent.attempts.binary_search_by_key(&intent, |mine| mine.intent).ok()?;
            sent.attempts.get_mut(at)
        });
        let known = match attempt {
            Some(attempt) => attempt.outcome.get_or_insert_with(|| outcome.clone()),
            None => self.orphans.entry((notification, intent)).or_insert_with(|| outcome.clone()),
        };
        if *known < *outcome {
            known.clone_from(outcome);
        }
    }
}

/// An alert that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// When it was accepted, by the accepting node's clock.
    pub at: Wall,
    /// As accepted.
    pub alert: Arc<Alert>,
    /// What happened since.
    pub facts: Facts,
}

impl Open {
    /// What it says now: the newest word of its source.
    pub fn content(&self) -> &Arc<Content> {
        self.facts.updates.last_key_value().map_or(&self.alert.content, |(_, content)| content)
    }
}

/// A standing pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when, by the pausing node's clock.
    pub at: Wall,
    /// Who paused.
    pub by: Actor,
    /// Why.
    pub reason: Arc<str>,
}

/// When a silence was ended before its time, by which record, and by whom; the first counts.
pub type Unsilenced = (Wall, RecordId, Actor);

/// A silence, and whether it was ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// When it was written: it does not reach further back.
    pub at: Wall,
    /// It.
    pub silence: Arc<Silence>,
    /// Its end before its time.
    pub ended: Option<Unsilenced>,
}

impl Silenced {
    /// From when to when it holds alerts back; the same twice where it never does.
    pub fn span(&self) -> (Wall, Wall) {
        let from = self.silence.from.max(self.at);
        let until = self.ended.as_ref().map_or(self.silence.until, |(at, ..)| self.silence.until.min(*at));
        (from, until.max(from))
    }

    /// It holds alerts back at that time.
    pub fn is_active(&self, at: Wall) -> bool {
        let (from, until) = self.span();
        (from..until).contains(&at)
    }

    fn end(&mut self, ended: &Unsilenced) {
        if self.ended.as_ref().is_none_or(|mine| ended < mine) {
            self.ended = Some(ended.clone());
        }
    }
}

/// The fold of all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How many records of each log are folded in.
    pub applied: BTreeMap<LogId, u64>,
    /// Places below `applied` whose records are not known here: they could not be read any more.
    pub lost: BTreeSet<RecordId>,
    /// The alerts that are not finished.
    pub open: BTreeMap<AlertId, Open>,
    /// Facts about alerts whose `Accept` has not been seen.
    pub early: BTreeMap<AlertId, Facts>,
    /// Alerts that were closed before their `Accept` was seen.
    pub early_closed: BTreeSet<AlertId>,
    /// Alerts that turned out to be twins of others: what is said of them is said of those.
    pub merged: BTreeMap<AlertId, Twin>,
    /// What open alerts refer to.
    pub rosters: BTreeMap<Digest, Arc<Roster>>,
    /// The logs whose next acceptance may refer to a roster without writing it again.
    pub roster_logs: BTreeMap<Digest, BTreeSet<LogId>>,
    /// The pauses that stand.
    pub pauses: BTreeMap<RecordId, Pause>,
    /// Pauses that were resumed before they were seen.
    pub early_resumed: BTreeSet<RecordId>,
    /// Past pauses, with their beginnings and ends: escalation clocks stood still meanwhile.
    pub paused: BTreeSet<(RecordId, Wall, Wall)>,
    /// Silences, over or not: those of the latest ends.
    pub silences: BTreeMap<RecordId, Silenced>,
    /// Silences that were ended before they were seen.
    pub early_unsilenced: BTreeMap<RecordId, Unsilenced>,
    /// Who took over what.
    pub claims: BTreeMap<LogId, BTreeSet<(Claim, LogId)>>,
    /// Who holds which cluster-wide duty, and since when.
    pub duties: BTreeMap<Name, (u64, LogId, Wall, Arc<str>)>,
    /// Who belongs to the cluster, with the generation of that.
    pub members: BTreeMap<NodeId, (u64, Option<Member>)>,
    /// How the cluster behaves.
    pub conduct: Conduct,
    /// The book.
    pub edition: Edition,
    /// The newest edition of each of the last terms.
    pub branches: BTreeMap<u64, Edition>,
}

/// Why a record cannot be folded in. It is quarantined and the operators are told; nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// It is not the next of its log.
    Gap {
        /// The place that is next.
        expected: u64,
    },
    /// It names a record of its own log that does not exist yet.
    Future,
}

impl State {
    /// How many records of `log` are folded in.
    pub fn applied(&self, log: LogId) -> u64 {
        self.applied.get(&log).copied().unwrap_or(0)
    }

    /// Folds in the next record of a log.
    ///
    /// # Errors
    /// [`Poison`] if it is not the next one or refers to what cannot be; the state is then unchanged. It
    /// never panics: a bad record of a peer must not stop every node that gets it.
    pub fn apply(&mut self, id: RecordId, entry: &Entry) -> Result<(), Poison> {
        let expected = self.applied(id.log);
        if id.seq != expected {
            return Err(Poison::Gap { expected });
        }
        if names_the_future(id, &entry.record) {
            return Err(Poison::Future);
        }
        self.applied.insert(id.log, id.seq + 1);
        self.fold(id, entry);
        // Facts that waited for an alert or a pause which this record turns out not to be wait for nothing.
        self.early.remove(&AlertId(id));
        self.early_closed.remove(&AlertId(id));
        self.early_resumed.remove(&id);
        self.early_unsilenced.remove(&id);
        self.lost.remove(&id);
        Ok(())
    }

    /// Whether the record at that place was folded in, here or by whom we joined with.
    pub fn knows(&self, id: RecordId) -> bool {
        id.seq < self.applied(id.log) && !self.lost.contains(&id)
    }

    /// Says that these records cannot be read. For recovery, before [`State::recover`] is told of the others: what
    /// those say about an alert whose acceptance is lost would else be taken for words about a finished one.
    pub fn lose(&mut self, places: impl IntoIterator<Item = RecordId>) {
        self.lost.extend(places);
    }

    /// Passes over the next record of a log, which cannot be folded in.
    pub fn pass_over(&mut self, id: RecordId) {
        let next = self.applied(id.log).max(id.seq + 1);
        self.applied.insert(id.log, next);
    }

    /// Folds in a record whose log's earlier records may be gone because they concern finished alerts only.
    /// For recovery: `upto` of each log is set afterwards with [`State::cover`].
    pub fn recover(&mut self, id: RecordId, entry: &Entry) {
        let next = self.applied(id.log).max(id.seq + 1);
        self.applied.insert(id.log, next);
        self.fold(id, entry);
    }

    /// Whether what a register's record says is more than what is known.
    pub(crate) fn gains(&self, entry: &Entry) -> bool {
        let mut after = self.clone();
        after.fold(RecordId { log: LogId { node: NodeId(0), boot: BootId(0) }, seq: 0 }, entry);
        after != *self
    }

    /// Declares that `log` was folded in up to `upto`: what is missing below it is finished.
    pub fn cover(&mut self, log: LogId, upto: u64) {
        let next = self.applied(log).max(upto);
        self.applied.insert(log, next);
        self.settle();
    }

    fn fold(&mut self, id: RecordId, entry: &Entry) {
        match &entry.record {
            Record::Accept(alert) => self.accept(AlertId(id), entry.at, alert),
            Record::Closed { alert } => self.close(*alert),
            Record::Roster(roster) => {
                self.rosters.entry(roster.id).or_insert_with(|| Arc::clone(roster));
                self.roster_logs.entry(roster.id).or_default().insert(id.log);
            }
            Record::Pause { by, reason } => {
                if !self.early_resumed.remove(&id) {
                    let pause = Pause { at: entry.at, by: by.clone(), reason: Arc::clone(reason) };
                    self.pauses.insert(id, pause);
                }
            }
            Record::Silence(silence) => self.silence(id, entry.at, silence),
            Record::Unsilence { silence, by } => self.unsilence(*silence, (entry.at, id, by.clone())),
            Record::Resume { pauses, .. } => {
                for (pause, since) in pauses {
                    self.pauses.remove(pause);
                    self.paused.insert((*pause, *since, entry.at));
                    if self.unseen(*pause) {
                        self.early_resumed.insert(*pause);
                    }
                }
            }
            Record::Claim(claim) => self.claim(claim, id.log),
            Record::Release { to, claims } => claims.iter().for_each(|claim| self.claim(claim, *to)),
            Record::Duty(duty) => self.entrust(entry.at, duty),
            Record::Merged { alert, into, .. } if self.is_finished(*alert) => self.close(*into),
            Record::Merged { alert, code, into } => self.link(*alert, Some(*code), *into),
            Record::Member { node, generation, member, .. } => {
                self.enrol(*node, (*generation, member.clone()));
            }
            Record::Conduct { conduct, .. } => {
                if *conduct > self.conduct {
                    self.conduct = conduct.clone();
                }
            }
            Record::RosterDropped { rosters } => {
                for roster in rosters {
                    self.unlist_roster(*roster, id.log);
                }
            }
            Record::Directory { edition, .. } => self.publish(edition),
            Record::Update { alert, .. }
            | Record::StepFired { alert, .. }
            | Record::Intent { alert, .. }
            | Record::Done { alert, .. }
            | Record::Ack { alert, .. }
            | Record::Comment { alert, .. }
            | Record::Delegate { alert, .. }
            | Record::End { alert, .. } => self.befall(*alert, id, entry),
            Record::Start { .. }
            | Record::PeerState { .. }
            | Record::Provider { .. }
            | Record::Note { .. } => (), // For the trail only.
        }
    }

    fn silence(&mut self, id: RecordId, at: Wall, silence: &Arc<Silence>) {
        let ended = self.early_unsilenced.remove(&id);
        self.silences.insert(id, Silenced { at, silence: Arc::clone(silence), ended });
        self.trim_silences();
    }

    fn unsilence(&mut self, id: RecordId, ended: Unsilenced) {
        if let Some(silenced) = self.silences.get_mut(&id) {
            silenced.end(&ended);
        } else if self.unseen(id) {
            let slot = self.early_unsilenced.entry(id).or_insert_with(|| ended.clone());
            if ended < *slot {
                *slot = ended;
            }
        }
    }

    /// Keeps those that end last. That they were ended before does not count: what is kept of all records is then
    /// kept of some of them as well, so that it joins.
    fn trim_silences(&mut self) {
        while self.silences.len() > SILENCES_MAX {
            let first =
                self.silences.iter().min_by_key(|(id, it)| (it.silence.until, **id)).map(|(id, _)| *id);
            first.map(|id| self.silences.remove(&id));
        }
    }

    fn claim(&mut self, claim: &Claim, to: LogId) {
        self.claims.entry(claim.log).or_default().insert((claim.clone(), to));
    }

    fn entrust(&mut self, at: Wall, duty: &Duty) {
        let held = (duty.epoch, duty.to, at, Arc::clone(&duty.because));
        let slot = self.duties.entry(duty.duty.clone()).or_insert_with(|| held.clone());
        if *slot < held {
            *slot = held;
        }
    }

    fn enrol(&mut self, node: NodeId, member: (u64, Option<Member>)) {
        let slot = self.members.entry(node).or_insert_with(|| member.clone());
        if *slot < member {
            *slot = member;
        }
    }

    /// Higher (term, version) wins whole, never field by field. The newest edition of each term is kept, so that
    /// what another writer changed meanwhile can be shown.
    fn publish(&mut self, edition: &Edition) {
        if wins(edition, &self.edition) {
            self.edition = edition.clone();
        }
        let slot = self.branches.entry(edition.term).or_insert_with(|| edition.clone());
        if wins(edition, slot) {
            slot.clone_from(edition);
        }
        while self.branches.len() > BRANCHES_MAX {
            self.branches.pop_first();
        }
    }

    /// The newest edition that another node wrote and that did not become part of the book.
    pub fn lost_edition(&self) -> Option<&Edition> {
        let newer = self.branches.values().rev();
        let older = self.branches.values().rev().skip(1);
        newer.zip(older).find(|(newer, older)| older.place() > newer.follows).map(|(_, older)| older)
    }

    /// A log will not refer to a roster again without writing it again.
    pub fn unlist_roster(&mut self, roster: Digest, log: LogId) {
        if let Some(logs) = self.roster_logs.get_mut(&roster) {
            logs.remove(&log);
            if logs.is_empty() {
                self.roster_logs.remove(&roster);
            }
        }
    }

    /// The alert that stands for another one: its smallest known twin, or itself.
    pub fn target(&self, alert: AlertId) -> AlertId {
        self.merged.get(&alert).map_or(alert, |twin| twin.into)
    }

    /// Two alerts are one from now on: the smaller stands for both, and whatever closes one closes both.
    fn link(&mut self, alert: AlertId, code: Option<Code>, into: AlertId) {
        if self.is_finished(self.target(into)) {
            self.close(alert);
        } else {
            self.unite_all(alert, code, into);
        }
    }

    fn unite_all(&mut self, alert: AlertId, code: Option<Code>, into: AlertId) {
        let (one, other) = (self.target(alert), self.target(into));
        if one != other {
            self.unite(one.min(other), one.max(other));
        }
        if let Some(twin) = self.merged.get_mut(&alert) {
            twin.code = twin.code.or(code);
        }
    }

    fn unite(&mut self, smaller: AlertId, larger: AlertId) {
        let open = self.open.remove(&larger);
        let (code, met) = (open.as_ref().map(|open| open.alert.code), open.is_some());
        // One of two states that join may know it as open, and the other one facts about it only.
        let mut facts = self.early.remove(&larger).unwrap_or_default();
        open.iter().for_each(|open| facts.merge(&open.facts));
        match self.open.get_mut(&smaller) {
            Some(open) => open.facts.merge_twin(&facts),
            None => self.early.entry(smaller).or_default().merge_twin(&facts),
        }
        for twin in self.merged.values_mut().filter(|twin| twin.into == larger) {
            twin.into = smaller;
        }
        self.merged.insert(larger, Twin { code, into: smaller, met });
    }

    /// Nothing will ever be open under that id again.
    fn is_finished(&self, alert: AlertId) -> bool {
        let absent = !self.open.contains_key(&alert) && !self.merged.contains_key(&alert);
        absent && !self.unseen(alert.0) || self.early_closed.contains(&alert)
    }

    fn accept(&mut self, id: AlertId, at: Wall, alert: &Arc<Alert>) {
        if let Some(twin) = self.merged.get_mut(&id) {
            (twin.code, twin.met) = (Some(alert.code), true); // It was known to be a twin before it was seen.
            return;
        }
        let mut facts = self.early.remove(&id).unwrap_or_default();
        // The acceptance is the firing of the first step: whoever holds the record knows that people are to be told.
        let (on_call, withheld) = (alert.on_call.clone(), alert.withheld.clone());
        let fired = Fired { at, late: Duration::ZERO, empty: false, by: None, on_call, withheld };
        facts.fire(StepKey::default(), &fired);
        if !self.early_closed.remove(&id) {
            self.open.insert(id, Open { at, alert: Arc::clone(alert), facts });
        }
    }

    /// Closes an alert and its twins.
    fn close(&mut self, alert: AlertId) {
        let target = self.target(alert);
        let twins = self.merged.extract_if(.., |_, twin| twin.into == target);
        let mut closed: Vec<AlertId> = twins.map(|(twin, _)| twin).collect();
        closed.push(target);
        for alert in closed {
            self.open.remove(&alert);
            self.early.remove(&alert);
            if self.unseen(alert.0) {
                self.early_closed.insert(alert);
            }
        }
    }

    fn befall(&mut self, alert: AlertId, id: RecordId, entry: &Entry) {
        if matches!(entry.record, Record::StepFired { .. } | Record::Delegate { .. })
            && self.merged.contains_key(&alert)
        {
            return; // A twin's steps are its own.
        }
        let alert = self.target(alert);
        if let Some(open) = self.open.get_mut(&alert) {
            open.facts.apply(id, entry.at, &entry.record);
        } else if self.unseen(alert.0) && !self.early_closed.contains(&alert) {
            // Without this a fact that overtakes its alert's `Accept` would be lost, and somebody paged
            // after their acknowledgement.
            self.early.entry(alert).or_default().apply(id, entry.at, &entry.record);
        }
        // Else the alert is finished: the fact belongs to history only.
    }

    /// Everything that either side knows.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let mut joined = Self::default();
        for (log, upto) in self.applied.iter().chain(&other.applied) {
            let slot = joined.applied.entry(*log).or_default();
            *slot = (*slot).max(*upto);
        }
        let lost = self.lost.union(&other.lost).copied();
        let unknown = |id: &RecordId| joined.unseen(*id) || !self.knows(*id) && !other.knows(*id);
        joined.lost = lost.filter(unknown).collect();
        joined.early_closed = self.early_closed.union(&other.early_closed).copied().collect();
        joined.paused = self.paused.union(&other.paused).copied().collect();
        joined.early_resumed = self.early_resumed.union(&other.early_resumed).copied().collect();
        for (mine, theirs) in [(self, other), (other, self)] {
            joined.take(mine, theirs);
        }
        for (alert, twin) in self.merged.iter().chain(&other.merged) {
            joined.unite_all(*alert, twin.code, twin.into);
            if let Some(joint) = joined.merged.get_mut(alert) {
                joint.met |= twin.met;
            }
        }
        for (mine, theirs) in [(self, other), (other, self)] {
            for (alert, Twin { into, .. }) in &mine.merged {
                if theirs.is_finished(*alert) || theirs.is_finished(*into) {
                    joined.close(*alert);
                }
            }
        }
        joined.settle();
        joined
    }

    /// Adds what `mine` has and `theirs` does not know to be finished.
    fn take(&mut self, mine: &Self, theirs: &Self) {
        for (id, open) in &mine.open {
            if !theirs.is_finished(*id) {
                match self.open.get_mut(id) {
                    Some(joined) => joined.facts.merge(&open.facts),
                    None => drop(self.open.insert(*id, open.clone())),
                }
            }
        }
        for (id, facts) in &mine.early {
            if let Some(open) = self.open.get_mut(id) {
                open.facts.merge(facts);
            } else if !theirs.is_finished(*id) {
                self.early.entry(*id).or_default().merge(facts);
            }
        }
        for (id, pause) in &mine.pauses {
            if theirs.pauses.contains_key(id) || theirs.unseen(*id) && !theirs.early_resumed.contains(id) {
                self.pauses.insert(*id, pause.clone());
            }
        }
        for (id, silenced) in &mine.silences {
            match self.silences.get_mut(id) {
                Some(joined) => silenced.ended.iter().for_each(|ended| joined.end(ended)),
                // Known there and gone: others end later.
                None if theirs.silences.contains_key(id) || theirs.unseen(*id) => {
                    self.silences.insert(*id, silenced.clone());
                }
                None => (),
            }
        }
        for (id, ended) in &mine.early_unsilenced {
            let slot = self.early_unsilenced.entry(*id).or_insert_with(|| ended.clone());
            if ended < slot {
                slot.clone_from(ended);
            }
        }
        for (log, claims) in &mine.claims {
            self.claims.entry(*log).or_default().extend(claims.iter().cloned());
        }
        for (id, roster) in &mine.rosters {
            self.rosters.entry(*id).or_insert_with(|| Arc::clone(roster));
        }
        for (id, logs) in &mine.roster_logs {
            // Who has seen more of a log knows whether it still refers to a roster. Where a record is lost that may
            // have said so the roster is kept: too long does no harm.
            let knows_less = |log: &LogId| mine.applied(*log) < theirs.applied(*log) && !theirs.lacks(*log);
            let logs = logs.iter().filter(|log| !knows_less(log));
            let mut logs = logs.copied().peekable();
            if logs.peek().is_some() {
                self.roster_logs.entry(*id).or_default().extend(logs);
            }
        }
        for (duty, held) in &mine.duties {
            let slot = self.duties.entry(duty.clone()).or_insert_with(|| held.clone());
            if *slot < *held {
                slot.clone_from(held);
            }
        }
        for (node, member) in &mine.members {
            self.enrol(*node, member.clone());
        }
        if mine.conduct > self.conduct {
            self.conduct = mine.conduct.clone();
        }
        mine.branches.values().for_each(|edition| self.publish(edition));
    }

    fn unseen(&self, id: RecordId) -> bool {
        !self.knows(id)
    }

    /// Some record of that log is lost.
    fn lacks(&self, log: LogId) -> bool {
        self.lost.range(RecordId { log, seq: 0 }..=RecordId { log, seq: u64::MAX }).next().is_some()
    }

    /// Early facts meet the alerts that are there by now; those whose alert is finished go.
    fn settle(&mut self) {
        for (id, facts) in std::mem::take(&mut self.early) {
            if let Some(open) = self.open.get_mut(&id) {
                open.facts.merge(&facts);
            } else if self.unseen(id.0) && !self.early_closed.contains(&id) {
                self.early.insert(id, facts);
            }
        }
        for (id, ended) in std::mem::take(&mut self.early_unsilenced) {
            self.unsilence(id, ended);
        }
        self.trim_silences();
        // One that is known of without its `Accept`, where that should be, is over: only then are records deleted.
        let gone = |(alert, twin): &(&AlertId, &Twin)| {
            self.is_finished(twin.into) || !twin.met && !self.unseen(alert.0)
        };
        let over: BTreeSet<AlertId> = self.merged.iter().filter(gone).map(|(_, twin)| twin.into).collect();
        over.into_iter().for_each(|alert| self.close(alert));
        let (applied, lost) = (&self.applied, &self.lost);
        let unseen =
            |id: &RecordId| id.seq >= applied.get(&id.log).copied().unwrap_or(0) || lost.contains(id);
        self.early_closed.retain(|id| unseen(&id.0));
        self.early_resumed.retain(unseen);
    }

    /// The boot that may send for `alert`: the claimant of the highest epoch, else who accepted it.
    pub fn owner(&self, alert: AlertId) -> LogId {
        let id = alert.0;
        let covering = self.claims.get(&id.log).into_iter().flatten();
        covering
            .filter(|(claim, _)| (claim.from..claim.upto).contains(&id.seq))
            .map(|(claim, claimant)| (claim.epoch, *claimant))
            .max()
            .map_or(id.log, |(_, claimant)| claimant)
    }

    /// The highest epoch at which anybody claimed from `log`.
    pub fn epoch(&self, log: LogId) -> u64 {
        self.claims.get(&log).into_iter().flatten().map(|(claim, _)| claim.epoch).max().unwrap_or(0)
    }
}

/// Which of two editions counts. Two nodes that did not hear each other may have opened the same term, and a writer
/// that lost the end of its log may number two books alike: without a last word every node would keep its own.
fn wins(edition: &Edition, other: &Edition) -> bool {
    let place = |edition: &Edition| (edition.place(), edition.writer, edition.follows);
    match place(edition).cmp(&place(other)) {
        Ordering::Equal => edition.directory != other.directory && digest(edition) > digest(other),
        Ordering::Less => false,
        Ordering::Greater => true,
    }
}

fn digest(edition: &Edition) -> Digest {
    base::Hasher::new("edition").text(&format!("{:?}", edition.directory)).finish()
}

/// Whether a record names one of its own log that cannot exist when it is written. It may be about the alert
/// that it accepts, which has its own number; a pause always stands before what resumes it.
fn names_the_future(id: RecordId, record: &Record) -> bool {
    let resumes_later = match record {
        Record::Resume { pauses, .. } => {
            pauses.iter().any(|(pause, _)| pause.log == id.log && pause.seq >= id.seq)
        }
        Record::Unsilence { silence, .. } => silence.log == id.log && silence.seq >= id.seq,
        Record::Start { .. }
        | Record::Roster(_)
        | Record::Accept(_)
        | Record::Update { .. }
        | Record::StepFired { .. }
        | Record::Intent { .. }
        | Record::Done { .. }
        | Record::Ack { .. }
        | Record::Comment { .. }
        | Record::End { .. }
        | Record::Closed { .. }
        | Record::Pause { .. }
        | Record::Silence(_)
        | Record::Claim(_)
        | Record::Release { .. }
        | Record::Delegate { .. }
        | Record::Duty(_)
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Member { .. }
        | Record::Conduct { .. }
        | Record::Directory { .. }
        | Record::Provider { .. }
        | Record::Note { .. } => false,
        Record::Merged { alert, into, .. } => alert == into || into.0.log == id.log && into.0.seq > id.seq,
    };
    resumes_later || record.alert(id).is_some_and(|alert| alert.0.log == id.log && alert.0.seq > id.seq)
}
