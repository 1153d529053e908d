//! `detente diff`: what changed between two versions of a scenario, and how its reference proposals are affected.
//!
//! A reference proposal is one that the scenario contains. Must not know how scenarios are compared, or how proposals
//! are evaluated.

mod difference;
mod json;
mod text;
mod verdicts;
mod version;

use crate::cli::args::scenario_size::ScenarioSize;
use crate::cli::exit::report_error;
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::serving::source::{self, SourceError};
use anyhow::Result;
use clap::Args;
use detente_core::engine::Compiled;
use detente_core::scenario::diff::diff;
use difference::Difference;
use std::path::PathBuf;
use verdicts::Verdicts;
use version::Version;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente diff old.yaml new.yaml
  detente diff <(git show main:scenarios/ukraine-2025.yaml) scenarios/ukraine-2025.yaml
  detente diff --exit-code --output json old.yaml new.yaml

Parts (such as red lines, issues and terms) are matched by their ids, so a part with a new id counts
as removed and added. Formatting and comments are not compared.

--output json prints an object with these keys:
  before, after  the versions: scenario, revision and asOf
  changes        a list; each change has section, path (steps from the part inwards, each with list
                 and id), field (null: the whole part, or the order of parts) and change:
                   added, removed      with part, in the keys of the file format
                   changed, reordered  with before and after
                   entries             with removed and added
                   condition           with before, after and meaning: same, more, fewer or other
                                       cases (null: not compared)
  verdicts       unchanged (the number of proposals without changes) and proposals (a list of the
                 others), each with proposal, before and after (verdict and couldBecome; null: this
                 version has no such proposal), stances (party, before, after) and redLines
                 (redLine, before, after)";

/// The options of `detente diff`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Earlier version of the scenario file.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// Later version of the scenario file.
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// Exit with 1 if there are differences.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    size: ScenarioSize,

    /// Format of the differences.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let (before, after) = load(options)?;
    let (before, after) = (Version::of(before)?, Version::of(after)?);
    let changes = diff(&before.scenario, &after.scenario);
    let verdicts = Verdicts::compare(&before, &after)?;
    let difference = Difference { before, after, changes, verdicts };
    let text = match options.output {
        OutputFormat::Json => pretty(&json::of(&difference))?,
        OutputFormat::Table => text::of(&difference),
    };
    Ok(Report { text, holds: !options.exit_code || difference.changes.is_empty() })
}

/// Loads both files. If both are faulty, prints the error of the first and returns that of the second.
fn load(options: &Options) -> Result<(Compiled, Compiled), SourceError> {
    match (source::load_one(&options.before, options.size.bytes), source::load_one(&options.after, options.size.bytes))
    {
        (Ok(before), Ok(after)) => Ok((before, after)),
        (Err(before), Err(after)) => {
            report_error(&before.into());
            Err(after)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
