//! `detente evaluate`: one proposal, here or at a server.

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
  detente evaluate draft.yaml --set 'sanctions={any_of: [ease, lift]}' --given guarantors_willing=true
  detente evaluate european-force --suppose 'drop ru-no-nato-forces' --suppose ru-kursk=firm
  detente evaluate strong-army --suppose 'russia rejects ukrainian_forces == \"unlimited\"'
  detente evaluate european-force --server http://127.0.0.1:50051 --output json";

/// The options of `detente evaluate`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    question: Question,

    /// The day. [default: the scenario's]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    /// Show clear and not recorded lines, evidence, and all effective inputs too.
    #[arg(long)]
    full: bool,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let asked = options.question.open()?;
    let view = if options.full { v1::EvaluationView::Full } else { v1::EvaluationView::Basic };
    let request = v1::EvaluateProposalRequest {
        scenario: asked.scenario.name.clone(),
        subject: Some(asked.proposal.unwrap_or_default().into()),
        overrides: asked.overrides,
        cleared_issues: asked.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: asked.circumstances,
        hypotheses: asked.hypotheses,
        view: view.into(),
        revision: String::new(),
    };
    let response = asked.answerer.evaluate(request)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("EvaluateProposalResponse", &response)?)?,
        OutputFormat::Table => {
            let evaluation = response.evaluation.ok_or_else(|| anyhow!("the answer holds no evaluation"))?;
            evaluation_text(&asked.scenario, &evaluation)
        }
    }))
}
