//! Who is alive, who holds how much of which log, and so who may take over from whom: the pure half of the
//! cluster that knows no alert.
//!
//! Separate from `dispatch`, which owns the facts and asks here before it answers, adopts or sends. Nothing
//! below reads a wall clock to decide: only the local monotonic clock, and what peers say.
//!
//! Reading order: `member` (who belongs), `message` (what peers say), `peer` (what is known of one of them),
//! then this file (what follows from all of them), and `mirror` (which records go to whom).

mod member;
mod message;
mod mirror;
mod peer;
#[cfg(test)]
mod tests;

pub use member::{Member, Role};
pub use message::{Heartbeat, Hello, Vector};
pub use mirror::{Range, Shipment};
pub use peer::{Condition, PeerView};

use base::{LogId, Mono, NodeId, Wall};
use peer::{Peer, covers};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Adopting waits at most this long for a peer that lives to be level with us: one whose records cannot be read
/// must not keep us from sending for ever.
const BARRIER_MAX: Duration = Duration::from_secs(60);

/// Adopting waits at most this long for what a peer that lives knows of our lost records: one that speaks the protocol
/// before is never told that some are lost.
const HELP_MAX: Duration = Duration::from_secs(5);

/// The times of the protocol. All are local waits; no two clocks are ever compared to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// How often peers hear from us although nothing happened.
    pub heartbeat: Duration,
    /// A peer that is silent this long is down.
    pub down_after: Duration,
    /// How long the first notification of an alert waits for the peers to hold the alert.
    pub gate: Duration,
    /// How long a claim waits for the peers to have seen it.
    pub claim_wait: Duration,
    /// A peer whose oldest unsynced write is older than this has a disk that hangs: nobody waits for it.
    pub disk_hangs: Duration,
}

impl Timings {
    /// How long nothing is known of a peer after we started or stood still: it may be about to find us. Twice what
    /// silence takes, since a machine that just started a node is a busy one, and calling a peer dead too soon
    /// repeats what that peer has sent.
    #[must_use]
    pub fn unknown_for(&self) -> Duration {
        self.down_after * 2
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            down_after: Duration::from_secs(1),
            gate: Duration::from_millis(250),
            claim_wait: Duration::from_millis(600),
            disk_hangs: Duration::from_secs(2),
        }
    }
}

/// Rules of the protocol that the simulator switches off one at a time, to show that each is needed. In the
/// product all are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of independent switches is what it is")]
pub struct Rules {
    /// A link counts only if both ends hear each other.
    pub mutual: bool,
    /// Nobody is dead whom a live peer holds up.
    pub vouching: bool,
    /// Liveness is a boot's, not a node's.
    pub per_boot: bool,
    /// Answers wait for the synchronous peers' disks.
    pub mirrored: bool,
    /// The first notification waits for the mirror.
    pub gate: bool,
    /// A claim waits for the peers to have seen it.
    pub claim_wait: bool,
    /// An acknowledged position counts only once we hold what the peer held when it acknowledged.
    pub caught_up: bool,
    /// A boot adopts nothing before it knows what became of every peer and is level with those that live.
    pub barrier: bool,
    /// A process that was paused does not blame its peers for the silence.
    pub pause_guard: bool,
    /// One chosen survivor adopts what a dead boot left in a log.
    pub chosen: bool,
    /// It is the node that wrote the log, if that lives.
    pub home: bool,
    /// The owner is looked at again right before a message leaves.
    pub fence: bool,
    /// Of two alerts for the same notice one sends.
    pub aliases: bool,
    /// What another living boot began to send is waited for.
    pub patience: bool,
    /// What holds an alert back is looked at again right before a message leaves.
    pub hush: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            mutual: true,
            vouching: true,
            per_boot: true,
            mirrored: true,
            gate: true,
            claim_wait: true,
            caught_up: true,
            barrier: true,
            pause_guard: true,
            chosen: true,
            home: true,
            fence: true,
            aliases: true,
            patience: true,
            hush: true,
        }
    }
}

/// A peer changed its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub peer: NodeId,
    /// What it is from now on.
    pub to: Condition,
    /// Why, in words.
    pub because: Arc<str>,
}

/// What one boot knows of the others.
#[derive(Clone, Debug)]
pub struct Cluster {
    me: LogId,
    timings: Timings,
    rules: Rules,
    started: Mono,
    ticked: Mono,
    members: BTreeMap<NodeId, Member>,
    peers: BTreeMap<NodeId, Peer>,
    /// When each boot last gave a sign of life.
    evidence: BTreeMap<LogId, Mono>,
    /// The latest boot of each node that anybody told of.
    latest: BTreeMap<NodeId, LogId>,
    /// Boots whose process is known to be gone: the connection was reset and nobody listens any more.
    gone: BTreeSet<LogId>,
}

impl Cluster {
    /// A cluster of one: `me`, started at `now`.
    pub fn new(me: LogId, timings: Timings, rules: Rules, now: Mono) -> Self {
        Self {
            me,
            timings,
            rules,
            started: now,
            ticked: now,
            members: BTreeMap::new(),
            peers: BTreeMap::new(),
            evidence: BTreeMap::new(),
            latest: BTreeMap::from([(me.node, me)]),
            gone: BTreeSet::new(),
        }
    }

    /// The times it runs by.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The rules that are on.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Says who belongs to the cluster from now on. Peers that stay are not disturbed.
    pub fn enrol(&mut self, members: BTreeMap<NodeId, Member>, now: Mono) {
        self.peers.retain(|node, _| members.contains_key(node));
        for node in members.keys().filter(|node| **node != self.me.node) {
            self.peers.entry(*node).or_insert_with(|| Peer::new(now));
        }
        for (node, peer) in &mut self.peers {
            // Else nobody would adopt anything before a witness is level, which it never is; nor would a witness call
            // anybody up.
            let witness =
                |node| members.get(node).is_some_and(|member: &Member| member.role == Role::Witness);
            peer.no_logs = witness(node) || witness(&self.me.node);
        }
        self.members = members;
    }

    /// Who belongs, by node.
    pub fn members(&self) -> &BTreeMap<NodeId, Member> {
        &self.members
    }

    /// There is nobody else.
    pub fn is_alone(&self) -> bool {
        self.peers.is_empty()
    }

    /// A peer spoke. `held` is how much of each log we hold.
    pub fn hear(&mut self, now: Mono, wall: Wall, from: NodeId, beat: &Heartbeat, held: &Vector) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.boot.is_some_and(|known| known > beat.boot) {
            return; // A boot that has been replaced still had words under way.
        }
        let mine = beat.hears == Some(self.me) || !self.rules.mutual;
        peer.hear((now, wall), beat, (self.me, held), (mine, self.rules.caught_up));
        self.evidence.insert(beat.boot, now);
        self.note_boot(beat.boot);
    }

    /// A log was heard of: its boot existed.
    pub fn note_log(&mut self, log: LogId, now: Mono) {
        self.evidence.entry(log).or_insert(now);
        self.note_boot(log);
    }

    /// A boot's records came from its own node. Without this, after a cut is healed, records and claims arrive
    /// before the first heartbeat, from a boot that still counts as dead; each side would claim it all again for
    /// every claim of the other.
    pub fn note_sign(&mut self, from: NodeId, log: LogId, now: Mono) {
        self.note_log(log, now);
        if log.node == from {
            self.evidence.insert(log, now);
        }
    }

    fn note_boot(&mut self, log: LogId) {
        let latest = self.latest.entry(log.node).or_insert(log);
        *latest = (*latest).max(log);
    }

    /// What a peer told of itself when it connected.
    pub fn greet(&mut self, from: NodeId, hello: &Hello) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.hello = Some((Arc::clone(&hello.version), hello.channels.clone()));
        }
    }

    /// A peer told all that it knows. Those that lack records may gain by what we know now.
    pub fn note_snapshot(&mut self, from: NodeId, learned: bool) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.helped_us = true;
        }
        if learned {
            self.peers.values_mut().for_each(|peer| peer.helped = false);
        }
    }

    /// The process of a peer is gone: its connection was reset and nobody listens at its addresses.
    pub fn gone(&mut self, from: NodeId) -> Option<Change> {
        let peer = self.peers.get_mut(&from)?;
        let boot = peer.boot?;
        self.gone.insert(boot);
        peer.fall("its process is gone: the connection was reset and nobody listens".into())
            .map(|to| Change { peer: from, to, because: Arc::clone(&peer.because) })
    }

    /// Looks at the clock, and at what we hold by now.
    pub fn tick(&mut self, now: Mono, held: &Vector, durable: u64) -> Vec<Change> {
        // Without this a process that was paused (a debugger, a virtual machine being moved) would find all
        // its peers silent, before it has read what they said meanwhile.
        if self.rules.pause_guard && now.since(self.ticked) > self.timings.down_after / 2 {
            self.peers.values_mut().for_each(|peer| peer.doubt(now));
        }
        self.ticked = now;
        let mut changes = Vec::new();
        for (node, peer) in &mut self.peers {
            peer.promote(held);
            if let Some(to) = peer.review(now, &self.timings, (self.me, durable), held) {
                changes.push(Change { peer: *node, to, because: Arc::clone(&peer.because) });
            }
        }
        changes
    }

    /// How much of our own log every synchronous peer that counts has on disk; everything, if none counts.
    /// A peer that nothing is known of yet counts as well: it may hold what we have yet to learn.
    pub fn mirrored(&self) -> u64 {
        let counts = |(node, peer): &(&NodeId, &Peer)| {
            let waited = matches!(peer.condition, Condition::Up | Condition::Unknown);
            waited && self.role(**node) == Role::Member
        };
        if !self.rules.mirrored {
            return u64::MAX;
        }
        self.peers.iter().filter(counts).map(|(_, peer)| peer.acked(self.me)).min().unwrap_or(u64::MAX)
    }

    /// On how many disks our log is below `upto`, ours included.
    pub fn copies(&self, upto: u64) -> u8 {
        let has = |(node, peer): &(&NodeId, &Peer)| {
            let counted = peer.condition == Condition::Up && self.role(**node) != Role::Witness;
            counted && peer.acked(self.me) >= upto
        };
        u8::try_from(self.peers.iter().filter(has).count() + 1).unwrap_or(u8::MAX)
    }

    /// A synchronous peer is up: what is accepted now is going to be on two disks.
    pub fn has_mirror(&self) -> bool {
        let up = |(node, peer): (&NodeId, &Peer)| {
            peer.condition == Condition::Up && self.role(*node) == Role::Member
        };
        self.peers.iter().any(up)
    }

    /// Every peer that is up has our record `seq` on disk, and we hold all that it held when it said so: it
    /// cannot have known of anything against it that we do not know.
    pub fn is_level(&self, seq: u64) -> bool {
        self.peers
            .iter()
            .filter(|(node, peer)| {
                let waited = matches!(peer.condition, Condition::Up | Condition::Unknown);
                waited && self.role(**node) != Role::Witness
            })
            .all(|(_, peer)| peer.confirmed > seq)
    }

    /// The same of every peer that lives, level or not: what a claim waits for.
    pub fn is_confirmed(&self, seq: u64) -> bool {
        self.peers
            .iter()
            .filter(|(node, peer)| peer.condition.is_alive() && self.role(**node) != Role::Witness)
            .all(|(_, peer)| peer.confirmed > seq)
    }

    /// Whether anything may be adopted: what became of every peer is known, and we hold all that those had
    /// which live. Without this a node that just started would adopt what a peer took over long ago. If some of our
    /// records are lost, those peers have said what they know of them as well: one may say that an alert is over.
    pub fn may_adopt(&self, now: Mono, lacks: bool) -> bool {
        let helped =
            |peer: &Peer| !lacks || peer.helped_us || peer.no_logs || now.since(peer.since) >= HELP_MAX;
        let settled = |peer: &Peer| match peer.condition {
            Condition::Down => true,
            Condition::Up | Condition::CatchingUp => {
                peer.synced && helped(peer) || now.since(peer.since) >= BARRIER_MAX
            }
            Condition::Unknown => false,
        };
        !self.rules.barrier || self.peers.values().all(settled)
    }

    /// Nobody will ever send for that boot again, as far as can be told from here.
    pub fn is_dead(&self, boot: LogId, now: Mono) -> bool {
        if boot == self.me {
            return false;
        }
        // A newer boot of the node is known. Liveness is a boot's: "A is down" applied to the alerts of A's
        // next boot, which may arrive before its first heartbeat, would adopt what a living node is sending.
        if self.latest.get(&boot.node).is_some_and(|latest| *latest > boot) {
            return true;
        }
        let Some(peer) = self.peers.get(&boot.node) else {
            return boot.node != self.me.node || boot < self.me;
        };
        if peer.condition.is_alive() && (peer.boot == Some(boot) || !self.rules.per_boot) {
            return false;
        }
        // Three nodes and one bad link: I cannot hear it, somebody else can, so it is sending.
        if self.rules.vouching && self.is_vouched(boot) {
            return false;
        }
        if self.gone.contains(&boot) || !self.rules.per_boot && peer.condition == Condition::Down {
            return true;
        }
        let since = self.evidence.get(&boot).copied().unwrap_or(self.started);
        now.since(since) > self.timings.down_after
    }

    /// Nobody knows whether that boot still sends: it is silent, and may be on the other side of a cut.
    pub fn may_live(&self, boot: LogId) -> bool {
        let replaced = self.latest.get(&boot.node).is_some_and(|latest| *latest > boot);
        self.living(boot.node) != Some(boot) && !replaced && !self.gone.contains(&boot)
    }

    /// A peer that lives holds the boot up.
    pub fn is_vouched(&self, boot: LogId) -> bool {
        self.peers.values().any(|peer| peer.condition.is_alive() && peer.ups.contains(&boot))
    }

    /// The boot of a node, if we hear each other now.
    pub fn living(&self, node: NodeId) -> Option<LogId> {
        if node == self.me.node {
            return Some(self.me);
        }
        self.peers.get(&node).filter(|peer| peer.condition.is_alive()).and_then(|peer| peer.boot)
    }

    /// Who is to adopt what a dead boot owned in `log`: the node that wrote it if that lives, else the one that
    /// hashing picks for the log, so that survivors share and rarely race. A backup only if nobody else is left; a
    /// witness never.
    pub fn adopter(&self, log: LogId) -> NodeId {
        let mut alive: Vec<NodeId> = self.of_role(Role::Member);
        if alive.is_empty() {
            alive = self.of_role(Role::Backup);
        }
        if !self.rules.chosen {
            return self.me.node;
        }
        // It alone knows whether its disk is gone, and with it the end of the log.
        if self.rules.home && alive.contains(&log.node) {
            return log.node;
        }
        alive.into_iter().min_by_key(|node| rank(log, *node)).unwrap_or(self.me.node)
    }

    /// Who is to take a cluster-wide duty, such as the front: the first that lives in the order of
    /// precedence.
    pub fn successor(&self) -> NodeId {
        let mut alive = self.of_role(Role::Member);
        if alive.is_empty() {
            alive = self.of_role(Role::Backup);
        }
        let precedence =
            |node: &NodeId| (self.members.get(node).map_or(u16::MAX, |member| member.rank), *node);
        alive.into_iter().min_by_key(precedence).unwrap_or(self.me.node)
    }

    fn of_role(&self, role: Role) -> Vec<NodeId> {
        let lives = |node: &NodeId| *node == self.me.node || self.living(*node).is_some();
        let mut found: Vec<NodeId> =
            self.members.keys().copied().filter(|node| self.role(*node) == role && lives(node)).collect();
        if self.members.is_empty() && role == Role::Member {
            found.push(self.me.node);
        }
        found
    }

    fn role(&self, node: NodeId) -> Role {
        self.members.get(&node).map_or(Role::Member, |member| member.role)
    }

    /// What we say to `peer` now.
    pub fn heartbeat(&mut self, now: Mono, wall: Wall, to: NodeId, own: Own<'_>, whole: bool) -> Heartbeat {
        let ups = self.peers.values().filter(|peer| peer.condition.is_alive()).filter_map(|peer| peer.boot);
        let ups = ups.collect();
        let silent = self.timings.down_after;
        let me = self.me;
        let mut beat = Heartbeat {
            boot: me,
            wall,
            durable: Vector::new(),
            held: Vector::new(),
            hears: None,
            ups,
            unsynced: own.unsynced,
            standby: own.standby,
            lacks: own.lacks,
        };
        if let Some(peer) = self.peers.get_mut(&to) {
            beat.hears = peer.boot.filter(|_| peer.heard.is_some_and(|heard| now.since(heard) <= silent));
            beat.durable = news(own.durable, &mut peer.told_durable, whole);
            beat.held = news(own.held, &mut peer.told_held, whole);
        }
        beat
    }

    /// Everybody that we speak to.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// What is known of each peer, for people.
    pub fn views(&self, now: Mono) -> impl Iterator<Item = (NodeId, PeerView)> {
        self.peers.iter().map(move |(node, peer)| (*node, peer.view(now)))
    }

    /// The condition of a peer.
    pub fn condition(&self, node: NodeId) -> Option<Condition> {
        self.peers.get(&node).map(|peer| peer.condition)
    }

    /// The living boots that serve a channel, in order of precedence; witnesses and standby nodes left out.
    pub fn serving(&self, channel: &base::Name) -> Option<LogId> {
        let serves = |(node, peer): &(&NodeId, &Peer)| {
            let hello = peer.hello.as_ref().is_some_and(|(_, channels)| channels.contains(channel));
            hello && peer.condition == Condition::Up && self.role(**node) != Role::Witness
        };
        let rank =
            |(node, _): &(&NodeId, &Peer)| self.members.get(*node).map_or(u16::MAX, |member| member.rank);
        self.peers.iter().filter(serves).min_by_key(rank).and_then(|(_, peer)| peer.boot)
    }

    /// How far a peer's wall clock is ahead of ours, in milliseconds; none while that is not known.
    pub fn ahead(&self, node: NodeId) -> Option<i64> {
        self.peers.get(&node).and_then(|peer| peer.ahead)
    }

    /// How much of each log every member has on disk: what lies below need not be kept for anybody.
    pub fn floor(&self, durable: &Vector) -> Vector {
        let mine = self.role(self.me.node); // A witness's log is for nobody else.
        let keepers: Vec<&Peer> = self
            .peers
            .iter()
            .filter(|(node, _)| self.role(**node) != Role::Witness && mine != Role::Witness)
            .map(|(_, peer)| peer)
            .collect();
        let least = |(log, mine): (&LogId, &u64)| {
            let theirs = keepers.iter().map(|peer| peer.acked(*log)).min();
            (*log, theirs.map_or(*mine, |theirs| theirs.min(*mine)))
        };
        durable.iter().map(least).collect()
    }

    /// The boot lives and is on standby, and all is here that it is known to have written: what it sent before
    /// it stood by, we know of. `held` is how much of each log we hold.
    pub fn stands_by(&self, boot: LogId, held: &Vector) -> bool {
        let upto = |vector: &Vector| vector.get(&boot).copied().unwrap_or(0);
        self.peers.get(&boot.node).is_some_and(|peer| {
            let idle = peer.condition.is_alive() && peer.boot == Some(boot) && peer.standby;
            idle && upto(held) >= upto(&peer.held)
        })
    }

    /// All that the boot ever wrote is here: it writes no more, and all members are level with us. Its own node
    /// alone proves nothing: that may have lost the end of its log, which another one holds.
    pub fn is_complete(&self, boot: LogId) -> bool {
        if boot == self.me || self.living(boot.node) == Some(boot) {
            return false;
        }
        let keeps = |node: &NodeId| self.role(*node) != Role::Witness;
        self.peers.iter().filter(|(node, _)| keeps(node)).all(|(_, peer)| peer.condition == Condition::Up)
    }

    /// When the clock alone changes something next.
    pub fn deadline(&self) -> Option<Mono> {
        let silences = self.peers.values().filter_map(|peer| peer.deadline(&self.timings));
        silences.min()
    }
}

/// What a heartbeat says of ourselves.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// How much of each log is on our disk.
    pub durable: &'a Vector,
    /// How much of each log we hold.
    pub held: &'a Vector,
    /// The age of the oldest write that is not on disk yet.
    pub unsynced: Duration,
    /// We are on standby: what is sent to us is for another node to send.
    pub standby: bool,
    /// Some of what we hold cannot be read any more.
    pub lacks: bool,
}

/// What changed since it was told, or all of it.
fn news(all: &Vector, told: &mut Vector, whole: bool) -> Vector {
    let new = |(log, upto): &(&LogId, &u64)| whole || told.get(*log) != Some(*upto);
    let changed: Vector = all.iter().filter(new).map(|(log, upto)| (*log, *upto)).collect();
    told.extend(changed.iter().map(|(log, upto)| (*log, *upto)));
    changed
}

/// Spreads logs over nodes, the same on every node (rendezvous hashing, Thaler and Ravishankar 1996).
fn rank(log: LogId, node: NodeId) -> u64 {
    let mut mixed = log.boot.0 ^ (u64::from(log.node.0) << 32) ^ u64::from(node.0);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Whether `held` has all that `wanted` asks for.
pub fn holds(held: &Vector, wanted: &Vector) -> bool {
    covers(held, wanted)
}
