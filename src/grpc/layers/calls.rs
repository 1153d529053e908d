//! Every call is counted while it lasts, and ends with one event: method, request id, status, and how long it took.
//! What was asked and answered stays out of the log.
//!
//! A call lasts until its trailers are handed to the transport, or until it is dropped because its caller has left.
//! Failures are logged at `info`, successes at `debug` (`--log info,detente::call=debug`). None is an error here: callers
//! bring about any status they like, INTERNAL too, and where the fault is ours, whoever finds it has logged it.
//!
//! At `debug` there is a span too, which names the call to whatever is logged inside it. Not at `info`: a span costs
//! six microseconds, a quarter of a call.

use super::request_id::RequestId;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Span, field};

/// The target of the events.
const TARGET: &str = "detente::call";
/// Paths are the caller's: longer ones are cut in the log.
const MAX_METHOD_BYTES: usize = 128;

/// Watches every call.
#[derive(Clone, Debug, Default)]
pub struct CallsLayer {
    in_flight: TaskTracker,
}

impl CallsLayer {
    /// Counts the calls in `in_flight`.
    pub fn new(in_flight: TaskTracker) -> Self {
        Self { in_flight }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Calls { inner, in_flight: self.in_flight.clone() }
    }
}

/// A service whose calls are watched.
#[derive(Clone, Debug)]
pub struct Calls<S> {
    inner: S,
    in_flight: TaskTracker,
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = Watching<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let uri = request.uri().clone();
        // Streams of reflection and of health stay open as long as their clients like: a drain does not wait for them.
        let counted = (!uri.path().starts_with("/grpc.")).then(|| self.in_flight.token());
        let id = request.extensions().get::<RequestId>().cloned();
        let mut call = Call { uri, id, span: Span::none(), begun: Instant::now(), ended: false, _counted: counted };
        call.span = tracing::debug_span!(target: TARGET, "call", method = call.method(), request_id = call.id());
        let inner = call.span.in_scope(|| self.inner.call(request));
        Watching { inner, call: Some(call) }
    }
}

/// Writes a status's message with no more escapes than gRPC asks for (printable ASCII but `%` stands for itself). tonic
/// escapes `?` and `#` too, which some clients then show as they are.
fn make_plain(headers: &mut HeaderMap) {
    let Some(message) = headers.get(Status::GRPC_MESSAGE) else { return };
    let Ok(text) = message.to_str() else { return };
    if !text.contains('%') {
        return;
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let escaped = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.map(char::from).filter(|character| matches!(character, ' '..='~') && *character != '%') {
            Some(character) => {
                plain.push(character);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push('%');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    if let Ok(plain) = HeaderValue::from_str(&plain) {
        headers.insert(Status::GRPC_MESSAGE, plain);
    }
}

/// A call, from its first header to its last.
#[derive(Debug)]
struct Call {
    uri: Uri,
    id: Option<RequestId>,
    span: Span,
    begun: Instant,
    ended: bool,
    _counted: Option<TaskTrackerToken>,
}

impl Call {
    fn method(&self) -> &str {
        let path = self.uri.path();
        path.get(..MAX_METHOD_BYTES).unwrap_or(path).trim_start_matches('/')
    }

    fn id(&self) -> &str {
        self.id.as_ref().map_or("", RequestId::as_str)
    }

    /// Ends the call if these headers or trailers do.
    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (method, request_id, status) = (self.method(), self.id(), field::debug(code));
        let micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match code {
            // Without their span, which would say the same again.
            Code::Ok => tracing::debug!(target: TARGET, parent: None, method, request_id, status, micros, "answered"),
            _ => tracing::info!(target: TARGET, parent: None, method, request_id, status, micros, "not answered"),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Dropped before its trailers: the caller has left, or the connection is lost.
        self.end(Code::Cancelled);
    }
}

pin_project! {
    /// An answer that is watched.
    #[derive(Debug)]
    pub struct Watching<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for Watching<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Watched<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let answer = ready!(this.inner.poll(cx));
        drop(entered);
        let mut call = this.call.take();
        Poll::Ready(answer.map(|mut response| {
            make_plain(response.headers_mut());
            if let Some(call) = &mut call {
                call.read(response.headers());
            }
            response.map(|inner| Watched { inner, call })
        }))
    }
}

pin_project! {
    /// A body that is watched for the trailers that end its call.
    #[derive(Debug)]
    pub struct Watched<B> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let mut frame = ready!(this.inner.poll_frame(cx));
        drop(entered);
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            make_plain(trailers);
            if let Some(call) = this.call {
                call.read(trailers);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
