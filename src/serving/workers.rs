//! Runs work that takes longer than the evaluation of one proposal on threads that do not serve calls.
//!
//! One job at a time runs for every two processors, so that evaluations stay fast. A bounded number of jobs waits, and
//! more are rejected at once. When the caller of a job leaves, a waiting job is dropped, but a running job continues
//! until it ends by itself. Must not know what the jobs do.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

/// Maximum number of jobs that wait for a running one to end.
pub(super) const MAX_WAITING: usize = 64;

/// Why a job was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WorkersError {
    /// The maximum number of jobs is already waiting.
    #[error("too many calls wait for a worker; retry later")]
    Busy,
    /// The program is shutting down.
    #[error("the program is shutting down")]
    Ending,
}

/// Runs jobs, with permits that limit how many run and how many wait. Clones share the permits.
#[derive(Clone, Debug)]
pub struct Workers {
    running: Arc<Semaphore>,
    /// Permits for running and waiting jobs together.
    pub(super) admitted: Arc<Semaphore>,
}

impl Default for Workers {
    /// Creates workers for one running job for every two processors, but at least one, and for 64 waiting jobs.
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1)), MAX_WAITING)
    }
}

impl Workers {
    /// Creates workers for `running` jobs at a time and `waiting` more.
    pub fn new(running: usize, waiting: usize) -> Self {
        let (running, admitted) = (Semaphore::new(running), Semaphore::new(running + waiting));
        Self { running: Arc::new(running), admitted: Arc::new(admitted) }
    }

    /// Runs a job as soon as a thread is available.
    ///
    /// # Errors
    /// If too many jobs are waiting, or the program is shutting down.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkersError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| WorkersError::Busy)?;
        self.run_admitted(job, admitted).await
    }

    /// Runs a job as [`Workers::run`] does, but waits for a permit instead of failing.
    ///
    /// It is for calls that submit one job at a time, such as streams.
    ///
    /// # Errors
    /// If the program is shutting down.
    pub async fn run_in_turn<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkersError> {
        let admitted = self.admitted.clone().acquire_owned().await.map_err(|_| WorkersError::Ending)?;
        self.run_admitted(job, admitted).await
    }

    async fn run_admitted<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
        admitted: OwnedSemaphorePermit,
    ) -> Result<T, WorkersError> {
        let running = self.running.clone().acquire_owned().await.map_err(|_| WorkersError::Ending)?;
        let span = tracing::Span::current();
        let job = spawn_blocking(move || {
            let done = span.in_scope(job);
            // The job keeps its permits until it ends, although its caller may have left.
            drop((running, admitted));
            done
        });
        job.await.map_err(|error| match error.try_into_panic() {
            // Panic again in the task of the call, where a middleware layer turns panics into error responses.
            Ok(payload) => resume_unwind(payload),
            Err(_) => WorkersError::Ending,
        })
    }
}
