//! One call on an HTTP/2 stream: runs the service, and sends its answer as fast as the client reads.
//!
//! A client chooses how much of an answer it receives at a time (HTTP/2 flow control), so it can make the server hold
//! the rest. A call whose client takes no part of the answer for a time is reset, which releases the answer.
//!
//! The task of a call ends when the client resets the stream or the connection closes, whatever the service then does.
//! Must not know about RPC methods or messages.

use crate::middleware::account::CallAccount;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::stall";

/// Largest part of an answer for which the time limit of a client that does not read is counted, in bytes.
///
/// The parts are small, so that a slow client is not mistaken for one that does not read.
const PART_BYTES: usize = 32 * 1024;

/// When a call ends because its client does not read the answer.
#[derive(Clone, Debug)]
pub(crate) struct StallLimit {
    /// Time that a client may take for one part of an answer.
    pub(crate) time: Duration,
    /// Number of calls reset.
    pub(crate) resets: Arc<AtomicU64>,
}

/// Why a call has ended before its answer was sent.
#[derive(Debug, Error)]
enum CallEnd {
    /// The client has reset the stream, or the connection has closed.
    #[error("the client has left")]
    Left,
    /// The client has left a part of the answer unread for too long.
    #[error("the client left the answer unread")]
    Unread,
    /// The client did not read the answer, or too slowly, while others needed its memory, or there is no memory for the
    /// next part.
    #[error("the server needs the memory of the unread answer")]
    NoRoom,
    /// The answer cannot be sent.
    #[error("the answer cannot be sent")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl From<h2::Error> for CallEnd {
    fn from(error: h2::Error) -> Self {
        if error.is_remote() || error.is_io() { CallEnd::Left } else { CallEnd::Failed(error.into()) }
    }
}

/// Waits for the answer of a service, and sends it.
///
/// `is_reset` says that the client had reset the call before, so that it has been counted as such.
pub(crate) async fn serve<B>(
    answering: impl Future<Output = Result<Response<B>, Infallible>>,
    mut respond: SendResponse<Bytes>,
    account: CallAccount,
    is_reset: bool,
    stall: StallLimit,
) where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(response) = answer(answering, &mut respond).await else {
        if !is_reset {
            account.connection().reset();
        }
        return;
    };
    let (mut head, body) = response.into_parts();
    let is_empty = body.is_end_stream();
    if is_empty {
        hold_with_headers(&mut head.headers, &account);
    }
    let sent = match respond.send_response(Response::from_parts(head, ()), is_empty) {
        Ok(_) if is_empty => return,
        Ok(mut stream) => send(body, &mut stream, &account, &stall).await,
        Err(error) => Err(error.into()),
    };
    match sent {
        Ok(()) | Err(CallEnd::Left) => {}
        Err(CallEnd::Unread) => {
            stall.resets.fetch_add(1, Relaxed);
            debug!(target: LOG_TARGET, seconds = stall.time.as_secs(), "call reset: the client left the answer unread");
            respond.send_reset(Reason::CANCEL);
        }
        Err(CallEnd::NoRoom) => {
            stall.resets.fetch_add(1, Relaxed);
            debug!(target: LOG_TARGET, "call reset: other calls need the memory of its unread answer");
            // gRPC clients report it as RESOURCE_EXHAUSTED.
            respond.send_reset(Reason::ENHANCE_YOUR_CALM);
        }
        Err(failed @ CallEnd::Failed(_)) => {
            debug!(target: LOG_TARGET, error = &failed as &dyn Error, "call reset");
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// Waits for the answer of the service; `None` if the client leaves first.
async fn answer<B>(
    answering: impl Future<Output = Result<Response<B>, Infallible>>,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response<B>> {
    let mut answering = pin!(answering);
    poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(Ok(response)) => Poll::Ready(Some(response)),
        // Also asks to be woken by a reset.
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    })
    .await
}

/// Makes the headers of an answer without a body hold an account until they have left the server.
///
/// h2 copies the headers into its buffer for writing as soon as there is space in it, and drops them. Until then, an
/// answer that its client does not read counts as an open call. The value is marked as sensitive, because the table with
/// which h2 compresses headers would otherwise keep it.
fn hold_with_headers(headers: &mut HeaderMap, account: &CallAccount) {
    if let Some(value) = headers.values_mut().next() {
        let held = account.small_part(Bytes::copy_from_slice(value.as_bytes()));
        if let Some(Ok(mut held)) = held.map(HeaderValue::from_maybe_shared) {
            held.set_sensitive(true);
            *value = held;
        }
    }
}

/// Sends the body of an answer.
async fn send<B>(
    body: B,
    stream: &mut SendStream<Bytes>,
    account: &CallAccount,
    stall: &StallLimit,
) -> Result<(), CallEnd>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(body);
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Ok(Some(frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(CallEnd::Failed(error.into()))),
            Poll::Pending => stream.poll_reset(cx).map(|_| Err(CallEnd::Left)),
        });
        match frame.await?.map(Frame::into_data) {
            None => return Ok(stream.send_data(Bytes::new(), true)?),
            Some(Ok(data)) => {
                let mut data = account.part(data).await.map_err(|_| CallEnd::NoRoom)?;
                while !data.is_empty() {
                    let part = data.split_to(PART_BYTES.min(data.len()));
                    stream.reserve_capacity(part.len());
                    if stream.capacity() < part.len() {
                        let sent = timeout(stall.time, account.while_stuck(send_part(part, stream, account))).await;
                        sent.map_err(|_| CallEnd::Unread)?.ok_or(CallEnd::NoRoom)??;
                    } else {
                        account.note_sent(part.len());
                        stream.send_data(part, false)?;
                    }
                }
            }
            Some(Err(frame)) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                return Ok(stream.send_trailers(trailers)?);
            }
        }
    }
}

/// Sends a part of an answer, as fast as the client permits.
async fn send_part(mut part: Bytes, stream: &mut SendStream<Bytes>, account: &CallAccount) -> Result<(), CallEnd> {
    while !part.is_empty() {
        stream.reserve_capacity(part.len());
        let permitted = poll_fn(|cx| poll_permitted(stream, cx)).await?.min(part.len());
        stream.send_data(part.split_to(permitted), false)?;
        account.note_sent(permitted);
        account.note_progress();
    }
    Ok(())
}

/// Returns how many of the reserved bytes can be sent now, which is at least one.
fn poll_permitted(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, CallEnd>> {
    loop {
        match stream.capacity() {
            0 => match ready!(stream.poll_capacity(cx)) {
                Some(permitted) => drop(permitted?),
                None => return Poll::Ready(Err(CallEnd::Left)),
            },
            permitted => return Poll::Ready(Ok(permitted)),
        }
    }
}
