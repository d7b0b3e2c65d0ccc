//! Messages over a stream: lengths, limits, parts, silence. Generic over the stream, so that tests need no TLS.
//!
//! Nothing here decides what a message means, or who may say it.

use crate::frame::{FrameError, HEAD_BYTES, Lane, Message, PART, decode, encode};
use crate::snapshot::PIECE_BYTES;
use crate::version::Version;
use base::limits::{PEER_FRAME_BYTES_MAX, PEER_MESSAGE_BYTES_MAX, PEER_ROOM_BYTES_MAX, PEER_SILENCE_MAX};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Room that a message takes until it is dropped. While there is none, its connection is not read.
#[derive(Debug, Default)]
pub struct Permit(Option<OwnedSemaphorePermit>);

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The other end closed it.
    #[error("it closed the connection")]
    Closed,
    /// The system says so.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// Nothing came for too long.
    #[error("the connection was silent for too long")]
    Silent,
    /// What came is not the protocol.
    #[error("{0}")]
    Bad(#[from] FrameError),
}

/// Writes a message; one that is too long for a frame as several parts.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    stream: &mut W,
    version: Version,
    message: &Message,
) -> io::Result<()> {
    let payload = encode(version, message);
    let mut rest = payload.as_slice();
    while let Some((part, more)) = rest.split_at_checked(PIECE_BYTES)
        && !more.is_empty()
    {
        frame(stream, PART, part).await?;
        rest = more;
    }
    frame(stream, message.kind(), rest).await?;
    stream.flush().await
}

async fn frame<W: AsyncWrite + Unpin>(stream: &mut W, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.extend(length.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes).await
}

/// Reads messages from a stream.
pub(crate) struct Reader<S> {
    pub(crate) stream: S,
    version: Version,
    lane: Lane,
    room: Option<Arc<Semaphore>>,
    silence: Duration,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// For the first message, and for what a peer answers: one frame each, of any sender.
    pub(crate) fn new(stream: S, version: Version) -> Self {
        Self { stream, version, lane: Lane::Control, room: None, silence: PEER_SILENCE_MAX }
    }

    /// The same for a peer that may well say nothing for years.
    pub(crate) fn patient(stream: S, version: Version) -> Self {
        Self { silence: Duration::MAX, ..Self::new(stream, version) }
    }

    /// From here on for the messages of `lane`; records wait until `room` has room for them.
    pub(crate) fn admit(&mut self, lane: Lane, room: Arc<Semaphore>) {
        self.lane = lane;
        self.room = Some(room);
    }

    /// Reads on from `of` the reading half of the same stream, whose other half is given back.
    pub(crate) fn split<R>(self, of: impl FnOnce(ReadHalf<S>) -> R) -> (Reader<R>, WriteHalf<S>)
    where
        S: AsyncWrite,
    {
        let Self { stream, version, lane, room, silence } = self;
        let (read, write) = split(stream);
        (Reader { stream: of(read), version, lane, room, silence }, write)
    }

    /// The next message, with the room that it takes.
    pub(crate) async fn next(&mut self) -> Result<(Message, Permit), Ended> {
        let mut payload = Vec::new();
        let mut permit = Permit::default();
        loop {
            let (length, kind) = self.head().await?;
            let whole = payload.len().saturating_add(length);
            self.judge(kind, length, whole)?;
            self.make_room(&mut permit, whole).await;
            self.fill(&mut payload, length).await?;
            if kind != PART {
                return Ok((decode(self.version, kind, &payload)?, permit));
            }
        }
    }

    async fn head(&mut self) -> Result<(usize, u8), Ended> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        self.fill(&mut head, HEAD_BYTES).await?;
        let length = head.iter().take(4).fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        Ok((length, head.last().copied().unwrap_or(PART)))
    }

    /// Whether a frame of this kind and length may come.
    fn judge(&self, kind: u8, length: usize, whole: usize) -> Result<(), FrameError> {
        let oversize = |bytes: usize, max| {
            Err(FrameError::Oversize { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), max })
        };
        if length > PEER_FRAME_BYTES_MAX {
            return oversize(length, PEER_FRAME_BYTES_MAX);
        }
        if whole > PEER_MESSAGE_BYTES_MAX {
            return oversize(whole, PEER_MESSAGE_BYTES_MAX);
        }
        match (kind, self.lane) {
            (PART, Lane::Control) if whole > PEER_FRAME_BYTES_MAX => oversize(whole, PEER_FRAME_BYTES_MAX),
            (PART, _) if length == 0 => Err(FrameError::Short("part")), // Would never come to an end.
            _ => Ok(()),
        }
    }

    /// Waits for room; a message larger than all of it takes all of it.
    async fn make_room(&self, permit: &mut Permit, whole: usize) {
        let (Lane::Bulk, Some(room)) = (self.lane, &self.room) else { return };
        let held = permit.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = whole.min(PEER_ROOM_BYTES_MAX).saturating_sub(held);
        let Ok(more) = u32::try_from(more) else { return };
        if let Ok(taken) = Arc::clone(room).acquire_many_owned(more).await {
            match &mut permit.0 {
                Some(held) => held.merge(taken),
                none => *none = Some(taken),
            }
        }
    }

    /// Reads `length` bytes more.
    async fn fill(&mut self, into: &mut Vec<u8>, length: usize) -> Result<(), Ended> {
        let end = into.len() + length;
        while into.len() < end {
            let missing = u64::try_from(end - into.len()).unwrap_or(u64::MAX);
            let mut source = (&mut self.stream).take(missing);
            match timeout(self.silence, source.read_buf(into)).await {
                Err(_) => return Err(Ended::Silent),
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Ended::Closed),
                Ok(Err(error)) => return Err(Ended::Broken(error)),
                Ok(Ok(0)) => return Err(Ended::Closed),
                Ok(Ok(_)) => (),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::VERSIONS;
    use base::{BootId, LogId, NodeId};

    fn append(bytes: usize) -> Message {
        let log = LogId { node: NodeId(1), boot: BootId(1) };
        Message::Append(log, 0, vec![Arc::from(vec![7; bytes])])
    }

    async fn written(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, VERSIONS[0], message).await.unwrap();
        bytes
    }

    fn reader(bytes: &[u8]) -> Reader<&[u8]> {
        let mut reader = Reader::new(bytes, VERSIONS[0]);
        reader.admit(Lane::Bulk, Arc::new(Semaphore::new(PEER_ROOM_BYTES_MAX)));
        reader
    }

    #[tokio::test]
    async fn a_message_of_any_length_arrives() {
        for bytes in [0, 1, PIECE_BYTES - 28, PIECE_BYTES - 27, PIECE_BYTES, 3 * PIECE_BYTES, 40 << 20] {
            let message = append(bytes);
            let bytes = written(&message).await;
            let mut reader = reader(&bytes);
            assert_eq!(reader.next().await.unwrap().0, message);
            assert!(matches!(reader.next().await, Err(Ended::Closed)));
        }
    }

    #[tokio::test]
    async fn a_message_takes_room_until_it_is_dropped() {
        let bytes = written(&append(1000)).await;
        let mut reader = reader(&bytes);
        let room = Arc::clone(reader.room.as_ref().unwrap());
        let (_, permit) = reader.next().await.unwrap();
        assert_eq!(room.available_permits(), PEER_ROOM_BYTES_MAX - 1028);
        drop(permit);
        assert_eq!(room.available_permits(), PEER_ROOM_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_is_announced_too_long_is_refused_before_it_is_read() {
        let bytes = [&u32::MAX.to_be_bytes()[..], &[7]].concat();
        let end = reader(&bytes).next().await;
        assert!(matches!(end, Err(Ended::Bad(FrameError::Oversize { .. }))));
    }

    #[tokio::test]
    async fn parts_without_an_end_are_refused() {
        let part = [&4_000_000_u32.to_be_bytes()[..], &[PART], &vec![0; 4_000_000][..]].concat();
        let end = reader(&part.repeat(40)).next().await;
        assert!(matches!(end, Err(Ended::Bad(FrameError::Oversize { .. }))));
        let empty = [0, 0, 0, 0, PART];
        assert!(matches!(reader(&empty).next().await, Err(Ended::Bad(FrameError::Short(_)))));
    }

    #[tokio::test]
    async fn before_a_dialler_is_known_it_cannot_make_us_keep_much() {
        let part = [&4_000_000_u32.to_be_bytes()[..], &[PART], &vec![0; 4_000_000][..]].concat();
        let bytes = part.repeat(2);
        let end = Reader::new(bytes.as_slice(), VERSIONS[0]).next().await;
        assert!(matches!(end, Err(Ended::Bad(FrameError::Oversize { max: PEER_FRAME_BYTES_MAX, .. }))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_silent_for_too_long_ends() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(&[0, 0, 0]).await.unwrap(); // Also one that stops in the middle.
        assert!(matches!(Reader::new(near, VERSIONS[0]).next().await, Err(Ended::Silent)));
        let (near, _far) = tokio::io::duplex(64);
        let years = Duration::from_secs(100_000_000);
        assert!(
            timeout(years, Reader::patient(near, VERSIONS[0]).next()).await.is_err(),
            "a patient one waits"
        );
    }
}
