//! Every call has an id: the caller's `x-request-id` if it is fit to be repeated, else one made here.
//!
//! Outermost, so that every answer carries it in its headers, errors and trailers-only answers included. Inside, it is
//! in the request's extensions.

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower::{Layer, Service};

/// The header.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids are replaced.
pub const MAX_BYTES: usize = 128;

/// The id of a call: 1 to 128 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id, if it may be repeated, else 128 random bits in hexadecimal digits.
    fn of<B>(request: &Request<B>) -> Self {
        let printable = |id: &&HeaderValue| {
            (1..=MAX_BYTES).contains(&id.len()) && id.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
        };
        let given = request.headers().get(REQUEST_ID).filter(printable).cloned();
        Self(
            given
                .or_else(|| crate::middleware::random_id().try_into().ok())
                .unwrap_or(HeaderValue::from_static("none")),
        )
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Names every call.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestIdLayer;

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIds<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestIds { inner }
    }
}

/// A service in which every call has a [`RequestId`].
#[derive(Clone, Debug)]
pub struct RequestIds<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequestIds<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Named<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = RequestId::of(&request);
        request.extensions_mut().insert(id.clone());
        Named { inner: self.inner.call(request), id: Some(id) }
    }
}

pin_project! {
    /// An answer that will carry its call's id.
    #[derive(Debug)]
    pub struct Named<F> {
        #[pin]
        inner: F,
        id: Option<RequestId>,
    }
}

impl<F, R, E> Future for Named<F>
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
