//! The directory over HTTP: shown, judged, compared and replaced as one document, or one entry at a time.
//!
//! Every change is a change of the whole against the version it was made from, so that two people who edit at
//! once cannot overwrite each other unseen. Tokens and users are for administrators only: others neither see
//! nor change them, and a document that leaves them out leaves them as they are.

use crate::auth::{Allowed, Caller, Edit, Read};
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Place, Rejection};
use crate::read::{Json, Path, body_bytes, expect_json, read_json};
use crate::{Server, Shared};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base::Name;
use base::limits::DIRECTORY_BYTES_MAX;
use dispatch::directory::{Edition, Scope};
use dispatch::input::Order;
use dispatch::record::Actor;
use dispatch::{Answer, Input, Refusal};
use record::document::{Document, Kind as ChangeKind, Lines, Located, Problem, diff};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// How often a change of one entry is made anew when somebody else was quicker.
const TRIES: usize = 4;
/// Changes named in the trail.
const TRAILED_MAX: usize = 5;
/// Changes listed in an answer.
const CHANGES_MAX: usize = 1000;

/// What a change came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedBody {
    /// Counts the writers.
    pub(crate) term: u64,
    /// The version from now on.
    pub(crate) version: u64,
    /// What changed; at most the first thousand.
    pub(crate) changes: Vec<ChangeBody>,
}

/// One difference between two directories.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct ChangeBody {
    /// What, as a path such as `recipients.anna.addresses[0].value`.
    what: String,
    /// `added`, `removed` or `changed`.
    kind: &'static str,
    /// What it was, unless it was added or is a secret.
    from: Option<String>,
    /// What it is, unless it was removed or is a secret.
    to: Option<String>,
}

/// What would change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffBody {
    /// The version it was compared with.
    version: u64,
    /// What would change; at most the first thousand.
    changes: Vec<ChangeBody>,
}

/// A document that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckedBody {
    /// Always true: what does not hold is answered with a problem.
    valid: bool,
}

/// A document as it was sent: JSON or TOML.
pub(crate) struct Posted {
    document: Document,
    toml: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Rejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = body_bytes(body, DIRECTORY_BYTES_MAX).await?;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/toml") && !kind.starts_with("text/") {
            expect_json(&parts.headers)?;
            return read_json(&bytes).map(|document| Self { document, toml: None });
        }
        let text = String::from_utf8(bytes.into())
            .map_err(|_| Rejection::new(Kind::Malformed, "the document is not UTF-8"))?;
        let document = record::document::read_toml(&text, "body").map_err(|located| refused([located]))?;
        Ok(Self { document, toml: Some(text) })
    }
}

impl Posted {
    /// Problems with their lines, where the document has lines.
    fn rejected(&self, problems: Vec<Problem>) -> Rejection {
        let lines = self.toml.as_deref().map(Lines::new);
        refused(problems.into_iter().map(|problem| match &lines {
            Some(lines) => lines.located(problem, "body"),
            None => Located { file: "body".to_owned(), line: 0, column: 0, problem },
        }))
    }
}

fn refused(problems: impl IntoIterator<Item = Located>) -> Rejection {
    let place = |located: Located| Place {
        line: Some(located.line).filter(|line| *line > 0),
        ..Place::new(located.problem.pointer, located.problem.detail)
    };
    Rejection::places(Kind::Invalid, problems.into_iter().map(place).collect())
}

/// Problems of a document without lines.
pub(crate) fn unplaced(problems: Vec<Problem>) -> Rejection {
    let place = |problem: Problem| Place::new(problem.pointer, problem.detail);
    Rejection::places(Kind::Invalid, problems.into_iter().map(place).collect())
}

fn etag(edition: &Edition) -> String {
    format!("\"{}-{}\"", edition.term, edition.version)
}

/// Refuses a change that was made from another version than the present one.
fn matching(headers: &HeaderMap, edition: &Edition) -> Result<(), Rejection> {
    let Some(given) = headers.get(IF_MATCH) else { return Ok(()) };
    let given = String::from_utf8_lossy(given.as_bytes());
    let present = etag(edition);
    if given
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_matches('"') == present.trim_matches('"'))
    {
        return Ok(());
    }
    let detail = format!("the directory changed meanwhile; it is at version {present}");
    Err(Rejection::new(Kind::Stale, detail))
}

/// Runs work that would hold up other requests.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Rejection> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Rejection::new(Kind::Fault, "the work ended before it was done"))
}

/// The directory as `caller` may see it.
async fn seen(shared: &Shared, caller: &Caller) -> Result<(Edition, Document), Rejection> {
    let edition = shared.edition().await?;
    let all = caller.may(Scope::Admin);
    let directory = Arc::clone(&edition.directory);
    let document = aside(move || {
        let mut document = Document::from(&*directory);
        if !all {
            document.tokens.clear();
            document.users.clear();
        }
        document
    });
    Ok((edition, document.await?))
}

/// Shows the directory.
///
/// Tokens and users are shown to administrators only. With `Accept: application/toml` it comes as TOML.
#[utoipa::path(get, operation_id = "show_directory", path = "/api/v1/directory", tag = "directory",
    responses((status = 200, body = Document, description = "The directory; its version is the ETag"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn show(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Read>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let (edition, document) = seen(&shared, &caller).await?;
    let accepted = headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let tag = [(ETAG, etag(&edition))];
    if accepted.starts_with("application/toml") || accepted.starts_with("text/") {
        let text = aside(move || record::document::write_toml(&document)).await?;
        return Ok((tag, [(CONTENT_TYPE, "application/toml")], text).into_response());
    }
    Ok((tag, axum::Json(document)).into_response())
}

/// Replaces the directory.
///
/// Takes JSON or TOML. With If-Match it is replaced only if it is still at that version. Tokens and users that
/// are left out stay; with them, the scope `admin` is needed.
#[utoipa::path(put, operation_id = "replace_directory", path = "/api/v1/directory", tag = "directory", request_body = Document,
    params(("If-Match" = Option<String>, Header, description = "The ETag it was made from")),
    responses((status = 200, body = ChangedBody, description = "The new version and what changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused; every problem has its pointer")))]
pub(crate) async fn replace(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Edit>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Rejection> {
    let edition = shared.edition().await?;
    matching(&headers, &edition)?;
    let document = completed(&caller, &edition, &posted.document)?;
    let changed = put(&shared, &caller.actor, &edition, document).await;
    match changed {
        Ok(changed) => Ok(changed),
        Err(Failure::Invalid(problems)) => Err(posted.rejected(problems)),
        Err(Failure::Other(rejection)) => Err(rejection),
    }
}

/// The document with the tokens and users there are where it leaves them out.
fn completed(caller: &Caller, edition: &Edition, posted: &Document) -> Result<Document, Rejection> {
    let mut document = posted.clone();
    let present = || Document::from(&*edition.directory);
    if document.tokens.is_empty() || document.users.is_empty() || !caller.may(Scope::Admin) {
        let present = present();
        if document.tokens.is_empty() {
            document.tokens = present.tokens.clone();
        }
        if document.users.is_empty() {
            document.users = present.users.clone();
        }
        if document.tokens != present.tokens || document.users != present.users {
            caller.must(Scope::Admin)?;
        }
    }
    Ok(document)
}

/// Why the directory was not replaced.
enum Failure {
    Invalid(Vec<Problem>),
    Other(Rejection),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Other(rejection)
    }
}

/// Replaces the edition by a document, if it is still the present one.
async fn put(
    shared: &Shared,
    by: &Actor,
    edition: &Edition,
    document: Document,
) -> Result<Response, Failure> {
    let (services, present) = (Arc::clone(&shared.api.services), Arc::clone(&edition.directory));
    let checked = aside(move || {
        // Compared as it is kept: what is as by default is no change.
        let directory = services.check(&document)?;
        let changes = diff(&Document::from(&*present), &Document::from(&directory));
        Ok((Arc::new(directory), changes))
    });
    let (directory, changes) = checked.await?.map_err(Failure::Invalid)?;
    let mut now = edition.clone();
    if !changes.is_empty() {
        let (by, summary, expected) = (by.clone(), summary(&changes), Some(edition.version));
        let order = Order::Directory { directory, expected, summary };
        let answer = shared.api.calls.put(move |ticket| Input::Order { ticket, by, order });
        match answer.await.map_err(Rejection::from)? {
            Answer::Done { .. } => (),
            Answer::Refused(refusal) => return Err(Failure::Other(refusal.into())),
            Answer::Taken { .. } | Answer::Silenced { .. } => {
                let fault = Rejection::new(Kind::Fault, "the core gave another answer than to an order");
                return Err(Failure::Other(fault));
            }
        }
        // What is read next is what was written.
        now = shared.api.calls.read(|core, _| core.edition().clone()).await.map_err(Rejection::from)?;
        shared.api.changes.keep(&now);
    }
    let body = ChangedBody { term: now.term, version: now.version, changes: listed(changes) };
    Ok(([(ETAG, etag(&now))], axum::Json(body)).into_response())
}

fn listed(changes: Vec<record::document::Change>) -> Vec<ChangeBody> {
    let word = |kind| match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
    };
    let each = changes.into_iter().take(CHANGES_MAX);
    each.map(|it| ChangeBody { what: it.what, kind: word(it.kind), from: it.from, to: it.to }).collect()
}

/// What changed, in a line for the trail. Values are left out: some are addresses.
fn summary(changes: &[record::document::Change]) -> Arc<str> {
    let word = |change: &record::document::Change| match change.kind {
        ChangeKind::Added => format!("{} added", change.what),
        ChangeKind::Removed => format!("{} removed", change.what),
        ChangeKind::Changed => format!("{} changed", change.what),
    };
    let told: Vec<String> = changes.iter().take(TRAILED_MAX).map(word).collect();
    let rest = changes.len().saturating_sub(TRAILED_MAX);
    let more = if rest > 0 { format!(", and {rest} more") } else { String::new() };
    (told.join(", ") + &more).into()
}

/// Changes the directory in place, made anew if somebody else is quicker. `edit` may refuse.
pub(crate) async fn change(
    shared: &Shared,
    by: &Actor,
    headers: &HeaderMap,
    edit: impl Fn(&mut Document) -> Result<(), Rejection>,
) -> Result<Response, Rejection> {
    for _ in 0..TRIES {
        let edition = shared.edition().await?;
        matching(headers, &edition)?;
        let mut document = Document::from(&*edition.directory);
        edit(&mut document)?;
        match put(shared, by, &edition, document).await {
            Ok(response) => return Ok(response),
            Err(Failure::Invalid(problems)) => return Err(unplaced(problems)),
            Err(Failure::Other(rejection)) if rejection.status == StatusCode::PRECONDITION_FAILED => {
                let present = shared.api.calls.read(|core, _| core.edition().clone()).await?;
                shared.api.changes.keep(&present);
            }
            Err(Failure::Other(rejection)) => return Err(rejection),
        }
    }
    Err(Refusal::Stale { version: shared.edition().await?.version }.into())
}

/// Judges a document without changing anything.
#[utoipa::path(post, operation_id = "check_directory", path = "/api/v1/directory/check", tag = "directory", request_body = Document,
    responses((status = 200, body = CheckedBody, description = "It holds"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "It does not hold; every problem has its pointer")))]
pub(crate) async fn check(
    State(shared): Server,
    _: Allowed<Read>,
    posted: Posted,
) -> Result<axum::Json<CheckedBody>, Rejection> {
    let (services, document) = (Arc::clone(&shared.api.services), posted.document.clone());
    let checked = aside(move || services.check(&document)).await?;
    checked.map(|_| axum::Json(CheckedBody { valid: true })).map_err(|problems| posted.rejected(problems))
}

/// Says what would change if a document replaced the directory.
#[utoipa::path(post, operation_id = "diff_directory", path = "/api/v1/directory/diff", tag = "directory", request_body = Document,
    responses((status = 200, body = DiffBody, description = "What would change"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn compare(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Read>,
    posted: Posted,
) -> Result<axum::Json<DiffBody>, Rejection> {
    let (edition, present) = seen(&shared, &caller).await?;
    let mut document = posted.document;
    if document.tokens.is_empty() {
        document.tokens.clone_from(&present.tokens);
    }
    if document.users.is_empty() {
        document.users.clone_from(&present.users);
    }
    // Compared as it would be kept: what is as by default is no difference.
    let services = Arc::clone(&shared.api.services);
    let changes = aside(move || {
        let document = services.check(&document).map_or(document, |directory| Document::from(&directory));
        diff(&present, &document)
    });
    Ok(axum::Json(DiffBody { version: edition.version, changes: listed(changes.await?) }))
}

/// What another node changed and the cluster did not keep.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LostDirectory)]
pub(crate) struct LostBody {
    /// The lost branch's term.
    term: u64,
    /// Its version.
    version: u64,
    /// The id of the node that made it.
    node: Option<String>,
    /// Its name, while it belongs to the cluster.
    name: Option<String>,
    /// The term that was kept.
    kept_term: u64,
    /// The version that was kept.
    kept_version: u64,
    /// What would change if the lost branch were put in place; at most the first thousand.
    changes: Vec<ChangeBody>,
}

/// Shows what another node changed and the cluster did not keep, when two had changed the directory apart.
#[utoipa::path(get, operation_id = "show_lost_directory", path = "/api/v1/directory/lost", tag = "directory",
    responses((status = 200, body = LostBody, description = "What was lost"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused, or nothing was lost")))]
pub(crate) async fn lost(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Read>,
) -> Result<axum::Json<LostBody>, Rejection> {
    let (kept, present) = seen(&shared, &caller).await?;
    let lost = shared.api.calls.read(|core, _| core.state().lost_edition().cloned()).await?;
    let lost = lost.ok_or_else(|| Rejection::new(Kind::NotFound, "no change of the directory was lost"))?;
    let (names, all) = (crate::cluster::audit::names(&shared).await?, caller.may(Scope::Admin));
    let directory = Arc::clone(&lost.directory);
    let changes = aside(move || {
        let mut document = Document::from(&*directory);
        if !all {
            document.tokens.clear();
            document.users.clear();
        }
        diff(&present, &document)
    });
    let node = lost.writer.map(|node| node.to_string());
    Ok(axum::Json(LostBody {
        term: lost.term,
        version: lost.version,
        name: node.as_ref().and_then(|node| names.get(node).cloned()),
        node,
        kept_term: kept.term,
        kept_version: kept.version,
        changes: listed(changes.await?),
    }))
}

/// The sections whose entries can be changed one by one.
const SECTIONS: [&str; 12] = [
    "departments",
    "recipients",
    "groups",
    "schedules",
    "monitors",
    "calendars",
    "policies",
    "templates",
    "filters",
    "routes",
    "inhibitions",
    "maintenance",
];

fn known(section: &str) -> Result<(), Rejection> {
    if SECTIONS.contains(&section) {
        return Ok(());
    }
    let hint = suggestion(section, SECTIONS);
    Err(Rejection::new(Kind::NotFound, format!("there is no section {}{hint}", quoted(section))))
}

fn entry<T: Serialize>(table: &BTreeMap<String, T>, name: &str) -> Option<serde_json::Value> {
    table.get(name).and_then(|entry| serde_json::to_value(entry).ok())
}

/// Shows one entry.
#[utoipa::path(get, path = "/api/v1/directory/{section}/{name}", tag = "directory",
    params(("section" = String, Path, description = "departments, recipients, groups, schedules, monitors, calendars, policies, templates, routes, filters, inhibitions or maintenance"),
        ("name" = String, Path, description = "The entry's name")),
    responses((status = 200, body = serde_json::Value, description = "The entry, as in the whole document"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn show_entry(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Read>,
    Path((section, name)): Path<(String, String)>,
) -> Result<Response, Rejection> {
    known(&section)?;
    let (edition, book) = seen(&shared, &caller).await?;
    let found = match section.as_str() {
        "departments" => entry(&book.departments, &name),
        "recipients" => entry(&book.recipients, &name),
        "groups" => entry(&book.groups, &name),
        "schedules" => entry(&book.schedules, &name),
        "monitors" => entry(&book.monitors, &name),
        "calendars" => entry(&book.calendars, &name),
        "policies" => entry(&book.policies, &name),
        "templates" => entry(&book.templates, &name),
        "filters" => entry(&book.filters, &name),
        "maintenance" => entry(&book.maintenance, &name),
        "inhibitions" => {
            let found = book.inhibitions.iter().find(|it| it.name == name);
            found.and_then(|it| serde_json::to_value(it).ok())
        }
        _ => {
            let route = book.routes.iter().find(|route| route.name == name);
            route.and_then(|route| serde_json::to_value(route).ok())
        }
    };
    let found = found.ok_or_else(|| missing(&section, &name))?;
    Ok(([(ETAG, etag(&edition))], axum::Json(found)).into_response())
}

fn missing(section: &str, name: &str) -> Rejection {
    Rejection::new(Kind::NotFound, format!("there is no {} in {section}", quoted(name)))
}

/// Adds or replaces one entry. A new route goes to the end.
#[utoipa::path(put, path = "/api/v1/directory/{section}/{name}", tag = "directory",
    request_body = serde_json::Value,
    params(("section" = String, Path, description = "departments, recipients, groups, schedules, monitors, calendars, policies, templates, routes, filters, inhibitions or maintenance"),
        ("name" = String, Path, description = "The entry's name"),
        ("If-Match" = Option<String>, Header, description = "The ETag it was made from")),
    responses((status = 200, body = ChangedBody, description = "The new version and what changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn put_entry(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Edit>,
    Path((section, name)): Path<(String, String)>,
    headers: HeaderMap,
    Json(given): Json<serde_json::Value>,
) -> Result<Response, Rejection> {
    known(&section)?;
    Name::new(&name).map_err(|error| Rejection::at(Kind::Invalid, "name", error.to_string()))?;
    change(&shared, &caller.actor, &headers, |book| match section.as_str() {
        "departments" => set(&mut book.departments, &name, given.clone()),
        "recipients" => set(&mut book.recipients, &name, given.clone()),
        "groups" => set(&mut book.groups, &name, given.clone()),
        "schedules" => set(&mut book.schedules, &name, given.clone()),
        "monitors" => set(&mut book.monitors, &name, given.clone()),
        "calendars" => set(&mut book.calendars, &name, given.clone()),
        "policies" => set(&mut book.policies, &name, given.clone()),
        "templates" => set(&mut book.templates, &name, given.clone()),
        "filters" => set(&mut book.filters, &name, given.clone()),
        "maintenance" => set(&mut book.maintenance, &name, given.clone()),
        "inhibitions" => set_named(&mut book.inhibitions, |it| &it.name, &name, given.clone()),
        _ => set_named(&mut book.routes, |route| &route.name, &name, given.clone()),
    })
    .await
}

fn set<T: serde::de::DeserializeOwned>(
    table: &mut BTreeMap<String, T>,
    name: &str,
    given: serde_json::Value,
) -> Result<(), Rejection> {
    table.insert(name.to_owned(), crate::read::read_value(given)?);
    Ok(())
}

fn set_named<T: serde::de::DeserializeOwned>(
    entries: &mut Vec<T>,
    name_of: impl Fn(&T) -> &str,
    name: &str,
    mut given: serde_json::Value,
) -> Result<(), Rejection> {
    if let Some(fields) = given.as_object_mut() {
        fields.entry("name").or_insert_with(|| name.into());
    }
    let entry: T = crate::read::read_value(given)?;
    if name_of(&entry) != name {
        return Err(Rejection::at(Kind::Invalid, "/name", "the path says another name"));
    }
    match entries.iter_mut().find(|known| name_of(known) == name) {
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
    Ok(())
}

/// Removes one entry.
#[utoipa::path(delete, path = "/api/v1/directory/{section}/{name}", tag = "directory",
    params(("section" = String, Path, description = "departments, recipients, groups, schedules, monitors, calendars, policies, templates, routes, filters, inhibitions or maintenance"),
        ("name" = String, Path, description = "The entry's name"),
        ("If-Match" = Option<String>, Header, description = "The ETag it was made from")),
    responses((status = 200, body = ChangedBody, description = "The new version and what changed"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused, for instance because others refer to it")))]
pub(crate) async fn remove_entry(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Edit>,
    Path((section, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    known(&section)?;
    change(&shared, &caller.actor, &headers, |book| {
        let gone = match section.as_str() {
            "departments" => book.departments.remove(&name).is_some(),
            "recipients" => book.recipients.remove(&name).is_some(),
            "groups" => book.groups.remove(&name).is_some(),
            "schedules" => book.schedules.remove(&name).is_some(),
            "monitors" => book.monitors.remove(&name).is_some(),
            "calendars" => book.calendars.remove(&name).is_some(),
            "policies" => book.policies.remove(&name).is_some(),
            "templates" => book.templates.remove(&name).is_some(),
            "filters" => book.filters.remove(&name).is_some(),
            "maintenance" => book.maintenance.remove(&name).is_some(),
            "inhibitions" => book.inhibitions.extract_if(.., |it| it.name == name).next().is_some(),
            _ => book.routes.extract_if(.., |route| route.name == name).next().is_some(),
        };
        if gone { Ok(()) } else { Err(missing(&section, &name)) }
    })
    .await
}
