//! How a command ends: the report or the error that it prints, and its exit code.
//!
//! Must not know the commands.

use crate::cli::call_error_text::call_error_text;
use crate::cli::render::text::BAD;
use crate::cli::report::{Report, UsageError, UsageErrors};
use crate::error::CallError;
use crate::serving::source::SourceError;
use anyhow::Result;
use detente_core::scenario::Diagnostics;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Exit code of a failed check or a rejected request.
const FAILED: u8 = 1;
/// Exit code of wrong usage, the same that clap exits with.
pub(crate) const USAGE: u8 = 2;

/// Returns the exit code of a command. If the command ended with an error, prints the error.
pub(crate) fn finish(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| report_error(&error))
}

/// Returns the exit code of `detente serve`. If the command ended with an error, prints the error.
///
/// Every error exits with 2, because an error that keeps the server from starting counts as a wrong setting.
pub(crate) fn finish_serving(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        report_error(&error);
        ExitCode::from(USAGE)
    })
}

/// Prints an error to standard error. Returns the exit code: 2 for wrong usage, 1 for anything else.
pub(crate) fn report_error(error: &anyhow::Error) -> ExitCode {
    let (faults, code) = match error.downcast_ref::<UsageErrors>() {
        Some(UsageErrors(faults)) => (Some(faults), USAGE),
        None if error.is::<UsageError>() => (None, USAGE),
        None => (faults(error), FAILED),
    };
    match (faults, error.downcast_ref::<CallError>()) {
        (Some(faults), _) => anstream::eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        (None, Some(error)) => anstream::eprintln!("{BAD}error:{BAD:#} {}", call_error_text(error)),
        (None, None) => anstream::eprintln!("{BAD}error:{BAD:#} {error:#}"),
    }
    ExitCode::from(code)
}

/// The diagnostics in an error, if it has any. They are rendered with their positions, not as one line.
pub(crate) fn faults(error: &anyhow::Error) -> Option<&Diagnostics> {
    match error.downcast_ref::<SourceError>() {
        Some(error) => error.faults(),
        None => error.downcast_ref::<Diagnostics>(),
    }
}

/// Prints a report to standard output, in colour only on a terminal.
///
/// A reader that closes the pipe early, such as `head`, is not an error.
pub(crate) fn print(report: &Report) -> ExitCode {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(report.text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ if report.holds => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}
