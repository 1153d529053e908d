//! What lets a call in or turns it away, before anything of its body is read; and the room that its answer holds until it is
//! read.

use crate::middleware::room::Taken;
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

/// Decides about calls by their headers.
pub trait Gate: Clone {
    /// Lets a call in.
    ///
    /// # Errors
    /// The status with which it is turned away.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Box<Status>>;
}

/// Puts a gate before a service.
#[derive(Clone, Debug)]
pub struct GateLayer<G>(pub G);

impl<S, G: Clone> Layer<S> for GateLayer<G> {
    type Service = Gated<S, G>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated { inner, gate: self.0.clone() }
    }
}

/// A service behind a gate.
#[derive(Clone, Debug)]
pub struct Gated<S, G> {
    inner: S,
    gate: G,
}

impl<S, B, R, G> Service<Request<B>> for Gated<S, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    G: Gate,
{
    type Response = Response<Passing<R>>;
    type Error = S::Error;
    type Future = Either<MapOk<S::Future, Pass<R>>, Ready<Result<Response<Passing<R>>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request).map_ok(pass as Pass<R>)),
            Err(status) => {
                let (parts, ()) = status.into_http().into_parts();
                Either::Right(ready(Ok(Response::from_parts(parts, Passing { inner: None, _room: None }))))
            }
        }
    }
}

type Pass<R> = fn(Response<R>) -> Response<Passing<R>>;

fn pass<R>(mut response: Response<R>) -> Response<Passing<R>> {
    let room = response.extensions_mut().remove::<Taken>();
    response.map(|inner| Passing { inner: Some(inner), _room: room })
}

pin_project! {
    /// A body that holds its answer's room; without an inner one, an empty body.
    #[derive(Debug)]
    pub struct Passing<B> {
        #[pin]
        inner: Option<B>,
        _room: Option<Taken>,
    }
}

impl<B> Body for Passing<B>
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
