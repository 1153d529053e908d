//! Turns the panic of a handler into INTERNAL with an incident id, under which the log has the details.
//!
//! Without this layer, a panic reaches the caller as a transport error without a status. The panic's message stays in
//! the log, because it may quote data of other callers. Must not know what a handler does.

use crate::middleware::request_id::RequestId;
use crate::schema::proto::v1::ErrorReason;
use crate::telemetry::panic_text;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::{Code, Status};
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

/// Logs a panic, and creates the status for the caller.
fn incident(payload: &Payload, request: Option<&RequestId>) -> Status {
    let id = crate::middleware::random_id();
    let request_id = request.map_or("", RequestId::as_str);
    tracing::error!(
        target: LOG_TARGET,
        incident = id, request_id, panic = panic_text(payload.as_ref()),
        "a handler panicked"
    );
    let text = format!("internal error; see incident {id} in the server log");
    crate::middleware::status(Code::Internal, ErrorReason::Internal, text, &[("incident", &id)])
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
    type Future = PanicsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request.extensions().get::<RequestId>().cloned();
        match catch_panic(|| self.inner.call(request)) {
            Ok(inner) => PanicsFuture { inner: Some(inner), payload: None, id },
            Err(payload) => PanicsFuture { inner: None, payload: Some(payload), id },
        }
    }
}

pin_project! {
    /// The response future of [`PanicsService`].
    pub struct PanicsFuture<F> {
        #[pin]
        inner: Option<F>,
        payload: Option<Payload>,
        id: Option<RequestId>,
    }
}

impl<F, R, E> Future for PanicsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<PanicsBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let payload = match (this.payload.take(), this.inner.as_mut().as_pin_mut()) {
            (Some(payload), _) => payload,
            (None, None) => return Poll::Pending,
            (None, Some(inner)) => match catch_panic(|| inner.poll(cx)) {
                Ok(poll) => {
                    let id = this.id;
                    return poll.map_ok(|answer| answer.map(|inner| PanicsBody { inner: Some(inner), id: id.take() }));
                }
                Err(payload) => payload,
            },
        };
        let (parts, ()) = incident(&payload, this.id.as_ref()).into_http().into_parts();
        Poll::Ready(Ok(Response::from_parts(parts, PanicsBody { inner: None, id: None })))
    }
}

pin_project! {
    /// The response body of [`PanicsService`], which turns a panic into a status.
    ///
    /// It is empty without an inner body.
    #[derive(Debug)]
    pub struct PanicsBody<B> {
        #[pin]
        inner: Option<B>,
        id: Option<RequestId>,
    }
}

impl<B> Body for PanicsBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        catch_panic(|| inner.poll_frame(cx)).unwrap_or_else(|payload| {
            this.inner.set(None);
            Poll::Ready(Some(Ok(Frame::trailers(crate::middleware::trailers(&incident(&payload, this.id.as_ref()))))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
