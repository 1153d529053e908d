//! What answers may take that wait to be read, in bytes: on one connection, and in all.
//!
//! Flow control makes an answer wait for its client, and one of four mebibytes for each call that is let in would be
//! gigabytes. Room is taken once an answer is there, and given back when it has left. Large answers have half of all the
//! room, so that who doesn't read them doesn't stop the usual, small ones.

use crate::error::ApiError;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is counted in these.
const UNIT: usize = 1024;
/// From this size on an answer is a large one.
const LARGE_BYTES: usize = 64 * 1024;
/// What the answers of one connection may take: four of the largest.
pub const MAX_BYTES_OF_CONNECTION: usize = 16 * 1024 * 1024;

/// The room for all answers. A clone is the same.
#[derive(Clone, Debug)]
pub struct ResponseBudget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The room for the answers of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionBudget(Arc<Semaphore>);

/// Room that an answer has, until it is dropped.
#[derive(Clone, Debug)]
pub struct Taken {
    _permits: Arc<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

impl Default for ConnectionBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES_OF_CONNECTION / UNIT)))
    }
}

impl ResponseBudget {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        let half = || Arc::new(Semaphore::new((bytes / UNIT / 2).min(Semaphore::MAX_PERMITS)));
        Self { small: half(), large: half() }
    }

    /// Takes room for an answer of so many bytes.
    ///
    /// # Errors
    /// If there is none: on the connection, whose client reads too little, or in all.
    pub fn take(&self, bytes: usize, connection: Option<&ConnectionBudget>) -> Result<Taken, ApiError> {
        // What it is encoded into grows by doubling.
        let units = u32::try_from(bytes.next_power_of_two().div_ceil(UNIT)).unwrap_or(u32::MAX);
        let here = connection.map(|ConnectionBudget(room)| room.clone().try_acquire_many_owned(units)).transpose();
        let here = here.map_err(|_| ApiError::AnswersUnread { limit: MAX_BYTES_OF_CONNECTION })?;
        let all = if bytes < LARGE_BYTES { &self.small } else { &self.large };
        let all = all.clone().try_acquire_many_owned(units).map_err(|_| ApiError::Overloaded)?;
        Ok(Taken { _permits: Arc::new((all, here)) })
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ApiError;
    use crate::middleware::room::{ConnectionBudget, MAX_BYTES_OF_CONNECTION, ResponseBudget};

    const LARGEST: usize = 4 * 1024 * 1024;

    #[test]
    fn a_connection_has_its_share_and_no_more_until_it_reads() {
        let (room, one, other) =
            (ResponseBudget::new(1 << 30), ConnectionBudget::default(), ConnectionBudget::default());
        let mut taken: Vec<_> = (0..4).map(|_| room.take(LARGEST, Some(&one)).unwrap()).collect();
        let refused = room.take(1, Some(&one)).unwrap_err();
        assert_eq!(refused, ApiError::AnswersUnread { limit: MAX_BYTES_OF_CONNECTION });
        assert!(room.take(LARGEST, Some(&other)).is_ok());
        taken.pop();
        assert!(room.take(LARGEST, Some(&one)).is_ok());
    }

    #[test]
    fn large_answers_leave_room_for_small_ones() {
        let room = ResponseBudget::new(16 * 1024 * 1024);
        let large: Vec<_> = (0..2).map(|_| room.take(LARGEST, None).unwrap()).collect();
        assert_eq!(room.take(64 * 1024, None).unwrap_err(), ApiError::Overloaded);
        let small: Vec<_> = (0..8 * 1024).map(|_| room.take(1000, None).unwrap()).collect();
        assert_eq!(room.take(1000, None).unwrap_err(), ApiError::Overloaded);
        drop((large, small));
        assert!(room.take(LARGEST, None).is_ok() && room.take(1000, None).is_ok());
    }
}
