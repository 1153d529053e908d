//! Field violations: all faults of a request, up to the size that trailers can carry.
//!
//! Owns how much of a caller's input an error repeats, how many faults it lists, and how many suggestions it makes.
//! Must not know which fields requests have.

use detente_condition::nearest;
use std::fmt;

/// Maximum total size of the faults that an error lists, in bytes.
///
/// Details travel in trailers in base64, and clients limit trailers to about 8 KiB.
const MAX_VIOLATION_BYTES: usize = 4 * 1024;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    pub(crate) listed: Vec<(String, String)>,
    pub(crate) bytes: usize,
    pub(crate) unlisted: usize,
    pub(crate) hints: usize,
    pub(crate) limits: Vec<&'static str>,
}

impl Violations {
    /// Creates a list with one fault.
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Self::default();
        violations.add(field, description);
        violations
    }

    /// Creates an empty list for which no similar names are searched.
    ///
    /// Such a search costs more than all other checks, so a batch makes suggestions only for its first faulty items.
    pub fn without_suggestions() -> Self {
        Self { hints: MAX_HINTS, ..Self::default() }
    }

    /// Adds a fault. Faults beyond the size that trailers can carry are only counted; [`Self::iter`] reports the count.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        let (field, description) = (field.into(), description.into());
        self.bytes += field.len() + description.len();
        if self.bytes > MAX_VIOLATION_BYTES {
            self.unlisted += 1;
        } else {
            self.listed.push((field, description));
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
        if self.hints >= MAX_HINTS || self.bytes > MAX_VIOLATION_BYTES {
            return None;
        }
        self.hints += 1;
        nearest(name, known)
    }

    /// Whether the list has no faults.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.unlisted == 0
    }

    /// Iterates over the faults as (field, description). The last item says how many faults are not listed.
    pub fn iter(&self) -> impl Iterator<Item = (String, String)> {
        let more =
            (self.unlisted > 0).then(|| ("...".to_owned(), format!("{} more faults are not listed", self.unlisted)));
        self.listed.iter().cloned().chain(more)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.listed.len() + self.unlisted {
            1 => f.write_str("the request has a fault")?,
            count => write!(f, "the request has {count} faults")?,
        }
        for (at, (field, description)) in self.iter().enumerate() {
            write!(f, "{} {field}: {description}", if at == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}
