//! Compresses an answer only as its request was compressed, and only if the caller accepts it.
//!
//! Most clients announce gzip on every call without wanting it, and tonic would then compress every answer: for a
//! typical answer of 500 bytes, compression takes longer than the evaluation. Other gRPC servers mirror the request's
//! encoding, too. Must not know how a call is answered.

use http::{HeaderName, HeaderValue, Request};
use std::task::{Context, Poll};
use tower::{Layer, Service};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Layer that removes from a call's headers all accepted encodings except the one in which its request is encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct MirrorEncodingLayer;

impl<S> Layer<S> for MirrorEncodingLayer {
    type Service = MirrorEncoding<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MirrorEncoding { inner }
    }
}

/// The service of [`MirrorEncodingLayer`].
#[derive(Clone, Debug)]
pub struct MirrorEncoding<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for MirrorEncoding<S>
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
