//! Who wrote what: nodes, boots, logs, records, and the identities that follow from them.
//!
//! A log belongs to one *boot* of a node, not to the node: a node whose unsynced tail was lost, whose disk
//! was swapped or whose machine was rolled back to a snapshot would otherwise write two different records
//! under one id.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A node, for its whole life. Drawn at random when the data folder is made; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One start of a node: a counter in the upper 32 bits, chance in the lower, so later boots compare greater
/// and a cloned data folder does not repeat one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub u64);

/// The log of one boot: a single writer, a dense sequence from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// Whose boot it is.
    pub node: NodeId,
    /// Which boot.
    pub boot: BootId,
}

/// One record: its log and its place in it, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The log it stands in.
    pub log: LogId,
    /// Its place, from 0, without gaps.
    pub seq: u64,
}

/// An alert, named by its `Accept` record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub RecordId);

/// One message for one recipient at one address for one purpose.
///
/// The first 128 bits of a SHA-256 over alert, step, round, recipient, address and purpose: two nodes that
/// escalate the same step mint the same id, and the Message-ID of a mail follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(pub u128);

impl BootId {
    /// How many times the node had been started, this start included.
    pub fn counter(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.node, self.boot.0)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.log, self.seq)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Why a text is not an id: it is not `NODE-BOOT-SEQ`, two hexadecimal numbers and a decimal one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id has the form NODE-BOOT-NUMBER, such as 1f3a9c02-10a3f9b21-17")
    }
}

impl std::error::Error for IdError {}

impl From<ParseIntError> for IdError {
    fn from(_: ParseIntError) -> Self {
        Self
    }
}

impl FromStr for NodeId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(Self(u32::from_str_radix(text, 16)?))
    }
}

impl FromStr for LogId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (node, boot) = text.split_once('-').ok_or(IdError)?;
        Ok(Self {
            node: NodeId(u32::from_str_radix(node, 16)?),
            boot: BootId(u64::from_str_radix(boot, 16)?),
        })
    }
}

impl FromStr for RecordId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (log, seq) = text.rsplit_once('-').ok_or(IdError)?;
        Ok(Self { log: log.parse()?, seq: seq.parse()? })
    }
}

impl FromStr for AlertId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(Self(text.parse()?))
    }
}

impl FromStr for NotificationId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 32 {
            return Err(IdError);
        }
        Ok(Self(u128::from_str_radix(text, 16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_written() {
        let id =
            AlertId(RecordId { log: LogId { node: NodeId(0x1f), boot: BootId(0x2_0000_abcd) }, seq: 17 });
        assert_eq!(id.to_string(), "0000001f-20000abcd-17");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.0.log.boot.counter(), 2);
        let note = NotificationId(5);
        assert_eq!(note.to_string().parse(), Ok(note));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "1-2", "x-2-3", "1-2-", "1-2-3-4x", "A123"] {
            assert_eq!(text.parse::<AlertId>(), Err(IdError), "{text}");
        }
    }
}
