//! Quotas: a token bucket for each caller or, if callers are not identified, for each network address.
//!
//! A call takes one token, a message of a stream takes one, a batch takes one for each of its requests, and a
//! comparison takes one for each of its proposals. Must not know how a call is answered.

use crate::access::Caller;
use crate::error::ApiError;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Rate, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

type Buckets = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, DefaultClock>;

/// The token buckets of all callers. Clones share them.
#[derive(Clone, Debug)]
pub struct Quotas {
    buckets: Arc<Buckets>,
    burst: NonZeroU32,
}

impl Quotas {
    /// Creates quotas of `per_second` requests, with bursts of up to `burst` requests.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { buckets: Arc::new(RateLimiter::dashmap(Rate::per_second(per_second).allow_burst(burst))), burst }
    }

    /// Returns a caller's quota; anonymous callers share one quota per network of `address`.
    pub(super) fn of(&self, caller: &Caller, address: Option<IpAddr>) -> Quota {
        let key = match (caller.is_known(), address) {
            (false, Some(address)) => network(address).to_string().into(),
            _ => Arc::from(caller.name()),
        };
        Quota { quotas: self.clone(), key }
    }

    /// Removes the buckets that are full again, so that callers who have left take no memory.
    pub fn prune(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

/// Returns the network of an address: the /64 network of IPv6, and the address itself of IPv4.
///
/// The owner of one IPv6 address usually owns all 2^64 addresses of the network, and would otherwise have a quota for
/// each of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// The quota of one caller.
#[derive(Clone, Debug)]
pub struct Quota {
    quotas: Quotas,
    key: Arc<str>,
}

impl Quota {
    /// Takes `count` tokens.
    ///
    /// # Errors
    /// If `count` exceeds the burst, or if there are fewer than `count` tokens; the second error states the time until
    /// there are enough. An error takes no token.
    pub fn take(&self, count: u32) -> Result<(), ApiError> {
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        let Quotas { buckets, burst } = &self.quotas;
        match buckets.check_key_n(&self.key, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                Err(ApiError::QuotaExceeded { retry_after: until.wait_time_from(DefaultClock::default().now()) })
            }
            Err(_) => Err(ApiError::BeyondBurst { asked: count.get(), burst: burst.get() }),
        }
    }

    /// Takes the tokens of a call of `count` parts, except the first token, which the call took when it was admitted.
    ///
    /// # Errors
    /// The errors of [`Self::take`]. The first token is included when `count` is compared with the burst.
    pub fn take_rest(&self, count: usize) -> Result<(), ApiError> {
        let (count, burst) = (u32::try_from(count).unwrap_or(u32::MAX), self.quotas.burst.get());
        if count > burst {
            return Err(ApiError::BeyondBurst { asked: count, burst });
        }
        self.take(count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use crate::access::Caller;
    use crate::error::ApiError;
    use crate::middleware::quota::Quotas;
    use std::num::NonZeroU32;

    #[test]
    fn a_call_of_more_parts_than_the_burst_is_told_so_and_not_to_retry() {
        let quotas = Quotas::new(NonZeroU32::MIN, NonZeroU32::new(3).unwrap());
        let quota = quotas.of(&Caller::anonymous(), None);
        quota.take(1).unwrap();
        assert_eq!(quota.take_rest(4), Err(ApiError::BeyondBurst { asked: 4, burst: 3 }));
        assert_eq!(quota.take_rest(3), Ok(()));
        assert!(matches!(quota.take(1), Err(ApiError::QuotaExceeded { .. })));
        assert_eq!((quota.take_rest(1), quota.take_rest(0)), (Ok(()), Ok(())));
    }

    #[test]
    fn anonymous_callers_share_a_quota_per_network() {
        let one = NonZeroU32::MIN;
        let quotas = Quotas::new(one, one);
        let is_admitted =
            |caller: &Caller, address: &str| quotas.of(caller, Some(address.parse().unwrap())).take(1).is_ok();
        let anonymous = Caller::anonymous();
        for (address, expected) in [
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", false),
            ("2001:db8:0:2::1", true),
        ] {
            assert_eq!(is_admitted(&anonymous, address), expected, "{address}");
        }
        // An identified caller has one quota, whatever its address.
        let known = Caller::with_certificate("desk", std::time::SystemTime::now());
        assert!(is_admitted(&known, "192.0.2.1") && !is_admitted(&known, "192.0.2.9"));
    }
}
