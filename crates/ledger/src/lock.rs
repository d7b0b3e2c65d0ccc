//! One process per data folder: a lock that the kernel releases however the process ends.
//!
//! Separate, because it comes before everything else: two nodes that write one ledger would both send.

use crate::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

/// Held while it lives. The file stays; only the lock on it counts.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "open is locked")] File);

impl Lock {
    /// Takes the lock of `folder` and writes our process id into its file, for whoever finds it taken.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("lock");
        let failed = |error: &std::io::Error| OpenError::folder(folder, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(|error| failed(&error))?;
                let holder = match holder.trim() {
                    "" => "(unknown)".to_owned(), // It has only just taken the lock.
                    pid => pid.to_owned(),
                };
                return Err(OpenError::Locked { folder: folder.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // A full disk must not keep a node from starting: who holds the lock is only said for convenience.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "the process id could not be written");
        }
        Ok(Self(file))
    }
}
