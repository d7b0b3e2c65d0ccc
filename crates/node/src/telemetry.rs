//! What the program says of itself, on standard error: lines for people, or JSON for collectors.

use crate::config::Log;
use tracing_subscriber::EnvFilter;

/// The environment variable that overrides the node file's level, such as `debug` or `info,dispatch=trace`.
pub const LOG_VARIABLE: &str = "STEADFAST_LOG";

/// Starts logging. A second start in one process changes nothing.
pub fn start(log: &Log) {
    let level = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started =
        if log.format == "json" { lines.json().try_init() } else { lines.with_target(false).try_init() };
    drop(started); // It was started before.
}
