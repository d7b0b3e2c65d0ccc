//! Our two connections to one peer: dialling, speaking, and noticing the end.
//!
//! The connection for records lives only while that for heartbeats does: the one is watched closely, and what
//! ends it (a cable, a dead host) has ended the other too.

use crate::event::{Event, LinkStatus, TroubleKind};
use crate::frame::{Cause, Lane, Message, Open};
use crate::links::Shared;
use crate::outbox::{Load, Outbox};
use crate::redial::{Outcome, Redial};
use crate::version::{Agreed, VERSIONS, Version, agreed, words};
use crate::window::{Metered, Window};
use crate::wire::{Ended, Reader, write};
use crate::{certificate, socket, tls};
use base::NodeId;
use base::limits::{PEER_ADDRESS_TIME, PEER_GREETING_TIME, PEER_SILENCE_MAX};
use rustls::pki_types::ServerName;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How often a connection with nothing to say says so.
const ALIVE_EVERY: Duration = Duration::from_secs(PEER_SILENCE_MAX.as_secs() / 3);
/// The pause before the connection for records is made again.
const BULK_PAUSE: Duration = Duration::from_millis(50);
/// The same while it keeps failing.
const BULK_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A peer, as one whom we dial.
pub(crate) struct Peer {
    node: NodeId,
    pub(crate) outbox: Outbox,
    addresses: Mutex<Vec<Arc<str>>>,
    state: Mutex<State>,
    /// Something changed that makes another attempt worth while now.
    pub(crate) wake: Notify,
}

#[derive(Default)]
struct State {
    control: bool,
    status: LinkStatus,
}

/// A connection that the peer has welcomed.
struct Link {
    stream: TlsStream<TcpStream>,
    version: Version,
    address: Arc<str>,
}

/// Why an attempt failed.
#[derive(Debug)]
struct Failure {
    how: Outcome,
    why: String,
}

impl Failure {
    fn other(why: impl Into<String>) -> Self {
        Self { how: Outcome::Other, why: why.into() }
    }
}

impl Peer {
    pub(crate) fn new(node: NodeId, addresses: Vec<Arc<str>>) -> Self {
        Self {
            node,
            outbox: Outbox::default(),
            addresses: Mutex::new(addresses),
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Takes other addresses; those in use stay in use while they work.
    pub(crate) fn move_to(&self, addresses: Vec<Arc<str>>) {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != addresses {
            *known = addresses;
            self.wake.notify_one();
        }
    }

    /// It has reached us, so it lives and there is a way. Without this a peer that returns would be heard by us and
    /// not hear us for as long as we are told to wait between attempts, and would think us dead.
    pub(crate) fn has_reached_us(&self) {
        if !self.lock().control {
            self.wake.notify_one();
        }
    }

    pub(crate) fn status(&self) -> LinkStatus {
        self.lock().status.clone()
    }

    fn addresses(&self) -> Vec<Arc<str>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values, each whole at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_error(&self, why: &str) {
        self.lock().status.error = Some((why.into(), SystemTime::now()));
    }

    fn control_made(&self, link: &Link) {
        self.outbox.open(Lane::Control);
        let mut state = self.lock();
        state.control = true;
        state.status.address = Some(Arc::clone(&link.address));
        state.status.version = Some(link.version.number);
    }

    fn control_lost(&self, shared: &Shared) {
        self.outbox.close(Lane::Control);
        self.lock().control = false;
        self.bulk_lost(shared);
    }

    fn bulk_made(&self, shared: &Shared) {
        self.outbox.open(Lane::Bulk);
        let mut state = self.lock();
        if state.control {
            state.status.connected = Some(SystemTime::now());
            shared.tell(Event::Connected { peer: self.node }); // Under the lock: the order is the truth.
        }
    }

    pub(crate) fn bulk_lost(&self, shared: &Shared) {
        self.outbox.close(Lane::Bulk);
        let mut state = self.lock();
        if state.status.connected.take().is_some() {
            shared.tell(Event::Disconnected { peer: self.node });
        }
    }
}

/// Dials a peer for as long as it is a member.
pub(crate) async fn run(shared: Arc<Shared>, peer: Arc<Peer>) {
    let mut redial = Redial::default();
    let mut turn = 0;
    loop {
        let began = Instant::now();
        let next = match dial_any(&shared, &peer, &mut turn).await {
            Ok(link) => {
                let since = Instant::now();
                let end = serve(&shared, &peer, link).await;
                peer.note_error(&end.why);
                redial.lost(end.how, since.elapsed())
            }
            Err(failure) => {
                peer.note_error(&failure.why);
                redial.failed(failure.how).less(began.elapsed())
            }
        };
        if next.gone {
            shared.tell(Event::Gone { peer: peer.node });
        }
        tokio::select! {
            () = sleep(next.after) => (),
            () = peer.wake.notified() => (),
        }
    }
}

/// Tries each address once, beginning with the one whose turn it is.
async fn dial_any(shared: &Shared, peer: &Peer, turn: &mut usize) -> Result<Link, Failure> {
    let addresses = peer.addresses();
    let mut failures: Vec<Failure> = Vec::new();
    for _ in &addresses {
        let Some(address) = addresses.get(*turn % addresses.len()) else { break };
        peer.lock().status.address = Some(Arc::clone(address));
        match dial(shared, peer, Lane::Control, address).await {
            Ok(link) => return Ok(link),
            Err(failure) => {
                *turn = turn.wrapping_add(1);
                failures.push(Failure { why: format!("{address}: {}", failure.why), ..failure });
            }
        }
    }
    Err(sum_up(&failures))
}

/// What the failures at all addresses come to: one that is silent says nothing about the process.
fn sum_up(failures: &[Failure]) -> Failure {
    if failures.is_empty() {
        return Failure::other("no address of it is known");
    }
    let all = |how| failures.iter().all(|failure| failure.how == how);
    let any_other = failures.iter().any(|failure| failure.how == Outcome::Other);
    let how = match (all(Outcome::Refused), any_other) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Other,
        (false, false) => Outcome::Cut,
    };
    let words: Vec<&str> = failures.iter().map(|failure| failure.why.as_str()).collect();
    Failure { how, why: words.join("; ") }
}

async fn dial(shared: &Shared, peer: &Peer, lane: Lane, address: &Arc<str>) -> Result<Link, Failure> {
    let stream = loop {
        // A way that has just healed may have swallowed the attempt that is under way.
        tokio::select! {
            stream = reach(address) => break stream?,
            () = peer.wake.notified() => (),
        }
    };
    socket::prepare(&stream, lane).map_err(|error| failed(&error))?;
    let greeting = Box::pin(greet(shared, peer, lane, stream));
    let (stream, version) = timeout(PEER_GREETING_TIME, greeting)
        .await
        .map_err(|_| Failure::other("it took the connection and did not answer"))??;
    Ok(Link { stream, version, address: Arc::clone(address) })
}

/// A TCP connection to the first of an address's machines that answers. Names are looked up each time.
async fn reach(address: &str) -> Result<TcpStream, Failure> {
    let found = timeout(PEER_ADDRESS_TIME, lookup_host(address)).await;
    let found = found.map_err(|_| Failure::other("its name was not found in time"))?;
    let found = found.map_err(|error| Failure::other(error.to_string()))?;
    let mut failures = Vec::new();
    for place in found {
        match timeout(PEER_ADDRESS_TIME, TcpStream::connect(place)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failures.push(failed(&error)),
            Err(_) => failures.push(Failure::other("no answer")),
        }
    }
    Err(sum_up(&failures))
}

async fn greet(
    shared: &Shared,
    peer: &Peer,
    lane: Lane,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Version), Failure> {
    let name = ServerName::try_from(certificate::name_of(peer.node))
        .map_err(|error| Failure::other(error.to_string()))?;
    let connector = TlsConnector::from(shared.tls().client);
    let mut stream = connector.connect(name, stream).await.map_err(|error| failed(&error))?;
    look_at_certificate(shared, peer, &stream);
    let (version, words) = match agreed(stream.get_ref().1.alpn_protocol()) {
        Agreed::Version(version) => (Some(version), words(shared.protocol_max)),
        Agreed::Refusal => (None, words(shared.protocol_max)),
        Agreed::Nothing => return Err(Failure::other("it speaks no version of the protocol")),
    };
    let open = Open { cluster: shared.cluster, boot: shared.me, lane, versions: words };
    // What is said before a version is agreed upon is the same in all of them.
    let spoken = version.or_else(|| VERSIONS.last().copied());
    let Some(spoken) = spoken else { return Err(Failure::other("no version is known")) };
    write(&mut stream, spoken, &Message::Open(open)).await.map_err(|error| failed(&error))?;
    let mut reader = Reader::new(&mut stream, spoken);
    match (reader.next().await, version) {
        (Ok((Message::Welcome, _)), Some(version)) => Ok((stream, version)),
        (Ok((Message::Refused(cause, why), _)), _) => Err(refused(shared, peer, cause, &why)),
        (Ok((message, _)), _) => Err(Failure::other(format!("it answered with a {}", message.word()))),
        (Err(ended), _) => Err(end(&ended)),
    }
}

fn look_at_certificate(shared: &Shared, peer: &Peer, stream: &TlsStream<TcpStream>) {
    let Some(certificate) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first) else { return };
    peer.lock().status.expires = certificate::validity(certificate).map(certificate::Validity::expires);
    if let Some(complaint) = tls::complaint(certificate) {
        shared.trouble(Some(peer.node), TroubleKind::CertificateTime, complaint.to_owned());
    }
}

fn refused(shared: &Shared, peer: &Peer, cause: Cause, why: &str) -> Failure {
    let kind = if cause == Cause::Twin { TroubleKind::OwnTwin } else { TroubleKind::Refused };
    shared.trouble(Some(peer.node), kind, why.to_owned());
    Failure::other(format!("it refuses us: {why}"))
}

/// What an error of the system or of TLS means.
fn failed(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let cut = [Kind::ConnectionReset, Kind::ConnectionAborted, Kind::BrokenPipe, Kind::UnexpectedEof];
    let how = if error.kind() == Kind::ConnectionRefused {
        Outcome::Refused
    } else if cut.contains(&error.kind()) {
        Outcome::Cut
    } else {
        Outcome::Other
    };
    Failure { how, why: of_tls.map_or_else(|| error.to_string(), tls::words) }
}

fn end(ended: &Ended) -> Failure {
    match ended {
        Ended::Closed => Failure { how: Outcome::Cut, why: ended.to_string() },
        Ended::Broken(error) => failed(error),
        Ended::Silent | Ended::Bad(_) => Failure::other(ended.to_string()),
    }
}

/// Speaks to a peer until the connection for heartbeats ends; says how it did.
async fn serve(shared: &Arc<Shared>, peer: &Arc<Peer>, link: Link) -> Failure {
    peer.control_made(&link);
    let mut bulk = JoinSet::new(); // Ends with this function, also where that is cut short.
    bulk.spawn(bulk_forever(Arc::clone(shared), Arc::clone(peer), Arc::clone(&link.address)));
    let (read, write) = split(link.stream);
    let why = tokio::select! {
        end = listen(shared, peer, read, link.version, None) => end,
        end = speak(&peer.outbox, write, link.version) => end,
    };
    bulk.shutdown().await;
    peer.control_lost(shared);
    why
}

/// Hears what the other end may say: how far it has read, where there is a `window`, and why it ends the connection.
async fn listen<R: AsyncRead + Unpin>(
    shared: &Shared,
    peer: &Peer,
    read: R,
    version: Version,
    window: Option<&Window>,
) -> Failure {
    let mut reader = Reader::patient(read, version);
    loop {
        match (reader.next().await, window) {
            (Ok((Message::Read(bytes), _)), Some(window)) => window.hear(bytes),
            (Ok((Message::Refused(cause, why), _)), _) => return refused(shared, peer, cause, &why),
            (Ok((message, _)), _) => return Failure::other(format!("it answered with a {}", message.word())),
            (Err(ended), _) => return end(&ended),
        }
    }
}

async fn speak<W: AsyncWrite + Unpin>(outbox: &Outbox, mut stream: W, version: Version) -> Failure {
    loop {
        let message = tokio::select! {
            message = outbox.next_word() => message,
            () = sleep(ALIVE_EVERY) => Message::Alive,
        };
        if let Err(error) = write(&mut stream, version, &message).await {
            return failed(&error);
        }
    }
}

/// Makes the connection for records again and again.
async fn bulk_forever(shared: Arc<Shared>, peer: Arc<Peer>, address: Arc<str>) {
    let mut pause = BULK_PAUSE;
    loop {
        match dial(&shared, &peer, Lane::Bulk, &address).await {
            Ok(link) => {
                pause = BULK_PAUSE;
                peer.bulk_made(&shared);
                let (read, write) = split(link.stream);
                let window = link.version.tells_read.then(Window::new);
                let write = Metered::new(write, window.clone());
                let mut listening = Box::pin(listen(&shared, &peer, read, link.version, window.as_deref()));
                let end = tokio::select! {
                    end = &mut listening => Some(end),
                    end = load(&peer.outbox, write, link.version) => end,
                    () = stuck(window.as_deref()) => Some(Failure::other("it does not say how far it has read")),
                };
                if end.is_none() {
                    // It closes when it has read what was sent; a new connection before that would cut it off.
                    drop(timeout(PEER_SILENCE_MAX, listening).await);
                }
                peer.bulk_lost(&shared);
                match end {
                    Some(end) => peer.note_error(&format!("{address}: {}", end.why)),
                    None => continue, // It overflowed, and starts again where the peer is.
                }
            }
            Err(failure) => peer.note_error(&format!("{address}: {}", failure.why)),
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(BULK_PAUSE_MAX);
    }
}

/// Ends when what was sent is not read; never where the peer does not say so.
async fn stuck(window: Option<&Window>) {
    match window {
        Some(window) => window.stuck().await,
        None => std::future::pending().await,
    }
}

/// Sends records until the connection ends, or something did not fit into the outbox (none).
async fn load<W: AsyncWrite + Unpin>(outbox: &Outbox, mut stream: W, version: Version) -> Option<Failure> {
    loop {
        let next = tokio::select! {
            next = outbox.next_load() => next,
            () = sleep(ALIVE_EVERY) => Load::Message(Message::Alive),
        };
        let sent = match next {
            Load::Message(message) => write(&mut stream, version, &message).await,
            Load::Snapshot(snapshot) => {
                let mut sent = Ok(());
                for message in snapshot.messages() {
                    sent = write(&mut stream, version, &message).await;
                    if sent.is_err() {
                        break;
                    }
                }
                sent
            }
            Load::Overflow => {
                // What was written arrives: a clean end, not a reset.
                return stream.shutdown().await.err().map(|error| failed(&error));
            }
        };
        if let Err(error) = sent {
            return Some(failed(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_together_tell_whether_a_process_is_gone() {
        use Outcome::{Cut, Other, Refused};
        for (each, all) in [
            (&[Refused, Refused][..], Refused),
            (&[Refused, Other], Other),
            (&[Cut, Refused], Cut),
            (&[Cut, Other], Other),
            (&[], Other),
        ] {
            let failures: Vec<_> = each.iter().map(|how| Failure { how: *how, why: String::new() }).collect();
            assert_eq!(sum_up(&failures).how, all, "{each:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connections_with_nothing_to_say_are_kept_alive() {
        let outbox = Outbox::default();
        let version = VERSIONS[0];
        for lane in Lane::ALL {
            let (near, far) = tokio::io::duplex(1 << 10);
            let speaking = async {
                match lane {
                    Lane::Control => speak(&outbox, near, version).await,
                    Lane::Bulk => load(&outbox, near, version).await.expect("nothing overflows"),
                }
            };
            let hearing = async {
                let mut reader = Reader::new(far, version);
                for _ in 0..10 {
                    assert_eq!(reader.next().await.expect("it is not silent for long").0, Message::Alive);
                }
            };
            tokio::select! {
                end = speaking => panic!("{end:?}"),
                () = hearing => (),
            }
        }
    }
}
