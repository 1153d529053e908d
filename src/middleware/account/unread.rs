//! Which answers end so that others can be made: those whose clients do not take them.
//!
//! A client can keep the server from freeing an answer, by not reading it. As long as there is room, the answer waits.
//! When there is none, the answers of clients that have read nothing for a second end, and after them those of clients
//! that are too slow. Must not know why room is needed.

use crate::locks::lock;
use crate::middleware::account::needs::Needed;
use crate::middleware::account::{Account, CallBounds};
use crate::middleware::callers::CallerState;
use crate::middleware::clock::uptime;
use crate::middleware::progress::{ConnectionState, Stuck};
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Time without progress after which a client that keeps an answer from being sent does not read.
const NOT_READING: Duration = Duration::from_secs(1);
/// Time that a client may need for a whole answer while others wait for room.
///
/// It is as long as a call waits for room. A client with 2 MB/s reads the largest answer, 4 MiB, in less than half of it.
const LONGEST_SENDING: Duration = Duration::from_secs(5);

impl CallBounds {
    /// Makes `bytes` free for an answer, for whose room a call has waited for this time.
    pub(super) fn need(&self, bytes: usize, waited: Duration) {
        let needed = {
            let mut needs = lock(&self.0.needs);
            needs.add(bytes, waited);
            needs.take(uptime())
        };
        needed.into_iter().for_each(|needed| self.make_room(needed));
    }

    /// Makes room for an answer of a caller that has its share.
    pub(super) fn need_of_caller(&self, caller: &Arc<CallerState>, bytes: usize) {
        let needed = {
            let mut needs = lock(&self.0.needs);
            needs.add_of_caller(caller, bytes);
            needs.take(uptime())
        };
        needed.into_iter().for_each(|needed| self.make_room(needed));
    }

    /// Ends answers until as much is free as is needed: the largest, of the callers that hold most.
    ///
    /// For a caller that needs more than its share, these are its own answers.
    fn make_room(&self, mut needed: Needed) {
        let mut candidates = self.candidates(needed.long > 0);
        candidates.sort_unstable_by_key(|found| (found.reads, Reverse(found.of_caller), Reverse(found.held)));
        let mut freed = 0;
        for Candidate { unread, payer, held, seen, reads, .. } in candidates {
            let of_caller = needed.of_callers.iter_mut().find(|(caller, bytes)| {
                // A caller's slow reading harms nobody else while it has its share, so it may take its time.
                !reads && *bytes > 0 && Arc::ptr_eq(caller, &payer)
            });
            if of_caller.is_none() && freed >= if reads { needed.long } else { needed.bytes } {
                continue;
            }
            of_caller.into_iter().for_each(|(_, bytes)| *bytes = bytes.saturating_sub(held));
            freed += held;
            match unread {
                // It is counted where it ends, because its client may have read on in this moment.
                Unread::Answer(account) => account.answer.end(seen),
                Unread::Connection(connection) => {
                    self.0.evicted.fetch_add(1, Relaxed);
                    connection.progress.end(seen);
                }
            }
        }
    }

    /// Returns the answers and connections whose clients read nothing and, with `slow`, the answers of slow clients.
    fn candidates(&self, slow: bool) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for account in &self.0.stuck {
            let (Some(seen), Some(payer)) = (account.answer.stuck(), account.payer.get()) else { continue };
            let reads = seen.time() < NOT_READING;
            if !reads || slow && account.pace.is_slower_than(LONGEST_SENDING) {
                let (held, payer) = (account.answers.load(Relaxed), payer.clone());
                let of_caller = payer.answers.load(Relaxed);
                candidates.push(Candidate {
                    unread: Unread::Answer(account.clone()),
                    payer,
                    of_caller,
                    held,
                    seen,
                    reads,
                });
            }
        }
        for connection in &self.0.connections {
            let Some(connection) = connection.upgrade() else { continue };
            let stuck = connection.progress.stuck().filter(|stuck| stuck.time() >= NOT_READING);
            if let Some((seen, payer)) = stuck.zip(connection.first.get().cloned()) {
                let held = connection.held.load(Relaxed);
                let unread = Unread::Connection(connection);
                candidates.push(Candidate { unread, payer, of_caller: held, held, seen, reads: false });
            }
        }
        candidates
    }
}

/// An answer or a connection that may end.
struct Candidate {
    unread: Unread,
    payer: Arc<CallerState>,
    /// Bytes that the caller holds.
    of_caller: usize,
    /// Bytes that become free.
    held: usize,
    seen: Stuck,
    /// Whether the client reads, although slowly.
    reads: bool,
}

/// An answer or a connection that its client does not read.
enum Unread {
    Answer(Arc<Account>),
    Connection(Arc<ConnectionState>),
}
