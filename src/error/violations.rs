//! Field violations: every fault of a request, bounded by what trailers can carry.

use detente_condition::nearest;
use std::fmt;

/// Details travel in the trailers, which clients bound to 8 KiB or so, in base64: more than this is not listed.
const MAX_VIOLATION_BYTES: usize = 4 * 1024;

/// The most suggestions in one answer.
const MAX_HINTS: usize = 16;

/// What a caller wrote is repeated in an error up to this many characters.
const MAX_QUOTED_CHARACTERS: usize = 64;

/// What a caller wrote, fit to be repeated in a message.
pub fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_QUOTED_CHARACTERS).is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// The faults of a request, each with its field path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    pub(crate) listed: Vec<(String, String)>,
    pub(crate) bytes: usize,
    pub(crate) unlisted: usize,
    pub(crate) hints: usize,
    pub(crate) limits: Vec<&'static str>,
}

impl Violations {
    /// One fault.
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Self::default();
        violations.add(field, description);
        violations
    }

    /// None yet, and without suggestions: they cost more than all else.
    pub fn without_suggestions() -> Self {
        Self { hints: MAX_HINTS, ..Self::default() }
    }

    /// Adds a fault. Faults beyond what trailers can carry are counted, and the count is said.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        let (field, description) = (field.into(), description.into());
        self.bytes += field.len() + description.len();
        if self.bytes > MAX_VIOLATION_BYTES {
            self.unlisted += 1;
        } else {
            self.listed.push((field, description));
        }
    }

    /// Adds a fault that is one of how much may be asked: beyond the limit of this name.
    pub fn over(&mut self, limit: &'static str, field: impl Into<String>, description: impl Into<String>) {
        if !self.limits.contains(&limit) {
            self.limits.push(limit);
        }
        self.add(field, description);
    }

    /// The nearest known name, for the first few faults: looking for one costs more than all else in a request.
    pub fn nearest<'a>(&mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.hints >= MAX_HINTS || self.bytes > MAX_VIOLATION_BYTES {
            return None;
        }
        self.hints += 1;
        nearest(name, known)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.unlisted == 0
    }

    /// All faults, as (field, description).
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
