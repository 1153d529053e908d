//! Bounds the calls that the server works on at a time, over all connections.
//!
//! A call beyond the limit is rejected at once, with the time after which to retry.
//!
//! A call holds a permit from the arrival of its complete request until its answer is ready, so slow senders and
//! readers hold none. An analysis of packages holds its permit until the packages are found; in a stream of
//! evaluations, each message holds a permit while it is answered. While no permit is available, calls are rejected as
//! soon as their headers arrive. Health and reflection need no permit. Must not know how a call is answered.

use crate::error::ApiError;
use crate::middleware::gate::Gate;
use crate::schema::methods::RED_LINE_SERVICE;
use http::Request;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits for calls. Clones share them.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit(Arc<Semaphore>);

impl ConcurrencyLimit {
    /// Creates a limit of `calls` permits.
    pub fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes a permit, which is returned when it is dropped.
    ///
    /// # Errors
    /// If no permit is available.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// Returns the number of available permits.
    pub fn available(&self) -> usize {
        self.0.available_permits()
    }
}

impl Gate for ConcurrencyLimit {
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), ApiError> {
        match needs_permit(request.uri().path()) && self.available() == 0 {
            true => Err(ApiError::Overloaded),
            false => Ok(()),
        }
    }
}

fn needs_permit(path: &str) -> bool {
    !path.starts_with("/grpc.") && !is_stream_of_evaluations(path)
}

/// Whether a path is that of a stream of evaluations, which may stay open as long as its client likes.
pub fn is_stream_of_evaluations(path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(RED_LINE_SERVICE));
    method == Some("/StreamEvaluateProposals")
}

#[cfg(test)]
mod tests {
    use crate::middleware::admission::needs_permit;

    #[test]
    fn calls_need_permits_except_streams_health_and_reflection() {
        assert!(needs_permit("/detente.v1.RedLineService/EvaluateProposal"));
        assert!(needs_permit("/detente.v1.AnalysisService/FindPackages"));
        assert!(needs_permit("/what.ever/Method"));
        assert!(!needs_permit("/detente.v1.RedLineService/StreamEvaluateProposals"));
        assert!(!needs_permit("/grpc.health.v1.Health/Check"));
        assert!(!needs_permit("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }
}
