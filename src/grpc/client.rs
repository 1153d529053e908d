//! Asking another server, for the command line.

use super::proto::v1;
use super::proto::v1::red_line_service_client::RedLineServiceClient;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a server cannot be asked.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Not a URL.
    #[error("`{0}` is not a server's URL; write one like http://127.0.0.1:50051")]
    Url(String),
    /// Nobody answers there.
    #[error("no server answers at {url}: {cause}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        cause: String,
    },
    /// No runtime to wait in.
    #[error("a client cannot be started")]
    Runtime(#[from] io::Error),
}

/// A connection to a server, for callers that wait.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    service: RedLineServiceClient<Channel>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If there is no server.
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        let endpoint = Endpoint::from_shared(url.to_owned()).ok().filter(|_| url.starts_with("http://"));
        let endpoint = endpoint.ok_or_else(|| ConnectError::Url(url.to_owned()))?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            ConnectError::Unreachable { url: url.to_owned(), cause: cause.to_string() }
        })?;
        Ok(Self { runtime, service: RedLineServiceClient::new(channel) })
    }

    /// EvaluateProposal.
    ///
    /// # Errors
    /// The server's.
    pub fn evaluate(&self, request: v1::EvaluateProposalRequest) -> Result<v1::EvaluateProposalResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_proposal(request)).map(Response::into_inner)
    }

    /// EvaluateHistory.
    ///
    /// # Errors
    /// The server's.
    pub fn evaluate_history(&self, request: v1::EvaluateHistoryRequest) -> Result<v1::EvaluateHistoryResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_history(request)).map(Response::into_inner)
    }

    /// CompareProposals.
    ///
    /// # Errors
    /// The server's.
    pub fn compare_proposals(
        &self,
        request: v1::CompareProposalsRequest,
    ) -> Result<v1::CompareProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().compare_proposals(request)).map(Response::into_inner)
    }

    /// ListProposals.
    ///
    /// # Errors
    /// The server's.
    pub fn list_proposals(&self, request: v1::ListProposalsRequest) -> Result<v1::ListProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().list_proposals(request)).map(Response::into_inner)
    }

    /// ListRedLines.
    ///
    /// # Errors
    /// The server's.
    pub fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, Status> {
        self.runtime.block_on(self.service.clone().list_red_lines(request)).map(Response::into_inner)
    }

    /// GetRedLine.
    ///
    /// # Errors
    /// The server's.
    pub fn get_red_line(&self, request: v1::GetRedLineRequest) -> Result<v1::RedLine, Status> {
        self.runtime.block_on(self.service.clone().get_red_line(request)).map(Response::into_inner)
    }

    /// GetScenario.
    ///
    /// # Errors
    /// The server's.
    pub fn get_scenario(&self, request: v1::GetScenarioRequest) -> Result<v1::Scenario, Status> {
        self.runtime.block_on(self.service.clone().get_scenario(request)).map(Response::into_inner)
    }
}
