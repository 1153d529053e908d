//! The reasons for which files cannot be imported, with their places.
//!
//! Owns the error messages of the import. Must not know how the files are read.

use super::limits::{
    MAX_DEPTH, MAX_DIGITS, MAX_FILE_BYTES, MAX_NAME, MAX_NODES, MAX_OPTIONS, MAX_PROFILES, MAX_TAG_BYTES,
};
use detente_core::scenario::limits::{MAX_ISSUES, MAX_PREFERENCES};
use std::fmt;
use thiserror::Error;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The character in the line, counted from 1.
    pub column: u32,
}

impl Place {
    /// Returns the place of the first character of a file.
    pub fn start_of(file: &str) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1 }
    }

    /// Returns the place of a byte of a file's text.
    pub(super) fn of_byte(file: &str, text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_begins = before.rfind('\n').map_or(0, |end| end + 1);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_begins..).unwrap_or_default().chars().count() + 1;
        Self { file: file.to_owned(), line: count(line), column: count(column) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The first fault found in the files, and its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {cause}")]
pub struct ImportError {
    /// The place of the fault.
    pub place: Place,
    /// The cause, boxed so that a `Result` stays small.
    pub cause: Box<GeniusError>,
}

impl ImportError {
    pub(super) fn new(place: Place, cause: GeniusError) -> Self {
        Self { place, cause: Box::new(cause) }
    }
}

/// The cause of an [`ImportError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages describe the variants, and the names describe the fields")]
pub enum GeniusError {
    #[error("the file has more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("this tag has more than {MAX_TAG_BYTES} bytes")]
    TagTooLong,
    #[error("the file has more than {MAX_NODES} elements and texts")]
    TooManyNodes,
    #[error("document types and entity declarations are not supported")]
    DocumentType,
    #[error("XML namespaces are not supported")]
    Namespace,
    #[error("this is not XML: {what}")]
    InvalidXml { what: String },
    #[error("the file name cannot become a title; expected 1 to {MAX_NAME} printable characters")]
    FileName,

    #[error("there are {found} issues; at most {MAX_ISSUES} are allowed")]
    TooManyIssues { found: usize },
    #[error("there are {found} profiles; at most {MAX_PROFILES} are allowed")]
    TooManyProfiles { found: usize },
    #[error("the profiles and issues result in {found} preferences; at most {MAX_PREFERENCES} are allowed")]
    TooManyPreferences { found: usize },
    #[error("`{issue}` has {found} options; expected 2 to {MAX_OPTIONS}")]
    OptionCount { issue: String, found: u128 },

    #[error("expected a `utility_space`, or a `negotiation_template` that contains one, not `{found}`")]
    Root { found: String },
    #[error("`{parent}` has {found} elements `{child}`; expected one")]
    ElementCount { parent: &'static str, child: &'static str, found: usize },
    #[error("`{found}` is not allowed in this `{parent}`; only additive utilities over issues can be imported")]
    UnknownElement { parent: String, found: String },
    #[error("an objective inside an objective is not supported; put all issues into one objective")]
    NestedObjective,
    #[error("the objective has no issues")]
    NoIssues,
    #[error("`{element}` requires the attribute `{attribute}`")]
    MissingAttribute { element: String, attribute: &'static str },
    #[error("`{found}` is not an index; expected a whole number")]
    Index { found: String },
    #[error("the index {index} already belongs to the issue at {first}")]
    DuplicateIndex { index: u32, first: Place },
    #[error("the option `{option}` is already defined at {first}")]
    DuplicateOption { option: String, first: Place },
    #[error("issue {index} already has a weight at {first}")]
    DuplicateWeight { index: u32, first: Place },
    #[error("the name is empty")]
    EmptyName,
    #[error("the name has {found} characters; at most {MAX_NAME} are allowed")]
    NameTooLong { found: usize },
    #[error("the name contains the control character U+{found:04X}")]
    ControlCharacter { found: u32 },
    #[error("the issue has no type; expected the attribute `type`, `vtype` or `etype`")]
    MissingKind,
    #[error("the attributes give the issue two types, `{one}` and `{other}`")]
    ConflictingKinds { one: String, other: String },
    #[error("`{found}` is not a supported issue type; expected discrete, or integer with at most {MAX_OPTIONS} values")]
    UnsupportedKind { found: String },
    #[error("`{found}` is not a whole number of at most 64 bits")]
    InvalidBound { found: String },
    #[error("the lower bound {low} is above the upper bound {high}")]
    InvertedBounds { low: i64, high: i64 },

    #[error("`{found}` is not a decimal number")]
    NotANumber { found: String },
    #[error("the number has more than {MAX_DIGITS} digits before or after its decimal point")]
    NumberTooLong,
    #[error("the domain has no issue with the index {index}")]
    UnknownIssue { index: u32 },
    #[error("issue {index} is named `{found}` here, but `{expected}` at {at}")]
    NameMismatch { index: u32, found: String, expected: String, at: Place },
    #[error("`{issue}` is {found} here, but {expected} at {at}")]
    KindMismatch { issue: String, found: String, expected: String, at: Place },
    #[error("the profile does not contain `{issue}`, issue {index} at {at}")]
    MissingIssue { issue: String, index: u32, at: Place },
    #[error("the profile has no weight for `{issue}`, issue {index} at {at}")]
    MissingWeight { issue: String, index: u32, at: Place },
    #[error("`{issue}` at {at} has no option `{option}`")]
    UnknownOption { issue: String, option: String, at: Place },
    #[error("the profile has no evaluation of `{option}`, the option of `{issue}` at {at}")]
    MissingEvaluation { issue: String, option: String, at: Place },
    #[error("`{found}` is not a supported function type; expected linear")]
    NotLinear { found: String },
    #[error("the function gives {value} the evaluation {evaluation}; expected an evaluation from 0 to 1")]
    EvaluationOutOfRange { value: i64, evaluation: String },
    #[error("the highest evaluation of `{issue}` is {highest}; to normalize evaluations, it must be positive")]
    NoPositiveEvaluation { issue: String, highest: String },
}
