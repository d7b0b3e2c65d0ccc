//! Starts a node, and stops it: from a data folder to a running event loop with its listeners.

use crate::clock::Clock;
use crate::config::{self, NodeConfig};
use crate::doors::{Door, raise_files};
use crate::event_loop::{Arrivals, Ending, EventLoop, dialled};
use crate::heartbeat;
use crate::init::{FIRST_DIRECTORY_FILE, LINK_KEY_FILE, chance};
use crate::judge;
use crate::letter::Letters;
use crate::members;
use crate::metrics::Metrics;
use crate::mirror::{self, FromPeers, Mirror};
use crate::neighbours::{self, LOOK_EVERY, Neighbours};
use crate::on_call::Rota;
use crate::outbox::Outbox;
use crate::pki::Certificates;
use crate::publish::Publisher;
use crate::services::NodeServices;
use crate::syslog::Syslog;
use api::{Api, Calls, Changes, LinkKey, NodeInfo};
use base::{AlertId, LogId, Name, Now};
use channel::Channel;
use cluster::Links;
use dispatch::directory::Directory;
use dispatch::record::{Actor, Concluded};
use dispatch::state::State;
use dispatch::{Dispatch, Effect, Identity, Input, Order, Past, Settings, Ticket};
use ledger::{Ledger, LedgerEvent, Recovered};
use ownership::Member;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};

/// The file in the data folder that says where a running node listens: `api` and `ingest` addresses, a line
/// each.
pub const LISTENING_FILE: &str = "listening";
/// How long open connections may take to finish when the node stops.
const GRACE: Duration = Duration::from_secs(2);

/// Why a node did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node file is wrong.
    #[error("{0}")]
    Config(#[from] config::NodeFileError),
    /// The ledger could not be opened.
    #[error("{0}")]
    Ledger(#[from] ledger::OpenError),
    /// A part of the node could not be set up: which, and why.
    #[error("{0}")]
    Setup(String),
    /// Nothing can be made durable any more.
    #[error("the ledger failed, so the node stopped before it could promise anything it cannot keep: {0}")]
    LedgerFailed(String),
    /// Another process runs on a copy of the data folder.
    #[error(
        "another process speaks with this node's id, so this one stopped: the data folder was copied and is in \
         use elsewhere ({0}); make a node of its own with `steadfast join`"
    )]
    Copied(String),
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// HTTPS.
    pub api: SocketAddr,
    /// Plain HTTP.
    pub ingest: Option<SocketAddr>,
    /// For peers.
    pub peers: Option<SocketAddr>,
}

/// Runs the node in `folder` until `stop` is told, or until it cannot go on. `ready` is called once it listens.
///
/// # Errors
/// [`RunError`], in words for an operator.
pub async fn run(
    folder: &Path,
    stop: oneshot::Receiver<()>,
    ready: impl FnOnce(Ready),
) -> Result<(), RunError> {
    let config = config::read(folder)?;
    let providers = open_providers(folder, &config)?;
    let links = link_key(folder)?;
    let (ledger_sender, ledger_events) = mpsc::unbounded_channel();
    let (ledger, recovered) = open_ledger(folder, config.cluster.listen.is_some(), ledger_sender)?;
    let listeners = Listeners::bind(&config)?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("https://{}", listeners.ready.api));

    let mut clock = Clock::start(folder, recovered.last_wall);
    let log = recovered.log;
    let mut effects = Vec::new();
    let now = clock.now();
    let seeds = members::read(folder).map_err(|error| RunError::Setup(error.to_string()))?;
    let mut core = start_core(&config, (recovered, seeds), now, &mut effects);
    let (peer_sender, peers) = mpsc::channel(base::limits::PEER_MESSAGES_QUEUED_MAX);
    let mirror = open_mirror(folder, &config, (log, &core), listeners.peers.as_ref(), peer_sender)?;
    let peer_links = mirror.as_ref().map(|mirror| mirror.links().clone());
    adopt_first_directory(folder, &mut core, now, &mut effects)?;
    offer_capacity(&config, &providers, &mut core, (now, &mut effects));

    let (reports_sender, reports) = mpsc::unbounded_channel::<(AlertId, Concluded)>();
    let (calls, received) = Calls::new(base::limits::INPUTS_QUEUED_MAX);
    let changes = Changes::new(log.boot);
    changes.keep(core.edition());
    let metrics = Arc::new(Metrics::default());
    let letters = Arc::new(Letters::new(&core.edition().directory, links.clone(), public_url.clone()));
    let event_loop = EventLoop {
        core,
        rota: Rota::default(),
        clock,
        ledger,
        outbox: Outbox::new(providers.clone(), letters, reports_sender),
        publisher: Publisher::new(log, changes.clone(), Arc::clone(&metrics), open_syslog(&config)?),
        tickets: BTreeMap::new(),
        last_ticket: 0,
        history_keep: config.history_keep,
        remembered: 0,
        mirror,
        floor: (ownership::Vector::new(), base::Mono(0)),
    };
    let certificates = Certificates::new(folder, log.node, &config);
    let neighbours = neighbours(folder, &config, listeners.ready, peer_links)?;
    let (_, troubles) = neighbours.look_at(&certificates, SystemTime::now());
    let api = Api {
        calls,
        changes,
        history: folder.to_owned(),
        services: Arc::new(NodeServices::new(folder, metrics, providers, Arc::clone(&neighbours))),
        links,
        public_url: Some(public_url),
        node: node_info(&config, log, now),
    };
    let (stop_loop, stopped) = oneshot::channel();
    let arrivals = Arrivals { calls: received, reports, ledger: ledger_events, peers, stop: stopped };
    let running = tokio::spawn(event_loop.run(arrivals, effects));
    let serving = announce_and_serve(listeners, folder, &config, &api)?;
    let upkeep = (certificates, neighbours, troubles);
    let mut tasks = tokio::task::JoinSet::new(); // They end with this function.
    tasks.spawn(heartbeat::keep_beating(api.clone()));
    tasks.spawn(keep_fresh(folder.to_owned(), config, upkeep, serving.tls.clone(), api.calls));
    ready(serving.ready);
    let ended = until_stopped(stop, stop_loop, running, &serving).await;
    drop(std::fs::remove_file(folder.join(LISTENING_FILE)));
    ended
}

/// Waits until the node is asked to stop and has, or ends by itself.
async fn until_stopped(
    stop: oneshot::Receiver<()>,
    stop_loop: oneshot::Sender<()>,
    mut running: tokio::task::JoinHandle<Ending>,
    serving: &Serving,
) -> Result<(), RunError> {
    let ending = tokio::select! {
        _ = stop => None,
        ending = &mut running => Some(ending),
    };
    serving.stop();
    let ending = match ending {
        Some(ending) => ending,
        None => {
            stop_loop.send(()).unwrap_or_default(); // The loop may have ended meanwhile.
            running.await
        }
    };
    match ending {
        Ok(Ending::Asked) => Ok(()),
        Ok(Ending::Ledger(why)) => Err(RunError::LedgerFailed(why)),
        Ok(Ending::Copied(why)) => Err(RunError::Copied(why)),
        Err(error) => Err(RunError::Setup(format!("the event loop failed: {error}"))),
    }
}

fn open_ledger(
    folder: &Path,
    mirrored: bool,
    events: mpsc::UnboundedSender<LedgerEvent>,
) -> Result<(Ledger, Recovered), RunError> {
    let chance = chance::<8>().map_err(|error| RunError::Setup(error.to_string()))?;
    let chance = u64::from_le_bytes(chance);
    // A new folder's node has its id already: its certificate names it.
    let said = members::node_id(folder).map_err(|error| RunError::Setup(error.to_string()))?;
    let chance = said.map_or(chance, |node| u64::from(node.0) << 32 | chance & u64::from(u32::MAX));
    let mut options = ledger::Options::new(chance, move |event| {
        drop(events.send(event)); // A loop that has ended no longer needs to know.
    });
    options.mirrored = mirrored;
    options.first_boot = first_boot();
    let (ledger, recovered) = Ledger::open(folder, options)?;
    for (id, why) in &recovered.poisoned {
        tracing::error!(%id, %why, "a record could not be read and was put aside");
    }
    if let Some(why) = &recovered.history_lost {
        tracing::error!(%why, "the history was damaged and starts again; open alerts are not affected");
    }
    for (log, records) in &recovered.missing {
        tracing::error!(%log, records, "the ledger lacks records that the history still has; open alerts may be lost");
    }
    Ok((ledger, recovered))
}

/// The number of the first boot of a new ledger: seconds since 2026. A folder whose ledger was lost goes on
/// above what its peers have seen of it.
fn first_boot() -> u32 {
    const FROM: Duration = Duration::from_secs(1_767_225_600);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since_1970.saturating_sub(FROM).as_secs()).unwrap_or(u32::MAX / 2).max(1)
}

/// Folds what was recovered, and starts the core on it.
fn start_core(
    config: &NodeConfig,
    (recovered, members): (Recovered, Vec<Member>),
    now: Now,
    effects: &mut Vec<Effect>,
) -> Dispatch {
    let mut state = State::default();
    state.lose(recovered.lost.iter().copied());
    for (id, entry) in &recovered.records {
        state.recover(*id, entry);
    }
    for (log, upto) in &recovered.upto {
        state.cover(*log, *upto);
    }
    let because = match (recovered.last_wall, recovered.clean) {
        _ if !recovered.missing.is_empty() => "start with a ledger that has lost records",
        (None, _) => "first start",
        (Some(_), true) => "clean start",
        (Some(_), false) => "start after a crash",
    };
    let identity = Identity {
        log: recovered.log,
        letter: config.letter,
        version: env!("CARGO_PKG_VERSION").into(),
        because: because.into(),
    };
    let codes = recovered.codes.iter().filter(|mark| mark.letter == config.letter);
    let past = Past {
        keys: recovered.keys.into_iter().map(mirror::past_key).collect(),
        codes: codes.map(|mark| (mark.hour, mark.highest)).collect(),
        quota: recovered
            .quota
            .into_iter()
            .map(|spent| (spent.provider, spent.day, u32::try_from(spent.count).unwrap_or(u32::MAX)))
            .collect(),
        base: recovered.base,
        members,
        almanac: Rota::new(&state.edition.directory, now.wall).1,
    };
    let specs = config.providers.iter().map(|provider| provider.spec.clone()).collect();
    let settings =
        Settings { provider: config.selection, cluster: config.cluster.timings, ..Settings::default() };
    Dispatch::start(identity, settings, (state, past), specs, now, effects)
}

/// Listens for peers and dials them, where the node file says how they reach this node.
fn open_mirror(
    folder: &Path,
    config: &NodeConfig,
    (log, core): (LogId, &Dispatch),
    listener: Option<&TcpListener>,
    to: mpsc::Sender<FromPeers>,
) -> Result<Option<Mirror>, RunError> {
    let Some(listener) = listener else { return Ok(None) };
    let failed =
        |why: &dyn std::fmt::Display| RunError::Setup(format!("cannot set up the links to peers: {why}"));
    let certificates = Certificates::new(folder, log.node, config);
    let credentials = certificates.peer_credentials(SystemTime::now()).map_err(|why| failed(&why))?;
    let links = cluster::Config {
        me: log,
        cluster: cluster_id(&credentials),
        listener: listener.try_clone().map_err(|why| failed(&why))?,
        protocol_max: config.cluster.protocol_max,
        allow: config.cluster.allow.clone(),
    };
    let (events, told) = mpsc::unbounded_channel();
    let links = Links::start(links, &credentials, events).map_err(|why| failed(&why))?;
    tokio::spawn(mirror::translate(told, to.clone()));
    links.set_members(dialled(core));
    Mirror::start(links, folder, to).map(Some).map_err(|why| failed(&why))
}

/// Tells the core how much each provider can take at once, the preferred one first.
fn offer_capacity(
    config: &NodeConfig,
    providers: &BTreeMap<Name, Arc<dyn Channel>>,
    core: &mut Dispatch,
    (now, effects): (Now, &mut Vec<Effect>),
) {
    for provider in &config.providers {
        let free = providers.get(&provider.spec.name).map_or(0, |channel| channel.slots());
        core.handle(now, Input::Capacity { provider: provider.spec.name.clone(), free }, effects);
    }
}

/// What the API is lent about the cluster.
fn neighbours(
    folder: &Path,
    config: &NodeConfig,
    ready: Ready,
    links: Option<Links>,
) -> Result<Arc<Neighbours>, RunError> {
    let listeners = api::Listeners {
        api: ready.api,
        ingest: ready.ingest,
        peers: ready.peers,
        dialled: config.cluster.addresses.clone(),
        public_url: config.public_url.as_deref().map(Arc::from),
    };
    Neighbours::new(folder, &config.tls.certificate, listeners, links).map(Arc::new)
}

/// Renews certificates long before they expire, for as long as the node runs, and tells people where it cannot.
async fn keep_fresh(
    folder: PathBuf,
    config: NodeConfig,
    (certificates, neighbours, troubles): (Certificates, Arc<Neighbours>, Vec<String>),
    shown: axum_server::tls_rustls::RustlsConfig,
    calls: Calls,
) {
    neighbours::introduce(&config, &calls).await;
    warn(&calls, troubles).await;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (of, with) = (certificates.clone(), Arc::clone(&neighbours));
        let looked = tokio::task::spawn_blocking(move || with.look_at(&of, SystemTime::now())).await;
        let Ok((renewed, troubles)) = looked else { continue };
        if renewed {
            match server_config(&folder, &config) {
                Ok(server) => {
                    shown.reload_from_config(server);
                    tracing::info!("the API's certificate was renewed");
                }
                Err(error) => tracing::warn!(%error, "the API's renewed certificate is not used"),
            }
        }
        warn(&calls, troubles).await;
    }
}

/// Tells the operators what is wrong with this node's certificates, or that nothing is.
async fn warn(calls: &Calls, troubles: Vec<String>) {
    let order = Order::Warn { standing: troubles.into_iter().map(Arc::from).collect() };
    let told = calls.put(move |ticket| Input::Order { ticket, by: Actor::ourselves(), order });
    drop(told.await); // It stands in the log too.
}

/// A cluster is known by the digest of its authority's certificate.
fn cluster_id(credentials: &cluster::Credentials) -> base::Digest {
    base::Hasher::new("cluster").text(credentials.ca_pem.trim()).finish()
}

/// A node without a directory takes the one that lies in its folder.
fn adopt_first_directory(
    folder: &Path,
    core: &mut Dispatch,
    now: Now,
    effects: &mut Vec<Effect>,
) -> Result<(), RunError> {
    let file = folder.join(FIRST_DIRECTORY_FILE);
    if core.edition().version > 0 || !file.exists() {
        return Ok(());
    }
    let directory: Directory =
        judge::directory_file(&file).map_err(|problems| RunError::Setup(problems.join("\n")))?;
    let order = Order::Directory {
        directory: Arc::new(directory),
        expected: None,
        summary: format!("read from {FIRST_DIRECTORY_FILE} at the first start").into(),
    };
    core.handle(now, Input::Order { ticket: Ticket(0), by: Actor::ourselves(), order }, effects);
    Ok(())
}

fn open_providers(folder: &Path, config: &NodeConfig) -> Result<BTreeMap<Name, Arc<dyn Channel>>, RunError> {
    let opened = config.providers.iter().map(|provider| {
        let channel: Arc<dyn Channel> = Arc::from(provider.open(folder)?);
        Ok((provider.spec.name.clone(), channel))
    });
    opened.collect::<Result<_, String>>().map_err(RunError::Setup)
}

fn link_key(folder: &Path) -> Result<LinkKey, RunError> {
    let file = folder.join(LINK_KEY_FILE);
    let text = std::fs::read_to_string(&file)
        .map_err(|error| RunError::Setup(format!("cannot read {}: {error}", file.display())))?;
    let key = base::Digest::parse(text.trim())
        .ok_or_else(|| RunError::Setup(format!("{} does not hold 64 hexadecimal digits", file.display())))?;
    Ok(LinkKey(key.0))
}

fn open_syslog(config: &NodeConfig) -> Result<Option<Syslog>, RunError> {
    let Some(path) = &config.trail.syslog else { return Ok(None) };
    let opened = Syslog::open(path);
    opened
        .map(Some)
        .map_err(|error| RunError::Setup(format!("cannot open syslog {}: {error}", path.display())))
}

fn node_info(config: &NodeConfig, log: LogId, now: Now) -> NodeInfo {
    NodeInfo {
        name: config.name.to_string(),
        id: log.node,
        letter: config.letter,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: now.wall,
    }
}

/// The file is there before anything is answered: who waits for `/readyz` may read it at once.
fn announce_and_serve(
    listeners: Listeners,
    folder: &Path,
    config: &NodeConfig,
    api: &Api,
) -> Result<Serving, RunError> {
    announce(folder, listeners.ready);
    let serving = listeners.serve(folder, config, api);
    serving.inspect_err(|_| drop(std::fs::remove_file(folder.join(LISTENING_FILE))))
}

/// Says in the data folder where the node listens, for the command line on this machine.
fn announce(folder: &Path, ready: Ready) {
    let ingest = ready.ingest.map_or_else(String::new, |ingest| format!("ingest {ingest}\n"));
    let peers = ready.peers.map_or_else(String::new, |peers| format!("peers {peers}\n"));
    let text = format!("api {}\n{ingest}{peers}", ready.api);
    if let Err(error) = std::fs::write(folder.join(LISTENING_FILE), text) {
        tracing::warn!(%error, "the file `listening` could not be written; the command line needs --host");
    }
}

/// The sockets, bound before anything else is started, so that a port in use is the first thing said.
struct Listeners {
    api: TcpListener,
    ingest: Option<TcpListener>,
    peers: Option<TcpListener>,
    ready: Ready,
}

/// The running listeners.
struct Serving {
    ready: Ready,
    handle: axum_server::Handle<SocketAddr>,
    /// What the API shows; it can be replaced while connections live.
    tls: axum_server::tls_rustls::RustlsConfig,
}

impl Listeners {
    fn bind(config: &NodeConfig) -> Result<Self, RunError> {
        let bind = |key: &str, at: SocketAddr| {
            let listener = TcpListener::bind(at)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .and_then(|listener| Ok((listener.local_addr()?, listener)));
            listener
                .map_err(|error| RunError::Setup(format!("cannot listen on {at} (listen.{key}): {error}")))
        };
        let (api_at, api) = bind("api", config.listen.api)?;
        let ingest = config.listen.ingest.map(|at| bind("ingest", at)).transpose()?;
        let peers = config.cluster.listen.map(|at| bind("peers", at)).transpose()?;
        let ready = Ready {
            api: api_at,
            ingest: ingest.as_ref().map(|(at, _)| *at),
            peers: peers.as_ref().map(|(at, _)| *at),
        };
        let listener = |bound: Option<(SocketAddr, TcpListener)>| bound.map(|(_, listener)| listener);
        Ok(Self { api, ingest: listener(ingest), peers: listener(peers), ready })
    }

    fn serve(self, folder: &Path, config: &NodeConfig, api: &Api) -> Result<Serving, RunError> {
        let handle = axum_server::Handle::new();
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(server_config(folder, config)?);
        let failed = |error: std::io::Error| RunError::Setup(format!("cannot serve: {error}"));
        let service = api::router(api.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let files = raise_files();
        let acceptor = axum_server::tls_rustls::RustlsAcceptor::new(tls.clone()).acceptor(Door::new(files));
        let server = axum_server::from_tcp(self.api).map_err(failed)?.acceptor(acceptor);
        let server = server.handle(handle.clone());
        tokio::spawn(server.serve(service));
        if let Some(listener) = self.ingest {
            let service = api::ingest_router(api.clone(), config.ingest_source.clone());
            let service = service.into_make_service_with_connect_info::<SocketAddr>();
            let server = axum_server::from_tcp(listener).map_err(failed)?.acceptor(Door::new(files));
            let server = server.handle(handle.clone());
            tokio::spawn(server.serve(service));
        }
        Ok(Serving { ready: self.ready, handle, tls })
    }
}

impl Serving {
    fn stop(&self) {
        self.handle.graceful_shutdown(Some(GRACE));
    }
}

/// The server's side of TLS: 1.2 and 1.3, HTTP/2 offered.
fn server_config(folder: &Path, config: &NodeConfig) -> Result<Arc<rustls::ServerConfig>, RunError> {
    use rustls::pki_types::pem::PemObject as _;
    let path = |path: &PathBuf| folder.join(path);
    let (certificate, key) = (path(&config.tls.certificate), path(&config.tls.key));
    let bad = |file: &Path, why: &dyn std::fmt::Display| {
        RunError::Setup(format!("cannot use {}: {why}", file.display()))
    };
    let chain: Vec<_> = rustls::pki_types::CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad(&certificate, &error))?;
    let private = rustls::pki_types::PrivateKeyDer::from_pem_file(&key).map_err(|error| bad(&key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| bad(&certificate, &error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}
