//! The shell around the core: clocks, threads, sockets, files. It decides nothing about alerts.
//!
//! Reading order: `run` (how a node starts and stops), `event_loop` (the only loop), `outbox` and `letter`
//! (a delivery on its way out), `publish` (what became durable, told to the world), `config`, `init`.

mod clock;
pub mod config;
mod doors;
mod event_loop;
pub mod init;
pub mod judge;
mod letter;
mod metrics;
mod outbox;
mod publish;
pub mod render;
mod run;
mod services;
mod syslog;
pub mod telemetry;

pub use api::openapi;
pub use metrics::COUNTERS;
pub use run::{LISTENING_FILE, Ready, RunError, run};
