//! Runs work that takes longer than the evaluation of one proposal on threads that do not serve calls.
//!
//! One job at a time runs for every two processors, so that evaluations stay fast. A bounded number of jobs waits, of
//! which one caller may have half, and more are rejected at once. Callers take turns. Jobs take milliseconds, so they do
//! not give way to each other. When the caller of a job leaves, a waiting job is dropped, but a running job continues
//! until it ends by itself. Must not know what the jobs do.

use crate::locks;
use crate::serving::turns::{Admission, Started, TurnKey, TurnLimits, Turns};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;
use std::time::Instant;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Maximum number of jobs that wait for a running one to end. One caller may have half of them.
pub(super) const MAX_WAITING: usize = 64;

/// Why a job was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WorkersError {
    /// The maximum number of jobs is already waiting, of all callers or of this one.
    #[error("too many calls wait for a worker; retry later")]
    Busy,
    /// The program is shutting down.
    #[error("the program is shutting down")]
    Ending,
}

/// Runs jobs, and limits how many run and how many wait. Clones share the limits.
#[derive(Clone, Debug)]
pub struct Workers {
    /// The jobs. Each waiting one has the sender that tells its task to begin.
    turns: Arc<Mutex<Turns<oneshot::Sender<()>>>>,
}

/// The place of a job, whether it waits or runs. The next job begins when it is dropped.
struct Place {
    workers: Workers,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut turns = locks::lock(&self.workers.turns);
        turns.remove(self.number, Instant::now());
        begin_next(&mut turns);
    }
}

/// Tells the tasks whose turn it is to begin.
fn begin_next(turns: &mut Turns<oneshot::Sender<()>>) {
    while let Some(Started::Begun(_, begin)) = turns.start(Instant::now()) {
        // A task that has ended drops its place, which makes room for the next job.
        let _ = begin.send(());
    }
}

impl Default for Workers {
    /// Creates workers for one running job for every two processors, but at least one, and for 64 waiting jobs.
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1)), MAX_WAITING)
    }
}

impl Workers {
    /// Creates workers for `running` jobs at a time and `waiting` more, of which one caller may have half, rounded up.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self { turns: Arc::new(Mutex::new(Turns::new(TurnLimits { running, waiting, parked: 0 }))) }
    }

    /// Runs a job as soon as a thread is available and it is the turn of its caller, whom `key` identifies.
    ///
    /// # Errors
    /// If too many jobs are waiting, or the program is shutting down.
    pub async fn run<T: Send + 'static>(
        &self,
        key: TurnKey,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkersError> {
        self.run_admitted(key, Admission::Bounded, job).await
    }

    /// Runs a job as [`Workers::run`] does, but waits instead of failing if too many jobs are waiting.
    ///
    /// It is for calls that submit one job at a time, such as streams.
    ///
    /// # Errors
    /// If the program is shutting down.
    pub async fn run_in_turn<T: Send + 'static>(
        &self,
        key: TurnKey,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkersError> {
        self.run_admitted(key, Admission::InTurn, job).await
    }

    async fn run_admitted<T: Send + 'static>(
        &self,
        key: TurnKey,
        admission: Admission,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkersError> {
        let (begin, begins) = oneshot::channel();
        let place = {
            let mut turns = locks::lock(&self.turns);
            let number = turns.add(key, admission, begin, Instant::now()).map_err(|_| WorkersError::Busy)?;
            begin_next(&mut turns);
            Place { workers: self.clone(), number }
        };
        begins.await.map_err(|_| WorkersError::Ending)?;
        let span = tracing::Span::current();
        let job = spawn_blocking(move || {
            let done = span.in_scope(job);
            // The job keeps its place until it ends, although its caller may have left.
            drop(place);
            done
        });
        job.await.map_err(|error| match error.try_into_panic() {
            // Panic again in the task of the call, where a middleware layer turns panics into error responses.
            Ok(payload) => resume_unwind(payload),
            Err(_) => WorkersError::Ending,
        })
    }

    /// Returns the number of running and of waiting jobs.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let turns = locks::lock(&self.turns);
        (turns.running(), turns.waiting())
    }
}
