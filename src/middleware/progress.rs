//! What is known of a client's progress: whether it takes what the server sends, and what waits on its connection.
//!
//! Must not know what is sent.

use crate::middleware::callers::CallerState;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Since when a client has not taken what the server has for it, and a way to end that.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Milliseconds after [`BEGUN`], plus one; 0 while the client takes everything.
    stuck: AtomicU64,
    ended: Notify,
}

impl Progress {
    /// Notes that the client takes nothing at the moment.
    pub(crate) fn stop(&self) {
        let now = u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.stuck.store(now + 1, Relaxed);
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
            since => BEGUN.elapsed().saturating_sub(Duration::from_millis(since - 1)),
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

/// What the calls of a connection take together.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    /// Whether the client reads anything of the connection.
    pub(crate) progress: Progress,
    /// Bytes taken for answers.
    pub(super) held: AtomicUsize,
    /// Open streams of evaluations.
    pub(crate) streams: AtomicUsize,
    /// The caller of the first call. Few connections have more than one caller.
    pub(super) first: OnceLock<Arc<CallerState>>,
}
