//! A bounded number of threads, and a bounded queue before them.
//!
//! Owns the order in which jobs get their turn. A thread is started when there is first work for it, and kept until
//! the end: a start may take as long as a short job. Must not know what a job is, who waits for it, or until when.

use crate::serving::WorkersError;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::analyses::threads";

/// What is done when its turn comes. It gives its place back before it tells anyone that it is done: who then asks
/// again finds the place free.
pub(super) type Job = Box<dyn FnOnce(Place) + Send>;

/// The threads and their queue.
#[derive(Debug)]
pub(super) struct Threads {
    /// The most jobs at a time.
    running: usize,
    /// The most that wait.
    waiting: usize,
    /// That nothing more begins.
    pub(super) ending: Arc<AtomicBool>,
    state: Mutex<State>,
    /// That there is something in the queue, or that the end has come.
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// In order of arrival.
    queue: VecDeque<(u64, Job)>,
    /// Jobs that hold a place.
    running: usize,
    /// Threads that run a job, or wait for one.
    threads: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The place of a job that runs, given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Threads>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().running -= 1;
    }
}

impl Threads {
    pub(super) fn new(running: usize, waiting: usize) -> Self {
        Self { running: running.max(1), waiting, ending: Arc::default(), state: Mutex::default(), news: Condvar::new() }
    }

    /// Puts a job into the queue. It needs a [`Threads::start`] afterwards.
    pub(super) fn admit(&self, number: u64, job: Job) -> Result<(), WorkersError> {
        let mut state = self.state();
        if self.ending.load(SeqCst) {
            return Err(WorkersError::Ending);
        }
        // Free threads take what is in the queue: what is beyond them waits.
        if state.running + state.queue.len() >= self.running + self.waiting {
            return Err(WorkersError::Busy);
        }
        state.queue.push_back((number, job));
        Ok(())
    }

    /// Has what is in the queue begun: by a thread that waits, or by one more, if there may be one more.
    pub(super) fn start(self: &Arc<Self>) {
        self.news.notify_one();
        let mut state = self.state();
        if state.threads >= self.running.min(state.running + state.queue.len()) {
            return;
        }
        state.threads += 1;
        drop(state);
        let threads = Arc::clone(self);
        if let Err(error) = Builder::new().name("analysis".to_owned()).spawn(move || threads.work()) {
            self.state().threads -= 1;
            // Those who wait have their deadlines, and the next question tries again.
            tracing::error!(target: LOG_TARGET, %error, "no thread for an analysis could be started");
        }
    }

    /// Takes a job out of the queue, if it is still there.
    pub(super) fn withdraw(&self, number: u64) -> Option<Job> {
        let mut state = self.state();
        let at = state.queue.iter().position(|(queued, _)| *queued == number)?;
        state.queue.remove(at).map(|(_, job)| job)
    }

    /// Nothing more is admitted. What is in the queue gets its turn at once, to find that it must not begin. Threads end
    /// once they have nothing to do.
    pub(super) fn end(self: &Arc<Self>) {
        self.ending.store(true, SeqCst);
        loop {
            // The lock is not held while the job has its turn.
            let next = self.next(&mut self.state());
            let Some((job, place)) = next else { break };
            job(place);
        }
        // The lock was taken since it is known: who did not know then waits by now.
        self.news.notify_all();
    }

    /// How many jobs run, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.queue.len())
    }

    fn work(self: Arc<Self>) {
        while let Some((job, place)) = self.wait() {
            // Jobs answer for their panics; what is left is a value that panics when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| job(place)));
        }
    }

    /// The next job, or `None` at the end.
    fn wait(self: &Arc<Self>) -> Option<(Job, Place)> {
        let mut state = self.state();
        loop {
            let next = self.next(&mut state);
            if next.is_some() {
                return next;
            }
            if self.ending.load(SeqCst) {
                state.threads -= 1;
                return None;
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next(self: &Arc<Self>, state: &mut State) -> Option<(Job, Place)> {
        let (_, job) = state.queue.pop_front()?;
        state.running += 1;
        Some((job, Place(Arc::clone(self))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
