//! Somebody takes responsibility: what that stops, and whom it is told to.

use crate::clock::Moment;
use crate::directory::{Mode, Unsent};
use crate::input::{Acknowledge, Answer, Refusal};
use crate::lane::{Fan, List};
use crate::record::{Acknowledgement, Actor, Chosen, Purpose, Reach, Record};
use crate::run::Turn;
use crate::state::Sent;
use crate::{Dispatch, Effect};
use base::{AlertId, Name, Now, RecordId};
use std::collections::{BTreeMap, BTreeSet};

impl Dispatch {
    /// Acknowledges alerts, on behalf of `recipient` or, without one, for everybody.
    ///
    /// Acknowledging again changes nothing and is no error: people press twice.
    pub(crate) fn acknowledge(
        &mut self,
        now: Now,
        by: &Actor,
        order: &Acknowledge,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let mut alerts = self.resolve_which(&order.which, order.recipient.as_ref())?;
        if let Some(name) = &order.recipient {
            alerts.extend(self.acknowledged_along(&alerts, name));
        }
        for alert in &alerts {
            self.acknowledge_one(now, *alert, by, (order, None), out);
        }
        Ok(self.done(alerts.into_iter().collect()))
    }

    /// The other open alerts of a recipient, where a policy says that one acknowledgement is for all.
    pub(crate) fn acknowledged_along(&self, alerts: &BTreeSet<AlertId>, name: &Name) -> Vec<AlertId> {
        let for_all = alerts
            .iter()
            .any(|alert| self.runs.get(alert).is_some_and(|run| run.roster.policy.acknowledges_all));
        if !for_all {
            return Vec::new();
        }
        let mine = self.runs.iter().filter(|(_, run)| run.mode() != Mode::None && run.index.holds(name));
        mine.map(|(alert, _)| *alert).collect()
    }

    /// Acknowledges one alert, by an answer if one was `chosen`.
    pub(crate) fn acknowledge_one(
        &mut self,
        now: Now,
        alert: AlertId,
        by: &Actor,
        (order, chosen): (&Acknowledge, Option<Chosen>),
        out: &mut Vec<Effect>,
    ) {
        let Some(run) = self.runs.get_mut(&alert) else { return };
        let again = match &order.recipient {
            Some(name) => run.acked.contains(name),
            None => run.acked_for_all,
        };
        if again && order.comment.is_none() && chosen.is_none() {
            return;
        }
        let ack = Acknowledgement {
            at: now.wall,
            recipient: order.recipient.clone(),
            by: by.clone(),
            comment: order.comment.clone(),
            chosen,
        };
        let first = run.acked_at.is_none();
        run.count_ack(order.recipient.as_ref());
        let record = self.append(now, Record::Ack { alert, ack }, out);
        self.after_ack(now, alert, first.then_some(record), out);
    }

    /// Stops what an acknowledgement stops, and tells those it is told to.
    fn after_ack(&mut self, now: Now, alert: AlertId, first: Option<RecordId>, out: &mut Vec<Effect>) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        if run.acknowledged(&open.facts) {
            run.acked_at.get_or_insert_with(|| Moment::now(now));
            if run.roster.policy.unsent == Unsent::Stop || run.mode() == Mode::Recall {
                self.withdraw(alert, |purpose| matches!(purpose, Purpose::Alert(_)));
            }
        }
        self.schedule(alert);
        self.set_lapse(alert);
        if let Some(record) = first {
            self.fan_ack(alert, record);
        }
        self.settle(now, alert, out);
    }

    /// Queues the news of an acknowledgement for those who were told of the alert. In recall mode there is
    /// none: a thousand acknowledgements would make a million messages.
    pub(crate) fn fan_ack(&mut self, alert: AlertId, record: RecordId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        if run.roster.policy.tell_acknowledgement && run.mode() == Mode::Basic {
            let except = open.facts.acks.get(&record).and_then(|ack| ack.recipient.clone());
            self.fan_told(alert, Purpose::Acknowledgement(record), except.as_ref());
        }
    }

    /// Queues a notification for everybody who was told of an alert, or may have been, before what the
    /// notification is about: later ones have read it in their own message, or never knew the alert.
    pub(crate) fn fan_told(&mut self, alert: AlertId, purpose: Purpose, except: Option<&Name>) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        if run.turn != Turn::Ours && run.delegated.is_empty() {
            return;
        }
        let about = match purpose {
            Purpose::Acknowledgement(record) | Purpose::Comment(record) => Some(record),
            Purpose::Alert(_) | Purpose::End => None,
        };
        let mut by_channel: BTreeMap<&Name, BTreeSet<Reach>> = BTreeMap::new();
        for sent in open.facts.sent.values() {
            let told = matches!(sent.purpose, Purpose::Alert(_))
                && (sent.accepted() || !sent.concluded())
                && about.is_none_or(|about| precedes(sent, about));
            if told
                && Some(&sent.recipient) != except
                && run.sends_by(&sent.address.channel)
                && let Some(reach) = run.reach(sent)
            {
                by_channel.entry(&sent.address.channel).or_default().insert(reach);
            }
        }
        for (channel, reach) in by_channel {
            let list = List::These(reach.into_iter().collect());
            let lane = &mut self.channels.entry(channel.clone()).or_default().lane;
            lane.push_fan(alert, run.rank, Fan { purpose, list, next: 0 });
        }
    }

    /// Takes from every channel what `gone` says of an alert's queue.
    pub(crate) fn withdraw(&mut self, alert: AlertId, gone: impl Fn(Purpose) -> bool) {
        for channel in self.channels.values_mut() {
            channel.lane.withdraw(alert, &gone);
        }
        self.bundles.withdraw(alert, &gone);
        let Some(run) = self.runs.get_mut(&alert) else { return };
        let due = &mut self.retries_due;
        run.retries.retain(|(at, job)| {
            let stays = !gone(job.purpose);
            if !stays {
                due.remove(&(*at, alert, *job));
            }
            stays
        });
    }
}

/// A notification was first announced before `record` was written, as far as one node's records tell.
fn precedes(sent: &Sent, record: RecordId) -> bool {
    let first = sent.attempts.first().map(|attempt| attempt.intent);
    first.is_some_and(|first| first.log.node != record.log.node || first < record)
}
