//! Lines that wait to be made, and what became of them: the only place where calls and the log's thread meet.
//!
//! The lock is held for as long as it takes to put a pointer in its place, or to take a bounded number of them; never
//! while anything is made, written or freed. Waking a thread costs more than all the rest, so the thread is woken once
//! when there is something, then lingers until there is a batch.

use crate::serving::decisions::{DecisionCounts, MAX_HELD_BYTES};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What makes a line.
pub(super) type Line = Box<dyn FnOnce() -> Value + Send>;

/// How long lines are gathered before they are written.
pub(super) const LINGER: Duration = Duration::from_millis(10);
/// As many lines are not waited for longer; nor are more taken at a time.
const BATCH_LINES: usize = 256;
/// Nor lines that keep more memory than this, but for one.
const BATCH_HELD_BYTES: usize = 4 * 1024 * 1024;
/// The thread looks up so often though nothing comes, to tell of what was not told yet.
const LOOK_UP: Duration = Duration::from_secs(1);

pub(super) struct Queue {
    state: Mutex<State>,
    /// For the thread: something came, or the end.
    came: Condvar,
    /// For those who end it: the thread has.
    finished: Condvar,
    most: usize,
    /// So many are a batch.
    batch: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Line)>,
    held_bytes: usize,
    /// Taken by the thread, and not accounted for yet.
    in_hand: usize,
    thread: Thread,
    ending: bool,
    finished: bool,
    written: u64,
    dropped: u64,
    failed: u64,
}

/// What the thread does, as far as who brings a line has to know.
#[derive(Default, PartialEq, Eq)]
enum Thread {
    #[default]
    Busy,
    /// Waits for a first line.
    Idle,
    /// Waits for a batch.
    Lingers,
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let (batch, room) = ((most / 2).clamp(1, BATCH_LINES), most.min(1 << 16));
        let state = State { waiting: VecDeque::with_capacity(room), ..State::default() };
        Self { state: Mutex::new(state), came: Condvar::new(), finished: Condvar::new(), most, batch }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody can panic while holding it: nothing of anybody else's runs then.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or drops it.
    pub(super) fn offer(&self, bytes: usize, line: Line) {
        let mut state = self.state();
        let full = state.waiting.len() >= self.most || state.held_bytes.saturating_add(bytes) > MAX_HELD_BYTES;
        if state.ending || full {
            state.dropped += 1;
            // The line, which goes at the end of this function, is freed without the lock.
            drop(state);
            return;
        }
        state.held_bytes += bytes;
        state.waiting.push_back((bytes, line));
        let wakes = match state.thread {
            Thread::Busy => false,
            Thread::Idle => true,
            Thread::Lingers => state.waiting.len() >= self.batch,
        };
        if wakes {
            state.thread = Thread::Busy;
        }
        drop(state);
        if wakes {
            self.came.notify_one();
        }
    }

    /// Waits for lines, and takes some; for none, if none came for a while. `false`: there won't be any more.
    pub(super) fn take(&self, lines: &mut Vec<Line>) -> bool {
        let mut state = self.state();
        let begun = Instant::now();
        // Since when lines are gathered. Where they come all the time, nobody has to wake anybody.
        let mut gathers = Some(begun);
        while !state.ending && state.waiting.len() < self.batch {
            let lingers = LINGER.saturating_sub(gathers.map_or(LINGER, |since| since.elapsed()));
            let (thread, left) = match (state.waiting.is_empty(), lingers.is_zero()) {
                (_, false) => (Thread::Lingers, lingers),
                (true, true) => (Thread::Idle, LOOK_UP.saturating_sub(begun.elapsed())),
                (false, true) if gathers.is_some() => break,
                (false, true) => {
                    gathers = Some(Instant::now());
                    continue;
                }
            };
            if left.is_zero() {
                break;
            }
            if thread == Thread::Idle {
                gathers = None;
            }
            state.thread = thread;
            state = self.came.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.thread = Thread::Busy;
        let mut bytes = 0usize;
        while lines.len() < BATCH_LINES {
            let next = state.waiting.front().map_or(0, |(held, _)| *held);
            if bytes > 0 && bytes.saturating_add(next) > BATCH_HELD_BYTES {
                break;
            }
            let Some((held, line)) = state.waiting.pop_front() else { break };
            bytes = bytes.saturating_add(held);
            lines.push(line);
        }
        state.held_bytes = state.held_bytes.saturating_sub(bytes);
        state.in_hand += lines.len();
        !(lines.is_empty() && state.ending)
    }

    /// Accounts for lines that were taken.
    pub(super) fn account(&self, written: usize, failed: usize) {
        let mut state = self.state();
        // Those who ended it may have lost patience, and have counted what was in hand.
        if state.in_hand >= written + failed {
            state.in_hand -= written + failed;
            state.written += written as u64;
            state.failed += failed as u64;
        }
    }

    /// What became of lines so far.
    pub(super) fn counts(&self) -> DecisionCounts {
        let state = self.state();
        let State { written, dropped, failed, .. } = *state;
        DecisionCounts { written, dropped, failed, left_out: 0 }
    }

    /// Takes no more, and waits until what there is is written, for so long at most.
    pub(super) fn end(&self, within: Duration) {
        let mut state = self.state();
        state.ending = true;
        self.came.notify_one();
        let ended = self.finished.wait_timeout_while(state, within, |state| !state.finished);
        state = ended.unwrap_or_else(PoisonError::into_inner).0;
        let rest = state.give_up();
        drop(state);
        drop(rest);
    }

    /// The thread has ended, however it did.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.ending = true;
        state.finished = true;
        let rest = state.give_up();
        drop(state);
        drop(rest);
        self.finished.notify_all();
    }
}

impl State {
    /// Counts what was not written, and gives what waited, to be freed without the lock.
    fn give_up(&mut self) -> VecDeque<(usize, Line)> {
        self.failed += std::mem::take(&mut self.in_hand) as u64;
        self.dropped += self.waiting.len() as u64;
        self.held_bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("most", &self.most).finish_non_exhaustive()
    }
}
