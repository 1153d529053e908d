//! The scenarios that are held: of each the current revision, and the last few before it.

use dashmap::DashMap;
use data_encoding::HEXLOWER;
use detente_core::engine::Compiled;
use detente_core::scenario::model::Id;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;
use thiserror::Error;

/// How many revisions of one scenario are kept besides the current one.
pub const MAX_PAST_REVISIONS: usize = 4;
/// What all past revisions together may take, in bytes (as [`Compiled::bytes`] counts them).
pub const MAX_PAST_BYTES: usize = 256 * 1024 * 1024;

/// Two scenarios have one id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("two scenarios have the id `{id}`")]
pub struct DuplicateScenarioError {
    /// The id.
    pub id: Id,
}

/// What is asked for is not held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotHeldError {
    /// No scenario of that id.
    #[error("no scenario of that id is held")]
    Scenario,
    /// The scenario is, but not that revision of it.
    #[error("the current revision is `{current}`")]
    Revision {
        /// The current revision.
        current: String,
    },
}

/// Which scenario answers requests that name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultScenario {
    /// The one of this id; none while it is not held.
    Named(Id),
    /// The first by id of those that are held.
    FirstById,
}

/// A file can't be used as it is now; what it held when it last could is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFile {
    /// The file.
    pub file: String,
    /// Since when.
    pub since: SystemTime,
    /// What is wrong with it.
    pub diagnostics: String,
}

/// The scenarios that are held.
///
/// Readers never wait for a writer for longer than an entry's swap takes. A scenario that was handed out stays as it
/// is for whoever holds it.
#[derive(Debug)]
pub struct Store {
    current: DashMap<Id, Arc<Compiled>>,
    /// Newest first. The lock is held by writers, and by readers of pinned revisions that are not current.
    past: Mutex<VecDeque<Arc<Compiled>>>,
    default: RwLock<DefaultScenario>,
    /// By the id of the scenario that their files last held.
    stale: RwLock<BTreeMap<Id, StaleFile>>,
    max_past_bytes: usize,
}

impl Store {
    /// Holds these scenarios. The first is the default one; lists are in order of id, whatever the order given.
    ///
    /// # Errors
    /// Two of one id.
    pub fn new(scenarios: Vec<Compiled>) -> Result<Self, DuplicateScenarioError> {
        let default = scenarios.first().map(|compiled| compiled.scenario().id.clone());
        let default = RwLock::new(default.map_or(DefaultScenario::FirstById, DefaultScenario::Named));
        let current = DashMap::with_capacity(scenarios.len());
        for compiled in scenarios {
            let id = compiled.scenario().id.clone();
            if current.insert(id.clone(), Arc::new(compiled)).is_some() {
                return Err(DuplicateScenarioError { id });
            }
        }
        Ok(Self { current, past: Mutex::default(), default, stale: RwLock::default(), max_past_bytes: MAX_PAST_BYTES })
    }

    /// The same, with another bound on what past revisions take.
    #[must_use]
    pub fn with_max_past_bytes(self, max_past_bytes: usize) -> Self {
        Self { max_past_bytes, ..self }
    }

    /// Makes a scenario the current one of its id. The one before it stays held for pins and page tokens, as long as
    /// the bounds admit.
    pub fn put(&self, compiled: Compiled) {
        self.put_shared(Arc::new(compiled));
    }

    /// The same, of one that is held elsewhere, too.
    pub fn put_shared(&self, compiled: Arc<Compiled>) {
        let id = &compiled.scenario().id;
        let mut past = self.past();
        // Before the swap, so that there is no moment at which the old revision is not held.
        let before = self.get(id).filter(|before| !same_revision(before, &compiled));
        if let Some(before) = before {
            past.push_front(before);
        }
        self.current.insert(id.clone(), compiled.clone());
        let (mut bytes, mut of_id) = (0usize, 0usize);
        past.retain(|kept| {
            if same_revision(kept, &compiled) {
                return false;
            }
            if kept.scenario().id == *id {
                of_id += 1;
                if of_id > MAX_PAST_REVISIONS {
                    return false;
                }
            }
            bytes = bytes.saturating_add(kept.bytes());
            bytes <= self.max_past_bytes
        });
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<Arc<Compiled>>> {
        // Whoever panicked left a list of whole scenarios: nothing in it can be broken.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No longer holds the scenario of that id, nor what it was before.
    pub fn remove(&self, id: &str) {
        let mut past = self.past();
        self.current.remove(id);
        past.retain(|kept| *kept.scenario().id != *id);
        drop(past);
        self.set_stale(id, None);
    }

    /// Says whether the file of a scenario that is held can't be used as it is now.
    pub fn set_stale(&self, id: &str, stale: Option<StaleFile>) {
        let mut all = self.stale.write().unwrap_or_else(PoisonError::into_inner);
        match stale {
            Some(stale) => drop(all.insert(id.into(), stale)),
            None => drop(all.remove(id)),
        }
    }

    /// What keeps the scenario of that id from being newer.
    pub fn stale(&self, id: &str) -> Option<StaleFile> {
        self.stale.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// From now on, this scenario answers requests that name none.
    pub fn set_default(&self, default: DefaultScenario) {
        *self.default.write().unwrap_or_else(PoisonError::into_inner) = default;
    }

    /// The id of the default scenario; `None` where there is none.
    pub fn default_id(&self) -> Option<Id> {
        match &*self.default.read().unwrap_or_else(PoisonError::into_inner) {
            DefaultScenario::Named(id) => self.current.contains_key(id).then(|| id.clone()),
            DefaultScenario::FirstById => self.current.iter().map(|held| held.key().clone()).min(),
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// The current revision of the scenario of that id.
    pub fn get(&self, id: &str) -> Option<Arc<Compiled>> {
        self.current.get(id).map(|held| held.value().clone())
    }

    /// A revision of the scenario of that id, current or past.
    ///
    /// # Errors
    /// What is not held.
    pub fn revision_of(&self, id: &str, revision: &str) -> Result<Arc<Compiled>, NotHeldError> {
        let current = self.get(id).ok_or(NotHeldError::Scenario)?;
        let is_asked = |held: &Compiled| held.scenario().revision.as_str() == revision;
        if is_asked(&current) {
            return Ok(current);
        }
        // Once more, with writers kept out: what was past a moment ago may have become current again.
        let past = self.past();
        let current = self.get(id).ok_or(NotHeldError::Scenario)?;
        let of_id = past.iter().filter(|held| *held.scenario().id == *id).chain([&current]);
        let asked = of_id.into_iter().find(|held| is_asked(held)).cloned();
        asked.ok_or_else(|| NotHeldError::Revision { current: current.scenario().revision.to_string() })
    }

    /// The current revisions of all scenarios, in order of id.
    pub fn list(&self) -> Vec<Arc<Compiled>> {
        let mut list: Vec<_> = self.current.iter().map(|held| held.value().clone()).collect();
        list.sort_unstable_by(|a, b| a.scenario().id.cmp(&b.scenario().id));
        list
    }
}

fn same_revision(a: &Compiled, b: &Compiled) -> bool {
    a.scenario().id == b.scenario().id && a.scenario().revision == b.scenario().revision
}

/// A hash over the ids and revisions of scenarios in order of id: 32 hexadecimal digits.
pub fn list_revision(list: &[Arc<Compiled>]) -> String {
    let mut hash = Sha256::new();
    for compiled in list {
        let scenario = compiled.scenario();
        hash.update((scenario.id.len() as u64).to_le_bytes());
        hash.update(scenario.id.as_bytes());
        hash.update(scenario.revision.as_str().as_bytes());
    }
    let mut digits = HEXLOWER.encode(&hash.finalize());
    digits.truncate(32);
    digits
}
