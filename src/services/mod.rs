//! The handlers of `RedLineService` and `AnalysisService`.
//!
//! A handler converts the request, calls a core crate, and converts the result. The methods of [`RedLines`] can also be
//! called directly, without a connection. Owns page tokens, the sizes of requests and answers, and the record of
//! evaluations. Must not know how connections are served or how callers are identified.

mod analysis;
mod batch;
mod compare;
mod context;
mod decision_record;
mod evaluate;
mod history;
mod list;
pub mod page_token;
mod read;
mod stream;

pub use analysis::{AnalysisRequest, AnalysisThreads, Analyst, MAX_SWEEP};
pub use batch::MAX_BATCH;
pub use compare::{MAX_COMPARED, MAX_LABEL};
pub use decision_record::Record;
pub use history::MAX_HISTORY_FINDINGS;
pub use stream::MAX_STREAM_ID_BYTES;

use crate::error::{ApiError, Violations, quoted};
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::call::Call;
use crate::middleware::connection_context::StreamLimit;
use crate::middleware::quota::Quota;
use crate::middleware::response_budget::ResponseBudget;
use crate::schema::encoded::EvaluateProposalResponse;
use crate::schema::names;
use crate::schema::proto::red_line_service_server::{RedLineService, RedLineServiceServer};
use crate::schema::proto::v1;
use crate::serving::{Cache, NotHeldError, Store, Workers, WorkersError};
use detente_condition::nearest;
use detente_core::engine::Compiled;
use detente_core::scenario::model::Id;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Maximum size of a request, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// Maximum size of an answer, in bytes: what gRPC clients accept by default.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// `RedLineService` over a store of scenarios. Each call works with a copy that knows the call.
#[derive(Clone, Debug)]
pub struct RedLines {
    shared: Arc<Shared>,
    call: Call,
    /// The call's permit, returned when the last clone is dropped.
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// The state that all calls share.
#[derive(Clone, Debug)]
struct Shared {
    store: Arc<Store>,
    cache: Option<Arc<Cache>>,
    workers: Workers,
    streams: Streams,
    concurrency_limit: Option<ConcurrencyLimit>,
    response_budget: Option<ResponseBudget>,
    record: Record,
}

/// When the server ends streams of evaluations that their clients keep open.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Time after which a stream without a request ends.
    pub idle: Duration,
    /// Cancelled when the server begins to shut down.
    pub ending: CancellationToken,
}

impl Default for Streams {
    /// Creates settings with an idle time of one minute and without a shutdown.
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), ending: CancellationToken::new() }
    }
}

impl RedLines {
    /// Creates a service over the scenarios of `store`, without a cache, limits or a record.
    pub fn new(store: Arc<Store>) -> Self {
        let shared = Shared {
            store,
            cache: None,
            workers: Workers::default(),
            streams: Streams::default(),
            concurrency_limit: None,
            response_budget: None,
            record: Record::default(),
        };
        Self { shared: Arc::new(shared), call: Call::default(), _permit: None }
    }

    /// Sets the cache of answers.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<Cache>) -> Self {
        Arc::make_mut(&mut self.shared).cache = Some(cache);
        self
    }

    /// Sets when streams of evaluations end. The default idle time is one minute.
    #[must_use]
    pub fn with_streams(mut self, streams: Streams) -> Self {
        Arc::make_mut(&mut self.shared).streams = streams;
        self
    }

    /// Sets the limit of calls and of stream messages that are worked on at a time. The default is unlimited.
    #[must_use]
    pub fn with_concurrency_limit(mut self, limit: ConcurrencyLimit) -> Self {
        Arc::make_mut(&mut self.shared).concurrency_limit = Some(limit);
        self
    }

    /// Sets the budget for answers that clients have not read yet. The default is unlimited.
    #[must_use]
    pub fn with_response_budget(mut self, budget: ResponseBudget) -> Self {
        Arc::make_mut(&mut self.shared).response_budget = Some(budget);
        self
    }

    /// Sets where evaluations are recorded.
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        Arc::make_mut(&mut self.shared).record = record;
        self
    }

    /// Converts to a tonic service that reads messages of up to `max_request_bytes`.
    pub fn into_server(self, max_request_bytes: usize) -> RedLineServiceServer<Self> {
        RedLineServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Returns the id in a scenario's name; for an empty name, the id of the default scenario. `field` has the name.
    fn scenario_id(&self, name: &str, field: &str) -> Result<Id, ApiError> {
        match name {
            "" => {
                let default = self.shared.store.default_id().filter(|id| self.may_see(id));
                default.ok_or_else(|| self.scenario_not_found(""))
            }
            name => names::parse_scenario(name)
                .map(Id::from)
                .ok_or_else(|| ApiError::InvalidRequest(Violations::one(field, "write `scenarios/{scenario}`"))),
        }
    }

    /// Returns the scenario with this id, in the requested revision, or in the current one if `revision` is empty.
    fn scenario_by_id(&self, id: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        // Scenarios that the caller may not see are reported as not found.
        if !self.may_see(id) {
            return Err(self.scenario_not_found(id));
        }
        let store = &self.shared.store;
        let held = match revision {
            "" => store.get(id).ok_or_else(|| self.scenario_not_found(id))?,
            pinned => store.revision_of(id, pinned).map_err(|not_held| match not_held {
                NotHeldError::Scenario => self.scenario_not_found(id),
                NotHeldError::Revision { current } => ApiError::RevisionNotHeld { requested: quoted(pinned), current },
            })?,
        };
        self.record_scenario(&held);
        Ok(held)
    }

    /// Returns the scenario with this name, in the requested revision, or in the current one if `revision` is empty.
    fn scenario(&self, name: &str, field: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        self.scenario_by_id(&self.scenario_id(name, field)?, revision)
    }

    fn scenario_not_found(&self, id: &str) -> ApiError {
        let held = self.visible();
        let known = held.iter().map(|compiled| &*compiled.scenario().id);
        ApiError::ScenarioNotFound {
            name: if id.is_empty() { "(default)".to_owned() } else { names::scenario(&quoted(id)) },
            nearest: nearest(id, known).map(names::scenario),
        }
    }

    fn is_default(&self, compiled: &Compiled) -> bool {
        self.shared.store.default_id().is_some_and(|default| default == compiled.scenario().id)
    }

    /// Runs longer work on a worker thread, so that the threads that serve connections stay free.
    ///
    /// # Errors
    /// The error of the work, or [`ApiError::Overloaded`] if too many jobs wait for a worker.
    async fn run_on_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        flatten_worker_result(self.shared.workers.run(move || work(&service)).await)
    }

    /// Runs one item of a batch or stream on a worker thread. It waits for a worker instead of failing.
    async fn run_on_worker_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        flatten_worker_result(self.shared.workers.run_in_turn(move || work(&service)).await)
    }
}

fn flatten_worker_result<T>(work: Result<Result<T, ApiError>, WorkersError>) -> Result<T, ApiError> {
    work.unwrap_or_else(|refused| match refused {
        WorkersError::Busy => Err(ApiError::Overloaded),
        WorkersError::Ending => Err(ApiError::ShuttingDown),
    })
}

/// Checks that an answer is not larger than clients accept.
fn bounded<M: Message>(answer: M) -> Result<M, ApiError> {
    match answer.encoded_len() {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(answer),
    }
}

#[tonic::async_trait]
impl RedLineService for RedLines {
    type StreamEvaluateProposalsStream = stream::AnswerStream;

    async fn evaluate_proposal(
        &self,
        request: Request<v1::EvaluateProposalRequest>,
    ) -> Result<Response<EvaluateProposalResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(match request.hypotheses.as_slice() {
            [] => service.evaluate_encoded(&request),
            _ => service.run_on_worker(move |service| service.evaluate_encoded(&request)).await,
        })
    }

    async fn batch_evaluate_proposals(
        &self,
        request: Request<v1::BatchEvaluateProposalsRequest>,
    ) -> Result<Response<v1::BatchEvaluateProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.for_call(request)?;
        service.respond(service.batch_in_turns(request, quota).await)
    }

    async fn stream_evaluate_proposals(
        &self,
        requests: Request<Streaming<v1::StreamEvaluateProposalsRequest>>,
    ) -> Result<Response<Self::StreamEvaluateProposalsStream>, Status> {
        let permit = requests.extensions().get::<StreamLimit>().map(StreamLimit::take).transpose()?;
        let quota = requests.extensions().get::<Quota>().cloned();
        let (service, requests) = (self.with_call(requests.extensions()), requests.into_inner());
        Ok(Response::new(stream::answers(service, requests, quota, permit)))
    }

    async fn evaluate_history(
        &self,
        request: Request<v1::EvaluateHistoryRequest>,
    ) -> Result<Response<v1::EvaluateHistoryResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.run_on_worker(move |service| service.evaluate_history(&request)).await)
    }

    async fn compare_proposals(
        &self,
        request: Request<v1::CompareProposalsRequest>,
    ) -> Result<Response<v1::CompareProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.for_call(request)?;
        if let Some(quota) = quota {
            // The access layer already charged the quota for the first proposal.
            quota.take(u32::try_from(request.proposals.len().saturating_sub(1)).unwrap_or(u32::MAX))?;
        }
        service.respond(service.run_on_worker(move |service| service.compare_proposals(&request)).await)
    }

    async fn list_red_lines(
        &self,
        request: Request<v1::ListRedLinesRequest>,
    ) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_red_lines(request))
    }

    async fn get_red_line(&self, request: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_red_line(request))
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_scenarios(request))
    }

    async fn get_scenario(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_scenario(request))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_proposals(request))
    }

    async fn get_proposal(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_proposal(request))
    }
}
