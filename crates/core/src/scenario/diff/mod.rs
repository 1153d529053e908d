//! What changed between two scenarios.
//!
//! Both are described as parts with ids, in which every reference is spelled out as the id that it leads to; then the
//! descriptions are compared. So a part that only moved is no change, and what moved is told as such.
//!
//! Owns the comparison. Must not know of verdicts, or of how a change is shown.

mod compare;
mod describe;
mod meaning;
mod words;

use super::model::Scenario;
use detente_condition::Formula;

/// The kinds of parts, in the order of the file format.
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

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// What.
    pub what: What,
}

/// Where something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The kind of part.
    pub section: Section,
    /// From the part inwards: each a list of the file format, and the id of one of its entries. Empty where the list
    /// of parts itself changed its order, and for what the scenario says of itself.
    pub path: Vec<Step>,
    /// The format's key of what changed; `None` where it is all of what the path leads to.
    pub field: Option<&'static str>,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The list's key in the file format.
    pub list: &'static str,
    /// The entry's id; for evidence, which has none, what both versions of it agree on and it is known by: its row,
    /// its speaker, or its source.
    pub id: String,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Only the second scenario has it.
    Added(Part),
    /// Only the first scenario has it.
    Removed(Part),
    /// A word or two. Empty: nothing was said.
    Word {
        /// In the first scenario.
        before: String,
        /// In the second scenario.
        after: String,
    },
    /// A text for people. Empty: nothing was said.
    Text {
        /// In the first scenario.
        before: String,
        /// In the second scenario.
        after: String,
    },
    /// Entries of a list that are no parts of their own.
    Entries {
        /// Those that only the first scenario has.
        removed: Vec<String>,
        /// Those that only the second scenario has.
        added: Vec<String>,
    },
    /// The entries that both have stand in another order, which is the order of answers and nothing more.
    Reordered {
        /// In the first scenario.
        before: Vec<String>,
        /// In the second scenario.
        after: Vec<String>,
    },
    /// A condition, in its words or only in what they mean.
    Condition {
        /// In the first scenario.
        before: Stated,
        /// In the second scenario.
        after: Stated,
        /// How the meanings compare; `None` where they cannot be compared: what a condition is about was added,
        /// removed, or ranges over something else now; or comparing takes too long.
        meaning: Option<Meaning>,
    },
}

/// How the meaning of a condition compares with the one before. For red lines: the cases in which they are crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The same cases.
    Same,
    /// All cases of before, and others.
    More,
    /// Some of the cases of before, and no others.
    Fewer,
    /// Other cases.
    Other,
}

/// A condition as it is stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The format's key: `rejects`, `requires`, `when` or `forbids`.
    pub key: &'static str,
    /// The text.
    pub text: String,
}

/// A part of a scenario, described.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its id; empty for what has none.
    pub id: String,
    /// All it says, in the order of the file format.
    pub fields: Vec<Field>,
}

/// Something that a part says.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The file format's key.
    pub key: &'static str,
    /// What is said.
    pub content: Content,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A word or two. Empty: nothing is said.
    Word(String),
    /// A text for people. Empty: nothing is said.
    Text(String),
    /// Words.
    List(Vec<String>),
    /// A condition.
    Condition {
        /// As it is stated.
        stated: Stated,
        /// What it means; for red lines, where they are crossed. In the positions of its own scenario.
        formula: Formula,
    },
    /// Further parts.
    Parts(Vec<Part>),
}

impl Content {
    /// Whether nothing is said.
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
    /// The key of the file format; of what a scenario says of itself, `scenario`.
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

/// Everything that `after` says otherwise than `before`, in the order of the file format. Nothing exactly if both have
/// the same content; differences of mere formatting are none.
pub fn diff(before: &Scenario, after: &Scenario) -> Vec<Change> {
    compare::scenarios(before, after)
}
