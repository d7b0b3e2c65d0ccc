//! Tells the operators of our own troubles, by a path that avoids the part that failed.
//!
//! A system alert goes through the same machine as any other. It asks for no acknowledgement, passes by a
//! pause, leaves out channels that do not work where a person has another, and never begets another.

use crate::bind::{Binding, Routed, constant};
use crate::input::{Notice, SYSTEM_SEVERITY};
use crate::record::{Actor, Code, Content, Record};
use crate::state::Sent;
use crate::{Dispatch, Effect};
use base::{AlertId, Hasher, Name, Now};
use selection::{Change, Selection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The same trouble is told of at most this often.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// A standing pause is told of this often.
const PAUSE_ALARM: Duration = Duration::from_secs(900);
/// Codes spelled out in a summary of many alerts.
const CODES_NAMED: usize = 20;

impl Dispatch {
    /// Tells the operators that a trouble of a kind exists. Without operators it is in the trail alone.
    fn tell(&mut self, now: Now, kind: &str, summary: &str, details: &str, out: &mut Vec<Effect>) {
        if self.told.get(kind).is_some_and(|last| now.mono.since(*last) < AGAIN_AFTER) {
            return;
        }
        self.told.insert(kind.into(), now.mono);
        let to = self.state.edition.directory.settings.operators.clone();
        let working = |selection: &Selection| !selection.all_failing();
        let failing = |(name, channel): (&Name, &crate::delivery::Channel)| {
            (!channel.selection.as_ref().is_some_and(working)).then(|| name.clone())
        };
        let avoid = self.channels.iter().filter_map(failing).collect();
        let binding = Binding { to, policy: None, templates: Vec::new(), avoid, system: true };
        let bound = if binding.to.is_empty() { None } else { self.bind(&binding).ok() };
        let Some(roster) = bound else {
            let what = format!("nobody to tell: {summary}; name somebody in settings.operators").into();
            self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
            return;
        };
        let content = Content {
            severity: SYSTEM_SEVERITY,
            summary: summary.into(),
            details: details.into(),
            labels: BTreeMap::from([("trouble".into(), kind.into())]),
        };
        let fingerprint = Some(Hasher::new("system").text(kind).number(now.mono.0).finish());
        let notice = Notice {
            source: constant("steadfast"),
            key: None,
            fingerprint,
            resolved: false,
            content,
            to: binding.to.clone(),
            policy: None,
            civil: crate::directory::Civil::default(),
        };
        let routed = Routed { route: constant("system"), binding, ttl: Duration::from_secs(7 * 24 * 3600) };
        self.open(now, notice, &routed, &roster, out);
    }

    /// A provider changed its state.
    pub(crate) fn tell_of_provider(
        &mut self,
        now: Now,
        channel: &Name,
        change: &Change,
        out: &mut Vec<Effect>,
    ) {
        let instead = self.channels.get(channel).and_then(|channel| channel.selection.as_ref());
        let instead = instead.and_then(|selection| selection.choose(now.mono, |_| true));
        let then = match instead {
            Some(other) => format!("Messages for {channel} go by {other}."),
            None => format!("No provider for {channel} works; messages wait."),
        };
        let Change { target, to, because } = change;
        let summary = format!("provider {target} is {to}: {because}");
        self.tell(now, &format!("provider {target} {to}"), &summary, &then, out);
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
        if why.starts_with("withdrawn") {
            return; // By an acknowledgement or end: nothing went wrong.
        }
        let summary =
            format!("{} could not be told of {} at {}", sent.recipient, open.alert.code, sent.address);
        let details = format!("The last answer was: {why}. The alert says: {}", open.content().summary);
        self.tell(now, &format!("address {} {}", sent.recipient, sent.address), &summary, &details, out);
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
