//! What a ledger files a record under, so that it can find and delete records without knowing what they say.

use base::{AlertId, Digest, Name, RecordId};
use dispatch::record::{Code, Entry, Record, Send};
use std::sync::Arc;

/// What a record is filed under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The alert that it is about; goes when that is finished.
    pub alert: Option<AlertId>,
    /// It is an `Accept`: what must be remembered of it after the alert is gone.
    pub accept: Option<Accepted>,
    /// It is an `Intent`: how many attempts by which provider, in the order of first mention.
    pub quota: Vec<(Name, u32)>,
    /// It is a `Closed`, of this alert.
    pub closes: Option<AlertId>,
    /// It makes its alert a twin of this one: both are over when one is.
    pub merges: Option<AlertId>,
    /// It is this roster; goes when no open alert needs it.
    pub roster: Option<Digest>,
    /// It is a directory with this (term, version); goes when a greater one is durable.
    pub edition: Option<(u64, u64)>,
    /// It is this silence, or ends it; goes once that has long been over.
    pub silence: Option<RecordId>,
    /// It says nothing that the state keeps; goes as soon as the history has it.
    pub passing: bool,
}

/// What outlives an alert: the key under which a repeat is recognised, and the code that has to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Who sent it.
    pub source: Name,
    /// The client's idempotency key.
    pub key: Option<Arc<str>>,
    /// The digest of the request under that key.
    pub digest: Option<Digest>,
    /// What people type back.
    pub code: Code,
}

/// What `entry`, the record `id`, is filed under.
pub fn index(id: RecordId, entry: &Entry) -> Index {
    let record = &entry.record;
    let base = Index { alert: record.alert(id), ..Index::default() };
    match record {
        Record::Accept(alert) => {
            let (key, digest) = alert.key.clone().unzip();
            let accept = Accepted { source: alert.source.clone(), key, digest, code: alert.code };
            Index { accept: Some(accept), ..base }
        }
        Record::Intent { sends, .. } => Index { quota: count(sends), ..base },
        Record::Closed { alert } => Index { closes: Some(*alert), ..base },
        Record::Merged { into, .. } => Index { merges: Some(*into), ..base },
        Record::Roster(roster) => Index { roster: Some(roster.id), ..base },
        Record::Directory { edition, .. } => Index { edition: Some((edition.term, edition.version)), ..base },
        Record::Silence(_) => Index { silence: Some(id), ..base },
        Record::Unsilence { silence, .. } => Index { silence: Some(*silence), ..base },
        Record::Start { .. }
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Provider { .. }
        | Record::Note { .. } => Index { passing: true, ..base },
        Record::Update { .. }
        | Record::StepFired { .. }
        | Record::Done { .. }
        | Record::Ack { .. }
        | Record::Comment { .. }
        | Record::End { .. }
        | Record::Pause { .. }
        | Record::Resume { .. }
        | Record::Release { .. }
        | Record::Delegate { .. }
        | Record::Duty(_)
        | Record::Member { .. }
        | Record::Conduct { .. }
        | Record::Claim(_) => base,
    }
}

fn count(sends: &[Send]) -> Vec<(Name, u32)> {
    let mut counts: Vec<(Name, u32)> = Vec::with_capacity(1);
    for send in sends {
        match counts.iter_mut().find(|(provider, _)| *provider == send.provider) {
            Some((_, count)) => *count += 1,
            None => counts.push((send.provider.clone(), 1)),
        }
    }
    counts
}
