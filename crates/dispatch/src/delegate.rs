//! A channel can be on another node: the boot that has the modem sends for the owner, who keeps the alert.
//!
//! The owner says so in a record, for one alert and one channel. The delegate announces, sends and concludes as
//! it does for its own. Its death gives the work back: the owner looks for another, or tells the operators.

use crate::record::Record;
use crate::run::Turn;
use crate::state::{Open, Sent};
use crate::{Dispatch, Effect};
use base::{AlertId, Name, Now};
use std::collections::BTreeSet;

/// Alerts delegated in one turn; the rest follow in the next.
const DELEGATED_PER_TURN: usize = 256;

impl Dispatch {
    /// This boot may send for an alert by a channel now: it owns it, or was asked to by who does.
    pub(crate) fn may_send(&self, alert: AlertId, channel: &Name) -> bool {
        self.active && self.state.owner(alert) == self.me
            || self.runs.get(&alert).is_some_and(|run| run.delegated.contains(channel))
    }

    /// Gives away what waits for channels that no provider of this node serves and one of a peer does.
    pub(crate) fn delegate_unserved(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.cluster.is_alone() {
            return;
        }
        let unserved = self.channels.iter().filter(|(_, channel)| channel.selection.is_none());
        let served: Vec<_> = unserved
            .filter(|(_, channel)| !channel.lane.is_empty())
            .filter_map(|(name, _)| Some((name.clone(), self.cluster.serving(name)?)))
            .collect();
        for (channel, to) in served {
            let waiting: Vec<AlertId> = self
                .channels
                .get(&channel)
                .into_iter()
                .flat_map(|entry| entry.lane.waiting())
                .filter(|alert| self.state.owner(*alert) == self.me)
                .take(DELEGATED_PER_TURN)
                .collect();
            for alert in waiting {
                let epoch = self.state.epoch(alert.0.log);
                let record = Record::Delegate { alert, channel: channel.clone(), epoch, to };
                self.append(now, record, out);
                if let Some(entry) = self.channels.get_mut(&channel) {
                    entry.lane.withdraw(alert, |_| true);
                }
            }
        }
    }

    /// What a delegate that died was to send is the owner's again.
    pub(crate) fn reclaim_delegated(&mut self, now: Now, out: &mut Vec<Effect>) {
        let lost: Vec<(AlertId, Name)> = self
            .owned
            .of(self.me)
            .flat_map(|alert| {
                let delegates = self.state.open.get(&alert).map(|open| &open.facts.delegates);
                let all = delegates.into_iter().flatten();
                let dead =
                    all.filter(|(_, (_, _, to))| *to != self.me && self.cluster.is_dead(*to, now.mono));
                dead.map(move |(channel, _)| (alert, channel.clone())).collect::<Vec<_>>()
            })
            .collect();
        for (alert, channel) in lost {
            // Said aloud: a delegate that was only out of hearing stops when it reads this.
            let epoch = self.state.epoch(alert.0.log);
            self.append(now, Record::Delegate { alert, channel, epoch, to: self.me }, out);
            self.fan_all(now, alert);
        }
    }

    /// A delegation arrived, or is over: what this boot sends for another's alert follows it.
    pub(crate) fn follow_delegation(&mut self, now: Now, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return };
        let asked = open.facts.delegates.iter().filter(|(_, (_, _, to))| *to == self.me);
        let channels: BTreeSet<Name> = match run.turn {
            Turn::Ours | Turn::Awaited => BTreeSet::new(),
            Turn::Theirs => asked.map(|(channel, _)| channel.clone()).collect(),
        };
        if channels == run.delegated {
            return;
        }
        if let Some(run) = self.runs.get_mut(&alert) {
            run.delegated = channels;
        }
        self.fan_all(now, alert);
    }

    /// A delegate that lives has something left to send for an alert of ours.
    pub(crate) fn is_delegated_work_left(&self, alert: AlertId) -> bool {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get(&alert)) else { return false };
        if open.facts.delegates.is_empty() || run.turn != Turn::Ours {
            return false;
        }
        let theirs = |channel: &Name| {
            let delegate = open.facts.delegates.get(channel);
            delegate.is_some_and(|(_, _, to)| *to != self.me && self.cluster.living(to.node) == Some(*to))
        };
        open.facts.fired.iter().any(|(step, fired)| {
            run.roster.told(*step, &fired.on_call, &fired.withheld).iter().any(|reach| {
                let purpose = crate::record::Purpose::Alert(*step);
                let address = run.roster.at(*reach).map(|(_, address)| address);
                address.is_some_and(|address| theirs(&address.channel))
                    && crate::delivery::wanted(open, run, *reach, purpose)
                    && !is_settled(open, alert, run, *reach, purpose)
            })
        })
    }
}

fn is_settled(
    open: &Open,
    alert: AlertId,
    run: &crate::run::Run,
    reach: crate::record::Reach,
    purpose: crate::record::Purpose,
) -> bool {
    let sent = crate::run::identify(alert, &run.roster, reach, purpose);
    sent.and_then(|id| open.facts.sent.get(&id)).is_some_and(Sent::concluded)
}
