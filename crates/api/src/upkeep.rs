//! What an administrator has done to the node itself: a backup, and a try of a provider.

use crate::Server;
use crate::auth::{Admin, Allowed, Operate};
use crate::orders::Nothing;
use crate::problem::{Kind, Rejection};
use crate::read::{Json, Path};
use axum::extract::State;
use base::Name;
use dispatch::Input;
use dispatch::input::Order;
use serde::Serialize;
use utoipa::ToSchema;

/// A backup that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupBody {
    /// Its file or folder, on the node's machine.
    file: String,
    /// Its size.
    bytes: u64,
}

/// A provider that was reached.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProbeBody {
    /// True: one that cannot be reached is answered with a problem.
    reached: bool,
    /// What it said.
    detail: String,
}

/// Makes a backup in the data folder while the node goes on.
#[utoipa::path(post, operation_id = "make_backup", path = "/api/v1/backup", tag = "upkeep", request_body = Nothing,
    responses((status = 200, body = BackupBody, description = "Where it is"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "It was not made")))]
pub(crate) async fn backup(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Admin>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<axum::Json<BackupBody>, Rejection> {
    let made = shared.api.services.backup().await.map_err(|why| Rejection::new(Kind::Unavailable, why))?;
    let file = made.file.display().to_string();
    let (by, what) = (caller.actor, format!("made the backup {file}").into());
    let order = Order::Note { what };
    shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?;
    Ok(axum::Json(BackupBody { file, bytes: made.bytes }))
}

/// Tries to reach a provider without sending anything.
#[utoipa::path(post, operation_id = "test_provider", path = "/api/v1/providers/{name}/test", tag = "upkeep", request_body = Nothing,
    params(("name" = String, Path, description = "The provider")),
    responses((status = 200, body = ProbeBody, description = "It was reached"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "It cannot be reached, or there is none")))]
pub(crate) async fn probe(
    State(shared): Server,
    _: Allowed<Operate>,
    Path(name): Path<String>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<axum::Json<ProbeBody>, Rejection> {
    let none = || Rejection::new(Kind::NotFound, format!("there is no provider {name:?}"));
    let name = Name::new(&name).map_err(|_| none())?;
    let asked = name.clone();
    let known = shared.api.calls.read(move |core, now| core.providers(now).iter().any(|it| it.name == asked));
    let known = known.await?;
    match shared.api.services.probe(&name).await {
        Ok(detail) => Ok(axum::Json(ProbeBody { reached: true, detail })),
        Err(why) if known => Err(Rejection::new(Kind::Unreachable, why)),
        Err(why) => Err(Rejection::new(Kind::NotFound, why)),
    }
}
