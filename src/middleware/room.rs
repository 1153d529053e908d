//! Rooms: bounded amounts of memory that calls share.
//!
//! Must not know what is kept in a room.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::Notify;

/// Part of a room that only small amounts may use, as a divisor: 4 stands for a quarter.
///
/// The usual small requests and answers therefore find room when large ones have taken the rest.
const PART_FOR_SMALL: usize = 4;
/// What a call may hold and still count as small, in bytes.
pub(super) const SMALL_BYTES: usize = 64 * 1024;

/// Why something does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The caller already has its share.
    Caller,
    /// Too little is free.
    Room,
}

/// An amount of memory, in bytes, of which calls take parts.
#[derive(Debug)]
pub(super) struct Room {
    capacity: usize,
    used: AtomicUsize,
    /// The calls that wait for a part.
    waiting: AtomicUsize,
    /// Notifies the waiting calls that something was given back.
    pub(super) freed: Notify,
}

impl Room {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, used: AtomicUsize::default(), waiting: AtomicUsize::default(), freed: Notify::new() }
    }

    /// Returns the share of one caller: half of the room.
    ///
    /// One caller alone can then do much, and never everything.
    pub(super) fn share(&self) -> usize {
        self.capacity / 2
    }

    /// Returns what one caller may take in all for a call that then holds `bytes`: the last part of the share, too, is
    /// for small ones.
    pub(super) fn share_for(&self, bytes: usize) -> usize {
        if bytes <= SMALL_BYTES { self.share() } else { self.share() - self.share() / PART_FOR_SMALL }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Takes `bytes` for a call that holds `held` bytes already.
    pub(super) fn take(&self, bytes: usize, held: usize) -> Result<(), NoRoom> {
        add_within(&self.used, bytes, self.limit_for(bytes, held)).ok_or(NoRoom::Room)
    }

    /// Returns how many bytes others must give back so that `bytes` fit for a call that holds `held` bytes already.
    pub(super) fn missing(&self, bytes: usize, held: usize) -> usize {
        self.used().saturating_add(bytes).saturating_sub(self.limit_for(bytes, held))
    }

    fn limit_for(&self, bytes: usize, held: usize) -> usize {
        let is_small = held.saturating_add(bytes) <= SMALL_BYTES;
        if is_small { self.capacity } else { self.capacity - self.capacity / PART_FOR_SMALL }
    }

    /// Counts a waiting call, until the returned value is dropped; `None` if `max` calls wait.
    pub(super) fn wait(&self, max: usize) -> Option<Waiting<'_>> {
        add_within(&self.waiting, 1, max).map(|()| Waiting(self))
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
        if self.waiting.load(Relaxed) > 0 {
            self.freed.notify_waiters();
        }
    }
}

/// Adds to a counter, unless it would exceed `limit`.
pub(super) fn add_within(counter: &AtomicUsize, amount: usize, limit: usize) -> Option<()> {
    let added = |now: usize| now.checked_add(amount).filter(|after| *after <= limit);
    counter.fetch_update(Relaxed, Relaxed, added).ok().map(drop)
}

/// Counts a waiting call until it is dropped.
pub(super) struct Waiting<'a>(&'a Room);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
