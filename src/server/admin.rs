//! The admin listener: HTTP/1.1 and gRPC on one port, in plaintext.
//!
//! It serves kubelets, metric scrapers and operators. It is independent of the main listener and its limits, so an
//! overloaded server still answers probes. Must not know about scenarios or callers.
//!
//! - `grpc.health.v1.Health`: as on the main listener;
//! - `/livez`: 200 while the process can answer;
//! - `/readyz`: 200 while the server accepts calls, otherwise 503;
//! - `/metrics`: metrics in the Prometheus text format; `/version`: JSON.

use crate::middleware::connection_context::StreamLimit;
use crate::middleware::receive::{HEALTH_RECEIVE, with_time_limit};
use crate::server::health::Readiness;
use crate::telemetry::Metrics;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tower::ServiceExt;
use tracing::{debug, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::admin";

/// Maximum number of open connections.
///
/// Probes and scrapers are few; a connection beyond the maximum closes the oldest one. The connections fit into the
/// reserve of file descriptors ([`RESERVED_DESCRIPTORS`](super::RESERVED_DESCRIPTORS)).
pub(super) const MAX_CONNECTIONS: usize = 64;
/// Time for the first headers of a connection, and idle time before a keepalive ping.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum age of a connection; scrapers reconnect.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the admin listener until `closing` is cancelled; dropping the future closes its connections.
pub(crate) async fn serve(listener: TcpListener, readiness: &Readiness, metrics: &Metrics, closing: CancellationToken) {
    let router = router(readiness, metrics);
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT).max_buf_size(16 * 1024);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(32)
        .max_header_list_size(16 * 1024)
        .max_local_error_reset_streams(Some(1024))
        .keep_alive_interval(IDLE_TIMEOUT)
        .keep_alive_timeout(IDLE_TIMEOUT);
    // Dropping the set aborts its connections.
    let mut connections = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = tokio::select! {
            () = closing.cancelled() => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(target: LOG_TARGET, %error, "the admin listener cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // Silent connections must not delay a probe, or the kubelet would restart a healthy server.
        oldest.retain(|connection| !connection.is_finished());
        if oldest.len() >= MAX_CONNECTIONS
            && let Some(oldest) = oldest.pop_front()
        {
            oldest.abort();
        }
        // An aborted connection keeps its file descriptor until its task has ended, which takes it a moment.
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        let limit = StreamLimit::default();
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(limit.clone());
            with_time_limit(request, HEALTH_RECEIVE)
        });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
        oldest.push_back(connections.spawn(async move {
            if let Ok(Err(error)) = timeout(MAX_AGE, connection).await {
                debug!(target: LOG_TARGET, error = &*error, "a connection of the admin listener closed with an error");
            }
        }));
    }
}

fn router(readiness: &Readiness, metrics: &Metrics) -> Router {
    let (ready, metrics) = (readiness.clone(), metrics.clone());
    let is_ready = move || async move {
        match ready.is_ready() {
            true => (StatusCode::OK, "ready\n"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        }
    };
    let render_metrics = move || async move { render_metrics(&metrics) };
    Routes::new(readiness.server())
        .prepare()
        .into_axum_router()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(is_ready))
        .route("/metrics", get(render_metrics))
        .route("/version", get(async || ([(CONTENT_TYPE, "application/json")], version())))
        .fallback(unknown)
}

fn render_metrics(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Answers an unknown path: gRPC clients receive UNIMPLEMENTED, other clients 404.
async fn unknown(request: Request) -> Response {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    match kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        true => Status::unimplemented("").into_http::<Body>(),
        false => (StatusCode::NOT_FOUND, "not found; use /livez, /readyz, /metrics or /version\n").into_response(),
    }
}

fn version() -> String {
    let version = json!({"name": "detente", "version": env!("CARGO_PKG_VERSION"), "api": "detente.v1"});
    format!("{version}\n")
}
