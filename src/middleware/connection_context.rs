//! What a call knows about its connection. The extensions of the call's request contain these values.
//!
//! Owns the address and certificate of the peer, the connection's permits for `Watch` calls, and the time at which its
//! streams of health and reflection end.
//!
//! Must not know how connections are served.

use crate::error::ApiError;
use crate::middleware::callers::CallerState;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The client at the other end of the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// IP address of the client, never an IPv4-mapped IPv6 address.
    pub address: IpAddr,
    /// The callers of this address.
    pub callers: Arc<CallerState>,
    /// Whether the client is a trusted proxy, so that the address is not that of the caller.
    pub is_proxy: bool,
    /// Name and expiry of the client's certificate, under mutual TLS.
    pub certificate: Option<(Arc<str>, SystemTime)>,
}

/// Maximum number of open `Watch` calls of the health service on one connection.
///
/// A client watches the server or one service. The second call serves a client that replaces its first one.
pub const MAX_WATCHES: usize = 2;

/// Time from the maximum age of a connection to the end of its streams of health and reflection.
///
/// At the maximum age, the client receives GOAWAY. A client that obeys it needs a round trip or two to open its streams
/// on another connection. Clients keep these streams open as long as the connection, so without an end, such a client
/// could keep a connection, and its place among the connections of the server, for ever.
pub const STREAM_GRACE: Duration = Duration::from_secs(5);

/// The limits of the streams of one connection. Clones share the permits.
#[derive(Clone, Debug)]
pub struct StreamLimit {
    watches: Arc<Semaphore>,
    /// When streams of health and reflection end; `None` if the connection has no maximum age.
    end: Option<Instant>,
}

impl Default for StreamLimit {
    /// Creates the limits of a connection without a maximum age.
    fn default() -> Self {
        Self { watches: Arc::new(Semaphore::new(MAX_WATCHES)), end: None }
    }
}

impl StreamLimit {
    /// Creates the limits of a connection that opens now and has this maximum age.
    pub(crate) fn with_max_age(max_age: Duration) -> Self {
        Self { end: Instant::now().checked_add(max_age.saturating_add(STREAM_GRACE)), ..Self::default() }
    }

    /// Takes a permit for a `Watch` call, which is returned when it is dropped.
    pub(crate) fn take_watch(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let error = ApiError::TooManyStreams { what: "`Watch` calls", limit: MAX_WATCHES };
        self.watches.clone().try_acquire_owned().map_err(|_| error)
    }

    /// Completes when the streams of health and reflection on this connection end.
    pub(crate) async fn ended(&self) {
        match self.end {
            Some(end) => sleep_until(end).await,
            None => pending().await,
        }
    }
}
