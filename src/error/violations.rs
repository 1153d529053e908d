//! Field violations: the faults of a request, in the order in which they were found.
//!
//! Owns how much of a caller's input an error repeats, how many faults it lists, and how many suggestions it makes.
//! Must not know which fields requests have.

use super::headers::MAX_STATUS_BYTES;
use detente_condition::nearest;
use std::fmt;

/// Maximum total size of the faults that the error of a call lists, in bytes.
///
/// The headers of a status cannot carry more, so further faults are only counted, and take no memory.
const MAX_CALL_BYTES: usize = MAX_STATUS_BYTES;

/// Maximum total size of the faults that the error of one item of a batch or stream lists, in bytes.
///
/// The error is part of a message, so its size is that of an answer. An item within the limits of a request (500 terms,
/// 500 overrides, 500 cleared issues), with one fault each, has less than 2 MiB of faults, even if every name consists
/// of characters that are escaped. The bound is half of the largest answer (4 MiB).
const MAX_ITEM_BYTES: usize = 2 * 1024 * 1024;

/// Maximum number of names for which one error may suggest a similar name ("did you mean ...").
const MAX_HINTS: usize = 16;

/// Maximum number of characters of a caller's text that an error repeats.
const MAX_QUOTED_CHARACTERS: usize = 64;

/// Returns a caller's text in a form that a message may repeat: escaped, and at most 64 characters.
pub fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_QUOTED_CHARACTERS).is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// The faults of a request, each with its field path, and the names of the exceeded limits.
///
/// The default is an empty list for the error of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    listed: Vec<(String, String)>,
    /// Number of faults beyond the maximum total size, which are not in the list.
    unlisted: usize,
    /// Bytes that the list can still take.
    room: usize,
    hints: usize,
    limits: Vec<&'static str>,
}

impl Default for Violations {
    fn default() -> Self {
        Self { listed: Vec::new(), unlisted: 0, room: MAX_CALL_BYTES, hints: 0, limits: Vec::new() }
    }
}

impl Violations {
    /// Creates a list with one fault.
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Self::default();
        violations.add(field, description);
        violations
    }

    /// Creates an empty list for the error of one item of a batch or stream.
    pub fn of_item() -> Self {
        Self { room: MAX_ITEM_BYTES, ..Self::default() }
    }

    /// Returns the list with the setting that no similar names are searched for it.
    ///
    /// Such a search costs more than all other checks, so a batch makes suggestions only for its first faulty items.
    #[must_use]
    pub fn without_suggestions(self) -> Self {
        Self { hints: MAX_HINTS, ..self }
    }

    /// Adds a fault. After the first fault that exceeds the maximum total size, faults are only counted.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        let (field, description) = (field.into(), description.into());
        match self.room.checked_sub(field.len() + description.len()) {
            Some(room) if self.unlisted == 0 => {
                self.room = room;
                self.listed.push((field, description));
            }
            _ => self.unlisted += 1,
        }
    }

    /// Adds the fault that the request exceeds the limit named `limit`.
    pub fn over(&mut self, limit: &'static str, field: impl Into<String>, description: impl Into<String>) {
        if !self.limits.contains(&limit) {
            self.limits.push(limit);
        }
        self.add(field, description);
    }

    /// Returns the known name most similar to `name`, which an error can then suggest.
    ///
    /// Always `None` after the first 16 searches, because a search costs more than all other checks of a request.
    pub fn nearest<'a>(&mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.hints >= MAX_HINTS || self.unlisted > 0 {
            return None;
        }
        self.hints += 1;
        nearest(name, known)
    }

    /// Whether the list has no faults.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Returns the number of faults, listed or not.
    pub fn count(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    /// Returns the names of the exceeded limits.
    pub fn limits(&self) -> &[&'static str] {
        &self.limits
    }

    /// Iterates over the listed faults as (field, description).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.listed.iter().map(|(field, description)| (field.as_str(), description.as_str()))
    }
}

/// Writes the number of faults and the first fault, because a message has less room than the details.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            1 => f.write_str("the request has a fault")?,
            count => write!(f, "the request has {count} faults")?,
        }
        match (self.count(), self.listed.first()) {
            (_, None) => Ok(()),
            (1, Some((field, description))) => write!(f, ": {field}: {description}"),
            (_, Some((field, description))) => write!(f, "; the first: {field}: {description}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_beyond_the_room_of_a_list_are_counted_and_the_listed_ones_are_the_first() {
        for (mut violations, bound) in
            [(Violations::default(), MAX_CALL_BYTES), (Violations::of_item(), MAX_ITEM_BYTES)]
        {
            violations.add("f", "x".repeat(bound - 3));
            violations.add("g", "y");
            assert_eq!((violations.iter().count(), violations.count()), (2, 2));
            violations.add("", "z");
            assert_eq!((violations.iter().count(), violations.count()), (2, 3));
        }
        let mut violations = Violations::default();
        violations.add("large", "x".repeat(MAX_CALL_BYTES));
        violations.add("small", "x");
        assert_eq!((violations.iter().count(), violations.count()), (0, 2));
        assert!(!violations.is_empty());
    }
}
