//! What the links tell the shell, and what people are shown of them.

use crate::snapshot::Snapshot;
use crate::wire::Permit;
use base::{LogId, NodeId};
use ownership::{Heartbeat, Hello};
use std::sync::Arc;
use std::time::SystemTime;

/// Something happened on a link.
#[derive(Debug)]
pub enum Event {
    /// Both of our connections to a peer are made. Only what is said after the [`crate::Links::hello`] that
    /// answers this will travel on them.
    Connected {
        /// Which peer.
        peer: NodeId,
    },
    /// One of them, or both, are gone. Records may not have arrived.
    Disconnected {
        /// Which peer.
        peer: NodeId,
    },
    /// The peer's process is dead: its connection was reset, and all of its addresses refuse another.
    Gone {
        /// Which peer.
        peer: NodeId,
    },
    /// A peer greets.
    Hello {
        /// Who speaks.
        from: NodeId,
        /// What it says.
        hello: Hello,
    },
    /// A peer's heartbeat.
    Beat {
        /// Who speaks.
        from: NodeId,
        /// What it says.
        beat: Heartbeat,
    },
    /// Records. They may overlap with earlier ones, or leave a gap behind them.
    Records {
        /// Who sends them.
        from: NodeId,
        /// The log they stand in; not always the sender's.
        log: LogId,
        /// The first one's number.
        first: u64,
        /// Their bytes, as the sender's ledger stores them.
        bodies: Vec<Arc<[u8]>>,
        /// The room that they take; to be dropped once they are stored.
        permit: Permit,
    },
    /// A snapshot, complete and unharmed.
    Snapshot {
        /// Who sends it.
        from: NodeId,
        /// Everything that it holds.
        snapshot: Snapshot,
    },
    /// Something that people should know. At most once a minute for each peer and kind.
    Trouble {
        /// Which peer; none if it is about this node.
        peer: Option<NodeId>,
        /// What kind.
        kind: TroubleKind,
        /// In words, a sentence's part without a full stop.
        why: String,
    },
}

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// A certificate has expired, or is not valid yet. Its owner is heard all the same.
    CertificateTime,
    /// Another process speaks with a peer's node id, and was refused: its data folder was copied.
    Twin,
    /// A peer says that another process speaks with *our* node id: this data folder was copied.
    OwnTwin,
    /// A peer refuses us for another reason.
    Refused,
}

/// One peer's link, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStatus {
    /// The address in use, or the one tried last.
    pub address: Option<Arc<str>>,
    /// Since when both of our connections to it are made; none if they are not.
    pub connected: Option<SystemTime>,
    /// The version of the protocol that was agreed upon last.
    pub version: Option<u8>,
    /// The last error, in words, and when it was.
    pub error: Option<(Arc<str>, SystemTime)>,
    /// When the certificate expires that the peer showed last. It shows another one when it connects again.
    pub expires: Option<SystemTime>,
}
