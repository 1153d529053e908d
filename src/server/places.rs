//! The places of connections: how many may be open, of one address and in all, and which one makes room for a newcomer.
//!
//! When all places are taken, a newcomer would have to wait until one of the others leaves, and a stranger who opens
//! many connections and keeps them would keep everyone else out. Therefore a connection that is not in use makes room:
//! the kinds of [`Kind`] say which one, in this order, and a connection with a call in progress never does. An address
//! has a limit of its own, and a newcomer beyond it takes the place of a connection of the same address, or is closed.
//! So does, while all places are taken, a newcomer of an address that has more than an equal share of them: it would
//! otherwise wait in line for the place of another address, and newcomers of other addresses behind it.
//!
//! Must not know how a connection is served, or how it makes room.

use crate::access::CallerKey;
use crate::middleware::clock::uptime;
use crate::middleware::networks::{host, site};
use crate::middleware::progress::ConnectionState;
use crate::middleware::quota::{Quota, QuotaLimit};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::Id;

/// Smallest default limit of connections of one address, and the smallest share of all places.
const MIN_OF_ADDRESS: usize = 16;
/// Part of all connections that one address may have by default, as a divisor: 4 stands for a quarter.
const PART_OF_ADDRESS: usize = 4;
/// How many times the connections of one address a site, the /48 network of IPv6, may have.
const SITE_SHARES: usize = 2;
/// Silent connections that make room for others in one second; newcomers beyond that wait.
///
/// They cost their clients and the server little, and newcomers must not wait behind a stranger's.
const SILENT_PER_SECOND: u32 = 1024;
/// Other connections that make room in one second; newcomers beyond that wait.
///
/// A client that connects again as soon as it loses its connection then cannot make all clients do so: even with the
/// default of 512 connections, one in use is safe for 8 seconds at least. A rolling restart of clients needs less.
const DISPLACED_PER_SECOND: u32 = 64;
/// Connections that make room for others of the same address in one second, over all addresses; newcomers beyond that
/// are closed.
const DISPLACED_BY_OWN_PER_SECOND: u32 = 16;
/// Connections that one look at all of them chooses, for the newcomers of the next [`NEXT_FOR`].
///
/// A look at 10,000 connections takes about a millisecond, so the server takes few of them in a second.
const RANKED: usize = 32;
/// Time for which the chosen connections are used: a connection that turns silent or unanswered meanwhile comes later.
const NEXT_FOR: Duration = Duration::from_millis(500);
/// Connections that make room and have not closed yet; newcomers beyond that wait.
///
/// Each of them has a file descriptor in addition to those of the open connections
/// ([`RESERVED_DESCRIPTORS`](super::RESERVED_DESCRIPTORS)).
pub(super) const MAX_LEAVING: usize = 16;
/// Time that a newcomer has for the HTTP/2 preface before another address can take its place, if no other connection of
/// its address or its site is silent.
///
/// Without it, the newcomers of a busy second would displace one another before any of them can speak. It suffices for
/// a TLS handshake with a client at a distance of 50 ms. An address with several silent connections has no such time:
/// otherwise a burst of them would displace connections that are used now and then.
const UNTIL_SILENT: Duration = Duration::from_millis(200);
/// Time without a call answered OK after which a connection counts as unanswered.
///
/// A client that has a call to make when it connects gets its answer sooner.
const UNANSWERED: Duration = Duration::from_secs(5);

/// The kinds of connections that make room, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The HTTP/2 preface has not arrived. The first ones are of the address with the most connections, so that the
    /// connections of a client that connects again and again do not displace those that others have just opened.
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
    groups: HashMap<CallerKey, Arc<Group>>,
    /// How many of the groups are addresses; the others are sites.
    addresses: usize,
    leaving: usize,
    /// The connections that leave next.
    next: Option<Next>,
    /// Displacements of silent connections, and of others, by newcomers of all addresses.
    silent_budget: Quota,
    budget: Quota,
    /// Displacements within an address, so that they do not take those of other addresses.
    own_budget: Quota,
}

/// An open connection.
struct Open {
    state: Arc<ConnectionState>,
    /// What the connection counts for: its address and its site; nothing for a trusted proxy.
    groups: [Option<Arc<Group>>; 2],
    is_leaving: bool,
}

/// Connections that leave next, the first one last, unless they are used again.
struct Next {
    tasks: Vec<(Kind, Id)>,
    until: Duration,
}

/// The connections of an address or a site.
struct Group {
    key: CallerKey,
    /// Open connections, without those that leave.
    count: AtomicUsize,
}

/// Where a connection comes from: its address and its site, or neither for a trusted proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct Source([Option<CallerKey>; 2]);

impl Source {
    /// Returns the source of an address, which has limits.
    pub(super) fn of(address: IpAddr) -> Self {
        Self([Some(CallerKey::Host(host(address))), site(address).map(CallerKey::Site)])
    }
}

impl Open {
    /// Returns the site, or else the address; `None` for a trusted proxy.
    fn source(&self) -> Option<&CallerKey> {
        self.groups().last().map(|group| &group.key)
    }

    fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.iter().flatten()
    }

    /// Whether the client may still be about to speak.
    fn is_new(&self, now: Duration) -> bool {
        !self.state.has_spoken() && now.saturating_sub(self.state.answered()) < UNTIL_SILENT
    }

    fn kind(&self, now: Duration) -> Kind {
        if !self.state.has_spoken() {
            Kind::Silent
        } else if now.saturating_sub(self.state.answered()) >= UNANSWERED {
            Kind::Unanswered
        } else {
            Kind::Idle
        }
    }
}

impl Places {
    /// Creates places for `max` connections, and for `max_of_address` of one address; 0 stands for the default.
    pub(super) fn new(max: usize, max_of_address: usize) -> Self {
        let counts = [SILENT_PER_SECOND, DISPLACED_PER_SECOND, DISPLACED_BY_OWN_PER_SECOND];
        let [silent_budget, budget, own_budget] = counts.map(|count| {
            let per_second = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
            Quota::new(QuotaLimit { per_second, burst: per_second })
        });
        let max_of_address = match max_of_address {
            0 => (max / PART_OF_ADDRESS).max(MIN_OF_ADDRESS),
            chosen => chosen,
        };
        let (open, groups, addresses, leaving, next) = Default::default();
        Self { max, max_of_address, open, groups, addresses, leaving, next, silent_budget, budget, own_budget }
    }

    /// Whether all places are taken.
    pub(super) fn are_taken(&self) -> bool {
        self.open.len() - self.leaving >= self.max
    }

    /// Decides about a newcomer, and asks another connection to leave if need be.
    pub(super) fn decide(&mut self, newcomer: &Source) -> Decision {
        let groups = newcomer.0.iter().flatten().filter_map(|key| self.groups.get(key));
        let is_full = |group: &&Arc<Group>| {
            let count = group.count.load(Relaxed);
            count >= self.limit(&group.key) || self.are_taken() && count > self.share(&group.key)
        };
        let full = groups.into_iter().find(is_full).cloned();
        let without_room = match &full {
            Some(_) => Decision::Close,
            None if self.are_taken() => Decision::Wait,
            None => return Decision::Admit(None),
        };
        if self.leaving >= MAX_LEAVING || full.is_some() && self.own_budget.take(1).is_err() {
            return without_room;
        }
        match self.displace(full.as_ref(), uptime()) {
            Some(kind) => Decision::Admit(Some(kind)),
            None => without_room,
        }
    }

    /// Returns how many open connections the address of a newcomer has, or its site; none for a trusted proxy.
    pub(super) fn count(&self, newcomer: &Source) -> usize {
        let groups = newcomer.0.iter().flatten().filter_map(|key| self.groups.get(key));
        groups.map(|group| group.count.load(Relaxed)).max().unwrap_or(0)
    }

    fn limit(&self, key: &CallerKey) -> usize {
        match key {
            CallerKey::Site(_) => self.max_of_address.saturating_mul(SITE_SHARES),
            _ => self.max_of_address,
        }
    }

    /// Returns the number of connections beyond which an address competes with itself while all places are taken.
    fn share(&self, key: &CallerKey) -> usize {
        match key {
            CallerKey::Host(_) if self.addresses > 1 => (self.max / self.addresses).max(MIN_OF_ADDRESS),
            _ => self.max,
        }
    }

    /// Adds a connection that is served by a task.
    pub(super) fn add(&mut self, task: Id, state: Arc<ConnectionState>, source: Source) {
        let groups = source.0.map(|key| {
            let group = |key: &CallerKey| {
                self.addresses += usize::from(matches!(key, CallerKey::Host(_)));
                Arc::new(Group { key: key.clone(), count: AtomicUsize::default() })
            };
            key.map(|key| self.groups.entry(key).or_insert_with_key(group).clone())
        });
        groups.iter().flatten().for_each(|group| {
            group.count.fetch_add(1, Relaxed);
        });
        self.open.insert(task, Open { state, groups, is_leaving: false });
    }

    /// Removes the connection whose task has ended.
    pub(super) fn remove(&mut self, task: Id) {
        let Some(gone) = self.open.remove(&task) else { return };
        if gone.is_leaving {
            self.leaving -= 1;
        } else {
            self.leave_groups(&gone.groups);
        }
    }

    fn leave_groups(&mut self, groups: &[Option<Arc<Group>>]) {
        for group in groups.iter().flatten() {
            if group.count.fetch_sub(1, Relaxed) == 1 {
                self.groups.remove(&group.key);
                self.addresses -= usize::from(matches!(group.key, CallerKey::Host(_)));
            }
        }
    }

    /// Asks a connection to leave, of one address or site if `of` is given, and returns its kind.
    fn displace(&mut self, of: Option<&Arc<Group>>, now: Duration) -> Option<Kind> {
        let next = if of.is_none() { self.next.take_if(|next| now < next.until) } else { None };
        let mut next = next.unwrap_or_else(|| Next { tasks: self.rank(of, now), until: now + NEXT_FOR });
        let (kind, task) = loop {
            let (kind, task) = next.tasks.pop()?;
            // It may have begun a call, or left, since it was chosen.
            let is_unused = |open: &Open| !open.is_leaving && !open.state.has_calls() && open.kind(now) == kind;
            if self.open.get(&task).is_some_and(is_unused) {
                break (kind, task);
            }
        };
        let budget = if kind == Kind::Silent { &self.silent_budget } else { &self.budget };
        let is_bounded = of.is_none() && budget.take(1).is_err();
        if is_bounded {
            next.tasks.push((kind, task));
        }
        self.next = Some(next).filter(|next| of.is_none() && !next.tasks.is_empty());
        if is_bounded {
            return None;
        }
        let open = self.open.get_mut(&task)?;
        open.is_leaving = true;
        open.state.displace();
        let groups = open.groups.clone();
        self.leaving += 1;
        self.leave_groups(&groups);
        Some(kind)
    }

    /// Returns the connections that are to leave next, the first one last.
    ///
    /// Looks at all connections. An order that every call would have to update would cost more.
    fn rank(&self, of: Option<&Arc<Group>>, now: Duration) -> Vec<(Kind, Id)> {
        let mut ranked = Vec::new();
        let silent = self.open.values().filter(|open| !open.is_leaving && !open.state.has_spoken());
        let mut of_sources = HashMap::<_, usize>::new();
        silent.filter_map(Open::source).for_each(|source| *of_sources.entry(source).or_default() += 1);
        for (task, open) in &self.open {
            let is_only_one = open.source().is_none_or(|source| of_sources.get(source) == Some(&1));
            let is_protected = of.is_none() && open.is_new(now) && is_only_one;
            let is_candidate = !open.is_leaving
                && !is_protected
                && of.is_none_or(|of| open.groups().any(|group| Arc::ptr_eq(group, of)))
                && !open.state.has_calls();
            if is_candidate {
                let kind = open.kind(now);
                let of_address = match (kind, &open.groups) {
                    (Kind::Silent | Kind::Idle, [Some(host), _]) if of.is_none() => host.count.load(Relaxed),
                    _ => 0,
                };
                ranked.push(((kind, Reverse(of_address), open.state.answered()), *task));
            }
        }
        if ranked.len() > RANKED {
            ranked.select_nth_unstable_by_key(RANKED, |(rank, _)| *rank);
            ranked.truncate(RANKED);
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        // Each idle connection that leaves may change which address has the most, so only the first one is certain.
        let certain = ranked.iter().take_while(|((kind, ..), _)| *kind != Kind::Idle).count();
        ranked.truncate(certain.max(1));
        ranked.into_iter().rev().map(|((kind, ..), task)| (kind, task)).collect()
    }
}

#[cfg(test)]
mod tests;
