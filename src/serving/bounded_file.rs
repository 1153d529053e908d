//! Reads files up to a size limit.
//!
//! Must not know what the files contain.

use std::fs::{self, File};
use std::io::{self, Read};
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
/// # Errors
/// The errors of [`read`], and an error if the path is not a regular file.
pub fn read_regular(path: &Path, max_bytes: u64) -> Result<Vec<u8>, BoundedReadError> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("not a regular file").into());
    }
    read(path, max_bytes)
}

/// Reads a file of at most `max_bytes`.
///
/// # Errors
/// If the file cannot be read, or is larger than `max_bytes`.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, BoundedReadError> {
    let mut contents = Vec::new();
    let bytes = File::open(path)?.take(max_bytes + 1).read_to_end(&mut contents)?;
    if bytes as u64 > max_bytes { Err(BoundedReadError::TooLarge) } else { Ok(contents) }
}
