//! The commands: one file each.

mod amend;
mod check;
mod compare;
mod diff;
mod evaluate;
mod history;
mod impasse;
mod import;
mod packages;
mod red_lines;
mod replay;
mod robustness;
pub(crate) mod serve;
mod sweep;
mod test;

use crate::cli::report::{Report, pretty};
use crate::cli::{Cli, ended, print, started};
use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;
use serve::ServeOptions;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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

impl Command {
    /// Runs it, and gives the code to exit with.
    pub(super) fn run(self) -> ExitCode {
        let report = match self {
            Command::Serve(options) => return started(serve::run(&options)),
            Command::Check(options) => Ok(check::run(&options)),
            Command::Diff(options) => diff::run(&options),
            Command::Test(options) => Ok(test::run(&options)),
            Command::Evaluate(options) => evaluate::run(&options),
            Command::History(options) => history::run(&options),
            Command::Compare(options) => compare::run(&options),
            Command::Amend(options) => amend::run(&options),
            Command::Packages(options) => packages::run(&options),
            Command::Impasse(options) => impasse::run(&options),
            Command::Robustness(options) => robustness::run(&options),
            Command::Sweep(options) => return ended(sweep::run(&options)),
            Command::Replay(options) => return ended(replay::run(&options)),
            Command::RedLines(options) => red_lines::run(&options),
            Command::Import { format } => import::run(&format),
            Command::Schema => pretty(&detente_core::scenario::schema()).map(Report::of),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "detente", &mut script);
                Ok(Report::of(String::from_utf8_lossy(&script).into_owned()))
            }
        };
        ended(report.map(|report| print(&report)))
    }
}
