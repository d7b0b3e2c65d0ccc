//! Whose turn it is to send: what is ours, what we may take from the dead, and what we have to let go.
//!
//! ```text
//! accepted here ──► Awaited ──(the peers hold it, or the gate is over)────────► Ours
//! owner is dead ──► Claim ─► Awaited ──(every living peer has seen the claim)──► Ours
//! Ours ──(a claim of a higher epoch arrives, or we hand it over)──► Theirs
//! ```
//! Claims are best effort: two nodes that cannot hear each other may both own an alert, and both send it.
//! That is the price of the rule that the last node left still works; each such send is marked and explained.

use crate::record::{Claim, Duty, Record};
use crate::run::Turn;
use crate::{Dispatch, Effect};
use base::{AlertId, LogId, Mono, Name, NodeId, Now};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The duty of being the cluster's public face.
pub(crate) const FRONT: &str = "front";
/// Waits that end in one turn.
const OPENED_PER_TURN: usize = 256;

/// The open alerts by owner, and by the log that they stand in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owned(BTreeMap<(LogId, LogId), BTreeSet<AlertId>>);

impl Owned {
    fn insert(&mut self, owner: LogId, alert: AlertId) {
        self.0.entry((owner, alert.0.log)).or_default().insert(alert);
    }

    fn remove(&mut self, owner: LogId, alert: AlertId) {
        if let Some(alerts) = self.0.get_mut(&(owner, alert.0.log)) {
            alerts.remove(&alert);
            if alerts.is_empty() {
                self.0.remove(&(owner, alert.0.log));
            }
        }
    }

    /// The alerts of one owner.
    pub(crate) fn of(&self, owner: LogId) -> impl Iterator<Item = AlertId> {
        let lowest = LogId { node: NodeId(0), boot: base::BootId(0) };
        let mine = self.0.range((owner, lowest)..).take_while(move |((of, _), _)| *of == owner);
        mine.flat_map(|(_, alerts)| alerts.iter().copied())
    }
}

/// What waits for the peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited {
    /// Alerts accepted here: the place of the acceptance, and since when.
    gated: VecDeque<(u64, Mono, AlertId)>,
    /// What was claimed: the place of the last claim, since when, and what.
    claimed: VecDeque<(u64, Mono, Vec<AlertId>)>,
    /// Duties that were claimed.
    duties: Vec<(u64, Mono, Name)>,
}

impl Dispatch {
    /// Notes whose an alert is.
    pub(crate) fn own(&mut self, alert: AlertId, owner: LogId) {
        if let Some(run) = self.runs.get_mut(&alert) {
            self.owned.remove(run.owner, alert);
            run.owner = owner;
            self.owned.insert(owner, alert);
        }
    }

    /// An alert is nobody's any more: it is over.
    pub(crate) fn disown(&mut self, owner: LogId, alert: AlertId) {
        self.owned.remove(owner, alert);
    }

    /// An alert of ours waits until the peers hold it. Without this wait a node that dies right after the
    /// first send leaves a survivor that knows of neither, or of the alert alone.
    pub(crate) fn await_mirror(&mut self, now: Now, alert: AlertId) {
        let turn = if self.cluster.is_alone() { Turn::Ours } else { Turn::Awaited };
        if let Some(run) = self.runs.get_mut(&alert) {
            run.turn = turn;
        }
        if turn == Turn::Awaited {
            self.awaited.gated.push_back((alert.0.seq, now.mono, alert));
        } else {
            self.open_up(now, alert);
        }
    }

    /// Sends for an alert from now on: everything in a fired step that has no outcome.
    fn open_up(&mut self, now: Now, alert: AlertId) {
        let Some(run) = self.runs.get_mut(&alert) else { return };
        run.turn = Turn::Ours;
        run.delegated.clear();
        self.fan_all(now, alert);
    }

    /// Sends no more for an alert. What is on its way is finished, and its outcome recorded.
    fn yield_up(&mut self, alert: AlertId, turn: Turn) {
        if let Some(run) = self.runs.get_mut(&alert) {
            run.turn = turn;
        }
        self.withdraw(alert, |_| true);
        self.schedule(alert);
        self.set_lapse(alert);
    }

    /// Claims what dead boots left and this node is the one to take.
    pub(crate) fn adopt(&mut self, now: Now, out: &mut Vec<Effect>) {
        let me = self.me;
        if self.owned.0.keys().all(|(owner, _)| *owner == me) || !self.may_adopt(now) || !self.active {
            return;
        }
        let mut orphans = BTreeSet::new();
        for ((owner, log), alerts) in &self.owned.0 {
            if *owner != me && self.is_free(*owner, now) && self.adopter(*log) == me.node {
                orphans.extend(alerts.iter().copied());
            }
        }
        if !orphans.is_empty() {
            self.take_over(now, &orphans, out);
        }
    }

    /// What a boot owns may be claimed: it is dead, or it stands by and does not send.
    fn is_free(&self, owner: LogId, now: Now) -> bool {
        if owner.node == self.me.node {
            return owner < self.me;
        }
        if self.cluster.is_dead(owner, now.mono) {
            return self.state.conduct.takes_over() || self.cluster.is_alone();
        }
        self.state.conduct.passive && self.cluster.stands_by(owner, &self.state.applied)
    }

    fn adopter(&self, log: LogId) -> NodeId {
        // Where one node sends for all, it is the one in control.
        if self.state.conduct.passive { self.me.node } else { self.cluster.adopter(log) }
    }

    pub(crate) fn take_over(&mut self, now: Now, orphans: &BTreeSet<AlertId>, out: &mut Vec<Effect>) {
        for claim in self.claims(orphans) {
            self.append(now, Record::Claim(claim), out);
        }
        for alert in orphans {
            let Some(open) = self.state.open.get(alert) else { continue };
            let last = open.facts.fired.last_key_value().map(|(step, _)| *step);
            if let Some(run) = self.runs.get_mut(alert) {
                run.turn = Turn::Awaited;
                // A boot that stands by sends nothing more, and what it sent stands in its log, which is here.
                let idle = self.cluster.stands_by(run.owner, &self.state.applied);
                // Of an older boot of this node, too, where its disk is gone.
                let known = run.owner == self.me || self.kept.contains(&run.owner);
                if !known && !idle {
                    run.taken = last.map(|step| (run.owner, step));
                }
            }
            let owner = self.state.owner(*alert);
            self.own(*alert, owner);
            self.give_time(now, *alert);
        }
        self.awaited.claimed.push_back((self.next, now.mono, orphans.iter().copied().collect()));
    }

    /// Ranges that hold exactly the orphans of each log: a range that also held an item of a living owner
    /// would make two nodes send it, and one that held an item which is lost here would let nobody send that.
    pub(crate) fn claims(&self, orphans: &BTreeSet<AlertId>) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        let mut broken = true;
        for alert in self.state.open.keys() {
            let id = alert.0;
            if !orphans.contains(alert) {
                broken = true;
                continue;
            }
            match claims.last_mut() {
                Some(last) if last.log == id.log && !broken && !self.is_lost(last.log, last.upto..id.seq) => {
                    last.upto = id.seq + 1;
                }
                Some(_) | None => {
                    let epoch = self.state.epoch(id.log) + 1;
                    claims.push(Claim { epoch, log: id.log, from: id.seq, upto: id.seq + 1 });
                }
            }
            broken = false;
        }
        claims
    }

    /// A claim or release of a peer arrived: what it covers may be another's now, or ours.
    pub(crate) fn reassign(&mut self, now: Now, claims: &[Claim]) {
        for claim in claims {
            let within = |seq| AlertId(base::RecordId { log: claim.log, seq });
            let covered: Vec<AlertId> =
                self.runs.range(within(claim.from)..within(claim.upto)).map(|(alert, _)| *alert).collect();
            for alert in covered {
                self.reassess(now, alert);
            }
        }
    }

    /// Looks again at whose an alert is.
    pub(crate) fn reassess(&mut self, now: Now, alert: AlertId) {
        let owner = self.state.owner(alert);
        let Some(run) = self.runs.get(&alert) else { return };
        let (before, turn) = (run.owner, run.turn);
        if owner == before {
            return;
        }
        self.own(alert, owner);
        if owner == self.me {
            self.give_time(now, alert);
            // It was handed to us by its owner, who sends no more: there is nobody to wait for.
            if self.active {
                self.open_up(now, alert);
            } else {
                self.await_mirror(now, alert);
            }
        } else if turn != Turn::Theirs {
            self.yield_up(alert, Turn::Theirs);
        }
    }

    /// Opens what has waited long enough.
    pub(crate) fn open_awaited(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.confirm_duties(now);
        self.follow_control(now);
        if !self.active {
            return;
        }
        let mut opened = 0;
        while opened < OPENED_PER_TURN
            && let Some((seq, since, _)) = self.awaited.gated.front()
            && (self.gate_is_over(*since, now) || self.cluster.is_level(*seq))
        {
            opened += 1;
            if let Some((_, _, alert)) = self.awaited.gated.pop_front() {
                self.open_if_ours(now, alert, out);
            }
        }
        while let Some((upto, since, _)) = self.awaited.claimed.front()
            && self.is_confirmed(*upto, *since, now)
        {
            let alerts = self.awaited.claimed.pop_front().map(|(_, _, alerts)| alerts).unwrap_or_default();
            for alert in alerts {
                self.open_if_ours(now, alert, out);
            }
        }
    }

    fn gate_is_over(&self, since: Mono, now: Now) -> bool {
        !self.cluster.rules().gate || now.mono.since(since) >= self.cluster.timings().gate
    }

    /// Every living peer has seen what we wrote below `upto`, or has had the time to.
    fn is_confirmed(&self, upto: u64, since: Mono, now: Now) -> bool {
        let waited = now.mono.since(since) >= self.cluster.timings().claim_wait;
        waited || !self.cluster.rules().claim_wait || self.cluster.is_confirmed(upto.saturating_sub(1))
    }

    fn open_if_ours(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let awaited = self.runs.get(&alert).is_some_and(|run| run.turn == Turn::Awaited);
        if awaited && self.state.owner(alert) == self.me && !self.merge_twin(now, alert, out) {
            self.open_up(now, alert);
            self.settle(now, alert, out);
        }
    }

    /// When a wait ends by the clock.
    pub(crate) fn awaited_deadline(&self) -> Option<Mono> {
        let timings = self.cluster.timings();
        let gate =
            self.awaited.gated.front().filter(|_| self.active).map(|(_, since, _)| *since + timings.gate);
        let claims = self.awaited.claimed.front().filter(|_| self.active);
        let claims = claims.map(|(_, since, _)| *since + timings.claim_wait);
        let duties = self.awaited.duties.iter().map(|(_, since, _)| *since + timings.claim_wait);
        gate.into_iter().chain(claims).chain(duties).min()
    }

    /// Claims the front where nobody alive holds it and this node is first in line.
    pub(crate) fn take_duties(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.cluster.is_alone()
            || self.is_bystander()
            || !self.may_adopt(now)
            || self.cluster.successor() != self.me.node
        {
            return;
        }
        let front = crate::bind::constant(FRONT);
        let because = match self.state.duties.get(&front) {
            None => "nobody was in control yet",
            Some((_, holder, ..)) if holder.node == self.me.node && *holder != self.me => {
                "this node was started again"
            }
            Some((_, holder, ..)) if *holder != self.me && self.cluster.is_dead(*holder, now.mono) => {
                if !self.state.conduct.takes_over() {
                    return;
                }
                "the node in control is down"
            }
            Some(_) => return,
        };
        self.claim_duty(now, front, because.into(), out);
    }

    pub(crate) fn claim_duty(&mut self, now: Now, duty: Name, because: Arc<str>, out: &mut Vec<Effect>) {
        let epoch = self.state.duties.get(&duty).map_or(0, |(epoch, ..)| *epoch) + 1;
        let record = Duty { duty: duty.clone(), epoch, to: self.me, because };
        self.append(now, Record::Duty(record), out);
        self.awaited.duties.push((self.next, now.mono, duty));
    }

    fn confirm_duties(&mut self, now: Now) {
        let waiting = std::mem::take(&mut self.awaited.duties);
        let open = |(upto, since, _): &(u64, Mono, Name)| !self.is_confirmed(*upto, *since, now);
        self.awaited.duties = waiting.into_iter().filter(open).collect();
    }

    /// The boot that is in control.
    pub fn in_control(&self) -> LogId {
        self.state.duties.get(FRONT).map_or(self.me, |(_, holder, ..)| *holder)
    }

    /// This boot is in control, and its claim was seen by the others.
    pub fn is_in_control(&self) -> bool {
        self.in_control() == self.me && self.awaited.duties.iter().all(|(_, _, duty)| duty.as_str() != FRONT)
    }

    /// Starts or stops to send, where only the node in control does.
    fn follow_control(&mut self, now: Now) {
        let active = !self.is_bystander()
            && (!self.state.conduct.passive || self.cluster.is_alone() || self.is_in_control());
        if active == self.active {
            return;
        }
        self.active = active;
        let mine: Vec<AlertId> = self.owned.of(self.me).collect();
        for alert in mine {
            if !active {
                self.yield_up(alert, Turn::Awaited);
                self.awaited.gated.push_back((alert.0.seq, now.mono, alert));
            }
        }
    }

    /// This node holds and sends no alerts: it is a witness, or does not belong to the cluster any more.
    pub(crate) fn is_bystander(&self) -> bool {
        let members = self.cluster.members();
        let role = members.get(&self.me.node).map(|member| member.role);
        role == Some(ownership::Role::Witness) || role.is_none() && !members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{core, directory, handle, name, notice, now};
    use crate::input::{Input, Ticket};
    use base::BootId;

    #[test]
    fn a_claim_leaves_out_what_somebody_else_owns() {
        let mut core = core(directory(&[("anna", &["mail:a@x"])], &[]));
        for number in 1..=4 {
            let notice = notice(&format!("alert {number}"), &[name("anna").as_str()]);
            handle(
                &mut core,
                now(number),
                Input::Notice { ticket: Ticket(number), notice: Box::new(notice) },
            );
        }
        let open: Vec<AlertId> = core.state.open.keys().copied().collect();
        let log = LogId { node: NodeId(1), boot: BootId(1) };
        let range =
            |from: AlertId, upto: AlertId| Claim { epoch: 1, log, from: from.0.seq, upto: upto.0.seq + 1 };
        for (orphans, ranges) in [
            (vec![open[0], open[1], open[2], open[3]], vec![range(open[0], open[3])]),
            (vec![open[0], open[1], open[3]], vec![range(open[0], open[1]), range(open[3], open[3])]),
            (vec![open[1]], vec![range(open[1], open[1])]),
        ] {
            assert_eq!(core.claims(&orphans.iter().copied().collect()), ranges);
        }
    }
}
