//! The parts of a scenario (such as parties and red lines), described for the diff with ids in place of positions.
//!
//! Must not know of the scenario model.

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
