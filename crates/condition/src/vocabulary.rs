//! The names that conditions may use, and the inputs or groups that they denote.
//!
//! Must not know of the syntax of conditions.

use super::domain::{Domain, InputIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names that conditions may use: inputs with their domains, and groups (named lists) of options or members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    pub(super) names: BTreeMap<Arc<str>, Name>,
    /// The ids of all options and members: the strings that a condition may contain.
    pub(super) entries: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Input(InputIndex, Domain),
    Group(Arc<[Arc<str>]>),
}

impl Vocabulary {
    /// Adds an input. If the name is already in the vocabulary, it keeps its first meaning.
    pub fn add_input(&mut self, name: Arc<str>, id: InputIndex, domain: Domain) {
        self.entries.extend(domain.entries().iter().cloned());
        self.names.entry(name).or_insert(Name::Input(id, domain));
    }

    /// Adds a group of options or members.
    ///
    /// If the name is already in the vocabulary, it keeps its first meaning.
    pub fn add_group(&mut self, name: Arc<str>, members: Arc<[Arc<str>]>) {
        self.entries.extend(members.iter().cloned());
        self.names.entry(name).or_insert(Name::Group(members));
    }

    /// Returns the memory that the vocabulary takes, approximately, in bytes, without its reference-counted texts and
    /// lists.
    pub fn bytes(&self) -> usize {
        self.names.len() * size_of::<(Arc<str>, Name)>() + self.entries.len() * size_of::<Arc<str>>()
    }

    /// Returns the name of an input; `None` if the vocabulary does not contain the input.
    pub(super) fn input(&self, id: InputIndex) -> Option<&str> {
        self.names.iter().find(|(_, name)| matches!(name, Name::Input(of, _) if *of == id)).map(|(name, _)| &**name)
    }
}
