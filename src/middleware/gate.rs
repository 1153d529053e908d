//! Gates, which admit or reject calls by their headers, before the body is read.
//!
//! The response budget bounds the memory of unread answers. Until the client has read an answer, the response body
//! holds the answer's part of this budget. Must not know what a gate checks.

use crate::error::ApiError;
use crate::middleware::refusal::{OptionalBody, OrRefusal, refuse};
use crate::middleware::response_budget::ResponsePermit;
use bytes::Bytes;
use futures_util::future::{Either, MapOk, TryFutureExt};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Admits or rejects calls by their headers.
pub trait Gate: Clone {
    /// Admits a call.
    ///
    /// # Errors
    /// If the call is rejected.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), ApiError>;
}

/// Layer that puts a gate before a service.
#[derive(Clone, Debug)]
pub struct GateLayer<G>(pub G);

impl<S, G: Clone> Layer<S> for GateLayer<G> {
    type Service = GateService<S, G>;

    fn layer(&self, inner: S) -> Self::Service {
        GateService { inner, gate: self.0.clone() }
    }
}

/// The service of [`GateLayer`].
#[derive(Clone, Debug)]
pub struct GateService<S, G> {
    inner: S,
    gate: G,
}

impl<S, B, R, G> Service<Request<B>> for GateService<S, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    G: Gate,
{
    type Response = Response<GateBody<R>>;
    type Error = S::Error;
    type Future = OrRefusal<MapOk<S::Future, AttachPermit<R>>, GateBody<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request).map_ok(attach_permit as AttachPermit<R>)),
            Err(error) => refuse(error),
        }
    }
}

type AttachPermit<R> = fn(Response<R>) -> Response<GateBody<R>>;

/// Moves the permit from the response's extensions into its body, which outlives them.
fn attach_permit<R>(mut response: Response<R>) -> Response<GateBody<R>> {
    let permit = response.extensions_mut().remove::<ResponsePermit>();
    response.map(|inner| GateBody { inner: OptionalBody::new(inner), _permit: permit })
}

pin_project! {
    /// The response body of [`GateService`], which holds the answer's permit.
    #[derive(Debug)]
    pub struct GateBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        _permit: Option<ResponsePermit>,
    }
}

impl<B> Default for GateBody<B> {
    fn default() -> Self {
        Self { inner: OptionalBody::default(), _permit: None }
    }
}

impl<B: Body<Data = Bytes>> Body for GateBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
