//! The connection of a call, in the extensions of its request: the peer, and the connection's permits for streams of
//! evaluations.

use crate::error::ApiError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is at the other end, in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// What its certificate calls it, and until when, under mutual TLS.
    pub certificate: Option<(Arc<str>, SystemTime)>,
}

/// The most streams of evaluations that one connection may have open.
pub const MAX_STREAMS_OF_EVALUATIONS: usize = 8;

/// The places for streams of evaluations on one connection.
#[derive(Clone, Debug)]
pub struct StreamPlaces(Arc<Semaphore>);

impl Default for StreamPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS_OF_EVALUATIONS)))
    }
}

impl StreamPlaces {
    /// A place, until it is dropped.
    pub(crate) fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let taken = self.0.clone().try_acquire_owned();
        taken.map_err(|_| ApiError::TooManyStreams { limit: MAX_STREAMS_OF_EVALUATIONS })
    }
}
