//! The threads on which the jobs of analyses run: a bounded number of running jobs with a bounded queue.
//!
//! [`Turns`] decides which job has a slot. A job that has begun keeps its thread until it ends. If it gives way, it is
//! parked: it waits on its thread for its next turn, and another thread runs the job that gets the slot.
//!
//! Owns the threads. A thread starts when there is work for it and stays until the shutdown, because starting a thread
//! may take as long as a short job. Must not know what a job computes, or its waiters and deadlines.

use crate::locks;
use crate::serving::WorkersError;
use crate::serving::turns::{Admission, Started, TurnKey, TurnLimits, Turns};
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// The target of this module's log events. Log filters name it, so it must not change when the module moves.
const LOG_TARGET: &str = "detente::serving::analyses::threads";

/// Maximum number of parked jobs.
///
/// A caller has more than one parked job only if several of its jobs ran at a time. With one slot, two callers with long
/// jobs take turns, and for a third one a job ends early. Each parked job keeps the memory of its search.
pub const MAX_PARKED_ANALYSES: usize = 1;
/// Time between two checks of a running job whether it must give way.
const BETWEEN_CHECKS: Duration = Duration::from_millis(1);
/// Time between two checks of a parked job whether it must stop, because its deadline has passed or its callers have
/// left.
const WHILE_PARKED: Duration = Duration::from_millis(20);

/// The work of one analysis.
///
/// The job must drop its slot before it publishes its outcome, so that a waiter that then asks again finds a free slot.
pub(super) type Job = Box<dyn FnOnce(RunningSlot) + Send>;

/// The threads and their queue.
#[derive(Debug)]
pub(super) struct Threads {
    /// Whether the shutdown has begun, after which no job begins.
    pub(super) ending: Arc<AtomicBool>,
    /// Whether any job waits or is parked, so that running jobs may have to give way.
    has_waiting: AtomicBool,
    state: Mutex<State>,
    /// Signals that a job is ready for a thread, or that the shutdown has begun.
    wake: Condvar,
    /// Signals that a parked job goes on, or that the shutdown has begun.
    resumed: Condvar,
}

struct State {
    turns: Turns<Job>,
    /// Jobs that have a slot and that no thread has taken yet.
    ready: VecDeque<(u64, Job)>,
    /// Threads that run a job, hold a parked one, or wait for one.
    threads: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("running", &self.turns.running()).finish_non_exhaustive()
    }
}

/// The slot of a job that has begun, released when dropped.
#[derive(Debug)]
pub(super) struct RunningSlot {
    threads: Arc<Threads>,
    number: u64,
    /// When the job last checked whether it must give way.
    checked: Cell<Option<Instant>>,
}

/// Whether a job may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The job has its slot, perhaps again after it was parked.
    Held,
    /// The job must end, so that a job of another caller can begin.
    Displaced,
}

impl RunningSlot {
    /// Gives way to another caller if it is that caller's turn, and then waits for the next turn of this job's caller.
    ///
    /// The wait ends when `must_stop` returns true. The job then no longer has a slot, and must end at once. Most calls
    /// return after one atomic load.
    pub(super) fn give_way(&self, now: Instant, must_stop: impl Fn() -> bool) -> Turn {
        if !self.threads.has_waiting.load(Relaxed) {
            return Turn::Held;
        }
        if self.checked.get().is_some_and(|checked| now.saturating_duration_since(checked) < BETWEEN_CHECKS) {
            return Turn::Held;
        }
        self.checked.set(Some(now));
        self.threads.give_way(self.number, must_stop)
    }
}

impl Drop for RunningSlot {
    fn drop(&mut self) {
        let mut state = self.threads.state();
        state.turns.remove(self.number, Instant::now());
        // The thread of this job is about to be free, so the next job needs no other thread.
        self.threads.assign_slots(&mut state);
    }
}

impl Threads {
    /// Creates threads for `running` jobs at a time (at least one), with a queue for `waiting` more.
    pub(super) fn new(running: usize, waiting: usize) -> Self {
        let limits = TurnLimits { running: running.max(1), waiting, parked: MAX_PARKED_ANALYSES };
        let state = State { turns: Turns::new(limits), ready: VecDeque::new(), threads: 0 };
        Self {
            ending: Arc::default(),
            has_waiting: AtomicBool::default(),
            state: Mutex::new(state),
            wake: Condvar::new(),
            resumed: Condvar::new(),
        }
    }

    /// Adds a job of a caller to the queue, and returns its number. The calling function must call [`Threads::start`]
    /// afterwards.
    ///
    /// # Errors
    /// If the queue or the caller's share of it is full, or the shutdown has begun.
    pub(super) fn admit(&self, key: TurnKey, job: Job) -> Result<u64, WorkersError> {
        let mut state = self.state();
        if self.ending.load(SeqCst) {
            return Err(WorkersError::Ending);
        }
        let added = state.turns.add(key, Admission::Bounded, job, Instant::now()).map_err(|_| WorkersError::Busy);
        self.update(&state);
        added
    }

    /// Gives free slots to waiting jobs, and starts threads if there are fewer than jobs that have begun.
    pub(super) fn start(self: &Arc<Self>) {
        self.assign_slots(&mut self.state());
        while self.needs_thread(0) && self.start_thread() {}
    }

    /// Makes a job use the turns of this caller, too, who waits for its result.
    pub(super) fn share(&self, number: u64, key: TurnKey) {
        self.state().turns.share(number, key, Instant::now());
    }

    /// Removes a job from the queue, if it is still there.
    pub(super) fn withdraw(&self, number: u64) -> Option<Job> {
        let mut state = self.state();
        let job = state.turns.withdraw(number);
        self.update(&state);
        job
    }

    /// Begins the shutdown: admits no more jobs, and ends threads that have nothing to do.
    ///
    /// Waiting jobs are run here so that each finds that it must not begin, and fails. Parked jobs return their results
    /// so far.
    pub(super) fn end(self: &Arc<Self>) {
        self.ending.store(true, SeqCst);
        let waiting = {
            let mut state = self.state();
            let waiting = state.turns.withdraw_all();
            self.update(&state);
            waiting
        };
        // The lock is released before the jobs run.
        for (number, job) in waiting {
            job(RunningSlot { threads: Arc::clone(self), number, checked: Cell::default() });
        }
        // The lock was taken after `ending` was set, so a thread that read the old value waits by now, and these
        // signals wake it.
        self.wake.notify_all();
        self.resumed.notify_all();
    }

    /// Returns the number of running, parked and waiting jobs.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let turns = &self.state().turns;
        (turns.running(), turns.parked(), turns.waiting())
    }

    fn give_way(self: &Arc<Self>, number: u64, must_stop: impl Fn() -> bool) -> Turn {
        let mut state = self.state();
        if !state.turns.must_give_way(number, Instant::now()) {
            return if state.turns.is_displaced(number) { Turn::Displaced } else { Turn::Held };
        }
        drop(state);
        // This job keeps its thread while it is parked, so the next job needs another. Without one, this job goes on.
        if self.needs_thread(1) && !self.start_thread() {
            return Turn::Held;
        }
        state = self.state();
        let Some(started) = state.turns.give_way(number, Instant::now()) else { return Turn::Held };
        self.hand_over(&mut state, started);
        loop {
            if state.turns.runs(number) {
                return Turn::Held;
            }
            if state.turns.is_displaced(number) {
                return Turn::Displaced;
            }
            // The lock is released while other locks may be taken.
            drop(state);
            if must_stop() {
                return Turn::Held;
            }
            state = locks::ignore_poison(self.resumed.wait_timeout(self.state(), WHILE_PARKED)).0;
        }
    }

    /// Gives free slots to the jobs whose turn it is.
    fn assign_slots(&self, state: &mut State) {
        while let Some(started) = state.turns.start(Instant::now()) {
            self.hand_over(state, started);
        }
        self.update(state);
    }

    fn hand_over(&self, state: &mut State, started: Started<Job>) {
        match started {
            Started::Begun(number, job) => {
                state.ready.push_back((number, job));
                self.wake.notify_one();
            }
            Started::Resumed(_) => self.resumed.notify_all(),
        }
        self.update(state);
    }

    fn update(&self, state: &State) {
        self.has_waiting.store(state.turns.waiting() + state.turns.parked() > 0, Relaxed);
    }

    /// Whether there are too few threads for the jobs that have begun and `more` jobs.
    fn needs_thread(&self, more: usize) -> bool {
        let state = self.state();
        state.threads < state.turns.running() + state.turns.parked() + more
    }

    fn start_thread(self: &Arc<Self>) -> bool {
        self.state().threads += 1;
        let threads = Arc::clone(self);
        let started = Builder::new().name("analysis".to_owned()).spawn(move || threads.work());
        if let Err(error) = &started {
            self.state().threads -= 1;
            // Waiters still receive an error by their deadlines, and the next question tries to start a thread again.
            tracing::error!(target: LOG_TARGET, %error, "no thread for an analysis could be started");
        }
        started.is_ok()
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
            if let Some((number, job)) = state.ready.pop_front() {
                return Some((job, RunningSlot { threads: Arc::clone(self), number, checked: Cell::default() }));
            }
            if self.ending.load(SeqCst) {
                state.threads -= 1;
                return None;
            }
            state = locks::ignore_poison(self.wake.wait(state));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so the state is consistent even if the lock is poisoned.
        locks::lock(&self.state)
    }
}
