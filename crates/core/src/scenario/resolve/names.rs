//! From ids to positions, and the ids that a file gives but that could not be read.
//!
//! Must not know what the ids are of.

use crate::scenario::diagnostics::{Faults, Place};
use crate::scenario::document::{Content, Node};
use std::collections::{BTreeMap, HashSet};

/// The positions of ids, with the places at which they were given.
#[derive(Default)]
pub(super) struct Names {
    // In order, so that of two nearest names it is always the same that is offered.
    positions: BTreeMap<String, (usize, Place)>,
    /// What else the file may mean by a name.
    pub(super) unread: Unread,
}

impl Names {
    /// Names that the items of these lists of the file will be added to.
    pub(super) fn of_lists(root: &Node, known_keys: &[&str], lists: &[&str]) -> Self {
        Self { positions: BTreeMap::new(), unread: Unread::of(root, known_keys, lists) }
    }

    /// Notes an id; one that is there already is a fault.
    pub(super) fn add(&mut self, what: &str, id: &str, place: Place, position: usize, faults: &mut Faults) {
        if let Some((_, first)) = self.positions.get(id) {
            let article = if what.starts_with('i') { "an" } else { "a" };
            faults.add_with_other(place, format!("there is {article} {what} `{id}` already"), *first, "first here");
            // Which of the two is meant can't be known.
            self.unread.names.insert(id.to_owned());
        } else {
            self.positions.insert(id.to_owned(), (position, place));
        }
    }

    /// To be called once all are added: what could be read is not unread.
    pub(super) fn settle(&mut self) {
        self.unread.misspelt.retain(|id| !self.positions.contains_key(id));
    }

    /// The position of an id; an unknown one is a fault that names the nearest.
    pub(super) fn find(&self, what: &str, id: &str, place: Place, faults: &mut Faults) -> Option<usize> {
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

/// Names that the file gives but whose meaning is not known, because something about them is wrong and told already.
/// What uses them is left alone: faults would follow from faults.
#[derive(Default)]
pub(crate) struct Unread {
    names: HashSet<String>,
    /// Ids that are none as written (`Truce`), as they probably should be.
    misspelt: HashSet<String>,
    /// An item without any id, or a list that is not there though it should be: any name may be of that.
    any: bool,
}

impl Unread {
    fn of(root: &Node, known_keys: &[&str], lists: &[&str]) -> Self {
        let Content::Mapping(entries) = &root.content else { return Self { any: true, ..Self::default() } };
        let stranger = entries.iter().any(|(key, _)| !known_keys.contains(&key.text.as_str()));
        let mut unread = Self::default();
        for list in lists {
            match entries.iter().find(|(key, _)| key.text == *list).map(|(_, node)| &node.content) {
                Some(Content::Sequence(items)) => items.iter().for_each(|item| unread.item(item)),
                Some(_) => unread.any = true,
                // The list may stand under a misspelt key; circumstances and groups may be left out.
                None => unread.any |= stranger || !matches!(*list, "circumstances" | "groups"),
            }
        }
        unread
    }

    fn item(&mut self, item: &Node) {
        let Content::Mapping(entries) = &item.content else {
            self.any = true;
            return;
        };
        match entries.iter().find(|(key, _)| key.text == "id").and_then(|(_, node)| node.as_text()) {
            Some(text) if text.contains(char::is_alphabetic) => {
                self.misspelt.insert(folded(text));
            }
            _ => self.any = true,
        }
    }

    /// Notes a name that is known, while what it stands for is not.
    pub(super) fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Whether there may be more items than those whose ids are known.
    pub(super) fn is_incomplete(&self) -> bool {
        self.any
    }

    /// Whether something is given under this name whose meaning is not known.
    pub(super) fn is_unread(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether an unknown name may be one of those that could not be read.
    pub(super) fn may_mean(&self, name: &str) -> bool {
        self.any || self.names.contains(name) || self.misspelt.contains(&folded(name))
    }
}

/// An id as it would be well formed, whichever separator it should have.
fn folded(id: &str) -> String {
    id.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}
