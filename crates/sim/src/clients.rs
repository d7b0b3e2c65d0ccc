//! Programs that send notices: each wants a yes from some node, and asks the next one if it gets none.

use crate::book::STANDS_FOR;
use crate::history::Fact;
use crate::machine::Asker;
use crate::net::Ix;
use crate::profile::People;
use crate::queue::Ms;
use crate::world::{Event, HEAL_AT, World};
use base::{Hasher, Wall};
use dispatch::directory::{Civil, Severity, Target};
use dispatch::record::{Content, Origin};
use dispatch::{Answer, Input, Notice, Refusal, Ticket};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// To one node after the other, under an idempotency key, until one says yes.
    Keyed,
    /// To all nodes, with a fingerprint, again and again, and in the end that it is over.
    Everywhere {
        /// When it is over; none if nobody says so.
        over_at: Option<Ms>,
    },
    /// To one node, once.
    Once,
}

/// A client with its one notice.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) manner: Manner,
    hosts: Vec<Ix>,
    at: usize,
    pub(crate) policy: &'static str,
    to: &'static str,
    /// A node said yes.
    pub(crate) answered: bool,
    posts: u32,
}

impl World {
    pub(crate) fn plan_notices(&mut self) {
        for ix in 0..self.plan.profile.notices {
            let at = self.rng.between(1500, HEAL_AT - 2000);
            let everywhere = self.rng.per_mille(250);
            let over = self.rng.per_mille(600).then(|| at + self.rng.between(1000, 6000));
            let manner = match everywhere {
                true => Manner::Everywhere { over_at: over },
                false if self.rng.per_mille(800) => Manner::Keyed,
                false => Manner::Once,
            };
            let mut hosts: Vec<Ix> = (0..self.plan.nodes).collect();
            for place in 0..hosts.len() {
                let other = place + self.rng.below(hosts.len() - place);
                hosts.swap(place, other);
            }
            let policy = if everywhere {
                "lasting"
            } else {
                self.rng.pick(&["basic", "basic", "recall", "quiet"]).unwrap_or("basic")
            };
            let to = self.rng.pick(&["pumps", "anna", "chief", "rota", "rota"]).unwrap_or("anna");
            // One that reaches nobody on call, and has no step besides, lasts until it expires: days, not seconds.
            let policy = if to == "rota" && !everywhere { "basic" } else { policy };
            self.clients.push(Client { manner, hosts, at: 0, policy, to, answered: false, posts: 0 });
            self.agenda.at(at, Event::Try(ix));
        }
    }

    /// A client sends.
    pub(crate) fn try_client(&mut self, ix: usize) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(ix) else { return };
        match client.manner {
            Manner::Everywhere { over_at } => {
                let over = over_at.is_some_and(|over| over <= now);
                client.posts += 1;
                let again = client.posts < 6;
                for host in client.hosts.clone() {
                    self.after(1, 5, Event::Submit(ix, host, over));
                }
                if again {
                    self.after(1500, 2500, Event::Try(ix));
                }
            }
            Manner::Keyed | Manner::Once => {
                if client.answered {
                    return;
                }
                let host = client.hosts.get(client.at % client.hosts.len()).copied().unwrap_or(0);
                client.at += 1;
                let again = client.manner == Manner::Keyed;
                self.after(1, 5, Event::Submit(ix, host, false));
                if again {
                    self.agenda.at(now + Self::patience(), Event::Try(ix));
                }
            }
        }
    }

    /// A notice reached a node.
    pub(crate) fn submit(&mut self, ix: usize, host: Ix, resolved: bool) {
        if !self.machine(host).is_up() {
            return;
        }
        let notice = self.notice(ix, resolved);
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.tell(|world| {
            let what = if resolved { "is over" } else { "comes in" };
            format!("{} notice {ix} {what}", world.name(host))
        });
        self.machine_mut(host).asked.insert(ticket, Asker::Client(ix));
        self.handle(host, Input::Notice { ticket, notice: Box::new(notice) });
    }

    fn notice(&self, ix: usize, resolved: bool) -> Notice {
        let client = &self.clients[ix];
        let text: Arc<str> = format!("notice {ix}").into();
        let digest = Hasher::new("request").text(&text).finish();
        let key = (client.manner == Manner::Keyed).then(|| (format!("key-{ix}").into(), digest));
        let lasting = matches!(client.manner, Manner::Everywhere { .. });
        // Such an alert is over when nobody posts it any more.
        let over_at = matches!(client.manner, Manner::Everywhere { over_at: Some(_) });
        let stands = lasting && !over_at && self.plan.profile.people == People::Silencing;
        let origin = Origin { annotations: BTreeMap::new(), generator: "".into(), starts: Wall(0) };
        let site = if ix.is_multiple_of(2) { "north" } else { "south" };
        let severity = if ix.is_multiple_of(3) { Severity::Critical } else { Severity::High };
        Notice {
            source: crate::book::name("scada"),
            key,
            fingerprint: lasting.then(|| Hasher::new("fingerprint").text(&text).finish()),
            resolved,
            stands_for: stands.then_some(STANDS_FOR),
            content: Content {
                severity,
                summary: text,
                details: "".into(),
                labels: [("site".into(), site.into()), ("severity".into(), severity.word().into())].into(),
                origin: stands.then(|| Arc::new(origin)),
            },
            to: vec![Target::Named(crate::book::name(client.to))],
            policy: Some(crate::book::name(client.policy)),
            choices: Vec::new(),
            civil: Civil::default(),
        }
    }

    /// A client's answer. A refusal makes it go on to the next node.
    pub(crate) fn hear_answer(&mut self, ix: usize, answer: &Answer) {
        self.observe(&Fact::Answered { client: ix, answer });
        let retry = match answer {
            Answer::Taken { .. } | Answer::Done { .. } | Answer::Silenced { .. } => false,
            Answer::Refused(
                Refusal::Witness
                | Refusal::DiskFull { .. }
                | Refusal::UnknownTarget { .. }
                | Refusal::UnknownPolicy { .. }
                | Refusal::Solo
                | Refusal::NoRoute,
            ) => true,
            Answer::Refused(other) => {
                self.violate("i12_answers", format!("notice {ix} is refused: {other:?}"));
                false
            }
        };
        if let Some(client) = self.clients.get_mut(ix) {
            client.answered |= !retry;
        }
    }
}
