//! Counts every call while it is open, and logs one event when it ends.
//!
//! The event contains the method, the request id, the status and the duration; requests and answers stay out of the
//! log.
//!
//! A call ends when its trailers are handed to the transport, or when it is dropped because its caller has left.
//! Failures are logged at `info`, the first ones of each second ([`FailureLog`]), successes at `debug`
//! (`--log info,detente::call=debug`). No call is logged at
//! `error`: a caller can cause any status, INTERNAL included, and the code that detects an internal error has already
//! logged it.
//!
//! At `debug`, each call also has a span, which adds the call to everything logged inside it. There is no span at
//! `info`, because a span costs six microseconds, a quarter of a call. Must not know how a call is answered.

use crate::access::Caller;
use crate::error::{ApiError, reason_name};
use crate::middleware::account::CallAccount;
use crate::middleware::call::Call;
use crate::middleware::failure_log::FailureLog;
use crate::middleware::request_id::RequestId;
use crate::middleware::retry_budget::RetryBudget;
use crate::middleware::status_headers::{code_name, explain, forbid_retry, invites_retry, make_plain, shorten_message};
use crate::telemetry::{CALL_TARGET, Metrics, set_parent};
use bytes::Bytes;
use http::{Extensions, HeaderMap, Request, Response};
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
use tower::{Layer, Service};
use tracing::{Span, field};

/// Length to which the log shortens unknown paths, in bytes, because callers choose the path.
const MAX_METHOD_BYTES: usize = 128;
/// The method label of unknown paths in metrics.
const OTHER_METHOD: &str = "other";

/// Layer that observes every call.
#[derive(Clone, Debug)]
pub struct CallsLayer {
    observer: Arc<Observer>,
}

/// The state that all calls share, for counting and logging them.
#[derive(Debug)]
struct Observer {
    in_flight: TaskTracker,
    metrics: Metrics,
    /// The methods' names in metrics, by path.
    methods: HashMap<String, Arc<str>>,
    other: Arc<str>,
    max_request_bytes: usize,
    retries: RetryBudget,
    failures: FailureLog,
}

impl CallsLayer {
    /// Creates the layer.
    ///
    /// `in_flight` tracks the open calls and `metrics` counts the ended ones. Errors for messages beyond
    /// `max_request_bytes` state that limit. `failures` decides which failed calls are logged.
    pub fn new(in_flight: TaskTracker, metrics: Metrics, max_request_bytes: usize, failures: FailureLog) -> Self {
        let methods = crate::schema::methods::all().into_iter();
        let methods = methods.map(|method| (format!("/{method}"), Arc::from(method))).collect();
        let (other, retries) = (Arc::from(OTHER_METHOD), RetryBudget::default());
        let observer = Observer { in_flight, metrics, methods, other, max_request_bytes, retries, failures };
        Self { observer: Arc::new(observer) }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = CallsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallsService { inner, observer: self.observer.clone() }
    }
}

/// The service of [`CallsLayer`].
#[derive(Clone, Debug)]
pub struct CallsService<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S, B, R> Service<Request<B>> for CallsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<CallsBody<R>>;
    type Error = S::Error;
    type Future = CallsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        // Streams of reflection and health stay open as long as their clients like, so a drain does not wait for them.
        let token = (!path.starts_with("/grpc.")).then(|| self.observer.in_flight.token());
        let method = self.observer.methods.get(path).cloned();
        let unknown =
            method.is_none().then(|| path.get(..MAX_METHOD_BYTES).unwrap_or(path).trim_start_matches('/').to_owned());
        let call = {
            let known = request.extensions();
            Call::new(known.get::<RequestId>().cloned(), CallAccount::of(known), request.headers())
        };
        request.extensions_mut().insert(call.clone());
        let mut open = OpenCall {
            observer: self.observer.clone(),
            method,
            unknown,
            call,
            span: Span::none(),
            started: Instant::now(),
            ended: false,
            token,
        };
        open.span = open.begin(request.headers());
        let inner = open.span.in_scope(|| self.inner.call(request));
        CallsFuture { inner, call: Some(open) }
    }
}

/// One call, from its headers to its trailers.
#[derive(Debug)]
struct OpenCall {
    observer: Arc<Observer>,
    /// The method's name in metrics; `None` if the path is not a method of this server.
    method: Option<Arc<str>>,
    /// The shortened path, if it is not a method of this server.
    unknown: Option<String>,
    call: Call,
    span: Span,
    started: Instant,
    ended: bool,
    /// Counts the call as in progress; `None` for health and reflection.
    token: Option<TaskTrackerToken>,
}

impl OpenCall {
    fn method(&self) -> &str {
        self.method.as_deref().or(self.unknown.as_deref()).unwrap_or_default()
    }

    /// Creates the call's span as a child of the caller's span. The span is disabled if nothing records it.
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
            caller_kind = field::Empty,
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

    /// Ends the call if the headers or trailers contain a status.
    ///
    /// `headers` are the headers of the response, given with its `extensions`, or its trailers, given with `None`.
    fn read(&mut self, headers: &mut HeaderMap, extensions: Option<&Extensions>) {
        let Some(code) = headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes())) else {
            return;
        };
        if code == Code::Ok {
            // Health checks and reflection are cheap, and say nothing about the load.
            if self.token.is_some() {
                self.observer.retries.add_answer();
                if let Some(account) = self.call.account() {
                    account.connection().answer();
                }
            }
            return self.end(code, None);
        }
        let recorded = self.call.summary().error.take();
        let status = extensions.and_then(|extensions| extensions.get::<Status>());
        let error = status.and_then(ApiError::of).cloned().or(recorded).filter(|error| error.code() == code);
        let error = error.or_else(|| explain(headers, self.observer.max_request_bytes));
        shorten_message(headers);
        make_plain(headers);
        // A server that is shutting down invites every retry, because another server answers it.
        if invites_retry(headers) && error != Some(ApiError::ShuttingDown) && !self.observer.retries.take_retry() {
            forbid_retry(headers);
        }
        if let Some(error) = &error {
            error.limits().iter().for_each(|limit| self.observer.metrics.over_limit(limit));
        }
        self.end(code, error.map(|error| reason_name(error.reason())));
    }

    fn end(&mut self, code: Code, reason: Option<&'static str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.started.elapsed();
        let name = code_name(code);
        self.observer.metrics.call(self.method.as_ref().unwrap_or(&self.observer.other), name, took);
        if code != Code::Ok {
            self.observer.metrics.refused(reason.unwrap_or("TRANSPORT"));
        }
        let (method, request_id, trace_id) = (self.method(), self.call.id(), self.call.trace_id());
        let caller = self.call.caller().map(Caller::name);
        let caller_kind = self.call.caller().map(|caller| caller.kind().as_str());
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let summary = self.call.summary();
        let (scenario, revision, verdict) = (summary.scenario.as_deref(), summary.revision.as_deref(), summary.verdict);
        let (cached, request) = (summary.cached, summary.content.as_deref());
        let evaluations = (summary.evaluations > 0).then_some(summary.evaluations);
        if !self.span.is_disabled() {
            let span = &self.span;
            span.record("otel.status_code", if code == Code::Ok { "OK" } else { "ERROR" });
            span.record("caller", caller)
                .record("caller_kind", caller_kind)
                .record("scenario", scenario)
                .record("revision", revision);
            span.record("verdict", verdict).record("cached", cached).record("evaluations", evaluations);
            span.record("reason", reason).record("status", name).record("request", request);
        }
        // The events have no parent span, because the fields of the call's span would repeat their own fields.
        match code {
            Code::Ok => tracing::debug!(
                target: CALL_TARGET, parent: None, method, request_id, trace_id, caller, caller_kind, scenario, revision, verdict,
                cached, evaluations, request, status = name, micros, "answered"
            ),
            _ if self.observer.failures.may_log(self.call.source(), reason.unwrap_or(name)) => tracing::info!(
                target: CALL_TARGET, parent: None, method, request_id, trace_id, caller, caller_kind, scenario, revision, reason,
                request, status = name, micros, "not answered"
            ),
            _ => tracing::debug!(
                target: CALL_TARGET, parent: None, method, request_id, trace_id, caller, caller_kind, scenario, revision, reason,
                request, status = name, micros, "not answered"
            ),
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        // The call was dropped before its trailers: the caller has left, or the connection is lost.
        self.end(Code::Cancelled, None);
    }
}

pin_project! {
    /// The response future of [`CallsService`].
    #[derive(Debug)]
    pub struct CallsFuture<F> {
        #[pin]
        inner: F,
        call: Option<OpenCall>,
    }
}

impl<F, R, E> Future for CallsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<CallsBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let answer = ready!(this.inner.poll(cx));
        drop(entered);
        let mut call = this.call.take();
        Poll::Ready(answer.map(|response| {
            let (mut parts, inner) = response.into_parts();
            if let Some(call) = &mut call {
                call.read(&mut parts.headers, Some(&parts.extensions));
            }
            Response::from_parts(parts, CallsBody { inner, call })
        }))
    }
}

pin_project! {
    /// The response body of [`CallsService`], whose trailers end the call.
    #[derive(Debug)]
    pub struct CallsBody<B> {
        #[pin]
        inner: B,
        call: Option<OpenCall>,
    }
}

impl<B: Default> Default for CallsBody<B> {
    fn default() -> Self {
        Self { inner: B::default(), call: None }
    }
}

impl<B> Body for CallsBody<B>
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
            call.read(trailers, None);
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
