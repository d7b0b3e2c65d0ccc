//! What people ask of the cluster: who belongs to it, how it behaves, and a switch-over that interrupts nothing.

use crate::adopt::FRONT;
use crate::directory::Edition;
use crate::input::{Answer, Refusal, Ticket};
use crate::record::{Actor, Conduct, Duty, Record};
use crate::run::Turn;
use crate::{Dispatch, Effect};
use base::{AlertId, Mono, NodeId, Now};
use ownership::{Condition, Member};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long what is on its way may take before a switch-over is called off.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// A switch-over that waits for what is on its way.
#[derive(Clone, Debug)]
pub(crate) struct SwitchOver {
    /// Who waits for it; nobody, where the node hands over because it stops.
    ticket: Option<Ticket>,
    by: Actor,
    to: NodeId,
    because: Arc<str>,
    until: Mono,
}

impl Dispatch {
    /// Takes a node into the cluster, or changes what is known of it.
    pub(crate) fn enrol_member(
        &mut self,
        now: Now,
        by: &Actor,
        member: Member,
        out: &mut Vec<Effect>,
    ) -> Answer {
        let node = member.node;
        self.write_member(now, by, node, Some(member), out);
        // The book needs one writer as soon as there are two nodes: the one that has it.
        if self.state.edition.writer.is_none() && self.cluster.members().len() > 1 {
            self.open_term(now, by, "there is more than one node from now on", out);
        }
        self.done(Vec::new())
    }

    fn write_member(
        &mut self,
        now: Now,
        by: &Actor,
        node: NodeId,
        member: Option<Member>,
        out: &mut Vec<Effect>,
    ) {
        let generation = self.state.members.get(&node).map_or(0, |(generation, _)| *generation) + 1;
        self.append(now, Record::Member { node, generation, member, by: by.clone() }, out);
        self.enrol(now);
    }

    /// Takes a node out of the cluster. What it owns can be claimed at once.
    pub(crate) fn dismiss(
        &mut self,
        now: Now,
        by: &Actor,
        node: NodeId,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if !self.cluster.members().contains_key(&node) {
            return Err(Refusal::UnknownNode { node });
        }
        self.write_member(now, by, node, None, out);
        Ok(self.done(Vec::new()))
    }

    pub(crate) fn conduct(
        &mut self,
        now: Now,
        by: &Actor,
        (passive, by_hand, maintenance): (Option<bool>, Option<bool>, Option<Option<Arc<str>>>),
        out: &mut Vec<Effect>,
    ) -> Answer {
        let present = self.state.conduct.clone();
        let conduct = Conduct {
            generation: present.generation + 1,
            passive: passive.unwrap_or(present.passive),
            by_hand: by_hand.unwrap_or(present.by_hand),
            maintenance: maintenance.unwrap_or(present.maintenance),
        };
        self.append(now, Record::Conduct { conduct, by: by.clone() }, out);
        self.done(Vec::new())
    }

    /// Becomes the one node that changes the directory.
    pub(crate) fn force_primary(&mut self, now: Now, by: &Actor, out: &mut Vec<Effect>) -> Answer {
        self.open_term(now, by, "this node was made the directory primary by force", out);
        self.done(Vec::new())
    }

    fn open_term(&mut self, now: Now, by: &Actor, summary: &str, out: &mut Vec<Effect>) {
        let present = &self.state.edition;
        let edition = Edition {
            term: present.term + 1,
            version: present.version + 1,
            writer: Some(self.me.node),
            follows: present.place(),
            directory: Arc::clone(&present.directory),
        };
        self.append(now, Record::Directory { edition, by: by.clone(), summary: summary.into() }, out);
    }

    /// Whether this node may change the directory.
    pub(crate) fn may_write(&self) -> Result<(), Refusal> {
        match self.state.edition.writer {
            Some(writer) if writer != self.me.node && !self.cluster.is_alone() => {
                let primary = self.cluster.members().get(&writer).cloned().map(Arc::new);
                Err(Refusal::NotPrimary { primary })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the front without asking who has it.
    pub(crate) fn take_front(&mut self, now: Now, because: Arc<str>, out: &mut Vec<Effect>) -> Answer {
        self.claim_duty(now, crate::bind::constant(FRONT), because, out);
        let orphans: BTreeSet<AlertId> = self
            .runs
            .iter()
            .filter(|(_, run)| run.owner != self.me && self.cluster.is_dead(run.owner, now.mono))
            .map(|(alert, _)| *alert)
            .collect();
        if !orphans.is_empty() {
            self.take_over(now, &orphans, out);
        }
        self.done(Vec::new())
    }

    /// What blocks a switch-over now, in words.
    pub fn blockers(&self, to: Option<NodeId>) -> Vec<Arc<str>> {
        let mut why: Vec<Arc<str>> = Vec::new();
        let name = |node: NodeId| {
            let member = self.cluster.members().get(&node);
            member.map_or_else(|| node.to_string(), |member| member.name.to_string())
        };
        if self.cluster.is_alone() {
            why.push("there is no other node".into());
        }
        let wanted = |node: NodeId| to.is_none_or(|to| to == node);
        for (node, condition) in self.not_level().into_iter().filter(|(node, _)| wanted(*node)) {
            why.push(format!("{} is {}", name(node), condition.word()).into());
        }
        if self.switch_over.is_some() {
            why.push("another switch-over is under way".into());
        }
        if self.draining {
            why.push("this node is about to stop".into());
        }
        why
    }

    /// Begins a switch-over: nothing new goes out, and what is on its way is waited for.
    pub(crate) fn switch_over(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &Actor,
        (to, because): (Option<NodeId>, Arc<str>),
        out: &mut Vec<Effect>,
    ) {
        let target = to.or_else(|| self.next_in_line());
        let why = self.blockers(to.or(target));
        match target {
            Some(node) if !self.cluster.members().contains_key(&node) || node == self.me.node => {
                Self::refuse(ticket, Refusal::UnknownNode { node }, out);
            }
            Some(to) if why.is_empty() => {
                let until = now.mono + DRAIN_MAX;
                self.switch_over =
                    Some(SwitchOver { ticket: Some(ticket), by: by.clone(), to, because, until });
            }
            Some(_) | None => Self::refuse(ticket, Refusal::Blocked { why }, out),
        }
    }

    /// Hands out nothing more, and hands over what is left to a peer that can go on with it: then it need not
    /// guess what was sent.
    pub(crate) fn drain(&mut self, now: Now) {
        let target = self.next_in_line().filter(|_| self.blockers(None).is_empty());
        self.draining = true;
        if let Some(to) = target {
            let because = "the node stops".into();
            let (by, until) = (Actor::ourselves(), now.mono + DRAIN_MAX);
            self.switch_over = Some(SwitchOver { ticket: None, by, to, because, until });
        }
    }

    /// The first in the order of precedence that could go on with what this node sends.
    fn next_in_line(&self) -> Option<NodeId> {
        let rank = |node: &NodeId| self.cluster.members().get(node).map_or(u16::MAX, |member| member.rank);
        let able = |node: &NodeId| {
            let member = self.cluster.members().get(node);
            let sends = member.is_some_and(|member| member.role != ownership::Role::Witness);
            sends && self.cluster.condition(*node) == Some(Condition::Up)
        };
        self.cluster.peers().filter(able).min_by_key(rank)
    }

    /// Hands over once nothing is on its way any more; calls it off where that takes too long.
    pub(crate) fn go_on_switching(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(SwitchOver { to, until, .. }) = &self.switch_over else { return };
        let (to, until) = (*to, *until);
        let on_its_way = self.flights.len();
        let condition = self.cluster.condition(to);
        let lost = condition != Some(Condition::Up);
        if on_its_way > 0 && now.mono < until && !lost {
            return;
        }
        let Some(SwitchOver { ticket, by, because, .. }) = self.switch_over.take() else { return };
        let target = self.cluster.living(to).filter(|_| !lost && on_its_way == 0);
        let Some(target) = target else {
            let mut why: Vec<Arc<str>> = Vec::new();
            if on_its_way > 0 {
                why.push(format!("{on_its_way} message(s) are still on their way").into());
            }
            if lost {
                why.push(format!("the other node is {}", condition.map_or("gone", Condition::word)).into());
            }
            if let Some(ticket) = ticket {
                Self::refuse(ticket, Refusal::Blocked { why }, out);
            }
            return;
        };
        let mine: BTreeSet<AlertId> = self.owned.of(self.me).collect();
        let claims = self.claims(&mine);
        self.append(now, Record::Note { by, what: format!("switch-over: {because}").into() }, out);
        self.append(now, Record::Release { to: target, claims: claims.clone() }, out);
        if self.in_control() == self.me {
            let duty = crate::bind::constant(FRONT);
            let epoch = self.state.duties.get(&duty).map_or(0, |(epoch, ..)| *epoch) + 1;
            self.append(now, Record::Duty(Duty { duty, epoch, to: target, because }), out);
        }
        self.reassign(now, &claims);
        let alerts =
            mine.into_iter().filter(|alert| self.runs.get(alert).is_some_and(|run| run.turn == Turn::Theirs));
        let done = self.done(alerts.collect());
        // Without anybody who asked it is waited for all the same: the node stops once its peers know.
        self.answer(None, ticket.unwrap_or(Ticket(0)), done);
    }

    /// Nothing new is handed out, because a switch-over is under way.
    pub(crate) fn is_switching(&self) -> bool {
        self.switch_over.is_some()
    }

    pub(crate) fn switch_deadline(&self) -> Option<Mono> {
        self.switch_over.as_ref().map(|switch| switch.until)
    }
}
