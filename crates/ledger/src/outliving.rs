//! What outlives alerts, as a peer's snapshot carries it: idempotency keys, codes that rest, daily counts.
//!
//! Separate from the records, of which it cannot be made again: theirs are gone. It travels as JSON, which
//! SQLite makes and reads; `v` stands in it, so that a later program may write it otherwise.

use crate::AcceptedKey;
use rusqlite::{Connection, Transaction};

/// The version that is written.
const VERSION: u32 = 1;

/// Everything, as bytes.
pub(crate) fn write(db: &Connection) -> rusqlite::Result<Vec<u8>> {
    let text: String = db.query_row(
        "SELECT json_object('v', ?1,
         'keys', json((SELECT json_group_array(json_array(source, key, hex(digest), node, boot, alert_seq,
            code_letter, code_number, at)) FROM (SELECT * FROM accepted JOIN logs ON log = alert_log
            ORDER BY source, key))),
         'codes', json((SELECT json_group_array(json_array(letter, hour, highest, last)) FROM (SELECT *
            FROM codes ORDER BY letter, hour))),
         'quota', json((SELECT json_group_array(json_array(node, boot, provider, day, count))
            FROM (SELECT * FROM quota JOIN logs USING (log) ORDER BY node, boot, provider, day))))",
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

/// The idempotency keys in these bytes, the oldest first, read as a ledger that takes them over would.
pub(crate) fn keys(bytes: &[u8]) -> Vec<AcceptedKey> {
    let read = || -> Option<Vec<AcceptedKey>> {
        let db = Connection::open_in_memory().ok()?;
        crate::schema::prepare(&db, "a snapshot".as_ref()).ok()?;
        if !readable(&db, bytes) {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        for step in [LOGS_OF_KEYS, KEYS] {
            db.execute(step, [text]).ok()?;
        }
        crate::recover::keys(&db).ok()
    };
    read().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        crate::schema::prepare(&db, "ledger.db".as_ref()).unwrap();
        db
    }

    #[test]
    fn what_was_written_is_taken_over_as_it_was() {
        let there = prepared();
        there
            .execute_batch(
                "INSERT INTO logs (node, boot, upto) VALUES (1, 4294967296, 9), (2, -1, 7);
                 INSERT INTO accepted VALUES ('scada', 'a \"key\"', x'0102ff', 1, 3, 'A', 12, 1700000000000);
                 INSERT INTO codes VALUES ('A', 472222, 14, 2);
                 INSERT INTO quota VALUES (2, 'smtp-a', 19675, 40);",
            )
            .unwrap();
        let bytes = write(&there).unwrap();
        let here = prepared();
        for _ in 0..2 {
            assert!(readable(&here, &bytes));
            let transaction = here.unchecked_transaction().unwrap();
            take_over(&transaction, &bytes).unwrap();
            transaction.commit().unwrap();
            assert_eq!(String::from_utf8(write(&here).unwrap()), String::from_utf8(bytes.clone()));
        }
    }

    #[test]
    fn keys_are_read_from_the_bytes_as_from_a_ledger_that_took_them_over() {
        let there = prepared();
        there
            .execute_batch(
                "INSERT INTO logs (node, boot, upto) VALUES (1, 4294967296, 9);
                 INSERT INTO accepted VALUES ('scada', 'second', zeroblob(32), 1, 3, 'A', 12, 1700000000001),
                    ('plc', 'first', zeroblob(32), 1, 2, 'A', 11, 1700000000000);",
            )
            .unwrap();
        let found = keys(&write(&there).unwrap());
        assert_eq!(found, crate::recover::keys(&there).unwrap());
        assert_eq!(found.iter().map(|key| &*key.key).collect::<Vec<_>>(), ["first", "second"]);
        for bytes in [&b""[..], b"{\"v\":2,\"keys\":[]}", b"{\"v\":1,\"keys\":[[1]]}"] {
            assert_eq!(keys(bytes), [], "{bytes:?}");
        }
    }

    #[test]
    fn other_bytes_are_not_readable() {
        for bytes in [&b""[..], b"[]", b"{}", b"{\"v\":2}", b"{\"v\":1", b"\xff"] {
            assert!(!readable(&prepared(), bytes), "{bytes:?}");
        }
    }
}
