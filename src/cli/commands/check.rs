//! `detente check`: reports every fault of scenario files with its position.
//!
//! Must not know the rules of the format.

use crate::cli::args::scenario_size::ScenarioSize;
use crate::cli::render::text::{self, BAD};
use crate::cli::report::Report;
use crate::serving::source::{self, SourceError};
use clap::Args;
use detente_core::engine::Compiled;
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The options of `detente check`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files to check.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    size: ScenarioSize,
}

pub(super) fn run(options: &Options) -> Report {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut faults = String::new();
    for path in &options.files {
        match source::load_one(path, options.size.bytes) {
            Ok(compiled) => rows.push(row(&path.display().to_string(), &compiled)),
            Err(SourceError::Faulty(found)) => {
                let _ = writeln!(faults, "{}\n", found.render(std::io::stdout().is_terminal()));
            }
            Err(error) => {
                let _ = writeln!(faults, "{BAD}error:{BAD:#} {error}\n");
            }
        }
    }
    let head = ["FILE", "SCENARIO", "PARTIES", "ISSUES", "RED LINES", "PROPOSALS", "EDITIONS", "REVISION"];
    let good = if rows.is_empty() { String::new() } else { text::table(&head, &rows) };
    let bad = options.files.len() - rows.len();
    Report { text: faults + &good, holds: bad == 0 }
}

fn row(file: &str, compiled: &Compiled) -> Vec<String> {
    let scenario = compiled.scenario();
    vec![
        file.to_owned(),
        scenario.id.to_string(),
        scenario.parties.len().to_string(),
        scenario.issues().len().to_string(),
        scenario.red_lines.len().to_string(),
        scenario.proposals.len().to_string(),
        compiled.edition_days().count().to_string(),
        scenario.revision.as_str().chars().take(12).collect(),
    ]
}
