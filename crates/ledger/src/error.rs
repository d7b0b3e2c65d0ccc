//! Why a ledger cannot be opened, with the file and the remedy, and how SQLite's errors are told apart.

use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a ledger cannot be opened. Each names the file or folder and what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "data folder {} is in use by process {holder}; stop that process, or name another folder",
        folder.display()
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process id that it noted.
        holder: String,
    },
    /// The folder is missing, read-only, or no folder.
    #[error("data folder {} cannot be used: {why}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says, with the remedy.
        why: String,
    },
    /// The file is something else.
    #[error(
        "{} is not a ledger; move it away to start with an empty one, or restore a backup",
        file.display()
    )]
    NotALedger {
        /// The file.
        file: PathBuf,
    },
    /// A later program wrote it.
    #[error(
        "{} has format {version}, and this program reads up to {}; run the program that wrote it",
        file.display(), crate::FORMAT
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        version: u32,
    },
    /// Its pages do not fit together.
    #[error(
        "{} is damaged ({why}); keep a copy of the data folder and restore a backup into an empty one",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// There is no space to open it.
    #[error("{} cannot be opened because the disk is full; free some space and start again", file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// Anything else.
    #[error("{} cannot be opened: {why}", file.display())]
    Failed {
        /// The file.
        file: PathBuf,
        /// What SQLite or the system says.
        why: String,
    },
}

impl OpenError {
    /// What `error` of the system means for `folder`.
    pub(crate) fn folder(folder: &Path, error: &io::Error) -> Self {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
        let kind = error.kind();
        let why = if kind == NotFound {
            "it does not exist; make it with `steadfast init`".to_owned()
        } else if kind == PermissionDenied || kind == ReadOnlyFilesystem {
            format!("it is not writable ({error}); give this user the right to write there")
        } else if kind == NotADirectory {
            "it is not a folder".to_owned()
        } else if kind == StorageFull {
            "the disk is full; free some space and start again".to_owned()
        } else {
            error.to_string()
        };
        Self::Folder { folder: folder.to_owned(), why }
    }

    /// What `error` of SQLite means for `file`.
    pub(crate) fn sqlite(file: &Path, error: &rusqlite::Error) -> Self {
        let lacks_space = || file.parent().is_some_and(crate::reserve::full);
        if error.sqlite_error().is_some() && fault(error, lacks_space) == Fault::Full {
            return Self::Full { file: file.to_owned() };
        }
        let file = file.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotALedger { file },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { file, why: error.to_string() },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::Failed {
                file,
                why: format!("it is not writable ({error}); give this user the right to write it"),
            },
            // A value that is not what we wrote there: SQLite notices no wrong bits within a page.
            None if is_misread(error) => Self::Damaged { file, why: error.to_string() },
            _ => Self::Failed { file, why: error.to_string() },
        }
    }
}

fn is_misread(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

/// What an error while writing means for the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No space: nothing was written, and the same can be tried again.
    Full,
    /// The disk did something unexpected: what it holds is uncertain.
    Failed,
}

/// Tells a full disk from a failing one. `full` answers whether the disk has no space now; it is asked where
/// SQLite reports a failed write without saying why.
pub(crate) fn fault(error: &rusqlite::Error, full: impl Fn() -> bool) -> Fault {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
    match error.sqlite_error().map(|error| error.extended_code) {
        Some(SQLITE_FULL) => Fault::Full,
        Some(SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE) if full() => Fault::Full,
        _ => Fault::Failed, // A failed fsync among them: what the kernel dropped cannot be had back by retrying.
    }
}
