//! The accept loop: serves connections behind the middleware, and drains them at shutdown.
//!
//! Owns the order of the middleware and the open connections. Must not know which services answer.

use crate::locks::lock;
use crate::middleware::GateLayer;
use crate::middleware::account::CallBounds;
use crate::middleware::calls::CallsLayer;
use crate::middleware::compression::MirrorEncodingLayer;
use crate::middleware::deadline::DeadlineLayer;
use crate::middleware::decompression::{InTurns, in_turns};
use crate::middleware::failure_log::{FailureLog, SUMMARY_INTERVAL};
use crate::middleware::grpc_only::GrpcOnlyLayer;
use crate::middleware::networks::host;
use crate::middleware::panics::PanicsLayer;
use crate::middleware::receive;
use crate::middleware::request_id::RequestIdLayer;
use crate::server::gates::Gates;
use crate::server::health::Readiness;
use crate::server::places::{Decision, Places, Source};
use crate::server::settings::Settings;
use crate::shutdown::DrainOutcome;
use crate::telemetry::Metrics;
use crate::transport::call::StallLimit;
use crate::transport::config::ConnectionConfig;
use crate::transport::connection::{self, ConnectionError};
use crate::transport::http2::http2;
use crate::transport::request_body::RequestBody;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use socket2::SockRef;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing::{debug, info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::server";

/// Pause after a failed accept, which usually means that the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time after which a newcomer for whom there was no place is tried again.
///
/// A connection becomes idle, and can make room, without a sign to the accept loop.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// Newcomers that wait for a place. Further ones wait in the backlog of the listener, where the first comes first.
///
/// Newcomers of addresses with few connections are served first, so that one client that connects again and again does
/// not make the others wait. Each of them has a file descriptor
/// ([`RESERVED_DESCRIPTORS`](super::RESERVED_DESCRIPTORS)).
pub(super) const MAX_WAITING: usize = 8;
/// Time that connections may take to close once the last call of a drain has finished.
const LINGER: Duration = Duration::from_secs(1);
/// Minimum time between two warnings about the connection limit.
///
/// Short connections at the limit could otherwise fill the log.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Bytes that the kernel may keep of what one connection has sent, and of what it has received, each. Linux doubles
/// them for its own overhead, and exceeds the limit of sent bytes by one write.
///
/// Without a limit, Linux adapts the buffers of each connection, up to several MiB for a client that read fast and then
/// stops. HTTP/2 lets a client send 64 KiB before a call reads, so that a larger buffer for received bytes has no use.
/// For sent bytes, this is 5 MB a second to a client at a distance of 20 ms. `TCP_NOTSENT_LOWAT` would not limit bytes
/// that are sent and that the client never acknowledges.
const SOCKET_BUFFER_BYTES: usize = 64 * 1024;

/// Minimum time between two warnings about clients that speak plaintext to a TLS port, or the reverse.
///
/// Such a client usually connects again and again, and anyone can send such bytes.
const MISMATCH_INTERVAL: Duration = Duration::from_secs(60);

/// Serves `service` behind the middleware of this server until `stop` completes, then drains.
///
/// `ending` is cancelled when connections receive GOAWAY. This ends streams that would otherwise stay open.
pub async fn serve_routes<S, B>(
    listener: TcpListener,
    service: S,
    readiness: Readiness,
    settings: Settings,
    gates: Gates,
    ending: CancellationToken,
    stop: impl Future<Output = ()>,
) -> DrainOutcome
where
    S: Service<Request<InTurns<receive::TimedBody<RequestBody>>>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    bound_buffers(&listener);
    let Gates { metrics, access, callers, bounds, concurrency, tls, connections: open, calls, stalled } = gates;
    let receive = settings.receive;
    let failures = FailureLog::default();
    let service = ServiceBuilder::new()
        .layer(RequestIdLayer)
        .layer(GrpcOnlyLayer::new(metrics.clone()))
        .layer(CallsLayer::new(calls.clone(), metrics.clone(), settings.max_request_bytes, failures.clone()))
        .layer(PanicsLayer)
        .layer(DeadlineLayer)
        .layer(GateLayer(access))
        .layer(GateLayer(concurrency))
        .layer(MirrorEncodingLayer)
        .service(service.map_request(move |request| in_turns(receive::with_time_limit(request, receive))));
    let (close, closing) = watch::channel(false);
    let stall = StallLimit { time: settings.connection.stall, resets: stalled };
    let http2 = http2(&settings.connection);
    let config = ConnectionConfig { http2, stall, limits: settings.connection, callers, tls, closing };
    let mut door = Door {
        connections: JoinSet::new(),
        places: Places::new(settings.max_connections, settings.max_connections_per_address),
        bounds,
        config,
        service,
        metrics: metrics.clone(),
        is_full: false,
        warned_at: None,
        mismatch_warned_at: Arc::default(),
    };
    // Connections that have been accepted and have no place yet.
    let mut newcomers = Vec::<(TcpStream, IpAddr)>::new();
    let mut summaries = interval(SUMMARY_INTERVAL);
    let mut stop = pin!(async {
        stop.await;
        readiness.draining();
        sleep(settings.drain.pause).await;
        readiness.close();
    });
    loop {
        door.place_all(&mut newcomers);
        open.store(door.connections.len(), Relaxed);
        door.note_limit();
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = door.connections.join_next_with_id() => {
                door.places.remove(ended.map_or_else(|error| error.id(), |(task, ())| task));
            }
            accepted = listener.accept(), if newcomers.len() <= MAX_WAITING => match accepted {
                Ok((stream, address)) => {
                    metrics.connection();
                    // On a dual-stack socket, an IPv4 client has an IPv4-mapped IPv6 address. Everything that counts by
                    // address must see the IPv4 address: all mapped addresses are in one /64 network.
                    newcomers.push((stream, address.ip().to_canonical()));
                }
                // The client closed its connection before it was accepted; the next accept can succeed at once.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(target: LOG_TARGET, %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            () = sleep(BETWEEN_TRIES), if !newcomers.is_empty() => {}
            _ = summaries.tick() => failures.summarize(),
        }
    }
    // New clients fail at once when the listener is closed. While it is open, they would wait in its backlog.
    drop((listener, newcomers));
    ending.cancel();
    close.send_replace(true);
    calls.close();
    info!(target: LOG_TARGET, calls = calls.len(), connections = door.connections.len(), "draining");
    let drained = drain(door.connections, &calls, settings.drain.timeout).await;
    failures.summarize();
    drained
}

/// The open connections, and what serves them.
struct Door<S> {
    connections: JoinSet<()>,
    places: Places,
    bounds: CallBounds,
    config: ConnectionConfig,
    service: S,
    metrics: Metrics,
    /// Whether all places were taken when a connection was last accepted or closed.
    is_full: bool,
    warned_at: Option<Instant>,
    mismatch_warned_at: Arc<Mutex<Option<Instant>>>,
}

impl<S> Door<S> {
    /// Serves the newcomers that get a place, those of the addresses with the fewest connections first.
    ///
    /// If too many are left, closes one of the address with the most connections, if several of that address wait.
    /// Otherwise, further newcomers wait in the backlog.
    fn place_all<B>(&mut self, newcomers: &mut Vec<(TcpStream, IpAddr)>)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        while let Some(next) = (0..newcomers.len()).min_by_key(|at| self.open_of(newcomers, *at)) {
            let (stream, client) = newcomers.remove(next);
            if let Some(waiting) = self.place(stream, client) {
                newcomers.insert(next, waiting);
                break;
            }
        }
        if newcomers.len() > MAX_WAITING {
            let most = (0..newcomers.len())
                .filter_map(|at| Some((at, self.waiting_of(newcomers, at)?)))
                .filter(|(_, waiting)| *waiting > 1)
                .max_by_key(|(at, waiting)| waiting + self.open_of(newcomers, *at));
            if let Some((at, _)) = most {
                let (_, client) = newcomers.remove(at);
                self.metrics.connection_refused("address");
                debug!(target: LOG_TARGET, %client, "connection closed: many others of its address wait for a place");
            }
        }
    }

    /// Returns how many newcomers wait of the address of one of them; `None` for a trusted proxy.
    fn waiting_of(&self, newcomers: &[(TcpStream, IpAddr)], at: usize) -> Option<usize> {
        let (_, client) = newcomers.get(at).filter(|(_, client)| !self.config.callers.is_proxy(*client))?;
        Some(newcomers.iter().filter(|(_, other)| host(*other) == host(*client)).count())
    }

    /// Returns how many connections the address of a newcomer has.
    fn open_of(&self, newcomers: &[(TcpStream, IpAddr)], at: usize) -> usize {
        newcomers.get(at).map_or(0, |(_, client)| self.places.count(&self.source(*client)))
    }

    /// Returns what the connections of an address count for.
    fn source(&self, client: IpAddr) -> Source {
        if self.config.callers.is_proxy(client) { Source::default() } else { Source::of(client) }
    }

    /// Serves a new connection, if it gets a place; returns it if it must wait for one.
    fn place<B>(&mut self, stream: TcpStream, client: IpAddr) -> Option<(TcpStream, IpAddr)>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let source = self.source(client);
        match self.places.decide(&source) {
            Decision::Admit(displaced) => {
                if let Some(kind) = displaced {
                    self.metrics.connection_displaced(kind.as_str());
                }
                let account = self.bounds.connect();
                let state = account.state().clone();
                let connection = connection::serve(stream, client, account, self.config.clone(), self.service.clone());
                let (metrics, mismatch_warned_at) = (self.metrics.clone(), self.mismatch_warned_at.clone());
                let task = self.connections.spawn(connection.map(move |ended| match ended {
                    Ok(ended) => metrics.connection_ended(ended.reason()),
                    Err(refused) => report_refused(&refused, client, &metrics, &mismatch_warned_at),
                }));
                self.places.add(task.id(), state, source);
                None
            }
            Decision::Wait => Some((stream, client)),
            Decision::Close => {
                self.metrics.connection_refused("address");
                debug!(target: LOG_TARGET, %client, "connection closed: its address has too many");
                None
            }
        }
    }

    /// Counts each time at which all places become taken, and warns of it.
    fn note_limit(&mut self) {
        let are_taken = self.places.are_taken();
        if are_taken && !self.is_full {
            self.metrics.connection_refused("full");
        }
        if are_taken && self.warned_at.is_none_or(|at| at.elapsed() > WARNING_INTERVAL) {
            self.warned_at = Some(Instant::now());
            warn!(
                target: LOG_TARGET,
                connections = self.connections.len(),
                "connection limit reached: new connections take the places of those not in use, or wait until one closes"
            );
        }
        self.is_full = are_taken;
    }
}

/// Limits the kernel's buffers of the connections that a listener accepts, which inherit its options.
fn bound_buffers(listener: &TcpListener) {
    let socket = SockRef::from(listener);
    let bounded = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    if let Err(error) = bounded.and_then(|()| socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)) {
        warn!(target: LOG_TARGET, %error, "cannot limit the kernel's buffers of connections");
    }
}

/// Counts and logs a connection that closed before it could carry calls.
fn report_refused(
    refused: &ConnectionError,
    client: IpAddr,
    metrics: &Metrics,
    mismatch_warned_at: &Mutex<Option<Instant>>,
) {
    metrics.connection_refused(refused.reason());
    let error = refused as &dyn std::error::Error;
    debug!(target: LOG_TARGET, error, "connection closed before its first call");
    if refused.is_tls_mismatch() && is_due(mismatch_warned_at, MISMATCH_INTERVAL) {
        let client = client.to_canonical();
        warn!(
            target: LOG_TARGET,
            %client, error,
            "connection closed: use TLS on both sides or on neither; further such connections within a minute are not \
             logged"
        );
    }
}

/// Whether `interval` has passed since this function last returned true for `last`.
fn is_due(last: &Mutex<Option<Instant>>, interval: Duration) -> bool {
    let mut last = lock(last);
    let is_due = last.is_none_or(|last| last.elapsed() >= interval);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// Waits until all connections have closed or all calls have finished, for up to `limit`.
async fn drain(mut connections: JoinSet<()>, calls: &TaskTracker, limit: Duration) -> DrainOutcome {
    let all_closed = async { while connections.join_next().await.is_some() {} };
    let all_answered = async {
        // A client that has not read the GOAWAY yet may still send calls: wait until no call has arrived for a while.
        loop {
            calls.wait().await;
            sleep(LINGER).await;
            if calls.is_empty() {
                break;
            }
        }
    };
    let drained = timeout(limit, async {
        tokio::select! {
            () = all_closed => {}
            () = all_answered => {}
        }
    });
    match drained.await {
        Ok(()) if calls.is_empty() => DrainOutcome::Complete,
        _ => DrainOutcome::Cut { calls: calls.len() },
    }
}

#[cfg(test)]
mod tests;
