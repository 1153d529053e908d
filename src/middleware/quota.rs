//! What each caller may ask in a time: a token bucket by caller, or, where callers are not known, by address.
//!
//! A call takes one; a message of a stream takes one; a batch takes as many as it has requests.

use crate::access::Caller;
use crate::error::ApiError;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Rate, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

type Buckets = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, DefaultClock>;

/// Everyone's buckets. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct Quotas {
    buckets: Arc<Buckets>,
    burst: NonZeroU32,
}

impl Quotas {
    /// So many a second, and so many at once after a rest.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { buckets: Arc::new(RateLimiter::dashmap(Rate::per_second(per_second).allow_burst(burst))), burst }
    }

    /// A caller's.
    pub(super) fn of(&self, caller: &Caller, address: Option<IpAddr>) -> Quota {
        let key = match (caller.is_known(), address) {
            (false, Some(address)) => network(address).to_string().into(),
            _ => Arc::from(caller.name()),
        };
        Quota { quotas: self.clone(), key }
    }

    /// Forgets the buckets that are full again: callers come and go.
    pub fn prune(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

/// Who has one address of IPv6 has all 2^64 of its network: it is one caller all the same.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// One caller's.
#[derive(Clone, Debug)]
pub struct Quota {
    quotas: Quotas,
    key: Arc<str>,
}

impl Quota {
    /// Takes so many.
    ///
    /// # Errors
    /// If there are not so many, and when there will be; none are taken then.
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
}

#[cfg(test)]
mod tests {
    use crate::access::Caller;
    use crate::middleware::quota::Quotas;
    use std::num::NonZeroU32;

    #[test]
    fn who_is_not_known_is_counted_by_network() {
        let one = NonZeroU32::MIN;
        let quotas = Quotas::new(one, one);
        let asks = |caller: &Caller, address: &str| quotas.of(caller, Some(address.parse().unwrap())).take(1).is_ok();
        let anyone = Caller::anyone();
        for (address, may) in [
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", false),
            ("2001:db8:0:2::1", true),
        ] {
            assert_eq!(asks(&anyone, address), may, "{address}");
        }
        // Who is known is one caller, wherever it is.
        let known = Caller::with_certificate("desk", std::time::SystemTime::now());
        assert!(asks(&known, "192.0.2.1") && !asks(&known, "192.0.2.9"));
    }
}
