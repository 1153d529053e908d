//! `detente impasse`: why no package passes, here or at a server.

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
pub(in crate::cli) struct Options {
    #[command(flatten)]
    question: Question,

    /// The day. [default: the scenario's]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    aim: AimOptions,

    /// The most conflicts, and the most concessions, to show, at most 1,000.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1000))]
    max: i32,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let asked = options.question.open()?;
    let request = v1::ExplainImpasseRequest {
        scenario: asked.scenario.name.clone(),
        subject: asked.proposal.map(Into::into),
        overrides: asked.overrides,
        cleared_issues: asked.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: asked.circumstances,
        hypotheses: asked.hypotheses,
        aim: Some(options.aim.read(&asked.inputs)?),
        max_results: options.max,
        revision: String::new(),
    };
    let response = asked.answerer.explain_impasse(request, options.aim.timeout)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("ExplainImpasseResponse", &response)?)?,
        OutputFormat::Table => {
            let impasse = response.impasse.as_ref().ok_or_else(|| anyhow!("the answer holds no impasse"))?;
            let title = if options.question.is_given() {
                format!("Why nothing passes with the terms of {}", options.question.name())
            } else {
                "Why nothing passes".to_owned()
            };
            let of = (response.scenario.as_str(), response.revision.as_str());
            head(&title, &options.aim, response.as_of.as_ref(), of, &response.suppositions) + &impasse_text(impasse)
        }
    }))
}

/// Conflicts and concessions as tables.
pub(super) fn impasse_text(impasse: &v1::Impasse) -> String {
    let mut out = wrapped(&impasse.summary, 0);
    if !impasse.conflicts.is_empty() {
        out += "\nCannot be honoured together:\n";
        out += &sets(impasse.conflicts.iter().map(|conflict| conflict.red_lines.as_slice()));
    }
    if !impasse.concessions.is_empty() {
        out += "\nWhat would have to give, the softest first: each of these, softened below the floor,\nopens a package:\n";
        out += &sets(impasse.concessions.iter().map(|concession| concession.red_lines.as_slice()));
    }
    if !impasse.in_no_conflict.is_empty() {
        out.push('\n');
        out += &wrapped(&format!("In no conflict: {}.", mentions(&impasse.in_no_conflict)), 0);
    }
    out
}

/// Sets of red lines, a line each, a number before each set.
fn sets<'a>(sets: impl Iterator<Item = &'a [v1::RedLineMention]>) -> String {
    let mut rows = Vec::new();
    for (at, set) in sets.enumerate() {
        for (place, line) in set.iter().enumerate() {
            let number = if place == 0 { format!("{:>3}", at + 1) } else { String::new() };
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
