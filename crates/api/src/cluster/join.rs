//! How further machines come into the cluster: an administrator invites one, and it comes with the secret.
//!
//! Separate from the orders, because who joins has no token of the directory: the secret is all it has, and the
//! answer holds the cluster's own keys.

use crate::auth::{Admin, Allowed, Peer};
use crate::cluster::{members, node_name};
use crate::directory::aside;
use crate::moment;
use crate::nearest::{quoted, suggestion};
use crate::orders::done;
use crate::peers::{Admitted, Listeners};
use crate::problem::{Kind, Rejection};
use crate::read::Json;
use crate::{Server, Shared};
use axum::extract::State;
use base::limits::CLUSTER_MEMBERS_MAX;
use base::{Name, NodeId, Wall};
use dispatch::Input;
use dispatch::input::Order;
use dispatch::record::{Actor, Via};
use ownership::{Member, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use utoipa::ToSchema;

/// How long an invitation is good if nobody says otherwise.
const VALID: Duration = Duration::from_secs(3600);
/// How long it can be.
const VALID_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Hosts and addresses that one request may name.
const NAMED_MAX: usize = 16;

/// Whom to invite.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteForm {
    /// `member` (if absent), `backup` or `witness`.
    role: Option<String>,
    /// How long the invitation is good, such as `1h` (if absent); at most a week.
    valid: Option<String>,
    /// Where the machine is to knock first, `host:port` of an API of the cluster.
    #[serde(default)]
    hosts: Vec<String>,
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitedBody {
    /// What to type on the machine after `steadfast join`; shown once.
    token: String,
    /// Until when it is good.
    expires_at: String,
    /// Where the machine will knock.
    hosts: Vec<String>,
    /// What it will be.
    role: &'static str,
}

/// Who comes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinForm {
    /// The secret of the invitation.
    secret: String,
    /// The id that the newcomer drew: eight hexadecimal digits.
    node: String,
    /// What people are to call it.
    name: String,
    /// Where its peers will reach it, `host:port`.
    addresses: Vec<String>,
    /// Where its API will be reached.
    api: String,
    /// What it expects to be; refused if it was invited as something else.
    role: Option<String>,
    /// Host and port by which it reached this node.
    reached: String,
}

/// What the newcomer is given.
#[derive(Serialize, ToSchema)]
#[schema(as = Admission)]
pub(crate) struct AdmissionBody {
    /// The certificate of the cluster's CA, in PEM.
    ca: String,
    /// Its key, in PEM; none where it is kept elsewhere.
    ca_key: Option<String>,
    /// The key of links in messages.
    link_key: String,
    /// The letter of its codes.
    letter: char,
    /// Its place in the order of precedence.
    rank: u16,
    /// What it is.
    role: &'static str,
    /// Everybody who belongs, the newcomer included.
    members: Vec<MemberBody>,
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberBody {
    id: String,
    name: String,
    letter: char,
    role: &'static str,
    rank: u16,
    addresses: Vec<String>,
    api: String,
}

impl From<&Member> for MemberBody {
    fn from(member: &Member) -> Self {
        Self {
            id: member.node.to_string(),
            name: member.name.to_string(),
            letter: member.letter,
            role: member.role.word(),
            rank: member.rank,
            addresses: member.addresses.iter().map(ToString::to_string).collect(),
            api: member.api.to_string(),
        }
    }
}

fn role(text: &str) -> Result<Role, Rejection> {
    Role::ALL.into_iter().find(|role| role.word() == text).ok_or_else(|| {
        let hint = suggestion(text, Role::ALL.map(Role::word));
        let detail = format!("there is no role {}{hint}; there are member, backup, witness", quoted(text));
        Rejection::at(Kind::Invalid, "/role", detail)
    })
}

fn no_listener() -> Rejection {
    let detail = "this node lets no peers in; write listen = \"0.0.0.0:8444\" below [cluster] in its node file, and \
                  start it again";
    Rejection::new(Kind::Conflict, detail)
}

/// Invites one machine into the cluster.
#[utoipa::path(post, operation_id = "invite", path = "/api/v1/cluster/tokens", tag = "cluster", request_body = InviteForm,
    responses((status = 200, body = InvitedBody, description = "The invitation; its token is shown once"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn invite(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(form): Json<InviteForm>,
) -> Result<axum::Json<InvitedBody>, Rejection> {
    let role = form.role.as_deref().map_or(Ok(Role::Member), role)?;
    let valid = match form.valid.as_deref().map(base::time::parse_duration) {
        None => VALID,
        Some(Ok(valid)) if !valid.is_zero() && valid <= VALID_MAX => valid,
        Some(Ok(_)) => {
            return Err(Rejection::at(Kind::Invalid, "/valid", "it is more than 0s and at most 7d"));
        }
        Some(Err(why)) => return Err(Rejection::at(Kind::Invalid, "/valid", why)),
    };
    if form.hosts.len() > NAMED_MAX {
        return Err(Rejection::at(Kind::Invalid, "/hosts", format!("at most {NAMED_MAX}")));
    }
    if shared.api.services.listeners().peers.is_none() {
        return Err(no_listener());
    }
    has_room(&members(&shared).await?)?;
    let services = Arc::clone(&shared.api.services);
    let invited = aside(move || services.invite(role, valid, &form.hosts)).await?;
    let invited = invited.map_err(|why| Rejection::new(Kind::Unavailable, why))?;
    let what = format!("invited a machine to join as {}", role.word()).into();
    note(&shared, caller.actor, what).await?;
    Ok(axum::Json(InvitedBody {
        token: invited.token,
        expires_at: moment::written(wall(invited.until)),
        hosts: invited.hosts,
        role: role.word(),
    }))
}

/// Lets a machine in that was invited. Its secret is all that it needs.
#[utoipa::path(post, operation_id = "join", path = "/api/v1/cluster/join", tag = "cluster", security(()), request_body = JoinForm,
    responses((status = 200, body = AdmissionBody, description = "It belongs; and what it needs"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn join(
    State(shared): Server,
    Peer(from): Peer,
    Json(form): Json<JoinForm>,
) -> Result<axum::Json<AdmissionBody>, Rejection> {
    let (services, secret) = (Arc::clone(&shared.api.services), form.secret.clone());
    let admitted = aside(move || services.admit(&secret)).await?;
    let admitted = admitted.map_err(|why| Rejection::new(Kind::Forbidden, why))?;
    match take_in(&shared, &form, admitted, from).await {
        Ok(body) => Ok(axum::Json(body)),
        Err(rejection) => {
            // Nobody joined: the same token works once what is wrong is put right.
            let services = Arc::clone(&shared.api.services);
            let given = aside(move || services.give_back(&form.secret, admitted)).await?;
            if let Err(why) = given {
                tracing::warn!(%why, "a join token that came to nothing could not be kept; make a new one");
            }
            Err(rejection)
        }
    }
}

async fn take_in(
    shared: &Shared,
    form: &JoinForm,
    admitted: Admitted,
    from: Option<Arc<str>>,
) -> Result<AdmissionBody, Rejection> {
    let _alone = shared.joining.lock().await;
    let listeners = shared.api.services.listeners();
    let mut all = members(shared).await?;
    let (me, newcomer) = judged(shared, form, admitted.role, &listeners, &all)?;
    let services = Arc::clone(&shared.api.services);
    let welcome = aside(move || services.welcome()).await?;
    let welcome = welcome.map_err(|why| Rejection::new(Kind::Unavailable, why))?;
    let by = Actor { who: format!("node:{}", newcomer.name).into(), via: Via::Api, from };
    for member in me.into_iter().chain([newcomer.clone()]) {
        let (by, order) = (by.clone(), Order::Enrol { member: member.clone() });
        done(shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?)?;
        all.insert(member.node, member);
    }
    let edition = shared.api.calls.read(|core, _| core.edition().clone()).await?;
    shared.api.changes.keep(&edition); // The directory has one writer from now on.
    Ok(AdmissionBody {
        ca: welcome.ca,
        ca_key: welcome.ca_key,
        link_key: welcome.link_key,
        letter: newcomer.letter,
        rank: newcomer.rank,
        role: newcomer.role.word(),
        members: all.values().map(MemberBody::from).collect(),
    })
}

/// This node, if it does not belong to a cluster yet; and the newcomer.
fn judged(
    shared: &Shared,
    form: &JoinForm,
    invited_as: Role,
    listeners: &Listeners,
    members: &BTreeMap<NodeId, Member>,
) -> Result<(Option<Member>, Member), Rejection> {
    has_room(members)?;
    let expects = form.role.as_deref().map_or(Ok(invited_as), role)?;
    if expects != invited_as {
        let detail = format!("it was invited as {}, not as {}", invited_as.word(), expects.word());
        return Err(Rejection::at(Kind::Conflict, "/role", detail));
    }
    let node = node_id(&form.node)
        .ok_or_else(|| Rejection::at(Kind::Invalid, "/node", "an id has 8 hexadecimal digits"))?;
    let name = node_name(&form.name)?;
    let own = &shared.api.node;
    let me = if members.contains_key(&own.id) { None } else { Some(ourselves(shared, form, listeners)?) };
    let known = members.values().chain(&me);
    if known.clone().any(|member| member.name == name || member.node == node) {
        let detail = format!(
            "there is a node {name} already; take another name with --name, or remove that one first with `steadfast \
             cluster remove {name}`"
        );
        return Err(Rejection::at(Kind::Conflict, "/name", detail));
    }
    let taken: BTreeSet<char> = known.clone().map(|member| member.letter).collect();
    let letter = ('A'..='Z').find(|letter| !taken.contains(letter)).unwrap_or('Z');
    let rank = known.map(|member| member.rank).max().unwrap_or(0).saturating_add(1);
    let addresses = addresses(&form.addresses)?;
    let api = short(&form.api, "/api")?;
    Ok((me, Member { node, name, letter, role: invited_as, rank, addresses, api }))
}

/// This node as its peers are to know it. What nobody said is what the newcomer found: it is proven to work.
fn ourselves(shared: &Shared, form: &JoinForm, listeners: &Listeners) -> Result<Member, Rejection> {
    let port = listeners.peers.ok_or_else(no_listener)?.port();
    let (host, _) = form.reached.rsplit_once(':').ok_or_else(|| {
        Rejection::at(Kind::Invalid, "/reached", "it must be host and port, such as 10.1.0.7:8443")
    })?;
    let found = short(&format!("{host}:{port}"), "/reached")?;
    let fixed = listeners.peers.filter(|at| !at.ip().is_unspecified()).map(|at| Arc::from(at.to_string()));
    let addresses = match (listeners.dialled.is_empty(), fixed) {
        (false, _) => listeners.dialled.clone(),
        (true, Some(at)) => vec![at],
        (true, None) => vec![found],
    };
    let at = listeners.api;
    let api = if at.ip().is_unspecified() { format!("{host}:{}", at.port()) } else { at.to_string() };
    let own = &shared.api.node;
    let name = Name::new(&own.name).map_err(|error| Rejection::new(Kind::Fault, format!("name: {error}")))?;
    Ok(Member {
        node: own.id,
        name,
        letter: own.letter,
        role: Role::Member,
        rank: 0,
        addresses,
        api: listeners.public_url.clone().unwrap_or_else(|| format!("https://{api}").into()),
    })
}

fn has_room(members: &BTreeMap<NodeId, Member>) -> Result<(), Rejection> {
    if members.len() < CLUSTER_MEMBERS_MAX {
        return Ok(());
    }
    let detail = format!(
        "the cluster has {CLUSTER_MEMBERS_MAX} nodes, which is as many as it can have; remove one first with \
         `steadfast cluster remove`"
    );
    Err(Rejection::new(Kind::Conflict, detail))
}

fn addresses(given: &[String]) -> Result<Vec<Arc<str>>, Rejection> {
    if given.is_empty() || given.len() > NAMED_MAX {
        let detail = format!("name 1 to {NAMED_MAX} addresses");
        return Err(Rejection::at(Kind::Invalid, "/addresses", detail));
    }
    let each = given.iter().enumerate().map(|(at, address)| {
        let pointer = format!("/addresses/{at}");
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            return Err(Rejection::at(Kind::Invalid, pointer, "it must be host and port"));
        }
        short(address, &pointer)
    });
    each.collect()
}

/// A stranger's text that can be an address.
fn short(text: &str, pointer: &str) -> Result<Arc<str>, Rejection> {
    let fits = !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.into()) } else { Err(Rejection::at(Kind::Invalid, pointer, "it can be no address")) }
}

/// A node's id as it is written.
pub(crate) fn node_id(text: &str) -> Option<NodeId> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok().map(NodeId)).flatten()
}

async fn note(shared: &Shared, by: Actor, what: Arc<str>) -> Result<(), Rejection> {
    let order = Order::Note { what };
    shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?;
    Ok(())
}

/// A moment of the machine's clock.
pub(super) fn wall(at: SystemTime) -> Wall {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
