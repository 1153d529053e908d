//! HTTP/2 on an open connection: accepts calls within limits, keeps the connection alive, and closes it.
//!
//! Each call runs in a task of its own. Must not know about RPC methods or messages.

use crate::middleware::account::{ConnectionAccount, HEADER_BYTES};
use crate::middleware::call_limits::MAX_STREAMS_OF_CONNECTION;
use crate::middleware::connection_context::{Peer, StreamLimit};
use crate::middleware::progress::ConnectionState;
use crate::transport::call::{self, StallLimit};
use crate::transport::client_certificate::ClientCertificate;
use crate::transport::config::{ConnectionConfig, ConnectionLimits};
use crate::transport::keepalive::Keepalive;
use crate::transport::request_body::{FRAME_BYTES, IncomingBodies, RequestBody, UNSORTED_BYTES};
use crate::transport::reset_budget::ResetBudget;
use crate::transport::write_buffer::{STEP_BYTES, TURN_BYTES, WriteBuffer};
use bytes::Bytes;
use futures_util::future::OptionFuture;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body::Body;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tower::Service;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::connection";

/// Streams that a client may reset before the server accepts them, as a multiple of the streams that it may have open;
/// one more closes the connection.
///
/// The server accepts streams as soon as it has read what has arrived, so only streams that are opened and reset at once
/// count. A client that cancels all of its calls, begins as many, and cancels those as well, is no flood.
const PENDING_RESETS: u32 = 2;
/// Streams that the server may reset because of client errors; one more closes the connection.
const MAX_ERROR_RESETS: usize = 1024;
/// Bytes that a client may send on one stream before the server has read them.
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;
/// Bytes that a client may send on all streams of a connection before the server has read them, without streams of
/// evaluations: the smallest that HTTP/2 permits.
///
/// Calls read their requests as they arrive. A stream of evaluations, however, is read no faster than it is answered,
/// so its window may stay full. Each open one therefore adds its window to that of the connection, so that the other
/// calls always have a window of their own.
pub(crate) const CONNECTION_WINDOW: u32 = 64 * 1024;
/// Bytes of the smallest frame that h2 keeps: its header. An empty frame may end a stream.
const SMALLEST_FRAME: usize = 9;
/// Frames that may wait on one connection: those of a step, and those that arrived since unread frames were last moved
/// to [buffers](crate::transport::request_body). A power of two, because h2 doubles its table of frames as it grows.
const WAITING_FRAMES: usize = (STEP_BYTES + UNSORTED_BYTES) / SMALLEST_FRAME;
const _: () = assert!(WAITING_FRAMES.is_power_of_two());
/// Bytes that the frames that wait on one connection take in addition to their content, which the windows bound.
pub(crate) const WAITING_FRAMES_BYTES: usize = WAITING_FRAMES * FRAME_BYTES;
const _: () = assert!(WAITING_FRAMES_BYTES <= 64 * 1024);
/// Bytes that the headers of calls take which have arrived on one connection and have not begun, and what was read
/// after them.
pub(crate) const ARRIVED_HEADERS_BYTES: usize = STEP_BYTES * HEADER_BYTES + TURN_BYTES;
/// Bytes by which the DATA frames that wait to be read on one connection may fall short of 256 each, in total.
///
/// h2 closes a connection beyond this budget (GOAWAY, `too_many_data_frames`), which ends every other call on it. The
/// budget is what [`WAITING_FRAMES`] frames of one byte take, so no client exceeds it, and h2 holds no more if one did.
const DATA_FRAME_BUDGET: usize = WAITING_FRAMES * 256;
/// Calls that a connection begins in one turn; it begins further ones when other tasks have had a turn.
///
/// A hundred calls can arrive at once. With many such connections, each of the others would wait for all of these calls.
const CALLS_OF_TURN: usize = 4;
/// Bytes that one stream may buffer while its client does not read.
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// Time that open calls have to finish after the client's certificate has become invalid.
const CERTIFICATE_GRACE: Duration = Duration::from_secs(10);

/// Time that the client of a displaced connection has to read the GOAWAY: a round trip.
const LEAVING: Duration = Duration::from_millis(250);
/// Time that calls have to finish which began while their connection was chosen to make room.
///
/// Newcomers wait while many connections leave, so a client must not be able to stay for long. Calls that begin later
/// are refused, and clients send them again on another connection.
const LEAVING_WITH_CALLS: Duration = Duration::from_secs(1);

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
    /// The client sent too many resets, pings, settings or empty frames, or began too many calls.
    Flood,
    /// Another connection needed the place of this one, which was not in use.
    Displaced,
    /// The client did not read the answers of the connection, while other calls needed the memory.
    Unread,
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
            CloseReason::Displaced => "displaced",
            CloseReason::Unread => "unread",
            CloseReason::Broken => "broken",
        }
    }

    fn of(error: &ConnectionEnd) -> Self {
        match error {
            ConnectionEnd::Http2(error) if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => CloseReason::Flood,
            ConnectionEnd::Http2(_) | ConnectionEnd::Socket(_) => CloseReason::Broken,
            ConnectionEnd::Lost => CloseReason::Keepalive,
        }
    }
}

/// Why a connection has ended, other than that one side closed it.
#[derive(Debug, Error)]
enum ConnectionEnd {
    #[error("the client violated HTTP/2, or the connection failed")]
    Http2(#[from] h2::Error),
    #[error("the connection failed")]
    Socket(#[from] io::Error),
    #[error("the client did not answer a ping")]
    Lost,
}

/// Configures HTTP/2 with the limits of this server.
pub(crate) fn http2(limits: &ConnectionLimits) -> Builder {
    let mut http2 = Builder::new();
    http2
        .max_concurrent_streams(limits.max_streams)
        .max_pending_accept_reset_streams((PENDING_RESETS * limits.max_streams) as usize)
        .max_local_error_reset_streams(Some(MAX_ERROR_RESETS))
        .max_header_list_size(limits.max_header_bytes)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(DATA_FRAME_BUDGET)
        .max_send_buffer_size(MAX_SEND_BUFFER);
    http2
}

/// Serves the calls of a connection until it closes.
pub(super) fn serve_calls<T, S, B>(
    stream: T,
    peer: Peer,
    certificate: Option<ClientCertificate>,
    account: ConnectionAccount,
    config: ConnectionConfig,
    service: S,
) -> Pin<Box<dyn Future<Output = CloseReason> + Send>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let stream = WriteBuffer::new(stream, account.state().clone());
    // In a box of its own, which is freed when the handshake is complete: the future below would keep its place.
    let handshake = Box::pin(config.http2.handshake(stream.clone()));
    // A connection keeps the caller that its client's certificate named when it was opened, so it must close once that
    // certificate is no longer valid. The client connects again with its new certificate.
    let mut invalid = OptionFuture::from(certificate.map(|certificate| Box::pin(certificate.wait_until_invalid())));
    let max_age = with_jitter(config.limits.max_age);
    let mut closing = Box::pin(wait_for_close(max_age, config.closing));
    let streams = StreamLimit::with_max_age(max_age);
    // A trusted proxy sends the calls of many clients, and one that resets calls must not end those of the others.
    let resets = (!peer.is_proxy).then(|| ResetBudget::new(peer.callers.clone(), config.limits.max_streams));
    let (windows, is_flood, bodies) = (0, false, IncomingBodies::default());
    let mut calls = Calls { service, peer, streams, account, stall: config.stall, windows, bodies, resets, is_flood };
    Box::pin(async move {
        let mut connection = match handshake.await {
            Ok(connection) => connection,
            Err(error) => return CloseReason::of(&error.into()),
        };
        let state = calls.account.state().clone();
        let ConnectionLimits { keepalive_interval, keepalive_timeout, .. } = config.limits;
        let mut keepalive =
            connection.ping_pong().map(|pings| Keepalive::new(pings, keepalive_interval, keepalive_timeout));
        let mut reason = None;
        let ended = loop {
            let mut drive = poll_fn(|cx| poll_drive(&mut connection, &stream, keepalive.as_mut(), &mut calls, cx));
            tokio::select! {
                ended = &mut drive => break ended,
                requested = &mut closing, if reason.is_none() => {
                    connection.graceful_shutdown();
                    reason = Some(requested);
                }
                () = state.progress.wait_for_end() => {
                    if !state.is_displaced() {
                        reason = Some(CloseReason::Unread);
                        break Ok(());
                    }
                    reason = Some(CloseReason::Displaced);
                    connection.graceful_shutdown();
                    let drive = poll_fn(|cx| poll_drive(&mut connection, &stream, keepalive.as_mut(), &mut calls, cx));
                    break leave(drive, &state).await;
                }
                Some(()) = &mut invalid => {
                    connection.graceful_shutdown();
                    reason = Some(CloseReason::Certificate);
                    let drive = poll_fn(|cx| poll_drive(&mut connection, &stream, keepalive.as_mut(), &mut calls, cx));
                    break timeout(CERTIFICATE_GRACE, drive).await.unwrap_or(Ok(()));
                }
            }
        };
        if let Err(error) = &ended {
            debug!(target: LOG_TARGET, error = error as &dyn Error, "a connection ended with an error");
        }
        if calls.is_flood {
            return CloseReason::Flood;
        }
        reason.unwrap_or_else(|| ended.map_or_else(|error| CloseReason::of(&error), |()| CloseReason::Left))
    })
}

/// Begins the calls that arrive, and sends what the calls have buffered, until the connection has ended.
fn poll_drive<T, S, B>(
    connection: &mut Connection<WriteBuffer<T>, Bytes>,
    stream: &WriteBuffer<T>,
    keepalive: Option<&mut Keepalive>,
    calls: &mut Calls<S>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ConnectionEnd>>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut begun, mut read) = (0, 0);
    let goes_on = loop {
        if begun == CALLS_OF_TURN {
            // The step does not end, so that nothing more is read before the other calls of the step have begun.
            break true;
        }
        calls.fit_window(connection);
        let resets = calls.account.state().take_resets();
        if !calls.is_flood && !calls.take_resets(resets) {
            calls.is_flood = true;
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        let accepted = pin!(connection.accept()).poll(cx);
        match accepted {
            Poll::Ready(Some(accepted)) => {
                let (request, mut respond) = accepted?;
                // Checked here as well, because the call itself notices a reset only when its task runs: after all
                // calls that have arrived have begun.
                let is_reset = respond.poll_reset(cx).is_ready();
                if calls.is_flood {
                    continue;
                }
                if is_reset && !calls.take_resets(1) {
                    calls.is_flood = true;
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                } else {
                    calls.begin(request, respond, is_reset);
                    begun += 1;
                }
            }
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Pending => {
                let step = stream.end_step();
                calls.bodies.note_read(step.counted);
                read += step.read;
                if !step.is_used_up() {
                    break false;
                }
                if read >= TURN_BYTES {
                    break true;
                }
            }
        }
    };
    if goes_on {
        cx.waker().wake_by_ref();
    }
    if let Poll::Ready(Err(error)) = stream.poll_send(cx) {
        return Poll::Ready(Err(error.into()));
    }
    match keepalive.map(|keepalive| keepalive.poll_lost(cx, stream.last_read())) {
        Some(Poll::Ready(())) => Poll::Ready(Err(ConnectionEnd::Lost)),
        _ => Poll::Pending,
    }
}

/// Begins the calls of one connection.
struct Calls<S> {
    service: S,
    peer: Peer,
    streams: StreamLimit,
    account: ConnectionAccount,
    stall: StallLimit,
    /// The open streams of evaluations for which the connection has windows.
    windows: usize,
    bodies: IncomingBodies,
    /// The calls that the client may reset; `None` for any number.
    resets: Option<ResetBudget>,
    /// Whether the connection closes because of too many resets.
    is_flood: bool,
}

impl<S> Calls<S> {
    /// Gives the connection a window for each open stream of evaluations.
    fn fit_window<T>(&mut self, connection: &mut Connection<WriteBuffer<T>, Bytes>)
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let open = self.account.state().streams.load(Relaxed);
        if open != self.windows {
            self.windows = open;
            let streams = u32::try_from(open.min(MAX_STREAMS_OF_CONNECTION)).unwrap_or_default();
            connection.set_target_window_size(CONNECTION_WINDOW + streams * STREAM_WINDOW);
        }
    }

    /// Counts calls that the client has reset before they were answered; `false` if they are too many.
    fn take_resets(&mut self, count: usize) -> bool {
        count == 0 || self.resets.as_mut().is_none_or(|budget| budget.take(count))
    }

    /// Runs a call in a task of its own, which the client may have reset already.
    fn begin<B>(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>, is_reset: bool)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if self.account.state().is_displaced() {
            // Says that the call has not begun, so that clients send it again (RFC 9113, section 8.7).
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let mut request = request.map(RequestBody::new);
        self.bodies.add(request.body());
        let extensions = request.extensions_mut();
        extensions.insert(self.peer.clone());
        extensions.insert(self.streams.clone());
        let account = self.account.open();
        extensions.insert(account.clone());
        // Admits the call before the next one is read: calls that wait for that in tasks of their own could take the
        // places of all callers. All layers and the router are always ready.
        let answer = self.service.call(request);
        if !account.count_refusal(&self.peer.callers) {
            // Only this call: the connection may be one of a proxy, with calls of other callers.
            respond.send_reset(Reason::ENHANCE_YOUR_CALM);
            return;
        }
        let call = call::serve(answer, respond, account.clone(), is_reset, self.stall.clone());
        tokio::spawn(account.run(call));
    }
}

/// Drives a displaced connection until its client has had time to read the GOAWAY, and its calls have finished or have
/// had their time.
async fn leave<F>(mut drive: F, state: &ConnectionState) -> Result<(), ConnectionEnd>
where
    F: Future<Output = Result<(), ConnectionEnd>> + Unpin,
{
    let begun = Instant::now();
    loop {
        match timeout(LEAVING, &mut drive).await {
            Ok(ended) => return ended,
            Err(_) if !state.has_calls() || begun.elapsed() >= LEAVING_WITH_CALLS => return Ok(()),
            Err(_) => {}
        }
    }
}

/// Completes when the server is to close a connection, and returns the reason.
async fn wait_for_close(max_age: Duration, mut closing: watch::Receiver<bool>) -> CloseReason {
    tokio::select! {
        () = sleep(max_age) => CloseReason::Age,
        _ = closing.wait_for(|closing| *closing) => CloseReason::Drain,
    }
}

/// Varies a duration at random by up to a tenth in either direction.
fn with_jitter(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + 0.2 * fastrand::f64())
}
