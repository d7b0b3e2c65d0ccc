//! Alertmanager's own tool says where alerts go; the imported routes say the same.

use crate::made::{OCCURRING, configurations, rules};
use import::{Book, alertmanager};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Configurations that are tried.
const CONFIGURATIONS: usize = 24;

fn amtool() -> Option<PathBuf> {
    let folder = std::env::var_os("STEADFAST_PEERS").map(PathBuf::from);
    assert!(
        folder.is_some() || std::env::var_os("CI").is_none(),
        "STEADFAST_PEERS is not set; run `cargo xtask test`"
    );
    if folder.is_none() {
        eprintln!("skipped: needs amtool; run `cargo xtask test`");
    }
    folder.map(|folder| folder.join("alertmanager/usr/bin/amtool"))
}

/// The receivers that an alert comes to, as `amtool config routes test` says.
fn theirs(amtool: &Path, file: &Path, labels: &[(&str, &str)]) -> BTreeSet<String> {
    let mut command = Command::new(amtool);
    command.args(["config", "routes", "test"]).arg(format!("--config.file={}", file.display()));
    command.args(labels.iter().map(|(name, value)| format!("{name}={value}")));
    let done = command.output().expect("the peers' folder has amtool");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    said.split(',').map(str::to_owned).collect()
}

/// The receivers whose recipients the imported routes tell: of those that match, up to the first without `also`.
fn ours(book: &Book, labels: &[(&str, &str)]) -> BTreeSet<String> {
    let of = |name: &str| labels.iter().find(|(label, _)| *label == name).map(|(_, value)| *value);
    let mut all = BTreeSet::new();
    for rule in book.rules.iter().filter(|rule| rule.matchers.matches(of)) {
        all.extend(rule.to.iter().map(|name| {
            let recipient = book.document.recipients.get(name).and_then(|it| it.title.clone());
            recipient.or_else(|| book.document.groups[name].title.clone()).unwrap()
        }));
        if !rule.also {
            break;
        }
    }
    all
}

#[test]
fn imported_routes_lead_where_amtool_says() {
    let Some(amtool) = amtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    for number in 0..CONFIGURATIONS {
        let text = configurations().new_tree(&mut runner).unwrap().current();
        let file = folder.path().join(format!("{number}.yml"));
        std::fs::write(&file, &text).unwrap();
        let imported = alertmanager(&text, &rules()).unwrap();
        for a in OCCURRING {
            for b in OCCURRING {
                let labels = [("alertname", "Down"), ("a", a), ("b", b), ("team", OCCURRING[number % 3])];
                let (theirs, ours) = (theirs(&amtool, &file, &labels), ours(&imported.book, &labels));
                assert_eq!(theirs, ours, "{labels:?}\n{text}");
            }
        }
    }
}
