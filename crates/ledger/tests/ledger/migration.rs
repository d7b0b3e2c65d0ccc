//! Files of the format before ours: brought up at the start, with all that they hold.

use crate::common::{NINE, Pen, notification, open, stored};
use base::{AlertId, BootId, LogId, NodeId, RecordId, Wall};
use dispatch::record::{Concluded, Outcome, Record};
use ledger::{AlertState, History, ReadError, Reader, TotalsRow, verify};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;

const NODE: NodeId = NodeId(0x1f3a_9c02);

/// The log of a boot of the node.
fn log(boot: u64) -> LogId {
    LogId { node: NODE, boot: BootId(boot << 32) }
}

/// A folder as format 1 left it. Of the first log: an alert that is over and gone (places 1 to 6), one whose mail is
/// under way (7 to 9), something gone (10), and what nobody has read yet (11). The second is all gone, the third
/// all there; of the fourth nothing was seen.
fn old(folder: &Path) -> Vec<RecordId> {
    let db = Connection::open(folder.join("ledger.db")).unwrap();
    db.execute_batch(include_str!("format-1/ledger.sql")).unwrap();
    let mut pen = Pen::new(log(1));
    pen.next = 7;
    let (alert, mut records) = pen.beginning(2, 2);
    records.push(pen.write(Record::Closed { alert: AlertId(RecordId { log: log(4), seq: 0 }) }));
    pen.next = 11;
    records.push(pen.start());
    let mut third = Pen::new(log(3));
    records.extend([third.start(), third.start(), third.start()]);
    for (boot, upto) in [(1_i64, 12), (2, 5), (3, 3), (4, 0)] {
        let id = params![boot, NODE.0, boot << 32, upto];
        db.execute("INSERT INTO logs VALUES (?1, ?2, ?3, ?4)", id).unwrap();
    }
    for (id, entry) in &records {
        let body = record::encode(entry);
        let about = entry.record.alert(*id).map(|AlertId(id)| (id.log.boot.counter(), id.seq.cast_signed()));
        let (alert_log, alert_seq) = about.unzip();
        let key = id.log.boot.counter();
        let row = params![key, id.seq.cast_signed(), alert_log, alert_seq, crc32fast::hash(&body), body];
        db.execute("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row).unwrap();
    }
    let history = Connection::open(folder.join("history.db")).unwrap();
    let script = include_str!("format-1/history.sql");
    history.execute_batch(&script.replace("NOTIFICATION", &notification(alert).to_string())).unwrap();
    records.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_ledger_of_format_1_is_brought_up_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let written = old(folder.path());
    let report = verify(folder.path()).unwrap();
    assert!(report.sound(), "it can be looked through as it is: {report:?}");
    assert_eq!(report.upto, BTreeMap::from([(log(1), 12), (log(2), 5), (log(3), 3), (log(4), 0)]));

    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    assert_eq!(recovered.records.iter().map(|(id, _)| *id).collect::<Vec<_>>(), written);
    assert_eq!((recovered.log.node, recovered.log.boot.counter()), (NODE, 2));
    assert_eq!(recovered.base, BTreeMap::from([(log(1), 11), (log(2), 5), (log(3), 0), (log(4), 0)]));
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.range(log(3), 0, 3, usize::MAX).unwrap().len(), 3);
    let refused = reader.range(log(1), 7, 12, usize::MAX).unwrap_err();
    assert!(matches!(refused, ReadError::Truncated { base: 11, .. }), "{refused}");
    let mut pen = Pen::new(recovered.log);
    ledger.append(stored(vec![pen.start()]));
    ledger.settle();
    ledger.close().unwrap();
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    assert_eq!(recovered.upto[&pen.log], 1);
    ledger.close().unwrap();
    assert!(verify(folder.path()).unwrap().sound());
}

#[test]
fn a_history_of_format_1_keeps_its_rows_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    old(folder.path());
    let (ledger, ..) = open(folder.path()).unwrap();
    let alert = AlertId(RecordId { log: log(1), seq: 7 });
    let intent = RecordId { log: log(1), seq: 8 };
    let mut pen = Pen::new(log(1));
    pen.next = 12;
    let outcome = Outcome::Unknown { why: "lost".into() };
    let outcomes = vec![Concluded { notification: notification(alert), intent, outcome }];
    ledger.append(stored(vec![pen.write(Record::Done { alert, outcomes })]));
    ledger.settle();
    let history = History::open_reader(folder.path()).unwrap();
    let past = history.alert(AlertId(RecordId { log: log(1), seq: 1 })).unwrap().unwrap();
    assert_eq!((past.state, past.acknowledged_by.as_deref()), (AlertState::Closed, Some("recipient:anna")));
    let notes = history.notifications(alert, None, 9).unwrap();
    assert_eq!(notes.iter().map(|row| row.state.as_str()).collect::<Vec<_>>(), ["unknown"]);
    let counted = |since, until| history.totals(since, until).unwrap();
    let source = Some("scada".to_owned());
    let expected =
        TotalsRow { node: NODE, source, accepted: 2, sent: 2, refused: 1, unknown: 2, acknowledged: 1 };
    assert_eq!(counted(NINE, Wall(i64::MAX)), [expected]);
    assert_eq!(counted(NINE, NINE), []);
}
