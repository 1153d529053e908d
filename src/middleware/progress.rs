//! What is known of a client's progress: whether it takes what the server sends, how fast, and what its connection is
//! used for.
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
    /// The value of `stuck` for which the end was asked, or [`IN_ANY_CASE`]; 0 while it was not.
    asked: AtomicU64,
    ended: Notify,
}

/// Time for which the pace of a client is measured at least.
const MEASURED: Duration = Duration::from_secs(1);
/// Asks for the end whether the client takes something or not.
const IN_ANY_CASE: u64 = u64::MAX;

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
        self.stuck().map_or(Duration::ZERO, Stuck::time)
    }

    /// Returns since when the client has taken nothing; `None` if it takes everything.
    pub(super) fn stuck(&self) -> Option<Stuck> {
        Some(self.stuck.load(Relaxed)).filter(|since| *since != 0).map(Stuck)
    }

    /// Ends what waits for the client, unless the client has taken something after `seen`.
    pub(super) fn end(&self, seen: Stuck) {
        self.ask(seen.0);
    }

    fn ask(&self, asked: u64) {
        self.asked.fetch_max(asked, Relaxed);
        self.ended.notify_one();
    }

    /// Waits for the end of what waits for the client.
    pub(crate) async fn wait_for_end(&self) {
        loop {
            self.ended.notified().await;
            // The end may have been asked for a moment after the client went on, so the notification may be
            // an old one, which must not end anything that it was not meant for.
            let asked = self.asked.load(Relaxed);
            if asked == IN_ANY_CASE || asked == self.stuck.load(Relaxed) {
                return;
            }
        }
    }
}

/// Since when a client has taken nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck(u64);

impl Stuck {
    /// Returns for how long the client has taken nothing.
    pub(super) fn time(self) -> Duration {
        uptime().saturating_sub(Duration::from_millis(self.0 - 1))
    }
}

/// How fast a client takes an answer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When sending began, in milliseconds of the uptime.
    began: AtomicU64,
    /// Bytes that the client has taken since.
    taken: AtomicUsize,
    /// Bytes that are left of the parts so far.
    left: AtomicUsize,
    /// Bytes of the parts that follow.
    following: AtomicUsize,
}

impl Pace {
    /// Notes that a part of `bytes` is about to be sent, after which `following` bytes remain of the same answer.
    pub(super) fn begin_part(&self, bytes: usize, following: usize) {
        if self.following.swap(following, Relaxed) == 0 {
            self.began.store(uptime_millis(), Relaxed);
            self.taken.store(0, Relaxed);
        }
        self.left.store(bytes, Relaxed);
    }

    /// Notes that the client has taken `bytes` of the part.
    pub(super) fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Relaxed);
        // Only the task of the call changes it.
        self.left.store(self.left.load(Relaxed).saturating_sub(bytes), Relaxed);
    }

    /// Whether the client, at its pace so far, needs longer than `most` for the whole answer.
    ///
    /// The pace is measured for a second at least, because any client may read nothing for a moment.
    pub(super) fn is_slower_than(&self, most: Duration) -> bool {
        let elapsed = uptime().saturating_sub(Duration::from_millis(self.began.load(Relaxed)));
        let [taken, left, following] = [&self.taken, &self.left, &self.following].map(|bytes| bytes.load(Relaxed));
        // In other words: elapsed * whole / taken > most.
        let whole = (taken as u128).saturating_add(left as u128).saturating_add(following as u128);
        let needs = elapsed.as_millis().saturating_mul(whole);
        elapsed >= MEASURED && needs > most.as_millis().saturating_mul(taken as u128)
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
        self.progress.ask(IN_ANY_CASE);
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

#[cfg(test)]
mod tests {
    use crate::middleware::progress::Progress;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn an_end_that_comes_too_late_ends_nothing_later() {
        let progress = Progress::default();
        progress.stop();
        let seen = progress.stuck().unwrap();
        progress.go_on();
        progress.end(seen);
        // The next wait is another one, although it may begin in the next millisecond.
        tokio::time::sleep(Duration::from_millis(2)).await;
        progress.stop();
        let wait = async || timeout(Duration::from_millis(20), progress.wait_for_end()).await;
        assert!(wait().await.is_err(), "the client has taken something after it was seen");
        progress.end(progress.stuck().unwrap());
        assert!(wait().await.is_ok());
        progress.go_on();
        assert!(wait().await.is_err(), "an end is over with the wait");
    }
}
