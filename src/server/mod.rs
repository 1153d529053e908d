//! The server: assembles the services and the middleware, runs the accept loop, and drains at shutdown.
//!
//! Owns the lifetime of everything that serves. Must not know how a request is answered or where files come from.

mod accept;
mod admin;
mod descriptors;
mod gates;
pub mod health;
pub mod memory;
mod metrics;
mod places;
mod reflection;
mod settings;

pub use accept::serve_routes;
pub use descriptors::{RESERVED_DESCRIPTORS, TooFewDescriptors, reserve_descriptors};
pub use gates::Gates;
pub use settings::Settings;

use crate::access::Authority;
use crate::middleware::access::Access;
use crate::middleware::account::CallBounds;
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::callers::Callers;
use crate::services::{AnalysisThreads, Analyst, Record, RedLines, Streams};
use crate::serving::{Cache, CacheCounts, DecisionLog, DefaultState, ReloadTrigger, Reloader, Reloads, Store};
use crate::shutdown::DrainOutcome;
use crate::telemetry::{Metrics, MetricsError};
use crate::transport::tls::Tls;
use futures_util::future::join_all;
use health::Readiness;
use settings::threads_for;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tracing::info;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::server";

/// Maximum number of analyses that wait for a thread; further ones are rejected.
const MAX_ANALYSES_WAITING: usize = 64;
/// Interval at which callers that have left are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Why the server cannot be built.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The metrics cannot be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A server that is configured and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    admin: Option<TcpListener>,
    store: Arc<Store>,
    settings: Settings,
    tls: Option<Tls>,
    authority: Arc<Authority>,
    decisions: Option<DecisionLog>,
    metrics: Option<Metrics>,
    reloads: Option<(Reloads, Vec<Reloader>)>,
}

impl Server {
    /// Creates a server for the scenarios of `store`, in plaintext and open to every caller.
    pub fn new(listener: TcpListener, store: Arc<Store>, settings: Settings) -> Self {
        Self {
            listener,
            admin: None,
            store,
            settings,
            tls: None,
            authority: Arc::new(Authority::none()),
            decisions: None,
            metrics: None,
            reloads: None,
        }
    }

    /// Adds a listener for operators, in plaintext: health, liveness, readiness and metrics.
    #[must_use]
    pub fn with_admin(self, admin: Option<TcpListener>) -> Self {
        Self { admin, ..self }
    }

    /// Serves over TLS, if given.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Accepts only the callers that `authority` identifies, if it requires credentials.
    #[must_use]
    pub fn with_authority(self, authority: Arc<Authority>) -> Self {
        Self { authority, ..self }
    }

    /// Writes every evaluation to this decision log, if given.
    #[must_use]
    pub fn with_decisions(self, decisions: Option<DecisionLog>) -> Self {
        Self { decisions, ..self }
    }

    /// Records metrics in `metrics`; by default the server creates its own.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Reloads files with `reloaders`, and shows the counts of `reloads` as metrics.
    #[must_use]
    pub fn with_reloads(self, reloads: Reloads, reloaders: Vec<Reloader>) -> Self {
        Self { reloads: Some((reloads, reloaders)), ..self }
    }

    /// Serves until `stop` completes, then drains.
    ///
    /// Health reports NOT_SERVING until the accept loop runs, and whenever no scenario is loaded. For the default
    /// scenario, it reports NOT_SERVING whenever that scenario is not loaded.
    ///
    /// # Errors
    /// If the metrics cannot be set up.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<DrainOutcome, ServeError> {
        let Self { listener, admin, store, settings, tls, authority, decisions, metrics, reloads } = self;
        let metrics = metrics.map_or_else(|| Metrics::new(None), Ok)?;
        let readiness = Readiness::default();
        let cache = (settings.cache_bytes > 0).then(|| Arc::new(Cache::new(settings.cache_bytes)));
        let ending = CancellationToken::new();
        let concurrency = ConcurrencyLimit::new(settings.max_calls);
        let mut record = Record::default();
        (record.decisions, record.metrics, record.content) =
            (decisions.clone(), Some(metrics.clone()), settings.content);
        let streams = Streams { idle: settings.stream_idle, ending: ending.clone() };
        let mut red_lines = RedLines::new(store.clone())
            .with_streams(streams.clone())
            .with_concurrency_limit(concurrency.clone())
            .with_record(record.clone());
        if let Some(cache) = &cache {
            red_lines = red_lines.with_cache(cache.clone());
        }
        let threads =
            AnalysisThreads::new(threads_for(settings.analyses), MAX_ANALYSES_WAITING, settings.analysis_time);
        let analyst = Analyst::new(red_lines.clone(), threads.clone());
        let routes = routes(red_lines, analyst, &readiness, streams, &settings);
        let callers = Callers::new(settings.quota, settings.trusted_proxies.clone());
        let gates = Gates {
            metrics: metrics.clone(),
            access: Access::new(authority, callers.clone()),
            callers: callers.clone(),
            bounds: CallBounds::new(settings.calls),
            concurrency,
            tls: tls.clone(),
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        };
        metrics::register(&metrics, &gates, &store, cache.as_ref(), &threads, &record, tls.as_ref());
        if let Some((reloads, _)) = &reloads {
            metrics::register_reloads(&metrics, reloads);
        }
        let reloaders = reloads.map_or_else(Vec::new, |(_, reloaders)| reloaders);
        update_readiness(&readiness, &store);
        let closing = CancellationToken::new();
        let (draining, half) = (ending.clone(), settings.drain.timeout / 2);
        let drained = tokio::select! {
            drained = serve_routes(listener, routes, readiness.clone(), settings, gates, ending, stop) => drained,
            never = stop_analyses(draining, half, &threads) => match never {},
            never = reload_files(reloaders, &readiness, &store) => match never {},
            never = prune(&callers) => match never {},
            never = serve_admin(admin, &readiness, &metrics, closing.clone()) => match never {},
        };
        closing.cancel();
        threads.end();
        if let Some(cache) = cache {
            let CacheCounts { hits, misses, evictions, entries, bytes } = cache.counts();
            info!(target: LOG_TARGET, hits, misses, evictions, entries, bytes, "answer cache at shutdown");
        }
        Ok(drained)
    }
}

/// Ends the analyses when half of the drain's timeout has passed, so that their best results so far can still be sent.
async fn stop_analyses(draining: CancellationToken, half: Duration, threads: &AnalysisThreads) -> Infallible {
    draining.cancelled().await;
    sleep(half).await;
    threads.end();
    pending().await
}

/// Reloads files that have changed, each kind independently of the others, and updates the readiness.
async fn reload_files(reloaders: Vec<Reloader>, readiness: &Readiness, store: &Store) -> Infallible {
    let each = reloaders.into_iter().map(|mut reloader| async move {
        // Files may have changed before the watch began.
        reloader.reload(ReloadTrigger::Start).await;
        loop {
            update_readiness(readiness, store);
            reloader.reload_on_change().await;
        }
    });
    join_all(each).await;
    pending().await
}

/// Reports whether the server can answer calls, and whether it can answer those that name no scenario.
fn update_readiness(readiness: &Readiness, store: &Store) {
    match store.default_state() {
        DefaultState::Missing if !store.is_empty() => readiness.set_ready_without_default(),
        _ => readiness.set_ready(!store.is_empty()),
    }
}

/// Removes callers that have left at intervals.
async fn prune(callers: &Callers) -> Infallible {
    let mut clock = interval(PRUNE_INTERVAL);
    loop {
        clock.tick().await;
        callers.prune();
    }
}

/// Serves the admin listener, if there is one.
async fn serve_admin(
    admin: Option<TcpListener>,
    readiness: &Readiness,
    metrics: &Metrics,
    closing: CancellationToken,
) -> Infallible {
    if let Some(admin) = admin {
        admin::serve(admin, readiness, metrics, closing).await;
    }
    pending().await
}

/// Routes requests to the services, and to reflection if it is enabled.
fn routes(
    red_lines: RedLines,
    analyst: Analyst,
    readiness: &Readiness,
    streams: Streams,
    settings: &Settings,
) -> Routes {
    let red_lines = red_lines
        .into_server(settings.max_request_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .send_compressed(Gzip)
        .send_compressed(Zstd);
    let analyst = analyst
        .into_server(settings.max_request_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .send_compressed(Gzip)
        .send_compressed(Zstd);
    let mut routes = Routes::new(red_lines).add_service(analyst).add_service(readiness.server());
    if settings.reflection {
        let reflection = reflection::v1(streams);
        routes = routes.add_service(reflection.clone()).add_service(reflection::v1alpha(reflection));
    }
    routes.prepare()
}
