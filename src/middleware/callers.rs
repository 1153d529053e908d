//! The callers of the server: who shares a quota, places for calls, and a part of the memory.
//!
//! A caller that the server identifies is known by the kind of its credentials and its name. All other callers are
//! known by their address; behind a trusted proxy, by the address that the proxy reports. The /64 networks of IPv6
//! count as one address each, and their /48 network has limits of its own, which are larger.
//!
//! The table of callers is bounded. When it is full, all callers that are not in it share one entry. Must not know how
//! a call is answered.

use crate::access::{Caller, CallerKey};
use crate::error::ApiError;
use crate::middleware::clock::{PerSecond, uptime_micros};
use crate::middleware::decompression_turn::OF_CALLER;
use crate::middleware::networks::{TrustedProxies, host, site};
use crate::middleware::quota::{Quota, QuotaLimit};
use dashmap::DashMap;
use http::HeaderMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Maximum number of callers in the table.
///
/// An entry takes about 300 bytes, so the full table takes 5 MiB. It holds more callers than a server of this kind
/// has, and few enough that an attacker with many addresses cannot fill the memory with them.
pub const MAX_CALLERS: usize = 16_384;
/// Maximum number of addresses and sites in the table. The last quarter is for callers with credentials, so that many
/// addresses cannot displace them.
const MAX_ADDRESSES: usize = MAX_CALLERS - MAX_CALLERS / 4;
/// How many times a site, the /48 network of IPv6, may take what one caller may take.
pub(super) const SITE_SHARES: usize = 2;
/// How many times the quota of a caller a site has.
const SITE_QUOTAS: u32 = 16;
/// Microseconds after which an address may reset another call: 200 in each second.
const RESET_COST: u64 = 5_000;
/// Tokens with a wrong signature that an address may send at once.
///
/// A verification takes 30 to 500 µs, by the size of the key, and a token that names no key is tried with up to four.
/// Honest clients send few wrong tokens, and the server remembers those that it has refused.
pub const FORGERIES: u64 = 100;
/// Microseconds after which an address may send another token with a wrong signature: 20 in each second, which take at
/// most 4 % of a processor.
const FORGERY_COST: u64 = 50_000;
/// Time for which the entry of a caller without calls stays, in addition to the time in which its quota is full again.
const KEPT: Duration = Duration::from_secs(60);

/// What one caller uses at the moment.
#[derive(Debug)]
pub struct CallerState {
    /// Identifies the caller.
    pub key: CallerKey,
    /// The number of open calls.
    pub(super) calls: AtomicUsize,
    /// The number of permits of the concurrency limit.
    pub(super) permits: AtomicUsize,
    /// The number of refused calls whose refusals have not left the server.
    pub(super) refused: AtomicUsize,
    /// The bytes of requests that the caller has sent and that the server still holds.
    pub(super) requests: AtomicUsize,
    /// The bytes of answers that are made for the caller, or that it has not read yet.
    pub(super) answers: AtomicUsize,
    /// The number of calls that wait for room although they hold an answer.
    pub(super) finished: AtomicUsize,
    /// The number of open streams of evaluations.
    pub(super) streams: AtomicUsize,
    /// The messages that may be decompressed now; made for the first compressed one.
    decompression_turns: OnceLock<Arc<Semaphore>>,
    quota: Option<Quota>,
    /// The site of an address.
    pub(super) site: Option<Arc<CallerState>>,
    /// Time of the latest call, in seconds since the table was made.
    used: AtomicU64,
    /// When the resets of calls so far are paid, in microseconds of the uptime: each takes [`RESET_COST`].
    resets: AtomicU64,
    /// When the wrong signatures so far are paid, in microseconds of the uptime: each takes [`FORGERY_COST`].
    forgeries: AtomicU64,
    /// Log lines about failed calls.
    pub(super) lines: PerSecond,
}

impl CallerState {
    fn new(key: CallerKey, quota: Option<Quota>, site: Option<Arc<CallerState>>) -> Self {
        let (calls, permits, refused, requests, answers, finished, streams) = Default::default();
        let (used, resets, forgeries, lines) = Default::default();
        Self {
            key,
            calls,
            permits,
            refused,
            requests,
            answers,
            finished,
            streams,
            decompression_turns: OnceLock::new(),
            quota,
            site,
            used,
            resets,
            forgeries,
            lines,
        }
    }

    /// Returns the messages of the caller that may be decompressed now.
    pub(super) fn decompression_turns(&self) -> Arc<Semaphore> {
        self.decompression_turns.get_or_init(|| Arc::new(Semaphore::new(OF_CALLER))).clone()
    }

    /// Takes `count` tokens of the caller's quota, and of its site's.
    ///
    /// # Errors
    /// The errors of [`Quota::take`].
    pub fn take_quota(&self, count: u32) -> Result<(), ApiError> {
        self.quota.as_ref().map_or(Ok(()), |quota| quota.take(count))?;
        self.site.as_ref().map_or(Ok(()), |site| site.take_quota(count))
    }

    /// Counts a token with a wrong signature, for the address and its site.
    pub(super) fn note_forgery(&self) {
        let now = uptime_micros();
        let cost =
            if matches!(self.key, CallerKey::Site(_)) { FORGERY_COST / u64::from(SITE_QUOTAS) } else { FORGERY_COST };
        // The function always returns a value, so the update never fails.
        let _ = self.forgeries.fetch_update(Relaxed, Relaxed, |paid| Some(paid.max(now).saturating_add(cost)));
        if let Some(site) = &self.site {
            site.note_forgery();
        }
    }

    /// Returns the time until the address, or its site, may send another unknown token; `None` if it may now.
    pub(super) fn wait_of_forger(&self) -> Option<Duration> {
        let due = self.forgeries.load(Relaxed).saturating_sub(uptime_micros());
        let own = (due + FORGERY_COST).checked_sub(FORGERIES * FORGERY_COST).filter(|wait| *wait > 0);
        let own = own.map(Duration::from_micros);
        own.max(self.site.as_ref().and_then(|site| site.wait_of_forger()))
    }

    /// Takes `count` resets of calls, of which `burst` may come at once; `false` if they are too many.
    pub(crate) fn take_resets(&self, count: u64, burst: u64) -> bool {
        let now = uptime_micros();
        let paid = |paid: u64| {
            let after = paid.max(now).saturating_add(count.saturating_mul(RESET_COST));
            (after - now <= burst.saturating_mul(RESET_COST)).then_some(after)
        };
        self.resets.fetch_update(Relaxed, Relaxed, paid).is_ok()
    }

    /// Takes the tokens of a call of `count` parts, except the first token, which the call took when it was admitted.
    ///
    /// # Errors
    /// The errors of [`Quota::take`]. The first token is included when `count` is compared with the burst.
    pub fn take_rest(&self, count: usize) -> Result<(), ApiError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.quota.as_ref().map_or(Ok(()), |quota| quota.check_burst(count))?;
        self.take_quota(count.saturating_sub(1))
    }
}

/// The table of callers. Clones share it.
#[derive(Clone, Debug)]
pub struct Callers {
    table: Arc<Table>,
}

#[derive(Debug)]
struct Table {
    states: DashMap<CallerKey, Arc<CallerState>>,
    count: AtomicUsize,
    others: Arc<CallerState>,
    quota: Option<QuotaLimit>,
    proxies: TrustedProxies,
    begun: Instant,
}

impl Callers {
    /// Creates an empty table. `quota` limits the requests of each caller; `None` sets no quotas.
    pub fn new(quota: Option<QuotaLimit>, proxies: TrustedProxies) -> Self {
        let others = CallerState::new(CallerKey::Others, quota.map(Quota::new), None);
        let (states, count, begun) = (DashMap::new(), AtomicUsize::default(), Instant::now());
        Self { table: Arc::new(Table { states, count, others: Arc::new(others), quota, proxies, begun }) }
    }

    /// Whether an address belongs to a trusted proxy.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.table.proxies.contains(address)
    }

    /// Returns the callers of an address.
    pub fn of_address(&self, address: IpAddr) -> Arc<CallerState> {
        let key = CallerKey::Host(host(address));
        self.get(&key, || {
            let site = site(address).map(|site| {
                let key = CallerKey::Site(site);
                let quota = self.table.quota.map(|limit| Quota::new(limit.times(SITE_QUOTAS)));
                self.get(&key, || CallerState::new(key.clone(), quota, None))
            });
            CallerState::new(key.clone(), self.table.quota.map(Quota::new), site)
        })
    }

    /// Returns the callers of the address that a trusted proxy reports; `None` if it reports none.
    pub fn behind_proxy(&self, headers: &HeaderMap) -> Option<Arc<CallerState>> {
        self.table.proxies.client(headers).map(|address| self.of_address(address))
    }

    /// Returns an identified caller; `None` for an anonymous one.
    pub fn of_caller(&self, caller: &Caller) -> Option<Arc<CallerState>> {
        let key = caller.key()?;
        Some(self.get(&key, || CallerState::new(key.clone(), self.table.quota.map(Quota::new), None)))
    }

    /// Returns what all callers share that cannot be told apart.
    pub(super) fn others(&self) -> Arc<CallerState> {
        self.table.others.clone()
    }

    fn get(&self, key: &CallerKey, new: impl FnOnce() -> CallerState) -> Arc<CallerState> {
        let table = &*self.table;
        let now = table.begun.elapsed().as_secs();
        let known = table.states.get(key).map(|state| state.clone());
        let most = if matches!(key, CallerKey::Known(..)) { MAX_CALLERS } else { MAX_ADDRESSES };
        let state = known.unwrap_or_else(|| {
            // Made before the entry is locked, because making it may use the table.
            let new = new();
            match table.states.entry(key.clone()) {
                dashmap::Entry::Occupied(entry) => entry.get().clone(),
                // Several threads may exceed the limit by one each.
                dashmap::Entry::Vacant(_) if table.count.load(Relaxed) >= most => table.others.clone(),
                dashmap::Entry::Vacant(entry) => {
                    table.count.fetch_add(1, Relaxed);
                    entry.insert(Arc::new(new)).clone()
                }
            }
        });
        state.used.store(now, Relaxed);
        state
    }

    /// Removes the callers that have no calls and whose quotas are full again.
    pub fn prune(&self) {
        let table = &*self.table;
        let kept = table.quota.map_or(KEPT, |limit| KEPT + limit.refill());
        let now = table.begun.elapsed().as_secs();
        table.states.retain(|_, state| {
            // Nobody can take the last clone while the shard is locked.
            let is_used = Arc::strong_count(state) > 1 || now.saturating_sub(state.used.load(Relaxed)) < kept.as_secs();
            if !is_used {
                table.count.fetch_sub(1, Relaxed);
            }
            is_used
        });
        table.states.shrink_to_fit();
    }

    /// Returns the number of callers in the table.
    pub fn len(&self) -> usize {
        self.table.count.load(Relaxed)
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Callers {
    /// Creates an empty table without quotas and trusted proxies.
    fn default() -> Self {
        Self::new(None, TrustedProxies::default())
    }
}
