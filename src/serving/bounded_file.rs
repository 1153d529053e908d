//! Reads files up to a size limit.
//!
//! Must not know what the files contain.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why a file was not read.
#[derive(Debug)]
pub enum BoundedReadError {
    /// The file is larger than the limit.
    TooLarge,
    /// The file cannot be opened or read, or is not a regular file.
    Unreadable(io::Error),
}

impl From<io::Error> for BoundedReadError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Reads a regular file of at most `max_bytes`; rejects pipes and devices, because reading them might never end.
///
/// The file is opened without blocking, and what was opened is checked, not the path: between a check of the path and
/// the opening, another program could put a pipe in the place of the file, and opening a pipe waits for a writer.
///
/// # Errors
/// The errors of [`read`], and an error if the path is not a regular file.
pub fn read_regular(path: &Path, max_bytes: u64) -> Result<Vec<u8>, BoundedReadError> {
    // O_NONBLOCK has no effect on reading a regular file. O_NOCTTY keeps a terminal from sending its signals to the
    // process. The standard library adds O_CLOEXEC.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("not a regular file").into());
    }
    if found.len() > max_bytes {
        return Err(BoundedReadError::TooLarge);
    }
    read_bounded(file, max_bytes)
}

/// Reads a file of at most `max_bytes`.
///
/// # Errors
/// If the file cannot be read, or is larger than `max_bytes`.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, BoundedReadError> {
    read_bounded(File::open(path)?, max_bytes)
}

fn read_bounded(file: File, max_bytes: u64) -> Result<Vec<u8>, BoundedReadError> {
    // With room for the whole file, the contents do not have to be copied while they grow, which takes up to three
    // times the memory. A file that grows meanwhile is still read up to the limit.
    let expected = file.metadata().map_or(0, |found| found.len()).min(max_bytes);
    let mut contents = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).saturating_add(1));
    let bytes = file.take(max_bytes + 1).read_to_end(&mut contents)?;
    if bytes as u64 > max_bytes { Err(BoundedReadError::TooLarge) } else { Ok(contents) }
}
