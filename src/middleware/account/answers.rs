//! The memory of answers: reserved before they are made, paid until they have left the server.
//!
//! A call that finds no room waits, and holds nothing meanwhile: it drops its answer, and makes it again when it has
//! room. The few answers that cannot be made again, because their making took too long, may be held by few calls at a
//! time. Must not know what answers contain, or whose answers end to make room.

use crate::error::ApiError;
use crate::middleware::account::{Account, CallAccount, address, subtract_one};
use crate::middleware::room::{NoRoom, add_within};
use crate::middleware::share::{give_back, take};
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Maximum time that an answer waits for room.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Time after which a waiting call looks for room again.
///
/// It is woken when room is given back, and looks again in between, because other clients may have stopped reading.
pub(super) const BETWEEN_TRIES: Duration = Duration::from_millis(50);
/// Maximum number of calls that wait for room.
const MAX_WAITING: usize = 256;
/// Maximum number of calls that wait for room while they hold a finished answer, one of each caller.
pub(crate) const MAX_FINISHED: usize = 2;
/// Maximum size of such an answer, in bytes. Larger ones find room at once, or are refused.
///
/// Nearly all analyses have smaller answers. Most find room in the quarter for small ones, and need not wait.
pub(crate) const MAX_FINISHED_BYTES: usize = 256 * 1024;

impl CallAccount {
    /// Makes sure that room is taken for an answer of `bytes`; `false` if there is none at the moment.
    pub(crate) fn try_reserve_answer(&self, bytes: usize) -> bool {
        self.try_answer(bytes).is_ok()
    }

    /// Makes sure that room is taken for an answer of `bytes`: waits for it, and ends answers that nobody reads.
    ///
    /// The call must not hold the answer meanwhile.
    ///
    /// # Errors
    /// If there is no room at the time `until`, or too many calls wait.
    pub(crate) async fn reserve_answer(&self, bytes: usize, until: Instant) -> Result<(), ApiError> {
        let Err(no_room) = self.try_answer(bytes) else { return Ok(()) };
        let (bounds, began) = (&self.0.bounds, Instant::now());
        let room = &bounds.0.answers;
        let error = move |no_room| match no_room {
            NoRoom::Caller => ApiError::AnswersUnread { limit: room.share() },
            NoRoom::Room => ApiError::Overloaded,
        };
        let Some(_waiting) = room.wait(MAX_WAITING) else { return Err(error(no_room)) };
        loop {
            // Created before the try, so that it notices everything that is given back after it.
            let freed = room.freed.notified();
            match (self.try_answer(bytes), self.0.payer.get()) {
                (Ok(()), _) => return Ok(()),
                (Err(no_room), _) if Instant::now() >= until => return Err(error(no_room)),
                (Err(NoRoom::Caller), Some(payer)) => bounds.need_of_caller(payer, bytes),
                (Err(_), _) => {
                    let more = bytes.saturating_sub(self.0.reserved.load(Relaxed));
                    bounds.need(room.missing(more, self.0.answers.load(Relaxed)), began.elapsed());
                }
            }
            let _ = timeout_at(until.min(Instant::now() + BETWEEN_TRIES), freed).await;
        }
    }

    /// Makes sure that room is taken for an answer of `bytes` that the call already holds, and that cannot be made again.
    ///
    /// # Errors
    /// If the room is full, and the answer is too large to wait or other calls wait with their answers; or if the room is
    /// still full after the maximum time.
    pub(crate) async fn reserve_finished(&self, bytes: usize) -> Result<(), ApiError> {
        if self.try_answer(bytes).is_ok() {
            return Ok(());
        }
        let place = (bytes <= MAX_FINISHED_BYTES).then(|| FinishedPlace::take(&self.0)).flatten();
        let _place = place.ok_or(ApiError::Overloaded)?;
        self.reserve_answer(bytes, Instant::now() + LONGEST_WAIT).await
    }

    /// Takes room for a message that is handed to the encoder, in addition to the messages before it: from what is
    /// reserved for the answer, and else from the room; `false` if there is none at the moment.
    pub(crate) fn try_reserve_item(&self, bytes: usize) -> bool {
        let reserved = self.0.reserved.load(Relaxed).min(bytes);
        if self.0.take_answer(bytes - reserved).is_err() {
            return false;
        }
        self.0.reserved.fetch_sub(reserved, Relaxed);
        self.0.items.fetch_add(bytes, Relaxed);
        true
    }

    fn try_answer(&self, bytes: usize) -> Result<(), NoRoom> {
        let reserved = self.0.reserved.load(Relaxed);
        let Some(more) = bytes.checked_sub(reserved).filter(|more| *more > 0) else { return Ok(()) };
        self.0.take_answer(more)?;
        self.0.reserved.fetch_add(more, Relaxed);
        Ok(())
    }

    /// Gives back what is reserved for the answer beyond `bytes`.
    pub(crate) fn shrink_answer(&self, bytes: usize) {
        let reserved = self.0.reserved.load(Relaxed);
        if let Some(less) = reserved.checked_sub(bytes).filter(|less| *less > 0) {
            self.0.reserved.fetch_sub(less, Relaxed);
            self.0.give_back_answer(less);
        }
    }

    /// Pays for a part of the answer until it has left the server: from what is reserved, and else from the room, for
    /// which it waits.
    ///
    /// # Errors
    /// The errors of [`CallAccount::reserve_finished`].
    pub(crate) async fn part(&self, data: Bytes) -> Result<Bytes, ApiError> {
        let account = &*self.0;
        let items = account.items.load(Relaxed);
        // Nearly always reserved: answers of reflection and health are not.
        self.reserve_finished(data.len().saturating_sub(items)).await?;
        // The part contains all items before it. They take less if they are compressed.
        account.items.store(0, Relaxed);
        account.give_back_answer(items.saturating_sub(data.len()));
        let reserved = data.len().saturating_sub(items);
        let following = account.reserved.fetch_sub(reserved, Relaxed) - reserved;
        account.pace.begin_part(data.len(), following);
        Ok(self.owned(data))
    }

    /// Pays for a part of the answer that is taken from the room at once; `None` if there is none.
    pub(crate) fn small_part(&self, data: Bytes) -> Option<Bytes> {
        self.0.take_answer(data.len()).ok().map(|()| self.owned(data))
    }

    fn owned(&self, data: Bytes) -> Bytes {
        Bytes::from_owner(Part { data, account: self.clone() })
    }

    /// Notes that `bytes` of the part of the answer were sent.
    pub(crate) fn note_sent(&self, bytes: usize) {
        self.0.pace.take(bytes);
    }

    /// Waits until the answer must end because its client does not read, while `sending` waits for the client.
    ///
    /// `None` if the answer must end.
    pub(crate) async fn while_stuck<F: Future>(&self, sending: F) -> Option<F::Output> {
        self.0.answer.stop();
        self.0.bounds.0.stuck.insert(address(&self.0), self.0.clone());
        let _stuck = StuckCall(&self.0);
        tokio::select! {
            biased;
            sent = sending => Some(sent),
            () = self.0.answer.wait_for_end() => {
                self.0.bounds.0.evicted.fetch_add(1, Relaxed);
                None
            }
        }
    }

    /// Notes that the client has taken a part of the answer, and waits for the next one.
    pub(crate) fn note_progress(&self) {
        self.0.answer.stop();
    }
}

impl Account {
    fn take_answer(&self, bytes: usize) -> Result<(), NoRoom> {
        let Some(payer) = self.payer.get().filter(|_| bytes > 0) else { return Ok(()) };
        take(&self.bounds.0.answers, |state| &state.answers, payer, bytes, &self.answers)?;
        self.connection.held.fetch_add(bytes, Relaxed);
        Ok(())
    }

    fn give_back_answer(&self, bytes: usize) {
        let Some(payer) = self.payer.get().filter(|_| bytes > 0) else { return };
        self.answers.fetch_sub(bytes, Relaxed);
        self.connection.held.fetch_sub(bytes, Relaxed);
        give_back(&self.bounds.0.answers, |state| &state.answers, payer, bytes);
    }
}

/// A part of an answer, which is paid until it is dropped: when it has left the server.
struct Part {
    data: Bytes,
    account: CallAccount,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The memory is freed first, and then given back.
        let bytes = std::mem::take(&mut self.data).len();
        self.account.0.give_back_answer(bytes);
    }
}

/// The place of a call that waits for room while it holds an answer.
struct FinishedPlace<'a>(&'a Account);

impl<'a> FinishedPlace<'a> {
    fn take(account: &'a Account) -> Option<Self> {
        let of_caller = account.payer.get().map(|payer| &payer.finished);
        if of_caller.is_some_and(|count| add_within(count, 1, 1).is_none()) {
            return None;
        }
        if add_within(&account.bounds.0.finished, 1, MAX_FINISHED).is_none() {
            of_caller.into_iter().for_each(subtract_one);
            return None;
        }
        Some(Self(account))
    }
}

impl Drop for FinishedPlace<'_> {
    fn drop(&mut self) {
        let of_caller = self.0.payer.get().map(|payer| &payer.finished);
        [Some(&self.0.bounds.0.finished), of_caller].into_iter().flatten().for_each(subtract_one);
    }
}

/// Takes an account out of the table of stuck calls when dropped.
struct StuckCall<'a>(&'a Arc<Account>);

impl Drop for StuckCall<'_> {
    fn drop(&mut self) {
        self.0.answer.go_on();
        self.0.bounds.0.stuck.remove(&address(self.0));
    }
}

#[cfg(test)]
mod tests;
