//! `StreamEvaluateProposals`: any number of requests over one stream, answered in order.
//!
//! A request is read when the transport asks for the next answer, which it does when the client reads. Nothing is
//! queued here, and no scenario is held between two requests. A client that does not read its answers therefore makes
//! the server keep only the answers that the transport already has. Must not know how an evaluation is computed.

use crate::error::{ApiError, Violations};
use crate::middleware::account::stream_place::StreamPlace;
use crate::middleware::callers::CallerState;
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as ItemResult;
use crate::services::decision_record::EvaluationRecord;
use crate::services::evaluate::EvaluatedProposal;
use crate::services::size::bounded;
use crate::services::{RedLines, Streams};
use detente_core::engine::{Compiled, Evaluation};
use futures_util::stream::unfold;
use prost::Message;
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
/// The answer to a message and, if the message was evaluated, its scenario and the evaluation.
type Item = (v1::StreamEvaluateProposalsResponse, Option<(Arc<Compiled>, Evaluation)>);

/// A stream with one answer for each request.
pub(super) type AnswerStream = Pin<Box<dyn Stream<Item = Result<v1::StreamEvaluateProposalsResponse, Status>> + Send>>;

/// Answers a stream of requests.
///
/// `place` counts the stream against the maximum number of streams on its connection, until the stream ends.
pub(super) fn answers(
    service: RedLines,
    requests: Streaming<v1::StreamEvaluateProposalsRequest>,
    payer: Option<Arc<CallerState>>,
    place: Option<StreamPlace>,
) -> AnswerStream {
    Box::pin(unfold(Some((service, requests, payer, place)), |open| async {
        let (service, mut requests, payer, place) = open?;
        let next = next(&service.shared.streams, &mut requests).await;
        match next.and_then(|request| service.call.check_credentials().map(|()| request).map_err(Status::from)) {
            Ok(Some(request)) => {
                let begun = Instant::now();
                let answer = service.admitted(request, payer.as_deref()).await;
                if let Some(account) = service.call.account() {
                    account.forget_message();
                }
                if let Err(error) = service.expect_answer(answer.encoded_len()).await {
                    return Some((Err(service.call.ended_by(error.into())), None));
                }
                if begun.elapsed() > LONG_ITEM {
                    yield_now().await;
                }
                Some((Ok(answer), Some((service, requests, payer, place))))
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
    pub fn stream_item(&self, message: v1::StreamEvaluateProposalsRequest) -> v1::StreamEvaluateProposalsResponse {
        self.answer_item(message).0
    }

    /// Answers one message of a stream, and returns the evaluation too.
    fn answer_item(&self, message: v1::StreamEvaluateProposalsRequest) -> Item {
        let v1::StreamEvaluateProposalsRequest { mut id, request } = message;
        let answered = if id.len() > MAX_STREAM_ID_BYTES {
            let text = format!("the id has {} bytes; the limit is {MAX_STREAM_ID_BYTES}", id.len());
            shorten(&mut id);
            let mut violations = Violations::default();
            violations.over("stream_id", "id", text);
            Err(ApiError::InvalidRequest(violations))
        } else {
            match request {
                None => Err(ApiError::InvalidRequest(Violations::one("request", "give a request"))),
                Some(request) => self.evaluate_uncached(&request, Violations::of_item()),
            }
        };
        let (result, found) = match answered {
            Ok(EvaluatedProposal { response, compiled, found }) => {
                (response.evaluation.map(ItemResult::Evaluation), Some((compiled, found)))
            }
            Err(error) => {
                self.count_refused_item(&error);
                (Some(ItemResult::Error(error.into())), None)
            }
        };
        // An evaluation within the size limit may exceed it together with its id. Such a message would end the stream,
        // so the client receives an error in its place.
        match bounded(v1::StreamEvaluateProposalsResponse { id: id.clone(), result }) {
            Ok(answer) => (answer, found),
            Err(error) => {
                let result = Some(ItemResult::Error(error.into()));
                (v1::StreamEvaluateProposalsResponse { id, result }, None)
            }
        }
    }

    /// Answers one message within the server's concurrency limit and the caller's quota, and records the evaluation.
    async fn admitted(
        &self,
        message: v1::StreamEvaluateProposalsRequest,
        payer: Option<&CallerState>,
    ) -> v1::StreamEvaluateProposalsResponse {
        let begun = Instant::now();
        let quota = payer.map_or(Ok(()), |payer| payer.take_quota(1));
        let permit = quota.and_then(|()| self.take_permit());
        let _permit = match permit {
            Ok(permit) => permit,
            Err(error) => return self.refused(message.id, error),
        };
        let recorded = self.shared.record.decisions.as_ref().and(message.request.clone());
        let (answer, found) = self.item(message).await;
        if let Some((compiled, found)) = &found {
            let request = &recorded.unwrap_or_default();
            let item = Some(answer.id.clone());
            let method = "StreamEvaluateProposals";
            self.record_evaluation(EvaluationRecord { method, item, cached: false, begun, request }, compiled, found);
            self.call.mark_answered();
        }
        answer
    }

    fn refused(&self, mut id: String, error: ApiError) -> v1::StreamEvaluateProposalsResponse {
        self.count_refused_item(&error);
        shorten(&mut id);
        v1::StreamEvaluateProposalsResponse { id, result: Some(ItemResult::Error(error.into())) }
    }

    /// Answers one message. Messages with hypotheses are answered on a worker thread.
    async fn item(&self, message: v1::StreamEvaluateProposalsRequest) -> Item {
        if message.request.as_ref().is_none_or(|request| request.hypotheses.is_empty()) {
            return self.answer_item(message);
        }
        let id = message.id.clone();
        let answered = self.run_on_worker_in_turn(move |service| Ok(service.answer_item(message))).await;
        answered.unwrap_or_else(|error| (self.refused(id, error), None))
    }
}

/// Cuts an id to 256 bytes, at a character boundary, so that the client can still recognise it.
fn shorten(id: &mut String) {
    id.truncate((0..=MAX_STREAM_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0));
}
