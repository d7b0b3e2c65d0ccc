//! Nodes that talk over real sockets and real TLS: what arrives, what is agreed upon, and what survives.

use crate::stage::{Authority, Node, Odd, acquaint, converse, log, meet, pair, until};
use base::limits::{PEER_QUEUE_BYTES_MAX, PEER_ROOM_BYTES_MAX};
use base::{NodeId, RecordId};
use cluster::{Event, Snapshot, TroubleKind};
use ownership::{Heartbeat, Vector};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

fn body(number: u64, bytes: usize) -> Arc<[u8]> {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(bytes.max(8), 7);
    body.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_hear_what_the_other_says() {
    let (mut a, mut b) = pair(&Authority::new()).await;
    converse(&mut a, &mut b, 1).await;
    let (beat, from) = (a.beat(2), a.me);
    a.links.say(b.me.node, beat.clone());
    assert_eq!(b.hears_beat(from, 2).await, beat);
    // The second connection may still be on its way.
    let status = || a.links.status().remove(&b.me.node).unwrap();
    until(|| status().connected.is_some() && status().error.is_none(), || format!("{:?}", status())).await;
    let status = status();
    assert_eq!((status.address, status.version), (Some(Arc::clone(&b.address)), Some(2)));
    assert!(status.expires.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_hear_each_other() {
    let authority = Authority::new();
    let [mut a, mut b, mut c] = [1, 2, 3].map(|node| Node::new(&authority, node));
    acquaint(&[&a, &b, &c]);
    for node in [&a, &b, &c] {
        until(
            || node.links.status().values().filter(|status| status.connected.is_some()).count() == 2,
            || format!("{:?}", node.links.status()),
        )
        .await;
    }
    for node in [&a, &b, &c] {
        for peer in [&a, &b, &c] {
            node.links.hello(peer.me.node, node.hello());
        }
    }
    converse(&mut a, &mut b, 1).await;
    converse(&mut b, &mut c, 2).await;
    converse(&mut c, &mut a, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_any_size_arrive_in_order_and_unchanged() {
    let (a, mut b) = pair(&Authority::new()).await;
    let sizes = [8, 100, 70_000, 300_000, 5_000_000, 0, 20];
    let sent: Vec<_> = (0..).zip(sizes).map(|(number, bytes)| body(number, bytes)).collect();
    a.links.records(b.me.node, log(5, 6), 100, sent.clone());
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        let (first, bodies, _) = b.records().await;
        assert_eq!(first, 100 + u64::try_from(arrived.len()).unwrap());
        arrived.extend(bodies);
    }
    assert_eq!(arrived, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_50_000_rows_arrives_whole() {
    let (a, mut b) = pair(&Authority::new()).await;
    let row = |seq| (RecordId { log: a.me, seq }, body(seq, 200));
    let snapshot = Snapshot {
        upto: Vector::from([(a.me, 60_000), (log(5, 6), 3)]),
        rows: (0..50_000).map(row).collect(),
        extra: vec![3; 1_000_000],
        lost: BTreeSet::from([RecordId { log: a.me, seq: 59_999 }]),
    };
    a.links.snapshot(b.me.node, snapshot.clone());
    let arrived = b.snapshot().await;
    assert!(arrived == snapshot, "it arrived as it left");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_nodes_speak_the_older_version() {
    let authority = Authority::new();
    for (one, other, expect) in [(2, 1, 1), (1, 2, 1), (1, 1, 1), (2, 2, 2)] {
        let node = |node, protocol_max| {
            let odd = Odd { protocol_max, ..Odd::default() };
            Node::odd(&authority.credentials(NodeId(node)), node, odd)
        };
        let (mut a, mut b) = (node(1, one), node(2, other));
        acquaint(&[&a, &b]);
        meet(&mut a, &mut b).await;
        assert_eq!(a.links.status()[&b.me.node].version, Some(expect), "{one} with {other}");
        assert_eq!(b.links.status()[&a.me.node].version, Some(expect), "{one} with {other}");
        a.links.say(b.me.node, a.beat(5));
        let unsynced = if expect == 2 { Duration::from_millis(7) } else { Duration::ZERO };
        assert_eq!(b.hears_beat(a.me, 5).await, Heartbeat { unsynced, ..a.beat(5) });
        a.links.records(b.me.node, a.me, 0, vec![body(0, 20)]);
        assert_eq!(b.records().await.1, [body(0, 20)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_told_of_and_stops_nothing() {
    let authority = Authority::new();
    for (from, until, words) in [(2000, 2001, "expired"), (2190, 2200, "not valid yet")] {
        let mut a = Node::new(&authority, 1);
        let mut b = Node::odd(&authority.between(NodeId(2), from, until), 2, Odd::default());
        let (whose, kind, _) = b.trouble().await;
        assert_eq!((whose, kind), (None, TroubleKind::CertificateTime));
        acquaint(&[&a, &b]);
        let (whose, kind, why) = a.trouble().await;
        assert_eq!((whose, kind), (Some(b.me.node), TroubleKind::CertificateTime));
        assert!(why.contains(words), "{why}");
        meet(&mut a, &mut b).await;
        converse(&mut a, &mut b, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_replaced_without_a_break() {
    let (mut a, mut b) = pair(&Authority::new()).await;
    let since = a.links.status()[&b.me.node].connected;
    let next = Authority::new();
    for node in [&a, &b] {
        node.links.set_credentials(&next.credentials(node.me.node)).unwrap();
        let of_another = next.credentials(NodeId(77));
        assert!(node.links.set_credentials(&of_another).is_err(), "it names another node");
    }
    converse(&mut a, &mut b, 1).await;
    assert_eq!(a.links.status()[&b.me.node].connected, since);
    let mut c = Node::new(&next, 3);
    acquaint(&[&a, &b, &c]);
    c.greet(a.me.node).await;
    a.hears_hello(c.me.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_address_is_tried_when_the_first_is_dead() {
    let authority = Authority::new();
    let (mut a, mut b) = (Node::new(&authority, 1), Node::new(&authority, 2));
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let no_name = "no-such-host.invalid:1".to_owned();
    let addresses = vec![dead.into(), no_name.into(), Arc::clone(&b.address)];
    a.links.set_members(vec![(b.me.node, addresses)]);
    b.links.set_members(vec![a.row()]);
    meet(&mut a, &mut b).await;
    assert_eq!(a.links.status()[&b.me.node].address, Some(Arc::clone(&b.address)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_gone_and_may_come_back() {
    let authority = Authority::new();
    let (mut a, b) = pair(&authority).await;
    b.links.stop();
    let peer = b.me.node;
    let order = |event: &mut Event| match event {
        Event::Disconnected { peer: who } if *who == peer => Some("disconnected"),
        Event::Gone { peer: who } if *who == peer => Some("gone"),
        Event::Connected { .. }
        | Event::Disconnected { .. }
        | Event::Gone { .. }
        | Event::Hello { .. }
        | Event::Beat { .. }
        | Event::Records { .. }
        | Event::Snapshot { .. }
        | Event::Trouble { .. } => None,
    };
    assert_eq!([a.first("its end", order).await, a.first("its end", order).await], ["disconnected", "gone"]);
    let listener = TcpListener::bind(&*b.address).unwrap();
    let odd = Odd { boot: 2, listener: Some(listener), ..Odd::default() };
    let mut again = Node::odd(&authority.credentials(peer), 2, odd);
    acquaint(&[&a, &again]);
    meet(&mut a, &mut again).await;
    converse(&mut a, &mut again, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_member_any_more_is_dropped() {
    let (mut a, b) = pair(&Authority::new()).await;
    a.links.set_members(vec![]);
    a.disconnected().await;
    b.error_with(a.me.node, "is no member of this cluster").await;
}

/// The receiver keeps what it gets: the sender fills its queue and no more, heartbeats go on, and what did not
/// fit is told by a new connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_bounds_both_sides_and_delays_no_heartbeat() {
    let (mut a, mut b) = pair(&Authority::new()).await;
    let (size, count) = (100_000, 1500);
    let bodies: Vec<_> = (0..count).map(|number| body(number, size)).collect();
    a.links.records(b.me.node, a.me, 0, bodies);
    let mut held = Vec::new();
    let mut next = 0;
    while held.len() * 2 * size + 4 * size < PEER_ROOM_BYTES_MAX {
        let (first, bodies, permit) = b.records().await;
        assert_eq!(first, next);
        next += u64::try_from(bodies.len()).unwrap();
        held.push(permit);
    }
    converse(&mut a, &mut b, 1).await;
    drop(held);
    a.disconnected().await;
    let fits = u64::try_from(PEER_QUEUE_BYTES_MAX / size).unwrap();
    while next < fits {
        let (first, bodies, _) = b.records().await;
        assert_eq!(first, next);
        next += u64::try_from(bodies.len()).unwrap();
    }
    assert_eq!(next, fits, "what fits arrives, and the rest was dropped");
    a.greet(b.me.node).await;
    a.links.records(b.me.node, a.me, next, vec![body(next, size)]);
    assert_eq!(b.records().await.0, next);
}
