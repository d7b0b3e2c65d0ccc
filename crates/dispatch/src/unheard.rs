//! Alerts that stand only while their source says so again and again: Prometheus posts each firing alert every
//! minute, and says until when it is to be believed.
//!
//! Until when an alert stands is known to each node for itself, and is not durable: a repetition appends nothing.
//! After a start, and after a take-over, each such alert has a whole time-out again.
//!
//! ```text
//! not heard in time ──► a silent Update ──(all members have read it, and nobody answers)──► End, as resolved
//!                             └──► a peer that heard it answers by an Update ──► it stands on
//! ```
//! Only the owner ends an alert like that, and only with every member up that holds alerts: the link between its
//! source and this node may be what is broken, and a peer that is not heard may be hearing the source.

use crate::record::{Actor, Alert, End, Record, Why};
use crate::run::Turn;
use crate::{Dispatch, Effect};
use base::{AlertId, Mono, Now};
use ownership::{Condition, Role};
use std::sync::Arc;
use std::time::Duration;

impl Dispatch {
    /// Until when an alert stands of which nothing is known but its record.
    pub(crate) fn stands_until(&self, now: Now, alert: &Alert) -> Option<Mono> {
        alert.content.origin.as_ref().map(|_| now.mono + self.resolve_timeout())
    }

    fn resolve_timeout(&self) -> Duration {
        self.state.edition.directory.settings.resolve_timeout
    }

    /// The source said it again, and that it stands for so long.
    pub(crate) fn heard(&mut self, now: Now, alert: AlertId, stands_for: Option<Duration>) {
        if let Some(stands_for) = stands_for {
            self.heard_until(alert, now.mono + stands_for);
        }
    }

    /// This node heard that it stands until then. The last word counts, even if that is earlier.
    pub(crate) fn heard_until(&mut self, alert: AlertId, until: Mono) {
        if let Some(run) = self.runs.get_mut(&alert) {
            (run.stands_until, run.heard_until, run.doubted) = (Some(until), Some(until), None);
        }
        self.set_lapse(alert);
    }

    /// Another node heard it, or was to: it stands for a whole time-out from now.
    pub(crate) fn give_time(&mut self, now: Now, alert: AlertId) {
        let until = now.mono + self.resolve_timeout();
        let Some(run) = self.runs.get_mut(&alert) else { return };
        if run.stands_until.is_some() {
            run.stands_until = run.stands_until.max(Some(until));
            run.doubted = None;
        }
        self.set_lapse(alert);
    }

    /// It was not heard in time: it is over, unless a peer heard it.
    pub(crate) fn doubt(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        if self.cluster.is_alone() {
            self.resolve_unheard(now, alert, out);
            return;
        }
        let Some(content) = self.state.open.get(&alert).map(|open| Arc::clone(open.content())) else {
            return;
        };
        self.append(now, Record::Update { alert, content, silent: true }, out);
        let asked = self.next;
        if let Some(run) = self.runs.get_mut(&alert) {
            run.doubted = Some(asked);
        }
        self.doubts.push_back((asked, alert));
        self.set_lapse(alert);
    }

    /// The owner of an alert did not hear of it in time. Who did says so.
    pub(crate) fn vouch(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let heard = self.runs.get(&alert).and_then(|run| run.heard_until);
        let Some(open) = self.state.open.get(&alert).filter(|open| open.facts.end().is_none()) else {
            return;
        };
        if heard.is_some_and(|until| until > now.mono) {
            let content = Arc::clone(open.content());
            self.append(now, Record::Update { alert, content, silent: false }, out);
        }
    }

    /// Ends what was doubted and nobody vouched for.
    pub(crate) fn end_unheard(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some((asked, alert)) = self.doubts.front().copied() {
            let stands = self.runs.get(&alert).is_some_and(|run| run.doubted == Some(asked));
            if stands && !self.is_answered(asked) {
                return;
            }
            self.doubts.pop_front();
            if !stands {
                continue;
            }
            if self.runs.get(&alert).is_some_and(|run| run.turn == Turn::Ours) {
                self.resolve_unheard(now, alert, out);
            } else if let Some(run) = self.runs.get_mut(&alert) {
                run.doubted = None; // Another node owns it now, and asks for itself.
            }
        }
    }

    /// Every member that holds alerts has read what we wrote below `upto`, and what it says to that is here.
    fn is_answered(&self, upto: u64) -> bool {
        let holds_alerts = |node: &base::NodeId| {
            self.cluster.members().get(node).is_some_and(|member| member.role != Role::Witness)
        };
        let mut peers = self.cluster.peers().filter(holds_alerts);
        peers.all(|node| self.cluster.condition(node) == Some(Condition::Up))
            && self.cluster.is_confirmed(upto.saturating_sub(1))
    }

    fn resolve_unheard(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        self.end(now, alert, End { at: now.wall, why: Why::Resolved, by: Actor::ourselves() }, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{core_of, directory, name, notice};
    use crate::input::{Input, Order, PeerEvent, Ticket};
    use crate::record::{Content, Entry, Origin};
    use base::{Digest, LogId, NodeId, Wall};
    use ownership::{Member, Shipment};
    use std::collections::{BTreeMap, VecDeque};

    const TIMEOUT: u64 = 300;

    /// Two nodes that hear each other, or not, and each the source, or not.
    struct Pair {
        cores: [Dispatch; 2],
        logs: BTreeMap<LogId, Vec<Entry>>,
        cut: bool,
        /// Of the second that it is.
        quarter: u64,
    }

    fn member(node: u32) -> Member {
        Member {
            node: NodeId(node),
            name: name(&format!("n{node}")),
            letter: 'A',
            role: Role::Member,
            rank: 1,
            addresses: Vec::new(),
            api: "".into(),
        }
    }

    fn from_other(ix: usize, event: PeerEvent) -> Input {
        Input::Peer { peer: NodeId(if ix == 0 { 2 } else { 1 }), event }
    }

    impl Pair {
        fn new() -> Self {
            let members = || vec![member(1), member(2)];
            let cores = [core_of(1, members()), core_of(2, members())];
            let mut pair = Self { cores, logs: BTreeMap::new(), cut: false, quarter: 0 };
            // What they wrote at their start was not seen.
            for ix in 0..2 {
                let me = pair.cores[ix].me;
                let start = Record::Start { version: "test".into(), because: "test".into() };
                pair.logs.insert(me, vec![Entry { at: Wall(0), record: start }]);
            }
            pair.handle(0, 0, Input::Stored { log: pair.cores[0].me, upto: 1 });
            pair.handle(1, 0, Input::Stored { log: pair.cores[1].me, upto: 1 });
            for ix in 0..2 {
                pair.peer(ix, 0, PeerEvent::Connected);
            }
            let book = directory(&[("anna", &["mail:anna@x"])], &[]);
            let order = Order::Directory { directory: Arc::new(book), expected: None, summary: "".into() };
            pair.handle(0, 0, Input::Order { ticket: Ticket(0), by: Actor::ourselves(), order });
            pair.pass(0, 3);
            pair
        }

        fn peer(&mut self, ix: usize, at: u64, event: PeerEvent) {
            self.handle(ix, at, from_other(ix, event));
        }

        /// Takes an input, and all that follows from it on both nodes, in the order in which it comes about.
        fn handle(&mut self, ix: usize, at: u64, input: Input) {
            let mono = Mono(at * 1000 + self.quarter * 250);
            let wall = Wall(i64::try_from(mono.0).expect("small"));
            let mut inputs = VecDeque::from([(ix, input)]);
            while let Some((ix, input)) = inputs.pop_front() {
                let mut effects = Vec::new();
                self.cores[ix].handle(Now { mono, wall, suspect: false }, input, &mut effects);
                inputs.extend(effects.into_iter().filter_map(|effect| self.carry_out(ix, effect)));
            }
        }

        fn carry_out(&mut self, ix: usize, effect: Effect) -> Option<(usize, Input)> {
            if let Effect::Append { id, entry } = effect {
                let log = self.logs.entry(id.log).or_default();
                if u64::try_from(log.len()) == Ok(id.seq) {
                    log.push(entry);
                }
                return Some((ix, Input::Stored { log: id.log, upto: id.seq + 1 }));
            }
            let event = match effect {
                Effect::Hello { hello, .. } => PeerEvent::Hello(hello),
                Effect::Beat { beat, .. } => PeerEvent::Beat(beat),
                Effect::Ship { shipment: Shipment::Records(range), .. } => {
                    let place = |seq: u64| usize::try_from(seq).expect("small");
                    let entries = self.logs[&range.log][place(range.from)..place(range.upto)].to_vec();
                    PeerEvent::Records { log: range.log, first: range.from, entries }
                }
                Effect::Append { .. }
                | Effect::Deliver(_)
                | Effect::Answer { .. }
                | Effect::Ship { shipment: Shipment::Snapshot, .. }
                | Effect::Brief { .. }
                | Effect::Merge { .. }
                | Effect::Forget { .. } => return None,
            };
            (!self.cut).then(|| (1 - ix, from_other(1 - ix, event)))
        }

        /// Seconds pass, beat by beat: with a longer step both would think that they had stood still.
        fn pass(&mut self, from: u64, upto: u64) {
            for second in from..=upto {
                for quarter in 0..4 {
                    self.quarter = quarter;
                    self.handle(0, second, Input::Deadline);
                    self.handle(1, second, Input::Deadline);
                }
            }
        }

        fn post(&mut self, ix: usize, at: u64) {
            self.quarter = 0;
            let mut notice = notice("disk full", &["anna"]);
            notice.fingerprint = Some(Digest([1; 32]));
            notice.stands_for = Some(Duration::from_secs(TIMEOUT));
            let origin = Origin { annotations: BTreeMap::new(), generator: "".into(), starts: Wall(0) };
            notice.content = Content { origin: Some(Arc::new(origin)), ..notice.content };
            self.handle(ix, at, Input::Notice { ticket: Ticket(at), notice: Box::new(notice) });
        }

        /// How many alerts stand, as each sees it.
        fn standing(&self) -> [usize; 2] {
            [0, 1].map(|ix| {
                let open = self.cores[ix].state.open.values();
                open.filter(|open| open.facts.end().is_none()).count()
            })
        }

        fn written(&self) -> usize {
            self.logs.values().map(Vec::len).sum()
        }
    }

    #[test]
    fn a_repetition_appends_nothing_wherever_it_is_heard() {
        let mut pair = Pair::new();
        pair.post(0, 10);
        pair.pass(10, 20);
        let before = pair.written();
        for second in 21..600 {
            pair.post(usize::from(second % 2 == 0), second);
            pair.pass(second, second);
        }
        assert_eq!((pair.written(), pair.standing()), (before, [1, 1]));
    }

    #[test]
    fn what_neither_hears_any_more_is_over() {
        let mut pair = Pair::new();
        pair.post(0, 10);
        pair.pass(10, 9 + TIMEOUT);
        assert_eq!(pair.standing(), [1, 1]);
        pair.pass(10 + TIMEOUT, 15 + TIMEOUT);
        assert_eq!(pair.standing(), [0, 0]);
    }

    #[test]
    fn who_hears_it_keeps_it_open_for_an_owner_that_does_not() {
        let mut pair = Pair::new();
        pair.post(0, 10);
        for second in 10..10 + 4 * TIMEOUT {
            if second % 60 == 0 {
                pair.post(1, second);
            }
            pair.pass(second, second);
        }
        assert_eq!(pair.standing(), [1, 1]);
        pair.pass(10 + 4 * TIMEOUT, 20 + 6 * TIMEOUT);
        assert_eq!(pair.standing(), [0, 0]);
    }

    #[test]
    fn nothing_is_over_for_a_node_that_hears_nobody() {
        let mut pair = Pair::new();
        pair.post(0, 10);
        pair.pass(10, 20);
        pair.cut = true;
        pair.pass(21, 20 + 3 * TIMEOUT);
        assert_eq!(pair.standing(), [1, 1], "the other one may hear the source");
    }
}
