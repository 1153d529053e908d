//! The service itself: each question on the threads for analyses, shared with whoever asks the same.

use crate::error::ApiError;
use crate::middleware::deadline::Deadline;
use crate::schema::proto::analysis_service_server::{AnalysisService, AnalysisServiceServer};
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use crate::services::analysis::AnalysisRequest;
use crate::services::{MAX_ANSWER_BYTES, RedLines, bounded};
use crate::serving::{Analyses, AnalysisError, JobHandle, Ticket, WorkersError};
use bytes::{BufMut, Bytes, BytesMut};
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use futures_util::stream::unfold;
use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// The least time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// What a question of any kind comes to: a `Result<R::Answer, ApiError>` of its request.
type Outcome = Box<dyn Any + Send + Sync>;

/// The threads for analyses.
pub type AnalysisThreads = Analyses<Outcome, v1::SearchProgress>;

/// The service over a store of scenarios.
#[derive(Clone)]
pub struct Analyst {
    scenarios: RedLines,
    threads: AnalysisThreads,
}

impl Analyst {
    /// Answers from these scenarios, on these threads.
    pub fn new(scenarios: RedLines, threads: AnalysisThreads) -> Self {
        Self { scenarios, threads }
    }

    /// As a tonic service that reads messages of up to so many bytes.
    pub fn into_server(self, max_request_bytes: usize) -> AnalysisServiceServer<Self> {
        AnalysisServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Asks, or joins those who ask the same.
    fn ask<R: AnalysisRequest>(&self, request: Request<R>) -> Result<Asked, ApiError> {
        let deadline = request.extensions().get::<Deadline>().map(|Deadline(at)| *at);
        let (service, request) = self.scenarios.called(request)?;
        let compiled = service.about(&request)?;
        let key = key(&compiled, &request);
        let job = move |going: &JobHandle<'_, v1::SearchProgress>| -> Outcome {
            let stop = || going.stopped().is_some();
            let report = |phase: &'static str, done: u64, total: u64| {
                let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
                let (done, total) = (number(done), number(total));
                going.report(v1::SearchProgress { phase: phase.to_owned(), done, total });
            };
            Box::new(request.answer(&compiled, &Budget::new(&stop, &report)))
        };
        let ticket = self.threads.ask(key, deadline, job).map_err(|refused| match refused {
            WorkersError::Busy => ApiError::Overloaded,
            WorkersError::Ending => ApiError::ShuttingDown,
        })?;
        Ok(Asked { ticket, _place: service })
    }

    async fn answered<R: AnalysisRequest>(&self, request: Request<R>) -> Result<R::Answer, ApiError> {
        self.ask(request)?.answer().await
    }
}

/// The whole question: the method, the revision, and the request as it is encoded when everything in it is known.
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

/// A question that was asked.
struct Asked {
    ticket: Ticket<Outcome, v1::SearchProgress>,
    /// The service for this call, which has its place.
    _place: RedLines,
}

impl Asked {
    /// The outcome, shared with whoever asked the same.
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

/// What an outcome is.
fn answer_in<A: Send + Sync + 'static>(outcome: &Arc<Outcome>) -> &Result<A, ApiError> {
    let outcome: &(dyn Any + Send + Sync) = &***outcome;
    // INVARIANT: the key names the method, so that whoever shares an outcome shares its kind.
    match outcome.downcast_ref::<Result<A, ApiError>>() {
        Some(answer) => answer,
        None => unreachable!("an outcome of another method"),
    }
}

/// The parts of an answer, as they come.
type Parts = Pin<Box<dyn Stream<Item = Result<v1::FindPackagesResponse, Status>> + Send>>;

/// Where a stream of parts stands. What is sent is shared until its turn comes: many may have asked the same.
enum Standing {
    Searching { asked: Asked, told: Instant },
    Sending { outcome: Arc<Outcome>, next: usize },
    Over,
}

fn parts(asked: Asked) -> Parts {
    let begun = Standing::Searching { asked, told: Instant::now() };
    Box::pin(unfold(begun, |standing| async {
        let (outcome, next) = match standing {
            Standing::Over => return None,
            Standing::Sending { outcome, next } => (outcome, next),
            Standing::Searching { mut asked, told } => {
                let answered = match timeout_at((told + BETWEEN_REPORTS).into(), asked.outcome()).await {
                    Ok(answered) => answered,
                    // It takes longer: what was last told of it is passed on, or else what is told next.
                    Err(_) => match asked.ticket.progress().await {
                        Some(progress) => {
                            let part = v1::FindPackagesResponse { part: Some(Part::Progress(progress)) };
                            return Some((Ok(part), Standing::Searching { asked, told: Instant::now() }));
                        }
                        None => asked.outcome().await,
                    },
                };
                match answered {
                    Ok(outcome) => (outcome, 0),
                    Err(error) => return Some((Err(error.into()), Standing::Over)),
                }
            }
        };
        let part = match answer_in::<Vec<v1::FindPackagesResponse>>(&outcome) {
            Ok(all) => all.get(next)?.clone(),
            Err(error) => return Some((Err(error.clone().into()), Standing::Over)),
        };
        Some((bounded(part).map_err(Status::from), Standing::Sending { outcome, next: next + 1 }))
    }))
}

#[tonic::async_trait]
impl AnalysisService for Analyst {
    type FindPackagesStream = Parts;

    async fn suggest_amendments(
        &self,
        request: Request<v1::SuggestAmendmentsRequest>,
    ) -> Result<Response<v1::SuggestAmendmentsResponse>, Status> {
        let service = self.scenarios.of_call(request.extensions());
        service.respond(self.answered(request).await.and_then(bounded))
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
        let service = self.scenarios.of_call(request.extensions());
        service.respond(self.answered(request).await.and_then(bounded))
    }

    async fn assess_robustness(
        &self,
        request: Request<v1::AssessRobustnessRequest>,
    ) -> Result<Response<v1::AssessRobustnessResponse>, Status> {
        let service = self.scenarios.of_call(request.extensions());
        service.respond(self.answered(request).await.and_then(bounded))
    }
}
