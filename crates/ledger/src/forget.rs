//! Which records are done with, and which of those the history has already.
//!
//! Separate from the writer, which deletes them when it has nothing better to do. Kept in memory only:
//! recovery finds again what was not deleted before the end.

use crate::recover::{Recovered, finished};
use crate::store::{Row, Store};
use base::{AlertId, Digest, LogId, RecordId};
use record::Index;
use std::collections::{BTreeMap, VecDeque};

/// Alerts deleted in one transaction.
const ALERTS_MAX: usize = 64;
/// Single records deleted in one transaction.
const RECORDS_MAX: usize = 1024;
/// Deletable items, from which on they are deleted although the writer is busy.
const CROWDED: usize = 4096;

/// Something to delete once the history holds `log` up to `upto`.
#[derive(Debug)]
struct Item<T> {
    what: T,
    needs: Vec<(LogId, u64)>,
}

/// What waits to be deleted.
#[derive(Debug, Default)]
pub(crate) struct Forgetting {
    passed: BTreeMap<LogId, u64>,
    alerts: VecDeque<Item<AlertId>>,
    records: VecDeque<Item<RecordId>>,
    rosters: BTreeMap<Digest, Vec<RecordId>>,
    directory: Option<((u64, u64), RecordId)>,
}

impl Forgetting {
    /// Takes up what the last run left.
    pub(crate) fn resume(store: &Store, recovered: &Recovered) -> Self {
        let mut forgetting = Self::default();
        for (id, entry) in &recovered.records {
            forgetting.file(*id, &record::index(*id, entry));
        }
        forgetting.ask(store, finished(recovered), &[]);
        forgetting
    }

    /// A record became durable.
    pub(crate) fn stored(&mut self, row: &Row) {
        self.file(row.id, &row.index);
    }

    fn file(&mut self, id: RecordId, index: &Index) {
        if index.passing {
            self.drop_later(id);
        }
        if let Some(digest) = index.roster {
            self.rosters.entry(digest).or_default().push(id);
        }
        if let Some(edition) = index.edition {
            match self.directory {
                Some((newest, _)) if newest >= edition => self.drop_later(id),
                Some((_, old)) => {
                    self.drop_later(old);
                    self.directory = Some((edition, id));
                }
                None => self.directory = Some((edition, id)),
            }
        }
    }

    fn drop_later(&mut self, id: RecordId) {
        self.records.push_back(Item { what: id, needs: vec![(id.log, id.seq + 1)] });
    }

    /// Deletes these once the history has all that is stored now. A roster that is stored again later is
    /// another record, and stays.
    pub(crate) fn ask(&mut self, store: &Store, alerts: Vec<AlertId>, rosters: &[Digest]) {
        let passed = &self.passed;
        let lags = |log: &LogId, upto: u64| passed.get(log).copied().unwrap_or(0) < upto;
        let behind = store.logs.iter().filter(|(log, mark)| lags(log, mark.upto));
        let needs: Vec<_> = behind.map(|(log, mark)| (*log, mark.upto)).collect();
        self.alerts.extend(alerts.into_iter().map(|what| Item { what, needs: needs.clone() }));
        for digest in rosters {
            for id in self.rosters.remove(digest).unwrap_or_default() {
                self.drop_later(id);
            }
        }
    }

    /// The history holds each log up to here.
    pub(crate) fn pass(&mut self, marks: &BTreeMap<LogId, u64>) {
        for (log, upto) in marks {
            let mine = self.passed.entry(*log).or_default();
            *mine = (*mine).max(*upto);
        }
    }

    fn ready<T>(&self, item: &Item<T>) -> bool {
        item.needs.iter().all(|(log, upto)| self.passed.get(log).is_some_and(|passed| passed >= upto))
    }

    /// Something can be deleted.
    pub(crate) fn due(&self) -> bool {
        self.alerts.front().is_some_and(|item| self.ready(item))
            || self.records.front().is_some_and(|item| self.ready(item))
    }

    /// So much waits that it should not wait for an idle moment.
    pub(crate) fn crowded(&self) -> bool {
        self.alerts.len() + self.records.len() > CROWDED && self.due()
    }

    /// Some of what can be deleted.
    pub(crate) fn take(&mut self) -> (Vec<AlertId>, Vec<RecordId>) {
        let mut alerts = Vec::new();
        while alerts.len() < ALERTS_MAX && self.alerts.front().is_some_and(|item| self.ready(item)) {
            alerts.extend(self.alerts.pop_front().map(|item| item.what));
        }
        let mut records = Vec::new();
        while records.len() < RECORDS_MAX && self.records.front().is_some_and(|item| self.ready(item)) {
            records.extend(self.records.pop_front().map(|item| item.what));
        }
        (alerts, records)
    }
}
