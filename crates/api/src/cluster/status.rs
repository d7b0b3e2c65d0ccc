//! How the cluster is, as this node sees it: every node with its state and why, its link, and how far it is
//! behind.
//!
//! Separate from the node's own status: that is about alerts and ways out, this about machines. What one node
//! sees is not what another sees; where they differ, the link between them is what is broken.

use crate::Server;
use crate::auth::{Allowed, Read};
use crate::cluster::join::wall;
use crate::moment;
use crate::peers::{CertificateView, LinkView, Listeners};
use crate::problem::Rejection;
use axum::Json;
use axum::extract::State;
use base::{LogId, NodeId, Now};
use dispatch::record::Conduct;
use dispatch::{ClusterView, Dispatch};
use ledger::{TrailFilter, TrailPage, TrailRow};
use ownership::{Condition, Member, PeerView, Role, Vector};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use utoipa::ToSchema;

/// Rows of the trail that are looked through for the last switch-over.
const LOOKED_THROUGH: u32 = 50;

/// How the cluster is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(crate) struct ClusterBody {
    /// The id of the node that says all this.
    node: String,
    /// `active/active` or `active/passive`.
    mode: &'static str,
    /// What a dead node leaves is taken over by itself.
    takeover: bool,
    /// Why somebody is at work on the site.
    maintenance: Option<String>,
    /// Who is in control.
    control: Option<ControlBody>,
    /// The last time that control changed hands.
    last_switch_over: Option<SwitchBody>,
    /// Who changes the directory.
    directory: PrimaryBody,
    /// On how many disks an alert is that is accepted now.
    copies: usize,
    /// Messages of this node that are on their way out.
    under_way: usize,
    /// Every node, in the order of precedence.
    nodes: Vec<NodeBody>,
    /// This node's certificates.
    certificates: Vec<CertificateBody>,
    /// All of it in one sentence.
    sentence: String,
}

/// Who is in control.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Control)]
pub(crate) struct ControlBody {
    /// The node's id.
    node: String,
    /// Its name.
    name: String,
    /// Since when.
    since: String,
    /// Why.
    because: String,
}

/// Control changed hands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SwitchOver)]
pub(crate) struct SwitchBody {
    /// When.
    at: String,
    /// From which node.
    from: String,
    /// To which.
    to: String,
    /// Why.
    because: String,
}

/// Who changes the directory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Primary)]
pub(crate) struct PrimaryBody {
    /// The node's id; none while any node may.
    node: Option<String>,
    /// Its name.
    name: Option<String>,
    /// Counts the writers.
    term: u64,
    /// Counts the changes.
    version: u64,
    /// What another node changed meanwhile and was lost; `/api/v1/directory/lost` shows it.
    lost: Option<LostBody>,
}

/// A branch of the directory that lost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LostBranch)]
pub(crate) struct LostBody {
    /// Its term.
    term: u64,
    /// Its version.
    version: u64,
}

/// One node, as this one sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterNode)]
pub(crate) struct NodeBody {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// The letter of its codes.
    letter: char,
    /// `member`, `backup` or `witness`.
    role: &'static str,
    /// Its place in the order of precedence, from 0.
    rank: u16,
    /// It is the node that says all this.
    this: bool,
    /// `up`, `catching up`, `down` or `unknown`; of this node `up`.
    state: &'static str,
    /// Why.
    because: String,
    /// Since when, on this node's clock.
    since: Option<String>,
    /// `in control`, `active`, `standby`, `failover` (in control in place of a better one) or `witness`; none
    /// while that is not known.
    standing: Option<&'static str>,
    /// Alerts that it sends.
    alerts: usize,
    /// Where its peers can reach it.
    addresses: Vec<String>,
    /// The address in use, or the one tried last.
    address: Option<String>,
    /// Where its API is reached.
    api: String,
    /// Where it listens, as far as this node knows: `api`, `ingest` and `peers` of this node alone.
    listens: BTreeMap<&'static str, String>,
    /// The channels that it serves.
    channels: Vec<String>,
    /// Since when it is connected.
    connected_at: Option<String>,
    /// The last error of the link, in words.
    last_error: Option<String>,
    /// When that was.
    last_error_at: Option<String>,
    /// How long ago it was heard.
    silent_ms: Option<u64>,
    /// Records that it lacks of what this node holds.
    behind: Option<u64>,
    /// Records that this node lacks of what it holds.
    ahead: Option<u64>,
    /// Records of this node's own log, and how many of them are on its disk.
    own: Option<OwnBody>,
    /// How far its clock is ahead of this node's, in milliseconds.
    clock_ahead_ms: Option<i64>,
    /// The age of its oldest write that is not on disk, in milliseconds.
    unsynced_ms: Option<u64>,
    /// The program's version.
    version: Option<String>,
    /// The number of its present start; grows with each.
    boot: Option<u32>,
    /// The version of the protocol that is spoken with it.
    protocol: Option<u8>,
    /// When the certificate expires that it shows.
    certificate_expires_at: Option<String>,
}

/// How much of this node's own log is on a peer's disk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnLog)]
pub(crate) struct OwnBody {
    /// Records that this node wrote since its start.
    written: u64,
    /// Of these, on the peer's disk.
    acked: u64,
}

/// A certificate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(crate) struct CertificateBody {
    /// `peer`, `api` or `ca`.
    what: String,
    /// Its file, on the node's machine.
    file: String,
    /// When it expires.
    expires_at: String,
    /// The node renews it by itself.
    renews: bool,
}

/// What is read from the core, at its time.
struct Seen {
    view: ClusterView,
    conduct: Conduct,
    directory: PrimaryBody,
    channels: Vec<String>,
    under_way: usize,
    now: Now,
}

impl Seen {
    fn of(core: &Dispatch, now: Now) -> Self {
        let view = core.cluster(now);
        let edition = core.edition();
        let writer = edition.writer;
        let directory = PrimaryBody {
            node: writer.map(|node| node.to_string()),
            name: writer.and_then(|node| view.members.get(&node)).map(|member| member.name.to_string()),
            term: edition.term,
            version: edition.version,
            lost: core.state().lost_edition().map(|lost| LostBody { term: lost.term, version: lost.version }),
        };
        let channels: BTreeSet<String> =
            core.providers(now).into_iter().map(|it| it.channel.to_string()).collect();
        let channels = channels.into_iter().collect();
        let (conduct, under_way) = (core.state().conduct.clone(), core.under_way());
        Self { view, conduct, directory, channels, under_way, now }
    }
}

/// Shows how the cluster is.
#[utoipa::path(get, operation_id = "show_cluster", path = "/api/v1/cluster", tag = "cluster",
    responses((status = 200, body = ClusterBody, description = "How the cluster is, as this node sees it"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn status(State(shared): Server, _: Allowed<Read>) -> Result<Json<ClusterBody>, Rejection> {
    let mut seen = shared.api.calls.read(Seen::of).await?;
    let own = &shared.api.node;
    // A node that never joined anything is shown as a cluster of one.
    seen.view.members.entry(own.id).or_insert_with(|| Member {
        node: own.id,
        name: base::Name::new(&own.name).unwrap_or_else(|_| base::Name::new("node").expect("it is a name")),
        letter: own.letter,
        role: Role::Member,
        rank: 0,
        addresses: Vec::new(),
        api: shared.api.public_url.clone().unwrap_or_default().into(),
    });
    let filter = TrailFilter { kinds: vec!["duty".to_owned()], ..TrailFilter::default() };
    let rows =
        shared.histories.read(move |history| history.trail(&filter, TrailPage::Newest, LOOKED_THROUGH));
    let last = last_switch_over(&rows.await?, &seen.view);
    let services = &shared.api.services;
    let outside = Outside {
        links: services.links(),
        listeners: services.listeners(),
        version: own.version.clone(),
        started: moment::written(own.started),
    };
    let mut body = described(seen, &outside);
    body.last_switch_over = last;
    body.certificates = services.certificates().into_iter().map(certificate).collect();
    Ok(Json(body))
}

/// What the core does not know.
struct Outside {
    links: BTreeMap<NodeId, LinkView>,
    listeners: Listeners,
    version: String,
    started: String,
}

fn described(seen: Seen, outside: &Outside) -> ClusterBody {
    let view = &seen.view;
    let mut members: Vec<&Member> = view.members.values().collect();
    members.sort_by_key(|member| (member.rank, member.node));
    let nodes = members.iter().map(|member| node(&seen, member, outside)).collect();
    let control = view.control.as_ref().map(|(holder, since, because)| ControlBody {
        node: holder.node.to_string(),
        name: called(view, holder.node),
        since: moment::written(*since),
        because: because.to_string(),
    });
    let mirrors = |(node, peer): &(&NodeId, &PeerView)| {
        let role = view.members.get(node).map(|member| member.role);
        peer.condition == Condition::Up && role == Some(Role::Member)
    };
    let copies = 1 + view.peers.iter().filter(mirrors).count();
    let mut body = ClusterBody {
        node: view.me.node.to_string(),
        mode: if seen.conduct.passive { "active/passive" } else { "active/active" },
        takeover: seen.conduct.takes_over(),
        maintenance: seen.conduct.maintenance.as_ref().map(ToString::to_string),
        control,
        last_switch_over: None,
        directory: seen.directory,
        copies,
        under_way: seen.under_way,
        nodes,
        certificates: Vec::new(),
        sentence: String::new(),
    };
    body.sentence = sentence(&body);
    body
}

fn node(seen: &Seen, member: &Member, outside: &Outside) -> NodeBody {
    let this = member.node == seen.view.me.node;
    let body = NodeBody {
        id: member.node.to_string(),
        name: member.name.to_string(),
        letter: member.letter,
        role: member.role.word(),
        rank: member.rank,
        this,
        state: Condition::Unknown.word(),
        because: String::new(),
        since: None,
        standing: None,
        alerts: seen.view.owned.get(&member.node).copied().unwrap_or(0),
        addresses: member.addresses.iter().map(ToString::to_string).collect(),
        address: None,
        api: member.api.to_string(),
        listens: BTreeMap::new(),
        channels: Vec::new(),
        connected_at: None,
        last_error: None,
        last_error_at: None,
        silent_ms: None,
        behind: None,
        ahead: None,
        own: None,
        clock_ahead_ms: None,
        unsynced_ms: None,
        version: None,
        boot: None,
        protocol: None,
        certificate_expires_at: None,
    };
    let body = if this { of_this(body, seen, outside) } else { of_peer(body, seen, member.node) };
    let body = linked(body, outside.links.get(&member.node));
    NodeBody { standing: standing(seen, member, body.state), ..body }
}

fn of_this(body: NodeBody, seen: &Seen, outside: &Outside) -> NodeBody {
    let Listeners { api, ingest, peers, dialled: _, public_url: _ } = &outside.listeners;
    let mut listens = BTreeMap::from([("api", api.to_string())]);
    listens.extend(ingest.map(|at| ("ingest", at.to_string())));
    listens.extend(peers.map(|at| ("peers", at.to_string())));
    NodeBody {
        state: Condition::Up.word(),
        because: "this node".to_owned(),
        since: Some(outside.started.clone()),
        listens,
        channels: seen.channels.clone(),
        version: Some(outside.version.clone()),
        boot: Some(seen.view.me.boot.counter()),
        ..body
    }
}

fn of_peer(body: NodeBody, seen: &Seen, node: NodeId) -> NodeBody {
    let Some(peer) = seen.view.peers.get(&node) else { return body };
    let now = seen.now;
    let since = now.wall.0 - i64::try_from(now.mono.since(peer.since).as_millis()).unwrap_or(0);
    let known = peer.boot.is_some();
    // A witness takes no logs, and lacks nothing of them.
    let witness = |member: &Member| member.role == Role::Witness;
    let holds = known
        && body.role != Role::Witness.word()
        && !seen.view.members.get(&seen.view.me.node).is_some_and(witness);
    let me = seen.view.me;
    let of = |vector: &Vector| vector.get(&me).copied().unwrap_or(0);
    let (state, because) = match holds || !peer.condition.is_alive() {
        true => (peer.condition, peer.because.to_string()),
        false => (Condition::Up, "we hear each other".to_owned()),
    };
    NodeBody {
        state: state.word(),
        because,
        since: Some(moment::written(base::Wall(since))),
        channels: peer.channels.iter().map(ToString::to_string).collect(),
        silent_ms: peer.silent.map(|silent| u64::try_from(silent.as_millis()).unwrap_or(u64::MAX)),
        behind: holds.then(|| lacking(&peer.acked, &seen.view.held)),
        ahead: holds.then(|| lacking(&seen.view.held, &peer.acked)),
        own: holds.then(|| OwnBody { written: of(&seen.view.held), acked: of(&peer.acked) }),
        clock_ahead_ms: peer.ahead,
        unsynced_ms: known.then(|| u64::try_from(peer.unsynced.as_millis()).unwrap_or(u64::MAX)),
        version: peer.version.as_ref().map(ToString::to_string),
        boot: peer.boot.map(|boot: LogId| boot.boot.counter()),
        ..body
    }
}

/// How many records `held` lacks of `wanted`.
fn lacking(held: &Vector, wanted: &Vector) -> u64 {
    let lacks = |(log, upto): (&LogId, &u64)| upto.saturating_sub(held.get(log).copied().unwrap_or(0));
    wanted.iter().map(lacks).sum()
}

fn linked(body: NodeBody, link: Option<&LinkView>) -> NodeBody {
    let Some(link) = link else { return body };
    let at = |moment: SystemTime| moment::written(wall(moment));
    NodeBody {
        address: link.address.as_ref().map(ToString::to_string),
        connected_at: link.connected.map(at),
        last_error: link.error.as_ref().map(|(why, _)| why.to_string()),
        last_error_at: link.error.as_ref().map(|(_, when)| at(*when)),
        protocol: link.protocol,
        certificate_expires_at: link.expires.map(at),
        ..body
    }
}

/// What a node does now, in a word.
fn standing(seen: &Seen, member: &Member, state: &str) -> Option<&'static str> {
    let alive = state == Condition::Up.word() || state == Condition::CatchingUp.word();
    if !alive {
        return None;
    }
    if member.role == Role::Witness {
        return Some("witness");
    }
    let view = &seen.view;
    let holder = view.control.as_ref().map_or(view.me.node, |(holder, ..)| holder.node);
    let better = |other: &Member| other.role != Role::Witness && other.rank < member.rank;
    let instead = seen.conduct.passive && view.members.values().any(better);
    Some(match (holder == member.node, seen.conduct.passive) {
        (true, _) if instead => "failover",
        (true, _) => "in control",
        (false, true) => "standby",
        (false, false) if member.role == Role::Backup => "standby",
        (false, false) => "active",
    })
}

fn called(view: &ClusterView, node: NodeId) -> String {
    view.members.get(&node).map_or_else(|| node.to_string(), |member| member.name.to_string())
}

/// The newest row that gave control to another node than the one before.
fn last_switch_over(rows: &[TrailRow], view: &ClusterView) -> Option<SwitchBody> {
    let held: Vec<_> = rows.iter().filter_map(|row| holder(row).map(|holder| (row, holder))).collect();
    let mut pairs = held.iter().zip(held.iter().skip(1));
    let ((row, (to, because)), (_, (from, _))) = pairs.find(|((_, (to, _)), (_, (from, _)))| to != from)?;
    let name = |id: &str| {
        let is_it = |member: &&Member| member.node.to_string() == id;
        view.members.values().find(is_it).map_or_else(|| id.to_owned(), |member| member.name.to_string())
    };
    Some(SwitchBody { at: moment::written(row.at), from: name(from), to: name(to), because: because.clone() })
}

/// Whom a row of the trail gave control, and why.
fn holder(row: &TrailRow) -> Option<(String, String)> {
    let record: serde_json::Value = serde_json::from_str(row.json.as_deref()?).ok()?;
    let text = |pointer: &str| record.pointer(pointer).and_then(serde_json::Value::as_str);
    if text("/duty/duty") != Some("front") {
        return None;
    }
    let log = text("/duty/to")?;
    Some((log.split('-').next()?.to_owned(), text("/duty/because").unwrap_or_default().to_owned()))
}

fn certificate(view: CertificateView) -> CertificateBody {
    let CertificateView { what, file, expires, renews } = view;
    CertificateBody { what, file, expires_at: moment::written(wall(expires)), renews }
}

/// The cluster in one sentence, the gravest first.
fn sentence(body: &ClusterBody) -> String {
    let mut parts = Vec::new();
    if let Some(reason) = &body.maintenance {
        parts.push(format!("maintenance: {reason}"));
    }
    for node in body.nodes.iter().filter(|node| node.state != Condition::Up.word()) {
        parts.push(format!("{} is {} ({})", node.name, node.state, node.because));
    }
    if !body.takeover && body.nodes.len() > 1 && body.maintenance.is_none() {
        parts.push("nothing is taken over by itself".to_owned());
    }
    if let Some(lost) = &body.directory.lost {
        parts.push(format!("changes of the directory were lost (branch {}.{})", lost.term, lost.version));
    }
    if body.nodes.len() <= 1 {
        parts.push("this node stands alone".to_owned());
    } else if parts.is_empty() {
        parts.push(format!("all {} nodes are up", body.nodes.len()));
    }
    let copies = if body.copies == 1 { "1 disk".to_owned() } else { format!("{} disks", body.copies) };
    parts.push(format!("an alert accepted now is on {copies}"));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{AlertId, BootId, Wall};

    fn row(to: &str, at: i64) -> TrailRow {
        let json = format!(r#"{{"duty":{{"duty":"front","epoch":1,"to":"{to}-1","because":"it was so"}}}}"#);
        TrailRow {
            n: at,
            at: Wall(at),
            node: NodeId(1),
            record: String::new(),
            kind: "duty".into(),
            alert: None::<AlertId>,
            who: None,
            via: None,
            from: None,
            text: String::new(),
            json: Some(json),
        }
    }

    fn view() -> ClusterView {
        ClusterView {
            me: LogId { node: NodeId(1), boot: BootId(1) },
            members: BTreeMap::new(),
            peers: BTreeMap::new(),
            control: None,
            active: true,
            held: Vector::new(),
            durable: Vector::new(),
            owned: BTreeMap::new(),
        }
    }

    #[test]
    fn the_last_switch_over_is_the_newest_row_that_named_another_node() {
        let (a, b) = ("0000000a", "0000000b");
        // Newest first: b twice, because it was started again, after a.
        let rows = [row(b, 30), row(b, 20), row(a, 10)];
        let last = last_switch_over(&rows, &view()).unwrap();
        assert_eq!((last.from.as_str(), last.to.as_str()), (a, b));
        assert_eq!(last.at, moment::written(Wall(20)));
        assert!(last_switch_over(&[], &view()).is_none());
        assert!(
            last_switch_over(&[row(a, 1)], &view()).is_none(),
            "the first to be in control took over from nobody"
        );
    }

    #[test]
    fn what_one_lacks_is_counted_over_all_logs() {
        let log = |boot| LogId { node: NodeId(1), boot: BootId(boot) };
        let held = Vector::from([(log(1), 5), (log(2), 9)]);
        let wanted = Vector::from([(log(1), 7), (log(2), 3), (log(3), 4)]);
        assert_eq!(lacking(&held, &wanted), 6);
        assert_eq!(lacking(&wanted, &held), 6);
        assert_eq!(lacking(&held, &held), 0);
    }
}
