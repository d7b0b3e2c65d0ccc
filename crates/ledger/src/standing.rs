//! Which rows are still needed: those about alerts that are not over, and those that stand without one.
//!
//! Separate from `forget`, which deletes: rows are also kept for peers, and nodes differ in those. What is told
//! here follows from the records alone, so that every node that holds the same records says the same.

use crate::reader::ReadError;
use crate::recover::{Trouble, read};
use crate::store::{finished, log, lost, unbits, vector};
use base::limits::DIRECTORY_TERMS_BACK;
use base::{AlertId, Digest, LogId, RecordId};
use dispatch::record::Record;
use record::{Fate, Fates};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// All records, in the order in which all that goes through them does.
pub(crate) const ALL: &str =
    "SELECT node, boot, seq, crc, body FROM records JOIN logs USING (log) ORDER BY node, boot, seq";

/// A row, without what it says.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) id: RecordId,
    pub(crate) crc: u32,
    alert: Option<AlertId>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// About an alert, or standing by itself.
    Plain,
    /// Makes alerts twins.
    Merged,
    /// Nothing that the state keeps.
    Passing,
    /// It cannot be read.
    Lost,
    Edition(u64, u64),
    Roster(Digest),
}

/// What there is, and which of it is over.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// How many records of each log are durable.
    pub(crate) upto: BTreeMap<LogId, u64>,
    /// Every row, in the order of [`ALL`].
    pub(crate) rows: Vec<Seen>,
    fates: Fates,
    /// The roster of each `Accept`.
    bound: BTreeMap<AlertId, Digest>,
    editions: Editions,
    rosters: BTreeMap<(LogId, Digest), u64>,
    /// The first row that cannot be read, and why.
    pub(crate) damaged: Option<(RecordId, String)>,
}

impl Standing {
    /// Goes through all rows. In a transaction, or it may see two states. A row that cannot be read counts as lost.
    pub(crate) fn survey(db: &Connection) -> Result<Self, ReadError> {
        let fates = Fates::new(finished(db)?, lost(db)?);
        let mut standing = Self { upto: vector(db)?, fates, ..Self::default() };
        let mut statement = db.prepare(ALL)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = RecordId { log: log(row)?, seq: unbits(row.get(2)?) };
            let crc = row.get(3)?;
            match read(row.get_ref(4)?.as_blob().unwrap_or_default(), crc) {
                Ok(entry) => {
                    if let Record::Accept(alert) = &entry.record {
                        standing.bound.insert(AlertId(id), alert.roster);
                    }
                    standing.see(id, crc, &record::index(id, &entry));
                }
                Err(trouble) => standing.lose(id, crc, &trouble),
            }
        }
        standing.fates.settle(&standing.upto);
        Ok(standing)
    }

    fn lose(&mut self, id: RecordId, crc: u32, trouble: &Trouble) {
        self.fates.lose(id);
        self.damaged.get_or_insert_with(|| (id, trouble.to_string()));
        self.rows.push(Seen { id, crc, alert: None, kind: Kind::Lost });
    }

    /// The records that are lost.
    pub(crate) fn lost(&self) -> &BTreeSet<RecordId> {
        self.fates.lost()
    }

    fn see(&mut self, id: RecordId, crc: u32, index: &record::Index) {
        self.fates.see(id, index);
        let kind = match (index.edition, index.roster) {
            (Some((term, version)), _) => {
                self.editions.add(term, version, id);
                Kind::Edition(term, version)
            }
            (None, Some(digest)) => {
                let newest = self.rosters.entry((id.log, digest)).or_default();
                *newest = id.seq.max(*newest);
                Kind::Roster(digest)
            }
            (None, None) if index.passing => Kind::Passing,
            (None, None) if index.merges.is_some() => Kind::Merged,
            (None, None) => Kind::Plain,
        };
        self.rows.push(Seen { id, crc, alert: index.alert, kind });
    }

    /// Whether a start needs the row.
    pub(crate) fn needs(&self, row: &Seen) -> bool {
        match &row.kind {
            Kind::Plain => row.alert.is_none_or(|alert| self.fate(alert) <= Fate::Pending),
            Kind::Merged => row.alert.is_none_or(|alert| self.fate(alert) <= Fate::Awaited),
            Kind::Passing | Kind::Lost => false,
            Kind::Edition(term, version) => self.editions.keep(*term, *version, row.id),
            // The newest of a log precedes what is yet to come in it and refers to it.
            Kind::Roster(digest) => self.rosters.get(&(row.id.log, *digest)) == Some(&row.id.seq),
        }
    }

    fn fate(&self, alert: AlertId) -> Fate {
        self.fates.of(alert, &self.upto)
    }

    /// A digest over what is needed. Rosters count where an alert refers to them and by what they say, because
    /// nodes that hold the same may keep them from different logs.
    pub(crate) fn digest(&self) -> Digest {
        let there: BTreeSet<Digest> = self.rosters.keys().map(|(_, digest)| *digest).collect();
        let open = self.bound.iter().filter(|(alert, _)| self.fate(**alert) == Fate::Pending);
        let used: BTreeSet<Digest> =
            open.map(|(_, roster)| *roster).filter(|id| there.contains(id)).collect();
        let mut hasher = base::Hasher::new("standing records");
        for row in self.rows.iter().filter(|row| !matches!(row.kind, Kind::Roster(_)) && self.needs(row)) {
            hasher = hasher
                .number(row.id.log.node.0.into())
                .number(row.id.log.boot.0)
                .number(row.id.seq)
                .number(row.crc.into());
        }
        used.iter().fold(hasher.text("rosters"), |hasher, id| hasher.bytes(&id.0)).finish()
    }
}

/// The editions of the directory that are kept: the newest, and of each lower term the newest, so that the
/// branch that lost can still be read.
#[derive(Debug, Default)]
pub(crate) struct Editions {
    newest: BTreeMap<u64, (u64, RecordId)>,
}

impl Editions {
    /// Takes an edition in. Says which records are not needed any more: this one perhaps.
    pub(crate) fn add(&mut self, term: u64, version: u64, id: RecordId) -> Vec<RecordId> {
        let mut gone = Vec::new();
        match self.newest.get(&term).copied() {
            Some(newest) if newest == (version, id) => return gone,
            Some(newest) if newest > (version, id) => return vec![id],
            Some((_, old)) => gone.push(old),
            None => (),
        }
        self.newest.insert(term, (version, id));
        while self.newest.len() > 1 + DIRECTORY_TERMS_BACK {
            gone.extend(self.newest.pop_first().map(|(_, (_, id))| id));
        }
        gone
    }

    fn keep(&self, term: u64, version: u64, id: RecordId) -> bool {
        self.newest.get(&term) == Some(&(version, id))
    }
}
