//! The gRPC handlers of `AnalysisService`.
//!
//! Owns which work is done before a request waits in the queue, and the stream of messages in which `FindPackages` is
//! answered: reports of progress, then the parts of the answer. Must not know how a question is solved, or how threads
//! are scheduled.

use crate::convert::analysis::from_progress;
use crate::convert::sizes::check_goal;
use crate::error::ApiError;
use crate::middleware::call::Call;
use crate::middleware::deadline::Deadline;
use crate::schema::encoded::Encoded;
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use crate::services::RedLines;
use crate::services::analysis::packages::PackageParts;
use crate::services::analysis::request::AnalysisRequest;
use crate::services::generated::analysis_service_server::{AnalysisService, AnalysisServiceServer};
use crate::services::size::{Answer, MAX_ANSWER_BYTES, bounded};
use crate::serving::{Analyses, AnalysisError, AnalysisThreads, JobHandle, Ticket, WorkersError};
use detente_analysis::{Budget, SearchProgress};
use futures_util::stream::{TryStreamExt, unfold};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status};

/// Minimum time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// Room for a report of progress that is sent while room is taken for the packages, in bytes.
const REPORT_BYTES: usize = 256;

/// Runs the analyses of one method. Requests with equal questions share an analysis.
type AnalysesOf<R, A = Encoded<<R as AnalysisRequest>::Answer>> =
    Analyses<<R as AnalysisRequest>::Question, Outcome<A>, v1::SearchProgress>;

/// The outcome of a request, which requests with equal questions share. Its answer is encoded, because it may wait for
/// room, and because each of the requests would encode it again.
type Outcome<A> = Result<A, ApiError>;

/// A message in the stream that answers `FindPackages`.
type Message = Encoded<v1::FindPackagesResponse>;

/// The implementation of `AnalysisService` for the scenarios of a store.
#[derive(Clone)]
pub struct Analyst {
    scenarios: RedLines,
    amendments: AnalysesOf<v1::SuggestAmendmentsRequest>,
    packages: AnalysesOf<v1::FindPackagesRequest, PackageParts>,
    impasses: AnalysesOf<v1::ExplainImpasseRequest>,
    robustness: AnalysesOf<v1::AssessRobustnessRequest>,
}

impl Analyst {
    /// Creates a service that answers from `scenarios` and computes on `threads`.
    pub fn new(scenarios: RedLines, threads: AnalysisThreads) -> Self {
        Self {
            scenarios,
            amendments: threads.analyses(),
            packages: threads.analyses(),
            impasses: threads.analyses(),
            robustness: threads.analyses(),
        }
    }

    /// Converts to a tonic service that reads messages of up to `max_request_bytes`.
    pub fn into_server(self, max_request_bytes: usize) -> AnalysisServiceServer<Self> {
        AnalysisServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Validates a request, and starts a computation or joins the running computation of an equal request.
    async fn ask<R: AnalysisRequest, A: From<R::Answer> + Send + Sync + 'static>(
        &self,
        analyses: &AnalysesOf<R, A>,
        request: Request<R>,
    ) -> Result<PendingAnalysis<R, A>, ApiError> {
        let deadline = request.extensions().get::<Deadline>().map(|Deadline(at)| *at);
        let (service, request) = self.scenarios.for_call(request)?;
        let question = if request.has_conditions() {
            service.check_before_worker(request.fields().hypotheses)?;
            check_goal(request.fields().aim)?;
            service.run_on_worker(move |service| service.paid_question(&request)).await?
        } else {
            service.paid_question(&request)?
        };
        let question = Arc::new(question);
        let asked = Arc::clone(&question);
        let job = move |handle: &JobHandle<'_, v1::SearchProgress>| -> Outcome<A> {
            let stop = || handle.stopped().is_some();
            let report = |progress: SearchProgress| handle.report(from_progress(progress));
            R::answer(&asked, &Budget::new(&stop, &report)).map(A::from)
        };
        let ticket = analyses.ask(service.turn, question, deadline, job).map_err(|refused| match refused {
            WorkersError::Busy => ApiError::Overloaded,
            WorkersError::Ending => ApiError::ShuttingDown,
        })?;
        Ok(PendingAnalysis { ticket, service })
    }

    /// Answers with the outcome of an analysis.
    async fn answer<R>(
        &self,
        analyses: &AnalysesOf<R>,
        request: Request<R>,
    ) -> Result<Response<Encoded<R::Answer>>, Status>
    where
        R: AnalysisRequest<Answer: prost::Message>,
    {
        let service = self.scenarios.with_call(request.extensions());
        let mut pending = self.ask(analyses, request).await?;
        let outcome = (*pending.outcome().await?).clone().and_then(bounded)?;
        drop(pending);
        service.pay_finished(outcome.bytes()).await?;
        service.respond(Ok(outcome))
    }
}

impl RedLines {
    /// Validates a request, and takes room for the conditions of its question, from the room for requests, until the
    /// call has its answer.
    fn paid_question<R: AnalysisRequest>(&self, request: &R) -> Result<R::Question, ApiError> {
        let question = self.question_of_analysis(request)?;
        if let Some(account) = self.call.account() {
            account.keep_with_request(R::validated(&question).question.bytes())?;
        }
        Ok(question)
    }

    /// Takes room for the finished answer of an analysis. To compute it again would cost more than to wait with it.
    async fn pay_finished(&self, bytes: usize) -> Result<(), ApiError> {
        match self.call.account() {
            Some(account) => account.reserve_finished(bytes).await,
            None => Ok(()),
        }
    }
}

/// A request whose analysis has not been answered yet.
struct PendingAnalysis<R: AnalysisRequest, A> {
    ticket: Ticket<R::Question, Outcome<A>, v1::SearchProgress>,
    /// The service for this call, which holds the call's permit.
    service: RedLines,
}

impl<R: AnalysisRequest, A> PendingAnalysis<R, A> {
    /// Waits for the outcome, which requests with equal questions share.
    async fn outcome(&mut self) -> Result<Arc<Outcome<A>>, ApiError> {
        self.ticket.answer().await.map_err(|failed| match failed {
            AnalysisError::NotBegun | AnalysisError::Late => ApiError::Late,
            AnalysisError::Ending => ApiError::ShuttingDown,
        })
    }
}

/// The stream of messages in which `FindPackages` is answered.
type Parts = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

/// A search for packages, in a task of its own, which takes room for the packages as soon as they are found.
///
/// The stream of the answer goes on only when its client reads, so that it cannot take room in time.
struct PackageSearch {
    packages: AbortOnDropHandle<Result<VecDeque<Message>, ApiError>>,
    progress: watch::Receiver<Option<v1::SearchProgress>>,
}

impl PackageSearch {
    fn begin(mut pending: PendingAnalysis<v1::FindPackagesRequest, PackageParts>) -> Self {
        let (reports, progress) = watch::channel(None);
        let packages = tokio::spawn(async move {
            let mut reported = Instant::now();
            let answered = loop {
                match timeout_at((reported + BETWEEN_REPORTS).into(), pending.outcome()).await {
                    Ok(answered) => break answered,
                    // The search continues: reports the latest progress, or waits for the next report.
                    Err(_) => match pending.ticket.progress().await {
                        Some(latest) => {
                            reports.send_replace(Some(latest));
                            reported = Instant::now();
                        }
                        None => break pending.outcome().await,
                    },
                }
            };
            // While the packages wait for room, a report would need room, too.
            reports.send_replace(None);
            pending.paid(answered).await
        });
        Self { packages: AbortOnDropHandle::new(packages), progress }
    }

    /// Waits for the next report of progress, or for the packages.
    async fn next(&mut self) -> Result<Found, ApiError> {
        loop {
            tokio::select! {
                biased;
                found = &mut self.packages => return match found {
                    Ok(found) => found.map(Found::Packages),
                    // Panics again in the task of the call, where a middleware layer turns panics into error responses.
                    Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
                    Err(_) => Err(ApiError::ShuttingDown),
                },
                Ok(()) = self.progress.changed() => {
                    if let Some(latest) = self.progress.borrow_and_update().clone() {
                        return Ok(Found::Progress(latest));
                    }
                }
            }
        }
    }
}

/// A report of progress, or the packages that a search has found.
enum Found {
    Progress(v1::SearchProgress),
    Packages(VecDeque<Message>),
}

/// The state of the stream that answers `FindPackages`.
enum StreamState {
    Searching(PackageSearch),
    /// Each part is freed when it is sent, unless other calls share it.
    Sending(VecDeque<Message>),
    Over,
}

impl StreamState {
    /// Returns the next message, and the state after it; `None` after the last one.
    async fn next(self, call: &Call) -> Option<(Result<Message, ApiError>, Self)> {
        let mut parts = match self {
            Self::Over => return None,
            Self::Sending(parts) => parts,
            Self::Searching(mut search) => match search.next().await {
                Ok(Found::Packages(parts)) => parts,
                Ok(Found::Progress(progress)) => {
                    let part = v1::FindPackagesResponse { part: Some(Part::Progress(progress)) };
                    return Some((Ok(part.into()), Self::Searching(search)));
                }
                Err(error) => return Some((Err(error), Self::Over)),
            },
        };
        let part = parts.pop_front()?;
        // From the room for all parts.
        let is_paid = call.account().is_none_or(|account| account.try_reserve_item(part.bytes()));
        let part = if is_paid { bounded(part) } else { Err(ApiError::Overloaded) };
        Some((part, Self::Sending(parts)))
    }
}

impl PendingAnalysis<v1::FindPackagesRequest, PackageParts> {
    /// Takes room for all parts of an answer.
    async fn paid(
        &self,
        answered: Result<Arc<Outcome<PackageParts>>, ApiError>,
    ) -> Result<VecDeque<Message>, ApiError> {
        let outcome = answered?;
        let packages = outcome.as_ref().as_ref().map_err(Clone::clone)?;
        self.service.pay_finished(packages.bytes + REPORT_BYTES).await?;
        Ok(packages.parts.iter().cloned().collect())
    }
}

fn parts(pending: PendingAnalysis<v1::FindPackagesRequest, PackageParts>) -> Parts {
    let call = pending.service.call.clone();
    let begun = (StreamState::Searching(PackageSearch::begin(pending)), call.clone());
    let parts = unfold(begun, async |(state, call)| {
        let (part, state) = state.next(&call).await?;
        Some((part, (state, call)))
    });
    Box::pin(parts.map_err(move |error| call.ended_by(error.into())))
}

#[tonic::async_trait]
impl AnalysisService for Analyst {
    type FindPackagesStream = Parts;

    async fn suggest_amendments(
        &self,
        request: Request<v1::SuggestAmendmentsRequest>,
    ) -> Result<Response<Encoded<v1::SuggestAmendmentsResponse>>, Status> {
        self.answer(&self.amendments, request).await
    }

    async fn find_packages(
        &self,
        request: Request<v1::FindPackagesRequest>,
    ) -> Result<Response<Self::FindPackagesStream>, Status> {
        Ok(Response::new(parts(self.ask(&self.packages, request).await?)))
    }

    async fn explain_impasse(
        &self,
        request: Request<v1::ExplainImpasseRequest>,
    ) -> Result<Response<Encoded<v1::ExplainImpasseResponse>>, Status> {
        self.answer(&self.impasses, request).await
    }

    async fn assess_robustness(
        &self,
        request: Request<v1::AssessRobustnessRequest>,
    ) -> Result<Response<Encoded<v1::AssessRobustnessResponse>>, Status> {
        self.answer(&self.robustness, request).await
    }
}
