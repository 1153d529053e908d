//! The cache of encoded answers to EvaluateProposal, which evaluates a proposal.
//!
//! The key of an answer contains all that the answer depends on: the scenario's revision, the exact date, the requested
//! detail, and each input (an issue or a circumstance) that the request answers, with that answer and its origin, which
//! is the part of the request that gives it. A key is not made of the bit masks that evaluate conditions, because they
//! do not distinguish 30 days from 31 days if no condition does. It is not made of the received bytes either, because
//! one request has many encodings. Keys are compared in full, so that a hash collision cannot return a wrong answer.
//! Errors and answers under hypotheses are never cached. Must not know the protocol.
use crate::serving::Outline;
use bytes::Bytes;
use detente_condition::{Answer, Value};
use detente_core::engine::{Detail, Given, Origin};
use detente_core::scenario::Scenario;
use jiff::civil::Date;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Map;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Approximate size of an entry besides its key and its answer, in bytes.
///
/// It consists of the map's slot, two allocations and two counters.
const ENTRY_OVERHEAD: usize = 128;
/// Size of a usual entry, in bytes, from which the number of entries is estimated.
const USUAL_ENTRY: usize = 1024;

/// The key of an answer: its request in canonical form, in which equal requests have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(Box<[u8]>);

/// First byte of each key, which identifies the RPC; only answers of EvaluateProposal are cached.
const EVALUATE_PROPOSAL: u8 = 1;

impl CacheKey {
    /// Creates the key of an EvaluateProposal request.
    ///
    /// `given` has the answers that the request gives. If `day` is `None`, the key has the scenario's date (`as_of`).
    pub fn new(scenario: &Scenario, given: &[Given], day: Option<Date>, detail: Detail) -> Self {
        let mut order: Vec<&Given> = given.iter().collect();
        order.sort_unstable_by_key(|given| given.input);
        let mut bytes = Vec::with_capacity(64 + given.len() * 20);
        bytes.push(EVALUATE_PROPOSAL);
        // Each part of variable length follows its length, so that no two requests share a key.
        for part in [scenario.id.as_str(), scenario.revision.as_str()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        let day = day.unwrap_or(scenario.as_of);
        bytes.extend(day.year().to_le_bytes());
        bytes.extend([day.month().to_le_bytes(), day.day().to_le_bytes()].as_flattened());
        bytes.push(match detail {
            Detail::Basic => 0,
            Detail::Full => 1,
        });
        bytes.extend((order.len() as u64).to_le_bytes());
        for given in order {
            bytes.extend(given.input.0.to_le_bytes());
            bytes.push(origin(given.origin));
            let (kind, first, second) = answer(&given.answer);
            bytes.push(kind);
            bytes.extend(first.to_le_bytes());
            bytes.extend(second.to_le_bytes());
        }
        Self(bytes.into_boxed_slice())
    }
}

fn origin(origin: Origin) -> u8 {
    match origin {
        Origin::Proposal => 0,
        Origin::Override => 1,
        Origin::StatusQuo => 2,
        Origin::Silence => 3,
        Origin::Circumstance => 4,
        Origin::Assumed => 5,
        Origin::Unknown => 6,
        Origin::Hypothesis => 7,
    }
}

/// Encodes an input's answer as a tag and two numbers.
fn answer(answer: &Answer) -> (u8, u64, u64) {
    match answer {
        Answer::Exact(Value::Flag(flag)) => (0, u64::from(*flag), 0),
        Answer::Exact(Value::Choice(option)) => (1, u64::from(option.0), 0),
        Answer::Exact(Value::Members(members)) => (2, *members, 0),
        Answer::Exact(Value::Quantity(number)) => (3, number.cast_unsigned(), 0),
        Answer::AnyOf(options) => (4, *options, 0),
        Answer::Range { min, max } => (5, min.cast_unsigned(), max.cast_unsigned()),
        Answer::Partial { includes, excludes } => (6, *includes, *excludes),
        Answer::Unsettled => (7, 0, 0),
    }
}

/// Counts of a cache since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Lookups that found an answer.
    pub hits: u64,
    /// Lookups that found no answer.
    pub misses: u64,
    /// Answers passed to [`Cache::insert`] that the cache has removed since, or never kept.
    pub evictions: u64,
    /// Answers in the cache now.
    pub entries: u64,
    /// Size of the entries now, in bytes.
    pub bytes: u64,
}

/// An answer in the cache. Clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The encoded answer.
    pub answer: Bytes,
    /// Summary of the evaluation, for telemetry and the decision log.
    pub outline: Arc<Outline>,
}

/// A cache of answers, bounded in bytes.
#[derive(Debug)]
pub struct Cache {
    map: Map<CacheKey, CachedAnswer, Weigh>,
    insertions: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Weigh;

impl Weighter<CacheKey, CachedAnswer> for Weigh {
    fn weight(&self, key: &CacheKey, cached: &CachedAnswer) -> u64 {
        (key.0.len() + cached.answer.len() + cached.outline.bytes() + ENTRY_OVERHEAD) as u64
    }
}

impl Cache {
    /// Creates a cache of at most `bytes`, in which keys and the overhead of entries count.
    ///
    /// The cache is divided into shards, so that callers rarely wait for each other; an answer that is larger than a
    /// shard is not cached.
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes).unwrap_or(usize::MAX) / USUAL_ENTRY;
        // The map's hash function has a random key, because callers choose the keys and could otherwise make them
        // collide.
        Self { map: Map::with_weighter(entries, bytes, Weigh), insertions: AtomicU64::new(0) }
    }

    /// Looks up the answer to a request.
    pub fn get(&self, key: &CacheKey) -> Option<CachedAnswer> {
        self.map.get(key)
    }

    /// Inserts an answer; the cache may evict it at any time.
    pub fn insert(&self, key: CacheKey, cached: CachedAnswer) {
        self.insertions.fetch_add(1, Relaxed);
        self.map.insert(key, cached);
    }

    /// Returns the counts. Each count is exact, but they are not read at the same moment.
    pub fn counts(&self) -> CacheCounts {
        let entries = self.map.len() as u64;
        CacheCounts {
            hits: self.map.hits(),
            misses: self.map.misses(),
            evictions: self.insertions.load(Relaxed).saturating_sub(entries),
            entries,
            bytes: self.map.weight(),
        }
    }
}
