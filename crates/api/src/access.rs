//! Keys for programs, and people who log in.
//!
//! Separate from `auth`, which only recognises them. A token's secret is shown once and kept nowhere; a
//! password is kept as Argon2id (RFC 9106). Wrong passwords lock an account for an address, for longer each
//! time, and hashing is done aside, a few at a time, so that guessing costs the guesser and not the node.

use crate::auth::{Admin, Allowed, Peer, digest, new_secret};
use crate::directory::{aside, change};
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Rejection};
use crate::read::{Json, Path};
use crate::{Server, moment};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base::{Digest, Name, Wall};
use dispatch::Input;
use dispatch::directory::Scope;
use dispatch::input::Order;
use dispatch::record::{Actor, Via};
use record::document::{Document, form};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

/// Characters of a password.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=1000;
/// Wrong passwords after which an account is locked for an address.
const FAILURES_MAX: u32 = 5;
/// The first lock; each further one is twice as long.
const LOCK: Duration = Duration::from_secs(60);
/// The longest lock.
const LOCK_MAX: Duration = Duration::from_secs(3600);
/// Pairs of account and address that are remembered; past it the oldest locks are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Passwords that are checked at once.
const CHECKS_MAX: usize = 2;
/// How long a log-in waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// What a password is checked against where there is no such user, so that this takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c3RlYWRmYXN0LW5vYm9keQ$Uh6jDcLEF9gdPxjVhpuaSVV2Nzc1T2ZUXaaBv3UYq0s";

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenForm {
    /// Its name; notices it sends are from it.
    name: String,
    /// What it allows: `send`, `read`, `operate`, `edit`, `admin`.
    scopes: Vec<String>,
    /// Until when, as in RFC 3339; until removed if absent.
    expires: Option<String>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretBody {
    /// Its name.
    name: String,
    /// The secret: shown this once.
    token: String,
    /// What it allows.
    scopes: Vec<String>,
    /// Until when.
    expires: Option<String>,
}

/// The tokens there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokensBody {
    /// By name.
    tokens: Vec<TokenBody>,
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenBody {
    /// Its name.
    name: String,
    /// What it allows.
    scopes: Vec<String>,
    /// Until when.
    expires: Option<String>,
}

/// A user to add or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserForm {
    /// The name to log in with.
    name: String,
    /// The name people read.
    title: Option<String>,
    /// 8 to 1000 characters. Absent leaves a user's password as it is.
    password: Option<String>,
    /// What they may do: `send`, `read`, `operate`, `edit`, `admin`.
    scopes: Vec<String>,
}

/// The users there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersBody {
    /// By name.
    users: Vec<UserBody>,
}

/// A user, without their password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserBody {
    /// The name to log in with.
    name: String,
    /// The name people read.
    title: String,
    /// What they may do.
    scopes: Vec<String>,
}

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginForm {
    /// The name.
    user: String,
    /// The password.
    password: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginBody {
    /// To send as a bearer token.
    token: String,
    /// Until when.
    expires: String,
}

/// An account and the address it was tried from.
type Guesser = (String, Option<Arc<str>>);

/// Who guessed wrongly, and until when they must wait.
#[derive(Debug)]
pub(crate) struct Lockout {
    failures: Mutex<BTreeMap<Guesser, (u32, Wall)>>,
    turns: Semaphore,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { failures: Mutex::default(), turns: Semaphore::new(CHECKS_MAX) }
    }
}

impl Lockout {
    /// How long `who` must wait before a password of theirs is looked at.
    fn locked(&self, who: &Guesser, now: Wall) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, until) = failures.get(who)?;
        (*count >= FAILURES_MAX && now < *until).then(|| until.since(now))
    }

    /// Counts a wrong password; true if it locks the account.
    fn fail(&self, who: Guesser, now: Wall) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED_MAX && !failures.contains_key(&who) {
            let oldest = failures.iter().min_by_key(|(_, (_, until))| *until).map(|(who, _)| who.clone());
            oldest.and_then(|who| failures.remove(&who));
        }
        let (count, until) = failures.entry(who).or_insert((0, now));
        *count += 1;
        let further = count.saturating_sub(FAILURES_MAX).min(10);
        *until = now + (LOCK * 2u32.pow(further)).min(LOCK_MAX);
        *count >= FAILURES_MAX
    }

    fn forgive(&self, who: &Guesser) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
    }
}

/// Logs in. The session lasts twelve hours, or until the node restarts.
#[utoipa::path(post, path = "/api/v1/login", tag = "access", request_body = LoginForm, security(()),
    responses((status = 200, body = LoginBody, description = "The session"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused; after five wrong passwords for a while")))]
pub(crate) async fn login(
    State(shared): Server,
    Peer(from): Peer,
    Json(form): Json<LoginForm>,
) -> Result<axum::Json<LoginBody>, Rejection> {
    let now = moment::now();
    let who = (form.user.chars().take(base::limits::NAME_CHARS_MAX).collect::<String>(), from.clone());
    if let Some(wait) = shared.lockout.locked(&who, now) {
        let seconds = u16::try_from(wait.as_secs() + 1).unwrap_or(u16::MAX);
        let detail = format!("too many wrong passwords; try again in {seconds} s");
        return Err(Rejection::new(Kind::LockedOut, detail).retry_after(seconds));
    }
    let book = shared.edition().await?.directory;
    let user = book.users.get(form.user.as_str()).map(|user| Arc::clone(&user.password));
    let known = user.is_some();
    let hash = user.unwrap_or_else(|| NOBODY.into());
    let turn = tokio::time::timeout(TURN, shared.lockout.turns.acquire()).await;
    let turn = turn.map_err(|_| Rejection::new(Kind::Busy, "too many people log in at once"))?;
    let right = aside(move || verify(&form.password, &hash)).await?;
    drop(turn);
    let name = Name::new(&form.user).ok().filter(|_| right && known);
    let Some(name) = name else {
        if shared.lockout.fail(who, now) && known {
            let who = format!("user:{}", form.user).into();
            let by = Actor { who, via: Via::Api, from };
            let order = Order::Note { what: "locked out after too many wrong passwords".into() };
            drop(shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await);
        }
        return Err(Rejection::new(Kind::Unauthorized, "the name or the password is wrong"));
    };
    shared.lockout.forgive(&who);
    let token = new_secret("ss_")?;
    let expires = shared.sessions.open(&token, name, now);
    Ok(axum::Json(LoginBody { token, expires: moment::written(expires) }))
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Logs out.
#[utoipa::path(post, path = "/api/v1/logout", tag = "access", responses((status = 204, description = "The session is over")))]
pub(crate) async fn logout(State(shared): Server, headers: HeaderMap) -> StatusCode {
    let header = headers.get(axum::http::header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    if let Some((_, secret)) = header.and_then(|text| text.split_once(' ')) {
        shared.sessions.close(secret.trim());
    }
    StatusCode::NO_CONTENT
}

/// The PHC string of a password, for the directory. Takes a tenth of a second and 19 MiB.
///
/// # Errors
/// It is shorter than 8 characters or longer than 1000, or the system gives no randomness.
pub fn hash_password(password: &str) -> Result<String, String> {
    let chars = password.chars().count();
    if !PASSWORD_CHARS.contains(&chars) {
        let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
        return Err(format!("a password has {least} to {most} characters; this one has {chars}"));
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| format!("the system gives no randomness: {error}"))?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| format!("the password cannot be hashed: {error}"))
}

/// A new token's secret, and the digest of it for the directory.
///
/// # Errors
/// The system gives no randomness.
pub fn new_token(name: &Name) -> Result<(String, Digest), String> {
    let secret = new_secret(&format!("sf_{name}_")).map_err(|rejection| rejection.detail)?;
    let digest = Digest(digest(&secret));
    Ok((secret, digest))
}

fn named(text: &str) -> Result<Name, Rejection> {
    Name::new(text).map_err(|error| Rejection::at(Kind::Invalid, "/name", error.to_string()))
}

fn scopes(words: &[String]) -> Result<(), Rejection> {
    if words.is_empty() {
        return Err(Rejection::at(Kind::Invalid, "/scopes", "give at least one scope"));
    }
    for (at, word) in words.iter().enumerate() {
        if Scope::parse(word).is_none() {
            let hint = suggestion(word, Scope::ALL.map(Scope::word));
            let detail = format!("there is no scope {}{hint}", quoted(word));
            return Err(Rejection::at(Kind::Invalid, format!("/scopes/{at}"), detail));
        }
    }
    Ok(())
}

/// Refuses a change after which nobody could administer the node over the network.
fn administrable(book: &Document) -> Result<(), Rejection> {
    let admin = |scopes: &[String]| scopes.iter().any(|scope| scope == Scope::Admin.word());
    let someone = book.tokens.values().any(|token| admin(&token.scopes) && token.expires.is_none())
        || book.users.values().any(|user| admin(&user.scopes));
    if someone {
        return Ok(());
    }
    let detail = "after this no token or user would have the scope \"admin\"; give it to another one first";
    Err(Rejection::new(Kind::Conflict, detail))
}

/// Makes a token. Its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", request_body = TokenForm,
    responses((status = 201, body = SecretBody, description = "The token, with its secret"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn make_token(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(form): Json<TokenForm>,
) -> Result<Response, Rejection> {
    let name = named(&form.name)?;
    scopes(&form.scopes)?;
    if form.expires.as_deref().is_some_and(|text| moment::read(text).is_none()) {
        let detail = "a moment is written as 2027-01-01T00:00:00Z";
        return Err(Rejection::at(Kind::Invalid, "/expires", detail));
    }
    let (token, digest) = new_token(&name).map_err(|why| Rejection::new(Kind::Fault, why))?;
    let entry = form::Token {
        sha256: digest.to_string(),
        scopes: form.scopes.clone(),
        expires: form.expires.clone(),
        refuse_solo: false,
        severities: BTreeMap::new(),
    };
    change(&shared, &caller.actor, &HeaderMap::new(), |book| {
        if book.tokens.contains_key(name.as_str()) {
            let detail = format!("there is a token {name:?} already; delete it first");
            return Err(Rejection::new(Kind::Conflict, detail));
        }
        book.tokens.insert(name.to_string(), entry.clone());
        Ok(())
    })
    .await?;
    let body = SecretBody { name: form.name, token, scopes: form.scopes, expires: form.expires };
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

/// Lists the tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access",
    responses((status = 200, body = TokensBody, description = "The tokens"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list_tokens(
    State(shared): Server,
    _: Allowed<Admin>,
) -> Result<axum::Json<TokensBody>, Rejection> {
    let book = shared.edition().await?.directory;
    let tokens = book.tokens.iter().map(|(name, token)| TokenBody {
        name: name.to_string(),
        scopes: token.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        expires: token.expires.map(moment::written),
    });
    Ok(axum::Json(TokensBody { tokens: tokens.collect() }))
}

/// Removes a token: from then on it lets nobody in.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "access",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn remove_token(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Path(name): Path<String>,
) -> Result<StatusCode, Rejection> {
    change(&shared, &caller.actor, &HeaderMap::new(), |book| {
        if book.tokens.remove(&name).is_none() {
            return Err(Rejection::new(Kind::NotFound, format!("there is no token {}", quoted(&name))));
        }
        administrable(book)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a user, or changes one.
#[utoipa::path(post, path = "/api/v1/users", tag = "access", request_body = UserForm,
    responses((status = 200, body = UserBody, description = "The user"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn set_user(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(form): Json<UserForm>,
) -> Result<axum::Json<UserBody>, Rejection> {
    let name = named(&form.name)?;
    scopes(&form.scopes)?;
    let hash = match form.password.clone() {
        Some(password) => {
            let hash = aside(move || hash_password(&password)).await?;
            Some(hash.map_err(|why| Rejection::at(Kind::Invalid, "/password", why))?)
        }
        None => None,
    };
    change(&shared, &caller.actor, &HeaderMap::new(), |book| {
        let present = book.users.get(name.as_str());
        let password = hash.clone().or_else(|| present.map(|user| user.password.clone()));
        let password = password
            .ok_or_else(|| Rejection::at(Kind::Invalid, "/password", "a new user needs a password"))?;
        let title = form.title.clone().or_else(|| present.and_then(|user| user.title.clone()));
        let scopes = form.scopes.clone();
        book.users.insert(name.to_string(), form::User { title, password, scopes });
        administrable(book)
    })
    .await?;
    let title = form.title.unwrap_or_else(|| form.name.clone());
    Ok(axum::Json(UserBody { name: form.name, title, scopes: form.scopes }))
}

/// Lists the users.
#[utoipa::path(get, path = "/api/v1/users", tag = "access",
    responses((status = 200, body = UsersBody, description = "The users"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list_users(
    State(shared): Server,
    _: Allowed<Admin>,
) -> Result<axum::Json<UsersBody>, Rejection> {
    let book = shared.edition().await?.directory;
    let users = book.users.iter().map(|(name, user)| UserBody {
        name: name.to_string(),
        title: user.title.to_string(),
        scopes: user.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
    });
    Ok(axum::Json(UsersBody { users: users.collect() }))
}

/// Removes a user; their sessions end at once.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "access",
    params(("name" = String, Path, description = "Their name")),
    responses((status = 204, description = "They are gone"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn remove_user(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Path(name): Path<String>,
) -> Result<StatusCode, Rejection> {
    change(&shared, &caller.actor, &HeaderMap::new(), |book| {
        if book.users.remove(&name).is_none() {
            return Err(Rejection::new(Kind::NotFound, format!("there is no user {}", quoted(&name))));
        }
        administrable(book)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_and_another_is_not() {
        let hash = hash_password("correct horse").unwrap();
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horsf", &hash));
        assert!(PasswordHash::new(NOBODY).is_ok(), "a check against nobody takes as long");
        assert!(hash_password("short").is_err());
    }

    #[test]
    fn the_fifth_wrong_password_locks_and_each_lock_is_longer() {
        let lockout = Lockout::default();
        let who = ("bea".to_owned(), None);
        for _ in 0..4 {
            assert!(!lockout.fail(who.clone(), Wall(0)));
            assert_eq!(lockout.locked(&who, Wall(0)), None);
        }
        assert!(lockout.fail(who.clone(), Wall(0)));
        assert_eq!(lockout.locked(&who, Wall(0)), Some(LOCK));
        assert_eq!(lockout.locked(&who, Wall(60_000)), None);
        assert!(lockout.fail(who.clone(), Wall(60_000)));
        assert_eq!(lockout.locked(&who, Wall(60_000)), Some(2 * LOCK));
        assert_eq!(lockout.locked(&("bea".to_owned(), Some("192.0.2.1".into())), Wall(0)), None);
        lockout.forgive(&who);
        assert_eq!(lockout.locked(&who, Wall(60_000)), None);
    }
}
