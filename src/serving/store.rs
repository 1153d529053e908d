//! The scenarios that are held.

use crate::engine::Compiled;
use crate::scenario::model::Id;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use thiserror::Error;

/// Two scenarios have one id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("two scenarios have the id `{id}`")]
pub struct DuplicateScenario {
    /// The id.
    pub id: Id,
}

/// The scenarios that are held; the first is the default one.
#[derive(Debug)]
pub struct Store {
    scenarios: Vec<Arc<Compiled>>,
    revision: String,
}

impl Store {
    /// Holds these scenarios. The first is the default one; lists are in order of id, whatever the order given.
    ///
    /// # Errors
    /// Two of one id.
    pub fn new(scenarios: Vec<Compiled>) -> Result<Self, DuplicateScenario> {
        let scenarios: Vec<Arc<Compiled>> = scenarios.into_iter().map(Arc::new).collect();
        let mut ids: Vec<(&Id, &str)> =
            scenarios.iter().map(|compiled| (&compiled.scenario().id, compiled.scenario().revision.as_str())).collect();
        ids.sort_unstable();
        if let Some((duplicate, _)) = ids.windows(2).find_map(|pair| match pair {
            [a, b] if a.0 == b.0 => Some(*a),
            _ => None,
        }) {
            return Err(DuplicateScenario { id: duplicate.clone() });
        }
        let mut hash = Sha256::new();
        for (id, revision) in &ids {
            hash.update((id.len() as u64).to_le_bytes());
            hash.update(id.as_bytes());
            hash.update(revision.as_bytes());
        }
        let revision = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { scenarios, revision })
    }

    /// The default scenario; `None` where nothing is held.
    pub fn default_scenario(&self) -> Option<&Arc<Compiled>> {
        self.scenarios.first()
    }

    /// The scenario of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Compiled>> {
        self.scenarios.iter().find(|compiled| &*compiled.scenario().id == id)
    }

    /// All scenarios, in order of id.
    pub fn list(&self) -> Vec<&Arc<Compiled>> {
        let mut list: Vec<_> = self.scenarios.iter().collect();
        list.sort_unstable_by(|a, b| a.scenario().id.cmp(&b.scenario().id));
        list
    }

    /// A hash over the ids and revisions of all scenarios, whatever their order: 32 hexadecimal digits.
    pub fn revision(&self) -> &str {
        &self.revision
    }
}
