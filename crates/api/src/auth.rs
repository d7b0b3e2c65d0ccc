//! Who asks, and whether they may: tokens of programs and sessions of people.
//!
//! Separate from the routes, which say what they need by the type of an argument: [`Allowed`]`<Operate>` lets
//! nobody through who may not operate. A token is `sf_NAME_` and 43 characters of base64url; the directory
//! keeps its SHA-256; it comes as `Bearer`, as the password of `Basic`, or as the part `{secret}` of a path. A session is `ss_` and 43 characters, kept in memory and forgotten at a restart.

use crate::Shared;
use crate::moment;
use crate::problem::{Kind, Rejection};
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base::{Name, Wall};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dispatch::directory::{Directory, Scope};
use dispatch::record::{Actor, Via};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a session lasts.
const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Sessions kept at once; the one that ends first goes first.
const SESSIONS_MAX: usize = 10_000;
/// Characters of a secret: 256 random bits.
const SECRET_CHARS: usize = 43;

/// Somebody who was recognised.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// For the trail.
    pub(crate) actor: Actor,
    /// The name notices are from.
    pub(crate) source: Name,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Whether they may; who may everything may each thing.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// # Errors
    /// 403, naming the scope that lacks.
    pub(crate) fn must(&self, scope: Scope) -> Result<(), Rejection> {
        if self.may(scope) {
            return Ok(());
        }
        let has = match self.scopes.as_slice() {
            [] => "none".to_owned(),
            scopes => scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(", "),
        };
        let detail = format!("this needs the scope \"{}\"; {} has {has}", scope.word(), self.actor.who);
        Err(Rejection::new(Kind::Forbidden, detail))
    }
}

/// What a route needs.
pub(crate) trait Needs: std::marker::Send {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Needs for $name { const SCOPE: Scope = Scope::$name; }
    )* };
}
needs! {
    /// To send notices.
    Send,
    /// To see.
    Read,
    /// To act on alerts.
    Operate,
    /// To change the directory.
    Edit,
    /// Everything.
    Admin
}

/// A caller who may do what `N` says.
pub(crate) struct Allowed<N>(pub(crate) Caller, pub(crate) PhantomData<N>);

impl<N: Needs> FromRequestParts<Arc<Shared>> for Allowed<N> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Rejection> {
        let from = peer(parts);
        let caller = match secret(parts).await? {
            Some(secret) => {
                let edition = shared.edition().await?;
                recognise(&edition.directory, &shared.sessions, &secret, from, moment::now())
            }
            None => shared.anonymous.as_ref().map(|source| anonymous(source, from)),
        };
        let caller = caller.ok_or_else(unauthorized)?;
        caller.must(N::SCOPE)?;
        Ok(Self(caller, PhantomData))
    }
}

fn unauthorized() -> Rejection {
    Rejection::new(
        Kind::Unauthorized,
        "send the header Authorization: Bearer with a token that is known and has not expired",
    )
}

fn anonymous(source: &Name, from: Option<Arc<str>>) -> Caller {
    let actor = Actor { who: format!("source:{source}").into(), via: Via::Api, from };
    Caller { actor, source: source.clone(), scopes: vec![Scope::Send] }
}

/// The network address that the request came from, where the listener tells it.
pub(crate) fn peer(parts: &Parts) -> Option<Arc<str>> {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(info.0.ip().to_canonical().to_string().into())
}

/// The network address of the request, as an argument of a route.
pub(crate) struct Peer(pub(crate) Option<Arc<str>>);

impl<S: std::marker::Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(peer(parts)))
    }
}

/// The secret after `Bearer`, or the password after `Basic` (RFC 7617), for programs that know no other way: the
/// user's name says nothing there, since a secret names its token. Without the header what the path has, if it has
/// a place for it; else none.
async fn secret(parts: &mut Parts) -> Result<Option<Cow<'_, str>>, Rejection> {
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Ok(in_path(parts).await.map(Cow::Owned));
    }
    let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = std::str::from_utf8(header.as_bytes()).map_err(|_| unauthorized())?;
    let (scheme, secret) = text.split_once(' ').ok_or_else(unauthorized)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(secret.trim().into()));
    }
    let basic = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(secret.trim()).ok()).flatten();
    let both = basic.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unauthorized)?;
    let (_, password) = both.split_once(':').ok_or_else(unauthorized)?;
    Ok(Some(password.to_owned().into()))
}

/// The part `{secret}` of the path, for tools that take nothing but a URL. No log and no trail has it.
async fn in_path(parts: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(name, _)| *name == "secret").map(|(_, value)| value.to_owned())
}

fn recognise(
    book: &Directory,
    sessions: &Sessions,
    secret: &str,
    from: Option<Arc<str>>,
    now: Wall,
) -> Option<Caller> {
    if let Some(name) = token_name(secret) {
        let token = book.tokens.get(name)?;
        let alive = token.expires.is_none_or(|expires| now < expires);
        if !alive || !same(&token.digest.0, &digest(secret)) {
            return None;
        }
        let source = Name::new(name).ok()?;
        let actor = Actor { who: format!("token:{name}").into(), via: Via::Api, from };
        return Some(Caller { actor, source, scopes: token.scopes.clone() });
    }
    let name = sessions.user(secret, now)?;
    // Scopes are looked up each time, so that a user who is removed or restricted is so at once.
    let user = book.users.get(&name)?;
    let actor = Actor { who: format!("user:{name}").into(), via: Via::Api, from };
    Some(Caller { actor, source: name, scopes: user.scopes.clone() })
}

/// The name in a token's secret.
fn token_name(secret: &str) -> Option<&str> {
    let rest = secret.strip_prefix("sf_")?;
    let (name, random) = rest.split_at_checked(rest.len().checked_sub(SECRET_CHARS)?)?;
    (random.len() == SECRET_CHARS).then(|| name.strip_suffix('_'))?
}

/// A new secret for a token of that name.
///
/// # Errors
/// The system gives no randomness.
pub(crate) fn new_secret(prefix: &str) -> Result<String, Rejection> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Rejection::new(Kind::Fault, format!("the system gives no randomness: {error}")))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random)))
}

/// SHA-256 of a secret.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares in constant time.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

/// The people who are logged in. By digest, so that memory holds no secret that lets anybody in.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<[u8; 32], (Name, Wall)>>);

impl Sessions {
    /// Lets `user` in until the time that is returned.
    pub(crate) fn open(&self, secret: &str, user: Name, now: Wall) -> Wall {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, (_, expires)| now < *expires);
        if sessions.len() >= SESSIONS_MAX {
            let first = sessions.iter().min_by_key(|(_, (_, expires))| *expires).map(|(digest, _)| *digest);
            first.and_then(|digest| sessions.remove(&digest));
        }
        let expires = now + SESSION_LIFE;
        sessions.insert(digest(secret), (user, expires));
        expires
    }

    /// Ends a session.
    pub(crate) fn close(&self, secret: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(secret));
    }

    fn user(&self, secret: &str, now: Wall) -> Option<Name> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, expires) = sessions.get(&digest(secret))?;
        (now < *expires).then(|| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_name_is_found_in_its_secret() {
        let random = "-_".repeat(21) + "A";
        for (secret, name) in [
            (format!("sf_ops_{random}"), Some("ops")),
            (format!("sf_pump_room_{random}"), Some("pump_room")),
            (format!("sf_größe_{random}"), Some("größe")),
            (format!("sf_{random}"), None),
            (format!("ss_{random}"), None),
            ("sf_".to_owned(), None),
            (format!("sf_ops_{}é", "A".repeat(42)), None),
            ("é".repeat(50), None),
        ] {
            assert_eq!(token_name(&secret), name, "{secret}");
        }
        assert_eq!(token_name(&new_secret("sf_a_").unwrap()), Some("a"));
    }

    #[test]
    fn a_session_ends() {
        let sessions = Sessions::default();
        let bea = Name::new("bea").unwrap();
        let until = sessions.open("ss_x", bea.clone(), Wall(0));
        assert_eq!(sessions.user("ss_x", Wall(0)), Some(bea));
        assert_eq!(sessions.user("ss_y", Wall(0)), None);
        assert_eq!(sessions.user("ss_x", until), None);
        sessions.close("ss_x");
        assert_eq!(sessions.user("ss_x", Wall(0)), None);
    }
}
