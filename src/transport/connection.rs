//! One connection: the preface, HTTP/2 with its limits, the maximum age, and the close.
//!
//! Owns everything between the accepted socket and the requests on it. Must not know about RPC methods or messages.
//!
//! tonic's own transport is not used, for four reasons: its accept loop spins when file descriptors run out;
//! connections that never send anything stay open for ever and outlast every shutdown; all connections reach their
//! maximum age at the same time; and its handling of `grpc-timeout` (see [`crate::middleware::deadline`]) cannot be
//! turned off. hyper's server, which tonic uses too, gives no handle to a call, with which the call could be reset or
//! the memory of its answer be followed until it is sent. So this module serves calls with h2 itself, as hyper does.

use crate::middleware::account::ConnectionAccount;
use crate::middleware::connection_context::Peer;
use crate::transport::client_certificate::ClientCertificate;
use crate::transport::config::ConnectionConfig;
use crate::transport::http2::{CloseReason, serve_calls};
use crate::transport::preface::{NOT_HTTP1, PrefixedStream, Protocol, detect_protocol};
use crate::transport::request_body::RequestBody;
use crate::transport::tls::Tls;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use rustls::InvalidMessage;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::connection";

/// Why a connection closed before it could carry calls.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("the HTTP/2 preface did not arrive in time")]
    Silent(#[from] Elapsed),
    #[error("connection closed before the HTTP/2 preface arrived")]
    Lost(io::Error),
    #[error("TLS handshake failed")]
    Tls(io::Error),
    #[error("the client speaks plaintext, or another protocol than TLS, to a port that requires TLS")]
    NotTls(io::Error),
    #[error("the client speaks TLS to a plaintext port")]
    NotPlaintext,
    #[error("the client speaks neither HTTP/2 nor HTTP/1")]
    Other,
    #[error("the client speaks HTTP/1, and this server requires HTTP/2")]
    Http1,
    #[error("another connection needed the place of this one before it began HTTP/2")]
    Displaced,
}

impl ConnectionError {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            ConnectionError::Silent(_) => "silent",
            ConnectionError::Lost(_) => "lost",
            ConnectionError::Tls(_) | ConnectionError::NotTls(_) => "tls",
            ConnectionError::Displaced => "displaced",
            ConnectionError::NotPlaintext | ConnectionError::Other | ConnectionError::Http1 => "not_http2",
        }
    }

    /// Whether the client and this server are configured differently: one with TLS, and the other without.
    pub(crate) fn is_tls_mismatch(&self) -> bool {
        matches!(self, ConnectionError::NotTls(_) | ConnectionError::NotPlaintext)
    }
}

/// Serves one connection until it closes, and returns the reason.
///
/// When `closing` becomes true, or the connection is displaced, the client receives GOAWAY and open calls finish; a
/// connection whose preface has not arrived is closed at once.
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
    account: ConnectionAccount,
    mut config: ConnectionConfig,
    service: S,
) -> impl Future<Output = Result<CloseReason, ConnectionError>> + Send
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
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
            () = account.state().progress.wait_for_end() => return Err(ConnectionError::Displaced),
        };
        account.state().speak();
        let identity = certificate.as_ref().map(|certificate| (certificate.name.clone(), certificate.until));
        let (callers, is_proxy) = (config.callers.of_address(address), config.callers.is_proxy(address));
        let peer = Peer { address, callers, is_proxy, certificate: identity };
        let calls = match opened {
            OpenStream::Plain(stream) => serve_calls(stream, peer, certificate, account, config, service),
            OpenStream::Tls(stream) => serve_calls(stream, peer, certificate, account, config, service),
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
    let accepted = TlsAcceptor::from(current.config.clone()).accept(stream).await.map_err(handshake_error)?;
    let certificates = accepted.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate =
        current.clients.clone().and_then(|clients| ClientCertificate::new(certificates, clients, tls.watch()));
    Ok((OpenStream::Tls(Box::new(expect_http2(accepted).await?)), certificate))
}

/// Tells a client that does not speak TLS, whose first record has no type of TLS, from a handshake that failed.
fn handshake_error(error: io::Error) -> ConnectionError {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => ConnectionError::NotTls(error),
        _ => ConnectionError::Tls(error),
    }
}

async fn expect_http2<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) -> Result<PrefixedStream<T>, ConnectionError> {
    match detect_protocol(&mut stream).await.map_err(ConnectionError::Lost)? {
        (Protocol::Http2, prefix) => Ok(PrefixedStream::new(prefix, stream)),
        (Protocol::Http1, _) => {
            let _ = stream.write_all(NOT_HTTP1).await;
            let _ = stream.shutdown().await;
            Err(ConnectionError::Http1)
        }
        (Protocol::Tls, _) => Err(ConnectionError::NotPlaintext),
        (Protocol::Other, _) => Err(ConnectionError::Other),
    }
}
