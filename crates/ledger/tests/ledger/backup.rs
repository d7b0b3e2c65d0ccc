//! Backup, restore and verify: a copy made while the ledger is written holds one moment, whole.

use crate::common::{Pen, open, stored, wait_stored};
use ledger::{BackupError, backup, restore, verify};

#[test]
fn a_backup_made_under_way_is_whole_and_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    for number in 1..400 {
        ledger.append(stored(pen.story(number).1));
    }
    wait_stored(&told, pen.log, pen.next);
    let durable = pen.next;
    let copy = folder.path().join("copy");
    let mut steps = Vec::new();
    let mut number = 400;
    backup(folder.path(), &copy, &mut |progress| {
        steps.push(progress);
        // The node goes on meanwhile.
        ledger.append(stored(pen.story(number).1));
        number += 1;
    })
    .unwrap();
    assert!(steps.iter().filter(|step| step.file == "ledger.db").count() > 1, "{steps:?}");
    assert_eq!(steps.iter().filter(|step| step.done == step.total).count(), 2, "one end for each file");
    ledger.close().unwrap();

    let report = verify(&copy).unwrap();
    assert!(report.sound(), "{report:?}");
    assert!(report.upto[&pen.log] >= durable);
    let back = folder.path().join("back");
    restore(&copy, &back, &mut |_| ()).unwrap();
    let (_ledger, recovered, _) = open(&back).unwrap();
    assert_eq!(recovered.upto[&pen.log], report.upto[&pen.log]);
    assert_ne!(recovered.log, pen.log);
}

#[test]
fn a_restore_into_a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("notes.txt"), "mine").unwrap();
    let refused = restore(folder.path(), other.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);
}

#[test]
fn verify_reports_a_record_that_cannot_be_read_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    ledger.append(stored(pen.beginning(1, 3).1));
    ledger.close().unwrap();
    crate::common::flip(&folder.path().join("ledger.db"), b"smtp-a", b"smtp-b");
    let report = verify(folder.path()).unwrap();
    assert!(!report.sound());
    assert_eq!((report.records, report.poisoned.len()), (2, 1));
    assert_eq!(verify(folder.path()).unwrap(), report);
}
