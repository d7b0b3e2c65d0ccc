//! What every other crate stands on: identities, the two kinds of time, digests, names, and limits.
//!
//! Separate, because these words are shared by the pure core and by the shell alike, and must not drag
//! anything of either along. No clock, no entropy, no I/O.

pub mod digest;
pub mod gsm;
pub mod id;
pub mod limits;
pub mod name;
pub mod time;

pub use digest::{Digest, Hasher};
pub use id::{AlertId, BootId, LogId, NodeId, NotificationId, RecordId};
pub use name::{Name, NameError};
pub use time::{Mono, Now, Wall};
