//! As many calls are worked on at a time as the server can bear, over all connections; one more is turned away at once,
//! with the time after which to come back.
//!
//! A call counts from when its request is there whole until its answer is: who sends slowly, or doesn't read, takes nobody's
//! place. Packages count until they are found, and of a stream of evaluations each message while it is
//! answered. Where no place is free, calls are turned away by their headers. Health and reflection don't count.

use crate::error::ApiError;
use crate::middleware::gate::Gate;
use crate::schema::proto::red_line_service_server;
use http::Request;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// The places for calls.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit(Arc<Semaphore>);

impl ConcurrencyLimit {
    /// So many.
    pub fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))))
    }

    /// A place until it is dropped.
    ///
    /// # Errors
    /// If all are taken.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }
}

impl Gate for ConcurrencyLimit {
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Box<Status>> {
        match counts(request.uri().path()) && self.free() == 0 {
            true => Err(Box::new(ApiError::Overloaded.into())),
            false => Ok(()),
        }
    }
}

fn counts(path: &str) -> bool {
    !path.starts_with("/grpc.") && !is_stream_of_evaluations(path)
}

/// Whether a call may stay open as long as its client likes.
pub fn is_stream_of_evaluations(path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(red_line_service_server::SERVICE_NAME));
    method == Some("/StreamEvaluateProposals")
}

#[cfg(test)]
mod tests {
    use crate::middleware::admission::counts;

    #[test]
    fn calls_count_but_streams_health_and_reflection() {
        assert!(counts("/detente.v1.RedLineService/EvaluateProposal"));
        assert!(counts("/detente.v1.AnalysisService/FindPackages"));
        assert!(counts("/what.ever/Method"));
        assert!(!counts("/detente.v1.RedLineService/StreamEvaluateProposals"));
        assert!(!counts("/grpc.health.v1.Health/Check"));
        assert!(!counts("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }
}
