//! Reads and compiles scenario files, and the scenario built into the program.
//!
//! Must not know which scenarios the server answers requests from.

use crate::serving::bounded_file::{self, BoundedReadError};
use detente_core::engine::{Compiled, load_compiled};
use detente_core::scenario::Diagnostics;
use detente_core::scenario::limits::DEFAULT_FILE_BYTES;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The text of the built-in scenario file.
pub const EMBEDDED: &str = include_str!("../../scenarios/ukraine-2025.yaml");
const EMBEDDED_NAME: &str = "ukraine-2025.yaml";
const NOT_UTF8: &str = "the file is not valid UTF-8";

/// Why a scenario file cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be read, is too large, or is not UTF-8.
    #[error("{file} cannot be read: {cause}")]
    Unreadable {
        /// Path of the file.
        file: String,
        /// The error of the file system.
        cause: io::Error,
    },
    /// The scenario has faults.
    #[error("the scenario has faults\n{0}")]
    Faulty(Box<Diagnostics>),
}

impl SourceError {
    /// Returns the faults of the scenario; `None` if the file could not be read.
    pub fn faults(&self) -> Option<&Diagnostics> {
        match self {
            SourceError::Unreadable { .. } => None,
            SourceError::Faulty(faults) => Some(faults),
        }
    }
}

/// Loads and compiles the scenario files at `paths`, each of at most `max_bytes`; if there are none, compiles the
/// built-in scenario.
///
/// # Errors
/// If a file cannot be used; the error is that of the first such file.
pub fn load_within(paths: &[PathBuf], max_bytes: usize) -> Result<Vec<Compiled>, SourceError> {
    if paths.is_empty() {
        return Ok(vec![compile(EMBEDDED_NAME, EMBEDDED)?]);
    }
    paths.iter().map(|path| load_one(path, max_bytes)).collect()
}

/// Loads and compiles the scenario files at `paths`, as [`load_within`] does, with the default limit on their size.
///
/// # Errors
/// If a file cannot be used; the error is that of the first such file.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Compiled>, SourceError> {
    load_within(paths, DEFAULT_FILE_BYTES)
}

/// Loads and compiles one scenario file of at most `max_bytes`.
///
/// # Errors
/// If the file cannot be used.
pub fn load_one(path: &Path, max_bytes: usize) -> Result<Compiled, SourceError> {
    compile_within(&path.display().to_string(), &read(path, max_bytes)?, max_bytes)
}

/// Compiles the text of a scenario file, with the default limit on its size.
///
/// # Errors
/// If the text has faults.
pub fn compile(file: &str, text: &str) -> Result<Compiled, SourceError> {
    compile_within(file, text, DEFAULT_FILE_BYTES)
}

/// Compiles the text of a scenario file of at most `max_bytes`.
///
/// # Errors
/// If the text has faults.
pub fn compile_within(file: &str, text: &str, max_bytes: usize) -> Result<Compiled, SourceError> {
    load_compiled(file, text, max_bytes).map_err(|faults| SourceError::Faulty(Box::new(faults)))
}

/// Reads the text of a regular file of at most `max_bytes`; rejects pipes and devices, because reading them might never
/// end.
///
/// # Errors
/// The errors of [`read`], and an error if the path is not a regular file.
pub fn read_regular(path: &Path, max_bytes: usize) -> Result<String, SourceError> {
    text(path, max_bytes, bounded_file::read_regular(path, max_bytes as u64))
}

/// Reads the text of a file of at most `max_bytes`.
///
/// # Errors
/// If the file cannot be read, is too large, or is not UTF-8.
pub fn read(path: &Path, max_bytes: usize) -> Result<String, SourceError> {
    text(path, max_bytes, bounded_file::read(path, max_bytes as u64))
}

fn text(path: &Path, max_bytes: usize, contents: Result<Vec<u8>, BoundedReadError>) -> Result<String, SourceError> {
    let text = match contents {
        Ok(contents) => String::from_utf8(contents).map_err(|_| io::Error::new(ErrorKind::InvalidData, NOT_UTF8)),
        Err(BoundedReadError::TooLarge) => {
            Err(io::Error::other(format!("the file exceeds the limit of {max_bytes} bytes")))
        }
        Err(BoundedReadError::Unreadable(error)) => Err(error),
    };
    text.map_err(|cause| SourceError::Unreadable { file: path.display().to_string(), cause })
}
