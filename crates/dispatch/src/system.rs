//! Tells the operators of our own troubles, by a path that avoids the part that failed.
//!
//! A system alert goes through the same machine as any other. It asks for no acknowledgement, passes by a
//! pause, leaves out channels that do not work where a person has another, and never begets another.

use crate::bind::{Binding, Routed, constant};
use crate::delivery::Channel;
use crate::input::{Notice, SYSTEM_SEVERITY};
use crate::record::{Actor, Code, Content, Record};
use crate::state::Sent;
use crate::{Dispatch, Effect};
use base::{AlertId, Hasher, Name, Now};
use selection::Health;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The same trouble is told of at most this often.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// A standing pause is told of this often.
const PAUSE_ALARM: Duration = Duration::from_secs(900);
/// Troubles remembered as told, before those that may be told again are dropped.
const TOLD_MAX: usize = 1000;
/// Codes spelled out in a summary of many alerts.
const CODES_NAMED: usize = 20;

impl Dispatch {
    /// Tells the operators that a trouble of a kind exists, unless they heard of it just now. Without
    /// operators it is in the trail alone.
    pub(crate) fn tell(&mut self, now: Now, kind: &str, summary: &str, details: &str, out: &mut Vec<Effect>) {
        if self.was_told(now, kind) {
            return;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.retain(|_, last| now.mono.since(*last) < AGAIN_AFTER);
        }
        self.told.insert(kind.into(), now.mono);
        let to = self.state.edition.directory.settings.operators.clone();
        let avoid = self.failing(now);
        let binding = Binding { to, policy: None, templates: Vec::new(), avoid, system: true };
        let sends = !binding.to.is_empty() && !self.is_bystander();
        let bound = if sends { self.bind(now, &binding, out).ok() } else { None };
        let Some(roster) = bound else {
            // A witness sends nothing, whomever the directory names.
            let remedy = if self.is_bystander() { "" } else { "; name somebody in settings.operators" };
            let what = format!("nobody to tell: {summary}{remedy}").into();
            self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
            return;
        };
        let content = Content {
            severity: SYSTEM_SEVERITY,
            summary: summary.into(),
            details: details.into(),
            labels: BTreeMap::from([("trouble".into(), kind.into())]),
            origin: None,
        };
        let fingerprint = Some(Hasher::new("system").text(kind).number(now.mono.0).finish());
        let notice = Notice {
            source: constant("steadfast"),
            key: None,
            fingerprint,
            resolved: false,
            stands_for: None,
            content,
            to: binding.to.clone(),
            policy: None,
            choices: Vec::new(),
            civil: crate::directory::Civil::default(),
        };
        let routed = Routed { route: constant("system"), binding, ttl: Duration::from_secs(7 * 24 * 3600) };
        self.open(now, notice, &routed, &roster, out);
    }

    /// The operators were told of that trouble so lately that they are not told again.
    fn was_told(&self, now: Now, kind: &str) -> bool {
        self.told.get(kind).is_some_and(|last| now.mono.since(*last) < AGAIN_AFTER)
    }

    /// The channels that nothing can go out by now.
    pub(crate) fn failing(&self, now: Now) -> BTreeSet<Name> {
        let failing = self.channels.iter().filter(|(_, channel)| !self.works(now, channel));
        failing.map(|(name, _)| name.clone()).collect()
    }

    /// Something can go out by a channel now.
    fn works(&self, now: Now, channel: &Channel) -> bool {
        let usable = |(name, health): (&Name, &Health)| {
            let open = self.providers.get(name).is_some_and(|provider| !provider.is_exhausted(now));
            *health == Health::Healthy && open
        };
        channel.selection.as_ref().is_some_and(|selection| selection.targets().any(usable))
    }

    /// A provider's daily quota is used up.
    pub(crate) fn tell_of_quota(&mut self, now: Now, channel: &Name, provider: &Name, out: &mut Vec<Effect>) {
        let works = self.channels.get(channel).is_some_and(|channel| self.works(now, channel));
        let then = if works { "go by another provider" } else { "wait" };
        let summary = format!("the daily quota of provider {provider} is used up");
        let details = format!("Further messages for {channel} {then} until midnight UTC.");
        self.tell(now, &format!("quota {provider}"), &summary, &details, out);
    }

    /// Tells once of each channel that something waits for and that no provider of this node serves.
    pub(crate) fn alarm_unserved(&mut self, now: Now, out: &mut Vec<Effect>) {
        let untold = |channel: &Channel| {
            channel.selection.is_none() && !channel.told_unserved && !channel.lane.is_empty()
        };
        let found: Vec<Name> = self
            .channels
            .iter()
            .filter(|(_, channel)| untold(channel))
            .map(|(name, _)| name.clone())
            .collect();
        for name in found {
            if let Some(channel) = self.channels.get_mut(&name) {
                channel.told_unserved = true;
            }
            let summary = format!("messages wait for {name}, and no provider of this node serves it");
            let details = "Add a provider for it, or give the recipients another address.";
            self.tell(now, &format!("unserved {name}"), &summary, details, out);
        }
    }

    /// Alerts of an earlier run cannot go on, because whom they are for could not be read.
    pub(crate) fn tell_of_lost(&mut self, now: Now, lost: &[Code], out: &mut Vec<Effect>) {
        if !lost.is_empty() {
            let summary = format!("{} alert(s) cannot go on: whom they are for is lost", lost.len());
            self.tell(now, &format!("lost {}", named(lost)), &summary, &named(lost), out);
        }
    }

    /// A provider was used: told if its state is another than the operators last heard. One that goes and
    /// comes is not told of each time, but what they heard last does not stay wrong.
    pub(crate) fn tell_of_provider(
        &mut self,
        now: Now,
        channel: &Name,
        provider: &Name,
        out: &mut Vec<Effect>,
    ) {
        let selection = self.channels.get(channel).and_then(|channel| channel.selection.as_ref());
        let Some((selection, health)) = selection.and_then(|all| Some((all, all.health(provider)?))) else {
            return;
        };
        let (failing, to, because) = match health {
            Health::Healthy => (false, "healthy", "it works again".into()),
            Health::Cooling { why, .. } | Health::Trial { why, .. } => (true, "failing", Arc::clone(why)),
        };
        let kind = format!("provider {provider} {to}");
        let known = self.providers.get(provider).is_none_or(|entry| entry.told_failing == failing);
        if known || self.was_told(now, &kind) {
            return;
        }
        let instead = selection.choose(now.mono, |_| true);
        let then = match instead {
            Some(other) => format!("Messages for {channel} go by {other}."),
            None => format!("No provider for {channel} works; messages wait."),
        };
        if let Some(entry) = self.providers.get_mut(provider) {
            entry.told_failing = failing;
        }
        let summary = format!("provider {provider} is {to}: {because}");
        self.tell(now, &kind, &summary, &then, out);
    }

    /// A notification was given up.
    pub(crate) fn tell_of_failure(
        &mut self,
        now: Now,
        alert: AlertId,
        sent: &Sent,
        why: &str,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.state.open.get(&alert).filter(|open| !open.alert.system) else { return };
        if let Some(run) = self.runs.get_mut(&alert) {
            run.failed += 1;
            if run.failed > 1 {
                return; // Told in a summary: a mass alert with a dead domain would be a flood.
            }
        }
        let summary =
            format!("{} could not be told of {} at {}", sent.recipient, open.alert.code, sent.address);
        let details = format!("The last answer was: {why}. The alert says: {}", open.content().summary);
        self.tell(now, &format!("address {} {}", sent.recipient, sent.address), &summary, &details, out);
    }

    /// Tells how many notifications of an alert were given up besides the first, once it has nothing to send.
    pub(crate) fn sum_up_failures(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let failed = self.runs.get(&alert).map_or(0, |run| run.failed);
        if failed < 2 || self.is_pending(alert) {
            return;
        }
        if let Some(run) = self.runs.get_mut(&alert) {
            run.failed = 0;
        }
        let Some(open) = self.state.open.get(&alert) else { return };
        let code = open.alert.code;
        let summary = format!("{failed} notifications of {code} could not be delivered");
        let details = format!("The alert says: {}", open.content().summary);
        self.tell(now, &format!("undelivered {code} {failed}"), &summary, &details, out);
    }

    /// Alerts ended by themselves that somebody should have seen.
    pub(crate) fn tell_of_lapses(
        &mut self,
        now: Now,
        expired: &[Code],
        abandoned: &[Code],
        out: &mut Vec<Effect>,
    ) {
        if !expired.is_empty() {
            let summary = format!("{} alert(s) expired before anybody could be told", expired.len());
            self.tell(now, &format!("expired {}", named(expired)), &summary, &named(expired), out);
        }
        if !abandoned.is_empty() {
            let summary = format!("{} alert(s) closed without anybody's acknowledgement", abandoned.len());
            self.tell(now, &format!("abandoned {}", named(abandoned)), &summary, &named(abandoned), out);
        }
    }

    /// A peer is lost, or is back. One node tells of it.
    pub(crate) fn tell_of_peer(
        &mut self,
        now: Now,
        peer: base::NodeId,
        to: ownership::Condition,
        because: &str,
        out: &mut Vec<Effect>,
    ) {
        let newcomer = !self.state.applied.keys().any(|log| log.node == peer); // It has yet to start.
        let quiet = newcomer || self.state.conduct.maintenance.is_some();
        if quiet || self.cluster.successor() != self.me.node {
            return;
        }
        let member = self.cluster.members().get(&peer);
        // The name for people, the id because it is what logs, files and certificates say.
        let name = member.map_or_else(|| peer.to_string(), |member| format!("{} ({peer})", member.name));
        match to {
            ownership::Condition::Down => {
                let mirrored = self.cluster.has_mirror();
                let then = if mirrored {
                    "Alerts are still kept on two disks."
                } else {
                    "Alerts are kept on one disk only until it is back."
                };
                self.told.remove(format!("peer {name} back").as_str());
                self.tell(
                    now,
                    &format!("peer {name} down"),
                    &format!("node {name} is down: {because}"),
                    then,
                    out,
                );
            }
            ownership::Condition::Up if self.told.remove(format!("peer {name} down").as_str()).is_some() => {
                let summary = format!("node {name} is back, and level");
                self.tell(now, &format!("peer {name} back"), &summary, "", out);
            }
            ownership::Condition::Up | ownership::Condition::Unknown | ownership::Condition::CatchingUp => (),
        }
    }

    /// What the node found wrong with itself: told when it comes up, and again if it comes back.
    pub(crate) fn warn(&mut self, now: Now, standing: Vec<Arc<str>>, out: &mut Vec<Effect>) {
        let standing: BTreeSet<Arc<str>> = standing.into_iter().collect();
        let before = std::mem::replace(&mut self.troubles, standing.clone());
        for gone in before.difference(&standing) {
            self.told.remove(format!("node {gone}").as_str());
        }
        let me = self.me.node;
        let member = self.cluster.members().get(&me);
        let node = member.map_or_else(|| me.to_string(), |member| format!("{} ({me})", member.name));
        for new in standing.difference(&before) {
            let summary = format!("node {node} needs attention: {new}");
            self.tell(now, &format!("node {new}"), &summary, "It looks again every hour.", out);
        }
    }

    /// Too many alerts are open to take another.
    pub(crate) fn tell_of_limit(&mut self, now: Now, out: &mut Vec<Effect>) {
        let summary = "new alerts are refused: too many are open";
        self.tell(now, "too many open", summary, "Close or delete alerts to make room.", out);
    }

    /// The disk is full, or has room again.
    pub(crate) fn disk(&mut self, now: Now, full: Option<Arc<str>>, out: &mut Vec<Effect>) {
        self.disk_full.clone_from(&full);
        match full {
            Some(why) => self.tell(now, "disk full", "the disk is full; new alerts are refused", &why, out),
            None => self.tell(now, "disk has room", "the disk has room again; alerts are accepted", "", out),
        }
    }

    /// Sending was paused: told at once, and again while it lasts.
    pub(crate) fn tell_of_pause(&mut self, now: Now, by: &Actor, reason: &str, out: &mut Vec<Effect>) {
        self.pause_alarm = Some(now.mono + PAUSE_ALARM);
        self.told.remove("paused");
        self.tell(now, "paused", &format!("sending is paused by {}: {reason}", by.who), "Alerts wait.", out);
    }

    /// Reminds the operators of a standing pause.
    pub(crate) fn alarm_pause(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.pause_alarm.is_none_or(|due| due > now.mono) {
            return;
        }
        self.pause_alarm = Some(now.mono + PAUSE_ALARM);
        let waiting: usize = self.channels.values().map(|channel| channel.lane.alerts()).sum();
        let details = format!("{waiting} alert(s) wait to be sent.");
        self.tell(now, "paused", "sending is still paused", &details, out);
    }
}

fn named(codes: &[Code]) -> String {
    let mut text = codes.iter().take(CODES_NAMED).map(Code::to_string).collect::<Vec<_>>().join(", ");
    if codes.len() > CODES_NAMED {
        text.push_str(" and others");
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::fixture::{core, directory, handle, name, now};
    use crate::input::{Input, Order, Ticket};
    use crate::record::{Actor, Record};
    use crate::{Dispatch, Effect};

    fn warn(core: &mut Dispatch, at: u64, standing: &[&str]) -> Vec<String> {
        let order = Order::Warn { standing: standing.iter().map(|text| (*text).into()).collect() };
        let input = Input::Order { ticket: Ticket(1), by: Actor::ourselves(), order };
        let summary = |effect| {
            let Effect::Append { entry, .. } = effect else { return None };
            let Record::Accept(alert) = entry.record else { return None };
            Some(alert.content.summary.to_string())
        };
        handle(core, now(at), input).into_iter().filter_map(summary).collect()
    }

    #[test]
    fn a_trouble_of_the_node_is_told_once_until_it_is_gone() {
        let mut book = directory(&[("bea", &["mail:b@x"])], &[]);
        book.settings.operators = vec![crate::directory::Target::Named(name("bea"))];
        let mut core = core(book);
        let old = "the certificate cannot be renewed";
        assert_eq!(warn(&mut core, 1, &[]), [""; 0]);
        assert_eq!(warn(&mut core, 2, &[old]), [format!("node 00000001 needs attention: {old}")]);
        assert_eq!(warn(&mut core, 9000, &[old, "another"]), ["node 00000001 needs attention: another"]);
        assert_eq!(warn(&mut core, 20_000, &[]), [""; 0]);
        assert_eq!(warn(&mut core, 20_001, &[old]).len(), 1, "it is back");
    }
}
