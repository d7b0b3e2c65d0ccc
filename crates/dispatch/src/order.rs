//! Carries out what people and programs ask for.
//!
//! Each order either does all it says or is refused with nothing changed. Orders about "all" alerts are
//! written down alert by alert: a predicate evaluated in the fold would hit other alerts on another node.

use crate::directory::Edition;
use crate::input::{Answer, Order, Refusal, Ticket, Which};
use crate::record::{Actor, Code, Comment, End, Purpose, Record, Why};
use crate::run::{Run, Turn};
use crate::{Dispatch, Effect};
use base::limits::COMMENTS_MAX;
use base::{AlertId, Name, Now, RecordId, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Dispatch {
    /// Carries out an order, and answers once it is durable.
    pub(crate) fn obey(&mut self, now: Now, ticket: Ticket, by: &Actor, order: Order, out: &mut Vec<Effect>) {
        if self.takes_no_orders(&order) {
            Self::refuse(ticket, Refusal::Witness, out);
            return;
        }
        if let Order::SwitchOver { to, because } = order {
            self.switch_over(now, ticket, by, (to, because), out);
            return;
        }
        let done = match order {
            Order::Acknowledge(order) => self.acknowledge(now, by, &order, out),
            Order::Choose(order) => self.choose_answer(now, by, &order, out),
            Order::Comment { which, text } => self.comment(now, by, &which, &text, out),
            Order::Close { which } => self.end_all(now, by, &which, Why::ByHand, out),
            Order::Escalate { which } => self.escalate(now, by, &which, out),
            Order::DeletePending { which } => self.delete_pending(now, by, &which, out),
            Order::Pause { reason } => Ok(self.pause(now, by, &reason, out)),
            Order::Resume { discard } => self.resume(now, by, discard, out),
            Order::Silence(silence) => self.silence(now, silence, out),
            Order::Unsilence { silence } => self.unsilence(now, by, silence, out),
            Order::Directory { directory, expected, summary } => {
                self.replace_directory(now, by, (directory, expected, summary), out)
            }
            Order::Enrol { member } => Ok(self.enrol_member(now, by, member, out)),
            Order::Dismiss { node } => self.dismiss(now, by, node, out),
            Order::Conduct { passive, by_hand, maintenance } => {
                Ok(self.conduct(now, by, (passive, by_hand, maintenance), out))
            }
            Order::TakeOver { because } => Ok(self.take_front(now, because, out)),
            Order::ForcePrimary => Ok(self.force_primary(now, by, out)),
            Order::SwitchOver { .. } => Ok(self.done(Vec::new())), // Answered above, when it is through.
            Order::Warn { standing } => {
                self.warn(now, standing, out);
                Ok(self.done(Vec::new()))
            }
            Order::Ping { monitor, ping } => self.ping(now, by, (&monitor, &ping), out),
            Order::Beat(beat) => self.beat(now, &beat, out),
            Order::Note { what } => {
                self.append(now, Record::Note { by: by.clone(), what }, out);
                Ok(self.done(Vec::new()))
            }
        };
        match done {
            Ok(answer) => self.answer(None, ticket, answer),
            Err(refusal) => Self::refuse(ticket, refusal, out),
        }
    }

    /// What a witness writes reaches nobody: an order that it took would be done here and nowhere else. Who does not
    /// belong to the cluster may still found one.
    fn takes_no_orders(&self, order: &Order) -> bool {
        let witness = self.cluster.members().contains_key(&self.me.node);
        let may = match order {
            Order::Warn { .. } => true, // It writes down what it cannot tell anybody.
            Order::Enrol { .. } => !witness,
            Order::Acknowledge(_)
            | Order::Choose(_)
            | Order::Comment { .. }
            | Order::Close { .. }
            | Order::Escalate { .. }
            | Order::DeletePending { .. }
            | Order::Pause { .. }
            | Order::Resume { .. }
            | Order::Silence(_)
            | Order::Unsilence { .. }
            | Order::Directory { .. }
            | Order::Dismiss { .. }
            | Order::Conduct { .. }
            | Order::SwitchOver { .. }
            | Order::TakeOver { .. }
            | Order::ForcePrimary
            | Order::Ping { .. }
            | Order::Beat(_)
            | Order::Note { .. } => false,
        };
        self.is_bystander() && !may
    }

    pub(crate) fn done(&self, alerts: Vec<AlertId>) -> Answer {
        Answer::Done { alerts, version: self.state.edition.version, copies: 0 }
    }

    /// The open alerts that `which` stands for. A code counts only for a recipient it was sent to.
    pub(crate) fn resolve_which(
        &self,
        which: &Which,
        recipient: Option<&Name>,
    ) -> Result<BTreeSet<AlertId>, Refusal> {
        match which {
            Which::All => {
                let theirs = |run: &Run| recipient.is_none_or(|name| run.index.holds(name));
                Ok(self.runs.iter().filter(|(_, run)| theirs(run)).map(|(alert, _)| *alert).collect())
            }
            Which::Alerts(alerts) => {
                let targets = alerts.iter().map(|alert| self.state.target(*alert));
                let open: BTreeSet<_> = targets.filter(|alert| self.runs.contains_key(alert)).collect();
                let named = || alerts.iter().map(|alert| alert.to_string().into()).collect();
                if open.is_empty() { Err(Refusal::NotOpen { named: named() }) } else { Ok(open) }
            }
            Which::Codes(codes) => codes.iter().map(|code| self.find_code(*code, recipient)).collect(),
        }
    }

    fn find_code(&self, code: Code, recipient: Option<&Name>) -> Result<AlertId, Refusal> {
        let alert = self.open_codes.get(&code).ok_or(Refusal::UnknownCode { code })?;
        let theirs = |name| self.runs.get(alert).is_some_and(|run| run.index.holds(name));
        if recipient.is_none_or(theirs) { Ok(*alert) } else { Err(Refusal::UnknownCode { code }) }
    }

    fn comment(
        &mut self,
        now: Now,
        by: &Actor,
        which: &Which,
        text: &Arc<str>,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let alerts = self.resolve_which(which, None)?;
        let full = |alert: &AlertId| {
            self.state.open.get(alert).is_some_and(|open| open.facts.comments.len() >= COMMENTS_MAX)
        };
        if alerts.iter().any(full) {
            return Err(Refusal::TooManyComments);
        }
        for alert in &alerts {
            let comment = Comment { at: now.wall, by: by.clone(), text: Arc::clone(text), answer: None };
            let record = self.append(now, Record::Comment { alert: *alert, comment }, out);
            self.fan_comment(*alert, record);
        }
        Ok(self.done(alerts.into_iter().collect()))
    }

    pub(crate) fn fan_comment(&mut self, alert: AlertId, record: RecordId) {
        // An answer is none: those of a thousand people would be told to a thousand.
        let said = self.state.open.get(&alert).is_some_and(|open| open.facts.comments.contains_key(&record));
        if said && self.runs.get(&alert).is_some_and(|run| run.roster.policy.tell_comment) {
            self.fan_told(alert, Purpose::Comment(record), None);
        }
    }

    fn end_all(
        &mut self,
        now: Now,
        by: &Actor,
        which: &Which,
        why: Why,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let alerts: Vec<_> = self.resolve_which(which, None)?.into_iter().collect();
        for alert in &alerts {
            self.end(now, *alert, End { at: now.wall, why, by: by.clone() }, out);
        }
        Ok(self.done(alerts))
    }

    fn delete_pending(
        &mut self,
        now: Now,
        by: &Actor,
        which: &Which,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let named = self.resolve_which(which, None)?;
        let pending: Vec<_> = named.into_iter().filter(|alert| self.is_pending(*alert)).collect();
        self.end_all(now, by, &Which::Alerts(pending.clone()), Why::Cancelled, out).or_else(|refusal| {
            // With nothing pending, all of it is deleted.
            if pending.is_empty() { Ok(self.done(pending)) } else { Err(refusal) }
        })
    }

    fn escalate(
        &mut self,
        now: Now,
        by: &Actor,
        which: &Which,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let alerts: Vec<_> = self.resolve_which(which, None)?.into_iter().collect();
        let mut fired = Vec::new();
        for alert in alerts {
            if self.fire(now, alert, Some(by), out) {
                fired.push(alert);
            }
        }
        if fired.is_empty() { Err(Refusal::NoFurtherStep) } else { Ok(self.done(fired)) }
    }

    fn pause(&mut self, now: Now, by: &Actor, reason: &Arc<str>, out: &mut Vec<Effect>) -> Answer {
        self.append(now, Record::Pause { by: by.clone(), reason: Arc::clone(reason) }, out);
        self.clock.pause(now.mono);
        self.tell_of_pause(now, by, reason, out);
        self.done(Vec::new())
    }

    fn resume(
        &mut self,
        now: Now,
        by: &Actor,
        discard: bool,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if self.state.pauses.is_empty() {
            return Err(Refusal::NotPaused);
        }
        // Our own alerts passed by the pause: none of them waited for its end.
        let theirs = self.runs.iter().filter(|(_, run)| !run.system).map(|(alert, _)| *alert);
        let waits = |alert: &AlertId| {
            let untold = self.runs.get(alert).is_some_and(|run| run.turn != Turn::Ours && !run.told);
            self.is_pending(*alert) || untold
        };
        let waited: Vec<_> = theirs.filter(waits).collect();
        let pauses: Vec<(RecordId, Wall)> =
            self.state.pauses.iter().map(|(id, pause)| (*id, pause.at)).collect();
        self.append(now, Record::Resume { pauses, by: by.clone() }, out);
        self.clock.resume(now.mono);
        self.pause_alarm = None;
        if !discard {
            return Ok(self.done(Vec::new()));
        }
        for alert in &waited {
            self.end(now, *alert, End { at: now.wall, why: Why::Cancelled, by: by.clone() }, out);
        }
        Ok(self.done(waited))
    }

    fn replace_directory(
        &mut self,
        now: Now,
        by: &Actor,
        (directory, expected, summary): (Arc<crate::directory::Directory>, Option<u64>, Arc<str>),
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        self.may_write()?;
        let present = &self.state.edition;
        if expected.is_some_and(|expected| expected != present.version) {
            return Err(Refusal::Stale { version: present.version });
        }
        let edition = Edition {
            term: present.term,
            version: present.version + 1,
            writer: present.writer,
            follows: present.follows,
            directory,
        };
        self.append(now, Record::Directory { edition, by: by.clone(), summary }, out);
        self.bindings.clear();
        self.forget_rosters(now, out);
        Ok(self.done(Vec::new()))
    }
}
