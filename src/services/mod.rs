//! `RedLineService`: handlers of a few lines over calls that any caller can make without a wire.

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

/// The largest request that is read, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// The largest answer that is sent, in bytes: what clients accept by default.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The service over a store of scenarios, for one call.
#[derive(Clone, Debug)]
pub struct RedLines {
    shared: Arc<Shared>,
    call: Call,
    /// Of a call that is worked on; given back with the last clone of it.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

/// What all calls share.
#[derive(Clone, Debug)]
struct Shared {
    store: Arc<Store>,
    cache: Option<Arc<Cache>>,
    workers: Workers,
    streams: Streams,
    places: Option<ConcurrencyLimit>,
    room: Option<ResponseBudget>,
    record: Record,
}

/// How streams of evaluations end when nobody ends them.
#[derive(Clone, Debug)]
pub struct Streams {
    /// How long a stream may be without a request.
    pub idle: Duration,
    /// Cancelled when the server is about to end.
    pub ending: CancellationToken,
}

impl Default for Streams {
    /// A minute, and no end.
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), ending: CancellationToken::new() }
    }
}

impl RedLines {
    /// Answers from these scenarios, without a cache.
    pub fn new(store: Arc<Store>) -> Self {
        let shared = Shared {
            store,
            cache: None,
            workers: Workers::default(),
            streams: Streams::default(),
            places: None,
            room: None,
            record: Record::default(),
        };
        Self { shared: Arc::new(shared), call: Call::default(), _place: None }
    }

    /// The same, with a cache of answers.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<Cache>) -> Self {
        Arc::make_mut(&mut self.shared).cache = Some(cache);
        self
    }

    /// The same, with other ends of streams.
    #[must_use]
    pub fn with_streams(mut self, streams: Streams) -> Self {
        Arc::make_mut(&mut self.shared).streams = streams;
        self
    }

    /// The same, where each message of a stream takes one of these places while it is answered.
    #[must_use]
    pub fn with_places(mut self, places: ConcurrencyLimit) -> Self {
        Arc::make_mut(&mut self.shared).places = Some(places);
        self
    }

    /// The same, where answers that wait to be read take of this room.
    #[must_use]
    pub fn with_room(mut self, room: ResponseBudget) -> Self {
        Arc::make_mut(&mut self.shared).room = Some(room);
        self
    }

    /// The same, with another record of what is evaluated.
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        Arc::make_mut(&mut self.shared).record = record;
        self
    }

    /// As a tonic service that reads messages of up to so many bytes.
    pub fn into_server(self, max_request_bytes: usize) -> RedLineServiceServer<Self> {
        RedLineServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// The id in a scenario's name; that of the default one for no name. `field` is where the request has it.
    fn scenario_id(&self, name: &str, field: &str) -> Result<Id, ApiError> {
        match name {
            "" => {
                let default = self.shared.store.default_id().filter(|id| self.may_see(id));
                default.ok_or_else(|| self.missing(""))
            }
            name => names::parse_scenario(name)
                .map(Id::from)
                .ok_or_else(|| ApiError::InvalidRequest(Violations::one(field, "write `scenarios/{scenario}`"))),
        }
    }

    /// The scenario of an id, in the revision that is asked for, or the current one for none.
    fn held(&self, id: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        // To who may not see it, it does not exist.
        if !self.may_see(id) {
            return Err(self.missing(id));
        }
        let store = &self.shared.store;
        let held = match revision {
            "" => store.get(id).ok_or_else(|| self.missing(id))?,
            pinned => store.revision_of(id, pinned).map_err(|not_held| match not_held {
                NotHeldError::Scenario => self.missing(id),
                NotHeldError::Revision { current } => ApiError::RevisionNotHeld { requested: quoted(pinned), current },
            })?,
        };
        self.tell_scenario(&held);
        Ok(held)
    }

    /// Both in one.
    fn scenario(&self, name: &str, field: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        self.held(&self.scenario_id(name, field)?, revision)
    }

    fn missing(&self, id: &str) -> ApiError {
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

    /// Does longer work apart from the threads that serve.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        done(self.shared.workers.run(move || work(&service)).await)
    }

    /// The same for an item among others: it waits for its turn, rather than to be turned away.
    async fn apart_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        done(self.shared.workers.run_in_turn(move || work(&service)).await)
    }
}

fn done<T>(work: Result<Result<T, ApiError>, WorkersError>) -> Result<T, ApiError> {
    work.unwrap_or_else(|refused| match refused {
        WorkersError::Busy => Err(ApiError::Overloaded),
        WorkersError::Ending => Err(ApiError::ShuttingDown),
    })
}

/// Refuses what clients would not accept.
fn bounded<M: Message>(answer: M) -> Result<M, ApiError> {
    match answer.encoded_len() {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(answer),
    }
}

#[tonic::async_trait]
impl RedLineService for RedLines {
    type StreamEvaluateProposalsStream = stream::Answers;

    async fn evaluate_proposal(
        &self,
        request: Request<v1::EvaluateProposalRequest>,
    ) -> Result<Response<EvaluateProposalResponse>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(match request.hypotheses.as_slice() {
            [] => service.evaluate_encoded(&request),
            _ => service.apart(move |service| service.evaluate_encoded(&request)).await,
        })
    }

    async fn batch_evaluate_proposals(
        &self,
        request: Request<v1::BatchEvaluateProposalsRequest>,
    ) -> Result<Response<v1::BatchEvaluateProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.called(request)?;
        service.respond(service.batch_in_turns(request, quota).await)
    }

    async fn stream_evaluate_proposals(
        &self,
        requests: Request<Streaming<v1::StreamEvaluateProposalsRequest>>,
    ) -> Result<Response<Self::StreamEvaluateProposalsStream>, Status> {
        let place = requests.extensions().get::<StreamLimit>().map(StreamLimit::take).transpose()?;
        let quota = requests.extensions().get::<Quota>().cloned();
        let (service, requests) = (self.of_call(requests.extensions()), requests.into_inner());
        Ok(Response::new(stream::answers(service, requests, quota, place)))
    }

    async fn evaluate_history(
        &self,
        request: Request<v1::EvaluateHistoryRequest>,
    ) -> Result<Response<v1::EvaluateHistoryResponse>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.apart(move |service| service.evaluate_history(&request)).await)
    }

    async fn compare_proposals(
        &self,
        request: Request<v1::CompareProposalsRequest>,
    ) -> Result<Response<v1::CompareProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.called(request)?;
        if let Some(quota) = quota {
            // The call itself took one.
            quota.take(u32::try_from(request.proposals.len().saturating_sub(1)).unwrap_or(u32::MAX))?;
        }
        service.respond(service.apart(move |service| service.compare_proposals(&request)).await)
    }

    async fn list_red_lines(
        &self,
        request: Request<v1::ListRedLinesRequest>,
    ) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.list_red_lines(request))
    }

    async fn get_red_line(&self, request: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.get_red_line(request))
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.list_scenarios(request))
    }

    async fn get_scenario(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.get_scenario(request))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.list_proposals(request))
    }

    async fn get_proposal(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let (service, request) = self.called(request)?;
        service.respond(service.get_proposal(request))
    }
}
