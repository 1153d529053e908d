//! The threads on which the jobs of analyses run: a bounded number of threads with a bounded queue.
//!
//! Owns the order in which jobs run. A thread starts when there is work for it and stays until the shutdown, because
//! starting a thread may take as long as a short job. Must not know what a job computes, or its waiters and deadlines.

use crate::locks;
use crate::serving::WorkersError;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::Builder;

/// The target of this module's log events. Log filters name it, so it must not change when the module moves.
const LOG_TARGET: &str = "detente::serving::analyses::threads";

/// The work of one analysis.
///
/// The job must drop its slot before it publishes its outcome, so that a waiter that then asks again finds a free slot.
pub(super) type Job = Box<dyn FnOnce(RunningSlot) + Send>;

/// The threads and their queue.
#[derive(Debug)]
pub(super) struct Threads {
    /// Maximum number of running jobs.
    running: usize,
    /// Maximum number of jobs in the queue.
    waiting: usize,
    /// Whether the shutdown has begun, after which no job begins.
    pub(super) ending: Arc<AtomicBool>,
    state: Mutex<State>,
    /// Signals that the queue has a job, or that the shutdown has begun.
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Waiting jobs in order of arrival, each with the number of its question.
    queue: VecDeque<(u64, Job)>,
    /// Jobs that hold a slot.
    running: usize,
    /// Threads that run a job or wait for one.
    threads: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The slot of a running job, released when dropped.
#[derive(Debug)]
pub(super) struct RunningSlot(Arc<Threads>);

impl Drop for RunningSlot {
    fn drop(&mut self) {
        self.0.state().running -= 1;
    }
}

impl Threads {
    pub(super) fn new(running: usize, waiting: usize) -> Self {
        Self { running: running.max(1), waiting, ending: Arc::default(), state: Mutex::default(), wake: Condvar::new() }
    }

    /// Adds a job to the queue. The calling function must call [`Threads::start`] afterwards.
    ///
    /// # Errors
    /// If the queue is full, or the shutdown has begun.
    pub(super) fn admit(&self, number: u64, job: Job) -> Result<(), WorkersError> {
        let mut state = self.state();
        if self.ending.load(SeqCst) {
            return Err(WorkersError::Ending);
        }
        // Free threads take jobs out of the queue at once, so only the jobs beyond the free threads count as waiting.
        if state.running + state.queue.len() >= self.running + self.waiting {
            return Err(WorkersError::Busy);
        }
        state.queue.push_back((number, job));
        Ok(())
    }

    /// Wakes a thread for the queue, and starts another thread if one is needed and allowed.
    pub(super) fn start(self: &Arc<Self>) {
        self.wake.notify_one();
        let mut state = self.state();
        if state.threads >= self.running.min(state.running + state.queue.len()) {
            return;
        }
        state.threads += 1;
        drop(state);
        let threads = Arc::clone(self);
        if let Err(error) = Builder::new().name("analysis".to_owned()).spawn(move || threads.work()) {
            self.state().threads -= 1;
            // Waiters still receive an error by their deadlines, and the next question tries to start a thread again.
            tracing::error!(target: LOG_TARGET, %error, "no thread for an analysis could be started");
        }
    }

    /// Removes a job from the queue, if it is still there.
    pub(super) fn withdraw(&self, number: u64) -> Option<Job> {
        let mut state = self.state();
        let at = state.queue.iter().position(|(queued, _)| *queued == number)?;
        state.queue.remove(at).map(|(_, job)| job)
    }

    /// Begins the shutdown: admits no more jobs, and ends threads that have nothing to do.
    ///
    /// Waiting jobs are run here so that each finds that it must not begin, and fails.
    pub(super) fn end(self: &Arc<Self>) {
        self.ending.store(true, SeqCst);
        loop {
            // The lock is released before the job runs.
            let next = self.next(&mut self.state());
            let Some((job, slot)) = next else { break };
            job(slot);
        }
        // The loop has taken the lock after `ending` was set, so a thread that read the old value waits by now, and
        // this signal wakes it.
        self.wake.notify_all();
    }

    /// Returns the number of running jobs and of waiting jobs.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.queue.len())
    }

    fn work(self: Arc<Self>) {
        while let Some((job, slot)) = self.wait() {
            // A job catches its own panics. A panic that gets here comes from a value that panics when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| job(slot)));
        }
    }

    /// Waits for the next job; `None` after the shutdown has begun.
    fn wait(self: &Arc<Self>) -> Option<(Job, RunningSlot)> {
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
            state = locks::ignore_poison(self.wake.wait(state));
        }
    }

    fn next(self: &Arc<Self>, state: &mut State) -> Option<(Job, RunningSlot)> {
        let (_, job) = state.queue.pop_front()?;
        state.running += 1;
        Some((job, RunningSlot(Arc::clone(self))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so the state is consistent even if the lock is poisoned.
        locks::lock(&self.state)
    }
}
