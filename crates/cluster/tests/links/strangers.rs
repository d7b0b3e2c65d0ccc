//! Whatever comes to the peer port from somebody who should not: it is turned away, in words where there is
//! somebody to read them, and a good pair that talks meanwhile does not notice.

use crate::stage::{
    Authority, Node, Odd, acquaint, by_hand, converse, log, meet, open, pair, receive, send, send_raw,
    server_config, until,
};
use base::limits::PEER_FRAME_BYTES_MAX;
use base::{LogId, NodeId};
use cluster::frame::{Cause, Lane, Message};
use cluster::{TroubleKind, Turned};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const VERSION: &[&str] = &["steadfast/2"];

/// Waits until `node` has turned away `count` of a kind.
async fn turns_away(node: &Node, kind: Turned, count: u64) {
    let turned = || node.links.turned();
    until(|| turned().get(&kind).is_some_and(|seen| *seen >= count), || format!("{kind:?}: {:?}", turned()))
        .await;
}

fn cause(message: Option<Message>) -> Option<(Cause, String)> {
    let Some(Message::Refused(cause, why)) = message else { return None };
    Some((cause, why))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_cluster_is_refused_on_both_sides() {
    let (a, b) = (Node::new(&Authority::new(), 1), Node::new(&Authority::new(), 2));
    acquaint(&[&a, &b]);
    a.error_with(b.me.node, "its certificate is of another cluster").await;
    b.error_with(a.me.node, "its certificate is of another cluster").await;
    turns_away(&a, Turned::Handshake, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_no_member_is_told_so() {
    let authority = Authority::new();
    let (mut a, b) = (Node::new(&authority, 1), Node::new(&authority, 2));
    a.links.set_members(vec![b.row()]);
    a.error_with(b.me.node, "node 00000001 is no member of this cluster").await;
    assert_eq!(a.trouble().await.1, TroubleKind::Refused);
    turns_away(&b, Turned::Refused, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialler_with_nothing_in_common_is_told_both_sides_versions() {
    let authority = Authority::new();
    let (_, b) = pair(&authority).await;
    let own = authority.credentials(NodeId(1));
    let mut stream = by_hand(&b, &own, &["steadfast/9", "steadfast/refusal"]).await;
    send(&mut stream, &open(log(1, 1), Lane::Control)).await;
    let (cause, why) = cause(receive(&mut stream).await).unwrap();
    assert_eq!(cause, Cause::Version);
    assert_eq!(why, "this node speaks version 2 and 1 of the protocol, and you speak 9");
    assert_eq!(receive(&mut stream).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_node_says_about_versions_is_shown() {
    let authority = Authority::new();
    let a = Node::new(&authority, 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let later = server_config(&authority.credentials(NodeId(2)), &["steadfast/9", "steadfast/refusal"]);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::clone(&later)).accept(stream).await.unwrap();
            let payload = br#"{"cause":"version","why":"I speak 9"}"#;
            let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &[3], payload].concat()).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
    a.links.set_members(vec![(NodeId(2), vec![address.into()])]);
    a.error_with(NodeId(2), "it refuses us: I speak 9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_data_folder_is_refused_and_both_sides_are_told() {
    let authority = Authority::new();
    let (mut a, mut b) = pair(&authority).await;
    converse(&mut a, &mut b, 1).await;
    let odd = Odd { boot: 2, ..Odd::default() };
    let mut copy = Node::odd(&authority.credentials(NodeId(1)), 1, odd);
    a.links.say(b.me.node, a.beat(2));
    b.hears_beat(a.me, 2).await;
    copy.links.set_members(vec![b.row()]);
    let (peer, kind, why) = copy.trouble().await;
    assert_eq!((peer, kind), (Some(b.me.node), TroubleKind::OwnTwin));
    assert!(why.contains("one data folder is a copy of the other"), "{why}");
    let (peer, kind, _) = b.trouble().await;
    assert_eq!((peer, kind), (Some(NodeId(1)), TroubleKind::Twin));
    copy.links.stop();
    converse(&mut a, &mut b, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_on_the_list_is_told_so_before_tls() {
    let authority = Authority::new();
    let allow = vec!["192.0.2.0/24".parse().unwrap()];
    let a = Node::new(&authority, 1);
    let b = Node::odd(&authority.credentials(NodeId(2)), 2, Odd { allow, ..Odd::default() });
    acquaint(&[&a, &b]);
    a.error_with(b.me.node, "this host is not on its list of allowed hosts").await;
    turns_away(&b, Turned::NotAllowed, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_good_for_its_own_node_only() {
    let authority = Authority::new();
    let (mut a, mut b) = pair(&authority).await;
    let mut stream = by_hand(&b, &authority.credentials(NodeId(7)), VERSION).await;
    send(&mut stream, &open(a.me, Lane::Control)).await;
    let (cause, why) = cause(receive(&mut stream).await).unwrap();
    assert_eq!(cause, Cause::Certificate);
    assert!(why.contains("node-00000001.steadfast.internal"), "{why}");
    converse(&mut a, &mut b, 1).await;
}

/// A member's connection made by hand, welcomed.
async fn welcomed(
    b: &Node,
    authority: &Authority,
    boot: LogId,
    lane: Lane,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut stream = by_hand(b, &authority.credentials(boot.node), VERSION).await;
    send(&mut stream, &open(boot, lane)).await;
    assert_eq!(receive(&mut stream).await, Some(Message::Welcome));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_speaks_nonsense_loses_that_connection_only() {
    let authority = Authority::new();
    let (mut a, mut b) = pair(&authority).await;
    let c = log(3, 1);
    b.links.set_members(vec![a.row(), (c.node, vec![])]);
    let since = a.links.status()[&b.me.node].connected;
    let too_long = u32::try_from(PEER_FRAME_BYTES_MAX + 1).unwrap();
    for (lane, length, kind, payload, words) in [
        (Lane::Control, too_long, 6, &b""[..], "are the limit"),
        (Lane::Control, 2, 6, b"{}", "cannot be read"),
        (Lane::Control, 0, 99, b"", "unknown kind 99"),
        (Lane::Control, 0, 7, b"", "in the middle of its node"),
        (Lane::Bulk, 3, 11, b"abc", "in the middle of its count"),
        (Lane::Bulk, 0, 2, b"", "a Welcome does not belong here"),
    ] {
        let mut stream = welcomed(&b, &authority, c, lane).await;
        send_raw(&mut stream, length, kind, payload).await;
        let (cause, why) = cause(receive(&mut stream).await).unwrap();
        assert_eq!(cause, Cause::Frame);
        assert!(why.contains(words), "{why}");
        assert_eq!(receive(&mut stream).await, None);
    }
    let mut stream = welcomed(&b, &authority, c, Lane::Control).await;
    send(&mut stream, &Message::Beat(a.beat(1))).await;
    let (_, why) = cause(receive(&mut stream).await).unwrap();
    assert_eq!(why, "a Hb does not belong here", "nobody speaks for another");
    turns_away(&b, Turned::Frame, 7).await;
    converse(&mut a, &mut b, 1).await;
    assert_eq!(a.links.status()[&b.me.node].connected, since);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_breaks_off_is_discarded() {
    let authority = Authority::new();
    let (_a, mut b) = pair(&authority).await;
    let c = log(3, 1);
    b.links.set_members(vec![(c.node, vec![])]);
    let begin = cluster::frame::SnapBegin { upto: [(c, 1)].into(), rows: 0, extra: 2, lost: [].into() };
    let mut stream = welcomed(&b, &authority, c, Lane::Bulk).await;
    send(&mut stream, &Message::SnapBegin(begin.clone())).await;
    send(&mut stream, &Message::SnapExtra(b"{".to_vec())).await;
    drop(stream);
    let mut stream = welcomed(&b, &authority, c, Lane::Bulk).await;
    send(&mut stream, &Message::SnapBegin(begin)).await;
    send(&mut stream, &Message::SnapExtra(b"[]".to_vec())).await;
    send(&mut stream, &Message::SnapEnd(0, crc32fast::hash(b"[]"))).await;
    let snapshot = b.snapshot().await;
    assert_eq!(snapshot.extra, b"[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_silence_disturb_nobody() {
    let authority = Authority::new();
    let (mut a, mut b) = pair(&authority).await;
    let since = a.links.status()[&b.me.node].connected;
    let mut silent = Vec::new();
    for number in 1..=100 {
        let mut stream = TcpStream::connect(&*b.address).await.unwrap();
        if number % 4 == 0 {
            stream.write_all(&[0x16, 3, 1]).await.unwrap(); // The first three bytes of a handshake.
            silent.push(stream);
        } else {
            let _ = stream.write_all(&[u8::try_from(number).unwrap(); 600]).await;
        }
        converse(&mut a, &mut b, number).await;
    }
    turns_away(&b, Turned::Handshake, 1).await;
    turns_away(&b, Turned::Slow, 1).await;
    converse(&mut a, &mut b, 101).await;
    assert_eq!(a.links.status()[&b.me.node].connected, since);
}

/// Somebody in between who keeps all that a good dialler says, and says it again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_cannot_be_replayed() {
    let authority = Authority::new();
    let (mut a, mut b) = (Node::new(&authority, 1), Node::new(&authority, 2));
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = proxy.local_addr().unwrap().to_string();
    let (captured, mut tape) = tokio::sync::mpsc::unbounded_channel();
    let target = Arc::clone(&b.address);
    tokio::spawn(async move {
        while let Ok((from, _)) = proxy.accept().await {
            let to = TcpStream::connect(&*target).await.unwrap();
            tokio::spawn(record(from, to, captured.clone()));
        }
    });
    a.links.set_members(vec![(b.me.node, vec![through.into()])]);
    b.links.set_members(vec![a.row()]);
    meet(&mut a, &mut b).await;
    converse(&mut a, &mut b, 1).await;
    let mut bytes = tape.recv().await.unwrap();
    while let Ok(more) = tape.try_recv() {
        bytes.extend(more);
    }
    assert!(bytes.len() > 1000, "a handshake and a greeting were captured");
    let mut replay = TcpStream::connect(&*b.address).await.unwrap();
    let _ = replay.write_all(&bytes).await;
    let _ = replay.read_to_end(&mut Vec::new()).await;
    turns_away(&b, Turned::Handshake, 1).await;
    converse(&mut a, &mut b, 2).await;
}

/// Passes bytes on both ways, and keeps those of the dialler.
async fn record(from: TcpStream, to: TcpStream, tape: tokio::sync::mpsc::UnboundedSender<Vec<u8>>) {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let (mut from_read, mut from_write) = from.into_split();
    let (mut far_read, mut far_write) = tokio::io::split(far);
    let copying = async {
        let mut buffer = [0; 4096];
        while let Ok(count) = from_read.read(&mut buffer).await {
            if count == 0 || far_write.write_all(&buffer[..count]).await.is_err() {
                break;
            }
            let _ = tape.send(buffer[..count].to_vec());
        }
    };
    let mut to = to;
    let _ = tokio::join!(
        copying,
        tokio::io::copy(&mut far_read, &mut from_write),
        copy_bidirectional(&mut near, &mut to)
    );
}
