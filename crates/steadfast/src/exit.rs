//! What the program ends with: the documented exit codes, and a failure that carries one.
//!
//! Separate, because scripts depend on these numbers: they stand in one table, from which the manual and the
//! help text are made.

use std::fmt;
use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended. The numbers are part of the interface and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// It could not be done, for a reason that has no number of its own.
    Failed,
    /// The command line was not understood.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// The node refused: not allowed, or not valid.
    Refused,
    /// Somebody else changed it meanwhile, or it exists already.
    Conflict,
    /// No node took the request.
    Unreachable,
    /// What was waited for did not happen in time.
    TimedOut,
    /// Not all of it could be done.
    Partly,
}

impl Exit {
    /// Every code, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::Conflict,
        Self::Unreachable,
        Self::TimedOut,
        Self::Partly,
    ];

    /// The number, its name, and when it is used.
    pub(crate) const fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Done => (0, "done", "the command did what was asked"),
            Self::Failed => (1, "failed", "it could not be done, for a reason without a number of its own"),
            Self::Usage => (2, "usage", "the command line was not understood; nothing was tried"),
            Self::NotFound => (3, "not found", "the alert, name or file does not exist"),
            Self::Refused => (4, "refused", "the node refused: not allowed, not valid, or not confirmed"),
            Self::Conflict => (5, "conflict", "somebody else changed it meanwhile, or it exists already"),
            Self::Unreachable => (6, "unreachable", "no node answered, or none could take it now; try again"),
            Self::TimedOut => (7, "timed out", "what --wait waits for did not happen within --timeout"),
            Self::Partly => {
                (8, "partly", "an import is written, but the report names what it could not carry over")
            }
        }
    }

    /// The code that an HTTP status (RFC 9110) of 400 or more stands for.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            404 | 410 => Self::NotFound,
            409 | 412 | 428 => Self::Conflict,
            408 | 429 | 502..=504 => Self::Unreachable,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.row().0)
    }
}

/// Why a command did not do what was asked, in words for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the process ends with.
    pub(crate) exit: Exit,
    /// One or more lines; the first is a fragment without a full stop.
    pub(crate) text: String,
    /// What the node found wrong, piece by piece, so that a command can show it in the user's own file.
    pub(crate) faults: Vec<Fault>,
}

/// One entry of a problem's `errors`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    /// A JSON pointer (RFC 6901) into what was sent.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) detail: String,
    /// The line in a TOML text, from 1, where the node knows it.
    pub(crate) line: Option<usize>,
}

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with its code.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), faults: Vec::new() }
    }

    /// One without a code of its own.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// One for a file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Self::new(exit, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The table as the manual shows it.
pub(crate) fn markdown() -> String {
    let mut text = String::from("| code | name | when |\n|---|---|---|\n");
    for exit in Exit::ALL {
        let (number, name, when) = exit.row();
        writeln!(text, "| {number} | {name} | {when} |").unwrap_or_default();
    }
    text
}

/// The table as the help text shows it.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let (number, _, when) = exit.row();
        writeln!(text, "  {number}  {when}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_scripts_know() {
        let numbers: Vec<_> = Exit::ALL.iter().map(|exit| exit.row().0).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Exit::TimedOut.row().0, 7);
        assert_eq!(Exit::Unreachable.row().0, 6);
    }

    #[test]
    fn each_status_has_its_code() {
        let check = |status, expect| assert_eq!(Exit::of_status(status), expect, "{status}");
        check(400, Exit::Refused);
        check(401, Exit::Refused);
        check(403, Exit::Refused);
        check(404, Exit::NotFound);
        check(409, Exit::Conflict);
        check(412, Exit::Conflict);
        check(413, Exit::Refused);
        check(422, Exit::Refused);
        check(500, Exit::Failed);
        check(503, Exit::Unreachable);
        check(507, Exit::Failed);
    }

    #[test]
    fn the_manual_lists_every_code_once() {
        assert_eq!(markdown().lines().count(), 2 + Exit::ALL.len());
    }
}
