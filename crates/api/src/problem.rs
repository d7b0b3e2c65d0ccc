//! How a request is refused: `application/problem+json` (RFC 9457) with JSON pointers, always.
//!
//! Separate from `read`, which finds the problems, because everything that answers needs this. Wordings
//! name the field and the nearest valid choice; the `type` is for programs and does not change.

use crate::call::CallError;
use crate::{answers, heartbeat, monitors};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dispatch::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// The header that names a request; in a batch it is the field `idempotency_key`.
const KEY_HEADER: &str = "Idempotency-Key";

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Rejection {
    /// What kind of refusal it is, for programs: `urn:steadfast:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// Every place of the request that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Place>,
    /// The node that changes the directory, where this one does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<Box<Elsewhere>>,
    #[serde(skip)]
    retry_after: Option<u16>,
}

/// A node that can do what this one cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Elsewhere {
    /// Its name.
    pub name: String,
    /// Where its API is reached.
    pub api: String,
}

/// One place of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemPlace)]
pub struct Place {
    /// Where in the body, as a JSON pointer (RFC 6901); of a parameter or header its name.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
    /// The line of the body, from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl Place {
    /// A place with what is wrong there.
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), line: None }
    }
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is not what its type says.
    Malformed,
    /// A field or parameter has a value that it cannot have.
    Invalid,
    /// Who asks is not known.
    Unauthorized,
    /// Who asks may not.
    Forbidden,
    /// Too many wrong passwords.
    LockedOut,
    /// There is no such thing.
    NotFound,
    /// The thing is there, but not for this method.
    MethodNotAllowed,
    /// The state of things does not allow it.
    Conflict,
    /// The directory is changed on another node.
    NotPrimary,
    /// It changed meanwhile.
    Stale,
    /// Too many bytes.
    TooLarge,
    /// The body is of another type than is read here.
    UnsupportedType,
    /// Too much waits.
    Busy,
    /// The node is not able to.
    Unavailable,
    /// What lies behind the node cannot be reached.
    Unreachable,
    /// There was no answer.
    TimedOut,
    /// The disk is full.
    DiskFull,
    /// Our fault.
    Fault,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Who asks is not known"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This is not allowed"),
            Self::LockedOut => (StatusCode::TOO_MANY_REQUESTS, "locked-out", "Too many wrong passwords"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not for this path")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "The state of things does not allow this"),
            Self::NotPrimary => {
                (StatusCode::CONFLICT, "not-primary", "The directory is changed on another node")
            }
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale", "It changed meanwhile"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::UnsupportedType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The body's type is not read here")
            }
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much waits already"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The node cannot do this now")
            }
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "unreachable", "It cannot be reached"),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed-out", "There was no answer in time"),
            Self::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk-full", "The disk is full"),
            Self::Fault => (StatusCode::INTERNAL_SERVER_ERROR, "fault", "Something went wrong here"),
        }
    }
}

impl Rejection {
    /// A refusal of that kind, for that reason.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, word, title) = kind.parts();
        let retry_after = match kind {
            Kind::Busy => Some(1),
            Kind::Unavailable | Kind::DiskFull => Some(30),
            Kind::Malformed
            | Kind::Invalid
            | Kind::Unauthorized
            | Kind::Forbidden
            | Kind::LockedOut
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Conflict
            | Kind::NotPrimary
            | Kind::Stale
            | Kind::TooLarge
            | Kind::UnsupportedType
            | Kind::Unreachable
            | Kind::TimedOut
            | Kind::Fault => None,
        };
        Self {
            kind: format!("urn:steadfast:{word}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            primary: None,
            retry_after,
        }
    }

    /// One wrong place.
    pub(crate) fn at(kind: Kind, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::places(kind, vec![Place::new(pointer, detail)])
    }

    /// Several wrong places; the detail tells the first.
    pub(crate) fn places(kind: Kind, errors: Vec<Place>) -> Self {
        let detail = match errors.as_slice() {
            [] => String::new(),
            [only] => told(only),
            [first, rest @ ..] => format!("{}; and {} more", told(first), rest.len()),
        };
        Self { errors, ..Self::new(kind, detail) }
    }

    /// The same, with another time after which to ask again, in seconds.
    pub(crate) fn retry_after(self, seconds: u16) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, where `to` is what the body's root was called so far.
    pub(crate) fn below(mut self, to: &str) -> Self {
        for place in &mut self.errors {
            if place.pointer == KEY_HEADER {
                place.pointer = "/idempotency_key".into(); // In a batch it is a field, not a header.
            }
            place.pointer.insert_str(0, to);
        }
        self
    }
}

fn told(place: &Place) -> String {
    if place.pointer.is_empty() {
        place.detail.clone()
    } else {
        format!("{}: {}", place.pointer, place.detail)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"steadfast\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<CallError> for Rejection {
    fn from(error: CallError) -> Self {
        let kind = match error {
            CallError::Busy => Kind::Busy,
            CallError::Stopped => Kind::Unavailable,
            CallError::TimedOut => Kind::TimedOut,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownTarget { name } => {
                Self::at(Kind::Invalid, "/to", format!("there is no recipient or group {name:?}"))
            }
            Refusal::UnknownPolicy { name } => {
                Self::at(Kind::Invalid, "/policy", format!("there is no policy {name:?}"))
            }
            Refusal::NoRoute => Self::at(
                Kind::Invalid,
                "/to",
                "the notice names nobody, no route matches it, and there are no operators to fall back to",
            ),
            Refusal::ReachesNobody => {
                Self::at(Kind::Invalid, "/to", "nobody among the recipients has an address")
            }
            Refusal::KeyReused => Self::at(Kind::Invalid, KEY_HEADER, KEY_REUSED),
            Refusal::TooManyOpen { limit } => Self::new(
                Kind::Busy,
                format!("{limit} alerts are open already; close some, or wait until they are"),
            )
            .retry_after(30),
            Refusal::DiskFull { why } => Self::new(Kind::DiskFull, format!("nothing can be stored: {why}")),
            Refusal::NotOpen { named } => {
                Self::new(Kind::NotFound, format!("no alert is open that is called {}", named.join(" or ")))
            }
            Refusal::UnknownCode { code } => {
                Self::new(Kind::NotFound, format!("no open alert has the code {code}"))
            }
            Refusal::NoFurtherStep => {
                Self::new(Kind::Conflict, "the alert has no further step to escalate to")
            }
            Refusal::TooManyComments => Self::new(
                Kind::Conflict,
                format!("the alert has {} comments already", base::limits::COMMENTS_MAX),
            ),
            Refusal::NoChoice { code, number, choices } => answers::no_choice(code, number, &choices),
            Refusal::NoSilence => Self::new(Kind::NotFound, "no silence is that one, or it is over already"),
            Refusal::TooManySilences { limit } => Self::new(Kind::Conflict, too_many_silences(limit)),
            Refusal::UnknownMonitor { name } => monitors::unknown(name.as_str(), []),
            Refusal::NoHeartbeat => heartbeat::nobody(),
            Refusal::NotPaused => Self::new(Kind::Conflict, "nothing is paused"),
            Refusal::Stale { version } => {
                Self::new(Kind::Stale, format!("the directory changed meanwhile; it is at version {version}"))
            }
            Refusal::NotPrimary { primary } => {
                let named =
                    |it: &ownership::Member| Elsewhere { name: it.name.to_string(), api: it.api.to_string() };
                let rejection = Self::new(Kind::NotPrimary, not_primary(primary.as_deref()));
                Self { primary: primary.as_deref().map(named).map(Box::new), ..rejection }
            }
            Refusal::Solo => Self::new(
                Kind::Unavailable,
                "no other node holds a copy now, and this source wants no promise of one disk alone",
            )
            .retry_after(5),
            Refusal::Witness => Self::new(
                Kind::Unavailable,
                "this node is a witness and holds no alerts; send to another node of the cluster",
            ),
            Refusal::Blocked { why } => Self::new(Kind::Conflict, format!("not now: {}", why.join("; "))),
            Refusal::UnknownNode { node } => Self::new(
                Kind::NotFound,
                format!("node {node} does not belong to the cluster, or is this one"),
            ),
        }
    }
}

const KEY_REUSED: &str = "this idempotency key was used for another request; take a new one for each request";

fn too_many_silences(limit: usize) -> String {
    format!("{limit} silences lie ahead already, those ended early among them; make their times shorter")
}

/// Where the directory can be changed.
fn not_primary(primary: Option<&ownership::Member>) -> String {
    match primary {
        Some(member) => format!(
            "the directory is changed on node {}; send this to {}, or make this node the primary with `steadfast \
             cluster force-primary` if that one is lost",
            member.name, member.api
        ),
        None => {
            "the node that changes the directory does not belong to the cluster any more; make this one the \
                 primary with `steadfast cluster force-primary`"
                .to_owned()
        }
    }
}
