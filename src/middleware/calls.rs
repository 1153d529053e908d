//! Every call is counted while it lasts, and ends with one event: method, request id, status, and how long it took.
//! What was asked and answered stays out of the log.
//!
//! A call lasts until its trailers are handed to the transport, or until it is dropped because its caller has left.
//! Failures are logged at `info`, successes at `debug` (`--log info,detente::call=debug`). None is an error here: callers
//! bring about any status they like, INTERNAL too, and where the fault is ours, whoever finds it has logged it.
//!
//! At `debug` there is a span too, which names the call to whatever is logged inside it. Not at `info`: a span costs
//! six microseconds, a quarter of a call.

use crate::error::{ERROR_DOMAIN, ReasonName};
use crate::middleware::call::Call;
use crate::middleware::request_id::RequestId;
use crate::middleware::room::ConnectionBudget;
use crate::middleware::status_headers::{code_name, explain, make_plain};
use crate::telemetry::{CALL_TARGET, Metrics, set_parent};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};
use tracing::{Span, field};

/// Paths are the caller's: those that are no method of this server's have one name in metrics, and are cut in the log.
const MAX_METHOD_BYTES: usize = 128;
const OTHER_METHOD: &str = "other";

/// Watches every call.
#[derive(Clone, Debug)]
pub struct CallsLayer {
    watch: Arc<Watch>,
}

/// Where calls are counted and told.
#[derive(Debug)]
struct Watch {
    in_flight: TaskTracker,
    metrics: Metrics,
    /// By their paths, as metrics name them.
    methods: HashMap<String, Arc<str>>,
    other: Arc<str>,
    max_request_bytes: usize,
}

impl CallsLayer {
    /// Counts the calls in `in_flight` while they last, and in `metrics` when they have ended. `max_request_bytes` is
    /// told to callers whose messages are larger.
    pub fn new(in_flight: TaskTracker, metrics: Metrics, max_request_bytes: usize) -> Self {
        let methods = crate::schema::methods::all().into_iter();
        let methods = methods.map(|method| (format!("/{method}"), Arc::from(method))).collect();
        let watch = Watch { in_flight, metrics, methods, other: Arc::from(OTHER_METHOD), max_request_bytes };
        Self { watch: Arc::new(watch) }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Calls { inner, watch: self.watch.clone() }
    }
}

/// A service whose calls are watched.
#[derive(Clone, Debug)]
pub struct Calls<S> {
    inner: S,
    watch: Arc<Watch>,
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        // Streams of reflection and of health stay open as long as their clients like: a drain does not wait for them.
        let counted = (!path.starts_with("/grpc.")).then(|| self.watch.in_flight.token());
        let method = self.watch.methods.get(path).cloned();
        let unknown =
            method.is_none().then(|| path.get(..MAX_METHOD_BYTES).unwrap_or(path).trim_start_matches('/').to_owned());
        let call = {
            let known = request.extensions();
            Call::new(known.get::<RequestId>().cloned(), known.get::<ConnectionBudget>().cloned(), request.headers())
        };
        request.extensions_mut().insert(call.clone());
        let mut ending = Ending {
            watch: self.watch.clone(),
            method,
            unknown,
            call,
            span: Span::none(),
            begun: Instant::now(),
            ended: false,
            _counted: counted,
        };
        ending.span = ending.begin(request.headers());
        let inner = ending.span.in_scope(|| self.inner.call(request));
        Watching { inner, call: Some(ending) }
    }
}

/// A call, from its first header to its last.
#[derive(Debug)]
struct Ending {
    watch: Arc<Watch>,
    /// As metrics name it, if it is one of this server's.
    method: Option<Arc<str>>,
    unknown: Option<String>,
    call: Call,
    span: Span,
    begun: Instant,
    ended: bool,
    _counted: Option<TaskTrackerToken>,
}

impl Ending {
    fn method(&self) -> &str {
        self.method.as_deref().or(self.unknown.as_deref()).unwrap_or_default()
    }

    /// Its span, if anybody wants one: a child of the caller's.
    fn begin(&self, headers: &HeaderMap) -> Span {
        let span = tracing::debug_span!(
            target: CALL_TARGET,
            "call",
            otel.name = self.method(),
            otel.kind = "server",
            otel.status_code = field::Empty,
            rpc.system = "grpc",
            method = self.method(),
            request_id = self.call.id(),
            caller = field::Empty,
            scenario = field::Empty,
            revision = field::Empty,
            verdict = field::Empty,
            cached = field::Empty,
            evaluations = field::Empty,
            reason = field::Empty,
            status = field::Empty,
            request = field::Empty,
        );
        if !span.is_disabled() {
            set_parent(&span, headers);
        }
        span
    }

    /// Ends the call if these headers or trailers do.
    fn read(&mut self, headers: &mut HeaderMap) {
        let Some(code) = headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes())) else {
            return;
        };
        if code == Code::Ok {
            return self.end(code, None);
        }
        explain(headers, self.watch.max_request_bytes);
        make_plain(headers);
        let info = Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
        let info = info.filter(|info| info.domain == ERROR_DOMAIN);
        let reason = info.as_ref().and_then(|info| ReasonName::read(&info.reason));
        for limit in info.iter().filter_map(|info| info.metadata.get("limits")).flat_map(|limits| limits.split(',')) {
            self.watch.metrics.over_limit(limit);
        }
        self.end(code, reason);
    }

    fn end(&mut self, code: Code, reason: Option<ReasonName>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.begun.elapsed();
        let (name, reason) = (code_name(code), reason.map(|reason| reason.0));
        self.watch.metrics.call(self.method.as_ref().unwrap_or(&self.watch.other), name, took);
        if code != Code::Ok {
            self.watch.metrics.refused(reason.unwrap_or("TRANSPORT"));
        }
        let (method, request_id, trace_id) = (self.method(), self.call.id(), self.call.trace_id());
        let caller = self.call.caller().map(|caller| caller.name());
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let told = self.call.told();
        let (scenario, revision, verdict) = (told.scenario.as_deref(), told.revision.as_deref(), told.verdict);
        let (cached, request) = (told.cached, told.content.as_deref());
        let evaluations = (told.evaluations > 0).then_some(told.evaluations);
        if !self.span.is_disabled() {
            let span = &self.span;
            span.record("otel.status_code", if code == Code::Ok { "OK" } else { "ERROR" });
            span.record("caller", caller).record("scenario", scenario).record("revision", revision);
            span.record("verdict", verdict).record("cached", cached).record("evaluations", evaluations);
            span.record("reason", reason).record("status", name).record("request", request);
        }
        // Without their span, which would say the same again.
        match code {
            Code::Ok => tracing::debug!(
                target: CALL_TARGET, parent: None, method, request_id, trace_id, caller, scenario, revision, verdict,
                cached, evaluations, request, status = name, micros, "answered"
            ),
            _ => tracing::info!(
                target: CALL_TARGET, parent: None, method, request_id, trace_id, caller, scenario, revision, reason,
                request, status = name, micros, "not answered"
            ),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Dropped before its trailers: the caller has left, or the connection is lost.
        self.end(Code::Cancelled, None);
    }
}

pin_project! {
    /// An answer that is watched.
    #[derive(Debug)]
    pub struct Watching<F> {
        #[pin]
        inner: F,
        call: Option<Ending>,
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
            if let Some(call) = &mut call {
                call.read(response.headers_mut());
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
        call: Option<Ending>,
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
            && let Some(call) = this.call
        {
            call.read(trailers);
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
