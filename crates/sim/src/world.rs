//! The run: what is planned happens in order of time, to machines that know nothing of each other but what the
//! network brings.

use crate::clients::Client;
use crate::end::Scene;
use crate::history::{Fact, History};
use crate::invariants::{Broken, Invariant};
use crate::machine::Machine;
use crate::net::{Ix, Net, Way};
use crate::profile::Profile;
use crate::queue::{Agenda, Ms};
use crate::rng::Rng;
use base::RecordId;
use dispatch::Input;
use dispatch::record::Concluded;
use ownership::{Role, Rules};
use std::fmt::Write as _;

/// Until then notices come and faults happen; then everything is mended.
pub(crate) const HEAL_AT: Ms = 14_000;
/// So long after that everything must have come to its end.
const SETTLE_MS: Ms = 500_000;
/// Turns without a pause, after which a core runs in circles.
const TURNS_MAX: usize = 3000;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What it is about.
    pub profile: &'static Profile,
    /// How many nodes, 2 to 5.
    pub nodes: usize,
    /// What decides everything else.
    pub seed: u64,
    /// The rules of the protocol that are on.
    pub rules: Rules,
    /// Whether every event is written down.
    pub told: bool,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Boot(Ix),
    Wake(Ix, u64),
    Written(Ix, u64),
    Arrive(Way, u64),
    Linked(Ix, Ix, u64),
    Unlinked(Ix, Ix, u64),
    Refused(Ix, Ix),
    Connect(Ix, Ix),
    Taken(Ix, u64, u64),
    Report(Ix, u64, u64),
    Try(usize),
    Submit(usize, Ix, bool),
    Compact(Ix),
    /// A row that a peer is to get cannot be read.
    Damaged(Ix, u64, RecordId),
    Act,
    Fail,
    Mend(Ix, Ix),
    Roomy(Ix, u64),
    Heal,
    Look,
}

/// A run under way.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: Ms,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) net: Net,
    pub(crate) clients: Vec<Client>,
    pub(crate) history: History,
    pub(crate) invariants: Vec<Box<dyn Invariant>>,
    pub(crate) broken: Vec<Broken>,
    pub(crate) transcript: Option<String>,
    pub(crate) healed: bool,
    pub(crate) tickets: u64,
    pub(crate) attempts: u64,
    pub(crate) edits: u64,
    pub(crate) quiet: u32,
    pub(crate) over: bool,
    /// Who was taken out of the cluster.
    pub(crate) dismissed: Option<Ix>,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What did not hold, in order.
    pub broken: Vec<String>,
    /// The transcript, if it was asked for.
    pub transcript: String,
    /// Figures.
    pub tally: crate::history::Tally,
}

/// Runs one plan to its end.
pub fn run(plan: Plan) -> Outcome {
    let mut world = World::new(plan);
    world.go();
    let mut broken: Vec<String> = world.broken.iter().map(ToString::to_string).collect();
    broken.truncate(20);
    Outcome { broken, transcript: world.transcript.unwrap_or_default(), tally: world.history.tally.clone() }
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let machines = (0..plan.nodes).map(|ix| {
            let drift = i64::try_from(rng.between(0, 200)).unwrap_or(0) - 100;
            let clocks = plan.profile.clocks;
            let ahead = i64::try_from(rng.between(0, 2 * clocks)).unwrap_or(0);
            let mut machine = Machine::new(ix, drift, ahead - i64::try_from(clocks).unwrap_or(0));
            machine.witness = crate::people::role(&plan, ix) == Role::Witness;
            machine
        });
        let machines: Vec<Machine> = machines.collect();
        let mut world = Self {
            plan,
            rng,
            now: 0,
            agenda: Agenda::new(),
            machines,
            net: Net::default(),
            clients: Vec::new(),
            history: History::default(),
            invariants: crate::invariants::all(),
            broken: Vec::new(),
            transcript: plan.told.then(String::new),
            healed: false,
            tickets: 0,
            attempts: 0,
            edits: 0,
            quiet: 0,
            over: false,
            dismissed: None,
        };
        world.set_out();
        world
    }

    fn set_out(&mut self) {
        for ix in 0..self.plan.nodes {
            self.agenda.at(0, Event::Boot(ix));
            for other in 0..ix {
                self.agenda.at(1, Event::Connect(other, ix));
            }
            let at = self.rng.between(2000, 4000);
            self.agenda.at(at, Event::Compact(ix));
        }
        self.plan_notices();
        self.agenda.at(1500, Event::Act);
        if !self.plan.profile.faults.is_empty() {
            let at = self.rng.between(2000, 3000);
            self.agenda.at(at, Event::Fail);
        }
        self.agenda.at(HEAL_AT, Event::Heal);
    }

    fn go(&mut self) {
        while !self.over
            && let Some((at, event)) = self.agenda.pop()
        {
            self.now = at;
            self.happen(event);
            if self.broken.len() > 20 {
                return;
            }
        }
        if self.now < HEAL_AT + SETTLE_MS {
            self.conclude();
        }
    }

    /// What a process that stands still would have to do itself.
    fn needs_process(event: &Event) -> Option<Ix> {
        match event {
            Event::Wake(ix, _)
            | Event::Written(ix, _)
            | Event::Linked(ix, ..)
            | Event::Unlinked(ix, ..)
            | Event::Refused(ix, _)
            | Event::Report(ix, ..)
            | Event::Submit(_, ix, _)
            | Event::Roomy(ix, _)
            | Event::Damaged(ix, ..)
            | Event::Compact(ix) => Some(*ix),
            Event::Arrive(way, _) => Some(way.to),
            Event::Boot(_)
            | Event::Connect(..)
            | Event::Taken(..)
            | Event::Try(_)
            | Event::Act
            | Event::Fail
            | Event::Mend(..)
            | Event::Heal
            | Event::Look => None,
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = Self::needs_process(&event)
            .and_then(|ix| self.machines.get(ix))
            .map(|machine| machine.stands_still_until)
            .filter(|until| *until > self.now)
        {
            self.agenda.at(until, event);
            return;
        }
        match event {
            Event::Boot(ix) => self.boot(ix),
            Event::Wake(ix, life) => self.wake(ix, life),
            Event::Written(ix, life) => self.written(ix, life),
            Event::Arrive(way, generation) => self.arrive(way, generation),
            Event::Linked(ix, peer, generation) => self.linked(ix, peer, generation),
            Event::Unlinked(ix, peer, generation) => self.unlinked(ix, peer, generation),
            Event::Refused(ix, peer) => self.refused(ix, peer),
            Event::Connect(one, other) => self.connect(one, other),
            Event::Taken(ix, life, id) => self.taken(ix, life, id),
            Event::Report(ix, life, id) => self.report(ix, life, id),
            Event::Try(client) => self.try_client(client),
            Event::Submit(client, ix, resolved) => self.submit(client, ix, resolved),
            Event::Compact(ix) => self.compact(ix),
            Event::Damaged(ix, life, id) if self.is_current(ix, life) => {
                self.handle(ix, Input::Damaged { id });
            }
            Event::Damaged(..) => (),
            Event::Act => self.act(),
            Event::Fail => self.fail(),
            Event::Mend(from, to) => self.mend(from, to),
            Event::Roomy(ix, life) => self.roomy(ix, life),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    pub(crate) fn machine(&self, ix: Ix) -> &Machine {
        &self.machines[ix]
    }

    pub(crate) fn machine_mut(&mut self, ix: Ix) -> &mut Machine {
        &mut self.machines[ix]
    }

    pub(crate) fn is_current(&self, ix: Ix, life: u64) -> bool {
        self.machine(ix).is_up() && self.machine(ix).life == life
    }

    pub(crate) fn after(&mut self, least: Ms, most: Ms, event: Event) {
        let at = self.now + self.rng.between(least, most);
        self.agenda.at(at, event);
    }

    /// Writes down what happens, in words.
    pub(crate) fn tell(&mut self, words: impl FnOnce(&Self) -> String) {
        if self.transcript.is_some() {
            let line = words(self);
            let now = self.now;
            if let Some(transcript) = &mut self.transcript {
                writeln!(transcript, "{now:>7} {line}").unwrap_or_default();
            }
        }
    }

    /// Something that can be observed happened.
    pub(crate) fn observe(&mut self, fact: &Fact<'_>) {
        self.history.note(self.now, fact);
        self.judge(|invariant, scene| invariant.see(scene, fact));
    }

    fn conclude(&mut self) {
        self.finish_tally();
        self.judge(|invariant, scene| invariant.conclude(scene));
    }

    fn judge(&mut self, look: impl Fn(&mut dyn Invariant, &Scene<'_>) -> Option<String>) {
        let mut invariants = std::mem::take(&mut self.invariants);
        let scene = Scene {
            now: self.now,
            plan: &self.plan,
            history: &self.history,
            machines: &self.machines,
            clients: &self.clients,
            dismissed: self.dismissed.and_then(|ix| self.machines.get(ix)).map(|machine| machine.node),
        };
        let found: Vec<_> = invariants
            .iter_mut()
            .filter_map(|invariant| Some((invariant.name(), look(invariant.as_mut(), &scene)?)))
            .collect();
        self.invariants = invariants;
        for (name, what) in found {
            self.found(name, what);
        }
    }

    fn found(&mut self, name: &'static str, what: String) {
        self.tell(|_| format!("!!! {name}: {what}"));
        self.broken.push(Broken { at: self.now, name, what });
    }

    pub(crate) fn violate(&mut self, name: &'static str, what: String) {
        self.found(name, what);
    }

    /// One turn of a core, and as many as it asks for without a pause.
    pub(crate) fn handle(&mut self, ix: Ix, input: Input) {
        let mut input = Some(input);
        for _ in 0..TURNS_MAX {
            let now = self.machine(ix).now(self.now);
            let mut effects = Vec::new();
            let machine = self.machine_mut(ix);
            let Some(core) = &mut machine.core else { return };
            let shift = crate::book::shift(now.wall);
            if std::mem::replace(&mut machine.shift, shift) != shift {
                core.handle(now, Input::Almanac(crate::book::almanac(shift)), &mut effects);
            }
            core.handle(now, input.take().unwrap_or(Input::Deadline), &mut effects);
            let due = core.deadline(now);
            self.execute(ix, effects);
            match due {
                Some(due) if due.at <= now.mono => (),
                Some(due) => {
                    let at = self.machine(ix).when(due.at);
                    return self.set_wake(ix, at);
                }
                None => return,
            }
        }
        let now = self.machine(ix).now(self.now);
        let core = self.machine(ix).core.as_ref();
        let due = core.map(|core| (core.deadline(now), crate::end::leftovers(core)));
        self.violate("progress", format!("{} runs in circles: {due:?}", self.name(ix)));
        self.over = true;
    }

    pub(crate) fn set_wake(&mut self, ix: Ix, at: Ms) {
        let life = self.machine(ix).life;
        let machine = self.machine_mut(ix);
        if machine.wake.is_none_or(|wake| at < wake) {
            machine.wake = Some(at);
            self.agenda.at(at, Event::Wake(ix, life));
        }
    }

    fn wake(&mut self, ix: Ix, life: u64) {
        if self.is_current(ix, life) && self.machine(ix).wake.is_some_and(|wake| wake <= self.now) {
            self.machine_mut(ix).wake = None;
            self.handle(ix, Input::Deadline);
        }
    }

    fn taken(&mut self, ix: Ix, life: u64, id: u64) {
        if !self.is_current(ix, life) {
            return;
        }
        let Some(attempt) = self.machine(ix).attempts.get(&id).cloned() else { return };
        self.tell(|world| {
            format!("{} the provider takes {}", world.name(ix), world.delivery(&attempt.delivery))
        });
        self.observe(&Fact::Taken { id, delivery: &attempt.delivery });
    }

    fn report(&mut self, ix: Ix, life: u64, id: u64) {
        if !self.is_current(ix, life) {
            return;
        }
        let Some(attempt) = self.machine_mut(ix).attempts.remove(&id) else { return };
        let delivery = attempt.delivery;
        self.tell(|world| {
            let said = crate::words::outcome(&attempt.outcome);
            format!("{} hears {said} for {}", world.name(ix), world.delivery(&delivery))
        });
        self.observe(&Fact::Reported { id, delivery: &delivery, outcome: &attempt.outcome });
        let (notification, intent) = (delivery.notification, delivery.intent);
        let concluded = Concluded { notification, intent, outcome: attempt.outcome };
        self.handle(ix, Input::Report(vec![(delivery.alert_id, concluded)]));
    }

    /// Looks whether everything has come to its end.
    fn look(&mut self) {
        let settled = self.is_settled();
        self.quiet = if settled { self.quiet + 1 } else { 0 };
        if self.quiet >= 3 {
            self.over = true;
            return;
        }
        if self.now >= HEAL_AT + SETTLE_MS {
            let what = self.unsettled();
            self.violate("i11_converges", what);
            self.over = true;
            return;
        }
        self.agenda.at(self.now + 500, Event::Look);
    }
}
