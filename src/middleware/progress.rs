//! What is known of a client's progress: whether it takes what the server sends, and what its connection is used for.
//!
//! Must not know what is sent.

use crate::middleware::callers::CallerState;
use crate::middleware::clock::{uptime, uptime_millis};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;

/// Since when a client has not taken what the server has for it, and a way to end that.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Milliseconds of the uptime, plus one; 0 while the client takes everything.
    stuck: AtomicU64,
    ended: Notify,
}

impl Progress {
    /// Notes that the client takes nothing at the moment.
    pub(crate) fn stop(&self) {
        self.stuck.store(uptime_millis() + 1, Relaxed);
    }

    /// Notes that the client has taken something.
    pub(crate) fn go_on(&self) {
        // Most clients always take everything, so the usual case writes nothing.
        if self.stuck.load(Relaxed) != 0 {
            self.stuck.store(0, Relaxed);
        }
    }

    /// Returns for how long the client has taken nothing; zero if it takes everything.
    pub(crate) fn stuck_for(&self) -> Duration {
        match self.stuck.load(Relaxed) {
            0 => Duration::ZERO,
            since => uptime().saturating_sub(Duration::from_millis(since - 1)),
        }
    }

    /// Ends what waits for the client.
    pub(super) fn end(&self) {
        self.ended.notify_one();
    }

    /// Waits for the end of what waits for the client.
    pub(crate) async fn wait_for_end(&self) {
        self.ended.notified().await;
    }
}

/// What a connection is used for, and what its calls take together.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// Whether the client reads anything of the connection.
    pub(crate) progress: Progress,
    /// Bytes taken for answers.
    pub(super) held: AtomicUsize,
    /// Open streams of evaluations.
    pub(crate) streams: AtomicUsize,
    /// Open calls of the health service.
    pub(super) health: AtomicUsize,
    /// The caller of the first call. Few connections have more than one caller.
    pub(super) first: OnceLock<Arc<CallerState>>,
    /// Whether the HTTP/2 preface has arrived.
    has_spoken: AtomicBool,
    /// Calls in progress that were admitted, without those of health and reflection.
    pub(super) calls: AtomicUsize,
    /// When a call was last answered OK, health and reflection excepted, in milliseconds of the uptime; at first, when
    /// the connection was accepted.
    answered: AtomicU64,
    /// Calls that the client has reset before they were answered, since they were last taken from this counter.
    resets: AtomicUsize,
    /// Whether the connection must make room for another one.
    is_displaced: AtomicBool,
}

impl Default for ConnectionState {
    /// Creates the state of a connection that has been accepted now.
    fn default() -> Self {
        let (progress, held, streams, health, first) = Default::default();
        let (has_spoken, calls, resets, is_displaced) = Default::default();
        let answered = uptime_millis().into();
        Self { progress, held, streams, health, first, has_spoken, calls, answered, resets, is_displaced }
    }
}

impl ConnectionState {
    /// Notes that the HTTP/2 preface has arrived.
    pub(crate) fn speak(&self) {
        self.has_spoken.store(true, Relaxed);
    }

    pub(crate) fn has_spoken(&self) -> bool {
        self.has_spoken.load(Relaxed)
    }

    /// Whether an admitted call is in progress, other than one of health and reflection.
    pub(crate) fn has_calls(&self) -> bool {
        self.calls.load(Relaxed) > 0
    }

    /// Notes that a call was answered OK.
    pub(super) fn answer(&self) {
        let now = uptime_millis();
        // At a high rate of calls, most of them find the current millisecond here already, and write nothing.
        if self.answered.load(Relaxed) != now {
            self.answered.store(now, Relaxed);
        }
    }

    /// Returns when a call was last answered OK, as the time since the program began.
    pub(crate) fn answered(&self) -> Duration {
        Duration::from_millis(self.answered.load(Relaxed))
    }

    /// Notes that the client has reset a call before it was answered.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Relaxed);
    }

    /// Returns the number of resets since this function was last called.
    pub(crate) fn take_resets(&self) -> usize {
        // Most connections have none, so the usual case writes nothing.
        if self.resets.load(Relaxed) == 0 { 0 } else { self.resets.swap(0, Relaxed) }
    }

    /// Asks the connection to make room for another one.
    pub(crate) fn displace(&self) {
        self.is_displaced.store(true, Relaxed);
        self.progress.end();
    }

    pub(crate) fn is_displaced(&self) -> bool {
        self.is_displaced.load(Relaxed)
    }
}

#[cfg(test)]
impl ConnectionState {
    /// Counts a call in progress.
    pub(crate) fn keep(&self) {
        self.calls.fetch_add(1, Relaxed);
    }
}
