//! Bounds the time within which a request must arrive, and takes room for its bytes.
//!
//! Without this limit, a client that sends a byte now and then could hold its call open for ever.
//!
//! Streams of evaluations and reflection are exempt: between messages, idle timeouts apply. Health is open to callers
//! without credentials, and its requests are one short message, so they must arrive within a second. Must not know how
//! a call is answered.

use crate::error::ApiError;
use crate::middleware::admission::is_stream_of_evaluations;
use crate::middleware::call::Call;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// Time within which a request of the health service must arrive.
///
/// The request is one name, which a client sends together with its headers.
pub const HEALTH_RECEIVE: Duration = Duration::from_secs(1);

/// Limits the time in which a request's body must arrive. If it takes longer than `within`, the body ends with an
/// error. A request of the health service has at most [`HEALTH_RECEIVE`].
pub fn with_time_limit<B>(request: Request<B>, within: Duration) -> Request<TimedBody<B>> {
    let path = request.uri().path();
    let open = is_stream_of_evaluations(path) || path.starts_with("/grpc.reflection.");
    let within = if path.starts_with("/grpc.health.") { within.min(HEALTH_RECEIVE) } else { within };
    let until = (!open).then(|| Instant::now() + within);
    let call = request.extensions().get::<Call>().cloned();
    request.map(|inner| TimedBody { inner, until, within, sleep: None, call })
}

pin_project! {
    /// A request body with a time limit.
    #[derive(Debug)]
    pub struct TimedBody<B> {
        #[pin]
        inner: B,
        until: Option<Instant>,
        within: Duration,
        // Created only when the body has not arrived yet, because most bodies arrive at once.
        #[pin]
        sleep: Option<Sleep>,
        call: Option<Call>,
    }
}

/// Returns the error that ends a body.
///
/// It is also recorded in the call, because its type gets lost on the way to the response: the router wraps the body's
/// error, and tonic copies a wrapped status without its source.
fn end(call: Option<&Call>, error: ApiError) -> Box<dyn Error + Send + Sync> {
    if let Some(call) = call {
        call.summary().error = Some(error.clone());
    }
    Box::new(Status::from(error))
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.inner.poll_frame(cx) {
            if let Some(Ok(frame)) = &frame
                && let Some(data) = frame.data_ref()
                && let Some(account) = this.call.as_ref().and_then(Call::account)
                && let Err(error) = account.receive(data.len())
            {
                return Poll::Ready(Some(Err(end(this.call.as_ref(), error))));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(until) = *this.until else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(until)));
        }
        match this.sleep.as_pin_mut().map(|sleep| sleep.poll(cx)) {
            Some(Poll::Ready(())) => {
                *this.until = None;
                let error = ApiError::RequestTooSlow { seconds: this.within.as_secs() };
                Poll::Ready(Some(Err(end(this.call.as_ref(), error))))
            }
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
