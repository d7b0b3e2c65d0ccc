//! Every route, once: the router and the OpenAPI 3.1 document are made from the same list.

use crate::problem::{Kind, Rejection};
use crate::{
    Shared, access, alertmanager, alerts, answers, cluster, directory, events, heartbeat, hooks, monitors,
    notices, orders, pages, preview, schedules, silences, status, trail, upkeep,
};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::response::IntoResponse;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Steadfast", description = "Accepts notices, tells people, and escalates until somebody acknowledges."),
    security(("token" = []))
)]
struct Document;

type Routes = OpenApiRouter<Arc<Shared>>;

/// The router with everything, and its document.
pub(crate) fn whole() -> (Router<Arc<Shared>>, utoipa::openapi::OpenApi) {
    let routes = open_to_strangers(started())
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one))
        .routes(routes!(alerts::notifications))
        .routes(routes!(orders::acknowledge_many))
        .routes(routes!(orders::acknowledge_one))
        .routes(routes!(answers::answer))
        .routes(routes!(orders::comment_many))
        .routes(routes!(orders::comment_one))
        .routes(routes!(orders::close_many))
        .routes(routes!(orders::close_one))
        .routes(routes!(orders::escalate_many))
        .routes(routes!(orders::escalate_one))
        .routes(routes!(orders::delete_pending))
        .routes(routes!(orders::pause))
        .routes(routes!(orders::resume))
        .routes(routes!(directory::show, directory::replace))
        .routes(routes!(directory::check))
        .routes(routes!(directory::compare))
        .routes(routes!(directory::lost))
        .routes(routes!(directory::show_entry, directory::put_entry, directory::remove_entry))
        .routes(routes!(preview::preview))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::one))
        .routes(routes!(schedules::shifts))
        .routes(routes!(schedules::calendar))
        .routes(routes!(silences::list, silences::make))
        .routes(routes!(silences::preview))
        .routes(routes!(silences::one, silences::expire))
        .routes(routes!(access::login))
        .routes(routes!(access::logout))
        .routes(routes!(access::list_tokens, access::make_token))
        .routes(routes!(access::remove_token))
        .routes(routes!(access::list_users, access::set_user))
        .routes(routes!(access::remove_user))
        .routes(routes!(trail::list))
        .routes(routes!(trail::stream))
        .routes(routes!(events::stream))
        .routes(routes!(monitors::list))
        .routes(routes!(heartbeat::send))
        .routes(routes!(upkeep::backup))
        .routes(routes!(upkeep::probe))
        .routes(routes!(cluster::status::status))
        .routes(routes!(cluster::switch_over))
        .routes(routes!(cluster::take_over))
        .routes(routes!(cluster::conduct))
        .routes(routes!(cluster::dismiss))
        .routes(routes!(cluster::force_primary))
        .routes(routes!(cluster::join::invite))
        .routes(routes!(cluster::join::join))
        .routes(routes!(cluster::audit::verify))
        .routes(routes!(cluster::audit::totals))
        .routes(routes!(status::status))
        .routes(routes!(status::metrics))
        .routes(routes!(document));
    finished(routes)
}

/// The router for the listener on loopback, and its document.
pub(crate) fn ingest() -> (Router<Arc<Shared>>, utoipa::openapi::OpenApi) {
    finished(open_to_strangers(started()))
}

/// What is served on every listener.
fn open_to_strangers(routes: Routes) -> Routes {
    routes
        .routes(routes!(notices::send))
        .routes(routes!(notices::send_batch))
        .routes(routes!(pages::show, pages::act))
        .routes(routes!(monitors::by_get, monitors::by_post))
        .routes(routes!(monitors::status_by_get, monitors::status_by_post))
        .routes(routes!(monitors::as_goalert))
        .routes(routes!(status::healthz))
        .routes(routes!(status::readyz))
        .merge(alertmanager::routes())
        .merge(hooks::routes())
}

fn started() -> Routes {
    let mut document = Document::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("token", scheme);
    OpenApiRouter::with_openapi(document)
}

fn finished(routes: Routes) -> (Router<Arc<Shared>>, utoipa::openapi::OpenApi) {
    let (router, document) = routes.split_for_parts();
    (router.fallback(nowhere).method_not_allowed_fallback(wrong_method), document)
}

async fn nowhere(uri: Uri) -> Rejection {
    Rejection::new(Kind::NotFound, format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Rejection {
    Rejection::new(Kind::MethodNotAllowed, format!("{method} is not for {}", uri.path()))
}

/// Gives this document.
#[utoipa::path(get, operation_id = "show_openapi", path = "/openapi.json", tag = "status", security(()),
    responses((status = 200, content_type = "application/json", body = String, description = "OpenAPI 3.1")))]
async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi())
}

/// The OpenAPI 3.1 document, as JSON for people to read.
///
/// # Panics
/// Never: a document has text keys only.
pub fn openapi() -> String {
    whole().1.to_pretty_json().expect("a document has text keys only") + "\n"
}
