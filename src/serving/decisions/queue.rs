//! The queue of lines between calls and the thread of the decision log, with the counts of lines.
//!
//! Must not know what a line says.
//!
//! The lock is held only to insert one pointer to a line or to remove a bounded number of pointers, never while a line
//! is created, written or freed. Waking a thread costs more than everything else, so a call wakes the log's thread only
//! for the first line; the thread then gathers lines until there is a batch or a short time has passed.

use crate::locks::{ignore_poison, lock};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A closure that creates a line.
pub(super) type Line = Box<dyn FnOnce() -> Value + Send>;

/// Maximum memory of all waiting lines, in bytes, as estimated by callers of
/// [`DecisionLog::offer_holding`](super::DecisionLog::offer_holding).
pub const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;
/// Time for which lines are gathered before they are written.
pub(super) const LINGER: Duration = Duration::from_millis(10);
/// Maximum number of lines in a batch; once this many wait, the thread writes them at once.
const BATCH_LINES: usize = 256;
/// Maximum estimated memory of the lines of a batch, in bytes; a batch of one line may exceed it.
const BATCH_HELD_BYTES: usize = 4 * 1024 * 1024;
/// Longest wait of the idle thread for a line, after which it checks whether faults must be reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Counts of decisions since the start of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// Lines written.
    pub written: u64,
    /// Lines dropped because the queue was full or the log had ended.
    pub dropped: u64,
    /// Lines that could not be created or written.
    pub failed: u64,
    /// Decisions left out by sampling.
    pub left_out: u64,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the thread: a line has arrived, or the queue ends.
    arrived: Condvar,
    /// Wakes the threads that wait for the end of the log's thread.
    finished: Condvar,
    capacity: usize,
    /// Number of waiting lines at which the thread takes a batch without waiting for more.
    batch: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Line)>,
    held_bytes: usize,
    /// Lines taken by the thread and not yet counted as written or failed.
    in_progress: usize,
    thread: WriterState,
    ending: bool,
    finished: bool,
    written: u64,
    dropped: u64,
    failed: u64,
}

/// State of the log's thread, which decides whether [`Queue::offer`] must wake it.
#[derive(Default, PartialEq, Eq)]
enum WriterState {
    #[default]
    Busy,
    /// Waits for the first line.
    Idle,
    /// Waits for more lines.
    Gathering,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let (batch, reserved) = ((capacity / 2).clamp(1, BATCH_LINES), capacity.min(1 << 16));
        let state = State { waiting: VecDeque::with_capacity(reserved), ..State::default() };
        Self { state: Mutex::new(state), arrived: Condvar::new(), finished: Condvar::new(), capacity, batch }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held.
        lock(&self.state)
    }

    /// Queues a line; drops and counts it if the queue is full or has ended.
    pub(super) fn offer(&self, bytes: usize, line: Line) {
        let mut state = self.state();
        let full = state.waiting.len() >= self.capacity || state.held_bytes.saturating_add(bytes) > MAX_HELD_BYTES;
        if state.ending || full {
            state.dropped += 1;
            // The line is freed at the end of this function, without the lock.
            drop(state);
            return;
        }
        state.held_bytes += bytes;
        state.waiting.push_back((bytes, line));
        let wakes = match state.thread {
            WriterState::Busy => false,
            WriterState::Idle => true,
            WriterState::Gathering => state.waiting.len() >= self.batch,
        };
        if wakes {
            state.thread = WriterState::Busy;
        }
        drop(state);
        if wakes {
            self.arrived.notify_one();
        }
    }

    /// Waits for lines and moves a batch of them to `lines`, which stays empty if none arrives within a second.
    ///
    /// Returns false once the queue has ended and is empty.
    pub(super) fn take(&self, lines: &mut Vec<Line>) -> bool {
        let mut state = self.state();
        let begun = Instant::now();
        // When gathering began; `None` while idle. The thread gathers even before the first line, because a call wakes
        // a gathering thread only for a full batch. Under steady load, the thread never becomes idle.
        let mut gathering_since = Some(begun);
        while !state.ending && state.waiting.len() < self.batch {
            let remaining = LINGER.saturating_sub(gathering_since.map_or(LINGER, |since| since.elapsed()));
            let (thread, left) = match (state.waiting.is_empty(), remaining.is_zero()) {
                (_, false) => (WriterState::Gathering, remaining),
                (true, true) => (WriterState::Idle, REPORT_INTERVAL.saturating_sub(begun.elapsed())),
                (false, true) if gathering_since.is_some() => break,
                (false, true) => {
                    gathering_since = Some(Instant::now());
                    continue;
                }
            };
            if left.is_zero() {
                break;
            }
            if thread == WriterState::Idle {
                gathering_since = None;
            }
            state.thread = thread;
            state = ignore_poison(self.arrived.wait_timeout(state, left)).0;
        }
        state.thread = WriterState::Busy;
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
        state.in_progress += lines.len();
        !(lines.is_empty() && state.ending)
    }

    /// Counts lines from [`Queue::take`]: `written` lines as written, and `failed` lines as failed.
    pub(super) fn account(&self, written: usize, failed: usize) {
        let mut state = self.state();
        // `end` may have timed out, and have counted the lines in progress as failed.
        if state.in_progress >= written + failed {
            state.in_progress -= written + failed;
            state.written += written as u64;
            state.failed += failed as u64;
        }
    }

    /// Returns the counts so far. The queue does not see decisions that sampling leaves out, so `left_out` is 0.
    pub(super) fn counts(&self) -> DecisionCounts {
        let state = self.state();
        let State { written, dropped, failed, .. } = *state;
        DecisionCounts { written, dropped, failed, left_out: 0 }
    }

    /// Ends the queue: accepts no more lines, and waits up to `within` until the waiting ones are written.
    pub(super) fn end(&self, within: Duration) {
        let mut state = self.state();
        state.ending = true;
        self.arrived.notify_one();
        let ended = self.finished.wait_timeout_while(state, within, |state| !state.finished);
        state = ignore_poison(ended).0;
        let rest = state.give_up();
        drop(state);
        drop(rest);
    }

    /// Records that the thread has ended, by a panic or otherwise.
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
    /// Counts the unwritten lines as failed or dropped. Returns the waiting lines, so that they are freed without the
    /// lock.
    fn give_up(&mut self) -> VecDeque<(usize, Line)> {
        self.failed += std::mem::take(&mut self.in_progress) as u64;
        self.dropped += self.waiting.len() as u64;
        self.held_bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
