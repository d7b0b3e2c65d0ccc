//! The command line of heartbeat monitors and of the daily heartbeat.
//!
//! Separate from `args` for its size; how a monitor is written is a matter of the section `monitors`.

use clap::{Args, Subcommand};

/// `ping`.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// The monitor
    pub(crate) monitor: String,
    /// It failed: raise the alert now
    #[arg(long, conflicts_with = "status")]
    pub(crate) fail: bool,
    /// The exit status of what ran; 0 is well, anything else raises the alert now
    #[arg(long, value_name = "NUMBER")]
    pub(crate) status: Option<u8>,
    /// What is said with a failure
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    pub(crate) message: Option<String>,
}

/// `heartbeat …`.
#[derive(Debug, Subcommand)]
pub(crate) enum HeartbeatAction {
    /// Send the daily heartbeat now, to try it out; that of the day is sent all the same
    Send,
}
