//! A caller's share of a room: what one caller takes counts for the room, the caller and its site.
//!
//! Must not know what is kept in the room.

use crate::middleware::callers::{CallerState, SITE_SHARES};
use crate::middleware::room::{NoRoom, Room, add_within};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Reads the counter of what a caller has taken of one room.
type PartOf = fn(&CallerState) -> &AtomicUsize;

/// Takes `bytes` of a room for `payer`, and adds them to `held`.
pub(super) fn take(
    room: &Room,
    part: PartOf,
    payer: &CallerState,
    bytes: usize,
    held: &AtomicUsize,
) -> Result<(), NoRoom> {
    let share = room.share_for(held.load(Relaxed).saturating_add(bytes));
    add_within(part(payer), bytes, share).ok_or(NoRoom::Caller)?;
    let of_site = payer.site.as_deref().map(part);
    if of_site.is_some_and(|of_site| add_within(of_site, bytes, share * SITE_SHARES).is_none()) {
        part(payer).fetch_sub(bytes, Relaxed);
        return Err(NoRoom::Caller);
    }
    match room.take(bytes, held.load(Relaxed)) {
        Ok(()) => {
            held.fetch_add(bytes, Relaxed);
            Ok(())
        }
        Err(no_room) => {
            part(payer).fetch_sub(bytes, Relaxed);
            if let Some(of_site) = of_site {
                of_site.fetch_sub(bytes, Relaxed);
            }
            Err(no_room)
        }
    }
}

/// Gives back `bytes` of a room for `payer`.
pub(super) fn give_back(room: &Room, part: PartOf, payer: &CallerState, bytes: usize) {
    if bytes == 0 {
        return;
    }
    part(payer).fetch_sub(bytes, Relaxed);
    if let Some(site) = &payer.site {
        part(site).fetch_sub(bytes, Relaxed);
    }
    room.give_back(bytes);
}
