//! What the commands that evaluate ask alike: a proposal, changes of it, and what is assumed.

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
use std::path::Path;

/// A proposal, changed, and what is taken for granted.
#[derive(Args, Debug)]
pub(crate) struct Question {
    /// A reference proposal's name, or a YAML or JSON file (`terms:` as in scenario files, or the API's Proposal).
    /// [default: no terms, the status quo]
    #[arg(value_name = "PROPOSAL")]
    proposal: Option<String>,

    #[command(flatten)]
    target: Target,

    /// Replace the answer to an issue; written as in scenario files. May be repeated.
    #[arg(long = "set", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    set: Vec<String>,

    /// Take an issue's term out, so that the status quo holds. May be repeated.
    #[arg(long = "clear", value_name = "ISSUE")]
    clear: Vec<String>,

    #[command(flatten)]
    assumptions: Assumptions,
}

/// What to take for granted.
#[derive(Args, Debug)]
pub(crate) struct Assumptions {
    /// Say what a circumstance is. May be repeated.
    #[arg(long = "given", value_name = "CIRCUMSTANCE=VALUE", value_parser = assignment)]
    given: Vec<String>,

    #[arg(long = "suppose", value_name = "HYPOTHESIS", value_parser = one_line, help = SUPPOSE_HELP)]
    suppose: Vec<String>,
}

/// A proposal as requests name it, or bring it.
pub(crate) enum ProposalSource {
    Named(String),
    Own(v1::Proposal),
}

impl Default for ProposalSource {
    /// The status quo.
    fn default() -> Self {
        ProposalSource::Own(v1::Proposal::default())
    }
}

macro_rules! subjects {
    ($($request:ident),+) => {$(
        impl From<ProposalSource> for v1::$request::Subject {
            fn from(asked: ProposalSource) -> Self {
                match asked {
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

/// A question as requests bring it, and who answers.
pub(crate) struct Opened {
    pub(crate) answerer: Backend,
    pub(crate) scenario: v1::Scenario,
    pub(crate) inputs: Inputs,
    /// None: no proposal is named, and nothing set.
    pub(crate) proposal: Option<ProposalSource>,
    pub(crate) overrides: Vec<v1::Term>,
    pub(crate) cleared_issues: Vec<String>,
    pub(crate) circumstances: Vec<v1::Term>,
    pub(crate) hypotheses: Vec<v1::Hypothesis>,
}

impl Question {
    /// The proposal that is named on the command line, or nothing.
    pub(crate) fn name(&self) -> &str {
        self.proposal.as_deref().unwrap_or("the status quo")
    }

    /// Whether one is named.
    pub(crate) fn is_given(&self) -> bool {
        self.proposal.is_some()
    }

    pub(crate) fn open(&self) -> Result<Opened> {
        let answerer = self.target.open()?;
        let scenario = answerer.get_scenario(self.target.scenario_name())?;
        let inputs = Inputs::of(&scenario);
        let named = self.proposal.as_deref().map(|proposal| read_proposal(proposal, &scenario, &inputs)).transpose()?;
        let overrides = inputs.set(&self.set).map_err(UsageErrors)?;
        let proposal = named.or_else(|| (!overrides.is_empty()).then(ProposalSource::default));
        let (circumstances, hypotheses) = self.assumptions.read(&answerer, &scenario, &inputs)?;
        let cleared_issues = self.clear.clone();
        Ok(Opened { answerer, scenario, inputs, proposal, overrides, cleared_issues, circumstances, hypotheses })
    }
}

impl Assumptions {
    /// Circumstances and hypotheses.
    pub(crate) fn read(
        &self,
        answerer: &Backend,
        scenario: &v1::Scenario,
        inputs: &Inputs,
    ) -> Result<(Vec<v1::Term>, Vec<v1::Hypothesis>)> {
        let given = inputs.given(&self.given).map_err(UsageErrors)?;
        Ok((given, hypotheses(&self.suppose, answerer, scenario, inputs)?))
    }
}

/// A reference proposal's name, or a file.
pub(crate) fn read_proposal(proposal: &str, scenario: &v1::Scenario, inputs: &Inputs) -> Result<ProposalSource> {
    Ok(if is_file(proposal) {
        ProposalSource::Own(from_file(proposal, inputs)?)
    } else if proposal.starts_with("scenarios/") {
        ProposalSource::Named(proposal.to_owned())
    } else {
        ProposalSource::Named(format!("{}/proposals/{proposal}", scenario.name))
    })
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
