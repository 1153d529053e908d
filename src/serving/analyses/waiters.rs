//! Whether a computation goes on.
//!
//! Owns who waits for it and until when, and the one lock under which they join, leave, and it is told to stop: whoever
//! joins finds either a computation that goes on for them too, or one that has been told to stop, and begins another.
//! Must not know of queues, of threads, or of answers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Why a computation must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// What is there must be sent now for the last of those who wait to get it in time.
    Deadline,
    /// Nobody waits any more.
    Abandoned,
    /// The program ends.
    Ending,
}

/// What a running job is told, and where it tells how far it has come.
#[derive(Debug)]
pub struct JobHandle<'a, P> {
    pub(super) waiters: &'a Waiters,
    pub(super) progress: &'a watch::Sender<Option<P>>,
}

impl<P> JobHandle<'_, P> {
    /// Why the job must stop, if it must: from then on always the same reason. Costs three atomic loads and a look at
    /// the clock.
    pub fn stopped(&self) -> Option<Stop> {
        self.waiters.stopped(Instant::now())
    }

    /// Tells those who wait how far the job has come. They see the latest, not each: who wants fewer asks less often.
    pub fn report(&self, progress: P) {
        self.progress.send_replace(Some(progress));
    }
}

/// One who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiter {
    /// When the computation must stop for this one to be answered in time.
    pub(super) stop: Instant,
    number: u64,
}

/// Those who wait for one computation.
#[derive(Debug)]
pub(super) struct Waiters {
    asked: Instant,
    /// The latest stop of all who wait, in nanoseconds since it was asked. Changed under the lock.
    until: AtomicU64,
    /// That it does not go on, once and for all: stopped for a reason, or done. Set under the lock.
    over: OnceLock<Option<Stop>>,
    /// That the program ends.
    ending: Arc<AtomicBool>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// By their stops.
    all: BTreeSet<Waiter>,
    joined: u64,
    begun: bool,
}

impl Waiters {
    /// The first one, who asks now.
    pub(super) fn new(asked: Instant, stop: Instant, ending: Arc<AtomicBool>) -> (Self, Waiter) {
        let first = Waiter { stop, number: 0 };
        let waiting = Mutex::new(Waiting { all: BTreeSet::from([first]), joined: 1, begun: false });
        let waiters = Self { asked, until: AtomicU64::default(), over: OnceLock::new(), ending, waiting };
        waiters.set_until(stop);
        (waiters, first)
    }

    /// One more, unless it does not go on.
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

    /// One less. Whether it was abandoned by that.
    pub(super) fn leave(&self, waiter: Waiter) -> bool {
        let mut waiting = self.waiting();
        waiting.all.remove(&waiter);
        self.update(&waiting);
        waiting.all.is_empty() && self.over.set(Some(Stop::Abandoned)).is_ok()
    }

    /// It begins now, unless it must not.
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

    /// It is done: nobody joins from here on.
    pub(super) fn close(&self) {
        let _waiting = self.waiting();
        // Whether it was stopped before makes no difference any more.
        let _ = self.over.set(None);
    }

    pub(super) fn stopped(&self, now: Instant) -> Option<Stop> {
        if let Some(over) = self.over.get() {
            return *over;
        }
        if !self.ending.load(Relaxed) && self.since(now) < self.until.load(Relaxed) {
            return None;
        }
        // Under the lock: another may just have joined, who waits longer.
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
        // The first reason stands.
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
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
