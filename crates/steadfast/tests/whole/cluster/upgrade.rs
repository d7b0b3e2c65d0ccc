//! An old and a new version of the protocol side by side.

use crate::cluster::judge::{Figures, judge};
use crate::cluster::load::Load;
use crate::cluster::nodes::{Cluster, Node};
use lab::within;
use std::time::Duration;

/// What makes a node speak as the version before does.
const OLD: &str = "protocol_max = 1\n";

#[test]
fn nodes_are_upgraded_one_after_the_other_and_nothing_is_lost() {
    within(|| {
        let cluster = Cluster::made(2, |_| OLD.to_owned(), |_| None);
        cluster.run_all();
        let mut total = Figures::default();
        // By kill and by an orderly stop, forwards and back.
        for (round, new) in [(0, true), (1, false), (2, true)] {
            for at in [1, 0] {
                total += upgrade(&cluster, at, new, round);
                let both = cluster.nodes.iter().all(|node| is_old(node) != new);
                assert_eq!(spoken(&cluster), if both && new { 2 } else { 1 });
            }
        }
        println!("figure: rolling upgrade and back, under load: {total}");
    });
}

/// Ends a node under load, and starts it as the other version.
fn upgrade(cluster: &Cluster, at: usize, new: bool, round: usize) -> Figures {
    let load = Load::new(cluster, &format!("upgrade {round} of {at}"));
    let node = &cluster.nodes[at];
    load.during(4, || {
        std::thread::sleep(Duration::from_millis(200));
        if round % 2 == 0 {
            node.kill();
        } else {
            assert!(node.stop().success(), "{}", node.said());
        }
        become_version(node, new);
        cluster.run(at);
        std::thread::sleep(Duration::from_millis(200));
    });
    cluster.level();
    cluster.settle();
    judge(cluster, &load.told(), &format!("round {round}, node {at}"))
}

fn node_file(node: &Node) -> std::path::PathBuf {
    node.folder.join(node::config::NODE_FILE)
}

fn is_old(node: &Node) -> bool {
    std::fs::read_to_string(node_file(node)).unwrap().contains(OLD)
}

fn become_version(node: &Node, new: bool) {
    let text = std::fs::read_to_string(node_file(node)).unwrap().replace(OLD, "");
    let text = if new { text } else { text.replacen("[cluster]\n", &format!("[cluster]\n{OLD}"), 1) };
    std::fs::write(node_file(node), text).unwrap();
}

/// The version that both speak, as each says.
fn spoken(cluster: &Cluster) -> u64 {
    let of = |node: &Node| {
        let nodes = node.get("/api/v1/cluster")["nodes"].clone();
        let peer = nodes.as_array().unwrap().iter().find(|it| it["this"] == false).cloned();
        peer.unwrap()["protocol"].as_u64().unwrap()
    };
    let said: Vec<u64> = cluster.nodes.iter().map(of).collect();
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    said[0]
}
