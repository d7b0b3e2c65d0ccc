//! Writes the small files of a data folder: whole or not at all, and secrets for their owner's eyes only.
//!
//! Separate, because a node that lost its power in the middle must find each file as it was or as it is to be.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The mode of a file that anybody may read.
pub(crate) const PUBLIC: u32 = 0o644;
/// The mode of a secret.
pub(crate) const SECRET: u32 = 0o600;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {why}", file.display())]
pub struct WriteError {
    /// Which.
    pub file: PathBuf,
    /// The system's words.
    pub why: std::io::Error,
}

/// Puts `text` in the place of what the file held: after a crash it holds the one or the other.
pub(crate) fn put(file: &Path, text: &str, mode: u32) -> Result<(), WriteError> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut handle = options.write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        handle.write_all(text.as_bytes())?;
        handle.sync_all()?;
        std::fs::rename(&beside, file)?;
        std::fs::File::open(file.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    write().map_err(|why| WriteError { file: file.to_owned(), why })
}
