//! Tickets, with which callers wait for the answer of an analysis.
//!
//! Several callers can wait for the same job. Owns the guarantee that each of these waiters gets a result by its own
//! deadline, whatever the job does. Must not know how jobs are queued.

use crate::serving::analyses::in_flight::{AnalysisError, InFlight, JobOutcome, Shared};
use crate::serving::analyses::waiters::Waiter;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// Waits for the answer of an analysis, on behalf of one caller.
///
/// Dropping the ticket removes the caller from the waiters of the analysis. When the last waiter is removed, a running
/// job must stop, and a waiting job never begins. Both async methods need a tokio runtime with timers, and both are
/// cancel safe.
#[must_use = "dropping the ticket gives up the analysis"]
pub struct Ticket<Q: Eq + Hash, T, P> {
    analyses: Arc<Shared<Q, T, P>>,
    asked: Arc<InFlight<Q, T, P>>,
    waiter: Waiter,
    deadline: Instant,
    outcome: watch::Receiver<Option<JobOutcome<T>>>,
    progress: watch::Receiver<Option<P>>,
}

impl<Q: Eq + Hash, T, P> Ticket<Q, T, P> {
    pub(super) fn new(
        analyses: Arc<Shared<Q, T, P>>,
        asked: Arc<InFlight<Q, T, P>>,
        waiter: Waiter,
        deadline: Instant,
    ) -> Self {
        let (outcome, mut progress) = (asked.outcome.subscribe(), asked.progress.subscribe());
        // A waiter that joins a running job sees the job's latest progress at once.
        progress.mark_changed();
        Self { analyses, asked, waiter, deadline, outcome, progress }
    }

    /// Waits for the answer, but not beyond this waiter's deadline or the maximum waiting time.
    ///
    /// # Errors
    /// If the analysis did not begin, the deadline passed, or the program is shutting down.
    ///
    /// # Panics
    /// If the job panicked: each of its waiters then panics here.
    pub async fn answer(&mut self) -> Result<Arc<T>, AnalysisError> {
        let answered = async {
            // The ticket holds the question and thereby the sender, so the channel cannot be closed.
            let outcome = self.outcome.wait_for(Option::is_some).await;
            match outcome.as_deref() {
                Ok(Some(JobOutcome::Answer(answer))) => Some(Ok(Arc::clone(answer))),
                Ok(Some(JobOutcome::Panicked)) => None,
                Ok(Some(JobOutcome::Failed(failed))) => Some(Err(*failed)),
                Ok(None) | Err(_) => Some(Err(AnalysisError::Ending)),
            }
        };
        let answer = tokio::select! {
            biased;
            answer = answered => answer,
            failed = out_of_time(&self.asked, self.waiter, self.deadline) => Some(Err(failed)),
        };
        // Panic again in the task of the call, where a middleware layer turns panics into error responses.
        answer.unwrap_or_else(|| resume_unwind(self.asked.panic()))
    }

    /// Returns the job's latest progress, or waits for the next report if this waiter has seen the latest.
    ///
    /// `None` if the result of [`Ticket::answer`] is ready.
    pub async fn progress(&mut self) -> Option<P>
    where
        P: Clone,
    {
        loop {
            tokio::select! {
                biased;
                _ = self.outcome.wait_for(Option::is_some) => return None,
                changed = self.progress.changed() => changed.ok()?,
                _ = out_of_time(&self.asked, self.waiter, self.deadline) => return None,
            }
            let progress = self.progress.borrow_and_update().clone();
            if progress.is_some() {
                return progress;
            }
        }
    }
}

/// Waits until this waiter can no longer get an answer, and returns why.
///
/// This happens at the waiter's `stop` if the job has not begun by then, and otherwise at the deadline.
async fn out_of_time<Q, T, P>(asked: &InFlight<Q, T, P>, waiter: Waiter, deadline: Instant) -> AnalysisError {
    sleep_until(waiter.stop.into()).await;
    if !asked.waiters.begun() {
        return AnalysisError::NotBegun;
    }
    sleep_until(deadline.into()).await;
    AnalysisError::Late
}

impl<Q: Eq + Hash, T, P> Drop for Ticket<Q, T, P> {
    fn drop(&mut self) {
        self.analyses.leave(&self.asked, self.waiter);
    }
}

impl<Q: Eq + Hash, T, P> std::fmt::Debug for Ticket<Q, T, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("waiter", &self.waiter).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
