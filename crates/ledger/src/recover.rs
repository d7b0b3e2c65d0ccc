//! What a start finds: every remaining record, how far each log goes, and what outlives finished alerts.
//!
//! A record that cannot be read is put aside and reported; it never keeps the others from being read.

use crate::OpenError;
use crate::standing::ALL;
use crate::store::{Store, bits, log, logs, raise, unbits};
use base::{AlertId, BootId, Digest, LogId, Name, NodeId, RecordId, Wall};
use dispatch::record::{Code, Entry};
use record::{DecodeError, Fate, Fates};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};

/// What was found at the start.
#[derive(Debug)]
pub struct Recovered {
    /// The log of this boot; its id was never used before.
    pub log: LogId,
    /// The last run ended by `close`.
    pub clean: bool,
    /// Every record that is left, by (log, place). Those of finished alerts are gone: a hole below `upto`
    /// means *finished*.
    pub records: Vec<(RecordId, Entry)>,
    /// How many records of each log are durable, deleted ones included.
    pub upto: BTreeMap<LogId, u64>,
    /// From where on each log is whole.
    pub base: BTreeMap<LogId, u64>,
    /// Idempotency keys that are still remembered.
    pub keys: Vec<AcceptedKey>,
    /// Which codes were given when, within the time for which they rest; by letter and hour.
    pub codes: Vec<CodeMark>,
    /// Attempts per provider and day.
    pub quota: Vec<Spent>,
    /// Records that could not be read and were put aside, with the reason.
    pub poisoned: Vec<(RecordId, String)>,
    /// Those, and those of earlier starts that no peer has made good since: what they said counts as not seen.
    pub lost: BTreeSet<RecordId>,
    /// The latest time that this node wrote anything at; none for a new ledger.
    pub last_wall: Option<Wall>,
    /// The history was damaged and was put aside: it starts again with the alerts that are left.
    pub history_lost: Option<String>,
    /// How many of the last records of a log the history has and the ledger does not have any more: the file,
    /// or the tail of it that SQLite had not merged, was lost or replaced. Said once.
    pub missing: Vec<(LogId, u64)>,
}

/// An idempotency key that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedKey {
    /// Whose key it is.
    pub source: Name,
    /// The key.
    pub key: String,
    /// The digest of the request under it.
    pub digest: Digest,
    /// What it became.
    pub alert: AlertId,
    /// What people type back.
    pub code: Code,
    /// When.
    pub at: Wall,
}

/// The codes that were given within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeMark {
    /// The letter.
    pub letter: char,
    /// The beginning of the hour.
    pub hour: Wall,
    /// The highest number.
    pub highest: u32,
    /// The number that was given last; less than `highest` where the count started again with 1.
    pub last: u32,
}

/// Attempts of a provider on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The provider.
    pub provider: Name,
    /// Days since 1970-01-01 UTC.
    pub day: i64,
    /// How many.
    pub count: u64,
}

/// A record that cannot be read, as it stands in the table.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) id: RecordId,
    pub(crate) why: String,
}

/// Reads everything and puts unreadable records aside.
pub(crate) fn recover(store: &mut Store, me: LogId, clean: bool) -> Result<Recovered, OpenError> {
    let file = store.file.clone();
    let failed = |error: rusqlite::Error| OpenError::sqlite(&file, &error);
    let mut bad = Vec::new();
    let mut newer = None;
    let mut records = scan(&store.db, &mut |id, error| {
        if let Trouble::Decode(DecodeError::Newer { version }) = &error {
            newer = Some(*version);
        }
        bad.push(Bad { id, why: error.to_string() });
    })
    .map_err(failed)?;
    if let Some(version) = newer {
        return Err(OpenError::Newer { file, version });
    }
    set_aside(store, &bad).map_err(failed)?;
    if !store.finished.is_empty() {
        let over = |alert: AlertId| store.finished.contains(&alert);
        records.retain(|(id, entry)| !entry.record.alert(*id).is_some_and(over));
    }
    let keys = keys(&store.db).map_err(failed)?;
    let codes = codes(&store.db).map_err(failed)?;
    let noted = store.noted("wall").map_err(failed)?.and_then(|text| text.parse().ok()).map(Wall);
    // A peer's clock says nothing about ours.
    let ours = |id: &RecordId| id.log.node == me.node;
    let written = records.iter().filter(|(id, _)| ours(id)).map(|(_, entry)| entry.at);
    let accepted = keys.iter().filter(|key| ours(&key.alert.0)).map(|key| key.at);
    let last_wall = written.chain(accepted).chain(noted).max();
    Ok(Recovered {
        log: me,
        clean,
        upto: store.logs.iter().map(|(log, mark)| (*log, mark.upto)).collect(),
        base: store.logs.iter().map(|(log, mark)| (*log, mark.base)).collect(),
        quota: quota(&store.db).map_err(failed)?,
        poisoned: bad.into_iter().map(|bad| (bad.id, bad.why)).collect(),
        lost: store.lost.clone(),
        history_lost: None,
        missing: Vec::new(),
        records,
        keys,
        codes,
        last_wall,
    })
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("its checksum is {found:08x}, and {noted:08x} was noted when it was written")]
    Checksum { found: u32, noted: u32 },
    #[error(transparent)]
    Decode(DecodeError),
}

/// A record's body, checked and read.
pub(crate) fn read(body: &[u8], noted: u32) -> Result<Entry, Trouble> {
    let found = crc32fast::hash(body);
    if found != noted {
        return Err(Trouble::Checksum { found, noted });
    }
    record::decode(body).map_err(Trouble::Decode)
}

/// Every record that can be read, by (log, place); `bad` is told of the others.
pub(crate) fn scan(
    db: &Connection,
    bad: &mut dyn FnMut(RecordId, Trouble),
) -> rusqlite::Result<Vec<(RecordId, Entry)>> {
    let mut statement = db.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let id = RecordId { log: log(row)?, seq: unbits(row.get(2)?) };
        match read(row.get_ref(4)?.as_blob().unwrap_or_default(), row.get(3)?) {
            Ok(entry) => records.push((id, entry)),
            Err(trouble) => bad(id, trouble),
        }
    }
    Ok(records)
}

fn set_aside(store: &mut Store, bad: &[Bad]) -> rusqlite::Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    let transaction = store.db.transaction()?;
    let mut gone = BTreeMap::new();
    for Bad { id, why } in bad {
        let Some(mark) = store.logs.get(&id.log) else { continue };
        transaction.execute(
            "INSERT INTO quarantine SELECT ?3, ?4, seq, crc, body, ?5 FROM records WHERE log = ?1 AND seq = ?2",
            params![mark.key, bits(id.seq), id.log.node.0, bits(id.log.boot.0), why],
        )?;
        transaction
            .execute("DELETE FROM records WHERE log = ?1 AND seq = ?2", params![mark.key, bits(id.seq)])?;
        let behind = gone.entry(mark.key).or_default();
        *behind = id.seq.saturating_add(1).max(*behind);
    }
    raise(&transaction, &store.logs, &gone)?;
    transaction.commit()?;
    store.logs = logs(&store.db)?;
    store.lost.extend(bad.iter().map(|bad| bad.id));
    Ok(())
}

/// A text that was checked when it was written; what no longer fits is passed over.
fn name(text: &str) -> Option<Name> {
    Name::new(text).ok()
}

pub(crate) fn keys(db: &Connection) -> rusqlite::Result<Vec<AcceptedKey>> {
    let mut statement = db.prepare(
        "SELECT source, key, digest, node, boot, alert_seq, code_letter, code_number, at
         FROM accepted JOIN logs ON log = alert_log ORDER BY at",
    )?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let log = LogId { node: NodeId(row.get(3)?), boot: BootId(unbits(row.get(4)?)) };
        let (Some(source), Some(letter)) =
            (name(row.get_ref(0)?.as_str()?), row.get_ref(6)?.as_str()?.chars().next())
        else {
            continue;
        };
        keys.push(AcceptedKey {
            source,
            key: row.get(1)?,
            digest: Digest(row.get(2)?),
            alert: AlertId(RecordId { log, seq: unbits(row.get(5)?) }),
            code: Code { letter, number: row.get(7)? },
            at: Wall(row.get(8)?),
        });
    }
    Ok(keys)
}

fn codes(db: &Connection) -> rusqlite::Result<Vec<CodeMark>> {
    let mut statement = db.prepare("SELECT letter, hour, highest, last FROM codes ORDER BY letter, hour")?;
    let mut rows = statement.query([])?;
    let mut codes = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(letter) = row.get_ref(0)?.as_str()?.chars().next() else { continue };
        let hour = Wall(row.get::<_, i64>(1)?.saturating_mul(3_600_000));
        codes.push(CodeMark { letter, hour, highest: row.get(2)?, last: row.get(3)? });
    }
    Ok(codes)
}

fn quota(db: &Connection) -> rusqlite::Result<Vec<Spent>> {
    let mut statement = db.prepare(
        "SELECT provider, day, sum(count) FROM quota GROUP BY provider, day ORDER BY day, provider",
    )?;
    let mut rows = statement.query([])?;
    let mut quota = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(provider) = name(row.get_ref(0)?.as_str()?) else { continue };
        quota.push(Spent { provider, day: row.get(1)?, count: unbits(row.get(2)?) });
    }
    Ok(quota)
}

/// Alerts whose records can go: closed, or with facts left although their `Accept` is gone. What belongs to
/// an `Accept` that is lost stays: a peer may have it.
pub(crate) fn finished(recovered: &Recovered) -> Vec<AlertId> {
    let Recovered { records, upto, lost, .. } = recovered;
    let mut fates = Fates::new(BTreeSet::new(), lost.clone());
    let mut named = BTreeSet::new();
    for (id, entry) in records {
        let index = record::index(*id, entry);
        fates.see(*id, &index);
        named.extend(index.alert);
    }
    fates.settle(upto);
    named.into_iter().filter(|alert| fates.of(*alert, upto) == Fate::Over).collect()
}
