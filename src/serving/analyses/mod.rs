//! Runs analyses, which take milliseconds to seconds of processor time, on a bounded number of threads of their own.
//!
//! A question is the content of a request for an analysis. The first caller that asks a question starts a job that
//! computes the answer, and callers with an equal question join that job while it waits or runs; all of them are its
//! waiters. The job stops early enough to answer the waiter with the latest deadline, or when the last waiter leaves.
//! Nothing is cached: a question that is asked after the job has finished, or must stop, is computed again.
//!
//! Callers take turns: a job that has used up the turn of its caller gives way to the job of another caller. A job uses
//! the turns of the waiter that has used least, as if each waiter had asked alone.
//!
//! Owns the questions in flight, how long each may take, and which outcome each waiter receives. Must not know what is
//! computed, or how answers are sent.
//!
//! Jobs do not run on the blocking threads of tokio (`spawn_blocking`), for two reasons: a queued job can begin even if
//! the task that queued it has ended, and a runtime that shuts down does not wait for a running job.
//!
//! Lock order: the shard of the map of questions, then a question's waiters or the queue. No lock is held across an
//! await.

mod in_flight;
mod threads;
mod ticket;
mod waiters;

pub use crate::serving::analyses::waiters::{JobHandle, Stop};
pub use in_flight::{AnalysisCounts, AnalysisError};
pub use threads::MAX_PARKED_ANALYSES;
pub use ticket::Ticket;

use crate::serving::{TurnKey, WorkersError};
use dashmap::{DashMap, Entry};
use in_flight::{InFlight, Pool, Shared};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use threads::Threads;

/// Minimum time that is reserved for sending the answer before a caller's deadline.
const LEAST_RESERVE: Duration = Duration::from_millis(50);
/// Share of a caller's time that is reserved if this is more than the minimum: 20 stands for a twentieth.
const RESERVED_SHARE: u32 = 20;
/// Upper limit of the maximum waiting time that can be set, so that adding it to an instant cannot overflow.
const MAX_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The threads for analyses, which all kinds of questions share. Clones share them, too.
///
/// ```
/// # use detente::serving::{Analyses, AnalysisThreads, TurnKey};
/// # use std::sync::Arc;
/// # use std::time::{Duration, Instant};
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let threads = AnalysisThreads::new(1, 8, Duration::from_secs(10));
/// let analyses: Analyses<&str, u64, u64> = threads.analyses();
/// let deadline = Instant::now() + Duration::from_secs(5);
/// let mut ticket = analyses
///     .ask(TurnKey::default(), Arc::new("the whole question"), Some(deadline), |handle| {
///         let mut sum = 0;
///         for part in 0..1_000 {
///             if handle.stopped().is_some() {
///                 break; // The sum so far is the answer.
///             }
///             sum += part;
///             handle.report(part);
///         }
///         sum
///     })
///     .unwrap();
/// while let Some(_part) = ticket.progress().await {}
/// assert_eq!(*ticket.answer().await.unwrap(), 499_500);
/// # });
/// ```
#[derive(Clone)]
pub struct AnalysisThreads {
    pool: Arc<Pool>,
}

impl AnalysisThreads {
    /// Creates threads for `running` jobs at a time (at least one), with a queue for `waiting` more.
    ///
    /// One caller may have half of the queue, rounded up.
    ///
    /// `longest` is the maximum time from a question to its answer; values above one day count as one day.
    pub fn new(running: usize, waiting: usize, longest: Duration) -> Self {
        Self { pool: Arc::new(Pool::new(Threads::new(running, waiting), longest.min(MAX_LONGEST))) }
    }

    /// Returns the analyses of one kind of question, with answers of type `T` and progress of type `P`.
    ///
    /// Equal questions share a computation only within the returned value and its clones.
    pub fn analyses<Q: Eq + Hash, T, P>(&self) -> Analyses<Q, T, P> {
        Analyses { inner: Arc::new(Shared { in_flight: DashMap::new(), pool: Arc::clone(&self.pool) }) }
    }

    /// Shuts down: no job begins any more, waiting jobs fail, and running jobs must stop.
    ///
    /// Waiters still receive the answers of running jobs.
    pub fn end(&self) {
        self.pool.threads.end();
    }

    /// Returns the counts of all kinds of questions. Each is exact, but they are not read at the same moment.
    pub fn counts(&self) -> AnalysisCounts {
        self.pool.counts()
    }
}

impl std::fmt::Debug for AnalysisThreads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AnalysisThreads").field(&self.counts()).finish()
    }
}

/// The analyses of one kind of question `Q`, with answers of type `T` and progress of type `P`.
///
/// Clones share the questions in flight.
pub struct Analyses<Q: Eq + Hash, T, P> {
    inner: Arc<Shared<Q, T, P>>,
}

impl<Q, T, P> Analyses<Q, T, P>
where
    Q: Eq + Hash + Send + Sync + 'static,
    T: Send + Sync + 'static,
    P: Send + Sync + 'static,
{
    /// Joins the job of an equal question in flight, or queues a job for this question. `key` identifies the caller.
    ///
    /// `question` must be the whole question in canonical form, because equal questions share one answer. `job` must
    /// check every few milliseconds whether it must stop, and then return its results so far, marked as incomplete.
    ///
    /// A waiter's time begins now and includes the time that the job spends in the queue. It ends at `deadline`, or
    /// after the maximum time that [`AnalysisThreads::new`] was given, whichever is earlier. The last part of the
    /// latest waiter's time is reserved for sending the answer, so the job must stop before it. This part is 50 ms or a
    /// twentieth of that waiter's time, whichever is longer, but at most half of the time.
    ///
    /// # Errors
    /// [`WorkersError::Busy`] if the queue or the caller's share of it is full, [`WorkersError::Ending`] if the program is shutting down.
    pub fn ask(
        &self,
        key: TurnKey,
        question: Arc<Q>,
        deadline: Option<Instant>,
        job: impl FnOnce(&JobHandle<'_, P>) -> T + Send + 'static,
    ) -> Result<Ticket<Q, T, P>, WorkersError> {
        let (inner, pool) = (&self.inner, &*self.inner.pool);
        let now = Instant::now();
        let given = deadline.map_or(pool.longest, |deadline| deadline.saturating_duration_since(now));
        let given = given.min(pool.longest);
        // At most half of the time is reserved for sending the answer. Most questions take only a millisecond, so the
        // other half of a short time is usually enough for the job.
        let reserve = LEAST_RESERVE.max(given / RESERVED_SHARE).min(given / 2);
        let (stop, deadline) = (now + given.saturating_sub(reserve), now + given);
        let begin = || {
            let (asked, first) = InFlight::new(pool, Arc::clone(&question), now, stop);
            let asked = Arc::new(asked);
            let number = pool.threads.admit(key, inner.job(&asked, job))?;
            let _ = asked.number.set(number);
            Ok((asked, first))
        };
        let begun = match inner.in_flight.entry(Arc::clone(&question)) {
            Entry::Occupied(mut entry) => match entry.get().waiters.join(stop) {
                Some(waiter) => {
                    pool.shared.fetch_add(1, Relaxed);
                    if let Some(number) = entry.get().number.get() {
                        pool.threads.share(*number, key);
                    }
                    return Ok(Ticket::new(Arc::clone(inner), Arc::clone(entry.get()), waiter, deadline));
                }
                // The job has finished or must stop, so the new question replaces the old one in the map.
                None => begin().inspect(|(asked, _)| drop(entry.insert(Arc::clone(asked)))),
            },
            Entry::Vacant(entry) => begin().inspect(|(asked, _)| drop(entry.insert(Arc::clone(asked)))),
        };
        if begun.as_ref().is_err_and(|refused| *refused == WorkersError::Busy) {
            pool.refused.fetch_add(1, Relaxed);
        }
        let (asked, first) = begun?;
        pool.threads.start();
        Ok(Ticket::new(Arc::clone(inner), asked, first, deadline))
    }
}

impl<Q: Eq + Hash, T, P> Clone for Analyses<Q, T, P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<Q: Eq + Hash, T, P> std::fmt::Debug for Analyses<Q, T, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Analyses").field(&self.inner.pool.counts()).finish()
    }
}

#[cfg(test)]
mod tests;
