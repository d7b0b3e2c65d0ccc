//! The command line of the directory's sections: the same four verbs for each.
//!
//! Separate from `args`, because `recipients`, `groups`, `policies` and the others differ only by the section
//! they name.

use crate::args::Sure;
use clap::{Subcommand, ValueHint};
use std::path::PathBuf;

/// A section of the directory whose entries have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Who can be told.
    Recipients,
    /// Who is told together.
    Groups,
    /// Who is on call.
    Schedules,
    /// What has to be heard of again and again.
    Monitors,
    /// Holidays, quiet hours.
    Calendars,
    /// How alerts escalate.
    Policies,
    /// How messages read.
    Templates,
    /// The parts of the organisation.
    Departments,
    /// Which alerts are for whom.
    Routes,
    /// Which messages are not sent.
    Filters,
    /// Which alerts hold others back.
    Inhibitions,
    /// Times in which alerts are held back.
    Maintenance,
}

impl Section {
    /// Its key in the document and in the API's paths.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Recipients => "recipients",
            Self::Groups => "groups",
            Self::Schedules => "schedules",
            Self::Monitors => "monitors",
            Self::Calendars => "calendars",
            Self::Policies => "policies",
            Self::Templates => "templates",
            Self::Departments => "departments",
            Self::Routes => "routes",
            Self::Filters => "filters",
            Self::Inhibitions => "inhibitions",
            Self::Maintenance => "maintenance",
        }
    }

    /// The fields shown in a list, besides the name.
    pub(crate) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Recipients => &["title", "department", "policy", "addresses"],
            Self::Groups => &["title", "department", "policy", "members"],
            Self::Schedules => &["zone", "layers", "overrides"],
            Self::Monitors => &["every", "grace", "severity", "to", "policy"],
            Self::Calendars => &["zone", "dates", "windows", "except"],
            Self::Policies => &["mode", "steps", "repeat"],
            Self::Templates => &["channel", "language", "default", "subject"],
            Self::Departments => &["title"],
            Self::Routes => &["sources", "severity", "matchers", "to", "policy"],
            Self::Filters => &["channels", "recipients", "below", "matchers", "contains"],
            Self::Inhibitions => &["source", "target", "equal"],
            Self::Maintenance => &["title", "matchers", "calendars"],
        }
    }
}

/// What to do in a section.
#[derive(Debug, Subcommand)]
pub(crate) enum SectionAction {
    /// List the entries
    List,
    /// Print one as TOML
    Show {
        /// Its name
        name: String,
    },
    /// Change one, or make it
    #[command(after_help = "\
A value is TOML, or a text if it is not. `field=` removes the field; `field+=x` and `field-=x` add to a list and \
take from it.\n\nExamples:
  steadfast recipients set anna 'title=Anna Berg' 'addresses=[{channel=\"mail\", value=\"anna@example.org\"}]'
  steadfast groups set pumps members+=anna members-=bert
  steadfast policies set standard --file standard.toml")]
    Set {
        /// Its name
        name: String,
        /// What to change
        #[arg(value_name = "FIELD=VALUE")]
        fields: Vec<String>,
        /// Replace the whole entry by this TOML; `-` is standard input
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "fields")]
        file: Option<PathBuf>,
    },
    /// Remove one
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        sure: Sure,
    },
}
