//! What all connections of a listener have in common: their limits, and what they share.
//!
//! Must not know how a connection is served.

use crate::middleware::callers::Callers;
use crate::transport::call::StallLimit;
use crate::transport::tls::Tls;
use h2::server::Builder;
use std::time::Duration;
use tokio::sync::watch;

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
    /// however long they take, except streams of health and reflection
    /// ([`STREAM_GRACE`](crate::middleware::connection_context::STREAM_GRACE)).
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

/// Configuration shared by all connections of a listener.
#[derive(Clone)]
pub(crate) struct ConnectionConfig {
    pub(crate) http2: Builder,
    pub(crate) stall: StallLimit,
    pub(crate) limits: ConnectionLimits,
    pub(crate) callers: Callers,
    pub(crate) tls: Option<Tls>,
    /// Becomes true when connections must close because the server is draining (shutting down).
    pub(crate) closing: watch::Receiver<bool>,
}
