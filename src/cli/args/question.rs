//! The options that all commands about one proposal share: the proposal, changes to it, and assumptions.
//!
//! Owns how these options become parts of a request. Must not know the commands.

use crate::cli::args::inputs::Inputs;
use crate::cli::args::parsers::{assignment, one_line};
use crate::cli::args::suppose::{SUPPOSE_HELP, hypotheses};
use crate::cli::backend::{Backend, Target};
use crate::cli::report::UsageErrors;
use crate::schema::json::from_json;
use crate::schema::proto::v1;
use crate::serving::source;
use anyhow::{Result, anyhow};
use clap::Args;
use detente_core::scenario::limits::MAX_PROPOSAL_FILE_BYTES;
use std::path::Path;

/// The options that state a proposal, changes to it, and assumptions.
#[derive(Args, Debug)]
pub(crate) struct Question {
    /// Id of a reference proposal (one that the scenario contains), or a YAML or JSON file (`terms:` as in scenario
    /// files, or a Proposal of the API). [default: no terms, the status quo]
    #[arg(value_name = "PROPOSAL")]
    proposal: Option<String>,

    #[command(flatten)]
    target: Target,

    /// Replace the proposal's answer to an issue; written as in scenario files. Repeatable.
    #[arg(long = "set", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    set: Vec<String>,

    /// Remove the proposal's answer to an issue, so that the status quo applies. Repeatable.
    #[arg(long = "clear", value_name = "ISSUE")]
    clear: Vec<String>,

    #[command(flatten)]
    assumptions: Assumptions,
}

/// The options that state assumptions: the values of circumstances, and hypotheses.
#[derive(Args, Debug)]
pub(crate) struct Assumptions {
    /// State the value of a circumstance. Repeatable.
    #[arg(long = "given", value_name = "CIRCUMSTANCE=VALUE", value_parser = assignment)]
    given: Vec<String>,

    #[arg(long = "suppose", value_name = "HYPOTHESIS", value_parser = one_line, help = SUPPOSE_HELP)]
    suppose: Vec<String>,
}

/// The subject of a request: the name of a reference proposal, or the proposal itself.
pub(crate) enum ProposalSource {
    Named(String),
    Own(v1::Proposal),
}

impl Default for ProposalSource {
    /// A proposal without terms, under which the status quo stays.
    fn default() -> Self {
        ProposalSource::Own(v1::Proposal::default())
    }
}

macro_rules! subjects {
    ($($request:ident),+) => {$(
        impl From<ProposalSource> for v1::$request::Subject {
            fn from(source: ProposalSource) -> Self {
                match source {
                    ProposalSource::Named(name) => Self::ProposalName(name),
                    ProposalSource::Own(proposal) => Self::Proposal(proposal),
                }
            }
        }
    )+};
}

subjects!(
    evaluate_proposal_request,
    evaluate_history_request,
    suggest_amendments_request,
    explain_impasse_request,
    assess_robustness_request
);

/// The parts of a request, and the backend to send it to.
pub(crate) struct PreparedQuestion {
    pub(crate) backend: Backend,
    pub(crate) scenario: v1::Scenario,
    pub(crate) inputs: Inputs,
    /// `None` if the command line neither names a proposal nor sets a term.
    pub(crate) proposal: Option<ProposalSource>,
    pub(crate) overrides: Vec<v1::Term>,
    pub(crate) cleared_issues: Vec<String>,
    pub(crate) circumstances: Vec<v1::Term>,
    pub(crate) hypotheses: Vec<v1::Hypothesis>,
}

impl Question {
    /// The proposal as the command line names it, or "the status quo".
    pub(crate) fn name(&self) -> &str {
        self.proposal.as_deref().unwrap_or("the status quo")
    }

    /// Whether the command line names a proposal.
    pub(crate) fn names_proposal(&self) -> bool {
        self.proposal.is_some()
    }

    /// Opens the backend, and reads the options against its scenario.
    pub(crate) fn prepare(&self) -> Result<PreparedQuestion> {
        let backend = self.target.open()?;
        let scenario = backend.get_scenario(self.target.scenario_name())?;
        let inputs = Inputs::of(&scenario);
        let named = self.proposal.as_deref().map(|proposal| read_proposal(proposal, &scenario, &inputs)).transpose()?;
        let overrides = inputs.set(&self.set).map_err(UsageErrors)?;
        let proposal = named.or_else(|| (!overrides.is_empty()).then(ProposalSource::default));
        let (circumstances, hypotheses) = self.assumptions.read(&backend, &scenario, &inputs)?;
        let cleared_issues = self.clear.clone();
        Ok(PreparedQuestion {
            backend,
            scenario,
            inputs,
            proposal,
            overrides,
            cleared_issues,
            circumstances,
            hypotheses,
        })
    }
}

impl Assumptions {
    /// Reads circumstances and hypotheses against a scenario.
    pub(crate) fn read(
        &self,
        backend: &Backend,
        scenario: &v1::Scenario,
        inputs: &Inputs,
    ) -> Result<(Vec<v1::Term>, Vec<v1::Hypothesis>)> {
        let given = inputs.given(&self.given).map_err(UsageErrors)?;
        Ok((given, hypotheses(&self.suppose, backend, scenario, inputs)?))
    }
}

/// Reads a PROPOSAL argument: a file, the id of a reference proposal, or its full name.
pub(crate) fn read_proposal(proposal: &str, scenario: &v1::Scenario, inputs: &Inputs) -> Result<ProposalSource> {
    Ok(if is_file(proposal) {
        ProposalSource::Own(from_file(proposal, inputs)?)
    } else if proposal.starts_with("scenarios/") {
        ProposalSource::Named(proposal.to_owned())
    } else {
        ProposalSource::Named(format!("{}/proposals/{proposal}", scenario.name))
    })
}

/// Whether an argument is a file: it has an extension, or begins with `.` or `/`. Ids do neither.
fn is_file(proposal: &str) -> bool {
    Path::new(proposal).extension().is_some() || proposal.starts_with(['.', '/'])
}

/// Reads a proposal from a file in the scenario format, or in the JSON of the API, where `terms` is a list.
fn from_file(file: &str, inputs: &Inputs) -> Result<v1::Proposal> {
    let text = source::read(Path::new(file), MAX_PROPOSAL_FILE_BYTES)?;
    let json = serde_json::from_str::<serde_json::Value>(&text);
    let is_api_json = json.is_ok_and(|json| json.get("terms").is_some_and(serde_json::Value::is_array));
    if is_api_json {
        // Make one message without a separate cause, because printing the chain of causes would repeat the error.
        return from_json("Proposal", &text).map_err(|error| anyhow!("{file} is not a Proposal of the API: {error}"));
    }
    Ok(v1::Proposal { terms: inputs.proposal(file, &text)?, ..v1::Proposal::default() })
}
