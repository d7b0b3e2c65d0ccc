//! Which records are done with, and which of those the history and all peers have already.
//!
//! Separate from the writer, which deletes them when it has nothing better to do. Kept in memory only:
//! recovery finds again what was not deleted before the end.

use crate::recover::{Recovered, finished};
use crate::standing::Editions;
use crate::store::{Row, Store};
use base::{AlertId, Digest, LogId, RecordId};
use record::Index;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Alerts deleted in one transaction.
const ALERTS_MAX: usize = 64;
/// Single records deleted in one transaction.
const RECORDS_MAX: usize = 1024;
/// Deletable items, from which on they are deleted although the writer is busy.
const CROWDED: usize = 4096;

/// How far logs have to be in the history, and at all peers, before something goes.
type Needs = Arc<[(LogId, u64)]>;

/// What peers still need.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    /// There are none.
    None,
    /// There are some, and nobody has said yet what they need.
    Unheard,
    /// What stands at or above its log's floor; of a log that is not named, everything.
    Floor(BTreeMap<LogId, u64>),
}

/// An alert of which there are records.
#[derive(Debug, Default)]
struct About {
    records: usize,
    /// It waits to be deleted.
    over: bool,
}

/// What waits to be deleted.
#[derive(Debug)]
pub(crate) struct Forgetting {
    passed: BTreeMap<LogId, u64>,
    peers: Peers,
    /// Records that may wait for peers.
    retained_max: usize,
    /// Records that wait.
    waiting: usize,
    alerts: VecDeque<(AlertId, Needs)>,
    records: VecDeque<RecordId>,
    known: HashMap<AlertId, About>,
    rosters: BTreeMap<Digest, Vec<RecordId>>,
    editions: Editions,
}

impl Forgetting {
    /// Takes up what the last run left.
    pub(crate) fn resume(store: &Store, recovered: &Recovered, peers: Peers, retained_max: usize) -> Self {
        let mut forgetting = Self {
            passed: BTreeMap::new(),
            peers,
            retained_max,
            waiting: 0,
            alerts: VecDeque::new(),
            records: VecDeque::new(),
            known: HashMap::new(),
            rosters: BTreeMap::new(),
            editions: Editions::default(),
        };
        for (id, entry) in &recovered.records {
            let index = record::index(*id, entry);
            forgetting.file(*id, &index);
            if let Some(alert) = index.alert {
                forgetting.known.entry(alert).or_default().records += 1;
            }
        }
        let over = finished(recovered).into_iter().chain(store.finished.iter().copied()).collect();
        forgetting.ask(store, over, &[]);
        forgetting
    }

    /// Records became durable. What is about an alert that was over and gone before goes as well.
    pub(crate) fn stored(&mut self, store: &Store, rows: &[Row]) {
        for row in rows.iter().filter(|row| row.index.accept.is_some()) {
            self.known.entry(AlertId(row.id)).or_default(); // First, so that no fact before it seems late.
        }
        let mut late = Vec::new();
        for row in rows {
            self.file(row.id, &row.index);
            let Some(alert) = row.index.alert else { continue };
            let covered = || store.logs.get(&alert.0.log).is_some_and(|mark| alert.0.seq < mark.upto);
            let about = self.known.entry(alert).or_insert_with(|| {
                late.extend(covered().then_some(alert));
                About::default()
            });
            about.records += 1;
            self.waiting += usize::from(about.over);
        }
        if !late.is_empty() {
            self.ask(store, late, &[]);
        }
    }

    fn file(&mut self, id: RecordId, index: &Index) {
        if index.passing {
            self.drop_later(id);
        }
        if let Some(digest) = index.roster {
            self.rosters.entry(digest).or_default().push(id);
        }
        if let Some((term, version)) = index.edition {
            for gone in self.editions.add(term, version, id) {
                self.drop_later(gone);
            }
        }
    }

    fn drop_later(&mut self, id: RecordId) {
        self.waiting += 1;
        self.records.push_back(id);
    }

    /// Deletes these once the history and all peers have all that is stored now. A roster that is stored again
    /// later is another record, and stays.
    pub(crate) fn ask(&mut self, store: &Store, alerts: Vec<AlertId>, rosters: &[Digest]) {
        let behind = store.logs.iter().filter(|(log, mark)| !self.historic(log, mark.upto, false));
        let needs: Needs = behind.map(|(log, mark)| (*log, mark.upto)).collect();
        for alert in alerts {
            let about = self.known.entry(alert).or_default();
            if !about.over {
                about.over = true;
                self.waiting += about.records;
                self.alerts.push_back((alert, Arc::clone(&needs)));
            }
        }
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

    /// What stands at or above the floor of its log is needed by a peer.
    pub(crate) fn retain(&mut self, floor: BTreeMap<LogId, u64>) {
        self.peers = Peers::Floor(floor);
    }

    /// The history has `log` up to `upto`, and unless `forced`, all peers have it too.
    fn historic(&self, log: &LogId, upto: u64, forced: bool) -> bool {
        let reached = |marks: &BTreeMap<LogId, u64>| marks.get(log).copied().unwrap_or(0) >= upto;
        let level = match &self.peers {
            Peers::None => true,
            Peers::Unheard => forced || upto == 0,
            Peers::Floor(floor) => forced || reached(floor),
        };
        level && reached(&self.passed)
    }

    /// Too much waits for peers: those that lack it get a snapshot instead.
    fn overfull(&self) -> bool {
        self.waiting > self.retained_max
    }

    fn next_alert(&self) -> Option<AlertId> {
        let (alert, needs) = self.alerts.front()?;
        let forced = self.overfull();
        needs.iter().all(|(log, upto)| self.historic(log, *upto, forced)).then_some(*alert)
    }

    fn next_record(&self) -> Option<RecordId> {
        let id = *self.records.front()?;
        self.historic(&id.log, id.seq + 1, self.overfull()).then_some(id)
    }

    /// Something can be deleted.
    pub(crate) fn due(&self) -> bool {
        self.next_alert().is_some() || self.next_record().is_some()
    }

    /// So much waits that it should not wait for an idle moment.
    pub(crate) fn crowded(&self) -> bool {
        self.alerts.len() + self.records.len() > CROWDED && self.due()
    }

    /// Some of what can be deleted.
    pub(crate) fn take(&mut self) -> (Vec<AlertId>, Vec<RecordId>) {
        let mut alerts = Vec::new();
        while alerts.len() < ALERTS_MAX
            && let Some(alert) = self.next_alert()
        {
            self.alerts.pop_front();
            let records = self.known.remove(&alert).map_or(0, |about| about.records);
            self.waiting = self.waiting.saturating_sub(records);
            alerts.push(alert);
        }
        let mut records = Vec::new();
        while records.len() < RECORDS_MAX
            && let Some(id) = self.next_record()
        {
            self.records.pop_front();
            self.waiting = self.waiting.saturating_sub(1);
            records.push(id);
        }
        (alerts, records)
    }
}
