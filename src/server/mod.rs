//! The server: assembly of the services and the middleware, the accept loop, the drain.

mod accept;
mod admin;
mod gates;
pub mod health;
mod metrics;
mod settings;

pub use accept::serve_routes;
pub use gates::Gates;
pub use settings::Settings;

use crate::access::Authority;
use crate::middleware::access::Access;
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::quota::Quotas;
use crate::middleware::room::ResponseBudget;
use crate::schema::proto::DESCRIPTORS;
use crate::services::{AnalysisThreads, Analyst, Record, RedLines, Streams};
use crate::serving::{Cache, CacheCounts, DecisionLog, Reloads, Store, Watch};
use crate::shutdown::Drained;
use crate::telemetry::{Metrics, MetricsError};
use crate::transport::tls::Tls;
use health::Readiness;
use std::future::{Future, pending};
use std::sync::Arc;
use std::thread::available_parallelism;
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

/// Reflection requests hold one name.
const MAX_REFLECTION_BYTES: usize = 64 * 1024;
/// How many analyses may wait for a thread.
const MAX_ANALYSES_WAITING: usize = 64;
/// What answers may take that wait to be read, over all connections.
const MAX_UNREAD_BYTES: usize = 128 * 1024 * 1024;
/// How often the quotas of callers who have gone are forgotten.
const PRUNING: Duration = Duration::from_secs(60);

/// The server can't be built.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The descriptors that reflection serves can't be read.
    #[error("the schema's descriptors can't be read: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// Nothing can be counted.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A server, not yet begun.
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
    reloads: Option<(Reloads, Watch)>,
}

impl Server {
    /// Serves the scenarios of `store` on `listener`: to everyone, in plaintext, unless told otherwise.
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

    /// With a listener for those who run it: health, liveness, readiness, metrics, in plaintext.
    #[must_use]
    pub fn with_admin(self, admin: Option<TcpListener>) -> Self {
        Self { admin, ..self }
    }

    /// Over TLS.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// To the callers whom this authority knows.
    #[must_use]
    pub fn with_authority(self, authority: Arc<Authority>) -> Self {
        Self { authority, ..self }
    }

    /// Writing down what is evaluated.
    #[must_use]
    pub fn with_decisions(self, decisions: Option<DecisionLog>) -> Self {
        Self { decisions, ..self }
    }

    /// Counting here.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Reading these files again whenever the watch says so.
    #[must_use]
    pub fn with_reloads(self, reloads: Reloads, watch: Watch) -> Self {
        Self { reloads: Some((reloads, watch)), ..self }
    }

    /// Serves until `stop` completes, then drains.
    ///
    /// Health says NOT_SERVING until the listener is read, and whenever no scenario is held.
    ///
    /// # Errors
    /// If the schema's descriptors can't be read, or nothing can be counted.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Drained, ServeError> {
        let Self { listener, admin, store, settings, tls, authority, decisions, metrics, reloads } = self;
        let metrics = metrics.map_or_else(|| Metrics::new(None), Ok)?;
        let readiness = Readiness::new().await;
        let cache = (settings.cache_bytes > 0).then(|| Arc::new(Cache::new(settings.cache_bytes)));
        let ending = CancellationToken::new();
        let places = ConcurrencyLimit::new(settings.max_calls);
        let mut record = Record::default();
        (record.decisions, record.metrics, record.content) =
            (decisions.clone(), Some(metrics.clone()), settings.content);
        let mut red_lines = RedLines::new(store.clone())
            .with_streams(Streams { idle: settings.stream_idle, ending: ending.clone() })
            .with_places(places.clone())
            .with_room(ResponseBudget::new(MAX_UNREAD_BYTES))
            .with_record(record.clone());
        if let Some(cache) = &cache {
            red_lines = red_lines.with_cache(cache.clone());
        }
        let threads =
            AnalysisThreads::new(threads_for(settings.analyses), MAX_ANALYSES_WAITING, settings.analysis_time);
        let analyst = Analyst::new(red_lines.clone(), threads.clone());
        let routes = routes(red_lines, analyst, &readiness, &settings)?;
        let quotas = settings.quota.map(|(per_second, burst)| Quotas::new(per_second, burst));
        let gates = Gates {
            metrics: metrics.clone(),
            access: Access::new(authority, quotas.clone()),
            places,
            tls: tls.clone(),
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        };
        metrics::watch(&metrics, &gates, &store, cache.as_ref(), &threads, &record, tls.as_ref());
        if let Some((reloads, _)) = &reloads {
            metrics::watch_reloads(&metrics, reloads);
        }
        readiness.set_ready(!store.is_empty()).await;
        let (told, half) = (ending.clone(), settings.drain.timeout / 2);
        // Analyses are told to stop while there is time to answer with what they have.
        let stopping = async {
            told.cancelled().await;
            sleep(half).await;
            threads.end();
            pending().await
        };
        let following = async {
            let Some((reloads, mut watch)) = reloads else { return pending().await };
            // What changed before it was watched.
            reloads.again().await;
            loop {
                reloads.next(&mut watch).await;
                readiness.set_ready(!store.is_empty()).await;
            }
        };
        let pruning = async {
            let mut clock = interval(PRUNING);
            loop {
                clock.tick().await;
                quotas.iter().for_each(Quotas::prune);
            }
        };
        let closing = CancellationToken::new();
        let administering = async {
            if let Some(admin) = admin {
                admin::serve(admin, &readiness, &metrics, closing.clone()).await;
            }
            pending().await
        };
        let drained = tokio::select! {
            drained = serve_routes(listener, routes, readiness.clone(), settings, gates, ending, stop) => drained,
            never = stopping => never,
            never = following => never,
            never = pruning => never,
            never = administering => never,
        };
        closing.cancel();
        threads.end();
        if let Some(cache) = cache {
            let CacheCounts { hits, misses, evictions, entries, bytes } = cache.counts();
            info!(target: LOG_TARGET, hits, misses, evictions, entries, bytes, "cache of answers");
        }
        Ok(drained)
    }
}

/// One for every two processors, where nothing else is asked for: evaluations must not notice.
fn threads_for(analyses: usize) -> usize {
    match analyses {
        0 => available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1)),
        chosen => chosen,
    }
}

/// All services.
fn routes(
    red_lines: RedLines,
    analyst: Analyst,
    readiness: &Readiness,
    settings: &Settings,
) -> Result<Routes, ServeError> {
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
        let described = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        };
        routes = routes
            .add_service(described().build_v1()?.max_decoding_message_size(MAX_REFLECTION_BYTES))
            .add_service(described().build_v1alpha()?.max_decoding_message_size(MAX_REFLECTION_BYTES));
    }
    Ok(routes.prepare())
}
