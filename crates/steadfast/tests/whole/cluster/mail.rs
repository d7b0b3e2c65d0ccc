//! Mail from two nodes that do not hear each other: whoever gets it twice can see that it is one.
//!
//! Separate, because the receiver is a mail server that we did not write.

use crate::cluster::nodes::Cluster;
use crate::mailbox::{Mailbox, peers};
use crate::site::PATIENCE;
use lab::within;
use std::io::Write as _;

#[test]
fn a_mail_that_both_sides_of_a_cut_send_has_one_message_id_and_one_is_marked() {
    let Some(peers) = peers() else { return };
    within(move || {
        let cluster = Cluster::made(2, |_| String::new(), |_| None);
        let mailbox = Mailbox::open_on(&peers, cluster.lan.outside());
        let provider = format!(
            "[[providers]]\nname = \"mail-1\"\nchannel = \"mail\"\nhost = \"{}\"\nport = {}\ntls = \"plain\"\n\
             sender = \"alerts@plant.example\"\n",
            cluster.lan.outside(),
            mailbox.port
        );
        for node in &cluster.nodes {
            let file =
                std::fs::OpenOptions::new().append(true).open(node.folder.join(node::config::NODE_FILE));
            file.unwrap().write_all(provider.as_bytes()).unwrap();
        }
        cluster.run_all();
        assert_eq!(cluster.nodes[0].send("letters", "the water rises")["copies"], 2);
        assert_eq!(cluster.sink.wait("the water rises", 1, PATIENCE).len(), 1);
        cluster.lan.cut(0, 1).unwrap();
        let mails = mailbox.wait("a mail of each side", PATIENCE, |mails| mails.len() >= 2);
        assert_eq!(mails[0].message_id, mails[1].message_id);
        let marked: Vec<bool> = mails.iter().map(crate::mailbox::Mail::is_marked).collect();
        assert_eq!(marked.iter().filter(|marked| **marked).count(), 1, "{marked:?}");
        cluster.lan.heal(0, 1).unwrap();
        cluster.level();
        cluster.settle();
        assert_eq!(mailbox.all().len(), 2, "after the heal nobody sends it again");
    });
}
