//! Bounds the retries that the server invites while it refuses calls because it has too much to do.
//!
//! A client's own limit (`retryThrottling` in `deploy/service-config.json`) counts what one channel sees. Many clients
//! with one refused call each would therefore send every call four times to a server that already has too much to do.
//! Only the server sees all of them, so it allows a number of retries, more of them while it answers calls, and tells
//! the other clients not to retry. Clients that are told nothing would retry by their own policy.
//!
//! Must not know why a call was refused.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Retries that the server invites when it has not answered a call.
///
/// A quarter of 64 calls, so that clients that all arrive at once raise the load by a quarter.
const RESERVE: usize = 16;

/// Answered calls for which the server invites one more retry.
///
/// Together with the reserve, 64 calls or more are sent at most 1.5 times on average: 16 retries for 64 calls, and one
/// for five. Up to a sixth of the attempts can fail without using up the reserve.
const ANSWERS_PER_RETRY: usize = 5;

const FULL: usize = RESERVE * ANSWERS_PER_RETRY;

/// The retries that the server may still invite.
#[derive(Debug)]
pub(super) struct RetryBudget {
    /// The retries left, in shares of which an answered call adds one.
    shares: AtomicUsize,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { shares: AtomicUsize::new(FULL) }
    }
}

impl RetryBudget {
    /// Adds the share of an answered call.
    pub(super) fn add_answer(&self) {
        // A server that refuses no call only reads the number, which all of its threads share.
        if self.shares.load(Relaxed) < FULL {
            let _ = self.shares.fetch_update(Relaxed, Relaxed, |shares| (shares < FULL).then(|| shares + 1));
        }
    }

    /// Takes one retry out of the budget. Returns whether one was left.
    pub(super) fn take_retry(&self) -> bool {
        self.shares.fetch_update(Relaxed, Relaxed, |shares| shares.checked_sub(ANSWERS_PER_RETRY)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_limited_by_the_reserve_and_by_the_answers() {
        let budget = RetryBudget::default();
        // Answers do not add to a full budget.
        budget.add_answer();
        assert_eq!((0..100).filter(|_| budget.take_retry()).count(), RESERVE);
        for (answers, retries) in [(ANSWERS_PER_RETRY - 1, 0), (1, 1), (ANSWERS_PER_RETRY * 3, 3)] {
            (0..answers).for_each(|_| budget.add_answer());
            assert_eq!((0..100).filter(|_| budget.take_retry()).count(), retries);
        }
    }
}
