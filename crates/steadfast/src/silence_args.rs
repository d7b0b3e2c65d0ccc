//! The command line of silences.
//!
//! Separate from `args` for its size; maintenance windows that come again and again are the section `maintenance`.

use crate::args::Sure;
use clap::{Args, Subcommand};

/// `silence …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SilenceAction {
    /// Tell nothing of some alerts for a time
    #[command(after_help = ADD_EXAMPLES)]
    Add(SilenceAdd),
    /// List silences and maintenance windows
    List {
        /// Those that are over too; they are known for five days
        #[arg(long)]
        all: bool,
    },
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// End one now
    Expire {
        /// Its id
        id: String,
        #[command(flatten)]
        sure: Sure,
    },
}

/// `silence add`.
#[derive(Debug, Args)]
pub(crate) struct SilenceAdd {
    /// What the labels must be like, all of it: name="value", !=, =~ or !~ with an expression
    #[arg(value_name = "MATCHER", required = true)]
    pub(crate) matchers: Vec<String>,
    /// For how long
    #[arg(long = "for", value_name = "TIME", required_unless_present = "until", conflicts_with = "until")]
    pub(crate) lasts: Option<String>,
    /// Until when, as in RFC 3339, or for how long from now
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// From when, as in RFC 3339, or in how long from now [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Why
    #[arg(short = 'm', long = "message", value_name = "WORDS", required_unless_present = "dry_run")]
    pub(crate) comment: Option<String>,
    /// In whose name [default: whose token it is]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Only say which open alerts it would hold back now
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const ADD_EXAMPLES: &str = "\
Examples:
  steadfast silence add 'site=\"north\"' --for 2h -m 'works at the line'
  steadfast silence add 'alertname=~\"Disk.*\"' 'host!=\"db1\"' --until 2026-12-24T06:00:00+01:00 -m migration
  steadfast silence add 'site=\"north\"' --from 2026-12-24T22:00:00Z --for 4h -m 'a window that comes once'";
