//! Ids from names: `Size of Fund` becomes `size_of_fund`.

use detente_core::scenario::limits::MAX_ID;
use std::collections::HashSet;

/// Ids of one kind of thing, no two alike. Which name gets which id depends on the names and their order only.
pub(super) struct Ids {
    separator: char,
    /// What stands before a name that could be no id by itself, or in place of one without letters and digits.
    kind: &'static str,
    is_reserved: fn(&str) -> bool,
    taken: HashSet<String>,
}

impl Ids {
    pub(super) fn new(kind: &'static str, separator: char, is_reserved: fn(&str) -> bool) -> Self {
        Self { separator, kind, is_reserved, taken: HashSet::new() }
    }

    /// The id for the next name. What a name before it became is told apart by a number: `good`, `good_2`.
    pub(super) fn of(&mut self, name: &str) -> String {
        let id = self.well_formed(name);
        let separator = self.separator;
        let numbered = (2u32..).map(|number| {
            let suffix = format!("{separator}{number}");
            let room = MAX_ID.saturating_sub(suffix.len());
            shortened(&id, room, separator).to_owned() + &suffix
        });
        let found = std::iter::once(id.clone()).chain(numbered).find(|id| !self.taken.contains(id));
        // INVARIANT: numbers do not run out.
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

/// The first characters of an id, which are ASCII.
fn shortened(id: &str, most: usize, separator: char) -> &str {
    id.get(..most).unwrap_or(id).trim_end_matches(separator)
}

#[cfg(test)]
mod tests;
