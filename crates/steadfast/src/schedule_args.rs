//! The command line of on-call schedules: who is on call, and who stands in for whom.
//!
//! Separate from `args` for its size; how a schedule is written is a matter of the section `schedules`.

use crate::args::Sure;
use clap::{Args, Subcommand};

/// `on-call`.
#[derive(Debug, Args)]
pub(crate) struct OnCall {
    /// Only this schedule
    pub(crate) schedule: Option<String>,
    /// Another moment than now, in the schedule's local time, such as 2026-12-24T22:00, or as in
    /// RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

/// `schedule …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleAction {
    /// List who is on call from when until when
    #[command(after_help = "Example:\n  steadfast schedule shifts nights --from 2026-12-01T00:00")]
    Shifts {
        /// The schedule
        schedule: String,
        /// From when, in the schedule's local time or as in RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when [default: four weeks later]
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
    /// Print the shifts as an iCalendar document (RFC 5545)
    Ical {
        /// The schedule
        schedule: String,
    },
    /// Who stands in for whom, for a time
    #[command(subcommand)]
    Override(OverrideAction),
}

/// `schedule override …`.
#[derive(Debug, Subcommand)]
pub(crate) enum OverrideAction {
    /// Put people in place of those whose turn it is
    #[command(after_help = "Examples:\n  steadfast schedule override add nights --who carl --until 4h\n  \
                            steadfast schedule override add nights --who carl --instead-of anna \
                            --from 2026-12-24T12:00 --until 2026-12-27T12:00")]
    Add {
        /// The schedule
        schedule: String,
        /// Who: recipients, groups or schedules, with commas
        #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
        who: Vec<String>,
        /// From when, in the schedule's local time or as in RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when, likewise, or for how long from now
        #[arg(long, value_name = "TIME")]
        until: String,
        /// In whose place [default: everybody's]
        #[arg(long, value_name = "NAME")]
        instead_of: Option<String>,
    },
    /// Remove one
    Remove {
        /// The schedule
        schedule: String,
        /// Which, from 0, as `steadfast schedules show` and the reasons of shifts count them
        number: usize,
        #[command(flatten)]
        sure: Sure,
    },
}
