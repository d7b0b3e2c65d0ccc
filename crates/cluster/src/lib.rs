//! Carries what peers say to each other over mutually authenticated TLS 1.3, and says who can be reached.
//!
//! Separate from `ownership`, which decides what a silence or a record means: nothing is decided here but
//! whether bytes are the protocol, and whether their sender is a member.
//!
//! **Links.** A node dials each peer for what it says to it (`dial`), and hears a peer on the connections that
//! it accepts (`accept`). So each direction lives by itself, and a link that carries one way only is seen as
//! what it is. Each direction has two connections: one for heartbeats, one for records.
//!
//! **Limits.** Whatever comes in and goes out is bounded: `outbox` for what waits to be said, `wire` for what
//! was read, `door` for strangers.

mod accept;
mod arrivals;
mod certificate;
mod dial;
mod door;
mod event;
mod forms;
pub mod frame;
mod links;
mod outbox;
mod redial;
mod snapshot;
mod socket;
mod tls;
mod version;
mod window;
mod wire;

pub use certificate::{Validity, name_of, validity};
pub use door::{Allowed, AllowedError, Turned};
pub use event::{Event, LinkStatus, TroubleKind};
pub use links::{Config, Links, StartError};
pub use snapshot::Snapshot;
pub use tls::{Credentials, CredentialsError, expires};
pub use version::{PROTOCOL_MAX, VERSIONS, Version};
pub use wire::Permit;
