//! Tells the world what became durable: live changes for the API, lines for the log and for syslog, counters.
//!
//! One fact, three voices: all are made from the record itself, so they cannot drift apart.

use crate::metrics::Metrics;
use crate::syslog::Syslog;
use api::Changes;
use base::{LogId, RecordId};
use dispatch::directory::Edition;
use dispatch::record::{Entry, Record};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Publishes records once they are durable.
pub(crate) struct Publisher {
    changes: Changes,
    metrics: Arc<Metrics>,
    syslog: Option<Syslog>,
    me: LogId,
    waiting: BTreeMap<LogId, VecDeque<(RecordId, Entry)>>,
}

impl Publisher {
    pub(crate) fn new(me: LogId, changes: Changes, metrics: Arc<Metrics>, syslog: Option<Syslog>) -> Self {
        Self { changes, metrics, syslog, me, waiting: BTreeMap::new() }
    }

    /// A record was appended and is going to be durable.
    pub(crate) fn expect(&mut self, id: RecordId, entry: Entry) {
        self.waiting.entry(id.log).or_default().push_back((id, entry));
    }

    /// This directory is in force, although no record that is published says so.
    pub(crate) fn keep(&self, edition: &Edition) {
        self.changes.keep(edition);
    }

    /// A log is durable below `upto`.
    pub(crate) fn stored(&mut self, log: LogId, upto: u64) {
        while let Some(waiting) = self.waiting.get_mut(&log)
            && waiting.front().is_some_and(|(id, _)| id.seq < upto)
        {
            let Some((id, entry)) = waiting.pop_front() else { break };
            self.publish(id, &entry);
        }
    }

    fn publish(&mut self, id: RecordId, entry: &Entry) {
        // What a peer wrote is counted and logged there; live changes are told of both.
        if id.log == self.me {
            self.metrics.count(&entry.record);
            log(&entry.record);
            if let Some(syslog) = &mut self.syslog {
                syslog.tell(id, &entry.record);
            }
        }
        self.changes.publish(id, entry);
    }
}

/// The line that an operator would want in the morning. No names, addresses or texts of alerts: those are in
/// the trail, which is guarded.
fn log(record: &Record) {
    match record {
        Record::Start { version, because } => tracing::info!(%version, %because, "started"),
        Record::Provider { provider, to, because } => tracing::info!(%provider, %to, %because, "provider"),
        Record::Pause { by, .. } => tracing::warn!(%by, "sending is paused"),
        Record::Silence(silence) => tracing::info!(by = %silence.by, "some alerts are silenced"),
        Record::Unsilence { by, .. } => tracing::info!(%by, "a silence was ended"),
        Record::Resume { by, .. } => tracing::info!(%by, "sending goes on"),
        Record::Directory { edition, by, .. } => {
            tracing::info!(version = edition.version, %by, "the directory was changed");
        }
        Record::Accept(alert) => tracing::debug!(code = %alert.code, source = %alert.source, "accepted"),
        Record::End { alert, end } => tracing::debug!(%alert, why = end.why.word(), "ended"),
        Record::Ack { alert, ack } => tracing::debug!(%alert, by = %ack.by, "acknowledged"),
        Record::Note { by, .. } if dispatch::is_routine(record) => tracing::debug!(%by, "heard"),
        Record::Note { what, .. } => tracing::info!(%what, "noted"),
        Record::Claim(claim) => {
            tracing::info!(log = %claim.log, from = claim.from, upto = claim.upto, "took over what a dead boot left");
        }
        Record::Release { to, .. } => tracing::info!(to = %to.node, "handed over what was to be sent"),
        Record::Duty(duty) => tracing::info!(to = %duty.to.node, because = %duty.because, "in control"),
        Record::PeerState { peer, to, because } => {
            tracing::warn!(%peer, to = to.word(), %because, "a peer is in another condition");
        }
        Record::Member { node, member, by, .. } => {
            tracing::info!(%node, %by, belongs = member.is_some(), "membership changed");
        }
        Record::Conduct { by, .. } => tracing::info!(%by, "the cluster's conduct was changed"),
        Record::Roster(_)
        | Record::Update { .. }
        | Record::StepFired { .. }
        | Record::Intent { .. }
        | Record::Done { .. }
        | Record::Comment { .. }
        | Record::Merged { .. }
        | Record::RosterDropped { .. }
        | Record::Delegate { .. }
        | Record::Closed { .. } => (), // Many, and in the trail.
    }
}
