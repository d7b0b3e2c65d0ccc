//! `cluster …`: several machines as one, seen from any of them.
//!
//! Separate from the other commands, because these concern machines and not alerts. `join` brings a machine in,
//! `status` shows, `control` hands over, `members` takes out, `audit` counts and compares; what is set in one
//! go stands here.

use crate::client::{Ask, Client};
use crate::cluster_args::{ClusterAction, Mode, Switch};
use crate::exit::Outcome;
use crate::output::Output;
use serde_json::{Value, json};

mod audit;
mod control;
mod forms;
pub(crate) mod join;
mod members;
mod status;

/// `cluster …`.
pub(crate) async fn cluster(client: &Client, out: &mut Output, action: &ClusterAction) -> Outcome {
    match action {
        ClusterAction::Status { watch } => status::status(client, out, *watch).await,
        ClusterAction::SwitchOver { node, because, sure } => {
            control::switch_over(client, out, node.as_deref(), because.as_deref(), *sure).await
        }
        ClusterAction::TakeOver { because, sure } => {
            control::take_over(client, out, because.as_deref(), *sure).await
        }
        ClusterAction::Recover { node, timeout } => {
            control::recover(client, out, node.as_deref(), *timeout).await
        }
        ClusterAction::Leave { sure } => members::leave(client, out, *sure).await,
        ClusterAction::Remove { node, sure } => members::remove(client, out, node, *sure).await,
        ClusterAction::ForcePrimary { sure } => members::force_primary(client, out, *sure).await,
        ClusterAction::Mode { mode } => set_mode(client, out, *mode).await,
        ClusterAction::Takeover { state } => set_takeover(client, out, *state).await,
        ClusterAction::Maintenance { state, reason } => {
            set_maintenance(client, out, *state, reason.as_deref()).await
        }
        ClusterAction::Totals { since } => audit::totals(client, out, since.as_deref()).await,
        ClusterAction::Verify => audit::verify(client, out).await,
    }
}

async fn conduct(client: &Client, out: &mut Output, body: &Value, done: &str) -> Outcome {
    let answer = client.ask(Ask::post(&["cluster", "conduct"], body).repeatable()).await?;
    out.answer(&answer.body, || Ok(done.to_owned()))
}

async fn set_mode(client: &Client, out: &mut Output, mode: Mode) -> Outcome {
    let (word, done) = match mode {
        Mode::ActiveActive => ("active/active", "active/active: every node sends what it accepted"),
        Mode::ActivePassive => ("active/passive", "active/passive: only the node in control sends"),
    };
    conduct(client, out, &json!({ "mode": word }), done).await
}

async fn set_takeover(client: &Client, out: &mut Output, state: Switch) -> Outcome {
    let (on, done) = match state {
        Switch::On => (true, "what a dead node leaves is taken over by itself"),
        Switch::Off => {
            (false, "nothing is taken over by itself: `steadfast cluster take-over` does it by hand")
        }
    };
    conduct(client, out, &json!({ "takeover": on }), done).await
}

async fn set_maintenance(client: &Client, out: &mut Output, state: Switch, reason: Option<&str>) -> Outcome {
    match state {
        Switch::On => {
            let reason = reason.unwrap_or_default();
            let done =
                "maintenance: nothing is taken over by itself until `steadfast cluster maintenance off`";
            conduct(client, out, &json!({ "maintenance": reason }), done).await
        }
        Switch::Off => conduct(client, out, &json!({ "maintenance": "" }), "maintenance is over").await,
    }
}
