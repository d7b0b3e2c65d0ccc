//! What the tests of the links stand on: a CA, nodes with real sockets and real TLS, and strangers.

use base::{BootId, Digest, LogId, NodeId, Wall};
use cluster::frame::{Lane, Message, Open, decode, encode};
use cluster::{Config, Credentials, Event, Links, PROTOCOL_MAX, Permit, Snapshot, VERSIONS, name_of};
use ownership::{Heartbeat, Hello, Vector};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a test waits for what must come. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The cluster of all tests.
pub(crate) const CLUSTER: Digest = Digest([7; 32]);

/// A cluster's CA.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Credentials that are valid between two years.
    pub(crate) fn between(&self, node: NodeId, from: i32, until: i32) -> Credentials {
        let mut params = CertificateParams::new(vec![name_of(node)]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Credentials { ca_pem: self.pem.clone(), cert_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    pub(crate) fn credentials(&self, node: NodeId) -> Credentials {
        self.between(node, 2000, 2200)
    }
}

/// One node's links, and what they tell.
pub(crate) struct Node {
    pub(crate) me: LogId,
    pub(crate) links: Links,
    pub(crate) address: Arc<str>,
    events: UnboundedReceiver<Event>,
    /// Those that came while a test waited for others.
    passed: Vec<Event>,
}

/// Records as they arrive: the first number, their bytes, and the room that they take.
pub(crate) type Arrived = (u64, Vec<Arc<[u8]>>, Permit);

/// What differs from the usual.
pub(crate) struct Odd {
    pub(crate) boot: u64,
    pub(crate) protocol_max: u8,
    pub(crate) allow: Vec<cluster::Allowed>,
    pub(crate) listener: Option<TcpListener>,
}

impl Default for Odd {
    fn default() -> Self {
        Self { boot: 1, protocol_max: PROTOCOL_MAX, allow: vec![], listener: None }
    }
}

pub(crate) fn log(node: u32, boot: u64) -> LogId {
    LogId { node: NodeId(node), boot: BootId(boot) }
}

impl Node {
    pub(crate) fn new(authority: &Authority, node: u32) -> Self {
        Self::odd(&authority.credentials(NodeId(node)), node, Odd::default())
    }

    pub(crate) fn odd(credentials: &Credentials, node: u32, odd: Odd) -> Self {
        let me = log(node, odd.boot);
        let listener = odd.listener.unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap().to_string().into();
        let (sender, events) = unbounded_channel();
        let config =
            Config { me, cluster: CLUSTER, listener, protocol_max: odd.protocol_max, allow: odd.allow };
        let links = Links::start(config, credentials, sender).unwrap();
        Self { me, links, address, events, passed: Vec::new() }
    }

    pub(crate) fn row(&self) -> (NodeId, Vec<Arc<str>>) {
        (self.me.node, vec![Arc::clone(&self.address)])
    }

    pub(crate) fn hello(&self) -> Hello {
        let channels = BTreeSet::from(["mail".parse().unwrap()]);
        Hello { version: "0.1.0".into(), channels, heartbeat: self.beat(0) }
    }

    /// A heartbeat that can be told from others by a number.
    pub(crate) fn beat(&self, number: u64) -> Heartbeat {
        Heartbeat {
            boot: self.me,
            wall: Wall(1_700_000_000_000),
            durable: Vector::from([(self.me, number)]),
            held: Vector::from([(log(9, 9), number)]),
            hears: Some(log(9, 9)),
            ups: vec![log(9, 9)],
            unsynced: Duration::from_millis(7),
            standby: false,
            lacks: false,
        }
    }

    /// The first event for which `pick` finds something; the others wait for another call.
    pub(crate) async fn first<T>(&mut self, what: &str, pick: impl Fn(&mut Event) -> Option<T>) -> T {
        for at in 0..self.passed.len() {
            if let Some(found) = pick(&mut self.passed[at]) {
                self.passed.remove(at);
                return found;
            }
        }
        let wait = async {
            loop {
                let mut event = self.events.recv().await.expect("links tell events while they live");
                match pick(&mut event) {
                    Some(found) => return found,
                    None => self.passed.push(event),
                }
            }
        };
        let found = timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| {
            panic!("{what} did not come; {:?}, {:?}", self.links.status(), self.links.turned())
        })
    }

    /// Waits until both connections to `peer` are made, and greets.
    pub(crate) async fn greet(&mut self, peer: NodeId) {
        self.first("Connected", |event| {
            matches!(event, Event::Connected { peer: who } if *who == peer).then_some(())
        })
        .await;
        self.links.hello(peer, self.hello());
    }

    pub(crate) async fn hears_hello(&mut self, peer: NodeId) -> Hello {
        self.first("Hello", |event| {
            let Event::Hello { from, hello } = event else { return None };
            (*from == peer).then(|| hello.clone())
        })
        .await
    }

    /// Waits for the heartbeat with this number.
    pub(crate) async fn hears_beat(&mut self, peer: LogId, number: u64) -> Heartbeat {
        self.first("Beat", |event| {
            let Event::Beat { from, beat } = event else { return None };
            let is_it = *from == peer.node && beat.durable.get(&peer) == Some(&number);
            is_it.then(|| beat.clone())
        })
        .await
    }

    pub(crate) async fn snapshot(&mut self) -> Snapshot {
        self.first("Snapshot", |event| {
            let Event::Snapshot { snapshot, .. } = event else { return None };
            Some(std::mem::take(snapshot))
        })
        .await
    }

    pub(crate) async fn disconnected(&mut self) {
        self.first("Disconnected", |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
    }

    pub(crate) async fn records(&mut self) -> Arrived {
        self.first("Records", |event| {
            let Event::Records { first, bodies, permit, .. } = event else { return None };
            Some((*first, std::mem::take(bodies), std::mem::take(permit)))
        })
        .await
    }

    /// Whether a connection ended at any time, and nobody waited for it.
    pub(crate) fn was_cut(&self) -> bool {
        self.passed.iter().any(|event| matches!(event, Event::Disconnected { .. }))
    }

    /// Whether this was told of a peer at any time, and nobody waited for it.
    pub(crate) fn was_told_of_a_death(&self) -> bool {
        self.passed.iter().any(|event| matches!(event, Event::Gone { .. }))
    }

    pub(crate) async fn trouble(&mut self) -> (Option<NodeId>, cluster::TroubleKind, String) {
        self.first("Trouble", |event| {
            let Event::Trouble { peer, kind, why } = event else { return None };
            Some((*peer, *kind, why.clone()))
        })
        .await
    }

    /// The last error of the link to `peer`, once it has these words.
    pub(crate) async fn error_with(&self, peer: NodeId, words: &str) {
        let status = || self.links.status().get(&peer).and_then(|status| status.error.clone());
        until(
            || status().is_some_and(|(error, _)| error.contains(words)),
            || format!("{words:?} was expected: {:?}", status()),
        )
        .await;
    }
}

/// Waits until `met`; says `otherwise` if it never is.
pub(crate) async fn until(met: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let wait = async {
        let mut looks = interval(Duration::from_millis(5));
        while !met() {
            looks.tick().await;
        }
    };
    if timeout(PATIENCE, wait).await.is_err() {
        panic!("{}", otherwise());
    }
}

/// Makes nodes members of each other's clusters.
pub(crate) fn acquaint(nodes: &[&Node]) {
    let rows: Vec<_> = nodes.iter().map(|node| node.row()).collect();
    nodes.iter().for_each(|node| node.links.set_members(rows.clone()));
}

/// Two nodes that have greeted each other.
pub(crate) async fn pair(authority: &Authority) -> (Node, Node) {
    let (mut a, mut b) = (Node::new(authority, 1), Node::new(authority, 2));
    acquaint(&[&a, &b]);
    meet(&mut a, &mut b).await;
    (a, b)
}

pub(crate) async fn meet(a: &mut Node, b: &mut Node) {
    a.greet(b.me.node).await;
    b.greet(a.me.node).await;
    a.hears_hello(b.me.node).await;
    b.hears_hello(a.me.node).await;
}

/// Both hear each other's heartbeats.
pub(crate) async fn converse(a: &mut Node, b: &mut Node, number: u64) {
    a.links.say(b.me.node, a.beat(number));
    b.links.say(a.me.node, b.beat(number));
    a.hears_beat(b.me, number).await;
    b.hears_beat(a.me, number).await;
}

fn parts(credentials: &Credentials) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(credentials.cert_pem.as_bytes()).map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes()).unwrap())
}

fn roots(credentials: &Credentials) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(credentials.ca_pem.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    Arc::new(roots)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS as somebody else would set it up, to dial with.
pub(crate) fn client_config(credentials: &Credentials, protocols: &[&str]) -> Arc<ClientConfig> {
    let (chain, key) = parts(credentials);
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).unwrap();
    let mut config =
        builder.with_root_certificates(roots(credentials)).with_client_auth_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// TLS as somebody else would set it up, to accept with.
pub(crate) fn server_config(credentials: &Credentials, protocols: &[&str]) -> Arc<ServerConfig> {
    let (chain, key) = parts(credentials);
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A connection that is made by hand, to `to`, with these credentials.
pub(crate) async fn by_hand(
    to: &Node,
    credentials: &Credentials,
    protocols: &[&str],
) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(&*to.address).await.unwrap();
    let name = ServerName::try_from(name_of(to.me.node)).unwrap();
    TlsConnector::from(client_config(credentials, protocols)).connect(name, stream).await.unwrap()
}

pub(crate) fn open(boot: LogId, lane: Lane) -> Message {
    Message::Open(Open { cluster: CLUSTER, boot, lane, versions: "9".to_owned() })
}

pub(crate) async fn send(stream: &mut TlsStream<TcpStream>, message: &Message) {
    let payload = encode(VERSIONS[0], message);
    let length = u32::try_from(payload.len()).unwrap();
    send_raw(stream, length, message.kind(), &payload).await;
}

pub(crate) async fn send_raw(stream: &mut TlsStream<TcpStream>, length: u32, kind: u8, payload: &[u8]) {
    let head = [&length.to_be_bytes()[..], &[kind]].concat();
    stream.write_all(&[&head, payload].concat()).await.unwrap();
    stream.flush().await.unwrap();
}

/// The next message on a connection made by hand; none where it ended.
pub(crate) async fn receive(stream: &mut TlsStream<TcpStream>) -> Option<Message> {
    let mut head = [0; 5];
    let read = async {
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.ok()?;
        Some(decode(VERSIONS[0], head[4], &payload).unwrap())
    };
    timeout(PATIENCE, read).await.expect("an answer or an end")
}
