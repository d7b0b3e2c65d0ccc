//! The command line of the cluster: `join` and `cluster …`.
//!
//! Separate from the other arguments, because these commands concern machines.

use crate::args::Sure;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::time::Duration;

/// `join`.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// What `steadfast token create` printed on a node of the cluster; `-` reads it from standard input
    pub(crate) join_token: String,
    /// The node's name [default: the machine's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where the API and the acknowledge pages listen (HTTPS)
    #[arg(long, visible_alias = "api", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,
    /// Where notices are taken by plain HTTP, for tools that cannot do otherwise; keep it on loopback
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) ingest: SocketAddr,
    /// Where other nodes of the cluster are let in
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = node::config::PEERS_LISTEN)]
    pub(crate) peers: SocketAddr,
    /// What the others dial to reach this machine; repeat it for several networks
    /// [default: the address by which this machine reaches the cluster]
    #[arg(long = "address", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) addresses: Vec<String>,
    /// A further name or address that people and programs reach the node by, for its certificate; repeat it
    #[arg(long, value_name = "NAME")]
    pub(crate) reached_as: Vec<String>,
    /// What this machine is to be; refused if it was invited as something else
    #[arg(long, value_enum)]
    pub(crate) role: Option<Role>,
    /// File with an access token of the cluster, or the token itself, to be kept for the command line here
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token: Option<String>,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Accepts, sends, and is waited for
    Member,
    /// Holds everything a little later: for a far away place
    Backup,
    /// Holds no alerts: says whom it can hear
    Witness,
}

/// `cluster`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterAction {
    /// How every node is, and why
    Status {
        /// Keep showing it
        #[arg(short, long)]
        watch: bool,
    },
    /// Hand over control, interrupting nothing; what blocks it is listed
    #[command(after_help = "Examples:\n  steadfast cluster switch-over --because 'new disk'\n  \
                            steadfast cluster switch-over north --yes")]
    SwitchOver {
        /// To this node [default: the next in the order of precedence]
        node: Option<String>,
        /// Why, for the trail
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Make this node the one in control, without asking the one that is
    TakeOver {
        /// Why, for the trail
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Wait until a returned node is level, and give control back to it if it has precedence
    #[command(after_help = "It can be asked of any node: the one that stayed, or the one that returned.")]
    Recover {
        /// The node that returned [default: the one that is not level]
        node: Option<String>,
        /// Give up after this
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
        timeout: Duration,
    },
    /// Hand over everything, and take this node out of the cluster
    Leave {
        #[command(flatten)]
        sure: Sure,
    },
    /// Take a node out of the cluster that will not return
    Remove {
        /// Its name or id
        node: String,
        #[command(flatten)]
        sure: Sure,
    },
    /// Make this node the one that changes the directory
    ForcePrimary {
        #[command(flatten)]
        sure: Sure,
    },
    /// Who sends: every node what it accepted, or only the node in control
    Mode {
        /// Which
        mode: Mode,
    },
    /// Whether what a dead node leaves is taken over by itself
    Takeover {
        /// Which
        state: Switch,
    },
    /// While somebody works on the site: nothing is taken over by itself, and a lost node is no alarm
    #[command(after_help = "Examples:\n  steadfast cluster maintenance on 'new switch in the north'\n  \
                            steadfast cluster maintenance off")]
    Maintenance {
        /// Which
        state: Switch,
        /// Why, for those who wonder
        #[arg(required_if_eq("state", "on"))]
        reason: Option<String>,
    },
    /// What went through each node, for each source
    Totals {
        /// From then on: a duration such as 24h, or a time such as 2026-07-28T10:00:00Z
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
    },
    /// Ask every node what it holds, and compare
    Verify,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Every node sends what it accepted
    ActiveActive,
    /// Only the node in control sends; the others stand by
    ActivePassive,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// From now on
    On,
    /// No more
    Off,
}

/// A join token.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// What the machine is to be
    #[arg(long, value_enum, default_value = "member")]
    pub(crate) role: Role,
    /// How long the token is good; at most 7d
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) valid: String,
}

/// Reads a duration such as `10m`.
fn duration(text: &str) -> Result<Duration, String> {
    base::time::parse_duration(text)
}
