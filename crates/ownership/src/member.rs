//! Who belongs to a cluster, and what each is for.

use base::{Name, NodeId};
use std::sync::Arc;

/// What a node is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Accepts, sends, and is waited for: what it is told is on its disk before the sender hears yes.
    #[default]
    Member,
    /// Holds everything a little later, and takes over when no member is left: for a far away place.
    Backup,
    /// Holds no alerts and sends nothing: says whom it can hear. It knows the directory and the other nodes.
    Witness,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Member, Self::Backup, Self::Witness];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Backup => "backup",
            Self::Witness => "witness",
        }
    }
}

/// A node of the cluster, as all the others know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Which.
    pub node: NodeId,
    /// What people call it.
    pub name: Name,
    /// The letter of its codes; another one for each node.
    pub letter: char,
    /// What it is for.
    pub role: Role,
    /// Its place in the order of precedence: the first that lives is in control.
    pub rank: u16,
    /// Where its peers reach it, `host:port`; several for several networks, tried in order.
    pub addresses: Vec<Arc<str>>,
    /// Where people and programs reach its API.
    pub api: Arc<str>,
}
