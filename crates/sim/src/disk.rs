//! The disk of one node: what a start finds, what an fsync has yet to reach, and what is deleted.
//!
//! It does what the ledger does, to the letter where it matters: group commit in order, logs dense from their
//! base, unreadable rows put aside, finished alerts deleted once every member has their records. Rows are kept
//! as the bytes that the `record` crate writes.

use base::{AlertId, Digest, LogId, RecordId, Wall};
use dispatch::record::{Code, Entry};
use dispatch::state::State;
use dispatch::{Past, PastKey, Snapshot};
use record::{Fate, Fates};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A record as written, with what it is filed under.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) bytes: Arc<[u8]>,
    at: Wall,
    index: Arc<record::Index>,
}

impl Row {
    pub(crate) fn new(id: RecordId, entry: &Entry) -> Self {
        let index = Arc::new(record::index(id, entry));
        Self { bytes: record::encode(entry).into(), at: entry.at, index }
    }
}

/// All that a peer needs which lacks more than the logs still hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) upto: BTreeMap<LogId, u64>,
    /// Of these the disk that it comes from knows nothing: they could not be read there.
    lost: BTreeSet<RecordId>,
    pub(crate) rows: BTreeMap<RecordId, Row>,
    keys: Vec<PastKey>,
}

/// What waits for the disk.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Row(RecordId, Row),
    Merge(Arc<Parcel>, Vec<AlertId>),
    Forget(Vec<AlertId>, Vec<Digest>, Vec<RecordId>),
}

/// What a commit did.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Logs that reach further.
    pub(crate) stored: BTreeMap<LogId, u64>,
    /// Logs of which earlier records are missing now.
    pub(crate) base: BTreeMap<LogId, u64>,
    /// The records that became durable.
    pub(crate) rows: Vec<RecordId>,
    /// Alerts that a snapshot showed to be finished.
    pub(crate) finished: Vec<AlertId>,
    /// What the ledger would have stopped for.
    pub(crate) trouble: Option<String>,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) boots: u32,
    pub(crate) rows: BTreeMap<RecordId, Row>,
    pub(crate) upto: BTreeMap<LogId, u64>,
    pub(crate) base: BTreeMap<LogId, u64>,
    finished: BTreeSet<AlertId>,
    /// Rows that could not be read and were put aside, and those that a snapshot lacked.
    pub(crate) lost: BTreeSet<RecordId>,
    keys: Vec<PastKey>,
    codes: Vec<(Wall, Code)>,
    /// Not durable yet, in order; the first `batch` are being written.
    pub(crate) queue: VecDeque<Write>,
    pub(crate) batch: usize,
    /// Done with, once all members have each log this far.
    asked: VecDeque<(BTreeSet<AlertId>, BTreeMap<LogId, u64>)>,
    /// Done with, and kept for what they say of twins.
    behind: BTreeSet<AlertId>,
    dropped: BTreeSet<RecordId>,
}

impl Disk {
    /// A record that is here, durable or not.
    pub(crate) fn read(&self, id: RecordId) -> Option<&Row> {
        self.rows.get(&id).or_else(|| {
            self.queue.iter().find_map(|write| match write {
                Write::Row(of, row) if *of == id => Some(row),
                Write::Merge(parcel, _) => parcel.rows.get(&id),
                Write::Row(..) | Write::Forget(..) => None,
            })
        })
    }

    /// Makes the batch durable.
    pub(crate) fn commit(&mut self, me: LogId) -> Committed {
        let mut committed = Committed::default();
        for _ in 0..std::mem::take(&mut self.batch) {
            match self.queue.pop_front() {
                Some(Write::Row(id, row)) => self.add(id, row, &mut committed),
                Some(Write::Merge(parcel, finished)) => self.merge(me, &parcel, finished, &mut committed),
                Some(Write::Forget(alerts, rosters, silences)) => {
                    self.forget(alerts, &rosters);
                    let of = |row: &Row| row.index.silence.is_some_and(|id| silences.contains(&id));
                    let rows = self.rows.iter().filter(|(_, row)| of(row)).map(|(id, _)| *id);
                    self.dropped.extend(rows);
                }
                None => break,
            }
        }
        committed
    }

    fn add(&mut self, id: RecordId, row: Row, committed: &mut Committed) {
        let next = self.upto.entry(id.log).or_default();
        if *next != id.seq {
            committed.trouble = Some(format!("record {id} was appended where {next} is next in its log"));
            return;
        }
        *next += 1;
        committed.stored.insert(id.log, *next);
        committed.rows.push(id);
        self.file(id, row);
    }

    fn file(&mut self, id: RecordId, row: Row) {
        if let Some(accepted) = &row.index.accept {
            self.codes.push((row.at, accepted.code));
            if let (Some(key), Some(digest)) = (&accepted.key, accepted.digest) {
                let (source, key, at) = (accepted.source.clone(), Arc::clone(key), row.at);
                self.keys.push(PastKey { source, key, digest, alert: AlertId(id), code: accepted.code, at });
            }
        }
        if row.index.passing {
            self.dropped.insert(id);
        }
        if let Some(place) = row.index.edition {
            let older = self.rows.iter().filter(|(_, other)| {
                other.index.edition.is_some_and(|other| other.0 == place.0 && other < place)
            });
            self.dropped.extend(older.map(|(id, _)| *id));
        }
        let (about, merges) = (row.index.alert, row.index.merges);
        let late = about.filter(|alert| alert.0 != id && self.is_gone(*alert));
        self.rows.insert(id, row);
        match (late, about, merges) {
            (Some(alert), _, into) => self.forget(into.into_iter().chain([alert]).collect(), &[]),
            (None, Some(alert), Some(_)) => {
                // What waits to be deleted says of another alert now that it is over.
                for (alerts, _) in &mut self.asked {
                    if alerts.remove(&alert) {
                        self.behind.insert(alert);
                    }
                }
                let waits = self.asked.iter().flat_map(|(alerts, _)| alerts.iter().copied()).collect();
                self.catch_up(&waits);
            }
            (None, ..) => (),
        }
    }

    /// Asks for those that were kept for what they say of twins, and need be no longer: `over` go as well.
    fn catch_up(&mut self, over: &BTreeSet<AlertId>) {
        let mut next: BTreeSet<AlertId> = BTreeSet::new();
        for alert in &self.behind {
            let mut twins = self.rows.values().filter(|row| row.index.alert == Some(*alert));
            if twins.all(|row| row.index.merges.is_none_or(|into| over.contains(&into) || self.is_gone(into)))
            {
                next.insert(*alert);
            }
        }
        if !next.is_empty() {
            self.behind.retain(|alert| !next.contains(alert));
            let over = over.union(&next).copied().collect();
            self.asked.push_back((next, self.upto.clone()));
            self.catch_up(&over);
        }
    }

    /// The alert was here, and its records are not any more.
    fn is_gone(&self, alert: AlertId) -> bool {
        self.covers(alert) && !self.rows.contains_key(&alert.0)
    }

    /// The acceptance of the alert is here, or was and did not rot.
    fn covers(&self, alert: AlertId) -> bool {
        alert.0.seq < self.upto.get(&alert.0.log).copied().unwrap_or(0) && !self.lost.contains(&alert.0)
    }

    fn merge(&mut self, me: LogId, parcel: &Parcel, finished: Vec<AlertId>, committed: &mut Committed) {
        self.find_again(parcel, committed);
        for (log, upto) in &parcel.upto {
            let here = self.upto.get(log).copied().unwrap_or(0);
            if *log == me || here >= *upto {
                continue;
            }
            let first = RecordId { log: *log, seq: here };
            let rows = parcel.rows.range(first..RecordId { log: *log, seq: *upto });
            let rows: Vec<(RecordId, Row)> = rows.map(|(id, row)| (*id, row.clone())).collect();
            let whole = u64::try_from(rows.len()).is_ok_and(|rows| rows == upto - here);
            self.upto.insert(*log, *upto);
            committed.stored.insert(*log, *upto);
            if !whole {
                self.base.insert(*log, *upto);
                committed.base.insert(*log, *upto);
            }
            for (id, row) in rows {
                committed.rows.push(id);
                self.file(id, row);
            }
            let end = RecordId { log: *log, seq: *upto };
            self.lost.extend(parcel.lost.range(first..end));
        }
        for key in &parcel.keys {
            if !self.keys.iter().any(|mine| mine.source == key.source && mine.key == key.key) {
                self.keys.push(key.clone());
            }
        }
        self.finished.extend(finished.iter().copied());
        self.forget(finished.clone(), &[]);
        committed.finished = finished;
    }

    /// Takes over what the parcel knows of lost rows: they, or that they are not needed.
    fn find_again(&mut self, parcel: &Parcel, committed: &mut Committed) {
        let known = |id: &RecordId| {
            id.seq < parcel.upto.get(&id.log).copied().unwrap_or(0) && !parcel.lost.contains(id)
        };
        let found: Vec<RecordId> = self.lost.extract_if(.., |id| known(id)).collect();
        for id in found {
            if let Some(row) = parcel.rows.get(&id) {
                committed.rows.push(id);
                self.file(id, row.clone());
            } else if self.rows.values().any(|row| row.index.alert == Some(AlertId(id))) {
                self.forget(vec![AlertId(id)], &[]);
            }
        }
    }

    fn forget(&mut self, alerts: Vec<AlertId>, rosters: &[Digest]) {
        self.behind.extend(alerts.iter().copied());
        let waiting = self.asked.iter().flat_map(|(alerts, _)| alerts);
        let over = waiting.copied().chain(alerts).collect();
        self.catch_up(&over);
        let of = |row: &Row| row.index.roster.is_some_and(|id| rosters.contains(&id));
        let rows = self.rows.iter().filter(|(_, row)| of(row)).map(|(id, _)| *id);
        self.dropped.extend(rows);
    }

    /// Deletes what every member has; if more than `most` rows wait for that, all that can go.
    pub(crate) fn compact(&mut self, floor: &BTreeMap<LogId, u64>, most: usize) -> BTreeMap<LogId, u64> {
        let forced = self.waiting() > most;
        let reached = |log: &LogId, upto: u64| forced || floor.get(log).copied().unwrap_or(0) >= upto;
        let mut gone: Vec<RecordId> = Vec::new();
        while let Some((alerts, _)) =
            self.asked.pop_front_if(|(_, needs)| needs.iter().all(|(log, upto)| reached(log, *upto)))
        {
            let of = |row: &Row| row.index.alert.is_some_and(|alert| alerts.contains(&alert));
            gone.extend(self.rows.iter().filter(|(_, row)| of(row)).map(|(id, _)| *id));
            self.finished.retain(|alert| !alerts.contains(alert));
        }
        gone.extend(self.dropped.extract_if(.., |id| reached(&id.log, id.seq + 1)));
        let mut raised = BTreeMap::new();
        for id in gone {
            if self.rows.remove(&id).is_some() {
                let base = self.base.entry(id.log).or_default();
                *base = (*base).max(id.seq + 1);
                raised.insert(id.log, *base);
            }
        }
        raised
    }

    /// Rows that are done with and wait for peers.
    pub(crate) fn waiting(&self) -> usize {
        let over: BTreeSet<AlertId> = self.asked.iter().flat_map(|(alerts, _)| alerts).copied().collect();
        let done = |row: &&Row| row.index.alert.is_some_and(|alert| over.contains(&alert));
        self.rows.values().filter(done).count() + self.dropped.len()
    }

    /// All that a peer needs which lacks records that are gone.
    pub(crate) fn parcel(&self) -> Parcel {
        let unreadable = |(_, row): &(&RecordId, &Row)| record::decode(&row.bytes).is_err();
        let mut lost = self.lost.clone();
        lost.extend(self.rows.iter().filter(unreadable).map(|(id, _)| *id));
        let fates = self.fates(&lost);
        let needed = |id: &RecordId, row: &Row| {
            let most = if row.index.merges.is_some() { Fate::Awaited } else { Fate::Pending };
            let pending = |alert| fates.of(alert, &self.upto) <= most;
            !lost.contains(id) && !row.index.passing && row.index.alert.is_none_or(pending)
        };
        let rows = self.rows.iter().filter(|(id, row)| needed(id, row));
        Parcel {
            upto: self.upto.clone(),
            rows: rows.map(|(id, row)| (*id, row.clone())).collect(),
            keys: self.keys.clone(),
            lost,
        }
    }

    /// What a start finds: the state, the past, and the rows that could not be read.
    pub(crate) fn recover(&mut self, letter: char) -> (State, Past, Vec<RecordId>) {
        let mut poisoned = Vec::new();
        let unreadable = |(_, row): &(&RecordId, &Row)| record::decode(&row.bytes).is_err();
        self.lost.extend(self.rows.iter().filter(unreadable).map(|(id, _)| *id));
        let mut state = State::default();
        state.lose(self.lost.iter().copied());
        for (id, row) in &self.rows {
            match record::decode(&row.bytes) {
                Ok(entry) if !entry.record.alert(*id).is_some_and(|it| self.finished.contains(&it)) => {
                    state.recover(*id, &entry);
                }
                Ok(_) => (),
                Err(_) => poisoned.push(*id),
            }
        }
        for id in &poisoned {
            self.rows.remove(id);
            let base = self.base.entry(id.log).or_default();
            *base = (*base).max(id.seq + 1);
        }
        for (log, upto) in &self.upto {
            state.cover(*log, *upto);
        }
        self.ask_again();
        let codes = self.codes.iter().filter(|(_, code)| code.letter == letter);
        let past = Past {
            keys: self.keys.clone(),
            codes: codes.map(|(at, code)| (*at, code.number)).collect(),
            base: self.base.clone(),
            ..Past::default()
        };
        (state, past, poisoned)
    }

    /// Finds again what the last run had yet to delete.
    fn ask_again(&mut self) {
        self.asked.clear();
        self.behind.clear();
        let fates = self.fates(&self.lost);
        let named = self.rows.values().filter_map(|row| row.index.alert).chain(self.finished.iter().copied());
        let over: BTreeSet<AlertId> =
            named.filter(|alert| fates.of(*alert, &self.upto) == Fate::Over).collect();
        self.forget(over.into_iter().collect(), &[]);
    }

    /// What the rows say of alerts, but for those that are lost.
    fn fates(&self, lost: &BTreeSet<RecordId>) -> Fates {
        let mut fates = Fates::new(self.finished.clone(), lost.clone());
        for (id, row) in self.rows.iter().filter(|(id, _)| !lost.contains(id)) {
            fates.see(*id, &row.index);
        }
        fates.settle(&self.upto);
        fates
    }

    /// Power fails: what was not durable is gone. The batch under way made it whole or not at all: a write that
    /// was torn is found by its checksum, and passed over.
    pub(crate) fn fail(&mut self, me: LogId, made_it: bool) {
        if made_it {
            self.commit(me);
        }
        self.queue.clear();
        self.batch = 0;
    }

    /// Some row.
    pub(crate) fn nth(&self, which: usize) -> Option<RecordId> {
        self.rows.keys().nth(which % self.rows.len().max(1)).copied()
    }

    /// A bit of a row rots.
    pub(crate) fn rot(&mut self, id: RecordId) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.bytes = row.bytes.iter().skip(1).copied().collect();
        }
    }

    /// The row is durable, and can be read.
    pub(crate) fn reads(&self, id: RecordId) -> bool {
        self.rows.get(&id).is_some_and(|row| record::decode(&row.bytes).is_ok())
    }
}

impl Parcel {
    /// The parcel as the core gets it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut state = State::default();
        state.lose(self.lost.iter().copied());
        for (id, row) in &self.rows {
            if let Ok(entry) = record::decode(&row.bytes) {
                state.recover(*id, &entry);
            }
        }
        for (log, upto) in &self.upto {
            state.cover(*log, *upto);
        }
        Snapshot { state, keys: self.keys.clone() }
    }
}
