//! What people do meanwhile: they acknowledge, comment, pause, edit the book, and move the work about.

use crate::machine::Asker;
use crate::net::Ix;
use crate::profile::People;
use crate::world::{Event, Plan, World};
use base::{AlertId, RecordId};
use dispatch::input::Acknowledge;
use dispatch::record::{Actor, Silence, Via};
use dispatch::{Input, Order, Ticket, Which};
use ownership::{Member, Role};
use std::sync::Arc;
use std::time::Duration;

/// What a node is for.
pub(crate) fn role(plan: &Plan, ix: Ix) -> Role {
    if plan.profile.people != People::Enrolling || plan.nodes < 3 {
        return Role::Member;
    }
    match plan.nodes - ix {
        1 if plan.seed.is_multiple_of(2) => Role::Witness,
        1 => Role::Backup,
        2 if plan.nodes > 3 => Role::Backup,
        _ => Role::Member,
    }
}

impl World {
    pub(crate) fn members(&self) -> Vec<Member> {
        (0..self.plan.nodes).map(|ix| self.member(ix)).collect()
    }

    fn member(&self, ix: Ix) -> Member {
        let machine = self.machine(ix);
        Member {
            node: machine.node,
            name: crate::book::name(&machine.letter.to_string()),
            letter: machine.letter,
            role: role(&self.plan, ix),
            rank: u16::try_from(ix).unwrap_or(0),
            addresses: Vec::new(),
            api: "".into(),
        }
    }

    /// Somebody does something.
    pub(crate) fn act(&mut self) {
        if self.now == 1500 {
            self.found_cluster();
        }
        if self.plan.profile.people == People::Absent || self.healed {
            return self.last_word();
        }
        self.after(400, 1800, Event::Act);
        let ix = self.rng.below(self.plan.nodes);
        if !self.machine(ix).is_up() || self.now < 2500 {
            return;
        }
        let roll = self.rng.between(0, 99);
        match (self.plan.profile.people, roll) {
            (People::Busy, 0..40) => self.anything(ix),
            (People::Silencing, 0..30) => self.silence(ix),
            (People::Silencing, 30..40) => self.end_silence(ix),
            (People::Silencing, 40..45) => self.edit_book(ix),
            (People::Switching, 0..35) => self.switch(ix),
            (People::Enrolling, 0..25) => self.enrol_somebody(ix),
            (People::Absent, _) => (),
            (
                People::Answering | People::Busy | People::Silencing | People::Switching | People::Enrolling,
                0..80,
            ) => self.acknowledge(ix),
            (
                People::Answering | People::Busy | People::Silencing | People::Switching | People::Enrolling,
                _,
            ) => self.comment(ix),
        }
    }

    /// The first node gets the members and the book.
    fn found_cluster(&mut self) {
        for member in self.members() {
            self.order(0, "enrol", Order::Enrol { member });
        }
        self.edit_book(0);
        if self.plan.profile.passive {
            let conduct = Order::Conduct { passive: Some(true), by_hand: None, maintenance: None };
            self.order(0, "active/passive", conduct);
        }
    }

    fn edit_book(&mut self, ix: Ix) {
        self.edits += 1;
        let directory = crate::book::book(self.edits, self.plan.profile.people == People::Silencing);
        let summary = format!("edit {}", self.edits).into();
        self.order(ix, "directory", Order::Directory { directory, expected: None, summary });
    }

    pub(crate) fn order(&mut self, ix: Ix, what: &'static str, order: Order) {
        if !self.machine(ix).is_up() || self.machine(ix).stands_still_until > self.now {
            return;
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.tell(|world| format!("{} is asked: {}", world.name(ix), crate::words::order(what, &order)));
        self.machine_mut(ix).asked.insert(ticket, Asker::Person(what));
        let by = Actor { who: "user:bea".into(), via: Via::Api, from: None };
        self.handle(ix, Input::Order { ticket, by, order });
    }

    fn some_alert(&mut self, ix: Ix) -> Option<AlertId> {
        let core = self.machine(ix).core.as_ref()?;
        let open: Vec<AlertId> = core.open_after(None).map(|(alert, _)| alert).collect();
        self.rng.pick(&open)
    }

    fn acknowledge(&mut self, ix: Ix) {
        let Some(alert) = self.some_alert(ix) else { return };
        let operator = self.rng.per_mille(300);
        let who = self.rng.pick(&crate::book::PEOPLE).unwrap_or("anna");
        let recipient = (!operator).then(|| crate::book::name(who));
        let which = Which::Alerts(vec![alert]);
        let order = Order::Acknowledge(Acknowledge { which, recipient, comment: None });
        self.order(ix, "acknowledge", order);
    }

    fn comment(&mut self, ix: Ix) {
        let Some(alert) = self.some_alert(ix) else { return };
        let order = Order::Comment { which: Which::Alerts(vec![alert]), text: "a word".into() };
        self.order(ix, "comment", order);
    }

    fn anything(&mut self, ix: Ix) {
        match self.rng.between(0, 9) {
            0 | 1 => self.edit_book(ix),
            2 => self.order(ix, "force-primary", Order::ForcePrimary),
            3 => self.order(ix, "pause", Order::Pause { reason: "work".into() }),
            4 | 5 => self.order(ix, "resume", Order::Resume { discard: false }),
            6 => self.switch(ix),
            7 => {
                let by_hand = Some(self.rng.per_mille(500));
                self.order(ix, "conduct", Order::Conduct { passive: None, by_hand, maintenance: None });
            }
            8 => {
                if let Some(alert) = self.some_alert(ix) {
                    self.order(ix, "close", Order::Close { which: Which::Alerts(vec![alert]) });
                }
            }
            _ => {
                if let Some(alert) = self.some_alert(ix) {
                    self.order(ix, "escalate", Order::Escalate { which: Which::Alerts(vec![alert]) });
                }
            }
        }
    }

    /// Some alerts are silenced for seconds, at once or in a while.
    fn silence(&mut self, ix: Ix) {
        let (wait, lasts) = (self.rng.between(0, 3000), self.rng.between(500, 6000));
        let wait = if self.rng.per_mille(600) { 0 } else { wait };
        let which = ["site=north", "site=south", "severity=high", "alertname=~\"notice .*[05]\""];
        let matchers = self.rng.pick(&which).and_then(|text| text.parse().ok()).unwrap_or_default();
        let from = self.machine(ix).now(self.now).wall + Duration::from_millis(wait);
        let by = Actor { who: "user:bea".into(), via: Via::Api, from: None };
        let until = from + Duration::from_millis(lasts);
        let silence = Silence { matchers, from, until, by, author: "bea".into(), comment: "works".into() };
        self.order(ix, "silence", Order::Silence(Arc::new(silence)));
    }

    fn end_silence(&mut self, ix: Ix) {
        let Some(core) = &self.machine(ix).core else { return };
        let wall = self.machine(ix).now(self.now).wall;
        let ahead = core.state().silences.iter().filter(|(_, it)| it.span().1 > wall);
        let ahead: Vec<RecordId> = ahead.map(|(id, _)| *id).collect();
        if let Some(silence) = self.rng.pick(&ahead) {
            self.order(ix, "end a silence", Order::Unsilence { silence });
        }
    }

    fn switch(&mut self, ix: Ix) {
        let order = if self.rng.per_mille(800) {
            Order::SwitchOver { to: None, because: "by hand".into() }
        } else {
            Order::TakeOver { because: "by hand".into() }
        };
        self.order(ix, "switch-over", order);
    }

    /// Changes what a node is for, or takes one out of the cluster for good.
    fn enrol_somebody(&mut self, ix: Ix) {
        let whom = self.rng.below(self.plan.nodes);
        if self.machine(ix).witness
            || whom == ix
            || self.dismissed == Some(whom)
            || self.dismissed == Some(ix)
        {
            return;
        }
        if self.plan.nodes > 2 && self.dismissed.is_none() && whom > 0 && self.rng.per_mille(300) {
            let node = self.machine(whom).node;
            self.dismissed = Some(whom);
            return self.order(ix, "dismiss", Order::Dismiss { node });
        }
        let mut member = self.member(whom);
        if member.role != Role::Witness && whom > 0 {
            member.role = self.rng.pick(&[Role::Member, Role::Backup]).unwrap_or_default();
        }
        self.order(ix, "enrol", Order::Enrol { member });
    }

    /// When everything is mended, what people stopped goes on.
    fn last_word(&mut self) {
        if self.now > crate::world::HEAL_AT + 4000 {
            return;
        }
        self.after(3000, 3000, Event::Act);
        let ix = self.rng.below(self.plan.nodes);
        if self.plan.profile.people == People::Busy {
            self.order(ix, "resume", Order::Resume { discard: false });
            self.order(
                ix,
                "conduct",
                Order::Conduct { passive: None, by_hand: Some(false), maintenance: None },
            );
        }
    }
}
