//! The waiters of a computation (the callers that wait for its answer), and whether the computation must stop.
//!
//! Owns the times at which the computation must stop to answer each waiter, and one lock under which waiters join and
//! leave and the decision to stop is made. A caller that asks an equal question therefore finds either a computation
//! that continues for this caller, too, or one that must stop, and then starts another computation. Must not know
//! queues, threads or answers.

use crate::locks;
use crate::serving::analyses::threads::{RunningSlot, Turn};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;
use tokio::sync::watch;

/// Why a computation must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The waiter with the latest deadline gets an answer in time only if the job returns now.
    Deadline,
    /// All waiters have left.
    Abandoned,
    /// The program is shutting down.
    Ending,
    /// The job has run longer than all others, and a job of another caller could not begin for a second because the
    /// maximum number of jobs is parked.
    Displaced,
}

/// Tells a running job whether it must stop, and reports the job's progress to its waiters.
#[derive(Debug)]
pub struct JobHandle<'a, P> {
    pub(super) waiters: &'a Waiters,
    pub(super) slot: &'a RunningSlot,
    pub(super) progress: &'a watch::Sender<Option<P>>,
}

impl<P> JobHandle<'_, P> {
    /// Returns why the job must stop; `None` while it may continue.
    ///
    /// Once there is a reason, it never changes. A call costs four atomic loads and one reading of the clock. If the
    /// job has used up its turn while another caller waits, the call returns when it is the job's turn again, or when
    /// the job must stop.
    pub fn stopped(&self) -> Option<Stop> {
        let now = Instant::now();
        let stopped = || self.waiters.stopped(Instant::now());
        self.waiters.stopped(now).or_else(|| match self.slot.give_way(now, || stopped().is_some()) {
            Turn::Held => stopped(),
            Turn::Displaced => self.waiters.displace(),
        })
    }

    /// Reports progress to the waiters, which see the latest report and may miss earlier ones.
    pub fn report(&self, progress: P) {
        self.progress.send_replace(Some(progress));
    }
}

/// One waiter of a computation. Waiters are ordered by `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiter {
    /// When the computation must stop to answer this waiter in time.
    pub(super) stop: Instant,
    number: u64,
}

/// The waiters of one computation.
#[derive(Debug)]
pub(super) struct Waiters {
    asked: Instant,
    /// The latest [`Waiter::stop`], in nanoseconds since `asked`. Changed only under the lock.
    until: AtomicU64,
    /// Set once when the computation is over: the reason to stop, or `None` if it is done. Set only under the lock.
    over: OnceLock<Option<Stop>>,
    /// Whether the program is shutting down.
    ending: Arc<AtomicBool>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// All waiters, in order of [`Waiter::stop`].
    all: BTreeSet<Waiter>,
    joined: u64,
    begun: bool,
}

impl Waiters {
    /// Creates the waiters of a computation that was requested at `asked`; `stop` is that of the first waiter.
    pub(super) fn new(asked: Instant, stop: Instant, ending: Arc<AtomicBool>) -> (Self, Waiter) {
        let first = Waiter { stop, number: 0 };
        let waiting = Mutex::new(Waiting { all: BTreeSet::from([first]), joined: 1, begun: false });
        let waiters = Self { asked, until: AtomicU64::default(), over: OnceLock::new(), ending, waiting };
        waiters.set_until(stop);
        (waiters, first)
    }

    /// Adds a waiter; `None` if the computation is over.
    pub(super) fn join(&self, stop: Instant) -> Option<Waiter> {
        let mut waiting = self.waiting();
        if self.over.get().is_some() || self.ending.load(Relaxed) {
            return None;
        }
        let waiter = Waiter { stop, number: waiting.joined };
        waiting.joined += 1;
        waiting.all.insert(waiter);
        self.update(&waiting);
        Some(waiter)
    }

    /// Removes a waiter. Returns true if it was the last one of an unfinished computation, which must then stop.
    pub(super) fn leave(&self, waiter: Waiter) -> bool {
        let mut waiting = self.waiting();
        waiting.all.remove(&waiter);
        self.update(&waiting);
        waiting.all.is_empty() && self.over.set(Some(Stop::Abandoned)).is_ok()
    }

    /// Marks the computation as begun.
    ///
    /// # Errors
    /// The reason why the computation must not begin.
    pub(super) fn begin(&self, now: Instant) -> Result<(), Stop> {
        let mut waiting = self.waiting();
        if let Some(stop) = self.decide(now, &waiting) {
            return Err(stop);
        }
        waiting.begun = true;
        Ok(())
    }

    pub(super) fn begun(&self) -> bool {
        self.waiting().begun
    }

    /// Marks the computation as done, after which no waiter can join.
    pub(super) fn close(&self) {
        let _waiting = self.waiting();
        // If a reason to stop is set already, waiters cannot join either, so the error does not matter.
        let _ = self.over.set(None);
    }

    /// Makes the computation stop so that another can begin, and returns the reason for which it stops.
    pub(super) fn displace(&self) -> Option<Stop> {
        let _waiting = self.waiting();
        *self.over.get_or_init(|| Some(Stop::Displaced))
    }

    pub(super) fn stopped(&self, now: Instant) -> Option<Stop> {
        if let Some(over) = self.over.get() {
            return *over;
        }
        if !self.ending.load(Relaxed) && self.since(now) < self.until.load(Relaxed) {
            return None;
        }
        // Decide again under the lock, because a waiter with a later deadline may just have joined.
        self.decide(now, &self.waiting())
    }

    fn decide(&self, now: Instant, _held: &MutexGuard<'_, Waiting>) -> Option<Stop> {
        let reason = if self.ending.load(Relaxed) {
            Some(Stop::Ending)
        } else if self.since(now) >= self.until.load(Relaxed) {
            Some(Stop::Deadline)
        } else {
            None
        };
        // A reason that has been set never changes.
        reason.map_or_else(|| self.over.get().copied().flatten(), |reason| *self.over.get_or_init(|| Some(reason)))
    }

    fn update(&self, waiting: &Waiting) {
        if let Some(last) = waiting.all.last() {
            self.set_until(last.stop);
        }
    }

    fn set_until(&self, stop: Instant) {
        self.until.store(self.since(stop), Relaxed);
    }

    fn since(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.asked).as_nanos()).unwrap_or(u64::MAX)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds this lock, so the state is consistent even if the lock is poisoned.
        locks::lock(&self.waiting)
    }
}
