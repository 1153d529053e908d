//! Questions in flight: who waits for each, and what they are told in the end.
//!
//! Owns that an equal question is found while its computation goes on, and no longer. Must not know who may ask.

use crate::serving::analyses::threads::{Job, Threads};
use crate::serving::analyses::waiters::{JobHandle, Stop, Waiter, Waiters};
use bytes::Bytes;
use dashmap::DashMap;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::watch;
use tracing::Span;

/// An analysis without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnalysisError {
    /// There was no thread for it before it would have been too late to begin. Known ahead of the deadline, by as
    /// much as is kept for sending an answer.
    #[error("there was no turn for the analysis in time")]
    NotBegun,
    /// The deadline of this waiter passed. The analysis may go on for others.
    #[error("the deadline passed before the analysis was done")]
    Late,
    /// The program ends, and the analysis had not begun.
    #[error("the program is about to end")]
    Ending,
}

/// What was asked and answered so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnalysisCounts {
    /// Jobs that run now, those included that were told to stop and have not noticed yet.
    pub running: usize,
    /// Jobs that wait for a thread now.
    pub waiting: usize,
    /// Questions that joined the computation of an equal one.
    pub shared: u64,
    /// Questions that were refused because as many as may were waiting.
    pub refused: u64,
    /// Computations that were given up because everyone who waited for them had left.
    pub abandoned: u64,
}

pub(super) struct Shared<T, P> {
    /// Those that go on; and, until their places are taken or they are done, those that were told to stop.
    pub(super) in_flight: DashMap<Bytes, Arc<InFlight<T, P>>>,
    pub(super) threads: Arc<Threads>,
    pub(super) longest: Duration,
    pub(super) asked: AtomicU64,
    pub(super) shared: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) abandoned: AtomicU64,
}

/// A question in flight.
pub(super) struct InFlight<T, P> {
    pub(super) key: Bytes,
    /// In the queue.
    pub(super) number: u64,
    pub(super) waiters: Waiters,
    pub(super) told: watch::Sender<Option<Told<T>>>,
    pub(super) progress: watch::Sender<Option<P>>,
    pub(super) panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// What those who wait are told in the end.
pub(super) enum Told<T> {
    Answer(Arc<T>),
    Failed(AnalysisError),
    Panicked,
}

impl<T: Send + Sync + 'static, P: Send + Sync + 'static> Shared<T, P> {
    /// What is done when its turn comes.
    pub(super) fn job(
        self: &Arc<Self>,
        asked: &Arc<InFlight<T, P>>,
        job: impl FnOnce(&JobHandle<'_, P>) -> T + Send + 'static,
    ) -> Job {
        let (inner, asked, span) = (Arc::clone(self), Arc::clone(asked), Span::current());
        Box::new(move |place| {
            let told = match asked.waiters.begin(Instant::now()) {
                Ok(()) => {
                    let going = JobHandle { waiters: &asked.waiters, progress: &asked.progress };
                    match catch_unwind(AssertUnwindSafe(|| span.in_scope(|| job(&going)))) {
                        Ok(answer) => Told::Answer(Arc::new(answer)),
                        Err(payload) => {
                            *asked.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
                            Told::Panicked
                        }
                    }
                }
                Err(Stop::Ending) => Told::Failed(AnalysisError::Ending),
                // Nobody hears of those that were abandoned.
                Err(Stop::Deadline | Stop::Abandoned) => Told::Failed(AnalysisError::NotBegun),
            };
            // Who has the answer and asks again finds neither this question nor its place taken.
            asked.waiters.close();
            inner.forget(&asked);
            drop(place);
            asked.told.send_replace(Some(told));
        })
    }
}

impl<T, P> Shared<T, P> {
    pub(super) fn leave(&self, asked: &Arc<InFlight<T, P>>, waiter: Waiter) {
        if asked.waiters.leave(waiter) {
            self.forget(asked);
            self.threads.withdraw(asked.number);
            self.abandoned.fetch_add(1, Relaxed);
        }
    }

    /// Takes it out of the map, unless its place there was taken.
    pub(super) fn forget(&self, asked: &Arc<InFlight<T, P>>) {
        self.in_flight.remove_if(&asked.key, |_, there| Arc::ptr_eq(there, asked));
    }

    pub(super) fn counts(&self) -> AnalysisCounts {
        let (running, waiting) = self.threads.counts();
        let [shared, refused, abandoned] = [&self.shared, &self.refused, &self.abandoned].map(|n| n.load(Relaxed));
        AnalysisCounts { running, waiting, shared, refused, abandoned }
    }
}

impl<T, P> Drop for Shared<T, P> {
    fn drop(&mut self) {
        // Nobody can ask any more.
        self.threads.end();
    }
}

impl<T, P> InFlight<T, P> {
    pub(super) fn new(inner: &Shared<T, P>, key: Bytes, now: Instant, stop: Instant) -> (Self, Waiter) {
        let (waiters, first) = Waiters::new(now, stop, Arc::clone(&inner.threads.ending));
        let (told, progress) = (watch::Sender::new(None), watch::Sender::new(None));
        let number = inner.asked.fetch_add(1, Relaxed);
        (Self { key, number, waiters, told, progress, panic: Mutex::default() }, first)
    }

    /// What the job panicked with, for the first who takes it; the others say whose panic it was.
    pub(super) fn panic(&self) -> Box<dyn Any + Send> {
        let payload = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        payload.unwrap_or_else(|| Box::new("the analysis that this call shared with another panicked"))
    }
}
