//! `detente diff`: what changed between two scenario files, and what follows for the reference proposals.

mod json;
mod text;
mod verdicts;

use crate::cli::backend::Backend;
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::serving::source::{self, SourceError};
use anyhow::Result;
use clap::Args;
use detente_core::engine::Compiled;
use detente_core::scenario::Scenario;
use detente_core::scenario::diff::{Change, diff};
use std::path::PathBuf;
use std::sync::Arc;
use verdicts::Verdicts;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente diff old.yaml new.yaml
  detente diff <(git show main:scenarios/ukraine-2025.yaml) scenarios/ukraine-2025.yaml
  detente diff --exit-code --output json old.yaml new.yaml

A part is known by its id: one that got another id counts as removed and added. Formatting and comments don't count.

With --output json, an object of
  before, after  each with scenario, revision and asOf
  changes        each with section, path (from the part inwards, each step with list and id), field
                 (null: the part as a whole, or the order of parts) and change, which is
                   added, removed      with the part, by the keys of the file format
                   changed, reordered  with before and after
                   entries             with removed and added
                   condition           with before, after, and meaning: same, more, fewer or other
                                       cases; null: not compared
  verdicts       unchanged (how many proposals), and proposals (the others), each with proposal,
                 before and after (verdict and couldBecome; null: no such proposal), stances (party,
                 before, after) and redLines (redLine, before, after)";

/// The options of `detente diff`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Options {
    /// The scenario file as it was.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The scenario file as it is.
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// End with 1 if there are differences.
    #[arg(long)]
    exit_code: bool,

    /// How to print the differences.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

/// One of the two versions.
struct Version {
    scenario: Arc<Scenario>,
    answerer: Backend,
}

impl Version {
    fn of(compiled: Compiled) -> Result<Self> {
        Ok(Self { scenario: Arc::clone(compiled.scenario()), answerer: Backend::of(vec![compiled])? })
    }
}

/// Everything there is to tell.
struct Difference {
    before: Version,
    after: Version,
    changes: Vec<Change>,
    verdicts: Verdicts,
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

/// Both files. Where both cannot be used, both are told.
fn load(options: &Options) -> Result<(Compiled, Compiled), SourceError> {
    match (source::load_one(&options.before), source::load_one(&options.after)) {
        (Ok(before), Ok(after)) => Ok((before, after)),
        (Err(before), Err(after)) => {
            crate::cli::tell(&before.into());
            Err(after)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
