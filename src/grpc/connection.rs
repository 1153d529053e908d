//! One connection: the wait for its preface, HTTP/2 with its limits, its age, its end.
//!
//! tonic's own transport is not used: its accept loop spins when file descriptors run out, connections that never
//! speak stay for ever and outlast every drain, all connections age alike, and its handling of `grpc-timeout` (see
//! [`super::layers::deadline`]) can't be turned off. hyper's server, below it, has none of these faults.

use super::coalesce::Coalesced;
use super::service::StreamPlaces;
use super::stall::{Asked, Patience};
use bytes::Bytes;
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
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::transport::server::Connected;
use tower::{Service, ServiceExt};
use tracing::debug;

/// How many calls one connection may have open.
const MAX_CONCURRENT_STREAMS: u32 = 256;
/// Streams that a client opens and resets at once, before they are accepted: more end the connection.
const MAX_PENDING_RESETS: usize = 20;
/// Streams that the server resets for a client's errors: more end the connection.
const MAX_ERROR_RESETS: usize = 1024;
/// The sum of a call's headers.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// What one stream, and all streams of a connection, may send before it is read.
///
/// A stream of evaluations is read no faster than its answers are, so that its window is often full; small messages are
/// small frames, and for each of them h2 counts what is missing to 256 bytes. Beyond half of the connection's window it
/// closes the connection (GOAWAY, `too_many_data_frames`), with every other call on it. So the windows and the number
/// of streams of evaluations ([`MAX_STREAMS_OF_EVALUATIONS`](super::service::MAX_STREAMS_OF_EVALUATIONS)) are set together: as many as may, with messages of 70
/// bytes or more, stay below it.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// What one stream may hold that its client doesn't read.
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// A connection without traffic is asked for a sign of life, and closed without one.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may take until it speaks.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a part of a preface is looked at again.
const PREFACE_INTERVAL: Duration = Duration::from_millis(20);
/// After this age, give or take a tenth, a connection is asked to end, so that clients find new replicas; not all at
/// once. Calls under way are finished, however long they take.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// To clients of HTTP/1, so that they see more than a closed connection.
const NOT_HTTP1: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\nconnection: close\r\n\r\nThis is a gRPC server: speak HTTP/2.\r\n";

/// HTTP/2 with the limits of this server. `stall`: how long a client may leave an answer unread.
pub(super) fn http2(stall: Duration) -> Builder<Patience> {
    let mut http2 = Builder::new(Patience { stall });
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .auto_date_header(false);
    http2
}

/// Serves one connection until it ends. When `closing` turns true, the client is told to go, and calls under way are
/// finished; a connection that has not yet spoken is closed.
pub(super) async fn serve<S, B>(
    mut stream: TcpStream,
    http2: Builder<Patience>,
    service: S,
    mut closing: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it small answers wait for acknowledgements.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "no TCP_NODELAY");
    }
    let first = tokio::select! {
        first = timeout(PREFACE_TIMEOUT, first_words(&stream)) => first,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    match first {
        Ok(Ok(First::Http2)) => {}
        Ok(Ok(First::Http1)) => {
            let _ = stream.write_all(NOT_HTTP1).await;
            return;
        }
        Ok(Ok(First::Other)) => return debug!("a connection speaks neither HTTP/2 nor HTTP/1"),
        Ok(Err(error)) => return debug!(%error, "a connection is lost before it spoke"),
        Err(_) => return debug!("a connection did not speak in time"),
    }
    let peer = stream.connect_info();
    let places = StreamPlaces::default();
    let service = service
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(places.clone());
            request
        })
        .map_response(|response: Response<B>| response.map(Asked::new));
    let stream = Coalesced::new(stream);
    let mut connection = pin!(http2.serve_connection(TokioIo::new(stream.clone()), TowerToHyperService::new(service)));
    let mut going = pin!(async {
        tokio::select! {
            () = sleep(with_jitter(MAX_AGE)) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    });
    let ended = tokio::select! {
        ended = driven(connection.as_mut(), &stream) => ended,
        () = &mut going => {
            connection.as_mut().graceful_shutdown();
            driven(connection, &stream).await
        }
    };
    if let Err(error) = ended {
        debug!(error = &*error as &dyn Error, "a connection ended with an error");
    }
}

/// Drives a connection, and sends what it has written whenever it has nothing more to do.
async fn driven(
    mut connection: Pin<&mut impl Future<Output = hyper::Result<()>>>,
    stream: &Coalesced<TcpStream>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    poll_fn(|cx| {
        let ended = connection.as_mut().poll(cx);
        match stream.poll_send(cx) {
            Poll::Ready(Err(error)) if ended.is_pending() => Poll::Ready(Err(error.into())),
            _ => ended.map_err(Into::into),
        }
    })
    .await
}

enum First {
    Http2,
    Http1,
    Other,
}

/// What a connection speaks, by its first bytes, which are left for whoever reads next.
async fn first_words(stream: &TcpStream) -> io::Result<First> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let seen = seen.get_mut(..).unwrap_or_default();
        let count = stream.peek(seen).await?;
        let seen = seen.get(..count).unwrap_or_default();
        if !PREFACE.starts_with(seen) {
            let is_http1 = seen.first().is_some_and(u8::is_ascii_uppercase);
            return Ok(if is_http1 { First::Http1 } else { First::Other });
        }
        match count {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count if count == PREFACE.len() => return Ok(First::Http2),
            _ => sleep(PREFACE_INTERVAL).await,
        }
    }
}

/// A duration, more or less by up to a tenth.
fn with_jitter(duration: Duration) -> Duration {
    let share = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    duration.mul_f64(0.9 + 0.2 * share)
}
