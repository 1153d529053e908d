//! The calls that the client of a connection may reset before they are answered.
//!
//! A client may cancel calls. A call that is reset, however, costs the server as much as a refused one, and a client
//! that resets its calls at once could begin any number of them, because the bound of open streams does not hold them
//! up (rapid reset, CVE-2023-44487). Each call pays its quota, but there may be none. So resets have a budget, which
//! their address shares, because a client whose connection is closed can open another one. Each connection has a small
//! budget of its own, which it uses first, so that another client of the same address may still cancel calls.
//!
//! Must not know what the calls are.

use crate::middleware::callers::CallerState;
use std::sync::Arc;
use tokio::time::Instant;

/// Calls that a connection may reset at once, whatever other connections of its address do.
const BURST_OF_CONNECTION: f64 = 32.0;
/// Calls that a connection may reset in each second, beyond [`BURST_OF_CONNECTION`].
const PER_SECOND_OF_CONNECTION: f64 = 20.0;
/// Calls that all connections of an address may reset at once, as a multiple of the streams that one may have open.
///
/// A client may then cancel all of its calls, begin as many, and cancel those as well.
const BURST_OF_ADDRESS: u64 = 2;

/// What is left of a connection's budget.
pub(super) struct ResetBudget {
    left: f64,
    since: Instant,
    address: Arc<CallerState>,
    burst_of_address: u64,
}

impl ResetBudget {
    /// Creates the budget of a connection of this address, which may have `max_streams` open.
    pub(super) fn new(address: Arc<CallerState>, max_streams: u32) -> Self {
        let burst_of_address = BURST_OF_ADDRESS * u64::from(max_streams);
        Self { left: BURST_OF_CONNECTION, since: Instant::now(), address, burst_of_address }
    }

    /// Takes `count` resets; `false` if they are too many.
    pub(super) fn take(&mut self, count: usize) -> bool {
        let (now, count) = (Instant::now(), count as f64);
        let filled = (now - self.since).as_secs_f64() * PER_SECOND_OF_CONNECTION;
        self.left = (self.left + filled).min(BURST_OF_CONNECTION);
        self.since = now;
        let own = count.min(self.left.floor());
        self.left -= own;
        count <= own || self.address.take_resets((count - own) as u64, self.burst_of_address)
    }
}

#[cfg(test)]
mod tests {
    use super::ResetBudget;
    use crate::middleware::callers::Callers;

    #[test]
    fn connections_share_the_budget_of_their_address_and_have_a_small_one_of_their_own() {
        let callers = Callers::default();
        let address = callers.of_address([192, 0, 2, 1].into());
        let mut first = ResetBudget::new(address.clone(), 256);
        assert!((0..32 + 512).all(|_| first.take(1)));
        // Resets come back at 200 in a second, so a slow test may see some.
        assert!((0..300).any(|_| !first.take(1)));
        let mut second = ResetBudget::new(address, 256);
        assert!((0..32).all(|_| second.take(1)));
        assert!((0..300).any(|_| !second.take(1)));
        let mut of_other = ResetBudget::new(callers.of_address([192, 0, 2, 2].into()), 256);
        assert!(of_other.take(32 + 512) && !of_other.take(300));
    }
}
