//! The server: the services, the layers around them, the accept loop, the drain.

use super::admin;
use super::connection::{self, ConnectionLimits, Serving};
use super::health::Readiness;
use super::layers::GateLayer;
use super::layers::access::Access;
use super::layers::admission::Places;
use super::layers::calls::CallsLayer;
use super::layers::compression::InKindLayer;
use super::layers::deadline::DeadlineLayer;
use super::layers::panics::PanicsLayer;
use super::layers::quota::Quotas;
use super::layers::receive;
use super::layers::request_id::RequestIdLayer;
use super::layers::room::Room;
use super::numbers;
use super::proto::DESCRIPTORS;
use super::service::{AnalysisThreads, Analyst, MAX_REQUEST_BYTES, Record, RedLines, Streams};
use super::tls::Tls;
use crate::access::Authority;
use crate::serving::{Cache, CacheCounts, DecisionLog, Reloads, Store, Watch};
use crate::shutdown::{Drain, Drained};
use crate::telemetry::{Metrics, MetricsError};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing::{debug, info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::server";

/// Reflection requests hold one name.
const MAX_REFLECTION_BYTES: usize = 64 * 1024;
/// When accepting fails (out of file descriptors, mostly), the pause before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// When the last call of a drain is over: what connections may take to close before they are cut.
const LINGER: Duration = Duration::from_secs(1);
/// How many analyses may wait for a thread.
const MAX_ANALYSES_WAITING: usize = 64;
/// Those that come and go where as many are open as may be would fill the log.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
/// What answers may take that wait to be read, over all connections.
const MAX_UNREAD_BYTES: usize = 128 * 1024 * 1024;
/// How often the quotas of callers who have gone are forgotten.
const PRUNING: Duration = Duration::from_secs(60);

/// What can be chosen about the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to serve reflection, by which clients learn the schema from the server.
    pub reflection: bool,
    /// How many connections may be open; more wait in the listener's backlog.
    pub max_connections: usize,
    /// What each of them may do.
    pub connection: ConnectionLimits,
    /// How many calls are worked on at a time, over all connections; more are turned away.
    pub max_calls: usize,
    /// What each caller may ask: so many a second, and so many at once. `None`: no quota.
    pub quota: Option<(NonZeroU32, NonZeroU32)>,
    /// How long a request may take to come whole.
    pub receive: Duration,
    /// The largest message that is read, in bytes.
    pub max_request_bytes: usize,
    /// How many bytes of answers to keep; 0: none.
    pub cache_bytes: u64,
    /// How long a stream of evaluations may be without a request.
    pub stream_idle: Duration,
    /// How many analyses are worked on at a time; 0: one for every two processors.
    pub analyses: usize,
    /// How long one analysis may take.
    pub analysis_time: Duration,
    /// Whether requests are told with their calls, in the log and in spans.
    pub content: bool,
    /// How the end goes.
    pub drain: Drain,
}

impl Default for Settings {
    /// Reflection, 1,024 connections and calls, no quotas, 10 seconds for a request of a mebibyte, a cache of 32 MiB, a
    /// minute's patience, and the default drain.
    fn default() -> Self {
        Self {
            reflection: true,
            max_connections: 1024,
            connection: ConnectionLimits::default(),
            max_calls: 1024,
            quota: None,
            receive: Duration::from_secs(10),
            max_request_bytes: MAX_REQUEST_BYTES,
            cache_bytes: 32 * 1024 * 1024,
            stream_idle: Duration::from_secs(60),
            analyses: 0,
            analysis_time: Duration::from_secs(30),
            content: false,
            drain: Drain::default(),
        }
    }
}

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
        let places = Places::new(settings.max_calls);
        let mut record = Record::default();
        (record.decisions, record.metrics, record.content) =
            (decisions.clone(), Some(metrics.clone()), settings.content);
        let mut red_lines = RedLines::new(store.clone())
            .with_streams(Streams { idle: settings.stream_idle, ending: ending.clone() })
            .with_places(places.clone())
            .with_room(Room::new(MAX_UNREAD_BYTES))
            .with_record(record.clone());
        if let Some(cache) = &cache {
            red_lines = red_lines.with_cache(cache.clone());
        }
        let threads =
            AnalysisThreads::new(threads_for(settings.analyses), MAX_ANALYSES_WAITING, settings.analysis_time);
        let analyst = Analyst::new(red_lines.clone(), threads.clone());
        let routes = routes(red_lines, analyst, &readiness, &settings)?;
        let quotas = settings.quota.map(|(per_second, burst)| Quotas::new(per_second, burst));
        let doors = Doors {
            metrics: metrics.clone(),
            access: Access::new(authority, quotas.clone()),
            places,
            tls: tls.clone(),
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        };
        numbers::watch(&metrics, &doors, &store, cache.as_ref(), &threads, &record, tls.as_ref());
        if let Some((reloads, _)) = &reloads {
            numbers::watch_reloads(&metrics, reloads);
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
            drained = serve_routes(listener, routes, readiness.clone(), settings, doors, ending, stop) => drained,
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

/// What stands before the calls.
#[derive(Clone)]
pub struct Doors {
    /// Where calls are counted.
    pub metrics: Metrics,
    /// Who is let in.
    pub access: Access,
    /// How many at a time.
    pub places: Places,
    /// How they speak.
    pub tls: Option<Tls>,
    /// How many connections are open.
    pub connections: Arc<AtomicUsize>,
    /// Those under way.
    pub calls: TaskTracker,
    /// How many were reset because their answers were left unread.
    pub stalled: Arc<AtomicU64>,
}

impl Doors {
    /// Open to everyone, in plaintext.
    pub fn open(metrics: Metrics) -> Self {
        Self {
            metrics,
            access: Access::new(Arc::new(Authority::none()), None),
            places: Places::new(usize::MAX),
            tls: None,
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        }
    }
}

/// Serves any service behind the layers of this server, until `stop` completes; then drains. `ending` is cancelled
/// when clients are told to go: calls that could go on for ever end themselves.
pub async fn serve_routes<S, B>(
    listener: TcpListener,
    service: S,
    mut readiness: Readiness,
    settings: Settings,
    doors: Doors,
    ending: CancellationToken,
    stop: impl Future<Output = ()>,
) -> Drained
where
    S: Service<Request<receive::Timely<Incoming>>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Doors { metrics, access, places, tls, connections: open, calls, stalled } = doors;
    let receive = settings.receive;
    let service = ServiceBuilder::new()
        .layer(RequestIdLayer)
        .layer(CallsLayer::new(calls.clone(), metrics.clone(), settings.max_request_bytes))
        .layer(PanicsLayer)
        .layer(DeadlineLayer)
        .layer(GateLayer(access))
        .layer(GateLayer(places))
        .layer(InKindLayer)
        .service(service.map_request(move |request| receive::in_time(request, receive)));
    let (close, closing) = watch::channel(false);
    let http2 = connection::http2(&settings.connection, stalled);
    let serving = Serving { http2, limits: settings.connection, tls, closing };
    let mut connections = JoinSet::new();
    let (mut is_full, mut told_full) = (false, None::<Instant>);
    let mut stop = pin!(async {
        stop.await;
        readiness.draining().await;
        sleep(settings.drain.pause).await;
        readiness.close().await;
    });
    loop {
        open.store(connections.len(), Relaxed);
        let has_room = connections.len() < settings.max_connections;
        if !has_room && !is_full {
            metrics.connection_refused("full");
        }
        if !has_room && told_full.is_none_or(|told| told.elapsed() > BETWEEN_WARNINGS) {
            told_full = Some(Instant::now());
            warn!(
                target: LOG_TARGET,
                connections = connections.len(),
                "as many connections are open as may be: more wait until one closes"
            );
        }
        is_full = !has_room;
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, address)) => {
                    metrics.connection();
                    let connection = connection::serve(stream, address.ip(), serving.clone(), service.clone());
                    let metrics = metrics.clone();
                    connections.spawn(connection.map(move |ended| match ended {
                        Ok(ended) => metrics.connection_ended(ended.reason()),
                        Err(refused) => {
                            metrics.connection_refused(refused.reason());
                            debug!(
                                target: LOG_TARGET,
                                error = &refused as &dyn std::error::Error,
                                "a connection is not served"
                            );
                        }
                    }));
                }
                // A client that left while it waited is no reason to pause.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(target: LOG_TARGET, %error, "can't accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // New clients are refused at once, rather than after a wait.
    drop(listener);
    ending.cancel();
    close.send_replace(true);
    calls.close();
    info!(target: LOG_TARGET, calls = calls.len(), connections = connections.len(), "draining");
    let all_closed = async { while connections.join_next().await.is_some() {} };
    let all_answered = async {
        // Who has not read yet that it is to go may still call: until none has for a while.
        loop {
            calls.wait().await;
            sleep(LINGER).await;
            if calls.is_empty() {
                break;
            }
        }
    };
    let drained = timeout(settings.drain.timeout, async {
        tokio::select! {
            () = all_closed => {}
            () = all_answered => {}
        }
    });
    match drained.await {
        Ok(()) if calls.is_empty() => Drained::Whole,
        _ => Drained::Cut { calls: calls.len() },
    }
}
