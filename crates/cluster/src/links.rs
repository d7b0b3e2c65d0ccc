//! All links of a node: one listener, and two connections to each member.

use crate::arrivals::Arrivals;
use crate::dial::Peer;
use crate::door::{Allowed, Door, Turned};
use crate::event::{Event, LinkStatus, TroubleKind};
use crate::snapshot::Snapshot;
use crate::tls::{Credentials, CredentialsError, Tls, complaint};
use crate::{accept, dial};
use base::{Digest, LogId, NodeId};
use ownership::{Heartbeat, Hello};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

/// How often the same trouble of the same peer is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What the links are to know from the start.
#[derive(Debug)]
pub struct Config {
    /// This node, and its present boot.
    pub me: LogId,
    /// The cluster: the digest of its CA's certificate.
    pub cluster: Digest,
    /// Where peers reach us.
    pub listener: TcpListener,
    /// The highest version of the protocol to speak; [`crate::PROTOCOL_MAX`] unless an older node is imitated.
    pub protocol_max: u8,
    /// From where peers may connect; from anywhere if it is empty.
    pub allow: Vec<Allowed>,
}

/// Why the links cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the node is to show its peers cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The listener cannot be used.
    #[error("the listener for peers cannot be used: {0}")]
    Listener(#[from] std::io::Error),
}

/// A handle on the links; all of its clones are the same links. They end with [`Links::stop`].
#[derive(Clone)]
pub struct Links(Arc<Shared>);

/// What all tasks of the links share.
pub(crate) struct Shared {
    pub(crate) me: LogId,
    pub(crate) cluster: Digest,
    pub(crate) protocol_max: u8,
    pub(crate) door: Arc<Door>,
    pub(crate) arrivals: Arrivals,
    tls: RwLock<Tls>,
    events: UnboundedSender<Event>,
    peers: Mutex<BTreeMap<NodeId, (Arc<Peer>, AbortHandle)>>,
    accepting: Mutex<Option<AbortHandle>>,
    troubles: Mutex<BTreeMap<(Option<NodeId>, TroubleKind), Instant>>,
}

impl Shared {
    pub(crate) fn tell(&self, event: Event) {
        // The shell stops listening when it ends, and then nobody wants to know.
        drop(self.events.send(event));
    }

    pub(crate) fn trouble(&self, peer: Option<NodeId>, kind: TroubleKind, why: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let before = troubles.get(&(peer, kind));
        if before.is_none_or(|before| now.saturating_duration_since(*before) >= TELL_EVERY) {
            troubles.insert((peer, kind), now);
            self.tell(Event::Trouble { peer, kind, why });
        }
    }

    pub(crate) fn tls(&self) -> Tls {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.peers().contains_key(&node)
    }

    pub(crate) fn reached_by(&self, node: NodeId) {
        if let Some((peer, _)) = self.peers().get(&node) {
            peer.has_reached_us();
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, (Arc<Peer>, AbortHandle)>> {
        // Entries are added and removed whole.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at_own(&self, cert_pem: &str) {
        let Ok(certificate) = CertificateDer::from_pem_slice(cert_pem.as_bytes()) else { return };
        if complaint(&certificate).is_some() {
            let why = "this node's certificate is outside of its time of validity; renew it".to_owned();
            self.trouble(None, TroubleKind::CertificateTime, why);
        }
    }
}

impl Links {
    /// Listens, and tells what happens through `events`. Dials nobody before [`Links::set_members`]. Must be
    /// called within the runtime.
    ///
    /// # Errors
    /// [`StartError`] if the credentials or the listener cannot be used.
    pub fn start(
        config: Config,
        credentials: &Credentials,
        events: UnboundedSender<Event>,
    ) -> Result<Self, StartError> {
        let tls = Tls::new(config.me.node, credentials, config.protocol_max)?;
        config.listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(config.listener)?;
        let shared = Arc::new(Shared {
            me: config.me,
            cluster: config.cluster,
            protocol_max: config.protocol_max,
            door: Arc::new(Door::new(config.allow)),
            arrivals: Arrivals::default(),
            tls: RwLock::new(tls),
            events,
            peers: Mutex::default(),
            accepting: Mutex::default(),
            troubles: Mutex::default(),
        });
        shared.look_at_own(&credentials.cert_pem);
        let accepting = tokio::spawn(accept::run(Arc::clone(&shared), listener)).abort_handle();
        *shared.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepting);
        Ok(Self(shared))
    }

    /// Whom to dial, at which addresses in this order, and whom to hear. All others are dropped; this node
    /// itself may stand among them and is passed over. Must be called within the runtime.
    pub fn set_members(&self, members: Vec<(NodeId, Vec<Arc<str>>)>) {
        let mut members: BTreeMap<_, _> = members.into_iter().collect();
        members.remove(&self.0.me.node);
        let mut peers = self.0.peers();
        peers.retain(|node, (peer, task)| {
            let stays = members.contains_key(node);
            if !stays {
                task.abort();
                peer.bulk_lost(&self.0);
            }
            stays
        });
        for (node, addresses) in members {
            if let Some((peer, _)) = peers.get(&node) {
                peer.move_to(addresses);
                continue;
            }
            let peer = Arc::new(Peer::new(node, addresses));
            let task = tokio::spawn(dial::run(Arc::clone(&self.0), Arc::clone(&peer)));
            peers.insert(node, (peer, task.abort_handle()));
        }
        self.0.arrivals.keep(|node| peers.contains_key(&node));
    }

    /// Shows and trusts these from the next handshake on. Connections stay.
    ///
    /// # Errors
    /// [`CredentialsError`] if they cannot be used; those before stay in use.
    pub fn set_credentials(&self, credentials: &Credentials) -> Result<(), CredentialsError> {
        let tls = Tls::new(self.0.me.node, credentials, self.0.protocol_max)?;
        *self.0.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        self.0.look_at_own(&credentials.cert_pem);
        self.0.peers().values().for_each(|(peer, _)| peer.wake.notify_one());
        Ok(())
    }

    /// Greets a peer, in answer to [`Event::Connected`]; what is said before that does not travel.
    pub fn hello(&self, to: NodeId, hello: Hello) {
        if let Some(peer) = self.peer(to) {
            peer.outbox.greet(hello);
        }
    }

    /// Says a heartbeat. While the connection is blocked, unsaid ones become one.
    pub fn say(&self, to: NodeId, beat: Heartbeat) {
        if let Some(peer) = self.peer(to) {
            peer.outbox.say(beat);
        }
    }

    /// Sends records of a log, from number `first` on. Past [`base::limits::PEER_QUEUE_BYTES_MAX`] the rest is
    /// dropped, and the connection is made anew when those before it have left: then comes
    /// [`Event::Disconnected`].
    pub fn records(&self, to: NodeId, log: LogId, first: u64, bodies: Vec<Arc<[u8]>>) {
        if let Some(peer) = self.peer(to) {
            peer.outbox.records(log, first, bodies);
        }
    }

    /// Sends a snapshot, in the place of one that still waits.
    pub fn snapshot(&self, to: NodeId, snapshot: Snapshot) {
        if let Some(peer) = self.peer(to) {
            peer.outbox.snapshot(snapshot);
        }
    }

    /// How the link to each member is.
    pub fn status(&self) -> BTreeMap<NodeId, LinkStatus> {
        self.0.peers().iter().map(|(node, (peer, _))| (*node, peer.status())).collect()
    }

    /// How many connections were turned away, by kind.
    pub fn turned(&self) -> BTreeMap<Turned, u64> {
        self.0.door.turned()
    }

    /// Ends everything. Peers see it at once.
    pub fn stop(&self) {
        if let Some(task) = self.0.accepting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        for (_, task) in std::mem::take(&mut *self.0.peers()).into_values() {
            task.abort();
        }
    }

    fn peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.0.peers().get(&node).map(|(peer, _)| Arc::clone(peer))
    }
}
