//! The turns in which messages are decompressed: one message of each caller at a time, and few in all.
//!
//! Must not know where the messages come from.

use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

/// Messages of one caller that may be decompressed at a time.
pub(super) const OF_CALLER: usize = 1;

/// Returns the number of messages that may be decompressed at a time: one for every two processors, but at least one.
pub(super) fn in_all() -> usize {
    available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1))
}

/// The turn of a message to be decompressed. Another message has its turn when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _of_caller: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Waits for a turn: first among the messages of the caller, then among those of all callers.
    ///
    /// Each caller has one message at most in the second queue, so no caller is served more often than others.
    pub(super) async fn take(of_caller: Arc<Semaphore>, of_all: Arc<Semaphore>) -> Self {
        // The semaphores are never closed, so there always is a permit.
        let of_caller = of_caller.acquire_owned().await.ok();
        // Lets the thread look for arrivals and answer other calls first. While it has tasks to run, it looks only after
        // every 61st of them. A message that waits here keeps only those of its own caller.
        yield_now().await;
        Self { _of_caller: of_caller, _of_all: of_all.acquire_owned().await.ok() }
    }
}
