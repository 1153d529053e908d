//! `detente amend`: the smallest changes after which a proposal passes.
//!
//! A proposal passes if it meets the goal (a condition) and the pins (terms that it must have) of the options, and
//! crosses no red line that counts. A red line counts if a chosen party holds it, with at least the firmness of
//! `--floor`. Owns the rendering of amendments. Must not know how they are found.

use crate::cli::args::aim::AimOptions;
use crate::cli::args::parsers::date;
use crate::cli::args::question::Question;
use crate::cli::commands::impasse::impasse_text;
use crate::cli::render::analysis::{head, mention, mentions};
use crate::cli::render::text::{DIM, HEAD, count, wrapped};
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use anyhow::Result;
use clap::Args;
use jiff::civil::Date;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente amend european-force
  detente amend jeddah-ceasefire --floor negotiable --goal 'ceasefire_scope == \"all_fronts\"'
  detente amend draft.yaml --pin ceasefire_days='{min: 30}' --third-party united_states --max 5";

/// The options of `detente amend`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    question: Question,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    aim: AimOptions,

    /// Maximum number of amendments to show, 1 to 20.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=20))]
    max: i32,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let question = options.question.prepare()?;
    let request = v1::SuggestAmendmentsRequest {
        scenario: question.scenario.name.clone(),
        subject: Some(question.proposal.unwrap_or_default().into()),
        overrides: question.overrides,
        cleared_issues: question.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: question.circumstances,
        hypotheses: question.hypotheses,
        aim: Some(options.aim.read(&question.inputs)?),
        max_amendments: options.max,
        revision: String::new(),
    };
    let response = question.backend.suggest_amendments(request, options.aim.timeout)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("SuggestAmendmentsResponse", &response)?)?,
        OutputFormat::Table => amendments_text(options, &response),
    }))
}

fn amendments_text(options: &Options, response: &v1::SuggestAmendmentsResponse) -> String {
    let title = format!("Amendments to {}", options.question.name());
    let of = (response.scenario.as_str(), response.revision.as_str());
    let mut out = head(&title, &options.aim, response.as_of.as_ref(), of, &response.suppositions);
    out += &wrapped(&response.summary, 0);
    for (at, amendment) in response.amendments.iter().enumerate().filter(|(_, amendment)| !amendment.changes.is_empty())
    {
        out += &format!("\n{HEAD}Amendment {}{HEAD:#}: {}\n", at + 1, distance_words(amendment.distance.as_ref()));
        for change in &amendment.changes {
            out += &change_text(change);
        }
        if !amendment.crosses.is_empty() {
            let uncounted = format!(
                "crossed, but below the floor or of a party that does not count: {}",
                mentions(&amendment.crosses)
            );
            out += &wrapped(&uncounted, 2);
        }
    }
    if let Some(impasse) = &response.impasse {
        out.push('\n');
        out += &impasse_text(impasse);
    }
    out
}

fn change_text(change: &v1::AmendmentChange) -> String {
    let mut out = wrapped(&change.text, 2);
    let mut reasons: Vec<String> = change.settles.iter().map(mention).collect();
    reasons.extend(change.mends_constraints.iter().map(|constraint| format!("constraint {constraint}")));
    reasons.extend(change.meets_goal.then(|| "the goal".to_owned()));
    reasons.extend(change.meets_pin.then(|| "a pin".to_owned()));
    if !reasons.is_empty() {
        out += &wrapped(&format!("at risk without this change: {}", reasons.join(", ")), 6);
    }
    if !change.newly_crosses.is_empty() {
        out += &wrapped(
            &format!(
                "newly crossed, but below the floor or of a party that does not count: {}",
                mentions(&change.newly_crosses)
            ),
            6,
        );
    }
    out
}

/// The distance of an amendment from the proposal in words, like "2 terms changed, 1 member toggled".
///
/// The thresholds of a quantity are the numbers at which conditions and pins divide its range.
fn distance_words(distance: Option<&v1::AmendmentDistance>) -> String {
    let Some(distance) = distance else { return String::new() };
    let parts = [
        (distance.terms_changed, "term changed", "terms changed"),
        (distance.terms_settled, "open term settled", "open terms settled"),
        (distance.members_toggled, "member toggled", "members toggled"),
        (distance.cuts_moved, "threshold passed", "thresholds passed"),
    ];
    let nonzero = parts.into_iter().filter(|(number, _, _)| *number > 0);
    let counts: Vec<String> =
        nonzero.map(|(number, one, more)| count(usize::try_from(number).unwrap_or(0), one, more)).collect();
    if counts.is_empty() { format!("{DIM}no change{DIM:#}") } else { counts.join(", ") }
}
