//! What outlives alerts, as a peer's snapshot carries it: idempotency keys, codes that rest, daily counts.
//!
//! Separate from the records, of which it cannot be made again: theirs are gone. It travels as JSON, which
//! SQLite makes and reads; `v` stands in it, so that a later program may write it otherwise.

use rusqlite::{Connection, Transaction};

/// The version that is written.
const VERSION: u32 = 1;

/// Everything, as bytes.
pub(crate) fn write(db: &Connection) -> rusqlite::Result<Vec<u8>> {
    let text: String = db.query_row(
        "SELECT json_object('v', ?1,
         'keys', (SELECT json_group_array(json_array(source, key, hex(digest), node, boot, alert_seq,
            code_letter, code_number, at) ORDER BY source, key) FROM accepted JOIN logs ON log = alert_log),
         'codes', (SELECT json_group_array(json_array(letter, hour, highest, last) ORDER BY letter, hour)
            FROM codes),
         'quota', (SELECT json_group_array(json_array(node, boot, provider, day, count)
            ORDER BY node, boot, provider, day) FROM quota JOIN logs USING (log)))",
        [VERSION],
        |row| row.get(0),
    )?;
    Ok(text.into_bytes())
}

/// Whether these bytes were written by `write` of a version that is read here.
pub(crate) fn readable(db: &Connection, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let version = |text| db.query_row("SELECT iif(json_valid(?1), ?1 ->> 'v', 0)", [text], |row| row.get(0));
    version(text).is_ok_and(|version: u32| version == VERSION)
}

/// Takes over what is not known here, or known to be less. Taking the same twice changes nothing.
pub(crate) fn take_over(transaction: &Transaction<'_>, bytes: &[u8]) -> rusqlite::Result<()> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    for step in [LOGS_OF_KEYS, KEYS, CODES, LOGS_OF_QUOTA, QUOTA] {
        transaction.execute(step, [text])?;
    }
    Ok(())
}

const LOGS_OF_KEYS: &str = "INSERT OR IGNORE INTO logs (node, boot, upto)
    SELECT DISTINCT value ->> 3, value ->> 4, 0 FROM json_each(?1, '$.keys')";

const LOGS_OF_QUOTA: &str = "INSERT OR IGNORE INTO logs (node, boot, upto)
    SELECT DISTINCT value ->> 0, value ->> 1, 0 FROM json_each(?1, '$.quota')";

/// The later use of a key counts, as it does where a record is added.
const KEYS: &str = "INSERT INTO accepted
    SELECT value ->> 0, value ->> 1, unhex(value ->> 2), log, value ->> 5, value ->> 6, value ->> 7, value ->> 8
    FROM json_each(?1, '$.keys') JOIN logs ON node = value ->> 3 AND boot = value ->> 4 WHERE true
    ON CONFLICT (source, key) DO UPDATE SET digest = excluded.digest, alert_log = excluded.alert_log,
    alert_seq = excluded.alert_seq, code_letter = excluded.code_letter, code_number = excluded.code_number,
    at = excluded.at WHERE excluded.at > at";

const CODES: &str = "INSERT INTO codes
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1, '$.codes') WHERE true
    ON CONFLICT (letter, hour) DO UPDATE SET highest = max(highest, excluded.highest),
    last = iif(excluded.highest > highest, excluded.last, last)";

/// A count belongs to one log, which only grows: the higher one knows more.
const QUOTA: &str = "INSERT INTO quota
    SELECT log, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1, '$.quota')
    JOIN logs ON node = value ->> 0 AND boot = value ->> 1 WHERE true
    ON CONFLICT (log, provider, day) DO UPDATE SET count = max(count, excluded.count)";
