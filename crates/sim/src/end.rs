//! When a run is over, and what the invariants get to see of it.

use crate::clients::Client;
use crate::history::{History, Tally};
use crate::machine::Machine;
use crate::queue::Ms;
use crate::world::{Plan, World};
use base::NodeId;
use dispatch::Dispatch;

/// All that there is to see.
pub(crate) struct Scene<'a> {
    pub(crate) now: Ms,
    pub(crate) plan: &'a Plan,
    pub(crate) history: &'a History,
    pub(crate) machines: &'a [Machine],
    pub(crate) clients: &'a [Client],
    pub(crate) dismissed: Option<NodeId>,
}

impl Scene<'_> {
    /// Those that hold records and run.
    pub(crate) fn cores(&self) -> impl Iterator<Item = (&Machine, &Dispatch)> {
        self.machines
            .iter()
            .filter(|machine| !machine.witness && self.dismissed != Some(machine.node))
            .filter_map(|machine| machine.core.as_ref().map(|core| (machine, core)))
    }

    /// No link was ever cut, no process stood still, no disk was slow.
    pub(crate) fn is_clean(&self) -> bool {
        let tally: &Tally = &self.history.tally;
        !self.history.dismissed && tally.cuts == 0 && tally.pauses == 0 && self.plan.profile.name != "disk"
    }
}

impl World {
    /// Everything is over on all nodes, and all know the same.
    pub(crate) fn is_settled(&self) -> bool {
        let busy = |machine: &Machine| {
            let gone = self.dismissed.is_some_and(|ix| self.machine(ix).node == machine.node);
            !gone
                && (machine.core.is_none() || !machine.attempts.is_empty() || !machine.disk.queue.is_empty())
        };
        !self.machines.iter().any(busy) && self.unsettled().is_empty()
    }

    /// What keeps it from being over, in words.
    pub(crate) fn unsettled(&self) -> String {
        let gone = self.dismissed.map(|ix| self.machine(ix).node);
        let mut cores = self.machines.iter().filter(|machine| !machine.witness && gone != Some(machine.node));
        let Some(first) = cores.next() else { return String::new() };
        let Some(one) = &first.core else { return "a node is down".into() };
        let mut words = difference(first.letter, one, first.letter, one);
        for machine in cores {
            let Some(other) = &machine.core else { return "a node is down".into() };
            words += &difference(first.letter, one, machine.letter, other);
        }
        words
    }

    pub(crate) fn finish_tally(&mut self) {
        let promises = &self.history.promises;
        let count = |number: usize| u64::try_from(number).unwrap_or(0);
        self.history.tally.accepted = count(promises.len());
        self.history.tally.solo = count(promises.values().filter(|promise| promise.copies < 2).count());
        self.history.tally.ended = self.now;
    }
}

/// What two nodes know differently, and what the second has yet to finish.
fn difference(one: char, a: &Dispatch, other: char, b: &Dispatch) -> String {
    let (x, y) = (a.state(), b.state());
    let mut words = String::new();
    let mut note = |differs: bool, what: String| {
        if differs {
            words += &format!("{other} {what}; ");
        }
    };
    let first = y.open.keys().next();
    let run = first.map(|alert| {
        let pending = b.pending(*alert);
        (*alert, b.standing(*alert), pending, y.owner(*alert))
    });
    note(!y.open.is_empty(), format!("has {} open: {run:?}", y.open.len()));
    note(!y.early.is_empty(), format!("has early facts {:?}", y.early.keys().collect::<Vec<_>>()));
    note(!y.merged.is_empty(), format!("has twins {:?}", y.merged));
    note(!b.idle(), format!("is not idle: {}", leftovers(b)));
    let gap = y.applied.iter().find(|(log, upto)| x.applied(**log) != **upto);
    note(x.applied != y.applied, format!("and {one} hold different records: {gap:?}"));
    note(x.pauses != y.pauses, format!("and {one} know different pauses"));
    note(x.duties != y.duties, format!("and {one} know different duties"));
    note(x.members != y.members, format!("and {one} know different members"));
    note(x.conduct != y.conduct, format!("and {one} behave differently"));
    note(x.edition != y.edition, format!("and {one} have different books"));
    words
}

/// What is left of finished alerts, as the core prints it.
pub(crate) fn leftovers(core: &Dispatch) -> String {
    let all = format!("{core:?}");
    let names = [
        "held: [",
        "answers: [",
        "steps_due: {",
        "lapses_due: {",
        "retries_due: {",
        "marks: {",
        "open_codes: {",
    ];
    let cut = |name: &str| {
        let from = all.rfind(name)?;
        Some(all[from..].chars().take(300).collect::<String>())
    };
    names.iter().filter_map(|name| cut(name)).collect::<Vec<_>>().join(" | ")
}
