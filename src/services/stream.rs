//! StreamEvaluateProposals: one request after the other, for as long as the client likes.
//!
//! A request is read when the transport asks for an answer, and it asks when the client reads: nothing is queued here,
//! and between two requests no scenario is held. What a client that doesn't read can make the server keep is what the
//! transport has already been given.

use crate::error::{ApiError, Violations};
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::quota::Quota;
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as ItemResult;
use crate::services::decision_record::Evaluated;
use crate::services::evaluate::Answered;
use crate::services::{RedLines, Streams, bounded};
use detente_core::engine::{Compiled, Evaluation};
use futures_util::stream::unfold;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// The longest id, in bytes.
pub const MAX_STREAM_ID_BYTES: usize = 256;

/// After an item that took so long, others have their turn at once.
const LONG_ITEM: Duration = Duration::from_micros(200);
/// The answer to an item; and where the item is evaluated, its scenario and what was found.
type Item = (v1::StreamEvaluateProposalsResponse, Option<(Arc<Compiled>, Evaluation)>);

/// Answers, one a request.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<v1::StreamEvaluateProposalsResponse, Status>> + Send>>;

/// The answers to a stream of requests, which has its place for as long as it lasts.
pub(super) fn answers(
    service: RedLines,
    requests: Streaming<v1::StreamEvaluateProposalsRequest>,
    quota: Option<Quota>,
    place: Option<OwnedSemaphorePermit>,
) -> Answers {
    Box::pin(unfold(Some((service, requests, quota, place)), |open| async {
        let (service, mut requests, quota, place) = open?;
        let next = next(&service.shared.streams, &mut requests).await;
        match next.and_then(|request| service.still_known().map(|()| request).map_err(Status::from)) {
            Ok(Some(request)) => {
                let begun = Instant::now();
                let answer = service.admitted(request, quota.as_ref()).await;
                if begun.elapsed() > LONG_ITEM {
                    yield_now().await;
                }
                Some((Ok(answer), Some((service, requests, quota, place))))
            }
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

/// The next request; `None` where the client has no more.
async fn next(
    streams: &Streams,
    requests: &mut Streaming<v1::StreamEvaluateProposalsRequest>,
) -> Result<Option<v1::StreamEvaluateProposalsRequest>, Status> {
    // A client that is always ahead would keep its thread: after a number of requests others have their turn.
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
    /// What a stream answers to one of its requests.
    pub fn stream_item(&self, message: v1::StreamEvaluateProposalsRequest) -> v1::StreamEvaluateProposalsResponse {
        self.answer_item(message).0
    }

    /// The answer to an item; and where the item is evaluated, what was found.
    fn answer_item(&self, message: v1::StreamEvaluateProposalsRequest) -> Item {
        let v1::StreamEvaluateProposalsRequest { mut id, request } = message;
        let answered = if id.len() > MAX_STREAM_ID_BYTES {
            let text = format!("the id has {} bytes; at most {MAX_STREAM_ID_BYTES} are repeated", id.len());
            shorten(&mut id);
            let mut violations = Violations::default();
            violations.over("stream_id", "id", text);
            Err(ApiError::InvalidRequest(violations))
        } else {
            match request {
                None => Err(ApiError::InvalidRequest(Violations::one("request", "give a request"))),
                Some(request) => self.evaluate_uncached(&request),
            }
        };
        let (result, found) = match answered {
            Ok(Answered { response, compiled, found }) => {
                (response.evaluation.map(ItemResult::Evaluation), Some((compiled, found)))
            }
            Err(error) => {
                self.refused_item(&error);
                (Some(ItemResult::Error(error.into())), None)
            }
        };
        // An answer that is small enough by itself may be too large with its id, and would end the stream.
        match bounded(v1::StreamEvaluateProposalsResponse { id: id.clone(), result }) {
            Ok(answer) => (answer, found),
            Err(error) => {
                let result = Some(ItemResult::Error(error.into()));
                (v1::StreamEvaluateProposalsResponse { id, result }, None)
            }
        }
    }

    /// The same within the server's bounds and the caller's, counted and written down.
    async fn admitted(
        &self,
        message: v1::StreamEvaluateProposalsRequest,
        quota: Option<&Quota>,
    ) -> v1::StreamEvaluateProposalsResponse {
        let begun = Instant::now();
        let quota = quota.map_or(Ok(()), |quota| quota.take(1));
        let place = quota.and_then(|()| self.shared.places.as_ref().map(ConcurrencyLimit::take).transpose());
        let _place = match place {
            Ok(place) => place,
            Err(error) => return self.refused(message.id, error),
        };
        let asked = self.shared.record.decisions.as_ref().and(message.request.clone());
        let (answer, found) = self.item(message).await;
        if let Some((compiled, found)) = &found {
            let request = &asked.unwrap_or_default();
            let item = Some(answer.id.clone());
            let method = "StreamEvaluateProposals";
            self.record_found(Evaluated { method, item, cached: false, begun, request }, compiled, found);
            self.call.mark_answered();
        }
        answer
    }

    fn refused(&self, mut id: String, error: ApiError) -> v1::StreamEvaluateProposalsResponse {
        self.refused_item(&error);
        shorten(&mut id);
        v1::StreamEvaluateProposalsResponse { id, result: Some(ItemResult::Error(error.into())) }
    }

    /// Answers an item; one with hypotheses on a worker thread.
    async fn item(&self, message: v1::StreamEvaluateProposalsRequest) -> Item {
        if message.request.as_ref().is_none_or(|request| request.hypotheses.is_empty()) {
            return self.answer_item(message);
        }
        let id = message.id.clone();
        let answered = self.apart_in_turn(move |service| Ok(service.answer_item(message))).await;
        answered.unwrap_or_else(|error| (self.refused(id, error), None))
    }
}

/// Leaves enough of an id to be recognised.
fn shorten(id: &mut String) {
    id.truncate((0..=MAX_STREAM_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0));
}
