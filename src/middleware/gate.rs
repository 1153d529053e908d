//! What lets a call in or turns it away, before anything of its body is read; and the room that its answer holds until it is
//! read.

use crate::middleware::room::Taken;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
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
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&mut request) {
            Ok(()) => Admitted { inner: Some(self.inner.call(request)), refusal: None },
            Err(status) => Admitted { inner: None, refusal: Some(status) },
        }
    }
}

pin_project! {
    /// An answer, or a refusal.
    #[derive(Debug)]
    pub struct Admitted<F> {
        #[pin]
        inner: Option<F>,
        refusal: Option<Box<Status>>,
    }
}

impl<F, R, E> Future for Admitted<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Passing<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(status) = this.refusal.take() {
            let (parts, ()) = status.into_http().into_parts();
            return Poll::Ready(Ok(Response::from_parts(parts, Passing { inner: None, _room: None })));
        }
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        inner.poll(cx).map_ok(|mut response| {
            let room = response.extensions_mut().remove::<Taken>();
            response.map(|inner| Passing { inner: Some(inner), _room: room })
        })
    }
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
