//! Space kept back, so that alerts which are under way when the disk fills up can still be finished.
//!
//! Separate from the writer, which decides when to spend it.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file that holds the space.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// The reserve of `folder`, of this size; nothing is made yet.
    pub(crate) fn new(folder: &Path, bytes: u64) -> Self {
        Self { path: folder.join("reserve"), bytes }
    }

    /// Makes the file, unless it is there in full size.
    pub(crate) fn make(&self) -> io::Result<()> {
        if self.path.metadata().is_ok_and(|meta| meta.len() == self.bytes) {
            return Ok(());
        }
        let made = self.fill();
        if made.is_err() {
            self.spend();
        }
        made
    }

    fn fill(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        // Not every file system can allocate without writing; zeros do, save where they are compressed.
        if fallocate(&file, FallocateFlags::empty(), 0, self.bytes).is_err() {
            let chunk = vec![0; 1 << 16];
            let mut rest = self.bytes;
            while rest > 0 {
                let part = usize::try_from(rest).unwrap_or(usize::MAX).min(chunk.len());
                file.write_all(chunk.get(..part).unwrap_or_default())?;
                rest -= u64::try_from(part).unwrap_or(rest);
            }
        }
        file.sync_all()
    }

    /// Frees the space. True if there was any.
    pub(crate) fn spend(&self) -> bool {
        let there = self.path.metadata().is_ok_and(|meta| meta.len() > 0);
        std::fs::remove_file(&self.path).is_ok() && there
    }
}

/// Bytes that may still be written in `folder`; none if the system does not say.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let stat = statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether a file in `folder` cannot grow for want of space, quota or permitted size.
pub(crate) fn full(folder: &Path) -> bool {
    let path = folder.join("probe");
    let tried = File::create(&path).and_then(|mut file| file.write_all(&[1; 1 << 16]));
    let removed = std::fs::remove_file(&path);
    tried.and(removed).is_err_and(|error| lacks_space(&error))
}

/// Whether an error is about space, quota or the permitted size of a file.
pub(crate) fn lacks_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    [StorageFull, QuotaExceeded, FileTooLarge].contains(&error.kind())
}
