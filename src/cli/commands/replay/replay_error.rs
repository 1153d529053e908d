//! The reasons for which a replay ends before its last line.
//!
//! Must not know how lines are replayed.

use anyhow::{Error, anyhow};
use std::io::ErrorKind;

/// Why a replay ended before its last line.
#[derive(Debug)]
pub(super) enum ReplayError {
    /// The program that reads standard output has closed it, as `head` does. This is not a failure.
    ReaderGone,
    Failed(Error),
}

impl From<std::io::Error> for ReplayError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => ReplayError::ReaderGone,
            _ => ReplayError::Failed(anyhow!("cannot write to standard output: {error}")),
        }
    }
}
