//! The reasons for which a sweep ends before its last line.
//!
//! Must not know how lines are answered.

use anyhow::Error;
use std::io::ErrorKind;

/// Why a sweep ended before its last line.
#[derive(Debug)]
pub(super) enum SweepError {
    /// The program that reads standard output has closed it, as `head` does. This is not a failure.
    ReaderGone,
    Failed(Error),
}

impl From<std::io::Error> for SweepError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => SweepError::ReaderGone,
            _ => SweepError::Failed(error.into()),
        }
    }
}
