//! What cannot be opened or written: each with the file, the reason and the remedy, and nothing lost.

use crate::common::{Pen, open, stored};
use ledger::{LedgerEvent, OpenError};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

fn refusal(folder: &Path) -> (OpenError, String) {
    let error = open(folder).map(drop).unwrap_err();
    let text = error.to_string();
    (error, text)
}

fn made(folder: &Path) {
    let (ledger, recovered, _told) = open(folder).unwrap();
    ledger.append(stored(Pen::new(recovered.log).story(1).1));
    ledger.close().unwrap();
}

#[test]
fn a_second_process_is_refused_and_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, _told) = open(folder.path()).unwrap();
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(text.contains(&folder.path().display().to_string()), "{text}");
    ledger.close().unwrap();
    open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_is_missing_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = refusal(&folder.path().join("nowhere"));
    assert!(text.contains("does not exist"), "{text}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (_, text) = refusal(&file);
    assert!(text.contains("not a folder"), "{text}");
}

/// The child of the next test: opens the folder as nobody, and prints why it cannot.
#[test]
fn a_child_that_may_not_write() {
    let Some(folder) = std::env::var_os("LEDGER_READ_ONLY_FOLDER") else { return };
    println!("\nrefused: {}", refusal(folder.as_ref()).1);
}

#[test]
fn a_read_only_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "refusals::a_child_that_may_not_write", "--nocapture"])
        .env("LEDGER_READ_ONLY_FOLDER", folder.path());
    if std::fs::File::create(folder.path().join("probe")).is_ok() {
        child.uid(65534); // We are root, whom no permission stops; nobody is stopped.
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("refused: data folder") && text.contains("not writable"), "{text}");
}

#[test]
fn a_file_that_is_no_ledger_is_refused() {
    for content in ["not a database at all, whatever its name may say. ".repeat(20), "short".into()] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ledger.db"), &content).unwrap();
        let (error, text) = refusal(folder.path());
        assert!(matches!(error, OpenError::NotALedger { .. }), "{text}");
        assert!(text.contains("ledger.db"), "{text}");
        assert_eq!(std::fs::read_to_string(folder.path().join("ledger.db")).unwrap(), content);
    }
    let folder = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    other.execute_batch("CREATE TABLE pumps (id);").unwrap();
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, OpenError::NotALedger { .. }), "{text}");
}

#[test]
fn a_truncated_file_is_refused_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("ledger.db")).unwrap();
    file.set_len(2 * 4096).unwrap();
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{text}");
    assert!(text.contains("restore a backup"), "{text}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let db = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    db.execute_batch("UPDATE meta SET value = '3' WHERE key = 'format'").unwrap();
    drop(db);
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, OpenError::Newer { version: 3, .. }), "{text}");
    assert!(text.contains("format 3"), "{text}");
}

/// The child of the next test, in a mount namespace of its own: fills a small disk, and makes room again.
#[test]
fn a_child_on_a_small_disk() {
    let Some(disk) = std::env::var_os("LEDGER_SMALL_DISK") else { return };
    let disk = Path::new(&disk);
    let (ledger, recovered, told) = open(disk).unwrap();
    let mut pen = Pen::new(recovered.log);
    std::fs::write(disk.join("ballast"), vec![1; 44 << 20]).unwrap();
    for number in 1..2000 {
        ledger.append(stored(pen.story(number).1));
    }
    let mut durable = 0;
    let mut events = Vec::new();
    while durable < pen.next || !events.contains(&"roomy") {
        match told.recv().unwrap() {
            LedgerEvent::Stored { upto, .. } => durable = upto,
            LedgerEvent::Truncated { .. } => (),
            LedgerEvent::Full { why } => {
                assert!(why.contains("ledger.db") && why.contains("reserve"), "{why}");
                events.push("full");
                std::fs::remove_file(disk.join("ballast")).unwrap();
            }
            LedgerEvent::Roomy => events.push("roomy"),
            LedgerEvent::Failed { why } => panic!("{why}"),
        }
    }
    ledger.close().unwrap();

    let mut ballast = std::fs::File::create(disk.join("ballast")).unwrap();
    while ballast.write_all(&[1; 4096]).is_ok() {}
    let (ledger, recovered, told) = open(disk).unwrap();
    assert_eq!(recovered.upto[&pen.log], pen.next);
    let event = told.recv().unwrap();
    assert!(matches!(event, LedgerEvent::Full { .. }), "a start on a full disk: {event:?}");
    ledger.close().unwrap();
    println!("\nfull, then roomy");
}

#[test]
fn a_full_disk_is_told_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=48m none \"$LEDGER_SMALL_DISK\" && \
                  exec \"$0\" --exact refusals::a_child_on_a_small_disk --nocapture";
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("LEDGER_SMALL_DISK", folder.path())
        .output()
        .expect("this test needs `unshare` of util-linux");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("full, then roomy"),
        "a full disk is made with `unshare -Urm`, which needs user namespaces or root: {told}{errors}"
    );
}
