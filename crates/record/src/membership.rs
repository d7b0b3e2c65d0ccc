//! The forms of what records say about the cluster itself: who belongs to it, how it behaves, who has which duty.
//!
//! Separate from `forms`, whose records are about alerts.

use crate::forms::Letter;
use crate::spell::{Text, Word, mirror};
use base::{LogId, Name, NodeId};
use dispatch::record::{Conduct, Duty};
use ownership::{Member, Role};
use std::sync::Arc;

mirror! {
    MemberForm of Member {
        node: Text<NodeId>,
        name: Text<Name>,
        letter: Letter,
        role: Word<Role>,
        rank: u16,
        addresses: Vec<Arc<str>>,
        api: Arc<str>,
    }
}

mirror! {
    ConductForm of Conduct {
        generation: u64,
        passive: bool,
        by_hand: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maintenance: Option<Arc<str>>,
    }
}

mirror! {
    DutyForm of Duty {
        duty: Text<Name>,
        epoch: u64,
        to: Text<LogId>,
        because: Arc<str>,
    }
}
