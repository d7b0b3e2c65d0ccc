//! Somebody answers with one of the choices that an alert offers: who comes and who cannot.
//!
//! Each recipient's last answer counts. An answer that takes responsibility is an acknowledgement that says more;
//! where everybody must acknowledge, each answer is one: whoever says "I cannot come" has been reached.

use crate::directory::Mode;
use crate::input::{Acknowledge, Answer, Choose, Refusal};
use crate::record::{Actor, Chosen, Comment, Record};
use crate::{Dispatch, Effect, record};
use base::{AlertId, Now};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Dispatch {
    /// Answers alerts. The same answer again changes nothing and is no error.
    pub(crate) fn choose_answer(
        &mut self,
        now: Now,
        by: &Actor,
        order: &Choose,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let alerts = self.resolve_which(&order.which, order.recipient.as_ref())?;
        for alert in &alerts {
            self.may_choose(*alert, order)?;
        }
        let mut along = BTreeSet::new();
        for alert in &alerts {
            along.extend(self.answer_one(now, *alert, by, order, out));
        }
        let ack = Acknowledge {
            which: order.which.clone(),
            recipient: order.recipient.clone(),
            comment: order.comment.clone(),
        };
        along.retain(|alert| !alerts.contains(alert));
        for alert in &along {
            self.acknowledge_one(now, *alert, by, (&ack, None), out);
        }
        Ok(self.done(alerts.into_iter().chain(along).collect()))
    }

    /// The alert offers that choice, to that recipient.
    fn may_choose(&self, alert: AlertId, order: &Choose) -> Result<(), Refusal> {
        let Some(run) = self.runs.get(&alert) else { return Ok(()) };
        let (code, choices) = (run.bound.code, &run.bound.choices);
        if order.recipient.as_ref().is_some_and(|name| !run.index.holds(name)) {
            return Err(Refusal::UnknownCode { code });
        }
        let offered = (1..=choices.len()).contains(&usize::from(order.number));
        let refusal = || Refusal::NoChoice { code, number: order.number, choices: choices.clone() };
        offered.then_some(()).ok_or_else(refusal)
    }

    /// Answers one alert; gives those that are acknowledged along with it.
    fn answer_one(
        &mut self,
        now: Now,
        alert: AlertId,
        by: &Actor,
        order: &Choose,
        out: &mut Vec<Effect>,
    ) -> Vec<AlertId> {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else {
            return Vec::new();
        };
        let Some(choice) = open.alert.choices.get(usize::from(order.number).saturating_sub(1)) else {
            return Vec::new();
        };
        let chosen = Chosen { number: order.number, text: Arc::clone(&choice.text) };
        let last = open.facts.answers.get(&order.recipient);
        if order.comment.is_none() && last.is_some_and(|last| last.chosen == chosen) {
            return Vec::new();
        }
        let recalled = run.mode() == Mode::Recall && order.recipient.is_some();
        if choice.acknowledges || recalled {
            let recipient = order.recipient.clone();
            let ack = Acknowledge { which: order.which.clone(), recipient, comment: order.comment.clone() };
            self.acknowledge_one(now, alert, by, (&ack, Some(chosen)), out);
            let one = BTreeSet::from([alert]);
            return order.recipient.iter().flat_map(|name| self.acknowledged_along(&one, name)).collect();
        }
        let said = order.comment.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        let text = format!("{}{said}", chosen.text).into();
        let (recipient, comment) = (order.recipient.clone(), order.comment.clone());
        let answer = Some(record::Answer { recipient, chosen, comment });
        let comment = Comment { at: now.wall, by: by.clone(), text, answer };
        self.append(now, Record::Comment { alert, comment }, out);
        Vec::new()
    }
}
