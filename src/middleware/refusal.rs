//! Refusals: a layer answers a call itself, in place of the inner service.
//!
//! Owns the response and the body of such an answer. Must not know why a call is refused.

use crate::error::ApiError;
use crate::middleware::call::Call;
use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

/// The response future of a layer: that of the inner service, or a refusal.
pub(super) type OrRefusal<F, B, E> = Either<F, Ready<Result<Response<B>, E>>>;

/// Returns a future that is ready with a refusal.
pub(super) fn refuse<F, B: Default, E>(error: ApiError) -> OrRefusal<F, B, E> {
    Either::Right(ready(Ok(refusal(error))))
}

/// Returns a response without a body, whose headers contain the error.
pub(super) fn refusal<B: Default>(error: ApiError) -> Response<B> {
    Status::from(error).into_http()
}

/// Encodes an error as the trailers that end the body of `call`, and records the error in the call's summary.
pub(super) fn trailers(call: Option<&Call>, error: ApiError) -> Frame<Bytes> {
    let status = Status::from(error.clone());
    if let Some(call) = call {
        call.summary().error = Some(error);
    }
    let mut trailers = HeaderMap::new();
    // `add_header` fails only if the message is not a valid header value, which percent-encoding rules out. 13 is
    // INTERNAL.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("13"));
    }
    Frame::trailers(trailers)
}

pin_project! {
    /// The body of an inner service's response, or the empty body of a refusal.
    #[derive(Debug)]
    pub struct OptionalBody<B> {
        #[pin]
        inner: Option<B>,
    }
}

impl<B> Default for OptionalBody<B> {
    fn default() -> Self {
        Self { inner: None }
    }
}

impl<B> OptionalBody<B> {
    pub(super) fn new(inner: B) -> Self {
        Self { inner: Some(inner) }
    }

    /// Drops the inner body, and ends this one.
    pub(super) fn end(self: Pin<&mut Self>) {
        self.project().inner.set(None);
    }
}

impl<B: Body<Data = Bytes>> Body for OptionalBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
