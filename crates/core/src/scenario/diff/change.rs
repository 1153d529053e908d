//! One difference between two scenarios: its place, and the contents before and after.
//!
//! Must not know how differences are found.

use super::part::{Part, Section, Stated};

/// One difference between two scenarios.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The part and field that changed.
    pub place: Place,
    /// The kind of change, with the contents before and after.
    pub what: What,
}

/// The part and field of a scenario that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The kind of part.
    pub section: Section,
    /// The path from the part inwards; each step is an entry of a list, such as the red line, then its waiver.
    ///
    /// Empty if the order of the list of parts changed, and for the fields of the scenario itself.
    pub path: Vec<Step>,
    /// The key of the changed field in the file format; `None` if the change concerns the whole entry at the path.
    pub field: Option<&'static str>,
}

/// One step of a path: an entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The key of the list in the file format.
    pub list: &'static str,
    /// The id of the entry.
    ///
    /// Evidence has no id. It is named by its row, speaker or source: the first of them on which both versions agree.
    pub id: String,
}

/// The kind of a change, with the contents before and after.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Only the second scenario has the part.
    Added(Part),
    /// Only the first scenario has the part.
    Removed(Part),
    /// A field of one or a few words changed; empty content means that the field is absent.
    Word {
        /// The content in the first scenario.
        before: String,
        /// The content in the second scenario.
        after: String,
    },
    /// A field with a text for people changed; empty content means that the field is absent.
    Text {
        /// The content in the first scenario.
        before: String,
        /// The content in the second scenario.
        after: String,
    },
    /// Entries of a list of words were added or removed.
    Entries {
        /// The entries that only the first scenario has.
        removed: Vec<String>,
        /// The entries that only the second scenario has.
        added: Vec<String>,
    },
    /// The entries that both scenarios have are in a different order, which affects only the order in responses.
    Reordered {
        /// The entries in the order of the first scenario.
        before: Vec<String>,
        /// The entries in the order of the second scenario.
        after: Vec<String>,
    },
    /// A condition changed, in its text or only in its meaning.
    Condition {
        /// The content in the first scenario.
        before: Stated,
        /// The content in the second scenario.
        after: Stated,
        /// How the meanings compare.
        ///
        /// `None` if they cannot be compared: an input of the condition was added, was removed or has a different
        /// domain, or the comparison exceeds its work budget.
        meaning: Option<Meaning>,
    },
}

/// How the meaning of a condition changed.
///
/// The meaning is the set of cases in which the condition is true or, for a red line, in which the red line is crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The cases are the same.
    Same,
    /// All cases of the first scenario remain, and further cases are added.
    More,
    /// Some cases of the first scenario remain, and no further cases are added.
    Fewer,
    /// Some cases of the first scenario are gone, and further cases are added.
    Other,
}
