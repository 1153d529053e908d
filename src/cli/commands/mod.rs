//! The command line as a whole, and its commands, one in each file. Owns the list of commands in `detente --help`.

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

use crate::cli::exit::{USAGE, finish, finish_serving, print};
use crate::cli::report::{Report, pretty};
use crate::cli::variables;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use serve::ServeOptions;
use std::env;
use std::ffi::OsString;
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

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve scenarios over gRPC. This is the default command.
    #[command(after_help = "Example: detente serve --listen 127.0.0.1:6000 --scenario reservoir.yaml")]
    Serve(Box<ServeOptions>),
    /// Check scenario files and report every fault with its position.
    #[command(after_help = "Example: detente check scenarios/ukraine-2025.yaml")]
    Check(check::Options),
    /// Show what changed between two versions of a scenario, and how its reference proposals are affected.
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Options),
    /// Run the test cases of a scenario.
    #[command(after_help = "Example: detente test scenarios/ukraine-2025_test.yaml")]
    Test(test::Options),
    /// Evaluate a proposal: which red lines it crosses, whose and why.
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(evaluate::Options),
    /// Evaluate a proposal on every day of a period, and show when and how the answer changed.
    #[command(after_help = history::EXAMPLES)]
    History(history::Options),
    /// Compare proposals: the stance of every party on each, and the red lines on which they differ.
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::Options),
    /// Find the smallest changes after which a proposal crosses no red line that counts (see --floor).
    #[command(after_help = amend::EXAMPLES)]
    Amend(amend::Options),
    /// Count the packages (possible deals) that cross no red line that counts (see --floor), and show some of them.
    #[command(after_help = packages::EXAMPLES)]
    Packages(packages::Options),
    /// Explain why every possible deal crosses a red line that counts (see --floor): conflicts, and concessions that
    /// would help.
    #[command(after_help = impasse::EXAMPLES)]
    Impasse(impasse::Options),
    /// Compute, from probabilities that you state, how probable it is that no crossed red line would undo the deal.
    #[command(after_help = robustness::EXAMPLES)]
    Robustness(robustness::Options),
    /// Evaluate any number of proposals, read and written as JSON lines.
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(sweep::Options),
    /// Re-evaluate a decision log and report what changed.
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Options),
    /// List red lines, or show one in full.
    #[command(after_help = red_lines::EXAMPLES)]
    RedLines(red_lines::Options),
    /// Convert another format into a scenario file.
    Import {
        #[command(subcommand)]
        format: import::Format,
    },
    /// Print the JSON Schema of the scenario format, for editors.
    Schema,
    /// Print the completion script of a shell.
    #[command(after_help = "Example: detente completions bash > ~/.local/share/bash-completion/completions/detente")]
    Completions {
        /// Shell to complete commands in.
        shell: Shell,
    },
}

impl Cli {
    /// Reads the arguments and environment variables of this process. Ends the process if they are wrong, or if they
    /// ask for help.
    pub fn read() -> Self {
        Self::of(&env::args_os().collect::<Vec<_>>())
    }

    fn of(arguments: &[OsString]) -> Self {
        Self::try_parse_from(arguments).unwrap_or_else(|error| {
            let mut program = Self::command();
            program.build();
            variables::name_variables(error, &program, arguments).exit()
        })
    }

    /// Runs the command. Returns exit code 0, or 1 for a failure, or 2 for wrong usage.
    pub fn run(self) -> ExitCode {
        let command = self.command.or_else(|| Self::of(&["detente".into(), "serve".into()]).command);
        command.map_or(ExitCode::from(USAGE), Command::run)
    }
}

impl Command {
    /// Runs the command. Returns the exit code.
    fn run(self) -> ExitCode {
        let report = match self {
            Command::Serve(options) => {
                let mut program = Cli::command();
                program.build();
                let unknown = variables::unknown(&program, env::vars_os().map(|(name, _)| name));
                return finish_serving(serve::run(&options, &unknown));
            }
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
            Command::Sweep(options) => return finish(sweep::run(&options)),
            Command::Replay(options) => return finish(replay::run(&options)),
            Command::RedLines(options) => red_lines::run(&options),
            Command::Import { format } => import::run(&format),
            Command::Schema => pretty(&detente_core::scenario::schema()).map(Report::of),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "detente", &mut script);
                Ok(Report::of(String::from_utf8_lossy(&script).into_owned()))
            }
        };
        finish(report.map(|report| print(&report)))
    }
}
