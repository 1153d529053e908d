//! The places of streams of evaluations and reflection, which are counted by connection, by caller and in all; and
//! the calls for which a connection keeps its place. Each message of a stream of evaluations pays its quota.
//!
//! Must not know what a stream carries.

use crate::error::ApiError;
use crate::locks::lock;
use crate::middleware::account::CallAccount;
use crate::middleware::call_limits::{MAX_STREAMS, MAX_STREAMS_OF_CALLER, MAX_STREAMS_OF_CONNECTION};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

impl CallAccount {
    /// Counts the call as one in progress on its connection, which then makes room for no other connection.
    pub(in crate::middleware) fn keep_connection(&self) {
        if !self.0.keeps_connection.swap(true, Relaxed) {
            self.0.connection.calls.fetch_add(1, Relaxed);
        }
    }

    /// Takes the quota of a message of a stream, before it is decoded; `false` if the message is refused.
    pub(in crate::middleware) fn admit_message(&self) -> bool {
        let refusal = self.0.payer.get().and_then(|payer| payer.take_quota(1).err());
        let is_admitted = refusal.is_none();
        *lock(&self.0.refusal) = refusal;
        is_admitted
    }

    /// Takes the quota of a message of `count` parts, before it is decoded. The headers of the call paid for one.
    ///
    /// # Errors
    /// The errors of [`CallerState::take_rest`](crate::middleware::callers::CallerState::take_rest).
    pub(in crate::middleware) fn pay_parts(&self, count: usize) -> Result<(), ApiError> {
        self.0.payer.get().map_or(Ok(()), |payer| payer.take_rest(count))
    }

    /// Takes the error with which the message of a stream that was read last is refused.
    pub(crate) fn take_refusal(&self) -> Option<ApiError> {
        lock(&self.0.refusal).take()
    }

    /// Counts a stream of evaluations or reflection, until the returned place is dropped.
    ///
    /// # Errors
    /// If the connection, the caller or the server has too many of them.
    pub(crate) fn open_stream(&self) -> Result<StreamPlace, ApiError> {
        let account = &*self.0;
        let place = StreamPlace(self.clone());
        // Dropping the place takes from all counters, so all are added to first.
        let add = |counter: &AtomicUsize| counter.fetch_add(1, Relaxed) + 1;
        let of_caller = account.payer.get().map_or(1, |payer| add(&payer.streams));
        let (of_connection, all) = (add(&account.connection.streams), add(&account.bounds.0.streams));
        if of_connection > MAX_STREAMS_OF_CONNECTION {
            return Err(ApiError::TooManyStreams {
                what: "streams of evaluations or reflection",
                limit: MAX_STREAMS_OF_CONNECTION,
            });
        }
        if of_caller > MAX_STREAMS_OF_CALLER || all > MAX_STREAMS {
            return Err(ApiError::Overloaded);
        }
        Ok(place)
    }
}

/// The place of a stream of evaluations or reflection among the open ones.
#[derive(Debug)]
pub(crate) struct StreamPlace(CallAccount);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let account = &*self.0.0;
        let of_caller = account.payer.get().map(|payer| &payer.streams);
        let counters = [Some(&account.connection.streams), Some(&account.bounds.0.streams), of_caller];
        counters.into_iter().flatten().for_each(|counter| {
            counter.fetch_sub(1, Relaxed);
        });
    }
}
