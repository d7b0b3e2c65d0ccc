//! Which records are done with, and which of those the history and all peers have already.
//!
//! Separate from the writer, which deletes them when it has nothing better to do. Kept in memory only:
//! recovery finds again what was not deleted before the end.

use crate::recover::{Recovered, finished};
use crate::standing::Editions;
use crate::store::{Row, Store};
use base::{AlertId, BootId, Digest, LogId, NodeId, RecordId};
use record::Index;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Alerts deleted in one transaction.
const ALERTS_MAX: usize = 64;
/// Single records deleted in one transaction.
const RECORDS_MAX: usize = 1024;
/// Deletable items, from which on they are deleted although the writer is busy.
const CROWDED: usize = 4096;

/// No alert comes before this one.
const LEAST: AlertId = AlertId(RecordId { log: LogId { node: NodeId(0), boot: BootId(0) }, seq: 0 });

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
    /// It is over.
    over: bool,
    /// It waits to be deleted: not before its `Accept` is there, which would bring it back.
    waits: bool,
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
    /// Twins, and what they were merged into: they go after it, for their records say what became of them.
    twins: BTreeMap<AlertId, AlertId>,
    /// The same, by what they were merged into.
    followers: BTreeSet<(AlertId, AlertId)>,
    rosters: BTreeMap<Digest, Vec<RecordId>>,
    /// Silences, with what ends them.
    silences: BTreeMap<RecordId, Vec<RecordId>>,
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
            twins: BTreeMap::new(),
            followers: BTreeSet::new(),
            rosters: BTreeMap::new(),
            silences: BTreeMap::new(),
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
        let mut late = Vec::new();
        for row in rows.iter().filter(|row| row.index.accept.is_some()) {
            // First, so that no fact before it seems late.
            let about = self.known.entry(AlertId(row.id)).or_default();
            late.extend(about.over.then_some(AlertId(row.id)));
        }
        for row in rows {
            self.file(row.id, &row.index);
            let Some(alert) = row.index.alert else { continue };
            let about = self.known.entry(alert).or_insert_with(|| {
                if store.covers(alert) {
                    // Gone already, so it is over; and so is what it is a twin of.
                    late.extend(row.index.merges);
                    late.push(alert);
                }
                About::default()
            });
            about.records += 1;
            self.waiting += usize::from(about.waits);
            if row.index.merges.is_some_and(|into| !self.is_behind(store, into)) {
                self.hold_back(alert);
            }
        }
        if !late.is_empty() {
            self.ask(store, late, &[]);
        }
    }

    fn file(&mut self, id: RecordId, index: &Index) {
        if index.passing {
            self.drop_later(id);
        }
        if let (Some(alert), Some(into)) = (index.alert, index.merges) {
            if let Some(before) = self.twins.insert(alert, into) {
                self.followers.remove(&(before, alert));
            }
            self.followers.insert((into, alert));
        }
        if let Some(digest) = index.roster {
            self.rosters.entry(digest).or_default().push(id);
        }
        if let Some(silence) = index.silence {
            self.silences.entry(silence).or_default().push(id);
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
            self.known.entry(alert).or_default().over = true;
            self.line_up(store, alert, &needs);
        }
        for digest in rosters {
            for id in self.rosters.remove(digest).unwrap_or_default() {
                self.drop_later(id);
            }
        }
    }

    /// Deletes silences, and what ended them, once the history and all peers have all of that.
    pub(crate) fn drop_silences(&mut self, silences: &[RecordId]) {
        for silence in silences {
            for id in self.silences.remove(silence).unwrap_or_default() {
                self.drop_later(id);
            }
        }
    }

    /// Those of which there are records.
    pub(crate) fn of(&self, alerts: Vec<AlertId>) -> Vec<AlertId> {
        alerts.into_iter().filter(|alert| self.known.contains_key(alert)).collect()
    }

    /// The records of that alert are gone, or go before those that ask now.
    fn is_behind(&self, store: &Store, into: AlertId) -> bool {
        self.known.get(&into).map_or_else(|| store.covers(into), |about| about.waits)
    }

    /// What waits to be deleted says of another alert now that it is over: it stays until that goes. Without this
    /// a start that finds the other one alone would take it for open.
    fn hold_back(&mut self, alert: AlertId) {
        let Some(about) = self.known.get_mut(&alert).filter(|about| about.waits) else { return };
        about.waits = false;
        self.waiting = self.waiting.saturating_sub(about.records);
        self.alerts.retain(|(waits, _)| *waits != alert);
    }

    /// Lets an alert wait to be deleted once that can do no harm, and the twins that wait for it.
    fn line_up(&mut self, store: &Store, alert: AlertId, needs: &Needs) {
        let mut next = vec![alert];
        while let Some(alert) = next.pop() {
            let behind = |into: &AlertId| self.is_behind(store, *into);
            let free = store.covers(alert) && self.twins.get(&alert).is_none_or(behind);
            let Some(about) = self.known.get_mut(&alert) else { continue };
            if free && about.over && !about.waits {
                about.waits = true;
                self.waiting += about.records;
                self.alerts.push_back((alert, Arc::clone(needs)));
                let followers = self.followers.range((alert, LEAST)..);
                next.extend(followers.take_while(|(into, _)| *into == alert).map(|(_, twin)| *twin));
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
            if let Some(into) = self.twins.remove(&alert) {
                self.followers.remove(&(into, alert));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::Wall;

    fn log(node: u32) -> LogId {
        LogId { node: NodeId(node), boot: BootId(1) }
    }

    fn row(log: LogId, seq: u64, index: Index) -> Row {
        Row { id: RecordId { log, seq }, at: Wall(0), index, body: Arc::from([]) }
    }

    fn alert(log: LogId, seq: u64) -> AlertId {
        AlertId(RecordId { log, seq })
    }

    fn about(alert: AlertId) -> Index {
        Index { alert: Some(alert), ..Index::default() }
    }

    fn accept(of: AlertId) -> Row {
        let accepted = record::Accepted {
            source: base::Name::new("scada").unwrap(),
            key: None,
            digest: None,
            code: dispatch::record::Code { letter: 'A', number: 1 },
        };
        row(of.0.log, of.0.seq, Index { accept: Some(accepted), ..about(of) })
    }

    fn passing() -> Index {
        Index { passing: true, ..Index::default() }
    }

    /// A store with these rows, and what is to be forgotten of them.
    fn with(rows: &[Row], peers: Peers, retained_max: usize) -> (tempfile::TempDir, Store, Forgetting) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let recovered = crate::recover::recover(&mut store, log(1), true).unwrap();
        let mut forgetting = Forgetting::resume(&store, &recovered, peers, retained_max);
        store.add(rows).unwrap();
        forgetting.stored(&store, rows);
        (folder, store, forgetting)
    }

    fn marks(one: u64, two: u64) -> BTreeMap<LogId, u64> {
        BTreeMap::from([(log(1), one), (log(2), two)])
    }

    #[test]
    fn an_old_silence_goes_with_what_ended_it_once_all_have_both() {
        let silence = RecordId { log: log(1), seq: 0 };
        let of = |silence| Index { silence: Some(silence), ..Index::default() };
        let other = RecordId { log: log(2), seq: 1 };
        let rows = [row(log(1), 0, of(silence)), row(log(2), 0, of(silence)), row(log(2), 1, of(other))];
        let floor = Peers::Floor(marks(1, 0));
        let (_folder, _store, mut forgetting) = with(&rows, floor, 100);
        forgetting.pass(&marks(1, 2));
        forgetting.drop_silences(&[silence]);
        assert_eq!(forgetting.take().1, [silence], "a peer lacks what ended it");
        forgetting.retain(marks(1, 2));
        assert_eq!(forgetting.take().1, [RecordId { log: log(2), seq: 0 }]);
        forgetting.drop_silences(&[silence]);
        assert_eq!(forgetting.take().1, []);
    }

    #[test]
    fn without_peers_the_history_alone_is_waited_for() {
        let first = alert(log(1), 0);
        let rows = [row(log(1), 0, about(first)), row(log(2), 0, about(first))];
        let (_folder, store, mut forgetting) = with(&rows, Peers::None, 99);
        forgetting.ask(&store, vec![first], &[]);
        forgetting.pass(&marks(1, 0));
        assert!(!forgetting.due(), "a record of the other log is not read yet");
        forgetting.pass(&marks(1, 1));
        assert_eq!(forgetting.take(), (vec![first], vec![]));
        assert!(!forgetting.due());
    }

    #[test]
    fn with_peers_nothing_goes_before_all_have_it() {
        let first = alert(log(1), 0);
        let rows = [row(log(1), 0, about(first)), row(log(1), 1, passing()), row(log(2), 0, passing())];
        let (_folder, store, mut forgetting) = with(&rows, Peers::Unheard, 99);
        forgetting.ask(&store, vec![first], &[]);
        forgetting.pass(&marks(2, 1));
        assert!(!forgetting.due(), "nobody has said what peers have");
        forgetting.retain(BTreeMap::from([(log(1), 1)]));
        assert!(!forgetting.due(), "the log that is not named is needed whole");
        forgetting.retain(marks(2, 0));
        assert_eq!(forgetting.take(), (vec![], vec![RecordId { log: log(1), seq: 1 }]));
        forgetting.retain(marks(2, 1));
        assert_eq!(forgetting.take(), (vec![first], vec![RecordId { log: log(2), seq: 0 }]));
    }

    #[test]
    fn past_the_limit_peers_are_not_waited_for_but_the_history_is() {
        let rows: Vec<Row> = (0..10).map(|seq| row(log(1), seq, passing())).collect();
        let (_folder, _store, mut forgetting) = with(&rows, Peers::Unheard, 7);
        assert!(!forgetting.due(), "the history has read nothing");
        forgetting.pass(&marks(2, 0));
        let places = |(_, records): (_, Vec<RecordId>)| records.iter().map(|id| id.seq).collect::<Vec<_>>();
        assert_eq!(places(forgetting.take()), [0, 1]);
        forgetting.pass(&marks(10, 0));
        assert_eq!(places(forgetting.take()), [2], "seven may wait");
        assert!(!forgetting.due());
    }

    #[test]
    fn a_twin_goes_after_what_it_was_merged_into() {
        let (smaller, larger, coming) = (alert(log(1), 0), alert(log(2), 0), alert(log(1), 5));
        let merged = |seq, of, into| row(log(2), seq, Index { merges: Some(into), ..about(of) });
        let rows = [accept(smaller), accept(larger), merged(1, larger, smaller)];
        let (_folder, mut store, mut forgetting) = with(&rows, Peers::None, 99);
        forgetting.pass(&marks(9, 9));
        forgetting.ask(&store, vec![larger], &[]);
        assert!(!forgetting.due(), "its records say what became of it");
        forgetting.ask(&store, vec![smaller], &[]);
        assert_eq!(forgetting.take(), (vec![smaller, larger], vec![]));
        // The record that makes one that is gone the twin of one that may still come has to wait for that.
        let late = [merged(2, larger, coming)];
        store.add(&late).unwrap();
        forgetting.stored(&store, &late);
        assert!(!forgetting.due());
        let mut rows: Vec<Row> = (1..5).map(|seq| row(log(1), seq, Index::default())).collect();
        rows.push(accept(coming));
        store.add(&rows).unwrap();
        forgetting.stored(&store, &rows);
        assert_eq!(forgetting.take(), (vec![coming, larger], vec![]));
    }

    #[test]
    fn what_says_that_another_one_is_over_stays_until_that_goes() {
        let (first, second) = (alert(log(1), 0), alert(log(1), 1));
        let rows = [accept(first), accept(second)];
        let (_folder, mut store, mut forgetting) = with(&rows, Peers::None, 99);
        forgetting.ask(&store, vec![first], &[]);
        let late = [row(log(1), 2, Index { merges: Some(second), ..about(first) })];
        store.add(&late).unwrap();
        forgetting.stored(&store, &late);
        forgetting.pass(&marks(9, 9));
        assert!(!forgetting.due());
        forgetting.ask(&store, vec![second], &[]);
        assert_eq!(forgetting.take(), (vec![second, first], vec![]));
        assert_eq!(forgetting.waiting, 0);
    }

    #[test]
    fn what_waits_is_counted_by_records() {
        let (first, second) = (alert(log(1), 0), alert(log(1), 3));
        let mut rows: Vec<Row> = (0..3).map(|seq| row(log(1), seq, about(first))).collect();
        rows.push(row(log(1), 3, about(second)));
        let (_folder, mut store, mut forgetting) = with(&rows, Peers::Unheard, 4);
        forgetting.pass(&marks(4, 1));
        forgetting.ask(&store, vec![first, second, first], &[]);
        assert_eq!(forgetting.waiting, 4, "once each");
        assert!(!forgetting.due());
        let late = [row(log(2), 0, about(second))];
        store.add(&late).unwrap();
        forgetting.stored(&store, &late);
        assert_eq!(forgetting.take(), (vec![first], vec![]), "five are too many, two are not");
        assert_eq!(forgetting.waiting, 2);
    }
}
