//! `StreamEvaluateProposals`: any number of requests over one stream, answered in order.
//!
//! A request is read when the transport asks for the next answer, which it does when the client reads. Nothing is
//! queued here, and no scenario is held between two requests. A client that does not read its answers therefore makes
//! the server keep only the answers that the transport already has. Must not know how an evaluation is computed.

use crate::convert::sizes::needs_worker;
use crate::error::{ApiError, Violations};
use crate::middleware::account::CallAccount;
use crate::middleware::account::stream_place::StreamPlace;
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as ItemResult;
use crate::services::answering::Kind;
use crate::services::decision_record::EvaluationRecord;
use crate::services::evaluate::EvaluatedProposal;
use crate::services::size::{Answer, bounded};
use crate::services::{RedLines, Streams};
use detente_core::engine::{Compiled, Evaluation};
use futures_util::stream::unfold;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// Maximum length of a message's id, in bytes.
pub const MAX_STREAM_ID_BYTES: usize = 256;

/// Time after which an item counts as long. The task yields to other tasks right after a long item.
const LONG_ITEM: Duration = Duration::from_micros(200);

/// A stream with one answer for each request.
pub(super) type AnswerStream = Pin<Box<dyn Stream<Item = Result<v1::StreamEvaluateProposalsResponse, Status>> + Send>>;

/// Answers a stream of requests.
///
/// `place` counts the stream against the maximum number of streams on its connection, until the stream ends.
pub(super) fn answers(
    service: RedLines,
    requests: Streaming<v1::StreamEvaluateProposalsRequest>,
    place: Option<StreamPlace>,
) -> AnswerStream {
    Box::pin(unfold(Some((service, requests, place)), |open| async {
        let (service, mut requests, place) = open?;
        let next = next(&service.shared.streams, &mut requests).await;
        match next.and_then(|request| service.call.check_credentials().map(|()| request).map_err(Status::from)) {
            Ok(Some(request)) => {
                let begun = Instant::now();
                let answer = service.admitted(request).await;
                if let Some(account) = service.call.account() {
                    account.forget_message();
                }
                if begun.elapsed() > LONG_ITEM {
                    yield_now().await;
                }
                match answer {
                    Ok(answer) => Some((Ok(answer), Some((service, requests, place)))),
                    Err(error) => Some((Err(service.call.ended_by(error.into())), None)),
                }
            }
            Ok(None) => None,
            Err(status) => Some((Err(service.call.ended_by(status)), None)),
        }
    }))
}

/// Reads the next request; `None` if the client has ended its side of the stream.
async fn next(
    streams: &Streams,
    requests: &mut Streaming<v1::StreamEvaluateProposalsRequest>,
) -> Result<Option<v1::StreamEvaluateProposalsRequest>, Status> {
    // If the client's next request has always arrived already, reading never waits, and the task would not leave its
    // thread to other tasks. This yields to them after a number of requests.
    consume_budget().await;
    tokio::select! {
        biased;
        () = streams.ending.cancelled() => Err(ApiError::ShuttingDown.into()),
        read = timeout(streams.idle, requests.message()) => match read {
            Ok(read) => read,
            Err(_) => Err(ApiError::StreamIdle { seconds: streams.idle.as_secs() }.into()),
        }
    }
}

impl RedLines {
    /// Answers one message of a stream. Errors are in the answer.
    pub fn stream_item(&self, message: &v1::StreamEvaluateProposalsRequest) -> v1::StreamEvaluateProposalsResponse {
        self.item(message).answer
    }

    /// Answers one message of a stream, and returns the evaluation too.
    fn item(&self, message: &v1::StreamEvaluateProposalsRequest) -> Item {
        let v1::StreamEvaluateProposalsRequest { id, request } = message;
        if id.len() > MAX_STREAM_ID_BYTES {
            let text = format!("the id has {} bytes; the limit is {MAX_STREAM_ID_BYTES}", id.len());
            let mut violations = Violations::default();
            violations.over("stream_id", "id", text);
            return Item::refused(id, ApiError::InvalidRequest(violations));
        }
        let answered = match request {
            None => Err(ApiError::InvalidRequest(Violations::one("request", "give a request"))),
            Some(request) => self.evaluate_uncached(request, Violations::of_item()),
        };
        match answered {
            Ok(EvaluatedProposal { response, compiled, found }) => {
                let result = response.evaluation.map(ItemResult::Evaluation);
                // An evaluation within the size limit may exceed it together with its id. Such a message would end the
                // stream, so the client receives an error in its place.
                match bounded(v1::StreamEvaluateProposalsResponse { id: id.clone(), result }) {
                    Ok(answer) => Item { answer, outcome: Ok((compiled, found)) },
                    Err(error) => Item::refused(id, error),
                }
            }
            Err(error) => Item::refused(id, error),
        }
    }

    /// Answers one message within the server's concurrency limit and the caller's quota, and records the evaluation.
    ///
    /// Messages with hypotheses are answered on a worker thread.
    ///
    /// # Errors
    /// If there is no room for the answer, or the server is shutting down.
    async fn admitted(
        &self,
        message: v1::StreamEvaluateProposalsRequest,
    ) -> Result<v1::StreamEvaluateProposalsResponse, ApiError> {
        let begun = Instant::now();
        let message = Arc::new(message);
        let refusal = self.call.account().and_then(CallAccount::take_refusal);
        let permit = refusal.map_or_else(|| self.take_permit(), Err);
        let hypotheses = message.request.as_ref().map_or(&[][..], |request| &request.hypotheses);
        let is_long = needs_worker(hypotheses);
        let permit = match permit {
            Ok(permit) if is_long => self.check_before_worker(hypotheses).map(|()| permit),
            permit => permit,
        };
        let Item { answer, outcome } = match &permit {
            Err(error) => self.answer(Kind::Item, |_| Ok(Item::refused(&message.id, error.clone()))).await?,
            Ok(_) if !is_long => self.answer(Kind::Item, |service| Ok(service.item(&message))).await?,
            Ok(_) => {
                let message = message.clone();
                self.answer_on_worker(Kind::Item, move |service| Ok(service.item(&message))).await?
            }
        };
        match outcome {
            Ok((compiled, found)) => {
                let none = v1::EvaluateProposalRequest::default();
                let request = message.request.as_ref().unwrap_or(&none);
                let (method, item) = ("StreamEvaluateProposals", Some(answer.id.clone()));
                let evaluated = EvaluationRecord { method, item, cached: false, begun, request };
                self.record_evaluation(evaluated, &compiled, &found);
                self.call.mark_answered();
            }
            Err(error) => self.count_refused_item(&error),
        }
        Ok(answer)
    }
}

/// The answer to a message and, if the message was evaluated, its scenario and the evaluation.
struct Item {
    answer: v1::StreamEvaluateProposalsResponse,
    outcome: Result<(Arc<Compiled>, Evaluation), ApiError>,
}

impl Item {
    fn refused(id: &str, error: ApiError) -> Self {
        let mut id = id.to_owned();
        shorten(&mut id);
        let result = Some(ItemResult::Error(error.clone().into()));
        Self { answer: v1::StreamEvaluateProposalsResponse { id, result }, outcome: Err(error) }
    }
}

impl Answer for Item {
    fn bytes(&self) -> usize {
        self.answer.bytes()
    }
}

/// Cuts an id to 256 bytes, at a character boundary, so that the client can still recognise it.
fn shorten(id: &mut String) {
    id.truncate((0..=MAX_STREAM_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0));
}
