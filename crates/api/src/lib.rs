//! The HTTP surface: requests of strangers become calls to the core, its answers become JSON, problems or pages.
//!
//! Separate from the node, which owns the event loop and the clocks and lends what else is needed through
//! [`Services`]. Nothing is decided here about alerts; what is checked here is who asks, and whether what they
//! send can be what it says.
//!
//! Reading order: `call` (the way to the core), `problem` and `read` (refusals and bodies), `auth` (who),
//! then the routes by what they are about: `notices`, `alerts` with its view `alert` and `history`,
//! `orders`, `answers`, `monitors`, `heartbeat`, `alertmanager` (what Prometheus and its tools speak), `hooks` (what
//! dispatchers post), `silences`, `pages` with `link`, `directory`, `schedules`,
//! `access`, `trail`, `events`, `status`, `upkeep`, `cluster` with
//! what the node lends for it (`peers`); `openapi` lists them all.

mod access;
mod alert;
mod alertmanager;
mod alerts;
mod answers;
mod auth;
mod call;
mod cluster;
mod directory;
mod events;
mod heartbeat;
mod history;
mod hooks;
mod link;
mod moment;
mod monitors;
mod nearest;
mod notices;
mod openapi;
mod orders;
mod pages;
mod peers;
mod preview;
mod problem;
mod read;
mod schedules;
mod silences;
mod status;
mod trail;
mod upkeep;

pub use access::{hash_password, new_token};
pub use alertmanager::{parse_posted, parse_silence};
pub use call::{ANSWER_WAIT, Call, CallError, Calls, Reading};
pub use events::{Change, Changes};
pub use heartbeat::send_daily;
pub use hooks::{Member, parse_alertmanager_hook, parse_grafana_hook};
pub use link::{Link, LinkError, LinkKey, Unchecked, check_token, link_token, read_token};
pub use notices::{Parsed, parse_notice};
pub use openapi::openapi;
pub use peers::{Admitted, CertificateView, Invited, LinkView, Listeners, PeerServices, Welcome};
pub use problem::{Elsewhere, Place, Rejection};

use access::Lockout;
use auth::Sessions;
use axum::Router;
use base::{Name, NodeId, Wall};
use dispatch::directory::{Address, Civil, Directory, Edition};
use dispatch::record::Content;
use futures_util::future::BoxFuture;
use history::Histories;
use record::document::{Document, Problem, form};
use std::path::PathBuf;
use std::sync::Arc;

/// Who this node is, for status pages.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The name people gave it.
    pub name: String,
    /// Its id.
    pub id: NodeId,
    /// The letter of its codes.
    pub letter: char,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub started: Wall,
}

/// The alert that a template is tried on.
#[derive(Clone, Copy, Debug)]
pub enum Sampled<'a> {
    /// One that says this.
    Said(&'a Content),
    /// One in which everything is said.
    Longest,
    /// One in which as little as possible is.
    Shortest,
}

/// A message made from a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The subject line, where the channel has one.
    pub subject: Option<String>,
    /// The message.
    pub body: String,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its file, as the node's machine names it.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// What the node lends to the server. Calls may take a while and are made where that is no harm.
pub trait Services: PeerServices {
    /// What clocks show in that time zone.
    fn civil(&self, zone: &str) -> Civil;
    /// Judges an address outside the directory.
    ///
    /// # Errors
    /// What is wrong with it: an unknown channel, with the nearest, or not an address of that channel.
    fn address(&self, address: &Address) -> Result<(), String>;
    /// Judges a directory whole: its names, addresses and templates.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn check(&self, document: &Document) -> Result<Directory, Vec<Problem>>;
    /// Makes a message from a template, for an alert that says `sample`, or for one of ours: with much to say, or with
    /// as little as can be.
    ///
    /// # Errors
    /// What is wrong with the template; the pointers are those of a template.
    fn preview(&self, template: &form::Template, sample: Sampled<'_>) -> Result<Rendered, Vec<Problem>>;
    /// Tries to reach a provider without sending anything; says what it found.
    ///
    /// # Errors
    /// Why it cannot be reached, or that there is none of that name.
    fn probe(&self, provider: &Name) -> BoxFuture<'static, Result<String, String>>;
    /// Makes a backup in the data folder.
    ///
    /// # Errors
    /// Why not.
    fn backup(&self) -> BoxFuture<'static, Result<Backup, String>>;
    /// Bytes that are free on the disk of the data folder, and all of them; none if the system does not say.
    fn disk(&self) -> Option<(u64, u64)>;
    /// Why the node cannot do its work, one reason each; empty if it can.
    fn unready(&self) -> Vec<String>;
    /// All metrics, as Prometheus reads them.
    fn metrics(&self) -> String;
}

/// What the server needs. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The way into the event loop.
    pub calls: Calls,
    /// What happened, for streams.
    pub changes: Changes,
    /// The folder with the history, which is read beside the ledger.
    pub history: PathBuf,
    /// What the node lends.
    pub services: Arc<dyn Services>,
    /// What links are signed with.
    pub links: LinkKey,
    /// Where people reach this node, such as `https://alerts.example:8443`, if it was configured.
    pub public_url: Option<String>,
    /// Who this node is.
    pub node: NodeInfo,
}

/// What all routes share.
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) histories: Histories,
    pub(crate) sessions: Sessions,
    pub(crate) lockout: Lockout,
    /// Whom notices without a token are from; none where a token is needed.
    pub(crate) anonymous: Option<Name>,
    /// Held while a machine is let in, so that no two get the same letter.
    pub(crate) joining: tokio::sync::Mutex<()>,
}

/// The state of the routers.
pub(crate) type Server = axum::extract::State<Arc<Shared>>;

impl Shared {
    fn new(api: Api, anonymous: Option<Name>) -> Arc<Self> {
        let histories = Histories::new(&api.history);
        let (sessions, lockout) = (Sessions::default(), Lockout::default());
        let joining = tokio::sync::Mutex::default();
        Arc::new(Self { api, histories, sessions, lockout, anonymous, joining })
    }

    /// The directory in force.
    pub(crate) async fn edition(&self) -> Result<Edition, Rejection> {
        if let Some(edition) = self.api.changes.edition() {
            return Ok(edition);
        }
        let edition = self.api.calls.read(|core, _| core.edition().clone()).await?;
        self.api.changes.keep(&edition);
        Ok(edition)
    }
}

/// Everything, for a listener with TLS. To know from where requests come, serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`.
pub fn router(api: Api) -> Router {
    openapi::whole().0.with_state(Shared::new(api, None))
}

/// Notices, health and acknowledgement pages, for a listener on loopback without TLS. A request without a
/// token may send notices, which are then from `source`; a token is honoured.
pub fn ingest_router(api: Api, source: Name) -> Router {
    openapi::ingest().0.with_state(Shared::new(api, Some(source)))
}
