//! The places of connections: how many may be open, of one address and in all, and which one makes room for a newcomer.
//!
//! When all places are taken, a newcomer would have to wait until one of the others leaves, and a stranger who opens
//! many connections and keeps them would keep everyone else out. Therefore a connection that is not in use makes room:
//! the kinds of [`Kind`] say which one, in this order, and a connection with a call in progress never does. An address
//! has a limit of its own, and a newcomer beyond it takes the place of a connection of the same address, or is closed.
//!
//! Must not know how a connection is served, or how it makes room.

use crate::access::CallerKey;
use crate::middleware::networks::{host, site};
use crate::middleware::progress::ConnectionState;
use crate::middleware::quota::{Quota, QuotaLimit};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::Id;

/// Smallest default limit of connections of one address.
const MIN_OF_ADDRESS: usize = 16;
/// Part of all connections that one address may have by default, as a divisor: 4 stands for a quarter.
const PART_OF_ADDRESS: usize = 4;
/// How many times the connections of one address a site, the /48 network of IPv6, may have.
const SITE_SHARES: usize = 2;
/// Connections that make room for others in one second; newcomers beyond that wait.
///
/// A client that connects again as soon as it loses its connection then cannot make all clients do so: even with the
/// default of 512 connections, one in use is safe for 8 seconds at least. A rolling restart of clients needs less.
const DISPLACED_PER_SECOND: u32 = 64;
/// Connections that make room and have not closed yet; newcomers beyond that wait.
///
/// Each of them has a file descriptor in addition to those of the open connections
/// ([`RESERVED_DESCRIPTORS`](super::RESERVED_DESCRIPTORS)).
pub(super) const MAX_LEAVING: usize = 16;
/// Time without a call answered OK after which a connection counts as unanswered.
///
/// A client that has a call to make when it connects gets its answer sooner.
const UNANSWERED: Duration = Duration::from_secs(5);

/// The kinds of connections that make room, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The HTTP/2 preface has not arrived.
    Silent,
    /// No call was answered OK for a time. Health and reflection do not count: they are open to strangers.
    Unanswered,
    /// A call was answered OK lately, and none is in progress.
    Idle,
}

impl Kind {
    /// The value of the `kind` label in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Silent => "silent",
            Kind::Unanswered => "unanswered",
            Kind::Idle => "idle",
        }
    }
}

/// What becomes of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It has a place, for which a connection of this kind was asked to leave.
    Admit(Option<Kind>),
    /// It waits: all places are taken, and no connection can make room now.
    Wait,
    /// It is closed: its address has as many connections as it may have, and none of them can make room now.
    Close,
}

/// The open connections, and the limits of their numbers.
pub(super) struct Places {
    max: usize,
    max_of_address: usize,
    open: HashMap<Id, Open>,
    /// Open connections of each address and each site.
    counts: HashMap<CallerKey, usize>,
    leaving: usize,
    /// Displacements by newcomers of all addresses.
    budget: Quota,
    /// Displacements within an address, so that they do not take those of other addresses.
    own_budget: Quota,
}

/// An open connection.
struct Open {
    state: Arc<ConnectionState>,
    source: Source,
    is_leaving: bool,
}

/// What a connection counts for: its address and its site, or neither for a trusted proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    host: Option<CallerKey>,
    site: Option<CallerKey>,
}

impl Source {
    /// Returns the source of an address, which has limits.
    pub(super) fn of(address: IpAddr) -> Self {
        Self { host: Some(CallerKey::Host(host(address))), site: site(address).map(CallerKey::Site) }
    }

    fn keys(&self) -> impl Iterator<Item = &CallerKey> {
        self.host.iter().chain(&self.site)
    }
}

impl Places {
    /// Creates places for `max` connections, and for `max_of_address` of one address; 0 stands for the default.
    pub(super) fn new(max: usize, max_of_address: usize) -> Self {
        let per_second = NonZeroU32::new(DISPLACED_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        let [budget, own_budget] = [(); 2].map(|()| Quota::new(QuotaLimit { per_second, burst: per_second }));
        let max_of_address = match max_of_address {
            0 => (max / PART_OF_ADDRESS).max(MIN_OF_ADDRESS),
            chosen => chosen,
        };
        let (open, counts, leaving) = Default::default();
        Self { max, max_of_address, open, counts, leaving, budget, own_budget }
    }

    /// Whether all places are taken.
    pub(super) fn are_taken(&self) -> bool {
        self.open.len() - self.leaving >= self.max
    }

    /// Decides about a newcomer, and asks another connection to leave if need be.
    pub(super) fn decide(&mut self, newcomer: &Source) -> Decision {
        let beyond = newcomer.keys().find(|key| self.count(key) >= self.limit(key)).cloned();
        let (budget, without_room) = match &beyond {
            Some(_) => (&self.own_budget, Decision::Close),
            None if self.are_taken() => (&self.budget, Decision::Wait),
            None => return Decision::Admit(None),
        };
        if self.leaving >= MAX_LEAVING || budget.take(1).is_err() {
            return without_room;
        }
        match self.displace(beyond.as_ref()) {
            Some(kind) => Decision::Admit(Some(kind)),
            None => without_room,
        }
    }

    /// Adds a connection that is served by a task.
    pub(super) fn add(&mut self, task: Id, state: Arc<ConnectionState>, source: Source) {
        for key in source.keys() {
            *self.counts.entry(key.clone()).or_default() += 1;
        }
        self.open.insert(task, Open { state, source, is_leaving: false });
    }

    /// Removes the connection whose task has ended.
    pub(super) fn remove(&mut self, task: Id) {
        let Some(gone) = self.open.remove(&task) else { return };
        if gone.is_leaving {
            self.leaving -= 1;
        } else {
            self.uncount(&gone.source);
        }
    }

    fn uncount(&mut self, source: &Source) {
        for key in source.keys() {
            if let Some(count) = self.counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(key);
                }
            }
        }
    }

    fn count(&self, key: &CallerKey) -> usize {
        self.counts.get(key).copied().unwrap_or_default()
    }

    fn limit(&self, key: &CallerKey) -> usize {
        match key {
            CallerKey::Site(_) => self.max_of_address.saturating_mul(SITE_SHARES),
            _ => self.max_of_address,
        }
    }

    /// Asks a connection to leave, of one address or site if `of` is given, and returns its kind.
    fn displace(&mut self, of: Option<&CallerKey>) -> Option<Kind> {
        // Looks at all connections each time, which the number of displacements in a second bounds. An order that every
        // call would have to update would cost more.
        let mut first = None;
        for (task, open) in &self.open {
            let is_candidate = !open.is_leaving
                && of.is_none_or(|of| open.source.keys().any(|key| key == of))
                && !open.state.has_calls();
            if !is_candidate {
                continue;
            }
            let kind = if !open.state.has_spoken() {
                Kind::Silent
            } else if open.state.unanswered_for() >= UNANSWERED {
                Kind::Unanswered
            } else {
                Kind::Idle
            };
            let of_address = match (kind, &open.source.host) {
                (Kind::Idle, Some(host)) if of.is_none() => self.count(host),
                _ => 0,
            };
            let rank = (kind, Reverse(of_address), open.state.answered());
            if first.is_none_or(|(earlier, _)| rank < earlier) {
                first = Some((rank, *task));
            }
        }
        let ((kind, ..), task) = first?;
        let open = self.open.get_mut(&task)?;
        open.is_leaving = true;
        open.state.displace();
        let source = open.source.clone();
        self.leaving += 1;
        self.uncount(&source);
        Some(kind)
    }
}

#[cfg(test)]
mod tests;
