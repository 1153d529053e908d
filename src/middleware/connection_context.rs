//! What a call knows about its connection. The extensions of the call's request contain these values.
//!
//! Owns the address and certificate of the peer, and the connection's permits for streams of evaluations.
//!
//! Must not know how connections are served.

use crate::error::ApiError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The client at the other end of the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// IP address of the client.
    pub address: IpAddr,
    /// Name and expiry of the client's certificate, under mutual TLS.
    pub certificate: Option<(Arc<str>, SystemTime)>,
}

/// Maximum number of open streams of evaluations on one connection.
pub const MAX_STREAMS_OF_EVALUATIONS: usize = 8;

/// The permits of one connection for streams of evaluations. Clones share them.
#[derive(Clone, Debug)]
pub struct StreamLimit(Arc<Semaphore>);

impl Default for StreamLimit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS_OF_EVALUATIONS)))
    }
}

impl StreamLimit {
    /// Takes a permit, which is returned when it is dropped.
    pub(crate) fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let taken = self.0.clone().try_acquire_owned();
        taken.map_err(|_| ApiError::TooManyStreams { limit: MAX_STREAMS_OF_EVALUATIONS })
    }
}
