//! The compared maps, behind the interface that the cache of answers needs.

use bytes::Bytes;
use dashmap::DashMap;
use quick_cache::Weighter;
use std::collections::VecDeque;
use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// The bytes that are counted for each entry in addition to its key and answer. The service counts the same number.
const AROUND_ENTRY: usize = 128;
const USUAL_ENTRY: u64 = 1_024;

pub(crate) trait Map: Sync {
    fn get(&self, key: &[u8]) -> Option<Bytes>;
    fn insert(&self, key: &[u8], answer: Bytes);
    /// The total weight of all entries, as the map itself counts it.
    fn weight(&self) -> u64;
}

fn weight(key: &[u8], answer: &Bytes) -> u64 {
    (key.len() + answer.len() + AROUND_ENTRY) as u64
}

/// quick_cache: S3-FIFO with ghost entries, in shards.
pub(crate) struct Quick(quick_cache::sync::Cache<Box<[u8]>, Bytes, Weigh, RandomState>);

#[derive(Clone, Copy)]
pub(crate) struct Weigh;

impl Weighter<Box<[u8]>, Bytes> for Weigh {
    fn weight(&self, key: &Box<[u8]>, answer: &Bytes) -> u64 {
        weight(key, answer)
    }
}

impl Quick {
    pub(crate) fn new(bound: u64) -> Self {
        let entries = usize::try_from(bound / USUAL_ENTRY).unwrap();
        let (state, lifecycle) = (RandomState::new(), quick_cache::sync::DefaultLifecycle::default());
        Self(quick_cache::sync::Cache::with(entries, bound, Weigh, state, lifecycle))
    }
}

impl Map for Quick {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key)
    }

    fn insert(&self, key: &[u8], answer: Bytes) {
        // The clone imitates the service, which returns one handle to the answer and keeps another one in its map.
        self.0.insert(key.into(), answer.clone());
    }

    fn weight(&self) -> u64 {
        self.0.weight()
    }
}

/// moka: W-TinyLFU, with queues that the calling threads process.
pub(crate) struct Moka(moka::sync::Cache<Box<[u8]>, Bytes, RandomState>);

impl Moka {
    pub(crate) fn new(bound: u64) -> Self {
        let entries = usize::try_from(bound / USUAL_ENTRY).unwrap();
        let builder = moka::sync::Cache::builder()
            .max_capacity(bound)
            .initial_capacity(entries)
            .weigher(|key: &Box<_>, answer| u32::try_from(weight(key, answer)).unwrap_or(u32::MAX));
        Self(builder.build_with_hasher(RandomState::new()))
    }
}

impl Map for Moka {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key)
    }

    fn insert(&self, key: &[u8], answer: Bytes) {
        self.0.insert(key.into(), answer.clone());
    }

    fn weight(&self) -> u64 {
        // Without this call, the reported size is the one at the last run of the pending tasks.
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }
}

/// DashMap with the CLOCK algorithm: entries queue for eviction, and an entry that was found since its last turn goes
/// back to the end of the queue.
pub(crate) struct Clock {
    map: DashMap<Arc<[u8]>, Slot>,
    turns: Mutex<VecDeque<Arc<[u8]>>>,
    weight: AtomicU64,
    bound: u64,
}

struct Slot {
    answer: Bytes,
    found: AtomicBool,
}

impl Clock {
    pub(crate) fn new(bound: u64) -> Self {
        Self { map: DashMap::new(), turns: Mutex::default(), weight: AtomicU64::new(0), bound }
    }

    fn evict(&self) {
        let mut turns = self.turns.lock().unwrap();
        while self.weight.load(Relaxed) > self.bound
            && let Some(key) = turns.pop_front()
        {
            match self.map.remove_if(&key, |_, slot| !slot.found.swap(false, Relaxed)) {
                Some((key, slot)) => drop(self.weight.fetch_sub(weight(&key, &slot.answer), Relaxed)),
                None => turns.push_back(key),
            }
        }
    }
}

impl Map for Clock {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        let slot = self.map.get(key)?;
        // Only the first reader writes, so that readers do not invalidate each other's cache line.
        if !slot.found.load(Relaxed) {
            slot.found.store(true, Relaxed);
        }
        Some(slot.answer.clone())
    }

    fn insert(&self, key: &[u8], answer: Bytes) {
        let key: Arc<[u8]> = key.into();
        self.weight.fetch_add(weight(&key, &answer), Relaxed);
        let slot = Slot { answer: answer.clone(), found: AtomicBool::new(false) };
        match self.map.insert(key.clone(), slot) {
            Some(before) => drop(self.weight.fetch_sub(weight(&key, &before.answer), Relaxed)),
            None => self.turns.lock().unwrap().push_back(key),
        }
        self.evict();
    }

    fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }
}
