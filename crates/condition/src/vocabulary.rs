//! The names that conditions may use, and what they mean.

use super::domain::{Domain, InputId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names that conditions may use.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    pub(super) names: BTreeMap<Arc<str>, Name>,
    /// Every option and member: what a text in a condition can mean.
    pub(super) entries: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug)]
pub(super) enum Name {
    Input(InputId, Domain),
    Group(Vec<Arc<str>>),
}

impl Vocabulary {
    /// Adds an input. A name that is there already keeps its first meaning.
    pub fn add_input(&mut self, name: Arc<str>, id: InputId, domain: Domain) {
        self.entries.extend(domain.entries().iter().cloned());
        self.names.entry(name).or_insert(Name::Input(id, domain));
    }

    /// Adds a group of options or members. A name that is there already keeps its first meaning.
    pub fn add_group(&mut self, name: Arc<str>, members: Vec<Arc<str>>) {
        self.entries.extend(members.iter().cloned());
        self.names.entry(name).or_insert(Name::Group(members));
    }

    /// The name of an input.
    pub(super) fn input(&self, id: InputId) -> Option<&str> {
        self.names.iter().find(|(_, name)| matches!(name, Name::Input(of, _) if *of == id)).map(|(name, _)| &**name)
    }
}
