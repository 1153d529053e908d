//! Bounds the calls that the server works on at a time, over all connections.
//!
//! A call beyond the limit is rejected at once, with the time after which to retry. One caller may have three quarters
//! of the permits.
//!
//! A call holds a permit from the arrival of its complete request until its answer is ready, so slow senders and
//! readers hold none. An analysis of packages holds its permit until the packages are found; in a stream of
//! evaluations, each message holds a permit while it is answered. While no permit is available, calls are rejected as
//! soon as their headers arrive. Health and reflection need no permit. Must not know how a call is answered.

use crate::error::ApiError;
use crate::middleware::callers::CallerState;
use crate::middleware::gate::Gate;
use crate::middleware::room::add_within;
use crate::schema::methods::RED_LINE_SERVICE;
use http::Request;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Part of the permits that one caller leaves to others, as a divisor: 4 stands for a quarter.
///
/// Most calls hold a permit for microseconds, but those that wait for a thread, or for room, hold it meanwhile.
const PART_FOR_OTHERS: usize = 4;

/// The permits for calls. Clones share them.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    /// The permits that one caller may have.
    share: usize,
}

/// A permit, which is returned when it is dropped.
#[derive(Debug)]
pub struct CallPermit {
    _permit: OwnedSemaphorePermit,
    caller: Option<Arc<CallerState>>,
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if let Some(caller) = &self.caller {
            caller.permits.fetch_sub(1, Relaxed);
        }
    }
}

impl ConcurrencyLimit {
    /// Creates a limit of `calls` permits.
    pub fn new(calls: usize) -> Self {
        let permits = Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)));
        Self { permits, share: calls - calls / PART_FOR_OTHERS }
    }

    /// Takes a permit for a call of `caller`.
    ///
    /// # Errors
    /// If no permit is available, or the caller has three quarters of them.
    pub fn take(&self, caller: Option<Arc<CallerState>>) -> Result<CallPermit, ApiError> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)?;
        if let Some(caller) = &caller {
            add_within(&caller.permits, 1, self.share).ok_or(ApiError::Overloaded)?;
        }
        Ok(CallPermit { _permit: permit, caller })
    }

    /// Returns the number of available permits.
    pub fn available(&self) -> usize {
        self.permits.available_permits()
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
