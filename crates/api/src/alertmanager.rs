//! The API of Alertmanager 0.25, version 2, so that Prometheus, `amtool` and what else speaks it need no change.
//!
//! Separate from the product's own API, because its forms and refusals are those of another program: an error is a
//! text in JSON, unknown fields are passed over, and a silence has a UUID. Who asks is found out as everywhere else.

mod params;
mod post;
mod query;
mod shown;
mod silences;

pub use post::parse_posted;
pub(crate) use post::{AlertForm, cut, fingerprint_of, grade, is_label, listed, read};
pub(crate) use shown::uuid;
pub use silences::parse_silence;
pub(crate) use silences::{find, rank, state};

use crate::problem::Rejection;
use crate::{Server, Shared, moment};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use dispatch::directory::{Directory, Route, Severity};
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Whose API this is: `amtool` warns of any other one.
const VERSION: &str = "0.25.0";
/// The route of an alert that no other one matches.
const FALLBACK: &str = "unrouted";

/// The routes. They stand in no OpenAPI document of ours: Alertmanager's describes them.
pub(crate) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .route("/api/v2/alerts", get(query::alerts).post(post::alerts))
        .route("/api/v2/alerts/groups", get(query::groups))
        .route("/api/v2/silences", get(silences::list).post(silences::put))
        .route("/api/v2/silence/{id}", get(silences::one).delete(silences::expire))
        .route("/api/v2/receivers", get(receivers))
        .route("/api/v2/status", get(status))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload))
}

/// A refusal as Alertmanager writes it: a text in JSON.
pub(crate) struct Told(StatusCode, String);

impl Told {
    fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, why.into())
    }
}

impl From<Rejection> for Told {
    fn from(rejection: Rejection) -> Self {
        let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // What we answer with 422 is answered with 400 there.
        let status =
            if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status };
        Self(status, rejection.detail)
    }
}

impl From<crate::CallError> for Told {
    fn from(error: crate::CallError) -> Self {
        Rejection::from(error).into()
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// What a receiver is called: the route that picks people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Receiver {
    name: String,
}

async fn receivers(State(shared): Server) -> Result<Json<Vec<Receiver>>, Told> {
    let edition = shared.edition().await?;
    let names = edition.directory.routes.iter().map(|route| route.name.to_string());
    let mut all: Vec<Receiver> = names.chain([FALLBACK.to_owned()]).map(|name| Receiver { name }).collect();
    all.sort();
    all.dedup();
    Ok(Json(all))
}

#[derive(Serialize)]
struct StatusBody {
    cluster: ClusterBody,
    #[serde(rename = "versionInfo")]
    version: VersionBody,
    config: ConfigBody,
    uptime: String,
}

#[derive(Serialize)]
struct ClusterBody {
    status: &'static str,
    name: String,
    peers: Vec<PeerBody>,
}

#[derive(Serialize)]
struct PeerBody {
    name: String,
    address: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionBody {
    version: &'static str,
    revision: &'static str,
    branch: String,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

#[derive(Serialize)]
struct ConfigBody {
    original: String,
}

/// `amtool` asks this before every command.
async fn status(State(shared): Server) -> Result<Json<StatusBody>, Told> {
    let edition = shared.edition().await?;
    let node = &shared.api.node;
    let members = shared.api.calls.read(|core, _| {
        let members = core.members().values();
        members.map(|it| PeerBody { name: it.name.to_string(), address: it.api.to_string() }).collect()
    });
    let peers: Vec<PeerBody> = members.await?;
    let status = if peers.is_empty() { "disabled" } else { "ready" };
    Ok(Json(StatusBody {
        cluster: ClusterBody { status, name: node.name.clone(), peers },
        version: VersionBody {
            version: VERSION,
            revision: "",
            branch: format!("steadfast-{}", node.version),
            build_user: "",
            build_date: "",
            go_version: "",
        },
        config: ConfigBody { original: config(&edition.directory) },
        uptime: moment::written(node.started),
    }))
}

/// The routes as an `alertmanager.yml`, for programs that read one. What it cannot say stands in comments.
fn config(book: &Directory) -> String {
    let timeout = book.settings.resolve_timeout.as_secs().max(1);
    let mut text = format!(
        "# Made from Steadfast's directory, which has more than can be said here.\n\
         global:\n  resolve_timeout: {timeout}s\nroute:\n  receiver: {FALLBACK}\n"
    );
    if !book.routes.is_empty() {
        text.push_str("  routes:\n");
    }
    for route in &book.routes {
        text.push_str(&config_of(route));
    }
    let _ = write!(text, "receivers:\n- name: {FALLBACK}\n");
    for route in book.routes.iter().filter(|route| route.name.as_str() != FALLBACK) {
        let _ = writeln!(text, "- name: {}", yaml(route.name.as_str()));
    }
    text
}

fn config_of(route: &Route) -> String {
    let mut text = format!("  - receiver: {}\n", yaml(route.name.as_str()));
    let more = !route.windows.is_empty() || !route.sources.is_empty() || route.severity != Severity::Info;
    if more {
        text.push_str("    # and only for some sources, severities or times\n");
    }
    // One whose label stands in quotes is none for version 0.25.
    let (plain, quoted): (Vec<String>, Vec<String>) =
        route.matchers.iter().map(ToString::to_string).partition(|matcher| !matcher.starts_with('"'));
    for matcher in quoted {
        let _ = writeln!(text, "    # and only with {matcher}");
    }
    if !plain.is_empty() {
        text.push_str("    matchers:\n");
    }
    for matcher in plain {
        let _ = writeln!(text, "    - {}", yaml(&matcher));
    }
    if route.also {
        text.push_str("    continue: true\n");
    }
    text
}

/// A text in YAML: what JSON writes is read there.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

async fn healthy() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "OK")
}

async fn ready(State(shared): Server) -> impl IntoResponse {
    let why = shared.api.services.unready();
    let status = if why.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if why.is_empty() { "OK".to_owned() } else { why.join("; ") };
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

/// The directory is edited live: there is no file to be read again.
async fn reload() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "OK")
}
