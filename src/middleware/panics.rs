//! Turns the panic of a handler into INTERNAL with an incident id, under which the log has the details.
//!
//! Without this layer, a panic reaches the caller as a transport error without a status. The panic's message stays in
//! the log, because it may quote data of other callers. Must not know what a handler does.

use crate::error::ApiError;
use crate::middleware::call::Call;
use crate::middleware::random_id::random_id;
use crate::middleware::refusal::{OptionalBody, OrRefusal, refusal, refuse, trailers};
use crate::telemetry::panic_text;
use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::layers::panics";

type Payload = Box<dyn Any + Send>;

/// Runs `poll` and catches a panic.
///
/// Callers drop a future or body that panicked and never poll it again, so nothing observes a broken invariant.
fn catch_panic<T>(poll: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(poll))
}

/// Logs a panic, and returns the error for the caller.
fn incident(payload: &Payload, call: Option<&Call>) -> ApiError {
    let incident = random_id();
    let request_id = call.map_or("", Call::id);
    tracing::error!(
        target: LOG_TARGET,
        incident, request_id, panic = panic_text(payload.as_ref()),
        "a handler panicked"
    );
    ApiError::Internal { incident }
}

/// Layer that answers INTERNAL if the inner service panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct PanicsLayer;

impl<S> Layer<S> for PanicsLayer {
    type Service = PanicsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PanicsService { inner }
    }
}

/// The service of [`PanicsLayer`].
#[derive(Clone, Debug)]
pub struct PanicsService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for PanicsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<PanicsBody<R>>;
    type Error = S::Error;
    type Future = OrRefusal<PanicsFuture<S::Future>, PanicsBody<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = request.extensions().get::<Call>().cloned();
        match catch_panic(|| self.inner.call(request)) {
            Ok(inner) => Either::Left(PanicsFuture { inner, call }),
            Err(payload) => refuse(incident(&payload, call.as_ref())),
        }
    }
}

pin_project! {
    /// The response future of [`PanicsService`].
    #[derive(Debug)]
    pub struct PanicsFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for PanicsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<PanicsBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match catch_panic(|| this.inner.poll(cx)) {
            Ok(poll) => poll.map_ok(|answer| {
                answer.map(|inner| PanicsBody { inner: OptionalBody::new(inner), call: this.call.take() })
            }),
            Err(payload) => Poll::Ready(Ok(refusal(incident(&payload, this.call.as_ref())))),
        }
    }
}

pin_project! {
    /// The response body of [`PanicsService`], which ends with a status if reading it panics.
    #[derive(Debug)]
    pub struct PanicsBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        call: Option<Call>,
    }
}

impl<B> Default for PanicsBody<B> {
    fn default() -> Self {
        Self { inner: OptionalBody::default(), call: None }
    }
}

impl<B: Body<Data = Bytes>> Body for PanicsBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        catch_panic(|| this.inner.as_mut().poll_frame(cx)).unwrap_or_else(|payload| {
            this.inner.end();
            Poll::Ready(Some(Ok(trailers(this.call.as_ref(), incident(&payload, this.call.as_ref())))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
