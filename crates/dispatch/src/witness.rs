//! What a witness knows, and from whom: the registers, and nothing of any alert.
//!
//! A witness takes no logs. It is told what everybody knows of the cluster (who belongs to it, how it behaves, who
//! has which duty) and the directory, because people log in there as well, and a member that it never heard of it
//! could not vouch for. It writes down what is new to it in its own log. All of that are registers of which the
//! greatest counts, so that it may be told twice, by several, and in any order.
//!
//! Separate from `mirror`, because a log that was folded in in part would say that its holder knows all of it: once
//! the witness was made a member, every alert that it passed over would count as finished.

use crate::record::{Actor, Duty, Entry, Record};
use crate::state::State;
use crate::{Dispatch, Effect};
use base::{NodeId, Now, RecordId};
use ownership::{Vector, holds};
use std::collections::BTreeMap;

/// Which witnesses have yet to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Briefing {
    /// How much of each log must be on our disk before anybody is told: a witness keeps what it is told, and what we
    /// lost with our disk nobody else would ever take back.
    needs: Vector,
    /// Counts what changed.
    edition: u64,
    /// What each was told last over its present connection.
    told: BTreeMap<NodeId, u64>,
}

impl Briefing {
    /// A record was folded in.
    pub(crate) fn note(&mut self, id: RecordId, record: &Record) {
        if is_register(record) {
            self.raise(&Vector::from([(id.log, id.seq + 1)]));
        }
    }

    /// Anything below these may have changed the registers.
    pub(crate) fn raise(&mut self, upto: &Vector) {
        self.edition += 1;
        for (log, upto) in upto {
            let slot = self.needs.entry(*log).or_default();
            *slot = (*slot).max(*upto);
        }
    }

    /// What was said to it before may not have arrived.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.told.remove(&peer);
    }
}

impl Dispatch {
    /// Tells witnesses what they have yet to hear.
    pub(crate) fn brief(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.is_bystander() {
            return;
        }
        let edition = self.briefing.edition;
        let untold = |node: &NodeId| self.briefing.told.get(node) != Some(&edition);
        let witnesses: Vec<NodeId> = self.cluster.witnesses().filter(untold).collect();
        if witnesses.is_empty() || !holds(&self.durable, &self.briefing.needs) {
            return;
        }
        let registers = self.registers(now);
        for to in witnesses {
            self.briefing.told.insert(to, edition);
            out.push(Effect::Brief { to, registers: registers.clone() });
        }
    }

    /// All registers, as records.
    fn registers(&self, now: Now) -> Vec<Entry> {
        let by = Actor::ourselves;
        let State { members, conduct, duties, branches, .. } = &self.state;
        let members = members.iter().map(|(node, (generation, member))| Record::Member {
            node: *node,
            generation: *generation,
            member: member.clone(),
            by: by(),
        });
        let editions = branches.values().map(|edition| Record::Directory {
            edition: edition.clone(),
            by: by(),
            summary: "as the other nodes have it".into(),
        });
        let conduct = Record::Conduct { conduct: conduct.clone(), by: by() };
        let plain = members.chain(editions).chain([conduct]).map(|record| Entry { at: now.wall, record });
        let duties = duties.iter().map(|(duty, (epoch, to, at, because))| {
            let duty =
                Duty { duty: duty.clone(), epoch: *epoch, to: *to, because: std::sync::Arc::clone(because) };
            Entry { at: *at, record: Record::Duty(duty) }
        });
        plain.chain(duties).collect()
    }

    /// A member says what it knows of the cluster: what is new goes into the log of this witness.
    pub(crate) fn take_registers(&mut self, now: Now, registers: Vec<Entry>, out: &mut Vec<Effect>) {
        if !self.is_bystander() {
            return; // It hears all of that, and more, in the logs.
        }
        let mut enrolled = false;
        for entry in registers {
            if is_register(&entry.record) && self.state.gains(&entry) {
                enrolled |= matches!(entry.record, Record::Member { .. });
                self.write(now, entry, out);
            }
        }
        if enrolled {
            self.enrol(now);
        }
        self.bindings.clear();
    }
}

/// The greatest of its kind counts, and it is about no alert.
fn is_register(record: &Record) -> bool {
    match record {
        Record::Duty(_) | Record::Member { .. } | Record::Conduct { .. } | Record::Directory { .. } => true,
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
        | Record::Closed { .. }
        | Record::Pause { .. }
        | Record::Resume { .. }
        | Record::Silence(_)
        | Record::Unsilence { .. }
        | Record::Claim(_)
        | Record::Release { .. }
        | Record::Merged { .. }
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Provider { .. }
        | Record::Note { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{core_of, directory, handle, name, notice, now};
    use crate::input::{Answer, Input, Order, PeerEvent, Refusal, Ticket};
    use ownership::{Member, Role};
    use std::sync::Arc;

    fn member(node: u32, role: Role) -> Member {
        let (name, rank) = (name(&format!("node-{node}")), u16::try_from(node).unwrap());
        let letter = char::from_digit(9 + node, 36).unwrap().to_ascii_uppercase();
        Member { node: NodeId(node), name, letter, role, rank, addresses: Vec::new(), api: "".into() }
    }

    /// A member, and a witness.
    fn pair() -> (Dispatch, Dispatch) {
        let members = || vec![member(1, Role::Member), member(2, Role::Witness)];
        (core_of(1, members()), core_of(2, members()))
    }

    fn order(core: &mut Dispatch, order: Order) -> Vec<Effect> {
        let mut out = Vec::new();
        let by = Actor::ourselves();
        core.handle(now(1), Input::Order { ticket: Ticket(1), by, order }, &mut out);
        out
    }

    fn stored(core: &mut Dispatch) -> Vec<Effect> {
        let mut out = Vec::new();
        let log = core.me;
        core.handle(now(1), Input::Stored { log, upto: core.next }, &mut out);
        out
    }

    fn from(core: &mut Dispatch, peer: u32, event: PeerEvent) -> Vec<Effect> {
        let mut out = Vec::new();
        core.handle(now(1), Input::Peer { peer: NodeId(peer), event }, &mut out);
        out
    }

    fn briefed(effects: Vec<Effect>) -> Vec<Vec<Entry>> {
        let registers =
            |effect| if let Effect::Brief { registers, .. } = effect { Some(registers) } else { None };
        effects.into_iter().filter_map(registers).collect()
    }

    fn book() -> Order {
        let directory = Arc::new(directory(&[("anna", &["mail:a@x"])], &[]));
        Order::Directory { directory, expected: None, summary: "first".into() }
    }

    #[test]
    fn a_witness_is_told_what_is_durable_and_once() {
        let (mut core, _) = pair();
        assert_eq!(briefed(order(&mut core, book())).len(), 0, "it cannot be reached");
        assert_eq!(briefed(from(&mut core, 2, PeerEvent::Connected)).len(), 0, "it is not on our disk");
        assert_eq!(briefed(stored(&mut core)).len(), 1);
        let note = Order::Note { what: "lunch".into() };
        assert_eq!(briefed(order(&mut core, note)).len() + briefed(stored(&mut core)).len(), 0);
        assert_eq!(briefed(from(&mut core, 2, PeerEvent::Connected)).len(), 1, "it may not have arrived");
        let third = Order::Enrol { member: member(3, Role::Member) };
        assert_eq!(briefed(order(&mut core, third)).len(), 0);
        assert_eq!(briefed(stored(&mut core)).len(), 1);
    }

    #[test]
    fn a_witness_writes_down_what_is_new_to_it_and_claims_to_hold_no_log() {
        let (mut core, mut witness) = pair();
        order(&mut core, book());
        order(&mut core, Order::Enrol { member: member(3, Role::Member) });
        from(&mut core, 2, PeerEvent::Connected);
        let told = briefed(stored(&mut core)).pop().expect("it is told");
        let effects = from(&mut witness, 1, PeerEvent::Registers(told.clone()));
        let written =
            |effects: &[Effect]| effects.iter().filter(|it| matches!(it, Effect::Append { .. })).count();
        assert!(written(&effects) >= 2, "{effects:?}");
        assert_eq!(witness.edition(), core.edition());
        assert_eq!(witness.members(), core.members());
        assert_eq!(witness.state().duties, core.state().duties);
        assert_eq!(witness.state().applied.keys().collect::<Vec<_>>(), [&witness.me]);
        assert_eq!(written(&from(&mut witness, 1, PeerEvent::Registers(told))), 0, "nothing of it is new");
    }

    #[test]
    fn a_witness_that_knows_the_operators_sends_nothing_and_takes_no_alert() {
        let (mut core, mut witness) = pair();
        order(&mut core, book());
        from(&mut core, 2, PeerEvent::Connected);
        let told = briefed(stored(&mut core)).pop().expect("it is told");
        from(&mut witness, 1, PeerEvent::Registers(told));
        let input = Input::Notice { ticket: Ticket(2), notice: Box::new(notice("x", &["anna"])) };
        let answers = handle(&mut witness, now(2), input);
        let refused = Effect::Answer { ticket: Ticket(2), answer: Answer::Refused(Refusal::Witness) };
        assert!(answers.contains(&refused), "{answers:?}");
        handle(&mut witness, now(2), Input::Disk { full: Some("no room".into()) });
        assert!(witness.state().open.is_empty(), "its troubles stand in its trail alone");
    }

    #[test]
    fn a_member_is_told_nothing_beside_the_logs() {
        let (mut core, _) = pair();
        let alien = Entry {
            at: base::Wall(0),
            record: Record::Member {
                node: NodeId(9),
                generation: 7,
                member: Some(member(9, Role::Member)),
                by: Actor::ourselves(),
            },
        };
        from(&mut core, 2, PeerEvent::Registers(vec![alien]));
        assert!(!core.members().contains_key(&NodeId(9)));
        let note =
            Entry { at: base::Wall(0), record: Record::Note { by: Actor::ourselves(), what: "x".into() } };
        let (_, mut witness) = pair();
        let before = witness.next;
        from(&mut witness, 1, PeerEvent::Registers(vec![note]));
        assert_eq!(witness.next, before, "only registers are taken");
    }
}
