//! `detente impasse`: explains why no package passes.
//!
//! A package is a possible deal that meets the goal (a condition) and the pins (terms that it must have) of the
//! options. It passes if it crosses no red line that counts. A red line counts if a chosen party holds it, with at
//! least the firmness of `--floor`. A conflict is a set of red lines of which every package crosses at least one. A
//! concession is a set of red lines such that a package passes if all of them are softened below the floor. Owns the
//! rendering of conflicts and concessions. Must not know how they are found.

use crate::cli::args::aim::AimOptions;
use crate::cli::args::parsers::date;
use crate::cli::args::question::Question;
use crate::cli::render::analysis::{head, mentions};
use crate::cli::render::text::{table, wrapped};
use crate::cli::render::words::{firmness_word, last_segment};
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use anyhow::{Result, anyhow};
use clap::Args;
use jiff::civil::Date;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente impasse --goal 'ceasefire_scope == \"all_fronts\"' --floor negotiable
  detente impasse moscow-june-2024 --floor tentative
  detente impasse --goal 'size(force_contributors) > 0' --suppose ru-no-nato-forces=negotiable";

/// The options of `detente impasse`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    question: Question,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    aim: AimOptions,

    /// Maximum number of conflicts, and of concessions, to show, 1 to 1,000.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1000))]
    max: i32,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let question = options.question.prepare()?;
    let request = v1::ExplainImpasseRequest {
        scenario: question.scenario.name.clone(),
        subject: question.proposal.map(Into::into),
        overrides: question.overrides,
        cleared_issues: question.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: question.circumstances,
        hypotheses: question.hypotheses,
        aim: Some(options.aim.read(&question.inputs)?),
        max_results: options.max,
        revision: String::new(),
    };
    let response = question.backend.explain_impasse(request, options.aim.timeout)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("ExplainImpasseResponse", &response)?)?,
        OutputFormat::Table => {
            let impasse = response.impasse.as_ref().ok_or_else(|| anyhow!("the response has no impasse"))?;
            let mut title =
                if impasse.is_impasse == Some(true) { "Impasse" } else { "Search for an impasse" }.to_owned();
            if options.question.names_proposal() {
                title += &format!(" with the terms of {}", options.question.name());
            }
            let of = (response.scenario.as_str(), response.revision.as_str());
            head(&title, &options.aim, response.as_of.as_ref(), of, &response.suppositions) + &impasse_text(impasse)
        }
    }))
}

/// The summary, and tables of conflicts and concessions.
pub(super) fn impasse_text(impasse: &v1::Impasse) -> String {
    let mut out = wrapped(&impasse.summary, 0);
    if !impasse.conflicts.is_empty() {
        out += "\nMinimal conflicts:\n";
        out += &sets(impasse.conflicts.iter().map(|conflict| conflict.red_lines.as_slice()));
    }
    if !impasse.concessions.is_empty() {
        out += "\nMinimal concessions, softest first (a package passes if all red lines of one are softened):\n";
        out += &sets(impasse.concessions.iter().map(|concession| concession.red_lines.as_slice()));
    }
    if !impasse.in_no_conflict.is_empty() {
        out.push('\n');
        out += &wrapped(&format!("Red lines in no conflict: {}.", mentions(&impasse.in_no_conflict)), 0);
    }
    out
}

/// A table with one row per red line and a number at the start of each set.
fn sets<'a>(sets: impl Iterator<Item = &'a [v1::RedLineMention]>) -> String {
    let mut rows = Vec::new();
    for (at, set) in sets.enumerate() {
        for (row, line) in set.iter().enumerate() {
            let number = if row == 0 { format!("{:>3}", at + 1) } else { String::new() };
            rows.push(vec![
                number,
                last_segment(&line.red_line).to_owned(),
                line.party.clone(),
                firmness_word(line.firmness()).to_owned(),
            ]);
        }
    }
    table(&["", "RED LINE", "PARTY", "FIRMNESS"], &rows)
}
