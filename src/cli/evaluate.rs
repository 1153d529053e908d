//! `detente evaluate`: one proposal, here or at a server.

use super::answerer::Target;
use super::evaluation_text::evaluation_text;
use super::inputs::Inputs;
use super::source;
use super::{OutputFormat, Report, UsageFaults, pretty};
use crate::grpc::convert::date::from_date;
use crate::grpc::json::{from_json, to_json};
use crate::grpc::proto::v1::{self, evaluate_proposal_request::Subject};
use anyhow::{Result, anyhow};
use clap::Args;
use jiff::civil::Date;
use std::path::Path;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente evaluate jeddah-ceasefire
  detente evaluate jeddah-ceasefire --as-of 2024-06-30 --set ceasefire_days=60
  detente evaluate draft.yaml --set 'sanctions={any_of: [ease, lift]}' --given guarantors_willing=true
  detente evaluate european-force --server http://127.0.0.1:50051 --output json";

/// The options of `detente evaluate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A reference proposal's name, or a YAML or JSON file (`terms:` as in scenario files, or the API's Proposal).
    /// [default: no terms, the status quo]
    #[arg(value_name = "PROPOSAL")]
    proposal: Option<String>,

    #[command(flatten)]
    target: Target,

    /// The day to evaluate. [default: the scenario's]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    /// Replace the answer to an issue; written as in scenario files. May be repeated.
    #[arg(long = "set", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    set: Vec<String>,

    /// Take an issue's term out, so that the status quo holds. May be repeated.
    #[arg(long = "clear", value_name = "ISSUE")]
    clear: Vec<String>,

    /// Say what a circumstance is. May be repeated.
    #[arg(long = "given", value_name = "CIRCUMSTANCE=VALUE", value_parser = assignment)]
    given: Vec<String>,

    /// Show clear and not recorded lines, evidence, and all effective inputs too.
    #[arg(long)]
    full: bool,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

/// A date on the command line.
pub(super) fn date(text: &str) -> Result<Date, String> {
    let looks_right = text.len() == 10;
    text.parse().ok().filter(|_| looks_right).ok_or_else(|| "write a date like 2025-03-14".to_owned())
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() && !text.contains('\n') => {
            Ok(text.to_owned())
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let answerer = options.target.open()?;
    let scenario = answerer.get_scenario(options.target.scenario_name())?;
    let inputs = Inputs::of(&scenario);
    let subject = match options.proposal.as_deref() {
        None => Subject::Proposal(v1::Proposal::default()),
        Some(proposal) if is_file(proposal) => Subject::Proposal(from_file(proposal, &inputs)?),
        Some(name) if name.starts_with("scenarios/") => Subject::ProposalName(name.to_owned()),
        Some(id) => Subject::ProposalName(format!("{}/proposals/{id}", scenario.name)),
    };
    let view = if options.full { v1::EvaluationView::Full } else { v1::EvaluationView::Basic };
    let request = v1::EvaluateProposalRequest {
        scenario: scenario.name.clone(),
        subject: Some(subject),
        overrides: inputs.set(&options.set).map_err(UsageFaults)?,
        cleared_issues: options.clear.clone(),
        as_of: options.as_of.map(from_date),
        circumstances: inputs.given(&options.given).map_err(UsageFaults)?,
        hypotheses: Vec::new(),
        view: view.into(),
        revision: String::new(),
    };
    let response = answerer.evaluate(request)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("EvaluateProposalResponse", &response)?)?,
        OutputFormat::Table => {
            let evaluation = response.evaluation.ok_or_else(|| anyhow!("the answer holds no evaluation"))?;
            evaluation_text(&scenario, &evaluation)
        }
    }))
}

/// A file, not the name of a reference proposal: names have no dot and no slash of a path.
fn is_file(proposal: &str) -> bool {
    Path::new(proposal).extension().is_some() || proposal.starts_with(['.', '/'])
}

/// A proposal from a file: the scenario format's, or the API's JSON, whose terms are a list.
fn from_file(file: &str, inputs: &Inputs) -> Result<v1::Proposal> {
    let text = source::read(Path::new(file))?;
    let json = serde_json::from_str::<serde_json::Value>(&text);
    let is_api_json = json.is_ok_and(|json| json.get("terms").is_some_and(serde_json::Value::is_array));
    if is_api_json {
        // One message: the chain below it would say the same again.
        return from_json("Proposal", &text).map_err(|error| anyhow!("{file} is not the API's Proposal: {error}"));
    }
    Ok(v1::Proposal { terms: inputs.proposal(file, &text)?, ..v1::Proposal::default() })
}
