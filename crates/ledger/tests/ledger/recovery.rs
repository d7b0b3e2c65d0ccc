//! What is told as stored is found again: after an orderly end, after a crash, and beside damage.

use crate::common::{self, Pen, flip, open, roster, state, stored, wait_stored};
use base::{AlertId, LogId, RecordId};
use dispatch::record::{Entry, Record};
use ledger::{LedgerEvent, Recovered};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

#[test]
fn what_was_stored_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    assert!(recovered.records.is_empty() && recovered.clean);
    assert_eq!(recovered.last_wall, None);
    let mut pen = Pen::new(recovered.log);
    let mut written = vec![pen.start(), pen.write(Record::Roster(Arc::new(roster())))];
    written.extend(pen.beginning(1, 2).1);
    written.push(pen.write(common::edition(1)));
    ledger.append(stored(written.clone()));
    wait_stored(&told, pen.log, pen.next);
    ledger.close().unwrap();

    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    assert!(recovered.clean);
    assert_eq!(recovered.records, written);
    assert_eq!(recovered.upto.get(&pen.log), Some(&pen.next));
    assert_eq!(recovered.last_wall, Some(pen.at));
    assert_eq!(recovered.log.node, pen.log.node);
    assert_eq!(recovered.log.boot.counter(), 2);
    let key = recovered.keys.first().unwrap();
    assert_eq!((key.key.as_str(), key.code.to_string().as_str()), ("key-1", "A1"));
    assert_eq!(recovered.codes.iter().map(|mark| (mark.letter, mark.last)).collect::<Vec<_>>(), [('A', 1)]);
    assert_eq!(recovered.quota.iter().map(|spent| spent.count).collect::<Vec<_>>(), [1]);
}

/// The child of the next test: appends until it is killed, and prints how far it was told.
#[test]
fn a_child_that_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os("LEDGER_CRASH_FOLDER") else { return };
    let (ledger, recovered, told) = open(folder.as_ref()).unwrap();
    let mut pen = Pen::new(recovered.log);
    println!("\nlog {}", recovered.log);
    ledger.append(stored(vec![pen.start()]));
    let mut durable = 0;
    for number in 1.. {
        ledger.append(stored(pen.story(number).1));
        while durable + 100 < pen.next {
            match told.recv().unwrap() {
                LedgerEvent::Stored { upto, .. } => {
                    durable = upto;
                    println!("stored {upto}");
                }
                LedgerEvent::Truncated { .. } => (),
                other @ (LedgerEvent::Full { .. } | LedgerEvent::Roomy | LedgerEvent::Failed { .. }) => {
                    panic!("{other:?}")
                }
            }
        }
    }
}

#[test]
fn what_was_told_as_stored_survives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    for lines in [1, 2, 3, 7, 20, 60] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "recovery::a_child_that_appends_until_it_is_killed", "--nocapture"])
            .env("LEDGER_CRASH_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log: Option<LogId> = None;
        let mut stored = 0;
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(text) = line.strip_prefix("log ") {
                log = Some(text.parse().unwrap());
            }
            if let Some(text) = line.strip_prefix("stored ") {
                stored = text.parse().unwrap();
                seen += 1;
            }
            if seen == lines {
                child.kill().unwrap(); // SIGKILL; what it printed meanwhile counts as told too.
            }
        }
        assert!(!child.wait().unwrap().success());
        let log = log.unwrap();
        let (ledger, recovered, _) = open(folder.path()).unwrap();
        assert!(!recovered.clean);
        assert!(recovered.poisoned.is_empty(), "{:?}", recovered.poisoned);
        assert!(recovered.upto[&log] >= stored, "{stored} were told, {} are there", recovered.upto[&log]);
        whole(&recovered, log);
        ledger.close().unwrap();
    }
}

/// Every alert of `log` is there with all of its records, or is finished and gone with all of them; save the
/// last, which the kill may have cut short.
fn whole(recovered: &Recovered, log: LogId) {
    let of_log = recovered.records.iter().filter(|(id, _)| id.log == log);
    let mut pen = Pen::new(log);
    let mut expected = vec![pen.start()];
    let mut number = 0;
    while pen.next < recovered.upto[&log] {
        number += 1;
        expected.extend(pen.story(number).1);
    }
    for (id, entry) in of_log {
        assert_eq!(&expected[usize::try_from(id.seq).unwrap()], &(*id, entry.clone()));
    }
    assert!(state(recovered).open.len() <= 1);
}

#[test]
fn finished_alerts_go_and_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let roster = Arc::new(roster());
    let mut records = vec![pen.start(), pen.write(Record::Roster(Arc::clone(&roster)))];
    records.extend([1, 2].map(|version| pen.write(common::edition(version))));
    let (finished, story) = pen.story(1);
    records.extend(story);
    let (pending, story) = pen.beginning(2, 3);
    records.extend(story);
    ledger.append(stored(records));
    ledger.forget(vec![finished], vec![roster.id]);
    ledger.settle();
    ledger.append(stored(vec![pen.start()])); // A further command, so that the writer meets the marks before its end.
    ledger.settle();
    ledger.close().unwrap();

    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    let about: Vec<Option<AlertId>> =
        recovered.records.iter().map(|(id, entry)| entry.record.alert(*id)).collect();
    assert!(!about.contains(&Some(finished)), "{about:?}");
    assert_eq!(about.iter().filter(|alert| **alert == Some(pending)).count(), 3);
    assert!(!recovered.records.iter().any(|(_, entry)| matches!(entry.record, Record::Roster(_))));
    let editions = |entry: &Entry| {
        let Record::Directory { edition, .. } = &entry.record else { return None };
        Some(edition.version)
    };
    assert_eq!(recovered.records.iter().filter_map(|(_, entry)| editions(entry)).collect::<Vec<_>>(), [2]);
    let state = state(&recovered);
    assert_eq!(state.open.keys().collect::<Vec<_>>(), [&pending]);
    assert_eq!(state.applied(pen.log), pen.next);
}

#[test]
fn a_record_that_leaves_a_gap_stops_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    pen.next = 5;
    ledger.append(stored(vec![pen.start()]));
    let LedgerEvent::Failed { why } = told.recv().unwrap() else { panic!("a gap was stored") };
    assert!(why.contains("0 is next"), "{why}");
    assert!(ledger.close().is_err());
}

#[test]
fn a_flipped_bit_puts_one_record_aside_and_spares_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let records = pen.beginning(1, 3).1;
    ledger.append(stored(records.clone()));
    wait_stored(&told, pen.log, 3);
    ledger.close().unwrap();
    flip(&folder.path().join("ledger.db"), b"smtp-a", b"smtp-b");

    let (ledger, recovered, _) = open(folder.path()).unwrap();
    let bad = RecordId { log: pen.log, seq: 1 };
    assert_eq!(recovered.poisoned.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [bad]);
    assert!(recovered.poisoned[0].1.contains("checksum"), "{:?}", recovered.poisoned);
    assert_eq!(recovered.records, [records[0].clone(), records[2].clone()]);
    ledger.close().unwrap();
    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    assert!(recovered.poisoned.is_empty(), "it is put aside once");
    assert_eq!(recovered.lost, BTreeSet::from([bad]), "and is lacking until a peer makes it good");
}

#[test]
fn a_ledger_that_has_lost_records_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    ledger.append(stored(vec![pen.start()]));
    ledger.append(stored(pen.story(1).1));
    wait_stored(&told, pen.log, pen.next);
    ledger.settle();
    ledger.close().unwrap();
    std::fs::remove_file(folder.path().join("ledger.db")).unwrap();

    let (ledger, recovered, _) = open(folder.path()).unwrap();
    assert_eq!(recovered.missing, [(pen.log, pen.next)]);
    ledger.close().unwrap();
    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    assert_eq!(recovered.missing, []);
}
