//! The report of a command, and the errors of how it was used.

use anyhow::Result;
use clap::ValueEnum;
use detente_core::scenario::Diagnostics;

/// How to print an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// For programs: the API's JSON, where the API gives the answer.
    Json,
}

/// What a command prints, and whether what it was asked to check holds.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) holds: bool,
}

impl Report {
    pub(crate) fn of(text: String) -> Self {
        Self { text, holds: true }
    }
}

/// A fault in how the command line is used, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Faults in what was written on the command line itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageErrors(pub(crate) Diagnostics);

/// JSON for people and tools alike, with a line's end.
pub(crate) fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
