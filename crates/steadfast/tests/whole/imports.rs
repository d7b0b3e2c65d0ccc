//! `import`: a document that `check` takes, a report, and an exit code.

use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = "route:
  receiver: office
  group_by: [alertname]
  routes:
  - matchers: ['team=\"db\"']
    receiver: db
receivers:
- name: office
  email_configs:
  - to: office@example.org
- name: db
  email_configs:
  - to: dora@example.org
";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.current_dir(folder).args(arguments).env("NO_COLOR", "1");
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_import_writes_a_directory_that_check_takes_and_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("am.yml"), CONFIG).unwrap();
    let done = run(at, &["import", "alertmanager", "am.yml", "-o", "directory.toml"]);
    assert_eq!(done.status.code(), Some(8), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("am.yml:3: group_by: not carried over: "), "{}", text(&done.stderr));
    assert!(done.stdout.is_empty());
    let data = at.join("data");
    let made = run(at, &["--data", data.to_str().unwrap(), "init", "--name", "t"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let checked = run(at, &["--data", data.to_str().unwrap(), "check", "directory.toml"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let again = run(at, &["import", "alertmanager", "am.yml", "-o", "directory.toml"]);
    assert_eq!(again.status.code(), Some(5), "nothing is overwritten: {}", text(&again.stderr));
    std::fs::write(at.join("whole.yml"), CONFIG.replace("  group_by: [alertname]\n", "")).unwrap();
    let whole = run(at, &["--json", "import", "alertmanager", "whole.yml"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!(answer["whole"], true);
    assert!(answer["directory"].as_str().unwrap().contains("dora@example.org"));
    std::fs::write(at.join("bad.yml"), "route: {receiver: a}\nreceivers: [\n").unwrap();
    let bad = run(at, &["import", "alertmanager", "bad.yml"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stderr).contains("bad.yml:"), "{}", text(&bad.stderr));
}
