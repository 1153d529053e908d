//! `RedLineService`: handlers of a few lines over calls that any caller can make without a wire.

mod evaluate;
mod list;
mod read;

use super::error::{ApiError, Violations, quoted};
use super::names;
use super::proto::v1;
use super::proto::v1::red_line_service_server::{RedLineService, RedLineServiceServer};
use crate::condition::nearest;
use crate::engine::Compiled;
use crate::serving::Store;
use prost::Message;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The largest request that is read, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// The largest answer that is sent, in bytes: what clients accept by default.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

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

    /// As a tonic service.
    pub fn into_server(self) -> RedLineServiceServer<Self> {
        RedLineServiceServer::new(self)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// The scenario of a name, or the default one for none. `field` is where the request names it.
    fn scenario(&self, name: &str, field: &str) -> Result<&Arc<Compiled>, ApiError> {
        let missing = |id: &str| {
            let held = self.store.list();
            let known = held.iter().map(|compiled| &*compiled.scenario().id);
            ApiError::ScenarioNotFound {
                name: if id.is_empty() { "(default)".to_owned() } else { names::scenario(&quoted(id)) },
                nearest: nearest(id, known).map(names::scenario),
            }
        };
        if name.is_empty() {
            return self.store.default_scenario().ok_or_else(|| missing(""));
        }
        let id = names::parse_scenario(name)
            .ok_or_else(|| ApiError::InvalidRequest(Violations::one(field, "write `scenarios/{scenario}`")))?;
        self.store.get(id).ok_or_else(|| missing(id))
    }

    fn is_default(&self, compiled: &Arc<Compiled>) -> bool {
        self.store.default_scenario().is_some_and(|default| Arc::ptr_eq(default, compiled))
    }
}

/// Holds a request to the revision that it pins.
fn check_revision(compiled: &Compiled, pinned: &str) -> Result<(), ApiError> {
    let current = compiled.scenario().revision.as_str();
    if pinned.is_empty() || pinned == current {
        return Ok(());
    }
    Err(ApiError::RevisionNotHeld { requested: quoted(pinned), current: current.to_owned() })
}

/// Refuses what clients would not accept.
fn bounded<M: Message>(answer: M) -> Result<M, ApiError> {
    match answer.encoded_len() {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(answer),
    }
}

fn respond<M>(answer: Result<M, ApiError>) -> Result<Response<M>, Status> {
    answer.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl RedLineService for RedLines {
    async fn evaluate_proposal(
        &self,
        request: Request<v1::EvaluateProposalRequest>,
    ) -> Result<Response<v1::EvaluateProposalResponse>, Status> {
        respond(self.evaluate(request.into_inner()))
    }

    async fn list_red_lines(
        &self,
        request: Request<v1::ListRedLinesRequest>,
    ) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        respond(self.list_red_lines(request.into_inner()))
    }

    async fn get_red_line(&self, request: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        respond(self.get_red_line(request.into_inner()))
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        respond(self.list_scenarios(request.into_inner()))
    }

    async fn get_scenario(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        respond(self.get_scenario(request.into_inner()))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        respond(self.list_proposals(request.into_inner()))
    }

    async fn get_proposal(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        respond(self.get_proposal(request.into_inner()))
    }
}
