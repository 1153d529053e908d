//! Scenarios from files, or the one that comes with the program.

use detente_core::engine::Compiled;
use detente_core::scenario::{self, Diagnostics};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use thiserror::Error;

/// The scenario that comes with the program.
pub const EMBEDDED: &str = include_str!("../../scenarios/ukraine-2025.yaml");
const EMBEDDED_NAME: &str = "ukraine-2025.yaml";

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error("{file} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        cause: io::Error,
    },
    /// It has faults.
    #[error("the scenario has faults\n{0}")]
    Faulty(Box<Diagnostics>),
}

impl SourceError {
    /// What is wrong with the file, where it could be read.
    pub fn faults(&self) -> Option<&Diagnostics> {
        match self {
            SourceError::Unreadable { .. } => None,
            SourceError::Faulty(faults) => Some(faults),
        }
    }
}

/// Loads and compiles scenario files; without any, the one that comes with the program.
///
/// # Errors
/// The first file that cannot be used.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Compiled>, SourceError> {
    if paths.is_empty() {
        return Ok(vec![compile(EMBEDDED_NAME, EMBEDDED)?]);
    }
    paths.iter().map(|path| load_one(path)).collect()
}

/// Loads and compiles one scenario file.
///
/// # Errors
/// If it cannot be used.
pub fn load_one(path: &Path) -> Result<Compiled, SourceError> {
    compile(&path.display().to_string(), &read(path)?)
}

/// Compiles the text of a scenario file.
///
/// # Errors
/// If it cannot be used.
pub fn compile(file: &str, text: &str) -> Result<Compiled, SourceError> {
    let scenario = scenario::load(file, text).map_err(|faults| SourceError::Faulty(Box::new(faults)))?;
    Compiled::new(Arc::new(scenario)).map_err(|faults| {
        let faults: Vec<_> = faults.into_iter().map(|fault| (fault.red_line.clone(), fault.to_string())).collect();
        SourceError::Faulty(Box::new(scenario::red_line_faults(file, text, &faults)))
    })
}

/// The same of a file that is read again and again: a pipe or a device would never end, or never begin.
///
/// # Errors
/// As [`read`], and if it is something else than a file.
pub fn read_regular(path: &Path) -> Result<String, SourceError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let cause = io::Error::other("it is no regular file");
            Err(SourceError::Unreadable { file: path.display().to_string(), cause })
        }
        _ => read(path),
    }
}

/// A file's text, and no more than a scenario may have.
///
/// # Errors
/// If it cannot be read, is too large, or is not UTF-8.
pub fn read(path: &Path) -> Result<String, SourceError> {
    let most = scenario::limits::MAX_FILE_BYTES as u64;
    let read = || -> io::Result<String> {
        let mut text = String::new();
        let bytes = fs::File::open(path)?.take(most + 1).read_to_string(&mut text)?;
        if bytes as u64 > most {
            return Err(io::Error::other(format!("it has more than {most} bytes")));
        }
        Ok(text)
    };
    read().map_err(|cause| SourceError::Unreadable { file: path.display().to_string(), cause })
}
