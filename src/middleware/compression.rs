//! Answers are compressed in kind: with what the request was compressed with, if the caller accepts it.
//!
//! Most clients announce gzip on every call without asking for it, and tonic takes that as a wish: a typical answer of
//! half a kilobyte would cost more to compress than to compute. Other gRPC servers answer in kind, too.

use http::{HeaderName, HeaderValue, Request};
use std::task::{Context, Poll};
use tower::{Layer, Service};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Narrows what the caller accepts to what the caller uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct InKindLayer;

impl<S> Layer<S> for InKindLayer {
    type Service = InKind<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InKind { inner }
    }
}

/// A service that answers compressed requests compressed.
#[derive(Clone, Debug)]
pub struct InKind<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for InKind<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let headers = request.headers_mut();
        if let Some(accepted) = headers.remove(ACCEPTED)
            && let Some(used) = headers.get(ENCODING).cloned()
            && lists(&accepted, &used)
        {
            headers.insert(ACCEPTED, used);
        }
        self.inner.call(request)
    }
}

fn lists(accepted: &HeaderValue, encoding: &HeaderValue) -> bool {
    accepted.as_bytes().split(|byte| *byte == b',').any(|entry| entry.trim_ascii() == encoding.as_bytes())
}
