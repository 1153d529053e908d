//! Work that takes longer than an evaluation, apart from the threads that serve.
//!
//! As many jobs run at a time as half of the processors, so that callers of evaluations don't notice; a bounded number
//! waits; more are refused at once. A caller who leaves takes its waiting job along; a job that has begun ends by its
//! own bounds.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

/// How many jobs may wait for one that runs.
pub(super) const MAX_WAITING: usize = 64;

/// A job that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WorkersError {
    /// As many as may are waiting.
    #[error("as many calls as may are waiting for work that takes longer")]
    Busy,
    /// The program ends.
    #[error("the program is about to end")]
    Ending,
}

/// Threads for longer work.
#[derive(Clone, Debug)]
pub struct Workers {
    running: Arc<Semaphore>,
    /// Running and waiting ones.
    pub(super) admitted: Arc<Semaphore>,
}

impl Default for Workers {
    /// One for every two processors, at least one.
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1)), MAX_WAITING)
    }
}

impl Workers {
    /// So many jobs at a time, and so many waiting.
    pub fn new(running: usize, waiting: usize) -> Self {
        let (running, admitted) = (Semaphore::new(running), Semaphore::new(running + waiting));
        Self { running: Arc::new(running), admitted: Arc::new(admitted) }
    }

    /// Does a job, once there is a thread for it.
    ///
    /// # Errors
    /// If it was not done.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkersError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| WorkersError::Busy)?;
        self.run_admitted(job, admitted).await
    }

    /// The same, but waits for a place: for callers that ask one job after the other.
    ///
    /// # Errors
    /// If the program ends.
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
            // Only now, though the caller may have left long ago.
            drop((running, admitted));
            done
        });
        job.await.map_err(|error| match error.try_into_panic() {
            // Whoever asked panics in its stead: there is one place where that becomes an answer.
            Ok(payload) => resume_unwind(payload),
            Err(_) => WorkersError::Ending,
        })
    }
}
