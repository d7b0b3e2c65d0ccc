//! The command line of imports: one subcommand for each program that people come from.

use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// From which program.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportAction {
    /// Alertmanager 0.25 and later: its alertmanager.yml
    #[command(
        after_help = "Example:\n  steadfast import alertmanager /etc/prometheus/alertmanager.yml -o directory.toml"
    )]
    Alertmanager(Import),
    /// GoAlert: the answer to a GraphQL query, which the manual gives
    #[command(after_help = "Example:\n  steadfast import goalert goalert.json -o directory.toml")]
    Goalert(Import),
    /// Grafana OnCall: the answers of its API in one object, by commands that the manual gives
    #[command(after_help = "Example:\n  steadfast import oncall oncall.json -o directory.toml")]
    Oncall(Import),
}

/// What is read and written.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What the other program uses or gives
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where the directory document goes; nothing that is there is overwritten [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Where the report goes [default: standard error]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
}
