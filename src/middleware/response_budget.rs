//! Bounds the bytes of answers that wait to be read, on each connection and in total.
//!
//! Flow control makes an answer wait in memory until its client reads it; 4 MiB for each admitted call would add up to
//! gigabytes. An answer takes its bytes from the budget when it is ready, and returns them when it has been sent. Large
//! answers share one half of the budget, so that clients that do not read them cannot block the usual small answers.
//! Must not know what answers contain.

use crate::error::ApiError;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit of a semaphore stands for.
const UNIT: usize = 1024;
/// Size in bytes from which an answer counts as large.
const LARGE_BYTES: usize = 64 * 1024;
/// Bytes of answers that may wait on one connection: four of the largest.
pub const MAX_BYTES_OF_CONNECTION: usize = 16 * 1024 * 1024;

/// The budget for the answers of all connections. Clones share it.
#[derive(Clone, Debug)]
pub struct ResponseBudget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The budget for the answers of one connection. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionBudget(Arc<Semaphore>);

/// An answer's part of the budget, returned when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct ResponsePermit {
    _permits: Arc<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

impl Default for ConnectionBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES_OF_CONNECTION / UNIT)))
    }
}

impl ResponseBudget {
    /// Creates a budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let half = || Arc::new(Semaphore::new((bytes / UNIT / 2).min(Semaphore::MAX_PERMITS)));
        Self { small: half(), large: half() }
    }

    /// Takes `bytes` for an answer from both budgets.
    ///
    /// # Errors
    /// If the connection's budget is exhausted, because its client reads too little, or if the total budget is
    /// exhausted.
    pub fn take(&self, bytes: usize, connection: Option<&ConnectionBudget>) -> Result<ResponsePermit, ApiError> {
        // The answer is encoded into a buffer that grows by doubling, so its size is rounded up to a power of two.
        let units = u32::try_from(bytes.next_power_of_two().div_ceil(UNIT)).unwrap_or(u32::MAX);
        let of_connection =
            connection.map(|ConnectionBudget(permits)| permits.clone().try_acquire_many_owned(units)).transpose();
        let of_connection = of_connection.map_err(|_| ApiError::AnswersUnread { limit: MAX_BYTES_OF_CONNECTION })?;
        let total = if bytes < LARGE_BYTES { &self.small } else { &self.large };
        let total = total.clone().try_acquire_many_owned(units).map_err(|_| ApiError::Overloaded)?;
        Ok(ResponsePermit { _permits: Arc::new((total, of_connection)) })
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ApiError;
    use crate::middleware::response_budget::{ConnectionBudget, MAX_BYTES_OF_CONNECTION, ResponseBudget};

    const LARGEST: usize = 4 * 1024 * 1024;

    #[test]
    fn a_connection_is_refused_beyond_its_budget_until_its_client_reads() {
        let (budget, one, other) =
            (ResponseBudget::new(1 << 30), ConnectionBudget::default(), ConnectionBudget::default());
        let mut taken: Vec<_> = (0..4).map(|_| budget.take(LARGEST, Some(&one)).unwrap()).collect();
        let refused = budget.take(1, Some(&one)).unwrap_err();
        assert_eq!(refused, ApiError::AnswersUnread { limit: MAX_BYTES_OF_CONNECTION });
        assert!(budget.take(LARGEST, Some(&other)).is_ok());
        taken.pop();
        assert!(budget.take(LARGEST, Some(&one)).is_ok());
    }

    #[test]
    fn large_answers_leave_budget_for_small_ones() {
        let budget = ResponseBudget::new(16 * 1024 * 1024);
        let large: Vec<_> = (0..2).map(|_| budget.take(LARGEST, None).unwrap()).collect();
        assert_eq!(budget.take(64 * 1024, None).unwrap_err(), ApiError::Overloaded);
        let small: Vec<_> = (0..8 * 1024).map(|_| budget.take(1000, None).unwrap()).collect();
        assert_eq!(budget.take(1000, None).unwrap_err(), ApiError::Overloaded);
        drop((large, small));
        assert!(budget.take(LARGEST, None).is_ok() && budget.take(1000, None).is_ok());
    }
}
