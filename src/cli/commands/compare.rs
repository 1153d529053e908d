//! `detente compare`: shows proposals side by side.
//!
//! Owns the choice of proposals. Must not know how they are compared. A reference proposal is one that the scenario
//! contains.

use crate::cli::args::inputs::Inputs;
use crate::cli::args::parsers::date;
use crate::cli::args::question::{Assumptions, ProposalSource, read_proposal};
use crate::cli::backend::{Backend, Target};
use crate::cli::render::comparison::comparison_text;
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use crate::schema::proto::v1::compared_proposal::Subject;
use crate::services::{MAX_COMPARED, MAX_LABEL};
use anyhow::Result;
use clap::Args;
use jiff::civil::Date;
use std::path::Path;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente compare
  detente compare jeddah-ceasefire air-and-sea-truce --as-of 2025-03-01
  detente compare european-force draft.yaml --suppose 'drop ru-no-nato-forces'";

/// The options of `detente compare`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Ids of reference proposals, or YAML or JSON files (as for `evaluate`), up to 50.
    /// [default: all reference proposals]
    #[arg(value_name = "PROPOSAL")]
    proposals: Vec<String>,

    #[command(flatten)]
    target: Target,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    assumptions: Assumptions,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let backend = options.target.open()?;
    let scenario = backend.get_scenario(options.target.scenario_name())?;
    let inputs = Inputs::of(&scenario);
    let proposals = match options.proposals.as_slice() {
        [] => all(&backend, &scenario.name)?,
        named => named.iter().map(|name| one(name, &scenario, &inputs)).collect::<Result<_>>()?,
    };
    let (circumstances, hypotheses) = options.assumptions.read(&backend, &scenario, &inputs)?;
    let response = backend.compare(v1::CompareProposalsRequest {
        scenario: scenario.name,
        proposals,
        as_of: options.as_of.map(from_date),
        circumstances,
        hypotheses,
        revision: String::new(),
    })?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("CompareProposalsResponse", &response)?)?,
        OutputFormat::Table => comparison_text(&response),
    }))
}

fn one(name: &str, scenario: &v1::Scenario, inputs: &Inputs) -> Result<v1::ComparedProposal> {
    Ok(match read_proposal(name, scenario, inputs)? {
        ProposalSource::Named(name) => named(name),
        ProposalSource::Own(proposal) => {
            // The label is the name of the file without its folder, shortened to the length that the service accepts.
            let file = Path::new(name).file_name().map_or_else(String::new, |file| file.to_string_lossy().into_owned());
            let label = file.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect();
            let subject = Some(Subject::Proposal(proposal));
            v1::ComparedProposal { label, subject, ..v1::ComparedProposal::default() }
        }
    })
}

fn named(name: String) -> v1::ComparedProposal {
    v1::ComparedProposal { subject: Some(Subject::ProposalName(name)), ..v1::ComparedProposal::default() }
}

/// All reference proposals, up to the number that the service compares at once.
///
/// Reports on standard error if some are left out.
fn all(backend: &Backend, scenario: &str) -> Result<Vec<v1::ComparedProposal>> {
    let page = backend.list_proposals(scenario, i32::try_from(MAX_COMPARED).unwrap_or(i32::MAX))?;
    let left_out = usize::try_from(page.total_size).unwrap_or_default().saturating_sub(page.proposals.len());
    if left_out > 0 {
        anstream::eprintln!(
            "comparing the first {} of {} proposals; name proposals to compare others",
            page.proposals.len(),
            page.total_size
        );
    }
    Ok(page.proposals.into_iter().map(|proposal| named(proposal.name)).collect())
}
