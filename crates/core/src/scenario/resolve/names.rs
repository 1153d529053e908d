//! Maps ids to positions, and records the ids of parts that could not be read.
//!
//! Must not know what kinds of parts the ids name.

use crate::scenario::diagnostics::{Faults, Place};
use crate::scenario::document::{Content, Node};
use std::collections::{BTreeMap, HashSet};

/// The positions of ids, with the places at which they are defined.
pub(super) struct Names<I> {
    // Ordered, so that a suggestion is deterministic if two names are equally similar.
    positions: BTreeMap<String, (I, Place)>,
    /// Names that the file may define but that could not be read.
    pub(super) unread: Unread,
}

impl<I: Copy> Names<I> {
    /// Creates an empty map, to which the ids of the items in `lists` are added later. `lists` are the keys of
    /// top-level lists.
    pub(super) fn of_lists(root: &Node, known_keys: &[&str], lists: &[&str]) -> Self {
        Self { positions: BTreeMap::new(), unread: Unread::of(root, known_keys, lists) }
    }

    /// Adds an id, and reports one that is already in use.
    pub(super) fn add(&mut self, what: &str, id: &str, place: Place, position: I, faults: &mut Faults) {
        if let Some((_, first)) = self.positions.get(id) {
            let message = format!("the id `{id}` is already used by another {what}");
            faults.add_with_other(place, message, *first, "first used here");
            // References are not checked, because it is unknown which of the two parts they mean.
            self.unread.names.insert(id.to_owned());
        } else {
            self.positions.insert(id.to_owned(), (position, place));
        }
    }

    /// Deletes, from the unread ids, every id that was read after all. Call it after all ids are added.
    pub(super) fn settle(&mut self) {
        self.unread.misspelt.retain(|id| !self.positions.contains_key(id));
    }

    /// Returns the position of an id, and reports an unknown id with the nearest known one.
    pub(super) fn find(&self, what: &str, id: &str, place: Place, faults: &mut Faults) -> Option<I> {
        if let Some((position, _)) = self.positions.get(id) {
            return Some(*position);
        }
        if !self.unread.may_mean(id) {
            let hint = faults.hint(id, self.positions.keys().map(String::as_str));
            faults.add(place, format!("there is no {what} `{id}`{hint}"));
        }
        None
    }
}

/// Names that the file defines but whose parts could not be read, which has been reported.
///
/// References to these names are not checked, so that one fault does not cause further ones.
#[derive(Default)]
pub(crate) struct Unread {
    names: HashSet<String>,
    /// Ids that are not well formed (such as `Truce`), in their folded form.
    misspelt: HashSet<String>,
    /// Whether an item has no id or a required list is missing, so that any unknown name may be the name of a part that
    /// could not be read.
    any: bool,
}

impl Unread {
    fn of(root: &Node, known_keys: &[&str], lists: &[&str]) -> Self {
        let Content::Mapping(entries) = &root.content else { return Self { any: true, ..Self::default() } };
        let has_unknown_key = entries.iter().any(|(key, _)| !known_keys.contains(&&*key.text));
        let mut unread = Self::default();
        for list in lists {
            match entries.iter().find(|(key, _)| *key.text == **list).map(|(_, node)| &node.content) {
                Some(Content::Sequence(items)) => items.iter().for_each(|item| unread.item(item)),
                Some(_) => unread.any = true,
                // The list may be under a misspelt key. Otherwise only circumstances and groups may be missing: they
                // are optional.
                None => unread.any |= has_unknown_key || !matches!(*list, "circumstances" | "groups"),
            }
        }
        unread
    }

    fn item(&mut self, item: &Node) {
        let Content::Mapping(entries) = &item.content else {
            self.any = true;
            return;
        };
        match entries.iter().find(|(key, _)| &*key.text == "id").and_then(|(_, node)| node.as_text()) {
            Some(text) if text.contains(char::is_alphabetic) => {
                self.misspelt.insert(folded(text));
            }
            _ => self.any = true,
        }
    }

    /// Adds a name whose part could not be read.
    pub(super) fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Whether there may be items with unknown ids.
    pub(super) fn is_incomplete(&self) -> bool {
        self.any
    }

    /// Whether the part with this name could not be read.
    pub(super) fn is_unread(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether an unknown name may refer to a part that could not be read.
    pub(super) fn may_mean(&self, name: &str) -> bool {
        self.any || self.names.contains(name) || self.misspelt.contains(&folded(name))
    }
}

/// Folds an id to lower case with `_` as the separator, to compare ids that are not well formed.
fn folded(id: &str) -> String {
    id.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}
