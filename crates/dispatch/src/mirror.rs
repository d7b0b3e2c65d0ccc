//! What peers say, and what it means for what is under way; what we say to them.
//!
//! A peer's record changes the state by the same `apply` as our own. What follows here is only the part that
//! is not durable: whose turn it is, which timers run, what is queued.

use crate::clock::Moment;
use crate::input::{PeerEvent, Snapshot};
use crate::keys::Known;
use crate::record::{Actor, Alert, Concluded, Entry, Fired, Outcome, Record, Send, StepKey, Why};
use crate::run::Turn;
use crate::{Dispatch, Effect};
use base::{AlertId, LogId, Mono, NodeId, Now, RecordId, Wall};
use ownership::{Condition, Heartbeat, Hello, Own, Vector, holds};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Heartbeats after which one has whole vectors again.
const WHOLE_EVERY: u64 = 10;

/// When peers are to hear from us, and what of ours is not on disk yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keepalive {
    due: Mono,
    beats: u64,
    /// Something became durable that the peers wait to hear of.
    pub(crate) news: bool,
    /// The oldest write that is not on disk: our log below this, since then.
    unsynced: Option<(u64, Mono)>,
}

impl Keepalive {
    pub(crate) fn append(&mut self, now: Mono, next: u64) {
        self.unsynced.get_or_insert((next, now));
    }

    /// Our log is durable below `upto`, and goes on to `next`.
    pub(crate) fn settle(&mut self, upto: u64, next: u64) {
        if let Some((mark, since)) = self.unsynced
            && upto >= mark
        {
            // The rest was written later; when exactly is not kept, so it counts from where it could.
            self.unsynced = (upto < next).then_some((next, since.max(self.due)));
        }
    }
}

impl Dispatch {
    /// Something about a peer. One that was taken out of the cluster may not know it yet, and is not listened to:
    /// what its log refers to may have been forgotten here.
    pub(crate) fn listen(&mut self, now: Now, peer: NodeId, event: PeerEvent, out: &mut Vec<Effect>) {
        if self.cluster.condition(peer).is_none() {
            return;
        }
        match event {
            PeerEvent::Connected => {
                self.cluster.connected(peer);
                self.briefing.forget(peer);
                let heartbeat = self.heartbeat(now, peer, true);
                out.push(Effect::Hello { to: peer, hello: self.hello(heartbeat) });
            }
            PeerEvent::Disconnected => self.cluster.disconnected(peer),
            PeerEvent::Gone => {
                if let Some(change) = self.cluster.gone(peer) {
                    self.note_change(now, change, out);
                }
            }
            PeerEvent::Hello(hello) => {
                self.hear(now, peer, &hello.heartbeat);
                self.cluster.greet(peer, &hello);
                self.keepalive.news = true; // So that it learns at once that we hear it.
            }
            PeerEvent::Beat(beat) => self.hear(now, peer, &beat),
            PeerEvent::Records { log, first, entries } => {
                self.cluster.note_sign(peer, log, now.mono);
                self.take_records(now, log, first, entries, out);
            }
            PeerEvent::Snapshot(snapshot) => self.take_snapshot(now, peer, *snapshot, out),
            PeerEvent::Registers(registers) => self.take_registers(now, registers, out),
        }
    }

    fn hear(&mut self, now: Now, peer: NodeId, beat: &Heartbeat) {
        self.cluster.hear(now.mono, now.wall, peer, beat, &self.state.applied);
    }

    fn hello(&self, heartbeat: Heartbeat) -> Hello {
        let served = self.channels.iter().filter(|(_, channel)| channel.selection.is_some());
        let channels = served.map(|(name, _)| name.clone()).collect();
        Hello { version: Arc::clone(&self.version), channels, heartbeat }
    }

    fn heartbeat(&mut self, now: Now, to: NodeId, whole: bool) -> Heartbeat {
        let unsynced = self.keepalive.unsynced.map_or(Duration::ZERO, |(_, since)| now.mono.since(since));
        let own = Own {
            durable: &self.durable,
            held: &self.state.applied,
            unsynced,
            standby: !self.active,
            lacks: !self.state.lost.is_empty(),
        };
        self.cluster.heartbeat(now.mono, now.wall, to, own, whole)
    }

    /// Looks who is alive, and says that we are.
    pub(crate) fn keep_alive(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.cluster.is_alone() {
            return;
        }
        for change in self.cluster.tick(now.mono, &self.state.applied, self.own_durable()) {
            self.note_change(now, change, out);
        }
        let due = now.mono >= self.keepalive.due;
        if !due && !self.keepalive.news {
            return;
        }
        self.keepalive.news = false;
        let whole = due && self.keepalive.beats.is_multiple_of(WHOLE_EVERY);
        if due {
            self.keepalive.due = now.mono + self.cluster.timings().heartbeat;
            self.keepalive.beats += 1;
        }
        let peers: Vec<NodeId> = self.cluster.peers().collect();
        for to in peers {
            let beat = self.heartbeat(now, to, whole);
            out.push(Effect::Beat { to, beat });
        }
    }

    pub(crate) fn keepalive_deadline(&self) -> Option<Mono> {
        let due = (!self.cluster.is_alone()).then_some(self.keepalive.due);
        due.into_iter().chain(self.cluster.deadline()).min()
    }

    fn note_change(&mut self, now: Now, change: ownership::Change, out: &mut Vec<Effect>) {
        let ownership::Change { peer, to, because } = change;
        self.append(now, Record::PeerState { peer, to, because: Arc::clone(&because) }, out);
        if to == Condition::Down {
            self.reclaim_delegated(now, out);
        }
        self.tell_of_peer(now, peer, to, &because, out);
    }

    /// Sends peers what they lack.
    pub(crate) fn ship(&mut self, out: &mut Vec<Effect>) {
        if self.cluster.is_alone() {
            return;
        }
        let peers: Vec<NodeId> = self.cluster.peers().collect();
        for to in peers {
            let shipments = self.cluster.ship(to, &self.state.applied, &self.durable, &self.base);
            out.extend(shipments.into_iter().map(|shipment| Effect::Ship { to, shipment }));
        }
    }

    fn take_records(&mut self, now: Now, log: LogId, first: u64, entries: Vec<Entry>, out: &mut Vec<Effect>) {
        if log == self.me || self.is_bystander() {
            return;
        }
        for (seq, entry) in (first..).zip(entries) {
            let expected = self.state.applied(log);
            if seq > expected {
                break; // What lies between is on its way, or is sent again when the connection is made anew.
            }
            if seq == expected {
                self.fold(now, RecordId { log, seq }, entry, out);
            }
        }
    }

    /// Folds in a peer's record, and does what follows from it.
    fn fold(&mut self, now: Now, id: RecordId, entry: Entry, out: &mut Vec<Effect>) {
        let parts = self.parts(&entry.record);
        let awaited = self.state.early.contains_key(&AlertId(id));
        let applied = self.state.apply(id, &entry);
        if applied.is_err() {
            // It says what cannot be. It is kept, so that the log goes on, and does nothing.
            self.state.pass_over(id);
        }
        self.briefing.note(id, &entry.record);
        let (at, record) = (entry.at, entry.record.clone());
        out.push(Effect::Append { id, entry });
        if applied.is_err() {
            let what =
                format!("record {id} of a peer says what cannot be; it is kept and has no effect").into();
            self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
            return;
        }
        let alert = record.alert(id).map(|alert| self.state.target(alert));
        match (&record, alert) {
            (Record::Accept(_), _) => {
                self.met(now, AlertId(id), at, out);
                self.met_twin(AlertId(id), awaited);
            }
            (Record::Closed { .. } | Record::Merged { .. }, _) => self.parted(now, parts, out),
            (record, Some(alert)) => self.befell(now, alert, (id, at, record), out),
            (record, None) => self.changed(now, (id.log, at), record, out),
        }
    }

    /// The alerts that a record may end: itself and its twins, or two that become one.
    fn parts(&self, record: &Record) -> BTreeSet<AlertId> {
        match record {
            Record::Merged { alert, into, .. } => {
                [*alert, *into].into_iter().map(|alert| self.state.target(alert)).collect()
            }
            Record::Closed { alert } => {
                let target = self.state.target(*alert);
                let twins = self.state.merged.iter().filter(|(_, twin)| twin.into == target);
                // Those of an alert that is open are known to its run.
                let open = self.runs.contains_key(&target);
                let twins = twins.filter(|_| !open).map(|(twin, _)| *twin);
                twins.chain([target]).collect()
            }
            Record::Start { .. }
            | Record::Roster(_)
            | Record::Accept(_)
            | Record::Update { .. }
            | Record::StepFired { .. }
            | Record::Delegate { .. }
            | Record::Intent { .. }
            | Record::Done { .. }
            | Record::Ack { .. }
            | Record::Comment { .. }
            | Record::End { .. }
            | Record::Pause { .. }
            | Record::Resume { .. }
            | Record::Silence(_)
            | Record::Unsilence { .. }
            | Record::Claim(_)
            | Record::Release { .. }
            | Record::Duty(_)
            | Record::RosterDropped { .. }
            | Record::PeerState { .. }
            | Record::Member { .. }
            | Record::Conduct { .. }
            | Record::Directory { .. }
            | Record::Provider { .. }
            | Record::Note { .. } => BTreeSet::new(),
        }
    }

    /// Alerts are over, or are part of others from now on. One that was not seen yet may still come.
    fn parted(&mut self, now: Now, parts: BTreeSet<AlertId>, out: &mut Vec<Effect>) {
        for alert in parts {
            let into = self.state.target(alert);
            if into != alert {
                self.merged(now, alert, into, out);
            } else if !self.state.open.contains_key(&alert) && self.state.knows(alert.0) {
                self.withdraw(alert, |_| true);
                self.drop_run(alert);
            }
        }
    }

    /// A peer accepted an alert.
    fn met(&mut self, now: Now, alert: AlertId, at: Wall, out: &mut Vec<Effect>) {
        let Some(bound) = self.state.open.get(&alert).map(|open| Arc::clone(&open.alert)) else { return };
        if let Some((key, digest)) = &bound.key
            && self.keys.find(&bound.source, key).is_none()
        {
            let known = Known { digest: *digest, alert, code: bound.code };
            self.keys.insert(now, &bound.source, key, known);
        }
        let Some(roster) = self.state.rosters.get(&bound.roster).map(Arc::clone) else {
            self.tell_of_lost(now, &[bound.code], out);
            return;
        };
        self.note_raised(now, alert);
        self.begin(now, alert, roster);
        // A later step may have been heard of before the alert itself; whose clock that is by is not known.
        let last = self.state.open.get(&alert).and_then(|open| open.facts.fired.last_key_value());
        let fired = match last {
            Some((step, fired)) if *step != StepKey::default() => Moment::of(now, fired.at),
            Some(_) | None => self.fired_moment(now, alert.0.log.node, at),
        };
        self.fired_then(now, alert, fired);
        let accepted = self.moment(now, alert.0.log.node, at);
        if let Some(run) = self.runs.get_mut(&alert) {
            run.accepted_at = accepted;
        }
        self.refresh(now, alert, out);
        self.meet_twin(now, alert, out);
    }

    /// When `at` was, by the clock of another node, on ours.
    pub(crate) fn moment(&self, now: Now, node: NodeId, at: Wall) -> Moment {
        let ahead = if node == self.me.node { Some(0) } else { self.cluster.ahead(node) };
        // Of a node that we never heard nobody knows what its clock says: it counts from now.
        ahead.map_or_else(|| Moment::now(now), |ahead| Moment::of(now, Wall(at.0.saturating_sub(ahead))))
    }

    /// The same of a step's firing. Where nothing is known of the other clock it is taken to be like ours: to count
    /// from now would make the next step late, and nobody would be told that it is.
    fn fired_moment(&self, now: Now, node: NodeId, at: Wall) -> Moment {
        if node == self.me.node || self.cluster.ahead(node).is_some() {
            return self.moment(now, node, at);
        }
        Moment::of(now, at)
    }

    /// A step of an alert fired then, wherever it did.
    fn fired_then(&mut self, now: Now, alert: AlertId, moment: Moment) {
        let active = self.clock.at(now.mono);
        let Some(run) = self.runs.get_mut(&alert) else { return };
        run.fired_at = moment;
        run.fired = active.minus(moment.age(now));
    }

    /// Something befell an alert that is open here.
    fn befell(
        &mut self,
        now: Now,
        alert: AlertId,
        (id, at, record): (RecordId, Wall, &Record),
        out: &mut Vec<Effect>,
    ) {
        match record {
            Record::StepFired { step, fired, .. } if !fired.empty => {
                // Two nodes that did not hear each other may both have fired it; the first firing counts, and only
                // that of the last step.
                let last = self.state.open.get(&alert).and_then(|open| open.facts.fired.last_key_value());
                let counts =
                    |kept: &Fired| (kept.at, kept.late, &kept.by) == (fired.at, fired.late, &fired.by);
                if last.is_some_and(|(key, kept)| key == step && counts(kept)) {
                    let moment = self.fired_moment(now, id.log.node, at);
                    self.fired_then(now, alert, moment);
                }
                self.fan_step(alert, *step);
            }
            Record::Ack { .. } => {
                let first = self.runs.get(&alert).is_some_and(|run| run.acked_at.is_none());
                self.refresh(now, alert, out);
                if first {
                    self.fan_ack(alert, id);
                }
            }
            Record::Comment { .. } => self.fan_comment(alert, id),
            Record::Update { silent: true, .. } => self.vouch(now, alert, out),
            Record::Update { silent: false, .. } => {
                self.give_time(now, alert);
                self.look_again(now, alert);
            }
            Record::Delegate { .. } => self.follow_delegation(now, alert),
            Record::End { end, .. } => {
                if let Some(bound) = self.state.open.get(&alert).map(|open| Arc::clone(&open.alert)) {
                    self.unlist(alert, &bound);
                }
                self.hush.inhibition.remove(alert);
                self.withdraw(alert, |_| true);
                let ends = self.state.open.get(&alert).map_or(0, |open| open.facts.ends.len());
                if end.why == Why::Resolved && ends == 1 {
                    self.fan_end(alert);
                }
            }
            Record::Intent { alert: named, sends } => self.announced(now, *named, sends),
            Record::Done { alert: named, outcomes } => self.concluded(alert, *named, outcomes),
            Record::Start { .. }
            | Record::Roster(_)
            | Record::Accept(_)
            | Record::StepFired { .. }
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
            | Record::Note { .. } => (),
        }
        self.refresh(now, alert, out);
    }

    /// Another boot is about to send: by a provider whose quota is ours too.
    fn announced(&mut self, now: Now, named: AlertId, sends: &[Send]) {
        self.note_twin(named, sends.iter().map(|send| send.notification));
        for send in sends {
            if let Some(provider) = self.providers.get_mut(&send.provider) {
                provider.count(now, 1);
            }
        }
    }

    /// Another boot sent.
    fn concluded(&mut self, alert: AlertId, named: AlertId, outcomes: &[Concluded]) {
        self.note_twin(named, outcomes.iter().map(|concluded| concluded.notification));
        let accepted = |concluded: &Concluded| matches!(concluded.outcome, Outcome::Accepted { .. });
        if outcomes.iter().any(accepted)
            && let Some(run) = self.runs.get_mut(&alert)
        {
            run.told = true;
        }
    }

    /// Something changed that is about no alert in particular.
    fn changed(&mut self, now: Now, (log, at): (LogId, Wall), record: &Record, out: &mut Vec<Effect>) {
        match record {
            Record::Claim(claim) => self.reassign(now, std::slice::from_ref(claim)),
            Record::Release { claims, .. } => self.reassign(now, claims),
            Record::Pause { .. } | Record::Resume { .. } => self.follow_pauses(now),
            Record::Silence(_) | Record::Unsilence { .. } => self.hush.stale = true,
            Record::Directory { .. } => {
                self.bindings.clear();
                self.forget_rosters(now, out);
            }
            Record::RosterDropped { .. } => self.forget_rosters(now, out),
            Record::Note { by, what } => self.hear_note(now, (log.node, at), by, what),
            Record::Member { .. } => self.enrol(now),
            Record::Start { .. } => self.cluster.note_log(log, now.mono),
            Record::Roster(_)
            | Record::Accept(_)
            | Record::Update { .. }
            | Record::StepFired { .. }
            | Record::Intent { .. }
            | Record::Done { .. }
            | Record::Ack { .. }
            | Record::Comment { .. }
            | Record::End { .. }
            | Record::Closed { .. }
            | Record::Delegate { .. }
            | Record::Duty(_)
            | Record::Merged { .. }
            | Record::PeerState { .. }
            | Record::Conduct { .. }
            | Record::Provider { .. } => (),
        }
    }

    /// The clock of escalation stands still while any pause does.
    fn follow_pauses(&mut self, now: Now) {
        if self.state.pauses.is_empty() {
            self.clock.resume(now.mono);
            self.pause_alarm = None;
        } else if !self.clock.is_paused() {
            self.clock.pause(now.mono);
            self.pause_alarm = Some(now.mono);
        }
    }

    /// Who belongs to the cluster: whom the data folder names, until the records say otherwise, one by one. If the
    /// first record set aside all that the folder says, a peer would be dropped and taken in again, and nothing
    /// would be sent to it before its connection is made anew.
    pub(crate) fn enrol(&mut self, now: Now) {
        let seeds = self.seeds.iter().map(|member| (member.node, member.clone()));
        let mut members: std::collections::BTreeMap<_, _> = seeds.collect();
        for (node, (_, member)) in &self.state.members {
            match member {
                Some(member) => drop(members.insert(*node, member.clone())),
                None => drop(members.remove(node)),
            }
        }
        self.cluster.enrol(members, now.mono);
    }

    /// Makes all that a peer knows ours as well.
    fn take_snapshot(&mut self, now: Now, from: NodeId, snapshot: Snapshot, out: &mut Vec<Effect>) {
        let Snapshot { state, keys } = snapshot;
        let unknown_of_ours = state.applied(self.me) > self.state.applied(self.me);
        let old = holds(&self.state.applied, &state.applied) && !self.is_help(&state);
        if unknown_of_ours || old || self.is_bystander() {
            self.cluster.note_snapshot(from, false);
            return;
        }
        for log in state.applied.keys() {
            self.cluster.note_log(*log, now.mono);
        }
        let joined = self.state.join(&state);
        for (log, upto) in &joined.applied {
            // What the snapshot left out cannot be sent on, from this moment on.
            if *log != self.me && *upto > self.state.applied(*log) {
                self.base.insert(*log, *upto);
            }
        }
        let gone: BTreeSet<AlertId> =
            self.state.open.keys().copied().filter(|alert| !joined.open.contains_key(alert)).collect();
        self.briefing.raise(&joined.applied);
        let before = std::mem::replace(&mut self.state, joined);
        self.tell_of_help(now, from, &before.lost, out);
        // A twin is not finished before the alert that it became part of: its records say that it did.
        let over = gone.iter().copied().filter(|alert| !self.state.merged.contains_key(alert));
        out.push(Effect::Merge { from, finished: over.collect() });
        self.parted(now, gone, out);
        for key in keys {
            if self.keys.find(&key.source, &key.key).is_none() {
                let known = Known { digest: key.digest, alert: key.alert, code: key.code };
                self.keys.insert(Now { wall: key.at, ..now }, &key.source, &key.key, known);
            }
        }
        self.rebuild(now, &before.open, out);
        self.bindings.clear();
        self.follow_pauses(now);
        self.hush.stale = true;
        self.enrol(now);
    }

    /// Sets up what is under way for alerts that a snapshot brought or changed, or whose people it brought.
    fn rebuild(
        &mut self,
        now: Now,
        before: &std::collections::BTreeMap<AlertId, crate::state::Open>,
        out: &mut Vec<Effect>,
    ) {
        let changed: Vec<(AlertId, Wall, Arc<Alert>)> = self
            .state
            .open
            .iter()
            .filter(|(alert, open)| before.get(alert) != Some(open) || !self.runs.contains_key(alert))
            .map(|(alert, open)| (*alert, open.at, Arc::clone(&open.alert)))
            .collect();
        let mut back = Vec::new();
        for (alert, at, bound) in changed {
            if self.runs.contains_key(&alert) {
                self.backdate(now, alert);
                self.recollect(alert);
                if self.runs.get(&alert).is_some_and(|run| run.turn == Turn::Ours) {
                    self.fan_all(now, alert);
                }
                self.refresh(now, alert, out);
            } else if self.state.rosters.contains_key(&bound.roster) {
                self.met(now, alert, at, out);
                self.backdate(now, alert);
                back.push(alert);
            } else {
                self.tell_of_lost(now, &[bound.code], out);
            }
        }
        self.gather_twins(|_| true);
        for alert in self.runs.keys().copied().collect::<Vec<_>>() {
            self.reassess(now, alert);
        }
        self.resume_ours(now, back, out);
    }

    /// Looks at an alert's facts again: who acknowledged, whether it is over, when its next step is due.
    pub(crate) fn refresh(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        self.recount(now, alert);
        self.hush.inhibition.file(&self.state, alert);
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        let stop = run.roster.policy.unsent == crate::directory::Unsent::Stop
            || run.mode() == crate::directory::Mode::Recall;
        let (acknowledged, ended) = (run.acknowledged(&open.facts), open.facts.end().is_some());
        if ended {
            self.withdraw(alert, |purpose| purpose != crate::record::Purpose::End);
        } else if acknowledged && stop {
            self.withdraw(alert, |purpose| matches!(purpose, crate::record::Purpose::Alert(_)));
        }
        self.schedule(alert);
        self.set_lapse(alert);
        self.settle(now, alert, out);
    }

    /// How much of each log every member has on disk.
    pub fn floor(&self) -> Vector {
        self.cluster.floor(&self.durable)
    }

    /// The condition of each peer that is not level: what a switch-over has to wait for.
    pub(crate) fn not_level(&self) -> Vec<(NodeId, Condition)> {
        let conditions = self.cluster.peers().filter_map(|node| Some((node, self.cluster.condition(node)?)));
        conditions.filter(|(_, condition)| *condition != Condition::Up).collect()
    }
}
