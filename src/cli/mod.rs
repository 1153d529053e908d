//! The command line, with one file per command.
//!
//! Owns options and the rendering of answers for people. Must not know how answers are computed: each command that asks
//! a question sends a request to the service, in this process or on a server, and renders the response.

pub(crate) mod args;
mod backend;
mod call_error_text;
mod client;
mod commands;
mod line_reader;
mod progress;
mod progress_counter;
mod render;
mod report;

use crate::error::CallError;
use crate::serving::source::SourceError;
use anyhow::Result;
use clap::Parser;
use commands::Command;
use detente_core::scenario::Diagnostics;
use render::text::BAD;
use report::{Report, UsageError, UsageErrors};
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Find the red lines that a proposal crosses, with their parties, reasons and evidence.
///
/// Without a command, serves the bundled scenario on 127.0.0.1:50051.
#[derive(Debug, Parser)]
#[command(name = "detente", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// Exit code of a failed check or a rejected request.
const FAILED: u8 = 1;
/// Exit code of wrong usage, the same that clap exits with.
const USAGE: u8 = 2;

impl Cli {
    /// Runs the command. Returns exit code 0, or 1 for a failure, or 2 for wrong usage.
    pub fn run(self) -> ExitCode {
        match self.command {
            Some(command) => command.run(),
            None => match Self::try_parse_from(["detente", "serve"]) {
                Ok(Self { command: Some(command) }) => command.run(),
                Ok(_) => ExitCode::from(USAGE),
                Err(error) => error.exit(),
            },
        }
    }
}

/// The exit code of a command; prints its error.
fn finish(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| report_error(&error))
}

/// The exit code of `detente serve`; prints its error.
///
/// Every error exits with 2, because an error that keeps the server from starting counts as a wrong setting.
fn finish_serving(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        report_error(&error);
        ExitCode::from(USAGE)
    })
}

/// Prints an error to standard error. Returns the exit code: 2 for wrong usage, 1 for anything else.
fn report_error(error: &anyhow::Error) -> ExitCode {
    let (faults, code) = match error.downcast_ref::<UsageErrors>() {
        Some(UsageErrors(faults)) => (Some(faults), USAGE),
        None if error.is::<UsageError>() => (None, USAGE),
        None => (faults(error), FAILED),
    };
    match (faults, error.downcast_ref::<CallError>()) {
        (Some(faults), _) => anstream::eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        (None, Some(error)) => anstream::eprintln!("{BAD}error:{BAD:#} {}", call_error_text::call_error_text(error)),
        (None, None) => anstream::eprintln!("{BAD}error:{BAD:#} {error:#}"),
    }
    ExitCode::from(code)
}

/// The diagnostics in an error, if it has any. They are rendered with their positions, not as one line.
fn faults(error: &anyhow::Error) -> Option<&Diagnostics> {
    match error.downcast_ref::<SourceError>() {
        Some(error) => error.faults(),
        None => error.downcast_ref::<Diagnostics>(),
    }
}

/// Prints a report to standard output, in colour only on a terminal.
///
/// A reader that closes the pipe early, such as `head`, is not an error.
fn print(report: &Report) -> ExitCode {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(report.text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ if report.holds => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}
