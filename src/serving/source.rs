//! Reads and compiles scenario files, and the scenario built into the program.
//!
//! Must not know which scenarios the server answers requests from.

use crate::serving::bounded_file::{self, BoundedReadError};
use detente_core::engine::Compiled;
use detente_core::scenario::{self, Diagnostics};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The text of the built-in scenario file.
pub const EMBEDDED: &str = include_str!("../../scenarios/ukraine-2025.yaml");
const EMBEDDED_NAME: &str = "ukraine-2025.yaml";
const MAX_BYTES: u64 = scenario::limits::MAX_FILE_BYTES as u64;
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

/// Loads and compiles the scenario files at `paths`; if there are none, compiles the built-in scenario.
///
/// # Errors
/// If a file cannot be used; the error is that of the first such file.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Compiled>, SourceError> {
    if paths.is_empty() {
        return Ok(vec![compile(EMBEDDED_NAME, EMBEDDED)?]);
    }
    paths.iter().map(|path| load_one(path)).collect()
}

/// Loads and compiles one scenario file.
///
/// # Errors
/// If the file cannot be used.
pub fn load_one(path: &Path) -> Result<Compiled, SourceError> {
    compile(&path.display().to_string(), &read(path)?)
}

/// Compiles the text of a scenario file.
///
/// # Errors
/// If the text has faults.
pub fn compile(file: &str, text: &str) -> Result<Compiled, SourceError> {
    let loaded = scenario::load_with_places(file, text);
    let (scenario, places) = loaded.map_err(|faults| SourceError::Faulty(Box::new(faults)))?;
    Compiled::new(Arc::new(scenario)).map_err(|faults| {
        let faults: Vec<_> = faults.into_iter().map(|fault| (fault.red_line.clone(), fault.to_string())).collect();
        SourceError::Faulty(Box::new(places.diagnostics(file, text, &faults)))
    })
}

/// Reads the text of a regular file; rejects pipes and devices, because reading them might never end.
///
/// # Errors
/// The errors of [`read`], and an error if the path is not a regular file.
pub fn read_regular(path: &Path) -> Result<String, SourceError> {
    text(path, bounded_file::read_regular(path, MAX_BYTES))
}

/// Reads a file's text, up to the size limit of a scenario file.
///
/// # Errors
/// If the file cannot be read, is too large, or is not UTF-8.
pub fn read(path: &Path) -> Result<String, SourceError> {
    text(path, bounded_file::read(path, MAX_BYTES))
}

fn text(path: &Path, contents: Result<Vec<u8>, BoundedReadError>) -> Result<String, SourceError> {
    let text = match contents {
        Ok(contents) => String::from_utf8(contents).map_err(|_| io::Error::new(ErrorKind::InvalidData, NOT_UTF8)),
        Err(BoundedReadError::TooLarge) => {
            Err(io::Error::other(format!("the file exceeds the limit of {MAX_BYTES} bytes")))
        }
        Err(BoundedReadError::Unreadable(error)) => Err(error),
    };
    text.map_err(|cause| SourceError::Unreadable { file: path.display().to_string(), cause })
}
