//! Gates: admit or reject calls by their headers, before the body is read.
//!
//! The response body holds the answer's part of the response budget until the client has read it. Must not know what a
//! gate checks.

use crate::middleware::response_budget::ResponsePermit;
use bytes::Bytes;
use futures_util::future::{Either, MapOk, TryFutureExt};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;
use tower::{Layer, Service};

/// Admits or rejects calls by their headers.
pub trait Gate: Clone {
    /// Admits a call.
    ///
    /// # Errors
    /// The status of a rejected call.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Box<Status>>;
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
    type Future = Either<MapOk<S::Future, AttachPermit<R>>, Ready<Result<Response<GateBody<R>>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request).map_ok(attach_permit as AttachPermit<R>)),
            Err(status) => {
                let (parts, ()) = status.into_http().into_parts();
                Either::Right(ready(Ok(Response::from_parts(parts, GateBody { inner: None, _permit: None }))))
            }
        }
    }
}

type AttachPermit<R> = fn(Response<R>) -> Response<GateBody<R>>;

/// Moves the permit from the response's extensions into its body, which outlives them.
fn attach_permit<R>(mut response: Response<R>) -> Response<GateBody<R>> {
    let permit = response.extensions_mut().remove::<ResponsePermit>();
    response.map(|inner| GateBody { inner: Some(inner), _permit: permit })
}

pin_project! {
    /// The response body of [`GateService`], which holds the answer's permit; empty without an inner body.
    #[derive(Debug)]
    pub struct GateBody<B> {
        #[pin]
        inner: Option<B>,
        _permit: Option<ResponsePermit>,
    }
}

impl<B> Body for GateBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
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
