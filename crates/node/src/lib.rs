//! The shell around the core: clocks, threads, sockets, files. It decides nothing about alerts.
//!
//! Reading order: `run` (how a node starts and stops), `event_loop` (the only loop), `outbox` and `letter`
//! (a delivery on its way out), `publish` (what became durable, told to the world), `config`, `init`.

pub mod addresses;
mod clock;
pub mod config;
mod doors;
mod event_loop;
mod files;
mod heartbeat;
pub mod init;
pub mod invite;
pub mod join;
pub mod judge;
mod letter;
pub mod members;
mod metrics;
mod mirror;
mod neighbours;
mod on_call;
mod outbox;
pub mod pki;
mod publish;
pub mod render;
mod run;
mod services;
mod syslog;
pub mod telemetry;

pub use api::openapi;
pub use files::WriteError;
pub use metrics::COUNTERS;
pub use run::{LISTENING_FILE, Ready, RunError, run};
