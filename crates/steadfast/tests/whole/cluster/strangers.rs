//! Strangers at the door for peers: what they say never reaches the node.
//!
//! Separate from the faults of machines and links, because here somebody means it.

use crate::cluster::judge::{downs, judge};
use crate::cluster::load::Load;
use crate::cluster::nodes::{Cluster, Node, PEERS};
use lab::within;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn strangers_at_the_door_for_peers_disturb_nobody() {
    within(|| {
        let cluster = Cluster::patient();
        let foreign = Cluster::made(1, |_| String::new(), |_| None);
        let load = Load::new(&cluster, "strangers");
        load.during(2, || {
            let doors = [0, 1].map(|node| SocketAddr::new(cluster.lan.address(node), PEERS));
            // From a third machine of the same network, with what was stolen from each node in turn.
            let come = || {
                for (door, node) in doors.iter().zip(&cluster.nodes) {
                    cluster.nodes.iter().for_each(|member| visit(*door, node, member, &foreign.nodes[0]));
                }
            };
            cluster.lan.on(2, come).unwrap();
        });
        cluster.settle();
        cluster.level();
        let down = downs(&cluster);
        let figures = judge(&cluster, &load.told(), "strangers");
        println!("figure: strangers at the peers' door: {figures}; peers declared down: {down:?}");
        assert_eq!(figures.repeats + figures.marked, 0, "{figures}");
        assert!(down.is_empty(), "{down:?}");
    });
}

/// How long an answer is waited for.
const QUIET: Duration = Duration::from_millis(300);

/// Garbage, slow talkers, another cluster's certificate, a member's with a frame of 4 GiB, and what was said before
/// once more.
fn visit(door: SocketAddr, whose: &Node, member: &Node, foreign: &Node) {
    let connect = || TcpStream::connect(door).expect("the door is open");
    let slow: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    for round in 0..20_u8 {
        let garbage: Vec<u8> = (0..2000_u32).map(|at| u8::try_from(at * 7 % 251).unwrap() ^ round).collect();
        drop(connect().write_all(&garbage));
        for mut stream in slow.iter() {
            drop(stream.write_all(&[0x16])); // The first byte of a handshake, and then nothing for a while.
        }
    }
    assert!(
        speak(connect(), whose, foreign, b"hello").is_err(),
        "another cluster's certificate opens nothing"
    );
    // A member's certificate, and a frame of 4 GiB; then one without an end, and an empty one.
    for words in [&[0xFF; 64][..], &[0; 3], &[0; 64]] {
        drop(speak(connect(), whose, member, words));
    }
    // The bytes of a whole conversation, as somebody saw them pass, once more.
    let mut heard = Tap { stream: connect(), said: Vec::new() };
    heard.stream.set_read_timeout(Some(QUIET)).unwrap();
    drop(converse(&mut heard, whose, member, &[0; 64]));
    assert!(heard.said.len() > 100, "there was a conversation");
    let mut again = connect();
    again.set_read_timeout(Some(QUIET)).unwrap();
    drop(again.write_all(&heard.said));
    drop(again.read(&mut [0; 1000]));
}

/// A connection that remembers what was said on it.
struct Tap {
    stream: TcpStream,
    said: Vec<u8>,
}

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.stream.read(into)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.stream.write(bytes)?;
        self.said.extend(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

/// Says something as the holder of a node's certificate, and waits for an answer.
fn speak(stream: TcpStream, whose: &Node, node: &Node, words: &[u8]) -> Result<Vec<u8>> {
    stream.set_read_timeout(Some(QUIET))?;
    converse(&mut Tap { stream, said: Vec::new() }, whose, node, words)
}

/// TLS as a peer begins it, then these words.
fn converse(tap: &mut Tap, whose: &Node, node: &Node, words: &[u8]) -> Result<Vec<u8>> {
    let pem = |node: &Node, name: &str| CertificateDer::from_pem_file(node.folder.join(name));
    let mut roots = rustls::RootCertStore::empty();
    let ca = pem(whose, node::pki::CA_FILE).expect("init made it");
    roots.add(ca).expect("a certificate");
    let key =
        PrivateKeyDer::from_pem_file(node.folder.join(node::pki::PEER_KEY_FILE)).expect("the node made it");
    let own = pem(node, node::pki::PEER_FILE).expect("the node made it");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let mut config = config.with_client_auth_cert(vec![own], key).expect("they belong together");
    config.alpn_protocols = vec![b"steadfast/2".to_vec()];
    let id = node::members::node_id(&whose.folder).unwrap().expect("the folder says it");
    let name = ServerName::try_from(format!("node-{id}.steadfast.internal")).expect("a name");
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(tap)?;
    }
    session.writer().write_all(words)?;
    let mut answer = vec![0; 1000];
    let length = rustls::Stream::new(&mut session, tap).read(&mut answer)?;
    answer.truncate(length);
    if answer.is_empty() { Err(std::io::Error::other("closed")) } else { Ok(answer) }
}
