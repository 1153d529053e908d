//! Request ids: the caller's `x-request-id` if it is valid, otherwise a random id.
//!
//! The layer is the outermost one, so that the headers of every answer contain the id, including errors and
//! trailers-only answers. Inside the layer, the id is in the request's extensions. Must not know how a call is
//! answered.

use crate::error::MAX_REQUEST_ID_BYTES;
use crate::middleware::random_id::random_id;
use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower::{Layer, Service};

/// The header of the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id accepted from a caller, in bytes; a longer id is replaced.
pub const MAX_BYTES: usize = 128;
// The headers of a status leave room for this id.
const _: () = assert!(MAX_BYTES <= MAX_REQUEST_ID_BYTES);

/// The id of a call: 1 to 128 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the caller's id if it is valid, otherwise 128 random bits in hexadecimal digits.
    fn of<B>(request: &Request<B>) -> Self {
        let printable = |id: &&HeaderValue| {
            (1..=MAX_BYTES).contains(&id.len()) && id.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
        };
        let accepted = request.headers().get(REQUEST_ID).filter(printable).cloned();
        Self(accepted.or_else(|| random_id().try_into().ok()).unwrap_or(HeaderValue::from_static("none")))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Layer that gives every call a [`RequestId`].
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestIdLayer;

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestIdService { inner }
    }
}

/// The service of [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct RequestIdService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequestIdService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RequestIdFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = RequestId::of(&request);
        request.extensions_mut().insert(id.clone());
        RequestIdFuture { inner: self.inner.call(request), id: Some(id) }
    }
}

pin_project! {
    /// The response future of [`RequestIdService`], which adds the id to the headers.
    #[derive(Debug)]
    pub struct RequestIdFuture<F> {
        #[pin]
        inner: F,
        id: Option<RequestId>,
    }
}

impl<F, R, E> Future for RequestIdFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.inner.poll(cx));
        if let (Ok(response), Some(RequestId(id))) = (&mut answer, this.id.take()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Poll::Ready(answer)
    }
}
