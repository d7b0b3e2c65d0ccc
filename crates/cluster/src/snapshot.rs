//! A snapshot: everything as of a vector, cut into messages for the way and put together again.
//!
//! Separate from `frame`, because it is a conversation and not a message: its pieces must arrive in order,
//! complete, and unharmed, or all of it is discarded.

use crate::frame::{FrameError, Message, SnapBegin};
use base::RecordId;
use base::limits::PEER_SNAPSHOT_BYTES_MAX;
use ownership::Vector;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes that one piece aims at: small, so that a slow link shows progress.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;

/// Everything that a node holds, as of `upto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How much of each log it contains.
    pub upto: Vector,
    /// The records that still say something, as the ledger stores them.
    pub rows: Vec<(RecordId, Arc<[u8]>)>,
    /// What outlives alerts (idempotency keys, codes, quotas), as the ledger writes and reads it.
    pub extra: Vec<u8>,
    /// Records below `upto` that the sender cannot read any more: that they are not among the rows says nothing.
    pub lost: BTreeSet<RecordId>,
}

impl Snapshot {
    /// The messages that carry it, in order, made as they are asked for.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Message> + Send + '_ {
        let begin = SnapBegin {
            upto: self.upto.clone(),
            rows: count(self.rows.len()),
            extra: count(self.extra.len()),
            lost: self.lost.clone(),
        };
        let end = Message::SnapEnd(begin.rows, self.checksum());
        let rows = Pieces(&self.rows).map(|rows| Message::SnapRows(rows.to_vec()));
        let extra = self.extra.chunks(PIECE_BYTES).map(|bytes| Message::SnapExtra(bytes.to_vec()));
        std::iter::once(Message::SnapBegin(begin)).chain(rows).chain(extra).chain([end])
    }

    fn checksum(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        self.rows.iter().for_each(|(_, body)| crc.update(body));
        crc.update(&self.extra);
        crc.finalize()
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// How many of these bodies make one piece: at least one.
pub(crate) fn piece<'a>(bodies: impl Iterator<Item = &'a Arc<[u8]>>) -> usize {
    let mut bytes = 0;
    let fits = |body: &&Arc<[u8]>| {
        let first = bytes == 0;
        bytes += body.len() + 24;
        first || bytes <= PIECE_BYTES
    };
    bodies.take_while(fits).count()
}

/// Rows in pieces.
struct Pieces<'a>(&'a [(RecordId, Arc<[u8]>)]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [(RecordId, Arc<[u8]>)];

    fn next(&mut self) -> Option<Self::Item> {
        let at = piece(self.0.iter().map(|(_, body)| body));
        let (head, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        (!head.is_empty()).then_some(head)
    }
}

/// Puts a snapshot together from its messages. Dropped in the middle, it leaves nothing.
#[derive(Default)]
pub(crate) struct Assembly {
    begun: Option<SnapBegin>,
    snapshot: Snapshot,
    bytes: usize,
}

impl Assembly {
    /// Takes the next message of one; the snapshot if that was the last.
    pub(crate) fn take(&mut self, message: Message) -> Result<Option<Snapshot>, FrameError> {
        match message {
            Message::SnapBegin(begin) => self.begin(begin),
            Message::SnapRows(rows) => self.rows(rows),
            Message::SnapExtra(bytes) => self.extra(&bytes),
            Message::SnapEnd(rows, crc) => return self.end(rows, crc).map(Some),
            Message::Open(_)
            | Message::Welcome
            | Message::Refused(..)
            | Message::Alive
            | Message::Hello(_)
            | Message::Beat(_)
            | Message::Append(..)
            | Message::Read(_) => Err(FrameError::Misplaced(message.word())),
        }?;
        Ok(None)
    }

    fn begin(&mut self, begin: SnapBegin) -> Result<(), FrameError> {
        if self.begun.is_some() {
            return Err(FrameError::Snapshot("it begins twice"));
        }
        self.snapshot.upto.clone_from(&begin.upto);
        self.snapshot.lost.clone_from(&begin.lost);
        self.begun = Some(begin);
        Ok(())
    }

    fn rows(&mut self, rows: Vec<(RecordId, Arc<[u8]>)>) -> Result<(), FrameError> {
        self.grow(rows.iter().map(|(_, body)| body.len() + 24).sum())?;
        self.snapshot.rows.extend(rows);
        Ok(())
    }

    fn extra(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.grow(bytes.len())?;
        self.snapshot.extra.extend_from_slice(bytes);
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), FrameError> {
        if self.begun.is_none() {
            return Err(FrameError::Snapshot("it has no beginning"));
        }
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > PEER_SNAPSHOT_BYTES_MAX {
            return Err(FrameError::Oversize { bytes: count(self.bytes), max: PEER_SNAPSHOT_BYTES_MAX });
        }
        Ok(())
    }

    fn end(&mut self, rows: u64, crc: u32) -> Result<Snapshot, FrameError> {
        let whole = std::mem::take(self);
        let Some(begin) = whole.begun else { return Err(FrameError::Snapshot("it has no beginning")) };
        let held = count(whole.snapshot.rows.len());
        if held != rows || begin.rows != rows {
            return Err(FrameError::Snapshot("records are missing or too many"));
        }
        if begin.extra != count(whole.snapshot.extra.len()) {
            return Err(FrameError::Snapshot("what it has besides records is not whole"));
        }
        if whole.snapshot.checksum() != crc {
            return Err(FrameError::Snapshot("its checksum is another"));
        }
        Ok(whole.snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BootId, LogId, NodeId};

    fn snapshot(rows: u64) -> Snapshot {
        let log = LogId { node: NodeId(1), boot: BootId(2) };
        let row = |seq| (RecordId { log, seq }, Arc::from(vec![7; 1000]));
        Snapshot {
            upto: Vector::from([(log, rows)]),
            rows: (0..rows).map(row).collect(),
            extra: vec![1; 600_000],
            lost: BTreeSet::from([RecordId { log, seq: 0 }]),
        }
    }

    fn assemble(messages: impl IntoIterator<Item = Message>) -> Result<Option<Snapshot>, FrameError> {
        let mut assembly = Assembly::default();
        let mut last = None;
        for message in messages {
            last = assembly.take(message)?;
        }
        Ok(last)
    }

    #[test]
    fn a_snapshot_arrives_as_it_left() {
        for rows in [0, 1, 1000] {
            let snapshot = snapshot(rows);
            assert_eq!(assemble(snapshot.messages()), Ok(Some(snapshot.clone())));
        }
        assert_eq!(snapshot(1000).messages().count(), 1 + 4 + 3 + 1);
    }

    #[test]
    fn a_snapshot_with_a_piece_missing_twice_or_changed_is_discarded() {
        let messages: Vec<Message> = snapshot(1000).messages().collect();
        for at in 0..messages.len() {
            let mut lacking = messages.clone();
            lacking.remove(at);
            assert_ne!(assemble(lacking), Ok(Some(snapshot(1000))), "without {at}");
            let mut twice = messages.clone();
            twice.insert(at, messages[at].clone());
            assert!(assemble(twice).is_err(), "{at} twice");
        }
        let mut changed = messages;
        if let Message::SnapRows(rows) = &mut changed[1] {
            rows[0].1 = Arc::from(vec![8; 1000]);
        }
        assert!(assemble(changed).is_err());
    }

    #[test]
    fn a_record_larger_than_a_piece_is_one_by_itself() {
        let mut large = snapshot(3);
        large.rows[1].1 = Arc::from(vec![0; PIECE_BYTES * 2]);
        assert_eq!(Pieces(&large.rows).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
