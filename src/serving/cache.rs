//! Answers that were encoded once, by what was asked.
//!
//! A key is the whole question, as it was understood: revision, exact day, detail, and every input that is given with
//! its exact answer and where it comes from. Never the engine's masks, in which 30 and 31 days may be one; never the
//! bytes received, in which one question has many forms. Keys are compared whole, so that no hash can be mistaken.
//! Errors, hypotheses and what was cut short are never put in.

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

/// What an entry takes besides its key and its answer, about: the map's slot, two allocations, two counters.
const AROUND_ENTRY: usize = 128;
/// A usual entry, from which the number of entries is estimated.
const USUAL_ENTRY: usize = 1024;

/// A question, in one canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Box<[u8]>);

/// The calls whose answers are kept.
const EVALUATE_PROPOSAL: u8 = 1;

impl Key {
    /// What EvaluateProposal is asked.
    pub fn new(scenario: &Scenario, given: &[Given], day: Option<Date>, detail: Detail) -> Self {
        let mut order: Vec<&Given> = given.iter().collect();
        order.sort_unstable_by_key(|given| given.input);
        let mut bytes = Vec::with_capacity(64 + given.len() * 20);
        bytes.push(EVALUATE_PROPOSAL);
        // Each part of variable length with its length, so that no two questions share a form.
        for part in [&*scenario.id, scenario.revision.as_str()] {
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

/// An answer as its kind and two numbers.
fn answer(answer: &Answer) -> (u8, u64, u64) {
    match answer {
        Answer::Exact(Value::Flag(flag)) => (0, u64::from(*flag), 0),
        Answer::Exact(Value::Choice(option)) => (1, u64::from(*option), 0),
        Answer::Exact(Value::Members(members)) => (2, *members, 0),
        Answer::Exact(Value::Quantity(number)) => (3, number.cast_unsigned(), 0),
        Answer::AnyOf(options) => (4, *options, 0),
        Answer::Range { min, max } => (5, min.cast_unsigned(), max.cast_unsigned()),
        Answer::Partial { includes, excludes } => (6, *includes, *excludes),
        Answer::Unsettled => (7, 0, 0),
    }
}

/// What a cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Answers found.
    pub hits: u64,
    /// Answers not found.
    pub misses: u64,
    /// Answers put in that are no longer there, or never got in.
    pub evictions: u64,
    /// Answers held now.
    pub entries: u64,
    /// What they take now, in bytes.
    pub bytes: u64,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// As it is sent.
    pub answer: Bytes,
    /// What it says.
    pub outline: Arc<Outline>,
}

/// A bounded number of bytes of answers.
#[derive(Debug)]
pub struct Cache {
    map: Map<Key, Kept, Weigh>,
    insertions: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Weigh;

impl Weighter<Key, Kept> for Weigh {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        (key.0.len() + kept.answer.len() + kept.outline.bytes() + AROUND_ENTRY) as u64
    }
}

impl Cache {
    /// A cache of so many bytes, keys and what an entry takes besides included. An answer that is larger than its
    /// share (the whole is kept in a few parts, so that callers don't wait for each other) is not kept.
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes).unwrap_or(usize::MAX) / USUAL_ENTRY;
        // The map's hashes are keyed by chance: callers choose the keys, and could make them collide.
        Self { map: Map::with_weighter(entries, bytes, Weigh), insertions: AtomicU64::new(0) }
    }

    /// The answer to a question.
    pub fn get(&self, key: &Key) -> Option<Kept> {
        self.map.get(key)
    }

    /// Keeps an answer, for as long as there is room.
    pub fn insert(&self, key: Key, kept: Kept) {
        self.insertions.fetch_add(1, Relaxed);
        self.map.insert(key, kept);
    }

    /// What it has done so far. The numbers are each right, but not of one moment.
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
