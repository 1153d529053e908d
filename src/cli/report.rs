//! The report of a command, and the errors of wrong usage.
//!
//! Must not know the commands.

use anyhow::Result;
use clap::ValueEnum;
use detente_core::scenario::Diagnostics;

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Text and tables for people.
    #[default]
    Table,
    /// JSON for programs: the response of the API, for commands that have one.
    Json,
}

/// The text that a command prints, and whether the command's check passed (`holds`), which decides its exit code.
///
/// For a command that checks nothing, `holds` is true.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) holds: bool,
}

impl Report {
    pub(crate) fn of(text: String) -> Self {
        Self { text, holds: true }
    }
}

/// Wrong usage of the command line, as one sentence. Exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Faults in the values of options, with their positions. Exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageErrors(pub(crate) Diagnostics);

/// Indented JSON with a newline at the end.
pub(crate) fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
