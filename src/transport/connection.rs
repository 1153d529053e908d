//! One connection: the preface, HTTP/2 with its limits, the maximum age, and the close.
//!
//! Owns everything between the accepted socket and the requests on it. Must not know about RPC methods or messages.
//!
//! tonic's own transport is not used, for four reasons: its accept loop spins when file descriptors run out;
//! connections that never send anything stay open for ever and outlast every shutdown; all connections reach their
//! maximum age at the same time; and its handling of `grpc-timeout` (see [`crate::middleware::deadline`]) cannot be
//! turned off. hyper's server, which tonic uses too, has none of these faults.

use crate::middleware::connection_context::{Peer, StreamLimit};
use crate::middleware::response_budget::ConnectionBudget;
use crate::transport::client_certificate::ClientCertificate;
use crate::transport::preface::{NOT_HTTP1, PrefixedStream, Protocol, detect_protocol};
use crate::transport::stall_guard::{PollTracked, StallGuard};
use crate::transport::tls::Tls;
use crate::transport::write_buffer::WriteBuffer;
use bytes::Bytes;
use futures_util::future::OptionFuture;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::iter::successors;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::{Service, ServiceExt};
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::connection";

/// Streams that a client may reset before the server accepts them; one more closes the connection.
const MAX_PENDING_RESETS: usize = 20;
/// Streams that the server may reset because of client errors; one more closes the connection.
const MAX_ERROR_RESETS: usize = 1024;
/// Bytes that a client may send on one stream before the server has read them.
///
/// For each DATA frame below 256 bytes that waits to be read, h2 counts the bytes by which the frame falls short of
/// 256. If the sum of these bytes exceeds half of the connection's window, h2 closes the connection (GOAWAY,
/// `too_many_data_frames`), which ends every other call on it. A stream of evaluations is read no faster than it is
/// answered, so its window is often full of small frames. The windows and the number of streams of evaluations
/// ([`MAX_STREAMS_OF_EVALUATIONS`](crate::middleware::connection_context::MAX_STREAMS_OF_EVALUATIONS)) are therefore
/// set together: at the maximum number of streams, messages of 70 bytes or more stay below half of the window.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Bytes that a client may send on all streams of a connection before the server has read them.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes that one stream may buffer while its client does not read.
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// Time that open calls have to finish after the client's certificate has become invalid.
const CERTIFICATE_GRACE: Duration = Duration::from_secs(10);

/// Limits of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Calls that may be open at a time; 256 by default.
    pub max_streams: u32,
    /// Total size of a call's headers, in bytes; 16 KiB by default.
    pub max_header_bytes: u32,
    /// Time until the HTTP/2 preface must have arrived, TLS handshake included; 10 seconds by default.
    pub handshake: Duration,
    /// Idle time before a keepalive ping; 60 seconds by default.
    pub keepalive_interval: Duration,
    /// Time to answer a keepalive ping before the connection is closed; 20 seconds by default.
    pub keepalive_timeout: Duration,
    /// Age at which the server sends GOAWAY, so that clients find new replicas; 30 minutes by default.
    ///
    /// Each connection's age varies by up to a tenth, so that connections do not all close at once. Open calls finish,
    /// however long they take.
    pub max_age: Duration,
    /// Time that a client may leave an answer unread before the call is reset; 60 seconds by default.
    pub stall: Duration,
}

impl Default for ConnectionLimits {
    /// Returns the defaults that the fields state.
    fn default() -> Self {
        Self {
            max_streams: 256,
            max_header_bytes: 16 * 1024,
            handshake: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            max_age: Duration::from_secs(30 * 60),
            stall: Duration::from_secs(60),
        }
    }
}

/// Why a connection closed before it could carry calls.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("the HTTP/2 preface did not arrive in time")]
    Silent(#[from] Elapsed),
    #[error("connection closed before the HTTP/2 preface arrived")]
    Lost(io::Error),
    #[error("TLS handshake failed")]
    Tls(io::Error),
    #[error("the client speaks neither HTTP/2 nor HTTP/1")]
    Other,
    #[error("the client speaks HTTP/1, and this server requires HTTP/2")]
    Http1,
}

impl ConnectionError {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            ConnectionError::Silent(_) => "silent",
            ConnectionError::Lost(_) => "lost",
            ConnectionError::Tls(_) => "tls",
            ConnectionError::Other | ConnectionError::Http1 => "not_http2",
        }
    }
}

/// Why a connection that could carry calls has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed the connection.
    Left,
    /// The connection reached its maximum age.
    Age,
    /// The client's certificate has expired, or its authority is no longer trusted.
    Certificate,
    /// The server is draining: it is shutting down.
    Drain,
    /// The client did not answer a keepalive ping.
    Keepalive,
    /// The client sent too many resets, pings, settings or empty frames.
    Flood,
    /// The connection failed, or the client violated HTTP/2.
    Broken,
}

impl CloseReason {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            CloseReason::Left => "left",
            CloseReason::Age => "age",
            CloseReason::Certificate => "certificate",
            CloseReason::Drain => "drain",
            CloseReason::Keepalive => "keepalive",
            CloseReason::Flood => "flood",
            CloseReason::Broken => "broken",
        }
    }

    fn from_error(error: &(dyn Error + Send + Sync + 'static)) -> Self {
        if error.downcast_ref().is_some_and(hyper::Error::is_timeout) {
            return CloseReason::Keepalive;
        }
        let causes = successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
        let reason = causes.filter_map(|cause| cause.downcast_ref::<h2::Error>()?.reason()).next();
        if reason == Some(h2::Reason::ENHANCE_YOUR_CALM) { CloseReason::Flood } else { CloseReason::Broken }
    }
}

/// Configures HTTP/2 with the limits of this server.
///
/// `stalled` counts the calls that were reset because their answers were left unread.
pub(crate) fn http2(limits: &ConnectionLimits, stalled: Arc<AtomicU64>) -> Builder<StallGuard> {
    let mut http2 = Builder::new(StallGuard { stall: limits.stall, stalled });
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(limits.max_header_bytes)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .auto_date_header(false);
    http2
}

/// Configuration shared by all connections of a listener.
#[derive(Clone)]
pub(crate) struct ConnectionConfig {
    pub(crate) http2: Builder<StallGuard>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) tls: Option<Tls>,
    /// Becomes true when connections must close because the server is draining (shutting down).
    pub(crate) closing: watch::Receiver<bool>,
}

/// Serves one connection until it closes, and returns the reason.
///
/// When `closing` becomes true, the client receives GOAWAY and open calls finish; a connection whose preface has not
/// arrived is closed at once.
///
/// # Errors
/// If the connection closes before it can carry calls.
// Most connections are idle most of the time, and each one owns this future, so its size matters. The future of an
// `async fn` would keep the arguments in addition to the values made of them, so this function returns an `async`
// block. A future is as large as its largest stage (opening the connection, serving calls), so each stage is in a box
// of its own that is freed when the stage ends. Without these two measures, each connection would take a fifth more
// memory.
pub(crate) fn serve<S, B>(
    stream: TcpStream,
    address: IpAddr,
    mut config: ConnectionConfig,
    service: S,
) -> impl Future<Output = Result<CloseReason, ConnectionError>> + Send
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Nagle's algorithm would hold small answers back until the client acknowledges earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(target: LOG_TARGET, %error, "cannot set TCP_NODELAY");
    }
    let opening = Box::pin(open(stream, config.tls.take()));
    async move {
        let (opened, certificate) = tokio::select! {
            opened = timeout(config.limits.handshake, opening) => opened??,
            _ = config.closing.wait_for(|closing| *closing) => return Ok(CloseReason::Drain),
        };
        let identity = certificate.as_ref().map(|certificate| (certificate.name.clone(), certificate.until));
        let peer = Peer { address, certificate: identity };
        let calls = match opened {
            OpenStream::Plain(stream) => serve_calls(stream, peer, certificate, config, service),
            OpenStream::Tls(stream) => serve_calls(stream, peer, certificate, config, service),
        };
        Ok(calls.await)
    }
}

enum OpenStream {
    Plain(PrefixedStream<TcpStream>),
    Tls(Box<PrefixedStream<TlsStream<TcpStream>>>),
}

/// Completes the TLS handshake, and reads the preface and the client's certificate.
async fn open(stream: TcpStream, tls: Option<Tls>) -> Result<(OpenStream, Option<ClientCertificate>), ConnectionError> {
    let Some(tls) = tls else { return Ok((OpenStream::Plain(expect_http2(stream).await?), None)) };
    let current = tls.current();
    let accepted = TlsAcceptor::from(current.config.clone()).accept(stream).await.map_err(ConnectionError::Tls)?;
    let certificates = accepted.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate =
        current.clients.clone().and_then(|clients| ClientCertificate::new(certificates, clients, tls.watch()));
    Ok((OpenStream::Tls(Box::new(expect_http2(accepted).await?)), certificate))
}

async fn expect_http2<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) -> Result<PrefixedStream<T>, ConnectionError> {
    match detect_protocol(&mut stream).await.map_err(ConnectionError::Lost)? {
        (Protocol::Http2, prefix) => Ok(PrefixedStream::new(prefix, stream)),
        (Protocol::Http1, _) => {
            let _ = stream.write_all(NOT_HTTP1).await;
            let _ = stream.shutdown().await;
            Err(ConnectionError::Http1)
        }
        (Protocol::Other, _) => Err(ConnectionError::Other),
    }
}

/// Serves the calls of an HTTP/2 connection until it closes.
fn serve_calls<T, S, B>(
    stream: T,
    peer: Peer,
    certificate: Option<ClientCertificate>,
    config: ConnectionConfig,
    service: S,
) -> Pin<Box<dyn Future<Output = CloseReason> + Send>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (streams, budget) = (StreamLimit::default(), ConnectionBudget::default());
    let service = service
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(streams.clone());
            request.extensions_mut().insert(budget.clone());
            request
        })
        .map_response(|response: Response<B>| response.map(PollTracked::new));
    let stream = WriteBuffer::new(stream);
    let service = TowerToHyperService::new(service);
    let mut connection = Box::pin(config.http2.serve_connection(TokioIo::new(stream.clone()), service));
    // A connection keeps the caller that its client's certificate named when it was opened, so it must close once that
    // certificate is no longer valid. The client connects again with its new certificate.
    let mut invalid = OptionFuture::from(certificate.map(|certificate| Box::pin(certificate.wait_until_invalid())));
    let mut closing = Box::pin(wait_for_close(config.limits.max_age, config.closing));
    Box::pin(async move {
        let mut reason = None;
        let ended = loop {
            tokio::select! {
                ended = drive(connection.as_mut(), &stream) => break ended,
                requested = &mut closing, if reason.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    reason = Some(requested);
                }
                Some(()) = &mut invalid => {
                    connection.as_mut().graceful_shutdown();
                    reason = Some(CloseReason::Certificate);
                    break timeout(CERTIFICATE_GRACE, drive(connection.as_mut(), &stream)).await.unwrap_or(Ok(()));
                }
            }
        };
        if let Err(error) = &ended {
            debug!(target: LOG_TARGET, error = &**error as &dyn Error, "a connection ended with an error");
        }
        reason.unwrap_or_else(|| ended.map_or_else(|error| CloseReason::from_error(&*error), |()| CloseReason::Left))
    })
}

/// Completes when the server is to close a connection, and returns the reason.
async fn wait_for_close(max_age: Duration, mut closing: watch::Receiver<bool>) -> CloseReason {
    tokio::select! {
        () = sleep(with_jitter(max_age)) => CloseReason::Age,
        _ = closing.wait_for(|closing| *closing) => CloseReason::Drain,
    }
}

/// Polls a connection, and sends its buffered writes whenever the connection is waiting.
fn drive(
    mut connection: Pin<&mut impl Future<Output = hyper::Result<()>>>,
    stream: &WriteBuffer<impl AsyncWrite + Unpin>,
) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> {
    poll_fn(move |cx| {
        let ended = connection.as_mut().poll(cx);
        match stream.poll_send(cx) {
            Poll::Ready(Err(error)) if ended.is_pending() => Poll::Ready(Err(error.into())),
            _ => ended.map_err(Into::into),
        }
    })
}

/// Varies a duration at random by up to a tenth in either direction.
fn with_jitter(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + 0.2 * fastrand::f64())
}
