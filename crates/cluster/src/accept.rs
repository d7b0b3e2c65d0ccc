//! The connections that peers make to us: who may, and what is heard on them.
//!
//! Each is a task of its own; whatever one does ends that one alone.

use crate::arrivals::Seat;
use crate::certificate::name_of;
use crate::door::{Place, Turned};
use crate::event::{Event, TroubleKind};
use crate::frame::{Cause, FrameError, Lane, Message, Open};
use crate::links::Shared;
use crate::snapshot::Assembly;
use crate::version::{Agreed, VERSIONS, Version, agreed, words};
use crate::window::{Counted, Tally};
use crate::wire::{Ended, Permit, Reader, write};
use crate::{socket, tls};
use base::NodeId;
use base::limits::PEER_GREETING_TIME;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The pause when the system cannot give a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A fatal alert `access_denied` in plain TLS (RFC 8446 §6), so that a host that is not on the list reads why.
const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];
/// How long such a host has to read it.
const DENIED_TIME: Duration = Duration::from_millis(500);

/// Accepts for as long as the links live. Ends all connections when it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => (),
            next = listener.accept() => match next {
                Ok((stream, from)) => {
                    let ip = from.ip().to_canonical();
                    match shared.door.enter(ip) {
                        Some(place) => {
                            connections.spawn(Box::pin(receive(Arc::clone(&shared), stream, ip, place)));
                        }
                        None => shared.door.turn_away(ip, Turned::TooMany, &"too many connections"),
                    }
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// One connection, from the first byte to the last.
async fn receive(shared: Arc<Shared>, stream: TcpStream, ip: IpAddr, place: Place) {
    if !shared.door.allows(ip).await {
        shared.door.turn_away(ip, Turned::NotAllowed, &"its host is not on the list of allowed hosts");
        deny(stream).await;
        return;
    }
    let admitted = timeout(PEER_GREETING_TIME, Box::pin(admit(&shared, stream))).await;
    drop(place);
    let admitted = match admitted {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(Stranger::Left)) => return,
        Ok(Err(Stranger::Turned(turned, why))) => return shared.door.turn_away(ip, turned, &why),
        Err(_) => return shared.door.turn_away(ip, Turned::Slow, &"it did not say in time who it is"),
    };
    let Admitted { reader, open, version, seat } = admitted;
    if open.lane == Lane::Control {
        shared.reached_by(open.boot.node);
    }
    let tally = Arc::new(Tally::default());
    let tells = open.lane == Lane::Bulk && version.tells_read;
    let (mut reader, mut words) = reader.split(|read| Counted::new(read, Arc::clone(&tally)));
    let ended = tokio::select! {
        ended = hear(&shared, &mut reader, &open, seat.serial) => ended,
        ended = say_read(&tally, &mut words, version), if tells => ended,
        () = seat.leave.notified() => Ended::Closed, // Another connection took its place.
    };
    shared.arrivals.rise(&open, seat.serial);
    if let Ended::Bad(error) = ended {
        shared.door.turn_away(ip, Turned::Frame, &format!("{}: {error}", open.boot.node));
        let refusal = Message::Refused(Cause::Frame, error.to_string());
        drop(timeout(PEER_GREETING_TIME, write(&mut words, version, &refusal)).await);
    }
}

/// Says how far a connection was read, until it ends.
async fn say_read<W: AsyncWrite + Unpin>(tally: &Tally, words: &mut W, version: Version) -> Ended {
    let mut said = 0;
    loop {
        said = tally.next(said).await;
        if let Err(error) = write(words, version, &Message::Read(said)).await {
            return Ended::Broken(error);
        }
    }
}

/// Tells a host that is not on the list that it is not, as far as it listens.
async fn deny(mut stream: TcpStream) {
    let mut sink = [0; 512];
    let _ = timeout(DENIED_TIME, async {
        stream.write_all(&ACCESS_DENIED).await?;
        stream.shutdown().await?;
        // Closing with something unread would reset the connection, and the alert would be lost.
        while stream.read(&mut sink).await? > 0 {}
        Ok::<(), std::io::Error>(())
    })
    .await;
}

/// A connection whose dialler is known and may speak.
struct Admitted {
    reader: Reader<TlsStream<TcpStream>>,
    open: Open,
    version: Version,
    seat: Seat,
}

/// A connection that is not to be heard.
enum Stranger {
    /// It left before it said anything.
    Left,
    /// It was turned away.
    Turned(Turned, String),
}

async fn admit(shared: &Shared, stream: TcpStream) -> Result<Admitted, Stranger> {
    let broken = |error: std::io::Error| Stranger::Turned(Turned::Handshake, error.to_string());
    socket::prepare(&stream, Lane::Control).map_err(broken)?;
    if stream.peek(&mut [0]).await.map_or(true, |bytes| bytes == 0) {
        return Err(Stranger::Left);
    }
    let stream =
        TlsAcceptor::from(shared.tls().server).accept(stream).await.map_err(|error| handshake(&error))?;
    let agreed = agreed(stream.get_ref().1.alpn_protocol());
    let version = match agreed {
        Agreed::Version(version) => Some(version),
        Agreed::Refusal => None,
        Agreed::Nothing => {
            return Err(Stranger::Turned(Turned::Handshake, "it offers no version of the protocol".into()));
        }
    };
    let spoken = version.or_else(|| VERSIONS.last().copied());
    let Some(spoken) = spoken else { return Err(Stranger::Left) };
    let mut reader = Reader::new(stream, spoken);
    let open = match reader.next().await {
        Ok((Message::Open(open), _)) => open,
        Ok((other, _)) => {
            let why = format!("it began with a {}", other.word());
            return Err(Stranger::Turned(Turned::Handshake, why));
        }
        Err(ended) => return Err(Stranger::Turned(Turned::Handshake, ended.to_string())),
    };
    let seat = judge(shared, &reader.stream, &open, version);
    let answer = match &seat {
        Ok(_) => Message::Welcome,
        Err((cause, why)) => Message::Refused(*cause, why.clone()),
    };
    write(&mut reader.stream, spoken, &answer).await.map_err(broken)?;
    match seat {
        Ok(seat) => {
            // Until here it was a stranger's.
            socket::prepare(reader.stream.get_ref().0, open.lane).map_err(broken)?;
            reader.admit(open.lane, Arc::clone(&seat.room));
            Ok(Admitted { reader, open, version: spoken, seat })
        }
        Err((_, why)) => {
            drop(reader.stream.shutdown().await);
            Err(Stranger::Turned(Turned::Refused, why))
        }
    }
}

fn handshake(error: &std::io::Error) -> Stranger {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    Stranger::Turned(Turned::Handshake, of_tls.map_or_else(|| error.to_string(), tls::words))
}

/// Whether a dialler may speak, and its seat if so.
fn judge(
    shared: &Shared,
    stream: &TlsStream<TcpStream>,
    open: &Open,
    version: Option<Version>,
) -> Result<Seat, (Cause, String)> {
    let node = open.boot.node;
    if version.is_none() {
        let (ours, theirs) = (words(shared.protocol_max), &open.versions);
        let why = format!("this node speaks version {ours} of the protocol, and you speak {theirs}");
        return Err((Cause::Version, why));
    }
    if open.cluster != shared.cluster {
        return Err((Cause::Cluster, "this node belongs to another cluster".to_owned()));
    }
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(certificate) = certificate.filter(|certificate| tls::names(certificate, node)) else {
        return Err((Cause::Certificate, format!("your certificate does not name {}", name_of(node))));
    };
    if node == shared.me.node {
        let why = "this node has the same node id: one data folder is a copy of the other".to_owned();
        shared.trouble(None, TroubleKind::OwnTwin, "a node with this node's id dials it".to_owned());
        return Err((Cause::Twin, why));
    }
    if !shared.is_member(node) {
        return Err(stranger(node));
    }
    let seat = shared.arrivals.sit(open).map_err(|other| twin(shared, node, open, &other))?;
    if !shared.is_member(node) {
        shared.arrivals.rise(open, seat.serial); // It ceased to be one between the two looks.
        return Err(stranger(node));
    }
    tell_of_time(shared, node, certificate);
    Ok(seat)
}

fn stranger(node: NodeId) -> (Cause, String) {
    (Cause::Member, format!("node {node} is no member of this cluster"))
}

fn twin(shared: &Shared, node: NodeId, open: &Open, other: &base::LogId) -> (Cause, String) {
    let seen =
        format!("boots {} and {other} speak at once: one data folder is a copy of the other", open.boot);
    shared.trouble(Some(node), TroubleKind::Twin, seen);
    let why =
        format!("node {node} is connected already as boot {other}: one data folder is a copy of the other");
    (Cause::Twin, why)
}

fn tell_of_time(shared: &Shared, node: NodeId, certificate: &CertificateDer<'_>) {
    if let Some(complaint) = tls::complaint(certificate) {
        shared.trouble(Some(node), TroubleKind::CertificateTime, complaint.to_owned());
    }
}

/// Hears a peer until its connection ends.
async fn hear<R: AsyncRead + Unpin>(
    shared: &Shared,
    reader: &mut Reader<R>,
    open: &Open,
    serial: u64,
) -> Ended {
    let mut assembly = Assembly::default();
    loop {
        let event = match reader.next().await {
            Ok((message, permit)) => event(open, &mut assembly, message, permit),
            Err(ended) => return ended,
        };
        match event {
            Ok(event) => {
                if !shared
                    .arrivals
                    .pass(open, serial, || event.into_iter().for_each(|event| shared.tell(event)))
                {
                    return Ended::Closed;
                }
            }
            Err(error) => return Ended::Bad(error),
        }
    }
}

/// What a message tells the shell, if anything yet.
fn event(
    open: &Open,
    assembly: &mut Assembly,
    message: Message,
    permit: Permit,
) -> Result<Option<Event>, FrameError> {
    let from = open.boot.node;
    let word = message.word();
    match (open.lane, message) {
        (_, Message::Alive) => Ok(None),
        (Lane::Control, Message::Hello(hello)) if hello.heartbeat.boot == open.boot => {
            Ok(Some(Event::Hello { from, hello }))
        }
        (Lane::Control, Message::Beat(beat)) if beat.boot == open.boot => {
            Ok(Some(Event::Beat { from, beat }))
        }
        (Lane::Bulk, Message::Append(log, first, bodies)) => {
            Ok(Some(Event::Records { from, log, first, bodies, permit }))
        }
        (
            Lane::Bulk,
            message @ (Message::SnapBegin(_)
            | Message::SnapRows(_)
            | Message::SnapExtra(_)
            | Message::SnapEnd(..)),
        ) => {
            let whole = assembly.take(message)?;
            Ok(whole.map(|snapshot| Event::Snapshot { from, snapshot }))
        }
        (
            Lane::Control | Lane::Bulk,
            Message::Open(_)
            | Message::Welcome
            | Message::Refused(..)
            | Message::Hello(_)
            | Message::Beat(_)
            | Message::Append(..)
            | Message::SnapBegin(_)
            | Message::SnapRows(_)
            | Message::SnapExtra(_)
            | Message::SnapEnd(..)
            | Message::Read(_),
        ) => Err(FrameError::Misplaced(word)),
    }
}
