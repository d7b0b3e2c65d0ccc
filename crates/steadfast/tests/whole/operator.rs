//! The commands of the cluster as somebody types them, on two nodes on this machine: joined, asked, handed over,
//! and taken apart again.
//!
//! Separate from `cluster`, whose nodes are cut and killed: nothing fails here but what is refused.

use crate::site::free_port;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A data folder, and the node that runs on it.
struct Machine {
    folder: PathBuf,
    process: Option<Child>,
}

impl Machine {
    fn new(room: &Path, name: &str) -> Self {
        Self { folder: room.join(name), process: None }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.arg("--data").arg(&self.folder).args(words);
        command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN").env_remove("STEADFAST_DATA");
        command.stdin(Stdio::null());
        command
    }

    fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program runs")
    }

    /// What a command that succeeds says, on both channels.
    fn says(&self, words: &[&str]) -> String {
        let done = self.output(words);
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {said}");
        said.into_owned()
    }

    /// What a command that fails complains of, and its exit code.
    fn refuses(&self, words: &[&str]) -> (i32, String) {
        let done = self.output(words);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{words:?}: {said}");
        (done.status.code().unwrap_or(-1), said)
    }

    fn run(&mut self) {
        let mut command = self.command(&["run"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("the program runs"));
        while !self.output(&["status"]).status.success() {
            std::thread::yield_now(); // Each try is a process of its own: this does not spin.
        }
    }

    /// Gives the directory one more recipient.
    fn with_recipient(&self, name: &str, more: &[&str]) -> Output {
        let file = self.folder.join("edited.toml");
        let text = self.says(&["directory", "export", "--quiet"]);
        let entry =
            format!("[recipients.{name}]\naddresses = [{{ channel = \"mail\", value = \"x@x.test\" }}]\n");
        std::fs::write(&file, text + &entry).expect("the folder can be written");
        let file = file.display().to_string();
        self.output(&[&["directory", "apply", &file, "--yes"], more].concat())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn two_machines_become_one_by_two_commands_and_are_parted_again() {
    let room = tempfile::tempdir().expect("there is a temporary folder");
    let (mut north, mut south) = (Machine::new(room.path(), "a"), Machine::new(room.path(), "b"));
    let at: Vec<String> = (0..6).map(|_| free_port().to_string()).collect();
    north.says(&["init", "--name", "north", "--listen", &at[0], "--ingest", &at[1], "--peers", &at[2]]);
    north.run();
    let (code, said) = north.refuses(&["cluster", "switch-over", "--yes"]);
    assert_eq!(code, 5);
    has(&said, &["this node stands alone", "steadfast token create"]);

    let token = String::from_utf8(north.output(&["token", "create"]).stdout).expect("it is a text");
    let admin = north.folder.join("admin.token").display().to_string();
    let places = ["--listen", &at[3], "--ingest", &at[4], "--peers", &at[5], "--admin-token", &admin];
    let join =
        |name| -> Vec<&str> { ["join", token.trim(), "--name", name].into_iter().chain(places).collect() };
    let (code, said) = south.refuses(&join("north"));
    assert_eq!(code, 5);
    has(&said, &["there is a node north already", "--name"]);
    has(&south.says(&join("south")), &["south belongs to the cluster of north", "letter B", "steadfast run"]);
    let (code, said) = Machine::new(room.path(), "c").refuses(&join("east"));
    assert_eq!(code, 4, "{said}");
    has(&said, &["used already"]);
    south.run();
    north.says(&["cluster", "recover", "south", "--timeout", "1m"]);
    has(&south.says(&["cluster", "status"]), &["all 2 nodes are up", "north (A)", "south (B)", "on 2 disks"]);

    let refused = south.with_recipient("anna", &[]);
    assert_eq!(refused.status.code(), Some(5));
    has(&String::from_utf8_lossy(&refused.stderr), &["changed on node north", "--forward"]);
    assert!(south.with_recipient("anna", &["--forward"]).status.success());
    north.says(&["send", "-i", "anna", "-m", "hello"]);
    has(&south.says(&["cluster", "verify"]), &["all 2 nodes hold the same"]);
    has(&south.says(&["trail", "--node", "north", "--kind", "accept"]), &["north", "hello"]);
    has(&south.says(&["cluster", "totals"]), &["north", "admin"]);

    let said = north.says(&["cluster", "switch-over", "--because", "new disk", "--yes"]);
    has(&said, &["handed over", "south since", "new disk"]);
    has(&north.says(&["cluster", "recover", "north"]), &["north is in control again"]);
    north.says(&["cluster", "maintenance", "on", "new rack"]);
    has(&south.says(&["cluster", "status"]), &["maintenance: new rack"]);
    let (_, said) = north.refuses(&["cluster", "remove", "north", "--yes"]);
    has(&said, &["steadfast cluster leave"]);

    let said = north.says(&["cluster", "leave", "--yes"]);
    has(&said, &["handed over to south", "directory is changed on south", "delete its data folder"]);
    has(&south.says(&["cluster", "status"]), &["this node stands alone"]);
    assert!(south.with_recipient("bea", &[]).status.success(), "it changes the directory itself now");
}

/// Makes a machine a node of the cluster of `first`, and runs it.
fn admitted(room: &Path, first: &Machine, name: &str, role: &str) -> Machine {
    let mut machine = Machine::new(room, name);
    let token = String::from_utf8(first.output(&["token", "create", "--role", role]).stdout);
    let token = token.expect("it is a text");
    let admin = first.folder.join("admin.token").display().to_string();
    let at: Vec<String> = (0..3).map(|_| free_port().to_string()).collect();
    let places = ["--listen", &at[0], "--ingest", &at[1], "--peers", &at[2], "--admin-token", &admin];
    machine.says(&[&["join", token.trim(), "--name", name][..], &places].concat());
    machine.run();
    machine
}

/// Asks until the answer has all of these parts.
fn until_says(machine: &Machine, words: &[&str], parts: &[&str]) {
    let until = std::time::Instant::now() + crate::site::PATIENCE;
    loop {
        let said = machine.says(words);
        if parts.iter().all(|part| said.contains(part)) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{parts:?} are not in: {said}");
    }
}

#[test]
fn a_witness_knows_people_and_nodes_and_holds_no_alerts() {
    let room = tempfile::tempdir().expect("there is a temporary folder");
    let mut north = Machine::new(room.path(), "north");
    let at: Vec<String> = (0..3).map(|_| free_port().to_string()).collect();
    north.says(&["init", "--name", "north", "--listen", &at[0], "--ingest", &at[1], "--peers", &at[2]]);
    north.run();
    assert!(north.with_recipient("anna", &[]).status.success());
    let _south = admitted(room.path(), &north, "south", "member");
    // It runs once its `status` is answered: whoever holds a token of the directory is known there.
    let tower = admitted(room.path(), &north, "tower", "witness");
    until_says(
        &tower,
        &["cluster", "status"],
        &["all 3 nodes are up", "north (A)", "south (B)", "tower (C)"],
    );

    north.says(&["send", "-i", "anna", "-m", "hello"]);
    let (code, said) = tower.refuses(&["send", "-i", "anna", "-m", "hello"]);
    assert_eq!(code, 6, "{said}");
    has(&said, &["this node is a witness and holds no alerts; send to another node of the cluster"]);
    assert!(!tower.says(&["trail"]).contains("hello"), "what is sent is none of its business");

    let _west = admitted(room.path(), &north, "west", "member");
    until_says(&tower, &["cluster", "status"], &["all 4 nodes are up", "west (D)"]);
    assert!(north.with_recipient("ben", &[]).status.success());
    until_says(&tower, &["directory", "export", "--quiet"], &["recipients.anna", "recipients.ben"]);
}

#[test]
fn a_node_that_is_started_again_knows_its_people_before_anything_happens() {
    const STRANGER: i32 = 4; // The exit code where the token is not known.
    let room = tempfile::tempdir().expect("there is a temporary folder");
    let mut north = Machine::new(room.path(), "north");
    let at: Vec<String> = (0..2).map(|_| free_port().to_string()).collect();
    north.says(&["init", "--name", "north", "--listen", &at[0], "--ingest", &at[1]]);
    north.run();
    for _ in 0..3 {
        let mut process = north.process.take().expect("it runs");
        process.kill().expect("it runs");
        process.wait().expect("it ends");
        let mut command = north.command(&["run"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        north.process = Some(command.spawn().expect("the program runs"));
        loop {
            let done = north.output(&["status"]);
            assert_ne!(done.status.code(), Some(STRANGER), "{}", String::from_utf8_lossy(&done.stderr));
            if done.status.success() {
                break;
            }
        }
    }
}
