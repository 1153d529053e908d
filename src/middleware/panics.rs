//! A panic is an answer, not a lost connection: INTERNAL with an incident's id, under which the log tells more.
//!
//! Without this a handler's panic reaches its caller as a transport error without a status. The panic's message stays
//! in the log: it may quote what others sent.

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

/// Runs `poll`. What a panic leaves behind is dropped and never polled again: nobody sees a broken invariant.
fn caught<T>(poll: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(poll))
}

/// Logs a panic, and makes the status that its caller gets.
fn incident(payload: &Payload, request: Option<&RequestId>) -> Status {
    let id = crate::middleware::random_id();
    let request_id = request.map_or("", RequestId::as_str);
    tracing::error!(
        target: LOG_TARGET,
        incident = id, request_id, panic = panic_text(payload.as_ref()),
        "a handler panicked"
    );
    let text = format!("a fault of ours; the log tells more under incident {id}");
    crate::middleware::status(Code::Internal, ErrorReason::Internal, text, &[("incident", &id)])
}

/// Answers INTERNAL where the inner service panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct PanicsLayer;

impl<S> Layer<S> for PanicsLayer {
    type Service = Panics<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Panics { inner }
    }
}

/// A service whose panics are answers.
#[derive(Clone, Debug)]
pub struct Panics<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Panics<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Guarded<R>>;
    type Error = S::Error;
    type Future = Guarding<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request.extensions().get::<RequestId>().cloned();
        match caught(|| self.inner.call(request)) {
            Ok(inner) => Guarding { inner: Some(inner), payload: None, id },
            Err(payload) => Guarding { inner: None, payload: Some(payload), id },
        }
    }
}

pin_project! {
    /// An answer, even where making it panics.
    pub struct Guarding<F> {
        #[pin]
        inner: Option<F>,
        payload: Option<Payload>,
        id: Option<RequestId>,
    }
}

impl<F, R, E> Future for Guarding<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Guarded<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let payload = match (this.payload.take(), this.inner.as_mut().as_pin_mut()) {
            (Some(payload), _) => payload,
            (None, None) => return Poll::Pending,
            (None, Some(inner)) => match caught(|| inner.poll(cx)) {
                Ok(poll) => {
                    let id = this.id;
                    return poll.map_ok(|answer| answer.map(|inner| Guarded { inner: Some(inner), id: id.take() }));
                }
                Err(payload) => payload,
            },
        };
        let (parts, ()) = incident(&payload, this.id.as_ref()).into_http().into_parts();
        Poll::Ready(Ok(Response::from_parts(parts, Guarded { inner: None, id: None })))
    }
}

pin_project! {
    /// A body that ends with a status even where making it panics; without an inner one, an empty body.
    #[derive(Debug)]
    pub struct Guarded<B> {
        #[pin]
        inner: Option<B>,
        id: Option<RequestId>,
    }
}

impl<B> Body for Guarded<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        caught(|| inner.poll_frame(cx)).unwrap_or_else(|payload| {
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
