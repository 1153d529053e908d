//! Questions in flight: the waiters of each question (the callers that ask it), and the outcome that they all receive.
//!
//! A job computes the answer to a question. Owns the rule that a caller with an equal question joins the same job, but
//! only while the job waits or runs. Must not know which callers may ask.

use crate::locks;
use crate::serving::analyses::threads::{Job, Threads};
use crate::serving::analyses::waiters::{JobHandle, Stop, Waiter, Waiters};
use dashmap::DashMap;
use std::any::Any;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::watch;
use tracing::Span;

/// Why an analysis has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnalysisError {
    /// No thread became free in time. The waiter receives this error before its deadline, when only the time that is
    /// reserved for sending an answer is left.
    #[error("no thread became free for the analysis in time")]
    NotBegun,
    /// The deadline of this waiter passed. The analysis may continue for other waiters.
    #[error("the deadline passed before the analysis was done")]
    Late,
    /// The program is shutting down, and the analysis had not begun.
    #[error("the program is about to end")]
    Ending,
}

/// Counts of the analyses that run or wait now, and of questions and abandoned jobs so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnalysisCounts {
    /// Jobs that run now, including jobs that must stop but have not noticed yet.
    pub running: usize,
    /// Jobs that have begun and wait for the next turn of their caller.
    pub parked: usize,
    /// Jobs that wait for a thread now.
    pub waiting: usize,
    /// Questions that joined the job of an equal question.
    pub shared: u64,
    /// Questions that were rejected because the queue, or their caller's share of it, was full.
    pub refused: u64,
    /// Jobs that were stopped because all their waiters had left.
    pub abandoned: u64,
}

/// The threads that all kinds of questions share, with the counters.
pub(super) struct Pool {
    pub(super) threads: Arc<Threads>,
    pub(super) longest: Duration,
    pub(super) shared: AtomicU64,
    pub(super) refused: AtomicU64,
    abandoned: AtomicU64,
}

/// The questions of one kind that are in flight.
pub(super) struct Shared<Q: Eq + Hash, T, P> {
    /// The questions. A question whose job must stop stays here until the job ends or an equal question replaces it.
    pub(super) in_flight: DashMap<Arc<Q>, Arc<InFlight<Q, T, P>>>,
    pub(super) pool: Arc<Pool>,
}

/// A question whose job waits or runs.
pub(super) struct InFlight<Q, T, P> {
    pub(super) question: Arc<Q>,
    /// The number of the job in the queue; set as soon as the job is admitted.
    pub(super) number: OnceLock<u64>,
    pub(super) waiters: Waiters,
    /// The outcome, once there is one.
    pub(super) outcome: watch::Sender<Option<JobOutcome<T>>>,
    /// The latest progress that the job reported.
    pub(super) progress: watch::Sender<Option<P>>,
    /// The payload of the job's panic, until a waiter takes it.
    pub(super) panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The outcome of a job, which all its waiters receive.
pub(super) enum JobOutcome<T> {
    Answer(Arc<T>),
    Failed(AnalysisError),
    Panicked,
}

impl<Q, T, P> Shared<Q, T, P>
where
    Q: Eq + Hash + Send + Sync + 'static,
    T: Send + Sync + 'static,
    P: Send + Sync + 'static,
{
    /// Returns the job that a thread runs when the question's turn comes.
    pub(super) fn job(
        self: &Arc<Self>,
        asked: &Arc<InFlight<Q, T, P>>,
        job: impl FnOnce(&JobHandle<'_, P>) -> T + Send + 'static,
    ) -> Job {
        let (inner, asked, span) = (Arc::clone(self), Arc::clone(asked), Span::current());
        Box::new(move |slot| {
            let outcome = match asked.waiters.begin(Instant::now()) {
                Ok(()) => {
                    let handle = JobHandle { waiters: &asked.waiters, slot: &slot, progress: &asked.progress };
                    match catch_unwind(AssertUnwindSafe(|| span.in_scope(|| job(&handle)))) {
                        Ok(answer) => JobOutcome::Answer(Arc::new(answer)),
                        Err(payload) => {
                            *locks::lock(&asked.panic) = Some(payload);
                            JobOutcome::Panicked
                        }
                    }
                }
                Err(Stop::Ending) => JobOutcome::Failed(AnalysisError::Ending),
                // An abandoned job has no waiters, so nobody receives its outcome.
                Err(Stop::Deadline | Stop::Abandoned | Stop::Displaced) => JobOutcome::Failed(AnalysisError::NotBegun),
            };
            // The order matters: a waiter that receives the outcome and asks again at once must neither join this
            // question nor be rejected because this job still has its slot.
            asked.waiters.close();
            inner.forget(&asked);
            drop(slot);
            asked.outcome.send_replace(Some(outcome));
        })
    }
}

impl<Q: Eq + Hash, T, P> Shared<Q, T, P> {
    /// Removes a waiter. If it was the last one, abandons the question and takes its job out of the queue.
    pub(super) fn leave(&self, asked: &Arc<InFlight<Q, T, P>>, waiter: Waiter) {
        if asked.waiters.leave(waiter) {
            self.forget(asked);
            if let Some(number) = asked.number.get() {
                self.pool.threads.withdraw(*number);
            }
            self.pool.abandoned.fetch_add(1, Relaxed);
        }
    }

    /// Removes a question from the map, unless an equal question has replaced it.
    pub(super) fn forget(&self, asked: &Arc<InFlight<Q, T, P>>) {
        self.in_flight.remove_if(&asked.question, |_, there| Arc::ptr_eq(there, asked));
    }
}

impl Pool {
    pub(super) fn new(threads: Threads, longest: Duration) -> Self {
        Self {
            threads: Arc::new(threads),
            longest,
            shared: AtomicU64::default(),
            refused: AtomicU64::default(),
            abandoned: AtomicU64::default(),
        }
    }

    pub(super) fn counts(&self) -> AnalysisCounts {
        let (running, parked, waiting) = self.threads.counts();
        let [shared, refused, abandoned] = [&self.shared, &self.refused, &self.abandoned].map(|n| n.load(Relaxed));
        AnalysisCounts { running, parked, waiting, shared, refused, abandoned }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Everything through which a question could be asked is gone, so the threads can end.
        self.threads.end();
    }
}

impl<Q, T, P> InFlight<Q, T, P> {
    pub(super) fn new(pool: &Pool, question: Arc<Q>, now: Instant, stop: Instant) -> (Self, Waiter) {
        let (waiters, first) = Waiters::new(now, stop, Arc::clone(&pool.threads.ending));
        let (outcome, progress) = (watch::Sender::new(None), watch::Sender::new(None));
        (Self { question, number: OnceLock::new(), waiters, outcome, progress, panic: Mutex::default() }, first)
    }

    /// Returns the payload of the job's panic to the first waiter, and a text that explains the panic to the others.
    pub(super) fn panic(&self) -> Box<dyn Any + Send> {
        let payload = locks::lock(&self.panic).take();
        payload.unwrap_or_else(|| Box::new("the analysis, which this call shared with another, panicked"))
    }
}
