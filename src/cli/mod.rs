//! The command line: one file a command.
//!
//! Owns options and rendering for people. Must not know how answers come about: `evaluate`, `history`,
//! `compare`, `sweep`, `replay`, `red-lines` and `diff` ask the same service that is served, here or at a server, and render its
//! messages.

pub(crate) mod args;
mod backend;
mod client;
mod commands;
mod line_reader;
mod progress;
mod progress_counter;
mod render;
mod report;

use crate::serving::source::SourceError;
use anyhow::Result;
use clap::Parser;
use commands::Command;
use detente_core::scenario::Diagnostics;
use report::{Report, UsageError, UsageErrors};
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Which red lines does a proposal cross, whose, why, and who says so?
///
/// Without a command, serves the scenario that comes with the program on 127.0.0.1:50051.
#[derive(Debug, Parser)]
#[command(name = "detente", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// A check that failed, or a call that was refused. Usage is clap's: 2.
const FAILED: u8 = 1;
/// What clap ends with too.
const USAGE: u8 = 2;

impl Cli {
    /// Runs the command. The exit code: 0, or 1 if a check failed or something went wrong.
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

fn ended(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| tell(&error))
}

/// What a server can't start with is a fault in how it is used, wherever that was said.
fn started(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        tell(&error);
        ExitCode::from(USAGE)
    })
}

/// Tells what went wrong on standard error, and gives the code to end with.
fn tell(error: &anyhow::Error) -> ExitCode {
    let (faults, code) = match error.downcast_ref::<UsageErrors>() {
        Some(UsageErrors(faults)) => (Some(faults), USAGE),
        None if error.is::<UsageError>() => (None, USAGE),
        None => (faults(error), FAILED),
    };
    match faults {
        Some(faults) => anstream::eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        None => anstream::eprintln!("{}error:{:#} {error:#}", render::text::BAD, render::text::BAD),
    }
    ExitCode::from(code)
}

/// The diagnostics in an error, where it holds any: they are rendered, not told in a line.
fn faults(error: &anyhow::Error) -> Option<&Diagnostics> {
    match error.downcast_ref::<SourceError>() {
        Some(error) => error.faults(),
        None => error.downcast_ref::<Diagnostics>(),
    }
}

/// Prints to standard output, in colour on a terminal only. A reader that has seen enough is no fault.
fn print(report: &Report) -> ExitCode {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(report.text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ if report.holds => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}
