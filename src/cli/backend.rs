//! The backend of a command, which answers its requests: the service in this process, on scenario files, or a server.
//!
//! Owns the options that choose the backend. Must not know how answers are printed.

use crate::cli::args::scenario_size::ScenarioSize;
use crate::cli::client::{Client, Credentials};
use crate::cli::progress::Progress;
use crate::error::CallError;
use crate::schema::proto::v1;
use crate::services::{AnalysisRequest, RedLines};
use crate::serving::Store;
use crate::serving::source;
use anyhow::{Context, Result};
use clap::Args;
use detente_core::engine::Compiled;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const LARGEST_PAGE: i32 = 1_000;

/// The options that choose the scenario: a file, or a scenario of a server.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Scenario file to use. [default: the bundled scenario]
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    scenario: Option<PathBuf>,

    #[command(flatten)]
    size: ScenarioSize,

    /// Server to ask, in place of a file, like http://127.0.0.1:50051.
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// File of the authorities that may issue the server's certificate, in PEM. [default: those of the system]
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,

    /// File with your bearer token, for a server that identifies its callers.
    #[arg(long, env = "DETENTE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Id of the scenario on the server. [default: the default scenario of the server]
    #[arg(long, value_name = "NAME", requires = "server")]
    scenario_name: Option<String>,
}

/// The service that answers: in this process, or on a server.
pub(crate) enum Backend {
    Local(RedLines),
    Remote(Box<Client>),
}

impl Target {
    pub(crate) fn open(&self) -> Result<Backend> {
        if let Some(url) = self.server.as_ref().filter(|_| self.scenario.is_none()) {
            return Ok(Backend::Remote(Box::new(Client::connect(url, &self.credentials()?)?)));
        }
        let scenarios = source::load_within(self.scenario.as_slice(), self.size.bytes)?;
        Backend::of(scenarios)
    }

    fn credentials(&self) -> Result<Credentials> {
        let read = |file: &PathBuf, flag: &str| {
            fs::read_to_string(file).with_context(|| format!("{} cannot be read ({flag})", file.display()))
        };
        let authorities = self.ca.as_ref().map(|file| read(file, "--ca")).transpose()?;
        let token = self.token_file.as_ref().map(|file| read(file, "--token-file")).transpose()?;
        // Editors end a file with a newline, which is not part of the token.
        Ok(Credentials { authorities, token: token.map(|token| token.trim().to_owned()) })
    }

    /// The resource name of the scenario in requests; empty for the default scenario.
    pub(crate) fn scenario_name(&self) -> String {
        match self.scenario_name.as_deref() {
            Some(name) if name.starts_with("scenarios/") => name.to_owned(),
            Some(id) => format!("scenarios/{id}"),
            None => String::new(),
        }
    }
}

impl Backend {
    /// Creates a backend in this process that answers from `scenarios`.
    pub(crate) fn of(scenarios: Vec<Compiled>) -> Result<Self> {
        Ok(Backend::Local(RedLines::new(Arc::new(Store::new(scenarios)?))))
    }

    pub(crate) fn evaluate(
        &self,
        request: v1::EvaluateProposalRequest,
    ) -> Result<v1::EvaluateProposalResponse, CallError> {
        match self {
            Backend::Local(service) => service.evaluate(&request).map_err(CallError::from),
            Backend::Remote(client) => client.evaluate(request).map_err(CallError::from),
        }
    }

    pub(crate) fn history(
        &self,
        request: v1::EvaluateHistoryRequest,
    ) -> Result<v1::EvaluateHistoryResponse, CallError> {
        match self {
            Backend::Local(service) => service.evaluate_history(&request).map_err(CallError::from),
            Backend::Remote(client) => client.evaluate_history(request).map_err(CallError::from),
        }
    }

    pub(crate) fn compare(
        &self,
        request: v1::CompareProposalsRequest,
    ) -> Result<v1::CompareProposalsResponse, CallError> {
        match self {
            Backend::Local(service) => service.compare_proposals(&request).map_err(CallError::from),
            Backend::Remote(client) => client.compare_proposals(request).map_err(CallError::from),
        }
    }

    pub(crate) fn suggest_amendments(
        &self,
        request: v1::SuggestAmendmentsRequest,
        within: Duration,
    ) -> Result<v1::SuggestAmendmentsResponse, CallError> {
        match self {
            Backend::Local(service) => analyse(service, &request, within),
            Backend::Remote(client) => {
                let _progress = Progress::new(within);
                client.suggest_amendments(request, within).map_err(CallError::from)
            }
        }
    }

    pub(crate) fn find_packages(
        &self,
        request: v1::FindPackagesRequest,
        within: Duration,
    ) -> Result<Vec<v1::FindPackagesResponse>, CallError> {
        match self {
            Backend::Local(service) => {
                let answer = analyse(service, &request, within)?;
                answer.decode().map_err(|error| CallError::from(tonic::Status::internal(error.to_string())))
            }
            Backend::Remote(client) => {
                let progress = Progress::new(within);
                let show = |state: &v1::SearchProgress| {
                    let number = |number: i64| u64::try_from(number).unwrap_or(0);
                    progress.show(&state.phase, number(state.done), number(state.total));
                };
                client.find_packages(request, within, show).map_err(CallError::from)
            }
        }
    }

    pub(crate) fn explain_impasse(
        &self,
        request: v1::ExplainImpasseRequest,
        within: Duration,
    ) -> Result<v1::ExplainImpasseResponse, CallError> {
        match self {
            Backend::Local(service) => analyse(service, &request, within),
            Backend::Remote(client) => {
                let _progress = Progress::new(within);
                client.explain_impasse(request, within).map_err(CallError::from)
            }
        }
    }

    pub(crate) fn assess_robustness(
        &self,
        request: v1::AssessRobustnessRequest,
        within: Duration,
    ) -> Result<v1::AssessRobustnessResponse, CallError> {
        match self {
            Backend::Local(service) => analyse(service, &request, within),
            Backend::Remote(client) => {
                let _progress = Progress::new(within);
                client.assess_robustness(request, within).map_err(CallError::from)
            }
        }
    }

    /// All red lines that match the filter of `request`, from all pages.
    pub(crate) fn all_red_lines(
        &self,
        mut request: v1::ListRedLinesRequest,
    ) -> Result<v1::ListRedLinesResponse, CallError> {
        request.page_size = LARGEST_PAGE;
        let mut all = self.list_red_lines(request.clone())?;
        while !all.next_page_token.is_empty() {
            request.page_token = std::mem::take(&mut all.next_page_token);
            let page = self.list_red_lines(request.clone())?;
            all.red_lines.extend(page.red_lines);
            all.next_page_token = page.next_page_token;
        }
        Ok(all)
    }

    fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, CallError> {
        match self {
            Backend::Local(service) => service.list_red_lines(request).map_err(CallError::from),
            Backend::Remote(client) => client.list_red_lines(request).map_err(CallError::from),
        }
    }

    /// The first `max` proposals that a scenario contains (its reference proposals), and how many it contains in all.
    pub(crate) fn list_proposals(&self, parent: &str, max: i32) -> Result<v1::ListProposalsResponse, CallError> {
        let request = v1::ListProposalsRequest {
            parent: parent.to_owned(),
            page_size: max,
            ..v1::ListProposalsRequest::default()
        };
        match self {
            Backend::Local(service) => service.list_proposals(request).map_err(CallError::from),
            Backend::Remote(client) => client.list_proposals(request).map_err(CallError::from),
        }
    }

    pub(crate) fn get_red_line(&self, request: v1::GetRedLineRequest) -> Result<v1::RedLine, CallError> {
        match self {
            Backend::Local(service) => service.get_red_line(request).map_err(CallError::from),
            Backend::Remote(client) => client.get_red_line(request).map_err(CallError::from),
        }
    }

    pub(crate) fn get_scenario(&self, name: String) -> Result<v1::Scenario, CallError> {
        let request = v1::GetScenarioRequest { name, revision: String::new() };
        match self {
            Backend::Local(service) => service.get_scenario(request).map_err(CallError::from),
            Backend::Remote(client) => client.get_scenario(request).map_err(CallError::from),
        }
    }
}

/// Runs an analysis in this process for up to `within`, and shows its progress.
fn analyse<R: AnalysisRequest>(service: &RedLines, request: &R, within: Duration) -> Result<R::Answer, CallError> {
    Progress::new(within).during(|budget| service.analyse(request, budget)).map_err(CallError::from)
}
