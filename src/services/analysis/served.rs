//! The gRPC handlers of `AnalysisService`.
//!
//! Owns the key under which equal requests share one computation, and the stream of a search's parts. Must not know how
//! a question is solved, or how threads are scheduled.

use crate::convert::analysis::from_progress;
use crate::error::ApiError;
use crate::middleware::deadline::Deadline;
use crate::schema::proto::analysis_service_server::{AnalysisService, AnalysisServiceServer};
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use crate::services::analysis::AnalysisRequest;
use crate::services::{MAX_ANSWER_BYTES, RedLines, bounded};
use crate::serving::{Analyses, AnalysisError, JobHandle, Ticket, WorkersError};
use bytes::{BufMut, Bytes, BytesMut};
use detente_analysis::{Budget, SearchProgress};
use detente_core::engine::Compiled;
use futures_util::stream::unfold;
use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// Minimum time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// The outcome of a request of any type `R`: a `Result<R::Answer, ApiError>`.
type Outcome = Box<dyn Any + Send + Sync>;

/// The threads for the analyses of `AnalysisService`, which report `SearchProgress`.
pub type AnalysisThreads = Analyses<Outcome, v1::SearchProgress>;

/// `AnalysisService` over a store of scenarios.
#[derive(Clone)]
pub struct Analyst {
    scenarios: RedLines,
    threads: AnalysisThreads,
}

impl Analyst {
    /// Creates a service that answers from `scenarios` and computes on `threads`.
    pub fn new(scenarios: RedLines, threads: AnalysisThreads) -> Self {
        Self { scenarios, threads }
    }

    /// Converts to a tonic service that reads messages of up to `max_request_bytes`.
    pub fn into_server(self, max_request_bytes: usize) -> AnalysisServiceServer<Self> {
        AnalysisServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Starts a computation, or joins the running computation of an equal request.
    fn ask<R: AnalysisRequest>(&self, request: Request<R>) -> Result<PendingAnalysis, ApiError> {
        let deadline = request.extensions().get::<Deadline>().map(|Deadline(at)| *at);
        let (service, request) = self.scenarios.for_call(request)?;
        let compiled = service.scenario_of_analysis(&request)?;
        let key = key(&compiled, &request);
        let job = move |handle: &JobHandle<'_, v1::SearchProgress>| -> Outcome {
            let stop = || handle.stopped().is_some();
            let report = |progress: SearchProgress| handle.report(from_progress(progress));
            Box::new(request.answer(&compiled, &Budget::new(&stop, &report)))
        };
        let ticket = self.threads.ask(key, deadline, job).map_err(|refused| match refused {
            WorkersError::Busy => ApiError::Overloaded,
            WorkersError::Ending => ApiError::ShuttingDown,
        })?;
        Ok(PendingAnalysis { ticket, _service: service })
    }

    async fn answer<R: AnalysisRequest>(&self, request: Request<R>) -> Result<R::Answer, ApiError> {
        self.ask(request)?.answer().await
    }
}

/// Returns the key of a question: the method, the scenario, the revision and the encoded request.
///
/// The request is encoded again from its decoded form, which drops unknown fields.
fn key<R: AnalysisRequest>(compiled: &Compiled, request: &R) -> Bytes {
    let scenario = compiled.scenario();
    let mut key = BytesMut::new();
    for part in [R::METHOD, &scenario.id, scenario.revision.as_str()] {
        key.put_u64(part.len() as u64);
        key.put_slice(part.as_bytes());
    }
    key.put_slice(&request.encode_to_vec());
    key.freeze()
}

/// A request whose analysis has not been answered yet.
struct PendingAnalysis {
    ticket: Ticket<Outcome, v1::SearchProgress>,
    /// The service for this call, which holds the call's permit.
    _service: RedLines,
}

impl PendingAnalysis {
    /// Waits for the outcome, which is shared with equal requests.
    async fn outcome(&mut self) -> Result<Arc<Outcome>, ApiError> {
        self.ticket.answer().await.map_err(|failed| match failed {
            AnalysisError::NotBegun | AnalysisError::Late => ApiError::Late,
            AnalysisError::Ending => ApiError::ShuttingDown,
        })
    }

    async fn answer<A: Clone + Send + Sync + 'static>(&mut self) -> Result<A, ApiError> {
        let outcome = self.outcome().await?;
        answer_in::<A>(&outcome).clone()
    }
}

/// Returns the answer in an outcome of a request with answers of type `A`.
fn answer_in<A: Send + Sync + 'static>(outcome: &Arc<Outcome>) -> &Result<A, ApiError> {
    let outcome: &(dyn Any + Send + Sync) = &***outcome;
    // INVARIANT: the key contains the method, so all requests that share an outcome have the same type of answer.
    match outcome.downcast_ref::<Result<A, ApiError>>() {
        Some(answer) => answer,
        None => unreachable!("an outcome of another method"),
    }
}

/// The stream of the parts of an answer.
type Parts = Pin<Box<dyn Stream<Item = Result<v1::FindPackagesResponse, Status>> + Send>>;

/// The state of a stream of parts.
///
/// The parts stay in the shared outcome until each is sent, because many requests may share it.
enum StreamState {
    Searching { pending: PendingAnalysis, reported: Instant },
    Sending { outcome: Arc<Outcome>, next: usize },
    Over,
}

fn parts(pending: PendingAnalysis) -> Parts {
    let begun = StreamState::Searching { pending, reported: Instant::now() };
    Box::pin(unfold(begun, |state| async {
        let (outcome, next) = match state {
            StreamState::Over => return None,
            StreamState::Sending { outcome, next } => (outcome, next),
            StreamState::Searching { mut pending, reported } => {
                let answered = match timeout_at((reported + BETWEEN_REPORTS).into(), pending.outcome()).await {
                    Ok(answered) => answered,
                    // The search continues: sends the latest progress, or waits for the next report.
                    Err(_) => match pending.ticket.progress().await {
                        Some(progress) => {
                            let part = v1::FindPackagesResponse { part: Some(Part::Progress(progress)) };
                            return Some((Ok(part), StreamState::Searching { pending, reported: Instant::now() }));
                        }
                        None => pending.outcome().await,
                    },
                };
                match answered {
                    Ok(outcome) => (outcome, 0),
                    Err(error) => return Some((Err(error.into()), StreamState::Over)),
                }
            }
        };
        let part = match answer_in::<Vec<v1::FindPackagesResponse>>(&outcome) {
            Ok(all) => all.get(next)?.clone(),
            Err(error) => return Some((Err(error.clone().into()), StreamState::Over)),
        };
        Some((bounded(part).map_err(Status::from), StreamState::Sending { outcome, next: next + 1 }))
    }))
}

#[tonic::async_trait]
impl AnalysisService for Analyst {
    type FindPackagesStream = Parts;

    async fn suggest_amendments(
        &self,
        request: Request<v1::SuggestAmendmentsRequest>,
    ) -> Result<Response<v1::SuggestAmendmentsResponse>, Status> {
        let service = self.scenarios.with_call(request.extensions());
        service.respond(self.answer(request).await.and_then(bounded))
    }

    async fn find_packages(
        &self,
        request: Request<v1::FindPackagesRequest>,
    ) -> Result<Response<Self::FindPackagesStream>, Status> {
        Ok(Response::new(parts(self.ask(request)?)))
    }

    async fn explain_impasse(
        &self,
        request: Request<v1::ExplainImpasseRequest>,
    ) -> Result<Response<v1::ExplainImpasseResponse>, Status> {
        let service = self.scenarios.with_call(request.extensions());
        service.respond(self.answer(request).await.and_then(bounded))
    }

    async fn assess_robustness(
        &self,
        request: Request<v1::AssessRobustnessRequest>,
    ) -> Result<Response<v1::AssessRobustnessResponse>, Status> {
        let service = self.scenarios.with_call(request.extensions());
        service.respond(self.answer(request).await.and_then(bounded))
    }
}
