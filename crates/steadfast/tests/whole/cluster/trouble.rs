//! What goes wrong inside one machine of two: its disk is full, its folder was copied, its clock is wrong.

use crate::cluster::fewer_trials;
use crate::cluster::judge::{arrivals, downs, judge, messages};
use crate::cluster::load::{CREW, Load};
use crate::cluster::nodes::Cluster;
use crate::mailbox::peers;
use crate::site::{PATIENCE, SmallDisk};
use lab::within;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[test]
fn with_one_disk_full_the_other_node_accepts_on() {
    within(|| {
        let disk = SmallDisk::mount().expect("inside, everybody may mount a disk of memory");
        let place = disk.path().to_owned();
        let cluster = Cluster::made(2, |_| String::new(), |at| (at == 1).then(|| place.clone()));
        cluster.run_all();
        let load = Load::new(&cluster, "disk full");
        load.during(2, || {
            disk.fill();
            until_full(&cluster);
            // What the node held in reserve is gone as well: not even a peer's records find room.
            fill(&disk.path().join("rest"));
            for number in 0..20 {
                let summary = format!("disk full, to the other {number}");
                assert!(load.insist(&summary, CREW, &[0]));
            }
        });
        let told = load.told();
        let alone = told.yes.values().filter(|yes| yes.by == 0 && yes.copies == 1).count();
        std::fs::remove_file(disk.path().join("rest")).unwrap();
        disk.empty();
        cluster.nodes[1].wait("/api/v1/status", "room on the disk", |status| status["disk_full"].is_null());
        cluster.level();
        cluster.settle();
        let slowest = told.slowest.as_millis();
        let figures = judge(&cluster, &told, "disk full");
        println!(
            "figure: disk full on one of two: {figures}; {alone} of them on 1 disk; the longest wait for a yes was {slowest} ms"
        );
    });
}

/// Sends to the node whose disk is full until it says so.
fn until_full(cluster: &Cluster) {
    let until = Instant::now() + PATIENCE;
    let details = "x".repeat(60_000);
    for number in 0.. {
        let notice = json!({"summary": format!("filler {number}"), "details": details, "to": ["pumps"]});
        if cluster.nodes[1].offer(&notice, None).is_some_and(|(status, _)| status == 507) {
            return;
        }
        assert!(Instant::now() < until, "the node never said that its disk is full");
    }
}

/// Writes until there is no room.
fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).expect("an empty file needs no room");
    while std::io::Write::write_all(&mut file, &[0; 65536]).is_ok() {}
}

#[test]
fn a_copied_folder_ends_by_itself_and_disturbs_nobody() {
    within(|| {
        let cluster = Cluster::patient();
        let load = Load::new(&cluster, "copied");
        let south = &cluster.nodes[1];
        let said = load.during(2, || {
            // In the same folder the lock is in the way.
            let log = cluster.room.path().join("second.log");
            let mut second = cluster.launch(south, 2, &south.folder, &log);
            assert!(!south.until_ended(&mut second).success(), "{}", second.log());
            let copy = cluster.room.path().join("copy");
            copy_folder(&south.folder, &copy);
            let log = cluster.room.path().join("copy.log");
            let mut third = cluster.launch(south, 2, &copy, &log);
            assert!(!south.until_ended(&mut third).success(), "{}", third.log());
            std::thread::sleep(Duration::from_millis(500));
            third.log()
        });
        assert!(said.contains("the data folder was copied"), "{said}");
        cluster.settle();
        cluster.level();
        let down = downs(&cluster);
        assert!(down.is_empty(), "{down:?}");
        let figures = judge(&cluster, &load.told(), "copied");
        assert_eq!(figures.repeats + figures.marked, 0, "{figures}");
        println!("figure: a copied data folder started beside the first: it ended by itself, {figures}");
        // Killed and started at once, a node is no copy of itself.
        for _ in 0..fewer_trials().min(12) {
            south.kill();
            cluster.run(1);
            cluster.level();
        }
    });
}

/// Copies a folder that is in use, as somebody would who does not know better.
fn copy_folder(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-r").arg(from).arg(to).output().expect("there is cp");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_clock_that_is_a_day_ahead_hurries_and_expires_nothing() {
    let Some(library) = peers().map(|folder| faketime(&folder)) else { return };
    within(move || {
        for (ahead, victim) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut cluster = Cluster::made(2, |_| String::new(), |_| None);
            cluster.nodes[ahead].environment = clock_set(&library, 1);
            cluster.run_all();
            assert_ahead(&cluster, ahead);
            let load = Load::new(&cluster, "clock");
            let begun = Instant::now();
            for number in 0..5 {
                assert!(load.insist(&format!("clock {number}"), CREW, &[victim]));
            }
            assert!(cluster.sink.wait("clock", 10, PATIENCE).len() >= 10, "the first step");
            cluster.nodes[victim].kill();
            cluster.settle();
            judge(&cluster, &load.told(), "clock");
            let arrived = arrivals(&cluster);
            let escalated: Vec<_> =
                messages(&arrived).into_iter().filter(|((_, person), _)| person == "ben").collect();
            assert_eq!(escalated.len(), 5, "{escalated:#?}");
            let early =
                escalated.iter().flat_map(|(_, sends)| sends).map(|one| one.at - begun).min().unwrap();
            assert!(early > Duration::from_millis(750), "a step was taken after {early:?}");
            let survivor = &cluster.nodes[1 - victim];
            let ended = survivor.trail("end");
            assert!(ended.is_empty(), "{ended:#?}");
        }
        println!("figure: a clock one day ahead: 4 kills, every step in time, nothing expired");
    });
}

#[test]
fn a_certificate_that_nobody_renews_is_told_of_and_stops_nothing() {
    let Some(library) = peers().map(|folder| faketime(&folder)) else { return };
    within(move || {
        for (days, words) in [(350, "expires on"), (400, "has expired")] {
            let mut cluster = Cluster::start(2);
            for node in &mut cluster.nodes {
                node.stop();
                // Without the CA's key no node renews; with it, the client of this test would need their clock.
                std::fs::remove_file(node.folder.join("tls/ca.key")).unwrap();
                node.environment = clock_set(&library, days);
            }
            cluster.run_all();
            cluster.level();
            for node in &cluster.nodes {
                // These nodes have no operators who could be told; then it stands in the trail.
                let said = node.trail("note");
                let told = |entry: &Value| {
                    let text = entry.to_string();
                    text.contains("certificate `peer`") && text.contains(words)
                };
                assert!(said.iter().any(told), "{days}: {said:#?}");
            }
            let load = Load::new(&cluster, "certificate");
            for number in 0..5 {
                assert!(load.insist(&format!("certificate {number}"), CREW, &[number % 2]));
            }
            cluster.settle();
            let told = load.told();
            assert!(told.yes.values().all(|yes| yes.copies == 2), "{:?}", told.yes);
            judge(&cluster, &told, "certificate");
        }
    });
}

/// What makes a program believe that it is some days later.
fn clock_set(library: &Path, days: u32) -> Vec<(String, String)> {
    vec![
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        ("FAKETIME".to_owned(), format!("+{days}d")),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ]
}

/// The wrong clock is seen by the other node; else nothing was tested.
fn assert_ahead(cluster: &Cluster, ahead: usize) {
    let day = 86_400_000;
    cluster.nodes[1 - ahead].wait("/api/v1/cluster", "a clock that is ahead", |status| {
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        nodes.any(|it| it["clock_ahead_ms"].as_i64().is_some_and(|by| (by - day).abs() < day / 100))
    });
}

/// The library that sets a program's clock, among the foreign programs.
fn faketime(peers: &Path) -> PathBuf {
    peers.join("faketime/libfaketime.so.1")
}
