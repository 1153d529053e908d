//! The clock of the middleware: the time since the program began, which takes less space than an instant.
//!
//! Must not know what is timed.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the time since the program began to count it.
pub(crate) fn uptime() -> Duration {
    BEGUN.elapsed()
}

/// Returns the uptime in milliseconds.
pub(super) fn uptime_millis() -> u64 {
    u64::try_from(uptime().as_millis()).unwrap_or(u64::MAX - 1)
}

/// Returns the uptime in microseconds.
pub(super) fn uptime_micros() -> u64 {
    u64::try_from(uptime().as_micros()).unwrap_or(u64::MAX)
}

/// Counts what happens in the current second.
#[derive(Debug, Default)]
pub(super) struct PerSecond(AtomicU64);

impl PerSecond {
    /// Counts an event in `second`, and returns how many there were in it.
    pub(super) fn add(&self, second: u64) -> u64 {
        let next = |state: u64| if state >> 32 == second { state.saturating_add(1) } else { second << 32 | 1 };
        // The function always returns a value, so the update never fails.
        let before = self.0.fetch_update(Relaxed, Relaxed, |state| Some(next(state))).unwrap_or_else(|state| state);
        next(before) & u64::from(u32::MAX)
    }
}
