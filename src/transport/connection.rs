//! One connection: the wait for its preface, HTTP/2 with its limits, its age, its end.
//!
//! tonic's own transport is not used: its accept loop spins when file descriptors run out, connections that never
//! speak stay for ever and outlast every drain, all connections age alike, and its handling of `grpc-timeout` (see
//! [`crate::middleware::deadline`]) can't be turned off. hyper's server, below it, has none of these faults.

use crate::middleware::connection_context::{Peer, StreamPlaces};
use crate::middleware::room::ConnectionBudget;
use crate::transport::client_certificate::ClientCertificate;
use crate::transport::preface::{First, NOT_HTTP1, Rewound, first_words};
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
const LOG_TARGET: &str = "detente::transport::connection";

/// Streams that a client opens and resets at once, before they are accepted: more end the connection.
const MAX_PENDING_RESETS: usize = 20;
/// Streams that the server resets for a client's errors: more end the connection.
const MAX_ERROR_RESETS: usize = 1024;
/// What one stream, and all streams of a connection, may send before it is read.
///
/// A stream of evaluations is read no faster than its answers are, so that its window is often full; small messages are
/// small frames, and for each of them h2 counts what is missing to 256 bytes. Beyond half of the connection's window it
/// closes the connection (GOAWAY, `too_many_data_frames`), with every other call on it. So the windows and the number
/// of streams of evaluations ([`MAX_STREAMS_OF_EVALUATIONS`](crate::services::MAX_STREAMS_OF_EVALUATIONS)) are set together: as many as may, with messages of 70
/// bytes or more, stay below it.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// What one stream may hold that its client doesn't read.
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// What calls under way may still take when the certificate that their client showed is of no more use.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// What one connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many calls may be open at a time.
    pub max_streams: u32,
    /// The sum of a call's headers, in bytes.
    pub max_header_bytes: u32,
    /// How long it may take until it speaks, TLS included.
    pub handshake: Duration,
    /// After so long without traffic it is asked for a sign of life...
    pub keepalive_interval: Duration,
    /// ...and closed without one after so long.
    pub keepalive_timeout: Duration,
    /// After this age, give or take a tenth, it is asked to end, so that clients find new replicas; not all at once.
    /// Calls under way are finished, however long they take.
    pub max_age: Duration,
    /// How long a client may leave an answer unread.
    pub stall: Duration,
}

impl Default for ConnectionLimits {
    /// 256 calls, 16 KiB of headers, 10 seconds to speak, a ping after a quiet minute with 20 seconds to answer, half an
    /// hour of age, a minute's patience with who doesn't read.
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

/// Why a connection came to nothing.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("it did not speak in time")]
    Silent(#[from] Elapsed),
    #[error("it is lost before it spoke")]
    Lost(io::Error),
    #[error("TLS failed")]
    Tls(io::Error),
    #[error("it speaks neither HTTP/2 nor HTTP/1")]
    Other,
    #[error("it speaks HTTP/1")]
    Http1,
}

impl ConnectionError {
    /// For metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            ConnectionError::Silent(_) => "silent",
            ConnectionError::Lost(_) => "lost",
            ConnectionError::Tls(_) => "tls",
            ConnectionError::Other | ConnectionError::Http1 => "not_http2",
        }
    }
}

/// Why a connection that came to calls has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// Its client left.
    Left,
    /// It was as old as one may become.
    Age,
    /// The certificate that its client showed has expired, or its authority is gone.
    Certificate,
    /// The server is to end.
    Drain,
    /// It gave no sign of life.
    Keepalive,
    /// It did something too often: resets, pings, settings, or empty frames.
    Flood,
    /// It broke, or spoke no HTTP/2 any more.
    Broken,
}

impl CloseReason {
    /// For metrics.
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

    fn by(error: &(dyn Error + Send + Sync + 'static)) -> Self {
        if error.downcast_ref().is_some_and(hyper::Error::is_timeout) {
            return CloseReason::Keepalive;
        }
        let causes = successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
        let told = causes.filter_map(|cause| cause.downcast_ref::<h2::Error>()?.reason()).next();
        if told == Some(h2::Reason::ENHANCE_YOUR_CALM) { CloseReason::Flood } else { CloseReason::Broken }
    }
}

/// HTTP/2 with the limits of this server. `stalled` counts the calls whose answers were left unread.
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

/// How connections are served.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) http2: Builder<StallGuard>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) tls: Option<Tls>,
    /// Turns true when clients are told to go.
    pub(crate) closing: watch::Receiver<bool>,
}

/// Serves one connection until it ends, and tells why it did. When `closing` turns true, the client is told to go, and
/// calls under way are finished; a connection that has not yet spoken is closed.
///
/// # Errors
/// If it never came to calls.
// Most connections are idle most of the time, and each has this future. Therefore no `async fn`: that would keep what it
// was given beside what it made of it. And each stage is in a box of its own, gone when it is over: a task has room for
// the largest stage that it may come to. Together that would be a fifth more memory for each connection.
pub(crate) fn serve<S, B>(
    stream: TcpStream,
    address: IpAddr,
    mut serving: Serving,
    service: S,
) -> impl Future<Output = Result<CloseReason, ConnectionError>> + Send
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it small answers wait for acknowledgements.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(target: LOG_TARGET, %error, "no TCP_NODELAY");
    }
    let opening = Box::pin(open(stream, serving.tls.take()));
    async move {
        let (opened, shown) = tokio::select! {
            opened = timeout(serving.limits.handshake, opening) => opened??,
            _ = serving.closing.wait_for(|closing| *closing) => return Ok(CloseReason::Drain),
        };
        let certificate = shown.as_ref().map(|shown| (shown.name.clone(), shown.until));
        let peer = Peer { address, certificate };
        let calls = match opened {
            Opened::Plain(stream) => calls(stream, peer, shown, serving, service),
            Opened::Tls(stream) => calls(stream, peer, shown, serving, service),
        };
        Ok(calls.await)
    }
}

enum Opened {
    Plain(Rewound<TcpStream>),
    Tls(Box<Rewound<TlsStream<TcpStream>>>),
}

/// Comes to HTTP/2, and to what the client showed.
async fn open(stream: TcpStream, tls: Option<Tls>) -> Result<(Opened, Option<ClientCertificate>), ConnectionError> {
    let Some(tls) = tls else { return Ok((Opened::Plain(read_first(stream).await?), None)) };
    let current = tls.current();
    let accepted = TlsAcceptor::from(current.config.clone()).accept(stream).await.map_err(ConnectionError::Tls)?;
    let certificates = accepted.get_ref().1.peer_certificates().unwrap_or_default();
    let shown = current.clients.clone().and_then(|clients| ClientCertificate::new(certificates, clients, tls.watch()));
    Ok((Opened::Tls(Box::new(read_first(accepted).await?)), shown))
}

async fn read_first<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) -> Result<Rewound<T>, ConnectionError> {
    match first_words(&mut stream).await.map_err(ConnectionError::Lost)? {
        (First::Http2, first) => Ok(Rewound::new(first, stream)),
        (First::Http1, _) => {
            let _ = stream.write_all(NOT_HTTP1).await;
            let _ = stream.shutdown().await;
            Err(ConnectionError::Http1)
        }
        (First::Other, _) => Err(ConnectionError::Other),
    }
}

/// Serves the calls of a connection that speaks HTTP/2.
fn calls<T, S, B>(
    stream: T,
    peer: Peer,
    shown: Option<ClientCertificate>,
    serving: Serving,
    service: S,
) -> Pin<Box<dyn Future<Output = CloseReason> + Send>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (places, room) = (StreamPlaces::default(), ConnectionBudget::default());
    let service = service
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(places.clone());
            request.extensions_mut().insert(room.clone());
            request
        })
        .map_response(|response: Response<B>| response.map(PollTracked::new));
    let stream = WriteBuffer::new(stream);
    let service = TowerToHyperService::new(service);
    let mut connection = Box::pin(serving.http2.serve_connection(TokioIo::new(stream.clone()), service));
    // A certificate is looked at when a connection opens: who has a new one shows it on a new connection.
    let mut distrusted = OptionFuture::from(shown.map(|shown| Box::pin(shown.no_longer_good())));
    let mut going = Box::pin(is_to_go(serving.limits.max_age, serving.closing));
    Box::pin(async move {
        let mut told = None;
        let ended = loop {
            tokio::select! {
                ended = driven(connection.as_mut(), &stream) => break ended,
                why = &mut going, if told.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    told = Some(why);
                }
                Some(()) = &mut distrusted => {
                    connection.as_mut().graceful_shutdown();
                    told = Some(CloseReason::Certificate);
                    break timeout(LAST_CALLS, driven(connection.as_mut(), &stream)).await.unwrap_or(Ok(()));
                }
            }
        };
        if let Err(error) = &ended {
            debug!(target: LOG_TARGET, error = &**error as &dyn Error, "a connection ended with an error");
        }
        told.unwrap_or_else(|| ended.map_or_else(|error| CloseReason::by(&*error), |()| CloseReason::Left))
    })
}

/// Completes when a connection is to end, and tells why.
async fn is_to_go(max_age: Duration, mut closing: watch::Receiver<bool>) -> CloseReason {
    tokio::select! {
        () = sleep(with_jitter(max_age)) => CloseReason::Age,
        _ = closing.wait_for(|closing| *closing) => CloseReason::Drain,
    }
}

/// Drives a connection, and sends what it has written whenever it has nothing more to do.
fn driven(
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

/// A duration, more or less by up to a tenth.
fn with_jitter(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + 0.2 * fastrand::f64())
}
