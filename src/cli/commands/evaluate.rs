//! `detente evaluate`: evaluates one proposal on one day.
//!
//! Must not know how a proposal is evaluated.

use crate::cli::args::parsers::date;
use crate::cli::args::question::Question;
use crate::cli::render::evaluation::evaluation_text;
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use anyhow::{Result, anyhow};
use clap::Args;
use jiff::civil::Date;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente evaluate jeddah-ceasefire
  detente evaluate jeddah-ceasefire --as-of 2024-06-30 --set ceasefire_days=60
  detente evaluate draft.yaml --set 'sanctions={any_of: [ease, lift]}'
  detente evaluate guarantors-2022 --given guarantors_willing=true
  detente evaluate european-force --suppose 'drop ru-no-nato-forces' --suppose ru-kursk=firm
  detente evaluate strong-army --suppose 'russia rejects ukrainian_forces == \"unlimited\"'
  detente evaluate european-force --server http://127.0.0.1:50051 --output json";

/// The options of `detente evaluate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    question: Question,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    /// Also show red lines that are clear or not recorded, evidence, and the value of every input.
    #[arg(long)]
    full: bool,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let question = options.question.prepare()?;
    let view = if options.full { v1::EvaluationView::Full } else { v1::EvaluationView::Basic };
    let request = v1::EvaluateProposalRequest {
        scenario: question.scenario.name.clone(),
        subject: Some(question.proposal.unwrap_or_default().into()),
        overrides: question.overrides,
        cleared_issues: question.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: question.circumstances,
        hypotheses: question.hypotheses,
        view: view.into(),
        revision: String::new(),
    };
    let response = question.backend.evaluate(request)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("EvaluateProposalResponse", &response)?)?,
        OutputFormat::Table => {
            let evaluation = response.evaluation.ok_or_else(|| anyhow!("the response has no evaluation"))?;
            evaluation_text(&question.scenario, &evaluation)
        }
    }))
}
