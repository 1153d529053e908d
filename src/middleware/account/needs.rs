//! The room that waiting calls need for their answers.
//!
//! The calls look for room every 50 milliseconds, each at another time. Their needs are collected, so that one of them
//! looks for unread answers for all. Must not know how room is made.

use crate::middleware::callers::CallerState;
use std::sync::Arc;
use std::time::Duration;

/// Minimum time between two searches for unread answers, which look at every call that waits for its client.
const BETWEEN_SEARCHES: Duration = Duration::from_millis(50);
/// Time for which a call waits before slow clients, and not only those that read nothing, must make room for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The needs of waiting calls since the last search for unread answers.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// When that was, as the time since the program began.
    searched: Duration,
    needed: Needed,
}

/// Bytes that must be freed: as many as the call with the greatest need is short of. The others have their turn after it.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// By anybody.
    pub(super) bytes: usize,
    /// By anybody, of which slow clients must make room, too.
    pub(super) long: usize,
    /// By callers that need more than their shares. These are their own answers.
    pub(super) of_callers: Vec<(Arc<CallerState>, usize)>,
}

impl Needs {
    /// Adds what must be freed for a call that has waited for this time.
    pub(super) fn add(&mut self, bytes: usize, waited: Duration) {
        let needed = &mut self.needed;
        needed.bytes = needed.bytes.max(bytes);
        if waited >= PATIENCE {
            needed.long = needed.long.max(bytes);
        }
    }

    /// Adds what a call needs whose caller has its share.
    pub(super) fn add_of_caller(&mut self, caller: &Arc<CallerState>, bytes: usize) {
        let of_callers = &mut self.needed.of_callers;
        match of_callers.iter_mut().find(|(other, _)| Arc::ptr_eq(other, caller)) {
            Some((_, needed)) => *needed = bytes.max(*needed),
            None => of_callers.push((caller.clone(), bytes)),
        }
    }

    /// Takes what is needed, if it is time to search for unread answers.
    pub(super) fn take(&mut self, now: Duration) -> Option<Needed> {
        // The first search need not wait.
        let is_time = self.searched.is_zero() || now.saturating_sub(self.searched) >= BETWEEN_SEARCHES;
        is_time.then(|| {
            self.searched = now;
            std::mem::take(&mut self.needed)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::middleware::account::needs::{BETWEEN_SEARCHES, Needs, PATIENCE};
    use crate::middleware::callers::Callers;
    use std::time::Duration;

    #[test]
    fn one_search_serves_all_calls_of_an_interval() {
        let callers = Callers::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| callers.of_address(address.parse().unwrap()));
        let (mut needs, begin) = (Needs::default(), Duration::from_secs(60));
        needs.add(10, Duration::ZERO);
        assert_eq!(needs.take(begin).unwrap().bytes, 10);
        for (bytes, waited) in [(20, PATIENCE - Duration::from_millis(1)), (30, Duration::ZERO), (7, PATIENCE)] {
            needs.add(bytes, waited);
            assert!(needs.take(begin + BETWEEN_SEARCHES - Duration::from_millis(1)).is_none());
        }
        for (caller, bytes) in [(&one, 5), (&other, 6), (&one, 8), (&one, 2)] {
            needs.add_of_caller(caller, bytes);
        }
        let needed = needs.take(begin + BETWEEN_SEARCHES).unwrap();
        let of_callers: Vec<_> = needed.of_callers.iter().map(|(_, bytes)| *bytes).collect();
        assert_eq!((needed.bytes, needed.long, of_callers), (30, 7, vec![8, 6]));
        assert_eq!(needs.take(begin + 2 * BETWEEN_SEARCHES).unwrap().bytes, 0, "each need is served once");
    }
}
