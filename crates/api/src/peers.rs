//! What the node lends to the server about its cluster, in plain values.
//!
//! Separate from [`crate::Services`], because these concern machines and not alerts: links, certificates, and
//! the secrets by which further machines join.

use base::NodeId;
use ownership::Role;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How the link to one peer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// The address in use, or the one tried last.
    pub address: Option<Arc<str>>,
    /// Since when it is connected; none if it is not.
    pub connected: Option<SystemTime>,
    /// The version of the protocol that was agreed upon last.
    pub protocol: Option<u8>,
    /// The last error in words, and when it was.
    pub error: Option<(Arc<str>, SystemTime)>,
    /// When the peer's certificate expires.
    pub expires: Option<SystemTime>,
}

/// One of this node's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// `peer`, `api` or `ca`.
    pub what: String,
    /// Its file.
    pub file: String,
    /// When it expires.
    pub expires: SystemTime,
    /// The node renews it by itself.
    pub renews: bool,
}

/// Where this node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// HTTPS.
    pub api: SocketAddr,
    /// Plain HTTP for notices.
    pub ingest: Option<SocketAddr>,
    /// For peers; none is off.
    pub peers: Option<SocketAddr>,
    /// What peers are to dial, where somebody said so.
    pub dialled: Vec<Arc<str>>,
    /// Where people reach the API, where somebody said so.
    pub public_url: Option<Arc<str>>,
}

/// An invitation for one machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Invited {
    /// What to type there.
    pub token: String,
    /// Until when it is good.
    pub until: SystemTime,
    /// Where the machine will knock.
    pub hosts: Vec<String>,
}

/// An invitation that was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What the newcomer is to be.
    pub role: Role,
    /// Until when the invitation was good.
    pub until: SystemTime,
}

/// What a newcomer is given besides what the core knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The CA's certificate, in PEM.
    pub ca: String,
    /// The CA's key, in PEM; none where it is kept elsewhere.
    pub ca_key: Option<String>,
    /// The key of links in messages: 64 hexadecimal digits.
    pub link_key: String,
}

/// What the node lends about its cluster.
pub trait PeerServices: Send + Sync {
    /// How the link to each member is.
    fn links(&self) -> BTreeMap<NodeId, LinkView>;
    /// This node's certificates.
    fn certificates(&self) -> Vec<CertificateView>;
    /// Where this node listens.
    fn listeners(&self) -> Listeners;
    /// Invites one machine. `hosts` are tried first, then those that the node knows of itself.
    ///
    /// # Errors
    /// Why not, in words.
    fn invite(&self, role: Role, valid: Duration, hosts: &[String]) -> Result<Invited, String>;
    /// Takes up the invitation of that secret: from now on nobody else can.
    ///
    /// # Errors
    /// Why not, in words.
    fn admit(&self, secret: &str) -> Result<Admitted, String>;
    /// Opens an invitation again that came to nothing.
    ///
    /// # Errors
    /// Why not, in words.
    fn give_back(&self, secret: &str, admitted: Admitted) -> Result<(), String>;
    /// What a newcomer is given.
    ///
    /// # Errors
    /// Why not, in words.
    fn welcome(&self) -> Result<Welcome, String>;
}
