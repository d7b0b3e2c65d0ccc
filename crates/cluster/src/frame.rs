//! What goes over a connection, as bytes and back: pure, because these bytes come from the network.
//!
//! A frame is a length (u32, big-endian, of what follows the kind), a kind (u8), and a payload. A message that
//! does not fit one frame is cut into `Part`s, and its last piece travels under its own kind. Greetings and
//! heartbeats are JSON (`forms`); records are binary, as the ledger stores them. Numbers are big-endian.

use crate::forms::{BeatForm, Form, HelloForm, OpenForm, RefusedForm, SnapBeginForm};
use crate::version::Version;
use base::{BootId, Digest, LogId, NodeId, RecordId};
use ownership::{Heartbeat, Hello, Vector};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes before the payload of a frame.
pub(crate) const HEAD_BYTES: usize = 5;
/// The kind of a frame that the next one continues.
pub(crate) const PART: u8 = 0;

/// What a connection is for. Two, so that a large `Append` never delays a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Greetings and heartbeats.
    Control,
    /// Records and snapshots.
    Bulk,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Control, Self::Bulk];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Bulk => "bulk",
        }
    }
}

/// The first message on each connection: who dials, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The cluster that the dialler belongs to: the digest of its CA's certificate.
    pub cluster: Digest,
    /// The dialler and its boot. Its certificate must name the node.
    pub boot: LogId,
    /// What the connection is for.
    pub lane: Lane,
    /// The versions of the protocol that the dialler speaks, in words.
    pub versions: String,
}

/// Why a peer ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The dialler belongs to another cluster.
    Cluster,
    /// The dialler is no member.
    Member,
    /// The dialler's certificate names another node.
    Certificate,
    /// Another process speaks with the dialler's node id: a data folder was copied.
    Twin,
    /// No version of the protocol is common.
    Version,
    /// What the dialler sent is not the protocol.
    Frame,
    /// Something that a later program knows.
    Other,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Cluster, Self::Member, Self::Certificate, Self::Twin, Self::Version, Self::Frame, Self::Other];

    /// The word for it, on the wire and in counters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Member => "member",
            Self::Certificate => "certificate",
            Self::Twin => "twin",
            Self::Version => "version",
            Self::Frame => "frame",
            Self::Other => "other",
        }
    }
}

/// How a snapshot begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapBegin {
    /// How much of each log it contains.
    pub upto: Vector,
    /// Records that follow.
    pub rows: u64,
    /// Bytes of what follows besides records.
    pub extra: u64,
    /// Records below `upto` that the sender cannot read any more.
    pub lost: BTreeSet<RecordId>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who dials.
    Open(Open),
    /// The peer takes the connection; all that it says besides is `Refused`, and `Read` where it hears records.
    Welcome,
    /// The peer ends the connection, and says why.
    Refused(Cause, String),
    /// Nothing to say, and still there.
    Alive,
    /// The first word of a boot on a connection.
    Hello(Hello),
    /// A heartbeat.
    Beat(Heartbeat),
    /// Records of one log, the first of them, and their bytes.
    Append(LogId, u64, Vec<Arc<[u8]>>),
    /// A snapshot begins.
    SnapBegin(SnapBegin),
    /// Some of its records.
    SnapRows(Vec<(RecordId, Arc<[u8]>)>),
    /// Some of what it has besides records.
    SnapExtra(Vec<u8>),
    /// It is complete: its records, and the CRC-32 over their bytes and over what there is besides.
    SnapEnd(u64, u32),
    /// Who hears records has read so many bytes since its `Welcome`.
    Read(u64),
}

/// Why bytes are not a message. The connection that they came on is closed; nothing else is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The kind is none of ours.
    #[error("a frame has the unknown kind {0}")]
    Kind(u8),
    /// The payload ends too early.
    #[error("a frame ends in the middle of its {0}")]
    Short(&'static str),
    /// Something stands behind the message.
    #[error("a frame goes on behind its end")]
    Long,
    /// The payload is not the JSON that it should be.
    #[error("a frame cannot be read: {0}")]
    Json(String),
    /// A record does not have its checksum.
    #[error("record {0} was damaged on its way")]
    Damaged(u64),
    /// The frame, or the message that it is part of, is too long.
    #[error("a frame announces {bytes} bytes, and {max} are the limit")]
    Oversize {
        /// What it announces.
        bytes: u64,
        /// The limit.
        max: usize,
    },
    /// The message is not one for this connection, or for this moment.
    #[error("a {0} does not belong here")]
    Misplaced(&'static str),
    /// A snapshot is not what it announced.
    #[error("a snapshot is not what it announced: {0}")]
    Snapshot(&'static str),
}

impl Message {
    /// The number of its kind on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Open(_) => 1,
            Self::Welcome => 2,
            Self::Refused(..) => 3,
            Self::Alive => 4,
            Self::Hello(_) => 5,
            Self::Beat(_) => 6,
            Self::Append(..) => 7,
            Self::SnapBegin(_) => 8,
            Self::SnapRows(_) => 9,
            Self::SnapExtra(_) => 10,
            Self::SnapEnd(..) => 11,
            Self::Read(_) => 12,
        }
    }

    /// Its name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open(_) => "Open",
            Self::Welcome => "Welcome",
            Self::Refused(..) => "Refused",
            Self::Alive => "Alive",
            Self::Hello(_) => "Hello",
            Self::Beat(_) => "Hb",
            Self::Append(..) => "Append",
            Self::SnapBegin(_) => "SnapBegin",
            Self::SnapRows(_) => "SnapRows",
            Self::SnapExtra(_) => "SnapExtra",
            Self::SnapEnd(..) => "SnapEnd",
            Self::Read(_) => "Read",
        }
    }
}

/// The payload of a message, in this version of the protocol.
pub fn encode(version: Version, message: &Message) -> Vec<u8> {
    match message {
        Message::Open(open) => to_json(&OpenForm::of(open, version)),
        Message::Welcome | Message::Alive => Vec::new(),
        Message::Refused(cause, why) => to_json(&RefusedForm::of(&(*cause, why.clone()), version)),
        Message::Hello(hello) => to_json(&HelloForm::of(hello, version)),
        Message::Beat(beat) => to_json(&BeatForm::of(beat, version)),
        Message::Append(log, first, bodies) => append(version, *log, *first, bodies),
        Message::SnapBegin(begin) => to_json(&SnapBeginForm::of(begin, version)),
        Message::SnapRows(rows) => snap_rows(rows),
        Message::SnapExtra(bytes) => bytes.clone(),
        Message::Read(bytes) => bytes.to_be_bytes().to_vec(),
        Message::SnapEnd(rows, crc) => [&rows.to_be_bytes()[..], &crc.to_be_bytes()[..]].concat(),
    }
}

/// The message that a payload of this kind is, in this version of the protocol.
///
/// # Errors
/// [`FrameError`] where it is none.
pub fn decode(version: Version, kind: u8, payload: &[u8]) -> Result<Message, FrameError> {
    let mut bytes = Bytes(payload);
    let message = match kind {
        1 => Message::Open(from_json::<OpenForm>(version, bytes.rest())?),
        2 => Message::Welcome,
        3 => {
            let (cause, why) = from_json::<RefusedForm>(version, bytes.rest())?;
            Message::Refused(cause, why)
        }
        4 => Message::Alive,
        5 => Message::Hello(from_json::<HelloForm>(version, bytes.rest())?),
        6 => Message::Beat(from_json::<BeatForm>(version, bytes.rest())?),
        7 => read_append(version, &mut bytes)?,
        8 => Message::SnapBegin(from_json::<SnapBeginForm>(version, bytes.rest())?),
        9 => read_snap_rows(&mut bytes)?,
        10 => Message::SnapExtra(bytes.rest().to_vec()),
        11 => Message::SnapEnd(bytes.u64("count")?, bytes.u32("checksum")?),
        12 if version.tells_read => Message::Read(bytes.u64("count of bytes")?),
        other => return Err(FrameError::Kind(other)),
    };
    if bytes.0.is_empty() { Ok(message) } else { Err(FrameError::Long) }
}

fn to_json<F: Form>(form: &F) -> Vec<u8> {
    serde_json::to_vec(form).expect("forms have text keys and no non-finite numbers")
}

fn from_json<F: Form>(version: Version, bytes: &[u8]) -> Result<F::Value, FrameError> {
    let form: F = serde_json::from_slice(bytes).map_err(|error| FrameError::Json(error.to_string()))?;
    form.value(version).map_err(FrameError::Json)
}

fn append(version: Version, log: LogId, first: u64, bodies: &[Arc<[u8]>]) -> Vec<u8> {
    let size = bodies.iter().map(|body| body.len() + 8).sum::<usize>() + 20;
    let mut out = Vec::with_capacity(size);
    put_log(&mut out, log);
    out.extend(first.to_be_bytes());
    for body in bodies {
        out.extend(length(body).to_be_bytes());
        if version.checks_records {
            out.extend(crc32fast::hash(body).to_be_bytes());
        }
        out.extend_from_slice(body);
    }
    out
}

fn read_append(version: Version, bytes: &mut Bytes<'_>) -> Result<Message, FrameError> {
    let (log, first) = (bytes.log()?, bytes.u64("first number")?);
    let mut bodies = Vec::new();
    let mut seq = first;
    while !bytes.0.is_empty() {
        let len = bytes.u32("length of a record")?;
        let crc = if version.checks_records { Some(bytes.u32("checksum of a record")?) } else { None };
        let body = bytes.take(len, "record")?;
        if crc.is_some_and(|crc| crc != crc32fast::hash(body)) {
            return Err(FrameError::Damaged(seq));
        }
        bodies.push(Arc::from(body));
        seq = seq.saturating_add(1);
    }
    Ok(Message::Append(log, first, bodies))
}

fn snap_rows(rows: &[(RecordId, Arc<[u8]>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.iter().map(|(_, body)| body.len() + 24).sum());
    for (id, body) in rows {
        put_log(&mut out, id.log);
        out.extend(id.seq.to_be_bytes());
        out.extend(length(body).to_be_bytes());
        out.extend_from_slice(body);
    }
    out
}

fn read_snap_rows(bytes: &mut Bytes<'_>) -> Result<Message, FrameError> {
    let mut rows = Vec::new();
    while !bytes.0.is_empty() {
        let id = RecordId { log: bytes.log()?, seq: bytes.u64("number")? };
        let len = bytes.u32("length of a record")?;
        rows.push((id, Arc::from(bytes.take(len, "record")?)));
    }
    Ok(Message::SnapRows(rows))
}

fn put_log(out: &mut Vec<u8>, log: LogId) {
    out.extend(log.node.0.to_be_bytes());
    out.extend(log.boot.0.to_be_bytes());
}

/// The length of a record's bytes. The ledger takes none that comes near the end of this number.
fn length(body: &[u8]) -> u32 {
    u32::try_from(body.len()).expect("a record is shorter than 4 GiB")
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, len: u32, what: &'static str) -> Result<&'a [u8], FrameError> {
        let at = usize::try_from(len).map_err(|_| FrameError::Short(what))?;
        let (head, rest) = self.0.split_at_checked(at).ok_or(FrameError::Short(what))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FrameError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(FrameError::Short(what))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, FrameError> {
        self.array(what).map(u32::from_be_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, FrameError> {
        self.array(what).map(u64::from_be_bytes)
    }

    fn log(&mut self) -> Result<LogId, FrameError> {
        Ok(LogId { node: NodeId(self.u32("node")?), boot: BootId(self.u64("boot")?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::example;
    use crate::version::VERSIONS;
    use std::time::Duration;

    fn log() -> LogId {
        LogId { node: NodeId(3), boot: BootId(0x1_0000_0007) }
    }

    fn all() -> Vec<Message> {
        let body = |text: &str| Arc::from(text.as_bytes());
        let open =
            Open { cluster: Digest([7; 32]), boot: log(), lane: Lane::Bulk, versions: "2 and 1".to_owned() };
        let begin = SnapBegin {
            upto: Vector::from([(log(), 9)]),
            rows: 2,
            extra: 3,
            lost: BTreeSet::from([RecordId { log: log(), seq: 4 }]),
        };
        vec![
            Message::Open(open),
            Message::Welcome,
            Message::Refused(Cause::Twin, "it is there already".to_owned()),
            Message::Alive,
            Message::Hello(example()),
            Message::Beat(example().heartbeat),
            Message::Append(log(), 5, vec![body("one"), body(""), body("three")]),
            Message::SnapBegin(begin),
            Message::SnapRows(vec![(RecordId { log: log(), seq: 4 }, body("four"))]),
            Message::SnapExtra(b"{}".to_vec()),
            Message::SnapEnd(2, 0xdead_beef),
            Message::Read(1 << 40),
        ]
    }

    #[test]
    fn every_message_reads_back_as_written() {
        for message in all() {
            let version = VERSIONS[0];
            let bytes = encode(version, &message);
            assert_eq!(decode(version, message.kind(), &bytes), Ok(message));
        }
    }

    #[test]
    fn version_1_knows_no_unsynced_writes_no_losses_and_no_checksums() {
        let [two, one] = VERSIONS else { panic!("there are two versions") };
        let beat = example().heartbeat;
        let old = Heartbeat { unsynced: Duration::ZERO, lacks: false, ..beat.clone() };
        let written = encode(*one, &Message::Beat(beat.clone()));
        assert_eq!(decode(*one, 6, &written), Ok(Message::Beat(old.clone())));
        assert_eq!(decode(*one, 6, &encode(*two, &Message::Beat(beat))), Ok(Message::Beat(old)));
        let append = Message::Append(log(), 0, vec![Arc::from(&b"abc"[..])]);
        assert_eq!(encode(*one, &append).len() + 4, encode(*two, &append).len());
        assert_eq!(decode(*one, 7, &encode(*one, &append)), Ok(append));
    }

    #[test]
    fn a_flipped_bit_in_a_record_is_noticed() {
        let append = Message::Append(log(), 5, vec![Arc::from(&b"abc"[..]), Arc::from(&b"def"[..])]);
        let mut bytes = encode(VERSIONS[0], &append);
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(decode(VERSIONS[0], 7, &bytes), Err(FrameError::Damaged(6)));
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let extra_and_rows_may_end_anywhere = [10];
        for message in all() {
            let (version, kind) = (VERSIONS[0], message.kind());
            let bytes = encode(version, &message);
            if extra_and_rows_may_end_anywhere.contains(&kind) {
                continue;
            }
            let longer = [&bytes[..], b"x"].concat();
            assert!(decode(version, kind, &longer).is_err(), "{}", message.word());
            if let Some((_, shorter)) = bytes.split_last() {
                assert!(decode(version, kind, shorter).is_err(), "{}", message.word());
            }
        }
        assert_eq!(decode(VERSIONS[0], 99, b""), Err(FrameError::Kind(99)));
        assert_eq!(decode(VERSIONS[0], PART, b""), Err(FrameError::Kind(PART)));
    }
}
