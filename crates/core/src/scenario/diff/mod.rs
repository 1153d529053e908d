//! The differences between two scenarios.
//!
//! Each scenario is described as parts with ids, in which a reference is the id of its target instead of a position;
//! then the descriptions are compared. A part that only moved is therefore not changed, and a move is a change of
//! order.
//!
//! Owns the comparison. Must not know of verdicts, or of how a change is presented.

mod compare;
mod describe;
mod meaning;
mod words;

use super::model::Scenario;
use detente_condition::Formula;

/// The kinds of parts of a scenario, in the order of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of the file format")]
pub enum Section {
    Scenario,
    Sources,
    Parties,
    Groups,
    Issues,
    Circumstances,
    RedLines,
    Constraints,
    Cautions,
    Preferences,
    Proposals,
}

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
    /// The path from the part inwards; each step is an entry of a list.
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
    /// Evidence has no id; its name is the row, speaker or source, whichever is the first on which both versions agree.
    pub id: String,
}

/// The kind of a change, with the contents before and after.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Only the second scenario has the part.
    Added(Part),
    /// Only the first scenario has the part.
    Removed(Part),
    /// A word or a few words changed; empty means absent.
    Word {
        /// The content in the first scenario.
        before: String,
        /// The content in the second scenario.
        after: String,
    },
    /// A text for people changed; empty means absent.
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
    /// The order of the entries that both scenarios have changed, which affects only the order of answers.
    Reordered {
        /// The content in the first scenario.
        before: Vec<String>,
        /// The content in the second scenario.
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

/// A condition as it is stated in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The key of the condition in the file format: `rejects`, `requires`, `when` or `forbids`.
    pub key: &'static str,
    /// The text of the condition.
    pub text: String,
}

/// The description of a part of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The id of the part; empty if it has none.
    pub id: String,
    /// The fields of the part, in the order of the file format.
    pub fields: Vec<Field>,
}

/// A field of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key of the field in the file format.
    pub key: &'static str,
    /// The content of the field.
    pub content: Content,
}

/// The content of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A word or a few words; empty means absent.
    Word(String),
    /// A text for people; empty means absent.
    Text(String),
    /// A list of words.
    List(Vec<String>),
    /// A condition.
    Condition {
        /// The condition as it is stated in the file.
        stated: Stated,
        /// The meaning of the condition; for a red line, the cases in which it is crossed.
        ///
        /// Inputs are given by their positions in the scenario of the part.
        formula: Formula,
    },
    /// Parts with fields of their own.
    Parts(Vec<Part>),
}

impl Content {
    /// Whether the field is empty, which means that it is absent.
    pub fn is_empty(&self) -> bool {
        match self {
            Content::Word(text) | Content::Text(text) => text.is_empty(),
            Content::List(words) => words.is_empty(),
            Content::Condition { .. } => false,
            Content::Parts(parts) => parts.is_empty(),
        }
    }
}

impl Section {
    /// Returns the key of the section in the file format; `scenario` for the fields of the scenario itself.
    pub fn key(self) -> &'static str {
        match self {
            Section::Scenario => "scenario",
            Section::Sources => "sources",
            Section::Parties => "parties",
            Section::Groups => "groups",
            Section::Issues => "issues",
            Section::Circumstances => "circumstances",
            Section::RedLines => "red_lines",
            Section::Constraints => "constraints",
            Section::Cautions => "cautions",
            Section::Preferences => "preferences",
            Section::Proposals => "proposals",
        }
    }
}

/// Returns all differences between two scenarios, in the order of the file format.
///
/// The result is empty exactly if both scenarios have the same revision, so that formatting makes no difference.
pub fn diff(before: &Scenario, after: &Scenario) -> Vec<Change> {
    compare::scenarios(before, after)
}
