//! Three nodes, what is on its way between them, and what may happen next.

use crate::laws;
use crate::node::{Ix, Kept, Lane, Message, NODES, Step, Turn, kind, letter};
use base::{AlertId, NotificationId};
use dispatch::record::Record;
use ownership::{Rules, Timings};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

const A: Ix = 0;
/// The pairs of nodes.
const PAIRS: [(Ix, Ix); 3] = [(0, 1), (0, 2), (1, 2)];

/// What a search looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) alerts: u8,
    pub(crate) timings: Timings,
    pub(crate) rules: Rules,
    /// How often the clock reaches a deadline on one path.
    pub(crate) ticks: u8,
    /// A dies, at any moment.
    pub(crate) dies: bool,
    /// Its peers notice it as soon as their connections break, or by the silence alone.
    pub(crate) resets: bool,
    /// A starts again after it died.
    pub(crate) restarts: bool,
    /// These pairs cannot reach each other, from any moment to any later one.
    pub(crate) cut: &'static [(Ix, Ix)],
    /// Somebody asks A for a switch-over, at any moment.
    pub(crate) switches: bool,
    /// Who could be told how many states to look at.
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
struct Way {
    from: Ix,
    to: Ix,
    lane: Lane,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Letter {
    way: Way,
    message: u32,
    /// It was under way already when the clock last moved.
    old: bool,
}

/// What the world saw of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub(crate) alert: AlertId,
    copies: u8,
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
    at: u64,
    ticks: u8,
    nodes: [u32; NODES],
    linked: [bool; 3],
    /// Of A: alive, dead, or alive again.
    death: Once,
    cut: Once,
    switched: bool,
    /// Some claim was not confirmed before its time was over.
    waited: bool,
    letters: Vec<Letter>,
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
        world
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
        for ix in self.living() {
            let node = kept.node(self.nodes[ix]);
            events.extend((0..node.in_flight.len()).map(|which| Event::Report(ix, which)));
        }
        events
    }

    /// Everything that may happen now, with what it costs of the bound: nothing, if it comes as it does where
    /// disks and networks are quick and fair, or goes wrong by itself; one, if it overtakes something.
    pub(crate) fn events(&self, kept: &Kept, scene: &Scene) -> Vec<(Event, usize)> {
        let quiet = self.quiet_events(kept);
        let busy = usize::from(!quiet.is_empty());
        let mut events: Vec<(Event, usize)> =
            quiet.into_iter().enumerate().map(|(at, event)| (event, at.min(1))).collect();
        let fates = self.fates(scene).into_iter().map(|event| (event, 0));
        let others = self.others(scene).into_iter().map(|event| (event, busy));
        events.extend(fates.chain(others));
        events
    }

    /// Nothing is under way: time alone moves it on.
    pub(crate) fn is_quiet(&self, kept: &Kept) -> bool {
        self.quiet_events(kept).is_empty()
    }

    /// What happens at any moment.
    fn fates(&self, scene: &Scene) -> Vec<Event> {
        let mut events = Vec::new();
        if scene.dies && self.death == Once::NotYet {
            events.push(Event::Die);
        }
        if !scene.cut.is_empty() && self.cut == Once::NotYet {
            events.push(Event::Cut);
        }
        if scene.switches && !self.switched && self.death == Once::NotYet {
            events.push(Event::SwitchOver);
        }
        events
    }

    /// What comes later than what is under way, as a rule.
    fn others(&self, scene: &Scene) -> Vec<Event> {
        let mut events = Vec::new();
        if self.death == Once::Now && scene.resets {
            let unaware = [1, 2].into_iter().filter(|ix| self.linked[pair(A, *ix)]);
            events.extend(unaware.map(Event::Notice));
        }
        if self.death == Once::Now && scene.restarts {
            events.push(Event::Restart);
        }
        if self.cut == Once::Now {
            events.push(Event::Heal);
        }
        events.extend(self.missing_links(scene));
        let punctual = self.letters.iter().all(|letter| !letter.old);
        if self.ticks < scene.ticks && punctual {
            events.push(Event::Tick);
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
            Event::Cut => {
                world.cut = Once::Now;
                for (one, other) in scene.cut {
                    world.unlink(kept, *one, *other)?;
                }
            }
            Event::Heal => world.cut = Once::Over,
            Event::SwitchOver => {
                world.switched = true;
                world.step(kept, A, Step::SwitchOver)?;
            }
            Event::Tick => world.tick(kept)?,
        }
        world.check(kept)?;
        Ok(world)
    }

    fn step(&mut self, kept: &mut Kept, ix: Ix, step: Step) -> Result<(), Fault> {
        let turn = kept.step(self.nodes[ix], step, self.at);
        self.follow(ix, &turn)
    }

    fn follow(&mut self, ix: Ix, turn: &Turn) -> Result<(), Fault> {
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
        for handed in &turn.handed {
            let tally = self.tally(handed.alert);
            tally.unmarked += u8::from(!handed.marked);
            if tally.unmarked > 1 {
                return Err(format!("{}: {} is sent again, unmarked", letter(ix), handed.alert));
            }
        }
        Ok(())
    }

    fn tally(&mut self, alert: AlertId) -> &mut Tally {
        let at = self.tallies.iter().position(|tally| tally.alert == alert);
        let at = at.unwrap_or_else(|| {
            self.tallies.push(Tally { alert, copies: 0, unmarked: 0, accepted: false });
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

    /// Law 1: who can hear each other do not send the same at once.
    fn check(&self, kept: &Kept) -> Result<(), Fault> {
        for (one, other) in PAIRS {
            if !self.linked[pair(one, other)] || !self.alive(one) || self.waited {
                continue;
            }
            let (mine, theirs) = (kept.node(self.nodes[one]), kept.node(self.nodes[other]));
            let sends = |id: NotificationId| theirs.in_flight.iter().any(|other| other.notification == id);
            if let Some(both) = mine.in_flight.iter().find(|delivery| sends(delivery.notification)) {
                let (one, other) = (letter(one), letter(other));
                return Err(format!("{one} and {other} send {} at once", both.alert_id));
            }
        }
        Ok(())
    }

    /// Everything that is under way arrives, in a fixed order.
    fn calm(&mut self, kept: &mut Kept) -> Result<(), Fault> {
        for _ in 0..2000 {
            let Some(event) = self.quiet_events(kept).first().copied() else { return Ok(()) };
            match event {
                Event::Deliver(from, to, lane) => self.deliver(kept, Way { from, to, lane })?,
                Event::Sync(ix) => self.step(kept, ix, Step::Sync)?,
                Event::Report(ix, which) => self.step(kept, ix, Step::Report(which))?,
                _ => unreachable!("nothing else goes on by itself"),
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
            let idle = |ix: Ix| kept.node(world.nodes[ix]).core.state().open.is_empty();
            if world.living().all(idle) {
                return world.judge(kept);
            }
            world.tick(kept)?;
            world.check(kept)?;
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

    /// An event in words, as seen from the state before it.
    pub(crate) fn tell(&self, kept: &Kept, event: Event) -> String {
        match event {
            Event::Deliver(from, to, lane) => {
                let way = Way { from, to, lane };
                let message =
                    self.letters.iter().find(|letter| letter.way == way).map(|letter| letter.message);
                let what = message.map_or_else(String::new, |message| describe(kept.message(message)));
                format!("{} hears from {}: {what}", letter(to), letter(from))
            }
            Event::Sync(ix) => format!("{}'s disk has all that it wrote", letter(ix)),
            Event::Report(ix, _) => format!("the provider takes what {} sent", letter(ix)),
            Event::Die => "A dies".into(),
            Event::Notice(ix) => format!("{} learns that A's process is gone", letter(ix)),
            Event::Restart => "A starts again".into(),
            Event::Link(one, other) => format!("{} and {} are connected", letter(one), letter(other)),
            Event::Cut => "the network is cut".into(),
            Event::Heal => "the network is whole again".into(),
            Event::SwitchOver => "somebody asks A to hand over".into(),
            Event::Tick => "time passes to the next deadline".into(),
        }
    }

    /// What changed between this state and the next, in words.
    pub(crate) fn tell_change(&self, kept: &Kept, next: &Self) -> String {
        let mut told = String::new();
        if next.at != self.at {
            told += &format!("; it is {} ms", next.at);
        }
        for ix in 0..NODES {
            let (before, after) = (kept.node(self.nodes[ix]), kept.node(next.nodes[ix]));
            for (id, entry) in after.rows.iter().filter(|(id, _)| !before.rows.contains_key(id)) {
                if id.log == after.me {
                    told += &format!("; {} writes {id} {}", letter(ix), kind(&entry.record));
                }
            }
            for delivery in after.in_flight.iter().filter(|new| !before.in_flight.contains(new)) {
                let marked = if delivery.repeat.is_some() { ", marked" } else { "" };
                told += &format!("; {} SENDS {}{marked}", letter(ix), delivery.alert_id);
            }
        }
        told
    }
}

fn describe(message: &Message) -> String {
    match message {
        Message::Hello(_) => "hello".into(),
        Message::Beat(beat) => {
            let logs: Vec<String> = beat.durable.iter().map(|(log, upto)| format!("{log}<{upto}")).collect();
            format!("durable {}", logs.join(" "))
        }
        Message::Records { log, first, entries } => {
            let kinds: Vec<String> = entries.iter().map(|entry| kind(&entry.record)).collect();
            format!("{log} from {first}: {}", kinds.join(", "))
        }
    }
}
