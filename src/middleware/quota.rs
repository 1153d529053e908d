//! Quotas: a token bucket for each caller.
//!
//! A call takes one token, a message of a stream takes one, a batch takes one for each of its requests, and a
//! comparison takes one for each of its proposals. Must not know who a caller is, or how a call is answered.

use crate::error::ApiError;
use governor::clock::{Clock, DefaultClock};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;

/// The requests that a caller may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaLimit {
    /// Requests per second.
    pub per_second: NonZeroU32,
    /// Requests that may arrive at once, after a time without requests.
    pub burst: NonZeroU32,
}

impl QuotaLimit {
    /// Returns the limit of `times` callers together.
    pub(super) fn times(self, times: u32) -> Self {
        let times = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
        let (per_second, burst) = (self.per_second.saturating_mul(times), self.burst.saturating_mul(times));
        Self { per_second, burst }
    }

    /// Returns the time in which an empty bucket is full again.
    pub(super) fn refill(self) -> Duration {
        Duration::from_secs(u64::from(self.burst.get() / self.per_second) + 1)
    }
}

/// The token bucket of one caller.
#[derive(Debug)]
pub struct Quota {
    bucket: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    burst: NonZeroU32,
}

impl Quota {
    /// Creates a full bucket.
    pub fn new(limit: QuotaLimit) -> Self {
        let QuotaLimit { per_second, burst } = limit;
        Self { bucket: RateLimiter::direct(Rate::per_second(per_second).allow_burst(burst)), burst }
    }

    /// Takes `count` tokens.
    ///
    /// # Errors
    /// If `count` exceeds the burst, or if there are fewer than `count` tokens; the second error states the time until
    /// there are enough. An error takes no token.
    pub fn take(&self, count: u32) -> Result<(), ApiError> {
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        match self.bucket.check_n(count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                Err(ApiError::QuotaExceeded { retry_after: until.wait_time_from(DefaultClock::default().now()) })
            }
            Err(_) => Err(ApiError::BeyondBurst { asked: count.get(), burst: self.burst.get() }),
        }
    }

    /// Checks that a call of `count` parts can ever be admitted.
    ///
    /// # Errors
    /// If `count` exceeds the burst.
    pub(super) fn check_burst(&self, count: u32) -> Result<(), ApiError> {
        let burst = self.burst.get();
        if count > burst { Err(ApiError::BeyondBurst { asked: count, burst }) } else { Ok(()) }
    }
}
