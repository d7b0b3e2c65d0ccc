//! When a run is over, and what the invariants get to see of it.

use crate::clients::Client;
use crate::history::{History, Tally, Upset};
use crate::machine::Machine;
use crate::queue::Ms;
use crate::world::{Plan, World};
use base::NodeId;
use dispatch::Dispatch;
use dispatch::state::State;

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
        !self.history.upsets.contains(&Upset::Dismissed)
            && tally.cuts == 0
            && tally.pauses == 0
            && self.plan.profile.name != "disk"
    }
}

impl World {
    /// Those that hold records and belong to the cluster.
    fn keepers(&self) -> impl Iterator<Item = &Machine> {
        let gone = self.dismissed;
        let keeps = move |(ix, machine): &(usize, &Machine)| !machine.witness && gone != Some(*ix);
        self.machines.iter().enumerate().filter(keeps).map(|(_, machine)| machine)
    }

    /// Those that hold no logs, and know the cluster and the directory all the same.
    fn witnesses(&self) -> impl Iterator<Item = &Machine> {
        let gone = self.dismissed;
        let belongs = move |(ix, machine): &(usize, &Machine)| machine.witness && gone != Some(*ix);
        self.machines.iter().enumerate().filter(belongs).map(|(_, machine)| machine)
    }

    /// What a witness does not know as a keeper does. It may know more where a node was taken out that had told nobody
    /// else.
    fn untold(&self, keeper: &Dispatch, witness: &Dispatch) -> Vec<&'static str> {
        let (keeper, witness) = (keeper.state(), witness.state());
        let whole = if self.dismissed.is_some() { keeper.join(witness) } else { keeper.clone() };
        unlike(&whole, witness)
    }

    /// Everything is over on all nodes, and all know the same.
    pub(crate) fn is_settled(&self) -> bool {
        let calm = |machine: &Machine| machine.attempts.is_empty() && machine.disk.queue.is_empty();
        let mut cores = self.keepers().map(|machine| machine.core.as_ref().filter(|_| calm(machine)));
        let Some(Some(first)) = cores.next() else { return false };
        self.witnesses().all(|machine| {
            let core = machine.core.as_ref().filter(|_| calm(machine));
            core.is_some_and(|core| self.untold(first, core).is_empty())
        }) && over(first)
            && cores.all(|core| core.is_some_and(|core| over(core) && differences(first, core).is_empty()))
    }

    /// What keeps it from being over, in words.
    pub(crate) fn unsettled(&self) -> String {
        let mut words = Vec::new();
        let first = self.keepers().find_map(|machine| machine.core.as_ref());
        for machine in self.keepers() {
            let (Some(first), Some(core)) = (first, &machine.core) else { return "a node is down".into() };
            let rest = if over(core) { String::new() } else { unfinished(core) };
            words.push(format!("{}: {:?} {rest}", machine.letter, differences(first, core)));
        }
        for machine in self.witnesses() {
            let (Some(first), Some(core)) = (first, &machine.core) else { return "a node is down".into() };
            words.push(format!("{}, a witness: {:?}", machine.letter, self.untold(first, core)));
        }
        words.join("; ")
    }

    pub(crate) fn finish_tally(&mut self) {
        let promises = &self.history.promises;
        let count = |number: usize| u64::try_from(number).unwrap_or(0);
        self.history.tally.accepted = count(promises.len());
        self.history.tally.solo = count(promises.values().filter(|promise| promise.copies < 2).count());
        self.history.tally.ended = self.now;
    }
}

/// Nothing is left to do.
fn over(core: &Dispatch) -> bool {
    core.state().merged.is_empty() && core.idle()
}

/// What two nodes know differently.
fn differences(one: &Dispatch, other: &Dispatch) -> Vec<&'static str> {
    let records = one.state().applied == other.state().applied;
    let pauses = one.state().pauses == other.state().pauses;
    let silences = one.state().silences == other.state().silences;
    let parts = [(records, "other records"), (pauses, "other pauses"), (silences, "other silences")];
    let logs = parts.into_iter().filter(|(same, _)| !same).map(|(_, what)| what);
    logs.chain(unlike(one.state(), other.state())).collect()
}

/// What of the registers two nodes know differently.
fn unlike(one: &State, other: &State) -> Vec<&'static str> {
    let parts = [
        (one.duties == other.duties, "other duties"),
        (one.members == other.members, "other members"),
        (one.conduct == other.conduct, "another conduct"),
        (one.edition == other.edition, "another book"),
    ];
    parts.into_iter().filter(|(same, _)| !same).map(|(_, what)| what).collect()
}

/// What a node has yet to finish.
fn unfinished(core: &Dispatch) -> String {
    let open = core.open_after(None).next().map(|(alert, _)| alert);
    let about =
        open.map(|alert| (alert, core.standing(alert), core.pending(alert), core.state().owner(alert)));
    format!("has {} open: {about:?}; {}", core.state().open.len(), leftovers(core))
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
