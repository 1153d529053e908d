//! The names of files, which become the titles of parties and of the scenario.
//!
//! Must not know what the files contain.

use super::fault::{GeniusError, ImportError, Place};
use super::limits::MAX_NAME;

/// Returns the last part of a path.
pub(super) fn file_name(path: &str) -> Result<&str, ImportError> {
    printable(path, path.rsplit(['/', '\\']).next().unwrap_or(path))
}

/// Returns the last part of a path, without the extension.
pub(super) fn file_stem(path: &str) -> Result<&str, ImportError> {
    let name = file_name(path)?;
    Ok(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}

/// Returns a file name if it can be a title: not empty, not too long, without control characters.
fn printable<'a>(path: &str, name: &'a str) -> Result<&'a str, ImportError> {
    let is_printable =
        !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    is_printable.then_some(name).ok_or_else(|| ImportError::new(Place::start_of(path), GeniusError::FileName))
}
