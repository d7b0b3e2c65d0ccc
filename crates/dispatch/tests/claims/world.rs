//! Three nodes, what is on its way between them, and what may happen next.

use crate::laws;
use crate::node::{Announced, Handed, Ix, Kept, Lane, NODES, Step, Turn, letter};
use base::AlertId;
use dispatch::record::Record;
use dispatch::state::{Open, Sent};
use ownership::{Condition, Rules, Timings};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

const A: Ix = 0;
/// The pairs of nodes.
const PAIRS: [(Ix, Ix); 3] = [(0, 1), (0, 2), (1, 2)];

/// How far the alerts have come when a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// They were just posted to A.
    Posted,
    /// B and C have them on disk; A does not know that yet.
    Mirrored,
    /// A was the first to send, everybody knows that, the provider works at it, and the network is cut.
    Sent,
    /// A was told that the provider took it, and so was this peer of A, alone.
    DoneKnownTo(Ix),
}

/// When A dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dies {
    Never,
    AtAnyMoment,
    /// Before anything else happens, with all that it had not sent off.
    AtOnce,
}

/// What a search looks at.
#[expect(clippy::struct_excessive_bools, reason = "a row of independent switches is what it is")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) alerts: u8,
    pub(crate) timings: Timings,
    pub(crate) rules: Rules,
    /// How often the clock reaches a deadline on one path.
    pub(crate) ticks: u8,
    /// Where it begins.
    pub(crate) start: Start,
    /// A dies.
    pub(crate) dies: Dies,
    /// Its peers notice it as soon as their connections break, or by the silence alone.
    pub(crate) resets: bool,
    /// A starts again after it died.
    pub(crate) restarts: bool,
    /// These pairs cannot reach each other, from some moment to any later one.
    pub(crate) cut: &'static [(Ix, Ix)],
    /// Follows each path to its end before it looks at others: for scenes that are long.
    pub(crate) deep: bool,
    /// Whose disk is slow.
    pub(crate) slow: Option<Ix>,
    /// Somebody asks A for a switch-over, at any moment.
    pub(crate) switches: bool,
    /// How many states to look at.
    pub(crate) states: usize,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Deliver(Ix, Ix, Lane),
    Sync(Ix),
    Report(Ix, usize),
    Die,
    /// A peer of A learns that A's process is gone; what A sent it and had not arrived never does.
    Notice(Ix),
    Restart,
    /// A pair is connected again.
    Link(Ix, Ix),
    Cut,
    Heal,
    SwitchOver,
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    pub(crate) from: Ix,
    pub(crate) to: Ix,
    pub(crate) lane: Lane,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Letter {
    pub(crate) way: Way,
    pub(crate) message: u32,
    /// It was under way already when the clock last moved.
    old: bool,
}

/// What the world saw of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub(crate) alert: AlertId,
    copies: u8,
    sent: bool,
    unmarked: u8,
    accepted: bool,
}

/// Whether something that happens once has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Once {
    #[default]
    NotYet,
    Now,
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) at: u64,
    ticks: u8,
    pub(crate) nodes: [u32; NODES],
    linked: [bool; 3],
    /// Of A: alive, dead, or alive again.
    death: Once,
    cut: Once,
    switched: bool,
    /// Some claim was not confirmed before its time was over.
    waited: bool,
    /// Nothing of A arrives after its death.
    abrupt: bool,
    pub(crate) letters: Vec<Letter>,
    tallies: Vec<Tally>,
}

/// A property that does not hold.
pub(crate) type Fault = String;

fn pair(one: Ix, other: Ix) -> usize {
    PAIRS.iter().position(|pair| *pair == (one.min(other), one.max(other))).expect("a pair")
}

impl World {
    /// All level and up, and the alerts just posted to A.
    pub(crate) fn new(kept: &mut Kept, scene: &Scene) -> Self {
        let mut world = Self {
            at: 1000,
            ticks: 0,
            nodes: [0; NODES],
            linked: [false; 3],
            death: Once::NotYet,
            cut: Once::NotYet,
            switched: false,
            waited: false,
            abrupt: scene.dies == Dies::AtOnce,
            letters: Vec::new(),
            tallies: Vec::new(),
        };
        for ix in 0..NODES {
            let turn = kept.start(ix, world.at);
            world.nodes[ix] = turn.node;
        }
        for (one, other) in PAIRS {
            world.link(kept, one, other).expect("nothing is wrong yet");
        }
        world.calm(kept).expect("nothing is wrong yet");
        world.step(kept, A, Step::Book).expect("nothing is wrong yet");
        for _ in 0..4 {
            world.calm(kept).expect("nothing is wrong yet");
            world.tick(kept).expect("nothing is wrong yet");
        }
        world.calm(kept).expect("nothing is wrong yet");
        for number in 0..scene.alerts {
            world.step(kept, A, Step::Notice(number)).expect("nothing is wrong yet");
        }
        world.ticks = 0;
        world.waited = false;
        world.begin(kept, scene).expect("nothing is wrong yet");
        world
    }

    /// Brings the alerts to where the scene begins.
    fn begin(&mut self, kept: &mut Kept, scene: &Scene) -> Result<(), Fault> {
        let records = |world: &mut Self, kept: &mut Kept, to| {
            world.deliver(kept, Way { from: A, to, lane: Lane::Bulk })
        };
        match scene.start {
            Start::Posted => (),
            Start::Mirrored => {
                for ix in [1, 2] {
                    records(self, kept, ix)?;
                    self.step(kept, ix, Step::Sync)?;
                }
            }
            Start::Sent => {
                self.calm(kept)?;
                self.cut(kept, scene)?;
            }
            Start::DoneKnownTo(ix) => {
                self.calm(kept)?;
                self.step(kept, A, Step::Report(0))?;
                self.step(kept, A, Step::Sync)?;
                records(self, kept, ix)?;
                self.step(kept, ix, Step::Sync)?;
            }
        }
        if scene.dies == Dies::AtOnce {
            self.death = Once::Now;
            self.letters.retain(|letter| letter.way.to != A && letter.way.from != A);
        }
        Ok(())
    }

    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn alive(&self, ix: Ix) -> bool {
        ix != A || self.death != Once::Now
    }

    fn living(&self) -> impl Iterator<Item = Ix> {
        (0..NODES).filter(|ix| self.alive(*ix))
    }

    /// What goes on by itself, without anything going wrong and without the clock.
    fn quiet_events(&self, kept: &Kept) -> Vec<Event> {
        let dirty = |ix: &Ix| kept.node(self.nodes[*ix]).is_dirty();
        let mut events: Vec<Event> = self.living().filter(dirty).map(Event::Sync).collect();
        let mut last = None;
        for Letter { way, .. } in &self.letters {
            if last != Some(*way) {
                events.push(Event::Deliver(way.from, way.to, way.lane));
            }
            last = Some(*way);
        }
        events
    }

    /// What the providers may take now.
    fn reports(&self, kept: &Kept) -> Vec<Event> {
        let busy = |ix: Ix| kept.node(self.nodes[ix]).in_flight.len();
        self.living().flat_map(|ix| (0..busy(ix)).map(move |which| Event::Report(ix, which))).collect()
    }

    /// Everything that may happen now, with what it costs of the bound: nothing, if it comes as it does where
    /// disks and networks are quick and fair, or goes wrong by itself; one, if it overtakes something.
    pub(crate) fn events(&self, kept: &Kept, scene: &Scene) -> Vec<(Event, usize)> {
        let mut quiet = self.quiet_events(kept);
        let slow = |event: &mut Event| matches!(event, Event::Sync(ix) if scene.slow == Some(*ix));
        let late: Vec<Event> = quiet.extract_if(.., slow).collect();
        let busy = usize::from(!quiet.is_empty());
        let mut events: Vec<(Event, usize)> =
            quiet.into_iter().enumerate().map(|(at, event)| (event, at.min(1))).collect();
        let fates = self.fates(scene).into_iter().map(|event| (event, 0));
        let reports = self.reports(kept).into_iter().chain(late).map(|event| (event, busy));
        events.extend(fates.chain(reports).chain(self.others(scene, busy)));
        events
    }

    /// Nothing is under way: time alone moves it on.
    pub(crate) fn is_quiet(&self, kept: &Kept) -> bool {
        self.quiet_events(kept).is_empty()
    }

    /// What happens at any moment.
    fn fates(&self, scene: &Scene) -> Vec<Event> {
        let mut events = Vec::new();
        if scene.dies == Dies::AtAnyMoment && self.death == Once::NotYet {
            events.push(Event::Die);
        }
        if scene.switches && !self.switched && self.death == Once::NotYet {
            events.push(Event::SwitchOver);
        }
        events
    }

    /// What comes later than what is under way, as a rule, with what it costs.
    fn others(&self, scene: &Scene, busy: usize) -> Vec<(Event, usize)> {
        let mut events = Vec::new();
        if self.death == Once::Now && scene.resets {
            let unaware = [1, 2].into_iter().filter(|ix| self.linked[pair(A, *ix)]);
            events.extend(unaware.map(Event::Notice));
        }
        events.extend(self.missing_links(scene));
        let mut events: Vec<_> =
            events.into_iter().enumerate().map(|(at, event)| (event, busy.max(at.min(1)))).collect();
        let late = busy.max(events.len().min(1));
        if self.death == Once::Now && scene.restarts {
            events.push((Event::Restart, busy));
        }
        if !scene.cut.is_empty() && self.cut == Once::NotYet {
            events.push((Event::Cut, busy));
        }
        if self.cut == Once::Now {
            events.push((Event::Heal, busy));
        }
        let punctual = self.letters.iter().all(|letter| !letter.old);
        if self.ticks < scene.ticks && punctual {
            events.push((Event::Tick, late));
        }
        events
    }

    fn missing_links(&self, scene: &Scene) -> impl Iterator<Item = Event> {
        let (linked, cut) = (self.linked, self.cut == Once::Now);
        let dead = self.death == Once::Now;
        let can = move |(one, other): &(Ix, Ix)| {
            let barred = cut && scene.cut.contains(&(*one, *other)) || dead && *one == A;
            !linked[pair(*one, *other)] && !barred
        };
        PAIRS.into_iter().filter(can).map(|(one, other)| Event::Link(one, other))
    }

    /// What the world is like after an event.
    pub(crate) fn after(&self, kept: &mut Kept, scene: &Scene, event: Event) -> Result<Self, Fault> {
        let mut world = self.clone();
        match event {
            Event::Deliver(from, to, lane) => world.deliver(kept, Way { from, to, lane })?,
            Event::Sync(ix) => world.step(kept, ix, Step::Sync)?,
            Event::Report(ix, which) => world.step(kept, ix, Step::Report(which))?,
            Event::Die => {
                world.death = Once::Now;
                world.letters.retain(|letter| letter.way.to != A);
            }
            Event::Notice(ix) => {
                world.unlink(kept, A, ix)?;
                world.step(kept, ix, Step::Gone(A))?;
            }
            Event::Restart => {
                for ix in [1, 2] {
                    world.unlink(kept, A, ix)?;
                }
                world.death = Once::Over;
                world.step(kept, A, Step::Restart)?;
            }
            Event::Link(one, other) => world.link(kept, one, other)?,
            Event::Cut => world.cut(kept, scene)?,
            Event::Heal => world.cut = Once::Over,
            Event::SwitchOver => {
                world.switched = true;
                world.step(kept, A, Step::SwitchOver)?;
            }
            Event::Tick => world.tick(kept)?,
        }
        Ok(world)
    }

    fn step(&mut self, kept: &mut Kept, ix: Ix, step: Step) -> Result<(), Fault> {
        let turn = kept.step(self.nodes[ix], step, self.at);
        self.follow(kept, ix, &turn)
    }

    fn follow(&mut self, kept: &Kept, ix: Ix, turn: &Turn) -> Result<(), Fault> {
        self.nodes[ix] = turn.node;
        for (to, lane, message) in &turn.sends {
            if self.linked[pair(ix, *to)] && self.alive(*to) {
                self.post(Way { from: ix, to: *to, lane: *lane }, *message);
            }
        }
        for (alert, copies) in &turn.answered {
            self.tally(*alert).copies = *copies;
        }
        if let Some(alert) = turn.accepted {
            self.tally(alert).accepted = true;
        }
        if let Some(fault) = &turn.fault {
            return Err(format!("{}: {fault}", letter(ix)));
        }
        for announced in &turn.announced {
            self.must_be_alone(kept, ix, announced)?;
        }
        for handed in &turn.handed {
            let cut = self.cut;
            let tally = self.tally(handed.alert);
            tally.unmarked += u8::from(!handed.marked);
            // Who was cut off cannot know what the others sent meanwhile; else the repetition itself is marked.
            let late = cut == Once::NotYet && tally.sent && !handed.marked;
            tally.sent = true;
            if tally.unmarked > 1 || late {
                return Err(format!("{}: {} is sent again, unmarked", letter(ix), handed.alert));
            }
            self.must_be_new(kept, ix, handed)?;
            self.must_be_patient(kept, ix, handed)?;
        }
        Ok(())
    }

    fn tally(&mut self, alert: AlertId) -> &mut Tally {
        let at = self.tallies.iter().position(|tally| tally.alert == alert);
        let at = at.unwrap_or_else(|| {
            self.tallies.push(Tally { alert, copies: 0, sent: false, unmarked: 0, accepted: false });
            self.tallies.len() - 1
        });
        &mut self.tallies[at]
    }

    fn post(&mut self, way: Way, message: u32) {
        let order = |way: &Way| (way.from, way.to, way.lane);
        let at = self.letters.partition_point(|letter| order(&letter.way) <= order(&way));
        self.letters.insert(at, Letter { way, message, old: false });
    }

    fn deliver(&mut self, kept: &mut Kept, way: Way) -> Result<(), Fault> {
        let at = self.letters.iter().position(|letter| letter.way == way).expect("a letter");
        let letter = self.letters.remove(at);
        self.step(kept, way.to, Step::Hear { from: way.from, message: letter.message })
    }

    fn unlink(&mut self, kept: &mut Kept, one: Ix, other: Ix) -> Result<(), Fault> {
        if !std::mem::take(&mut self.linked[pair(one, other)]) {
            return Ok(());
        }
        self.letters.retain(|letter| pair(letter.way.from, letter.way.to) != pair(one, other));
        for (here, there) in [(one, other), (other, one)] {
            if self.alive(here) {
                self.step(kept, here, Step::Disconnected(there))?;
            }
        }
        Ok(())
    }

    fn cut(&mut self, kept: &mut Kept, scene: &Scene) -> Result<(), Fault> {
        self.cut = Once::Now;
        scene.cut.iter().try_for_each(|(one, other)| self.unlink(kept, *one, *other))
    }

    fn link(&mut self, kept: &mut Kept, one: Ix, other: Ix) -> Result<(), Fault> {
        self.linked[pair(one, other)] = true;
        self.step(kept, one, Step::Connected(other))?;
        self.step(kept, other, Step::Connected(one))
    }

    /// The clock reaches the next deadline of any node; who has one then looks at it.
    fn tick(&mut self, kept: &mut Kept) -> Result<(), Fault> {
        let due: Vec<_> =
            self.living().filter_map(|ix| Some((ix, kept.deadline(self.nodes[ix], self.at)?))).collect();
        let Some(at) = due.iter().map(|(_, due)| due.at.0).min() else { return Ok(()) };
        self.at = at.max(self.at);
        self.ticks = self.ticks.saturating_add(1);
        self.letters.iter_mut().for_each(|letter| letter.old = true);
        for (ix, due) in due.iter().filter(|(_, due)| due.at.0 <= at) {
            let node = kept.node(self.nodes[*ix]);
            let claims = |entry: &Record| matches!(entry, Record::Claim(_));
            let claimed = node.rows.iter().any(|(id, row)| id.log == node.me && claims(&row.record));
            self.waited |= claimed && due.because == "a wait for the peers is over";
            self.step(kept, *ix, Step::Wake)?;
        }
        Ok(())
    }

    /// Law 1: nobody announces what another announced that it hears and that has no outcome yet, if it knows that,
    /// or could: they are level with each other, and no claim was acted upon unconfirmed.
    fn must_be_alone(&self, kept: &Kept, ix: Ix, announced: &Announced) -> Result<(), Fault> {
        for other in self.living().filter(|other| *other != ix && self.linked[pair(ix, *other)]) {
            let Some(intent) = kept.node(self.nodes[other]).under_way(announced) else { continue };
            let knows = kept.node(self.nodes[ix]).rows.contains_key(&intent);
            let hears = self.knows_as(kept, ix, other, &[Condition::Up, Condition::CatchingUp]);
            if knows && hears || self.are_level(kept, ix, other) && !self.waited {
                return Err(format!("{} sends {} while {} does", letter(ix), announced.alert, letter(other)));
            }
        }
        Ok(())
    }

    /// Law 6: nobody begins to send what another that is level with it knows to be done since the beginning.
    fn must_be_new(&self, kept: &Kept, ix: Ix, handed: &Handed) -> Result<(), Fault> {
        let knows = |other: &Ix| {
            let node = kept.node(self.nodes[*other]);
            let sent = |open: &Open| open.facts.sent.get(&handed.notification).is_some_and(Sent::concluded);
            node.core
                .state()
                .open
                .get(&handed.alert)
                .map_or_else(|| node.rows.contains_key(&handed.alert.0), sent)
        };
        let level = |other: &Ix| self.are_level(kept, ix, *other);
        let mut others = self.living().filter(|other| *other != ix && self.linked[pair(ix, *other)]);
        if self.waited || !self.abrupt || !others.any(|other| knows(&other) && level(&other)) {
            return Ok(());
        }
        Err(format!("{} sends {}, and a peer that is level knows that it is done", letter(ix), handed.alert))
    }

    /// Law 7: nobody hands over what another announced that it hears and that has no outcome yet, if it knows that,
    /// whatever it knew when it announced the same.
    fn must_be_patient(&self, kept: &Kept, ix: Ix, handed: &Handed) -> Result<(), Fault> {
        let announced = Announced { alert: handed.alert, notification: handed.notification };
        let open =
            |other: Ix| kept.node(self.nodes[other]).under_way(&announced).map(|intent| (other, intent));
        for (other, intent) in self.living().filter(|other| *other != ix).filter_map(open) {
            let knows = kept.node(self.nodes[ix]).rows.contains_key(&intent);
            if knows && self.knows_as(kept, ix, other, &[Condition::Up, Condition::CatchingUp]) {
                return Err(format!(
                    "{} repeats {} while {} sends it",
                    letter(ix),
                    handed.alert,
                    letter(other)
                ));
            }
        }
        Ok(())
    }

    fn are_level(&self, kept: &Kept, one: Ix, other: Ix) -> bool {
        let up = |one, other| self.knows_as(kept, one, other, &[Condition::Up]);
        up(one, other) && up(other, one)
    }

    /// One knows the other's present boot to be so.
    fn knows_as(&self, kept: &Kept, one: Ix, other: Ix, conditions: &[Condition]) -> bool {
        let boot = kept.node(self.nodes[other]).me;
        let view = kept.node(self.nodes[one]).view(boot.node, self.at);
        view.is_some_and(|view| conditions.contains(&view.condition) && view.boot == Some(boot))
    }

    /// Everything that is under way arrives, in a fixed order.
    fn calm(&mut self, kept: &mut Kept) -> Result<(), Fault> {
        for _ in 0..2000 {
            let Some(event) = self.quiet_events(kept).first().copied() else { return Ok(()) };
            match event {
                Event::Deliver(from, to, lane) => self.deliver(kept, Way { from, to, lane })?,
                Event::Sync(ix) => self.step(kept, ix, Step::Sync)?,
                Event::Report(..)
                | Event::Die
                | Event::Notice(_)
                | Event::Restart
                | Event::Link(..)
                | Event::Cut
                | Event::Heal
                | Event::SwitchOver
                | Event::Tick => unreachable!("nothing else goes on by itself"),
            }
        }
        Err("the nodes do not come to rest".into())
    }

    /// Law 4: once nothing goes wrong any more, every alert that anybody still knows, or that was promised, is
    /// sent, and those who live know the same.
    pub(crate) fn conclude(&self, kept: &mut Kept, scene: &Scene) -> Result<(), Fault> {
        let mut world = self.clone();
        if world.cut == Once::Now {
            world.cut = Once::Over;
        }
        if world.death == Once::Now && scene.resets {
            for ix in [1, 2] {
                if world.linked[pair(A, ix)] {
                    world = world.after(kept, scene, Event::Notice(ix))?;
                }
            }
        }
        for event in world.missing_links(scene).collect::<Vec<_>>() {
            world = world.after(kept, scene, event)?;
        }
        for _ in 0..60 {
            world.calm(kept)?;
            if let Some(Event::Report(ix, which)) = world.reports(kept).first().copied() {
                world.step(kept, ix, Step::Report(which))?;
                continue;
            }
            let idle = |ix: Ix| kept.node(world.nodes[ix]).core.state().open.is_empty();
            if world.living().all(idle) {
                return world.judge(kept);
            }
            world.tick(kept)?;
        }
        Err("an alert is never concluded".into())
    }

    fn judge(&self, kept: &Kept) -> Result<(), Fault> {
        let living: Vec<_> = self.living().map(|ix| kept.node(self.nodes[ix])).collect();
        for tally in &self.tallies {
            let known = living.iter().any(|node| node.rows.contains_key(&tally.alert.0));
            if (known || tally.copies > 1) && !tally.accepted {
                return Err(format!("{} is lost", tally.alert));
            }
        }
        for two in living.windows(2) {
            if let [one, other] = two
                && let Some(fault) = laws::disagree(one, other)
            {
                return Err(fault);
            }
        }
        Ok(())
    }
}
