//! What one who waits for an analysis holds.
//!
//! Owns that each is answered by their own deadline, whatever the job does. Must not know how jobs get their turn.

use crate::serving::analyses::in_flight::{AnalysisError, InFlight, Shared, Told};
use crate::serving::analyses::waiters::Waiter;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// One who waits for an analysis. Whoever drops it leaves: when the last one leaves the job is told to stop, and one
/// that has not begun never begins.
///
/// Waiting is for a tokio runtime with timers; both calls may be dropped at any await and made again.
#[must_use = "who drops it leaves"]
pub struct Ticket<T, P> {
    analyses: Arc<Shared<T, P>>,
    asked: Arc<InFlight<T, P>>,
    waiter: Waiter,
    deadline: Instant,
    told: watch::Receiver<Option<Told<T>>>,
    progress: watch::Receiver<Option<P>>,
}

impl<T, P> Ticket<T, P> {
    pub(super) fn new(
        analyses: Arc<Shared<T, P>>,
        asked: Arc<InFlight<T, P>>,
        waiter: Waiter,
        deadline: Instant,
    ) -> Self {
        let (told, mut progress) = (asked.told.subscribe(), asked.progress.subscribe());
        // Who joins late is told at once how far it has come.
        progress.mark_changed();
        Self { analyses, asked, waiter, deadline, told, progress }
    }

    /// The answer, once it is there: at the latest at this waiter's deadline, or after the longest that is waited. A
    /// job that panicked makes each of its waiters panic here in its stead.
    ///
    /// # Errors
    /// If there is none.
    pub async fn answer(&mut self) -> Result<Arc<T>, AnalysisError> {
        let answered = async {
            // The sender is in what this ticket holds: it does not go away.
            let told = self.told.wait_for(Option::is_some).await;
            match told.as_deref() {
                Ok(Some(Told::Answer(answer))) => Some(Ok(Arc::clone(answer))),
                Ok(Some(Told::Panicked)) => None,
                Ok(Some(Told::Failed(failed))) => Some(Err(*failed)),
                Ok(None) | Err(_) => Some(Err(AnalysisError::Ending)),
            }
        };
        let answer = tokio::select! {
            biased;
            answer = answered => answer,
            failed = out_of_time(&self.asked, self.waiter, self.deadline) => Some(Err(failed)),
        };
        // There is one place where a panic becomes an answer.
        answer.unwrap_or_else(|| resume_unwind(self.asked.panic()))
    }

    /// How far the job has come: at once if it has told since this was last asked, else when it tells. `None` when
    /// there is nothing to wait for but what [`Ticket::answer`] then gives.
    pub async fn progress(&mut self) -> Option<P>
    where
        P: Clone,
    {
        loop {
            tokio::select! {
                biased;
                _ = self.told.wait_for(Option::is_some) => return None,
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

/// Ends when this waiter's time is over.
async fn out_of_time<T, P>(asked: &InFlight<T, P>, waiter: Waiter, deadline: Instant) -> AnalysisError {
    sleep_until(waiter.stop.into()).await;
    if !asked.waiters.begun() {
        return AnalysisError::NotBegun;
    }
    sleep_until(deadline.into()).await;
    AnalysisError::Late
}

impl<T, P> Drop for Ticket<T, P> {
    fn drop(&mut self) {
        self.analyses.leave(&self.asked, self.waiter);
    }
}

impl<T, P> std::fmt::Debug for Ticket<T, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("waiter", &self.waiter).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
