//! Ids from names: `Size of Fund` becomes `size_of_fund`.
//!
//! Owns the form and the uniqueness of ids. Must not know of XML.

use detente_core::scenario::limits::MAX_ID;
use std::collections::HashSet;

/// Assigns unique ids to the names of one kind of item.
///
/// The ids depend only on the names and their order.
pub(super) struct Ids {
    separator: char,
    /// The prefix of an id if the name alone would not be a valid id.
    ///
    /// If a name has no letters and no digits, this prefix is its whole id.
    kind: &'static str,
    is_reserved: fn(&str) -> bool,
    taken: HashSet<String>,
}

impl Ids {
    pub(super) fn new(kind: &'static str, separator: char, is_reserved: fn(&str) -> bool) -> Self {
        Self { separator, kind, is_reserved, taken: HashSet::new() }
    }

    /// Returns the id of the next name.
    ///
    /// If an earlier name already has the id, a number is added to it: `good`, `good_2`.
    pub(super) fn assign(&mut self, name: &str) -> String {
        let id = self.well_formed(name);
        let separator = self.separator;
        let numbered = (2u32..).map(|number| {
            let suffix = format!("{separator}{number}");
            let room = MAX_ID.saturating_sub(suffix.len());
            shortened(&id, room, separator).to_owned() + &suffix
        });
        let found = std::iter::once(id.clone()).chain(numbered).find(|id| !self.taken.contains(id));
        // INVARIANT: there are more numbers than names, so a free id exists.
        let id = found.unwrap_or(id);
        self.taken.insert(id.clone());
        id
    }

    fn well_formed(&self, name: &str) -> String {
        let (kind, separator) = (self.kind, self.separator);
        let mut slug = String::with_capacity(name.len());
        for character in name.chars() {
            if character.is_ascii_alphanumeric() {
                slug.push(character.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with(separator) {
                slug.push(separator);
            }
        }
        let slug = slug.trim_end_matches(separator);
        let id = match slug.chars().next() {
            None => kind.to_owned(),
            Some(first) if !first.is_ascii_lowercase() || (self.is_reserved)(slug) => {
                format!("{kind}{separator}{slug}")
            }
            Some(_) => slug.to_owned(),
        };
        shortened(&id, MAX_ID, separator).to_owned()
    }
}

/// Returns the first `most` bytes of an id, without a trailing separator; ids are ASCII.
fn shortened(id: &str, most: usize, separator: char) -> &str {
    id.get(..most).unwrap_or(id).trim_end_matches(separator)
}

#[cfg(test)]
mod tests;
