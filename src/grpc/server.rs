//! The server: the services, the layers around them, the accept loop, the drain.

use super::connection;
use super::health::Readiness;
use super::layers::calls::CallsLayer;
use super::layers::compression::InKindLayer;
use super::layers::deadline::DeadlineLayer;
use super::layers::panics::PanicsLayer;
use super::layers::request_id::RequestIdLayer;
use super::proto::DESCRIPTORS;
use super::service::{AnalysisThreads, Analyst, RedLines, Streams};
use crate::serving::{Cache, CacheCounts, Store};
use crate::shutdown::{Drain, Drained};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tower::{Service, ServiceBuilder};
use tracing::{info, warn};

/// Reflection requests hold one name.
const MAX_REFLECTION_BYTES: usize = 64 * 1024;
/// When accepting fails (out of file descriptors, mostly), the pause before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// When the last call of a drain is over: what connections may take to close before they are cut.
const LINGER: Duration = Duration::from_secs(1);

/// How many analyses may wait for a thread.
const MAX_ANALYSES_WAITING: usize = 64;

/// What can be chosen about the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to serve reflection, by which clients learn the schema from the server.
    pub reflection: bool,
    /// How many connections may be open; more wait in the listener's backlog.
    pub max_connections: usize,
    /// How many bytes of answers to keep; 0: none.
    pub cache_bytes: u64,
    /// How long a stream of evaluations may be without a request.
    pub stream_idle: Duration,
    /// How long a client may leave an answer unread.
    pub stall: Duration,
    /// How many analyses are worked on at a time; 0: one for every two processors.
    pub analyses: usize,
    /// How long one analysis may take.
    pub analysis_time: Duration,
    /// How the end goes.
    pub drain: Drain,
}

impl Default for Settings {
    /// Reflection, 1,024 connections, a cache of 32 MiB, a minute's patience, and the default drain.
    fn default() -> Self {
        Self {
            reflection: true,
            max_connections: 1024,
            cache_bytes: 32 * 1024 * 1024,
            stream_idle: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            analyses: 0,
            analysis_time: Duration::from_secs(30),
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
}

/// Serves the scenarios of `store` on `listener` until `stop` completes, then drains.
///
/// Health says NOT_SERVING until the listener is read, and stays there if no scenario is held.
///
/// # Errors
/// If the schema's descriptors can't be read.
pub async fn serve(
    listener: TcpListener,
    store: Arc<Store>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<Drained, ServeError> {
    let readiness = Readiness::new().await;
    let ready = store.default_id().is_some();
    let cache = (settings.cache_bytes > 0).then(|| Arc::new(Cache::new(settings.cache_bytes)));
    let ending = CancellationToken::new();
    let mut red_lines =
        RedLines::new(store).with_streams(Streams { idle: settings.stream_idle, ending: ending.clone() });
    if let Some(cache) = &cache {
        red_lines = red_lines.with_cache(cache.clone());
    }
    let threads = AnalysisThreads::new(threads_for(settings.analyses), MAX_ANALYSES_WAITING, settings.analysis_time);
    let analyst = Analyst::new(red_lines.clone(), threads.clone());
    let routes = routes(red_lines, analyst, &readiness, settings.reflection)?;
    if ready {
        readiness.ready().await;
    }
    let (told, half) = (ending.clone(), settings.drain.timeout / 2);
    // Analyses are told to stop while there is time to answer with what they have.
    let stopping = async {
        told.cancelled().await;
        sleep(half).await;
        threads.end();
        pending().await
    };
    let drained = tokio::select! {
        drained = serve_routes(listener, routes, readiness, settings, ending, stop) => drained,
        never = stopping => never,
    };
    threads.end();
    if let Some(cache) = cache {
        let CacheCounts { hits, misses, evictions, entries, bytes } = cache.counts();
        info!(hits, misses, evictions, entries, bytes, "cache of answers");
    }
    Ok(drained)
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
    reflection: bool,
) -> Result<Routes, ServeError> {
    let red_lines = red_lines
        .into_server()
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .send_compressed(Gzip)
        .send_compressed(Zstd);
    let analyst = analyst
        .into_server()
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .send_compressed(Gzip)
        .send_compressed(Zstd);
    let mut routes = Routes::new(red_lines).add_service(analyst).add_service(readiness.server());
    if reflection {
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

/// Serves any service behind the layers of this server, until `stop` completes; then drains. `ending` is cancelled
/// when clients are told to go: calls that could go on for ever end themselves.
pub async fn serve_routes<S, B>(
    listener: TcpListener,
    service: S,
    mut readiness: Readiness,
    settings: Settings,
    ending: CancellationToken,
    stop: impl Future<Output = ()>,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let calls = TaskTracker::new();
    let service = ServiceBuilder::new()
        .layer(RequestIdLayer)
        .layer(CallsLayer::new(calls.clone()))
        .layer(PanicsLayer)
        .layer(DeadlineLayer)
        .layer(InKindLayer)
        .service(service);
    let http2 = connection::http2(settings.stall);
    let (close, closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(async {
        stop.await;
        readiness.draining().await;
        sleep(settings.drain.pause).await;
        readiness.close().await;
    });
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < settings.max_connections => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, http2.clone(), service.clone(), closing.clone()));
                }
                // A client that left while it waited is no reason to pause.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(%error, "can't accept connections");
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
    info!(calls = calls.len(), connections = connections.len(), "draining");
    let all_closed = async { while connections.join_next().await.is_some() {} };
    let all_answered = async {
        calls.wait().await;
        sleep(LINGER).await;
    };
    let drained = timeout(settings.drain.timeout, async {
        tokio::select! {
            () = all_closed => {}
            () = all_answered => {}
        }
    });
    match drained.await {
        Ok(()) => Drained::Whole,
        Err(_) => Drained::Cut { calls: calls.len() },
    }
}
