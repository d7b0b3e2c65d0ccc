//! Records that our disk lost, and that peers may still have.
//!
//! A start finds rows that cannot be read. What they said counts as not seen (`State::lost`), heartbeats say that we
//! lack something, and each peer sends all that it knows, once. What that covers is lost no longer: its record is
//! here again, or the peer knows that it is not needed any more.

use crate::record::{Actor, Record};
use crate::state::State;
use crate::{Dispatch, Effect};
use base::{AlertId, LogId, NodeId, Now, RecordId};
use ownership::Vector;
use std::collections::BTreeSet;
use std::ops::Range;

impl Dispatch {
    /// Says at the start that records are lost.
    pub(crate) fn tell_of_losses(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.state.lost.is_empty() {
            return;
        }
        let then = if self.cluster.is_alone() { "there is no peer to ask" } else { "the peers are asked" };
        let what = format!("{} cannot be read any more; {then}", records(self.state.lost.len()));
        self.append(now, Record::Note { by: Actor::ourselves(), what: what.into() }, out);
    }

    /// Whether anything may be adopted. What a lost record said of an alert, a peer may be about to say.
    pub(crate) fn may_adopt(&self, now: Now) -> bool {
        self.cluster.may_adopt(now.mono, !self.state.lost.is_empty())
    }

    /// A row of our disk that a peer is to get cannot be read. Its log goes on behind it: peers get a snapshot, which
    /// says that the record is lost here.
    pub(crate) fn fall_short(&mut self, id: RecordId) {
        self.raise_base(Vector::from([(id.log, id.seq.saturating_add(1))]));
        self.cluster.fell_short(id.log);
    }

    /// Some record of these places is lost.
    pub(crate) fn is_lost(&self, log: LogId, places: Range<u64>) -> bool {
        let place = |seq| RecordId { log, seq };
        self.state.lost.range(place(places.start)..place(places.end)).next().is_some()
    }

    /// Takes over alerts that were ours while their acceptance was lost here: nobody else sends them, and what was
    /// begun is not known for sure.
    pub(crate) fn resume_ours(&mut self, now: Now, back: Vec<AlertId>, out: &mut Vec<Effect>) {
        let ours =
            |alert: &AlertId| self.state.open.contains_key(alert) && self.state.owner(*alert) == self.me;
        let ours: BTreeSet<AlertId> = back.into_iter().filter(ours).collect();
        if self.active && !ours.is_empty() {
            self.take_over(now, &ours, out);
        } else {
            ours.into_iter().for_each(|alert| self.await_mirror(now, alert));
        }
    }

    /// Whether a peer knows what we lost.
    pub(crate) fn is_help(&self, state: &State) -> bool {
        self.state.lost.iter().any(|id| state.knows(*id))
    }

    /// Says which of what was lost before a peer told all that it knows.
    pub(crate) fn tell_of_help(
        &mut self,
        now: Now,
        from: NodeId,
        before: &BTreeSet<RecordId>,
        out: &mut Vec<Effect>,
    ) {
        let here = before.difference(&self.state.lost).count();
        self.cluster.note_snapshot(from, here > 0);
        if here == 0 {
            return;
        }
        let member = self.cluster.members().get(&from);
        let name = member.map_or_else(|| from.to_string(), |member| member.name.to_string());
        let left = self.state.lost.len();
        let rest = if left == 0 { String::new() } else { format!("; {} it does not know", records(left)) };
        let what = format!("{} that could not be read: fetched again from {name}{rest}", records(here));
        self.append(now, Record::Note { by: Actor::ourselves(), what: what.into() }, out);
    }
}

fn records(count: usize) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}
