//! `RedLineService`: handlers of a few lines.

use super::proto::v1::red_line_service_server::RedLineServiceServer;
use super::proto::v1::{self, red_line_service_server::RedLineService};
use crate::serving::Store;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service over a store of scenarios.
#[derive(Clone, Debug)]
pub struct RedLines {
    store: Arc<Store>,
}

impl RedLines {
    /// Answers from these scenarios.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// As a tonic service, with the limits of this server.
    pub fn into_server(self) -> RedLineServiceServer<Self> {
        RedLineServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl RedLineService for RedLines {
    async fn evaluate_proposal(
        &self,
        _request: Request<v1::EvaluateProposalRequest>,
    ) -> Result<Response<v1::EvaluateProposalResponse>, Status> {
        Err(Status::unavailable(self.store.revision().to_owned()))
    }
    async fn list_red_lines(&self, _: Request<v1::ListRedLinesRequest>) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        Err(Status::unavailable(""))
    }
    async fn get_red_line(&self, _: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        Err(Status::unavailable(""))
    }
    async fn list_scenarios(&self, _: Request<v1::ListScenariosRequest>) -> Result<Response<v1::ListScenariosResponse>, Status> {
        Err(Status::unavailable(""))
    }
    async fn get_scenario(&self, _: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        Err(Status::unavailable(""))
    }
    async fn list_proposals(&self, _: Request<v1::ListProposalsRequest>) -> Result<Response<v1::ListProposalsResponse>, Status> {
        Err(Status::unavailable(""))
    }
    async fn get_proposal(&self, _: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        Err(Status::unavailable(""))
    }
}
