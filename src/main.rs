//! The binary: parses, runs, and ends with the command's exit code.

use clap::Parser;
use detente::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run()
}
