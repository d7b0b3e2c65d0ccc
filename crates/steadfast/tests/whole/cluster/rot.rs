//! A row of the ledger rots on the disk of one node of two: the other one has it.

use crate::cluster::nodes::{Cluster, Node};
use crate::site::PATIENCE;
use lab::within;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn a_record_that_rotted_is_fetched_again_from_the_peer() {
    within(|| {
        let cluster = Cluster::patient();
        let (north, south) = (&cluster.nodes[0], &cluster.nodes[1]);
        let code = south.send("pumps", "a row that rots")["code"].as_str().unwrap().to_owned();
        assert_eq!(cluster.sink.wait("a row that rots", 1, PATIENCE).len(), 1);
        cluster.level();
        assert!(south.stop().success(), "{}", south.said());
        damage(south, "a row that rots");
        let (report, sound) = cluster.verify_ledger(1);
        assert!(!sound && report.contains("cannot be read"), "{report}");
        cluster.run(1);
        cluster.level();
        south.wait("/api/v1/trail?kind=note", "a word that the record is back", |page| {
            page.to_string().contains("1 record that could not be read: fetched again from north")
        });
        // The command fails where nodes differ; what it prints is a row for each.
        for at in [0, 1] {
            let said = cluster.execute(at, &["cluster", "verify"], false);
            let digests = said.lines().skip(1).filter_map(|line| line.split_whitespace().last());
            assert_eq!(digests.collect::<BTreeSet<_>>().len(), 1, "{said}");
        }
        // The node knows the alert again, and so does its next boot.
        south.post(&format!("/api/v1/alerts/{code}/acknowledge"), &json!({}));
        assert!(south.stop().success(), "{}", south.said());
        let (report, sound) = cluster.verify_ledger(1);
        assert!(sound, "{report}");
        cluster.run(1);
        cluster.level();
        let fetched = |node: &Node| {
            node.trail("note").iter().filter(|it| it.to_string().contains("fetched again")).count()
        };
        assert_eq!((fetched(north), fetched(south)), (1, 1), "once, and everybody knows");
        println!("figure: a row rotted on one of two nodes: fetched again from the other");
    });
}

/// Changes a letter of this text wherever it stands in the ledger of a node that does not run.
fn damage(node: &Node, text: &str) {
    let file = node.folder.join("ledger.db");
    let mut bytes = std::fs::read(&file).expect("the ledger is there");
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, it)| *it == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the record stands in the ledger");
    for at in places {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = b'A';
        }
    }
    std::fs::write(&file, bytes).expect("the folder can be written");
}
