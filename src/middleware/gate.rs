//! Gates, which admit or reject calls by their headers, before the body is read.
//!
//! Must not know what a gate checks.

use crate::error::ApiError;
use crate::middleware::refusal::{OptionalBody, OrRefusal, refuse};
use futures_util::future::{Either, MapOk, TryFutureExt};
use http::{Request, Response};
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
    type Response = Response<OptionalBody<R>>;
    type Error = S::Error;
    type Future = OrRefusal<MapOk<S::Future, WrapBody<R>>, OptionalBody<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request).map_ok(wrap_body as WrapBody<R>)),
            Err(error) => refuse(error),
        }
    }
}

type WrapBody<R> = fn(Response<R>) -> Response<OptionalBody<R>>;

/// Gives the response a body that may be empty, as that of a refusal is.
fn wrap_body<R>(response: Response<R>) -> Response<OptionalBody<R>> {
    response.map(OptionalBody::new)
}
