//! Runs analyses, which take milliseconds to seconds of processor time, on a bounded number of threads of their own.
//!
//! Owns the questions in flight, how long each may take, and which outcome each waiter receives. The first caller of a
//! question starts a computation, and callers with an equal question join it while it runs. The computation stops early
//! enough to answer the waiter with the latest deadline, or when the last waiter leaves. Nothing is cached: a question
//! that is asked after the computation has finished, or must stop, is computed again. Must not know what is computed,
//! or how answers are sent.
//!
//! Jobs do not use the threads of `spawn_blocking`, for two reasons: a job gets its turn without a task of the runtime
//! from which the question was asked, and no runtime waits for a job when it shuts down.
//!
//! Lock order: the map's shard, then a question's waiters or the queue. No lock is held across an await.

mod in_flight;
mod threads;
mod ticket;
mod waiters;

pub use crate::serving::analyses::waiters::{JobHandle, Stop};
pub use in_flight::{AnalysisCounts, AnalysisError};
pub use ticket::Ticket;

use crate::serving::WorkersError;
use bytes::Bytes;
use dashmap::{DashMap, Entry};
use in_flight::{InFlight, Shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use threads::Threads;

/// Minimum time that is reserved for sending the answer before a caller's deadline.
const LEAST_RESERVE: Duration = Duration::from_millis(50);
/// The reserve of a caller with more time, as a divisor: 20 stands for a twentieth of the time.
const RESERVED_SHARE: u32 = 20;
/// Maximum waiting time that can be set. It keeps additions to an instant from overflowing.
const MAX_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The threads for analyses with answers of type `T` and progress of type `P`. Clones share them.
///
/// ```
/// # use bytes::Bytes;
/// # use detente::serving::Analyses;
/// # use std::time::{Duration, Instant};
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let analyses: Analyses<u64, u64> = Analyses::new(1, 8, Duration::from_secs(10));
/// let deadline = Instant::now() + Duration::from_secs(5);
/// let mut ticket = analyses
///     .ask(Bytes::from_static(b"the whole question"), Some(deadline), |handle| {
///         let mut sum = 0;
///         for part in 0..1_000 {
///             if handle.stopped().is_some() {
///                 break; // The answer says that it was cut short.
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
pub struct Analyses<T, P> {
    inner: Arc<Shared<T, P>>,
}

impl<T: Send + Sync + 'static, P: Send + Sync + 'static> Analyses<T, P> {
    /// Creates threads for `running` jobs at a time (at least one), with a queue for `waiting` more.
    ///
    /// `longest` is the maximum time from a question to its answer; values above one day count as one day.
    pub fn new(running: usize, waiting: usize, longest: Duration) -> Self {
        let inner = Shared {
            in_flight: DashMap::new(),
            threads: Arc::new(Threads::new(running, waiting)),
            longest: longest.min(MAX_LONGEST),
            asked: AtomicU64::default(),
            shared: AtomicU64::default(),
            refused: AtomicU64::default(),
            abandoned: AtomicU64::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Joins the running computation of an equal question, or starts one.
    ///
    /// `key` must be the whole question in canonical form, because questions with equal keys share one answer. `job`
    /// must check every few milliseconds whether it must stop, and must then return what it has, marked as cut short.
    ///
    /// The job must stop before the latest deadline of its waiters, by 50 ms or by a twentieth of that waiter's time,
    /// whichever is longer, but at most by half of that time. Time in the queue counts.
    ///
    /// # Errors
    /// [`WorkersError::Busy`] if the queue is full, [`WorkersError::Ending`] if the program is shutting down.
    pub fn ask(
        &self,
        key: Bytes,
        deadline: Option<Instant>,
        job: impl FnOnce(&JobHandle<'_, P>) -> T + Send + 'static,
    ) -> Result<Ticket<T, P>, WorkersError> {
        let inner = &self.inner;
        let now = Instant::now();
        let given = deadline.map_or(inner.longest, |deadline| deadline.saturating_duration_since(now));
        let given = given.min(inner.longest);
        // At most half of a short time is reserved, because most questions take only a millisecond.
        let reserve = LEAST_RESERVE.max(given / RESERVED_SHARE).min(given / 2);
        let (stop, deadline) = (now + given.saturating_sub(reserve), now + given);
        let begin = || {
            let (asked, first) = InFlight::new(inner, key.clone(), now, stop);
            let asked = Arc::new(asked);
            inner.threads.admit(asked.number, inner.job(&asked, job)).map(|()| (asked, first))
        };
        let begun = match inner.in_flight.entry(key.clone()) {
            Entry::Occupied(mut entry) => match entry.get().waiters.join(stop) {
                Some(waiter) => {
                    inner.shared.fetch_add(1, Relaxed);
                    return Ok(Ticket::new(Arc::clone(inner), Arc::clone(entry.get()), waiter, deadline));
                }
                // The computation has finished or must stop: the new question replaces it in the map.
                None => begin().inspect(|(asked, _)| drop(entry.insert(Arc::clone(asked)))),
            },
            Entry::Vacant(entry) => begin().inspect(|(asked, _)| drop(entry.insert(Arc::clone(asked)))),
        };
        if begun.as_ref().is_err_and(|refused| *refused == WorkersError::Busy) {
            inner.refused.fetch_add(1, Relaxed);
        }
        let (asked, first) = begun?;
        inner.threads.start();
        Ok(Ticket::new(Arc::clone(inner), asked, first, deadline))
    }

    /// Shuts down: no job begins any more, waiting jobs fail, and running jobs must stop.
    ///
    /// Waiters still receive the answers of running jobs.
    pub fn end(&self) {
        self.inner.threads.end();
    }

    /// Returns the counts. Each is right, but they are not read at the same moment.
    pub fn counts(&self) -> AnalysisCounts {
        self.inner.counts()
    }
}

impl<T, P> Clone for Analyses<T, P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T, P> std::fmt::Debug for Analyses<T, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Analyses").field(&self.inner.counts()).finish()
    }
}

#[cfg(test)]
mod tests;
