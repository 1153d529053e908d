//! How calls make answers whose size is known only when they are made.
//!
//! Each answer is paid as soon as it is made, in the same moment, so that none is held without its room. If there is no
//! room, the call drops the answer, waits for room with nothing in its hands, and makes the answer again. On a worker,
//! room is taken when the turn of the call comes, so that calls in the queue hold none. Must not know which method is
//! called.

use crate::error::ApiError;
use crate::middleware::account::answers::LONGEST_WAIT;
use crate::services::RedLines;
use crate::services::size::{Answer, LARGEST_ROOM};
use std::sync::Arc;
use tokio::time::Instant;

/// What is answered, which decides where it waits and when its room is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer of a call.
    Call,
    /// The answer of a call whose making costs much: room for the largest answer is taken before the work, so that the
    /// work is not done in vain.
    LongCall,
    /// An item of a stream: the room is taken in addition to that of the items before it.
    Item,
}

/// What is missing when there is no room for an answer.
struct NoRoom {
    bytes: usize,
}

impl RedLines {
    /// Makes an answer and takes room for it, on this thread.
    ///
    /// # Errors
    /// The errors of `make`, or that there is no room after the maximum time, or too many calls wait.
    pub(super) async fn answer<M: Answer>(
        &self,
        kind: Kind,
        make: impl Fn(&Self) -> Result<M, ApiError>,
    ) -> Result<M, ApiError> {
        let mut wait = Wait::default();
        loop {
            match self.attempt(kind, &make)? {
                Ok(answer) => return Ok(answer),
                Err(missing) => wait.wait(self, missing).await?,
            }
        }
    }

    /// Makes an answer on a worker thread, where it takes room for it.
    ///
    /// # Errors
    /// The errors of [`RedLines::answer`], [`RedLines::run_on_worker`] and, for an item,
    /// [`RedLines::run_on_worker_in_turn`].
    pub(super) async fn answer_on_worker<M: Answer>(
        &self,
        kind: Kind,
        make: impl Fn(&Self) -> Result<M, ApiError> + Send + Sync + 'static,
    ) -> Result<M, ApiError> {
        let (make, mut wait) = (Arc::new(make), Wait::default());
        loop {
            let make = make.clone();
            let attempt = move |service: &Self| service.attempt(kind, &*make);
            let attempted = match kind {
                Kind::Item => self.run_on_worker_in_turn(attempt).await,
                Kind::Call | Kind::LongCall => self.run_on_worker(attempt).await,
            };
            match attempted? {
                Ok(answer) => return Ok(answer),
                Err(missing) => wait.wait(self, missing).await?,
            }
            // Others may use the room until the next turn comes.
            if let Some(account) = self.call.account() {
                account.shrink_answer(0);
            }
        }
    }

    fn attempt<M: Answer>(
        &self,
        kind: Kind,
        make: impl Fn(&Self) -> Result<M, ApiError>,
    ) -> Result<Result<M, NoRoom>, ApiError> {
        let Some(account) = self.call.account() else { return make(self).map(Ok) };
        if kind == Kind::LongCall && !account.try_reserve_answer(LARGEST_ROOM) {
            return Ok(Err(NoRoom { bytes: LARGEST_ROOM }));
        }
        let made = make(self);
        let bytes = made.as_ref().map_or(0, Answer::bytes);
        let is_paid = match kind {
            Kind::Item => account.try_reserve_item(bytes),
            Kind::Call | Kind::LongCall => account.try_reserve_answer(bytes),
        };
        if is_paid {
            account.shrink_answer(if kind == Kind::Item { 0 } else { bytes });
            return made.map(Ok);
        }
        self.call.forget_actions();
        Ok(Err(NoRoom { bytes }))
    }
}

/// Limits the time for which a call waits for room in all.
#[derive(Default)]
struct Wait {
    until: Option<Instant>,
}

impl Wait {
    async fn wait(&mut self, service: &RedLines, missing: NoRoom) -> Result<(), ApiError> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + LONGEST_WAIT);
        match service.call.account() {
            Some(account) => account.reserve_answer(missing.bytes, until).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
