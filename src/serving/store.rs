//! The store of compiled scenarios: the current revision (version) of each, and the latest past revisions.
//!
//! Past revisions are for requests that name a revision, and for page tokens, which continue a list in the revision in
//! which it began. Must not know where the scenarios come from, or which callers use them.

use crate::locks;
use dashmap::DashMap;
use data_encoding::HEXLOWER;
use detente_core::engine::Compiled;
use detente_core::scenario::ids::ScenarioId;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::SystemTime;
use thiserror::Error;

/// Maximum number of past revisions kept for one scenario, besides the current one.
pub const MAX_PAST_REVISIONS: usize = 4;
/// Maximum memory of all past revisions together, in bytes (as counted by [`Compiled::bytes`]).
pub const MAX_PAST_BYTES: usize = 8 * 1024 * 1024;

/// Two scenarios have the same id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("two scenarios have the id `{id}`")]
pub struct DuplicateScenarioError {
    /// The common id.
    pub id: ScenarioId,
}

/// The requested scenario or revision is not in the store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotHeldError {
    /// The store has no scenario with this id.
    #[error("no scenario with this id is loaded")]
    Scenario,
    /// The store has the scenario, but not this revision of it.
    #[error("this revision is not kept; the current revision is `{current}`")]
    Revision {
        /// The current revision.
        current: String,
    },
}

/// Which scenario answers requests that name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultScenario {
    /// The scenario with this id; there is no default while it is not loaded.
    Named(ScenarioId),
    /// The scenario whose id sorts first.
    FirstById,
}

/// A scenario file that cannot be used now. Its last valid scenario still answers requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFile {
    /// Name of the file, without its path.
    pub file: String,
    /// Time since which it cannot be used.
    pub since: SystemTime,
    /// Faults of the file.
    pub diagnostics: String,
}

/// The file of the default scenario, after its removal. The scenario's last content answers requests until `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedFile {
    /// Name of the file, without its path.
    pub file: String,
    /// When the server noticed that no file contains the scenario.
    pub since: SystemTime,
    /// When the scenario is removed, unless a file contains it by then.
    pub until: SystemTime,
}

/// Whether the default scenario answers requests that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultState {
    /// It answers them.
    Served,
    /// It answers them from its last content, because no file contains it any more.
    Kept,
    /// It is not loaded, so these requests are refused.
    Missing,
}

/// The compiled scenarios.
///
/// A reader waits for a writer only while an entry is swapped. A compiled scenario never changes, so a reader can keep
/// using the revision that it received.
#[derive(Debug)]
pub struct Store {
    current: DashMap<ScenarioId, Arc<Compiled>>,
    /// Past revisions of all scenarios, newest first. Writers take this lock, and so do readers that ask for a revision
    /// that is not the current one.
    past: Mutex<VecDeque<Arc<Compiled>>>,
    default: RwLock<DefaultScenario>,
    /// The files that cannot be used now, each by the id of the scenario that it last contained.
    stale: RwLock<BTreeMap<ScenarioId, StaleFile>>,
    /// The default scenario that no file contains any more.
    removed: RwLock<Option<(ScenarioId, RemovedFile)>>,
    default_changes: AtomicU64,
    max_past_bytes: usize,
}

impl Store {
    /// Creates a store.
    ///
    /// The first scenario is the default one; lists are in order of id, whatever the order of `scenarios`.
    ///
    /// # Errors
    /// If two scenarios have the same id.
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
        Ok(Self {
            current,
            past: Mutex::default(),
            default,
            stale: RwLock::default(),
            removed: RwLock::default(),
            default_changes: AtomicU64::default(),
            max_past_bytes: MAX_PAST_BYTES,
        })
    }

    /// Replaces the memory limit of past revisions, [`MAX_PAST_BYTES`] by default.
    #[must_use]
    pub fn with_max_past_bytes(self, max_past_bytes: usize) -> Self {
        Self { max_past_bytes, ..self }
    }

    /// Makes a compiled scenario the current revision of the scenario with its id.
    ///
    /// The previous revision stays available to requests that name it and to page tokens, within the limits for past
    /// revisions.
    pub fn put(&self, compiled: Compiled) {
        self.put_shared(Arc::new(compiled));
    }

    /// Does the same as [`Store::put`] with a compiled scenario that is shared.
    pub fn put_shared(&self, compiled: Arc<Compiled>) {
        let id = &compiled.scenario().id;
        let mut past = self.past();
        // Keep the old revision before the swap, so that it is available at every moment.
        let before = self.get(id.as_str()).filter(|before| !same_revision(before, &compiled));
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
        locks::lock(&self.past)
    }

    /// Removes the scenario with this id, with its past revisions.
    pub fn remove(&self, id: &ScenarioId) {
        let mut past = self.past();
        self.current.remove(id);
        past.retain(|kept| kept.scenario().id != *id);
        drop(past);
        self.set_stale(id, None);
        self.set_removed(id, None);
    }

    /// Records that the file of a scenario cannot be used now, or that it can be used again (`None`).
    pub fn set_stale(&self, id: &ScenarioId, stale: Option<StaleFile>) {
        let mut all = locks::write(&self.stale);
        match stale {
            Some(stale) => drop(all.insert(id.clone(), stale)),
            None => drop(all.remove(id)),
        }
    }

    /// Returns the file of the scenario with this id, if the file cannot be used now.
    pub fn stale(&self, id: &str) -> Option<StaleFile> {
        locks::read(&self.stale).get(id).cloned()
    }

    /// Records that no file contains the default scenario any more, or that one does again (`None`).
    pub fn set_removed(&self, id: &ScenarioId, removed: Option<RemovedFile>) {
        let mut held = locks::write(&self.removed);
        match removed {
            Some(removed) => *held = Some((id.clone(), removed)),
            None if held.as_ref().is_some_and(|(held, _)| held == id) => *held = None,
            None => {}
        }
    }

    /// Returns the removed file of the scenario with this id, if the scenario still answers requests without it.
    pub fn removed(&self, id: &str) -> Option<RemovedFile> {
        locks::read(&self.removed).as_ref().filter(|(held, _)| held.as_str() == id).map(|(_, removed)| removed.clone())
    }

    /// Sets which scenario answers requests that name none.
    pub fn set_default(&self, default: DefaultScenario) {
        *locks::write(&self.default) = default;
    }

    /// Returns the id of the default scenario; `None` if it is not loaded.
    pub fn default_id(&self) -> Option<ScenarioId> {
        match &*locks::read(&self.default) {
            DefaultScenario::Named(id) => self.current.contains_key(id).then(|| id.clone()),
            DefaultScenario::FirstById => self.current.iter().map(|held| held.key().clone()).min(),
        }
    }

    /// Returns the id of the scenario that a setting names as the default, whether it is loaded or not.
    pub fn named_default(&self) -> Option<ScenarioId> {
        match &*locks::read(&self.default) {
            DefaultScenario::Named(id) => Some(id.clone()),
            DefaultScenario::FirstById => None,
        }
    }

    /// Returns whether the default scenario answers requests.
    pub fn default_state(&self) -> DefaultState {
        match self.default_id() {
            None => DefaultState::Missing,
            Some(id) if self.removed(id.as_str()).is_some() => DefaultState::Kept,
            Some(_) => DefaultState::Served,
        }
    }

    /// Counts a change of the default scenario that no setting made.
    pub(super) fn count_default_change(&self) {
        self.default_changes.fetch_add(1, Relaxed);
    }

    /// Returns how often another scenario became the default because scenarios were added or removed.
    pub fn default_changes(&self) -> u64 {
        self.default_changes.load(Relaxed)
    }

    /// Whether the store has no scenario.
    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Returns the current revision of the scenario with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Compiled>> {
        self.current.get(id).map(|held| held.value().clone())
    }

    /// Returns a revision of the scenario with this id, current or past.
    ///
    /// # Errors
    /// If the scenario or the revision is not in the store.
    pub fn revision_of(&self, id: &str, revision: &str) -> Result<Arc<Compiled>, NotHeldError> {
        let current = self.get(id).ok_or(NotHeldError::Scenario)?;
        let has_revision = |held: &Compiled| held.scenario().revision.as_str() == revision;
        if has_revision(&current) {
            return Ok(current);
        }
        // Look again while writers are locked out, because a past revision may have become current in the meantime.
        let past = self.past();
        let current = self.get(id).ok_or(NotHeldError::Scenario)?;
        let of_id = past.iter().filter(|held| held.scenario().id.as_str() == id).chain([&current]);
        let found = of_id.into_iter().find(|held| has_revision(held)).cloned();
        found.ok_or_else(|| NotHeldError::Revision { current: current.scenario().revision.to_string() })
    }

    /// Returns the current revisions of all scenarios, in order of id.
    pub fn list(&self) -> Vec<Arc<Compiled>> {
        let mut list: Vec<_> = self.current.iter().map(|held| held.value().clone()).collect();
        list.sort_unstable_by(|a, b| a.scenario().id.cmp(&b.scenario().id));
        list
    }
}

fn same_revision(a: &Compiled, b: &Compiled) -> bool {
    a.scenario().id == b.scenario().id && a.scenario().revision == b.scenario().revision
}

/// Returns a hash of the ids and revisions in a list of scenarios: 32 hexadecimal digits.
///
/// `list` must be in order of id. If the hash differs between two pages of a list, a scenario has changed in between.
pub fn list_revision(list: &[Arc<Compiled>]) -> String {
    let mut hash = Sha256::new();
    for compiled in list {
        let scenario = compiled.scenario();
        let id = scenario.id.as_str();
        hash.update((id.len() as u64).to_le_bytes());
        hash.update(id.as_bytes());
        hash.update(scenario.revision.as_str().as_bytes());
    }
    let mut digits = HEXLOWER.encode(&hash.finalize());
    digits.truncate(32);
    digits
}
