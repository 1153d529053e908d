//! Analyses, which take milliseconds to seconds of a processor: apart from the threads that serve, a bounded number at
//! a time, and equal questions that are asked at once computed once.
//!
//! Owns the questions in flight, how long each may take, and who is told what. The first who asks begins a
//! computation; whoever asks the same while it goes on joins it. It stops in time for the last of them, or when the last
//! one leaves. Nothing is kept: what is asked after it is done, or was told to stop, is computed anew. Must not know
//! what is computed, nor of the wire.
//!
//! The jobs have threads of their own rather than those of `spawn_blocking`: whoever asks, from whichever runtime, needs
//! no task of that runtime for a job to get its turn, and no runtime waits for a job when it shuts down.
//!
//! Locks are taken in this order, and none is held across an await: the map's part, then a question's waiters or the
//! queue.

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

/// The least that is kept of a caller's time for sending the answer.
const LEAST_RESERVE: Duration = Duration::from_millis(50);
/// What is kept of it for a caller with much time: a twentieth.
const RESERVED_SHARE: u32 = 20;
/// The most that may be set as the longest: clocks end somewhere.
const MAX_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The threads for analyses with answers `T`, and what is asked of them. A clone is the same ones.
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
///     .ask(Bytes::from_static(b"the whole question"), Some(deadline), |going| {
///         let mut sum = 0;
///         for part in 0..1_000 {
///             if going.stopped().is_some() {
///                 break; // The answer says that it was cut short.
///             }
///             sum += part;
///             going.report(part);
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
    /// So many jobs at a time (at least one), so many waiting, and how long anyone waits at the most, from asking to the
    /// answer (a day at the most).
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

    /// Joins the computation of an equal question, or begins one. `key` is the whole question in canonical form, since
    /// equal keys share one answer. `job` asks every few milliseconds whether it must stop, and then returns what it
    /// has, labelled as cut short.
    ///
    /// The job is told to stop ahead of the deadline of the last who waits, by 50 ms or by a twentieth of the time which
    /// that one gave, whichever is more, but never by more than half of that time. Time in the queue counts.
    ///
    /// # Errors
    /// If it can neither be joined nor begun.
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
        // Of little time at most a half is kept: most questions take a millisecond.
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
                // It does not go on: its place is taken.
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

    /// The program ends: nothing more is begun, what waits for a thread has failed, and running jobs are told to stop.
    /// What they have is still answered.
    pub fn end(&self) {
        self.inner.threads.end();
    }

    /// What was asked and answered so far. The numbers are each right, but not of one moment.
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
