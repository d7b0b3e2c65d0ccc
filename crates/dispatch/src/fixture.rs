//! What the unit tests of several files need: a small directory, a notice, a core with one provider.

use crate::directory::{Address, Civil, Directory, Group, ListedAddress, Recipient, Severity, Target};
use crate::input::{Effect, Input, Notice, Past, ProviderSpec, Ticket};
use crate::record::{Actor, Content, Via};
use crate::state::State;
use crate::{Dispatch, Identity, Order, Settings};
use base::{BootId, LogId, Mono, Name, NodeId, Now, Wall};
use ownership::Member;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// `channel:value`, in brackets where it is no default.
fn listed(text: &str) -> ListedAddress {
    let plain = text.trim_matches(['(', ')']);
    let (channel, value) = plain.split_once(':').expect("channel:value");
    ListedAddress { address: Address { channel: name(channel), value: value.into() }, default: plain == text }
}

/// Recipients with their addresses, and groups with their members.
pub(crate) fn directory(recipients: &[(&str, &[&str])], groups: &[(&str, &[&str])]) -> Directory {
    let mut directory = Directory::default();
    for (who, addresses) in recipients {
        let recipient = Recipient {
            title: (*who).into(),
            department: None,
            language: None,
            addresses: addresses.iter().map(|address| listed(address)).collect(),
            policy: None,
        };
        directory.recipients.insert(name(who), recipient);
    }
    for (who, members) in groups {
        let members = members.iter().map(|member| name(member)).collect();
        let group = Group { title: (*who).into(), department: None, members, policy: None };
        directory.groups.insert(name(who), group);
    }
    directory
}

pub(crate) fn notice(summary: &str, to: &[&str]) -> Notice {
    let content = Content {
        severity: Severity::High,
        summary: summary.into(),
        details: "".into(),
        labels: BTreeMap::new(),
        origin: None,
    };
    Notice {
        source: name("scada"),
        key: None,
        fingerprint: None,
        resolved: false,
        stands_for: None,
        content,
        to: to.iter().map(|target| Target::Named(name(target))).collect(),
        policy: None,
        choices: Vec::new(),
        civil: Civil::default(),
    }
}

pub(crate) fn now(seconds: u64) -> Now {
    let mono = Mono(seconds * 1000);
    Now { mono, wall: Wall(i64::try_from(mono.0).expect("small")), suspect: false }
}

/// A core of a node that belongs to these, and has no directory.
pub(crate) fn core_of(node: u32, members: Vec<Member>) -> Dispatch {
    let log = LogId { node: NodeId(node), boot: BootId(1) };
    let identity = Identity { log, letter: 'A', version: "test".into(), because: "test".into() };
    let known = (State::default(), Past { members, ..Past::default() });
    Dispatch::start(identity, Settings::default(), known, Vec::new(), now(0), &mut Vec::new())
}

/// A core with this directory and a mail provider that has no room yet.
pub(crate) fn core(directory: Directory) -> Dispatch {
    let log = LogId { node: NodeId(1), boot: BootId(1) };
    let identity = Identity { log, letter: 'A', version: "test".into(), because: "test".into() };
    let spec = ProviderSpec { name: name("smtp"), channel: name("mail"), per_minute: None, per_day: None };
    let known = (State::default(), Past::default());
    let mut core = Dispatch::start(identity, Settings::default(), known, vec![spec], now(0), &mut Vec::new());
    let directory = Arc::new(directory);
    let by = Actor { who: "user:bea".into(), via: Via::Api, from: None };
    let order = Order::Directory { directory, expected: None, summary: "".into() };
    core.handle(now(0), Input::Order { ticket: Ticket(0), by, order }, &mut Vec::new());
    core
}

/// Takes one input, with everything durable before and after it.
pub(crate) fn handle(core: &mut Dispatch, at: Now, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    core.handle(at, input, &mut effects);
    core.handle(
        at,
        Input::Stored { log: LogId { node: NodeId(1), boot: BootId(1) }, upto: u64::MAX },
        &mut effects,
    );
    effects
}
