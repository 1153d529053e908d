//! The command line: one file a command.
//!
//! Owns options and rendering for people. Must not know how answers come about: `evaluate`, `history`,
//! `compare`, `sweep`, `replay`, `red-lines` and `diff` ask the same service that is served, here or at a server, and render its
//! messages.

mod aim;
mod amend;
mod analysis_text;
mod answerer;
mod check;
mod compare;
mod comparison_text;
mod counting;
mod diff;
mod evaluate;
mod evaluation_text;
mod history;
mod impasse;
mod import;
mod inputs;
mod lines;
mod packages;
mod parsers;
mod progress;
mod question;
mod red_lines;
mod replay;
mod robustness;
mod serve;
mod suppose;
mod sweep;
mod test;
mod text;
mod words;

use crate::scenario::Diagnostics;
use crate::serving::source::SourceError;
use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serve::ServeOptions;
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

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve scenarios over gRPC (the default).
    #[command(after_help = "Example: detente serve --listen 127.0.0.1:6000 --scenario reservoir.yaml")]
    Serve(Box<ServeOptions>),
    /// Check scenario files: every fault is told, with its place.
    #[command(after_help = "Example: detente check scenarios/ukraine-2025.yaml")]
    Check(check::Options),
    /// Show what changed between two scenario files, and what follows for their reference proposals.
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Options),
    /// Run the test cases of scenarios.
    #[command(after_help = "Example: detente test scenarios/ukraine-2025_test.yaml")]
    Test(test::Options),
    /// Evaluate a proposal.
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(evaluate::Options),
    /// Evaluate a proposal on every day between two: when something changed, and what.
    #[command(after_help = history::EXAMPLES)]
    History(history::Options),
    /// Put proposals side by side: everyone's stance on each, and the red lines in which they differ.
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::Options),
    /// Find what would have to change in a proposal for every red line that counts to be clear.
    #[command(after_help = amend::EXAMPLES)]
    Amend(amend::Options),
    /// Count the packages that no red line that counts forbids, and show some.
    #[command(after_help = packages::EXAMPLES)]
    Packages(packages::Options),
    /// Explain why no package passes: which red lines conflict, and what would have to give.
    #[command(after_help = impasse::EXAMPLES)]
    Impasse(impasse::Options),
    /// Weigh how probable it is that no binding red line is crossed, by probabilities that you state.
    #[command(after_help = robustness::EXAMPLES)]
    Robustness(robustness::Options),
    /// Evaluate any number of proposals: JSON lines in, JSON lines out.
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(sweep::Options),
    /// Ask again what a log of decisions says was asked, and tell what is answered differently now.
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Options),
    /// List red lines, or show one.
    #[command(after_help = red_lines::EXAMPLES)]
    RedLines(red_lines::Options),
    /// Turn another format into a scenario file.
    Import {
        #[command(subcommand)]
        format: import::Format,
    },
    /// Print the JSON Schema of the scenario format, for editors.
    Schema,
    /// Print completions for a shell.
    #[command(after_help = "Example: detente completions bash > ~/.local/share/bash-completion/completions/detente")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// For programs: the API's JSON, where the API gives the answer.
    Json,
}

/// What a command prints, and whether what it was asked to check holds.
struct Report {
    text: String,
    holds: bool,
}

impl Report {
    fn of(text: String) -> Self {
        Self { text, holds: true }
    }
}

/// A check that failed, or a call that was refused. Usage is clap's: 2.
const FAILED: u8 = 1;
/// What clap ends with too.
const USAGE: u8 = 2;

impl Cli {
    /// Runs the command. The exit code: 0, or 1 if a check failed or something went wrong.
    pub fn run(self) -> ExitCode {
        let report = match self.command {
            None => match Self::try_parse_from(["detente", "serve"]) {
                Ok(Self { command: Some(Command::Serve(options)) }) => return started(serve::run(&options)),
                Ok(_) => return ExitCode::from(USAGE),
                Err(error) => error.exit(),
            },
            Some(Command::Serve(options)) => return started(serve::run(&options)),
            Some(Command::Check(options)) => Ok(check::run(&options)),
            Some(Command::Diff(options)) => diff::run(&options),
            Some(Command::Test(options)) => Ok(test::run(&options)),
            Some(Command::Evaluate(options)) => evaluate::run(&options),
            Some(Command::History(options)) => history::run(&options),
            Some(Command::Compare(options)) => compare::run(&options),
            Some(Command::Amend(options)) => amend::run(&options),
            Some(Command::Packages(options)) => packages::run(&options),
            Some(Command::Impasse(options)) => impasse::run(&options),
            Some(Command::Robustness(options)) => robustness::run(&options),
            Some(Command::Sweep(options)) => return ended(sweep::run(&options)),
            Some(Command::Replay(options)) => return ended(replay::run(&options)),
            Some(Command::RedLines(options)) => red_lines::run(&options),
            Some(Command::Import { format }) => import::run(&format),
            Some(Command::Schema) => pretty(&crate::scenario::schema()).map(Report::of),
            Some(Command::Completions { shell }) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "detente", &mut script);
                Ok(Report::of(String::from_utf8_lossy(&script).into_owned()))
            }
        };
        ended(report.map(|report| print(&report)))
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
    let (faults, code) = match error.downcast_ref::<UsageFaults>() {
        Some(UsageFaults(faults)) => (Some(faults), USAGE),
        None if error.is::<UsageError>() => (None, USAGE),
        None => (faults(error), FAILED),
    };
    match faults {
        Some(faults) => anstream::eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        None => anstream::eprintln!("{}error:{:#} {error:#}", text::BAD, text::BAD),
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

/// A fault in how the command line is used, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// Faults in what was written on the command line itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageFaults(Diagnostics);

/// Prints to standard output, in colour on a terminal only. A reader that has seen enough is no fault.
fn print(report: &Report) -> ExitCode {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(report.text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ if report.holds => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}

/// JSON for people and tools alike, with a line's end.
fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
