//! Whose job runs next: callers take turns, by the work that the jobs of each of them have used.
//!
//! Each caller has a count of the time for which its jobs have run. A free slot goes to the caller with the lowest
//! count. So a caller with seventy long jobs delays a caller with one short job no more than a caller with one long job
//! does, and many short jobs of one caller run one after another until they have used as much as the jobs of the
//! others. The jobs of one caller run in order of arrival, jobs that have begun first.
//!
//! A running job can give way: it is parked when its caller is [`TURN`] ahead of a caller that waits, and resumes when
//! it is again the turn of its caller. Few jobs may be parked, because each keeps its thread and its memory. While that
//! many are parked, a job can give way only to a parked job, so the parked jobs still take turns. A caller whose jobs
//! have not begun would then wait until one of the others ends. This wait has a bound, too: after [`MAX_SHUT_OUT`], the
//! job that has run longest is displaced, which means that it must end with its results so far.
//!
//! Owns the bounds on waiting jobs: one for all, and one for each caller. Time comes in as an argument. Must not know
//! who a caller is, what a job does, or threads.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The lead over a waiting caller at which a running job gives way.
///
/// It is also the credit of a caller that arrives: it is that much behind the others, so that a job that has run for as
/// long gives way to it at once. A switch costs microseconds, so the value could be lower; it is this high because most
/// analyses end earlier, and a parked analysis takes memory.
pub(super) const TURN: Duration = Duration::from_millis(250);
/// How long a job waits while the maximum number of jobs is parked, until another job is displaced for it.
///
/// It is four turns, in which several other callers have had theirs.
pub(super) const MAX_SHUT_OUT: Duration = Duration::from_secs(1);
/// Maximum number of callers without jobs whose counts are remembered.
///
/// A count matters only while it is above that of a caller that would arrive. A caller that is forgotten gains at most
/// one [`TURN`].
const MAX_ABSENT: usize = 1_024;

/// Identifies the caller whose turn a job uses. Equal callers have equal keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TurnKey(pub u64);

/// The maximum numbers of jobs.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnLimits {
    /// Jobs that run at a time.
    pub(super) running: usize,
    /// Jobs that wait, besides those for which slots are free.
    ///
    /// One caller may have half of them, rounded up, so that there is room for others.
    pub(super) waiting: usize,
    /// Jobs that are parked.
    pub(super) parked: usize,
}

/// The bound that an arriving job is subject to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The job is refused if too many jobs wait.
    Bounded,
    /// The job always waits, and does not count. It is for calls that submit one job at a time, such as streams.
    InTurn,
}

/// There are too many waiting jobs: of all callers, or of the caller of this job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPlaceError;

/// A job that now has a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Started<T> {
    /// A waiting job, with its number, begins.
    Begun(u64, T),
    /// The parked job with this number goes on.
    Resumed(u64),
}

/// The jobs of all callers: waiting, running and parked.
#[derive(Debug)]
pub(super) struct Turns<T> {
    limits: TurnLimits,
    /// The callers that have jobs, and some that had jobs not long ago.
    callers: HashMap<TurnKey, CallerTurns<T>>,
    /// The jobs that have begun.
    begun: Vec<Begun>,
    /// The count that all callers with jobs had reached when a caller last arrived; it never decreases.
    reached: Duration,
    /// The number of the next job. Later jobs have greater numbers.
    next: u64,
}

#[derive(Debug)]
struct CallerTurns<T> {
    /// The time for which the caller's jobs have run, plus the count with which the caller arrived.
    used: Duration,
    waiting: VecDeque<Waiting<T>>,
    /// Jobs that have begun.
    begun: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    admission: Admission,
    since: Instant,
    item: T,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    number: u64,
    key: TurnKey,
    /// The time for which the job has run.
    work: Duration,
    /// Until when the time is counted already, if the job runs; `None` if it is parked.
    counted: Option<Instant>,
    is_displaced: bool,
}

impl<T> CallerTurns<T> {
    fn is_present(&self) -> bool {
        self.begun > 0 || !self.waiting.is_empty()
    }

    fn bounded(&self) -> usize {
        self.waiting.iter().filter(|waiting| waiting.admission == Admission::Bounded).count()
    }
}

impl<T> Turns<T> {
    pub(super) fn new(limits: TurnLimits) -> Self {
        Self { limits, callers: HashMap::new(), begun: Vec::new(), reached: Duration::ZERO, next: 0 }
    }

    /// Adds a job, and returns its number. The job runs once [`Turns::start`] or [`Turns::give_way`] returns it.
    ///
    /// # Errors
    /// If too many jobs wait.
    pub(super) fn add(
        &mut self,
        key: TurnKey,
        admission: Admission,
        item: T,
        now: Instant,
    ) -> Result<u64, NoPlaceError> {
        if admission == Admission::Bounded {
            // Jobs for which slots are free are about to begin, so only the jobs beyond these count as waiting.
            let free = self.limits.running.saturating_sub(self.running());
            let all: usize = self.callers.values().map(CallerTurns::bounded).sum();
            let own = self.callers.get(&key).map_or(0, CallerTurns::bounded);
            if all >= self.limits.waiting + free || own >= self.limits.waiting.div_ceil(2) + free {
                return Err(NoPlaceError);
            }
        }
        let number = self.next;
        self.next += 1;
        self.arrived(key, now).waiting.push_back(Waiting { number, admission, since: now, item });
        Ok(number)
    }

    /// Gives a free slot to the caller whose turn it is; `None` if no slot is free or no job waits.
    pub(super) fn start(&mut self, now: Instant) -> Option<Started<T>> {
        if self.running() >= self.limits.running {
            return None;
        }
        self.count_work(now);
        let key = self.first(|_, _| true)?;
        self.start_of(key, now)
    }

    /// Whether a running job must give way. If it cannot, because too many jobs are parked, a job may be displaced.
    pub(super) fn must_give_way(&mut self, number: u64, now: Instant) -> bool {
        self.count_work(now);
        let successor = self.successor(number);
        if successor.is_none() {
            self.displace(now);
        }
        successor.is_some()
    }

    /// Parks a running job if it must give way, and returns the job that gets its slot.
    pub(super) fn give_way(&mut self, number: u64, now: Instant) -> Option<Started<T>> {
        self.count_work(now);
        let successor = self.successor(number)?;
        self.begun.iter_mut().filter(|job| job.number == number).for_each(|job| job.counted = None);
        self.start_of(successor, now)
    }

    /// Returns the caller that gets the slot of a running job, if the job must give way.
    fn successor(&self, number: u64) -> Option<TurnKey> {
        let own = self.begun.iter().find(|job| job.number == number && job.counted.is_some())?;
        let (used, may_park) = (self.used(own.key), self.parked() < self.limits.parked);
        self.first(|key, caller| {
            key != own.key && caller.used + TURN <= used && (may_park || self.first_parked(key).is_some())
        })
    }

    /// Makes the job that has run longest end, if a job that has not begun is shut out because too many are parked.
    fn displace(&mut self, now: Instant) {
        if self.parked() < self.limits.parked || self.begun.iter().any(|job| job.is_displaced) {
            return;
        }
        let is_shut_out = |_, caller: &CallerTurns<T>| {
            let since = caller.waiting.front().map(|job| job.since);
            caller.begun == 0 && since.is_some_and(|since| now.saturating_duration_since(since) >= MAX_SHUT_OUT)
        };
        let Some(key) = self.first(is_shut_out) else { return };
        let limit = self.used(key) + TURN;
        let used = |key: TurnKey| self.callers.get(&key).map_or(Duration::ZERO, |caller| caller.used);
        let others = self.begun.iter().filter(|job| job.key != key && job.work >= TURN && used(job.key) >= limit);
        let Some(longest) = others.max_by_key(|job| job.work).map(|job| job.number) else { return };
        self.begun.iter_mut().filter(|job| job.number == longest).for_each(|job| job.is_displaced = true);
    }

    /// Makes a job use the turns of this caller, if they come earlier than those of the job's present caller.
    ///
    /// It is for a job for whose result several callers wait: it must not be later than a job that each of them would
    /// have alone. If this caller has no place for the job, the job stays where it is.
    pub(super) fn share(&mut self, number: u64, key: TurnKey, now: Instant) {
        self.count_work(now);
        let holds = |caller: &CallerTurns<T>| caller.waiting.iter().any(|job| job.number == number);
        let of_begun = self.begun.iter().find(|job| job.number == number).map(|job| job.key);
        let of_waiting = || self.callers.iter().find(|(_, caller)| holds(caller)).map(|(key, _)| *key);
        let Some(owner) = of_begun.or_else(of_waiting) else { return };
        let owner_used = self.used(owner);
        if owner == key || self.arrived(key, now).used >= owner_used {
            return;
        }
        if of_begun.is_some() {
            self.begun.iter_mut().filter(|job| job.number == number).for_each(|job| job.key = key);
            self.caller(owner, |caller| caller.begun -= 1);
            self.caller(key, |caller| caller.begun += 1);
        } else if self.callers.get(&key).map_or(0, CallerTurns::bounded) < self.limits.waiting.div_ceil(2)
            && let Some(job) = self.take_waiting(number)
        {
            self.caller(key, |caller| {
                let at = caller.waiting.partition_point(|other| other.number < number);
                caller.waiting.insert(at, job);
            });
        }
    }

    /// Removes a job, whether it waits, runs or is parked.
    pub(super) fn remove(&mut self, number: u64, now: Instant) {
        self.count_work(now);
        match self.begun.iter().position(|job| job.number == number) {
            Some(at) => {
                let job = self.begun.swap_remove(at);
                self.caller(job.key, |caller| caller.begun -= 1);
            }
            None => drop(self.take_waiting(number)),
        }
    }

    /// Removes a job if it has not begun, and returns it.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<T> {
        self.take_waiting(number).map(|job| job.item)
    }

    /// Removes and returns all jobs that have not begun, with their numbers.
    pub(super) fn withdraw_all(&mut self) -> Vec<(u64, T)> {
        let waiting = self.callers.values_mut().flat_map(|caller| caller.waiting.drain(..));
        waiting.map(|job| (job.number, job.item)).collect()
    }

    /// Whether a job has a slot.
    pub(super) fn runs(&self, number: u64) -> bool {
        self.begun.iter().any(|job| job.number == number && job.counted.is_some())
    }

    /// Whether a job must end, so that another can begin.
    pub(super) fn is_displaced(&self, number: u64) -> bool {
        self.begun.iter().any(|job| job.number == number && job.is_displaced)
    }

    /// Number of jobs that have a slot.
    pub(super) fn running(&self) -> usize {
        self.begun.iter().filter(|job| job.counted.is_some()).count()
    }

    /// Number of parked jobs.
    pub(super) fn parked(&self) -> usize {
        self.begun.len() - self.running()
    }

    /// Number of jobs that have not begun.
    pub(super) fn waiting(&self) -> usize {
        self.callers.values().map(|caller| caller.waiting.len()).sum()
    }

    /// Returns the caller that has a waiting or parked job, fulfils the condition, and has used least.
    ///
    /// Of callers that have used the same, it is the one whose job arrived first.
    fn first(&self, fulfils: impl Fn(TurnKey, &CallerTurns<T>) -> bool) -> Option<TurnKey> {
        let candidates = self.callers.iter().filter_map(|(key, caller)| {
            let job = self.first_parked(*key).or_else(|| caller.waiting.front().map(|job| job.number))?;
            fulfils(*key, caller).then_some((caller.used, job, *key))
        });
        candidates.min_by_key(|(used, job, _)| (*used, *job)).map(|(_, _, key)| key)
    }

    fn first_parked(&self, key: TurnKey) -> Option<u64> {
        let parked = self.begun.iter().filter(|job| job.key == key && job.counted.is_none());
        parked.map(|job| job.number).min()
    }

    fn start_of(&mut self, key: TurnKey, now: Instant) -> Option<Started<T>> {
        if let Some(number) = self.first_parked(key) {
            self.begun.iter_mut().filter(|job| job.number == number).for_each(|job| job.counted = Some(now));
            return Some(Started::Resumed(number));
        }
        let caller = self.callers.get_mut(&key)?;
        let Waiting { number, item, .. } = caller.waiting.pop_front()?;
        caller.begun += 1;
        self.begun.push(Begun { number, key, work: Duration::ZERO, counted: Some(now), is_displaced: false });
        Some(Started::Begun(number, item))
    }

    /// Adds the time until `now` of all running jobs to their callers' counts.
    fn count_work(&mut self, now: Instant) {
        for job in &mut self.begun {
            if let Some(counted) = &mut job.counted {
                let work = now.saturating_duration_since(*counted);
                (*counted, job.work) = ((*counted).max(now), job.work + work);
                if let Some(caller) = self.callers.get_mut(&job.key) {
                    caller.used += work;
                }
            }
        }
    }

    /// Returns a caller that is about to get a job.
    ///
    /// A caller that had no job is at most one [`TURN`] behind: while it had none, nobody kept it from running any.
    fn arrived(&mut self, key: TurnKey, now: Instant) -> &mut CallerTurns<T> {
        self.count_work(now);
        let present = self.callers.values().filter(|caller| caller.is_present());
        let least = present.map(|caller| caller.used).min();
        // If no caller has a job, there is nobody who could have waited for the earlier jobs of this one.
        let is_idle = least.is_none();
        self.reached = self.reached.max(least.unwrap_or_default());
        let start = self.reached.saturating_sub(TURN);
        self.callers.retain(|_, caller| caller.is_present() || (!is_idle && caller.used > start));
        let absent = || self.callers.iter().filter(|(_, caller)| !caller.is_present());
        if absent().count() >= MAX_ABSENT
            && let Some(least) = absent().min_by_key(|(_, caller)| caller.used).map(|(key, _)| *key)
        {
            self.callers.remove(&least);
        }
        self.callers.entry(key).or_insert_with(|| CallerTurns { used: start, waiting: VecDeque::new(), begun: 0 })
    }

    fn take_waiting(&mut self, number: u64) -> Option<Waiting<T>> {
        self.callers.values_mut().find_map(|caller| {
            let at = caller.waiting.iter().position(|job| job.number == number)?;
            caller.waiting.remove(at)
        })
    }

    fn used(&self, key: TurnKey) -> Duration {
        self.callers.get(&key).map_or(Duration::ZERO, |caller| caller.used)
    }

    fn caller(&mut self, key: TurnKey, change: impl FnOnce(&mut CallerTurns<T>)) {
        if let Some(caller) = self.callers.get_mut(&key) {
            change(caller);
        }
    }
}

#[cfg(test)]
mod tests;
