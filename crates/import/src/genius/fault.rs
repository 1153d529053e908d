//! The reasons for which files cannot be imported, with their places.
//!
//! Owns the error messages of the import. Must not know of the reading itself.

use super::{MAX_DEPTH, MAX_DIGITS, MAX_FILE_BYTES, MAX_NAME, MAX_NODES, MAX_OPTIONS, MAX_PROFILES, MAX_TAG_BYTES};
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

/// The first fault of the files, and its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {cause}")]
pub struct ImportError {
    /// The place of the fault.
    pub place: Place,
    /// The cause, boxed so that a `Result` stays small.
    pub cause: Box<Cause>,
}

impl ImportError {
    pub(super) fn new(place: Place, cause: Cause) -> Self {
        Self { place, cause: Box::new(cause) }
    }
}

/// The cause of an [`ImportError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages describe the variants, and the names describe the fields")]
pub enum Cause {
    #[error("the file has more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    #[error("elements nest more than {MAX_DEPTH} deep here")]
    TooDeep,
    #[error("this tag has more than {MAX_TAG_BYTES} bytes")]
    TagTooLong,
    #[error("the file has more than {MAX_NODES} elements and texts")]
    TooManyNodes,
    #[error("a document type, and with it entities, are not read")]
    DocumentType,
    #[error("XML namespaces are no part of GENIUS's files")]
    Namespace,
    #[error("this is not XML: {what}")]
    NotXml { what: String },
    #[error("the file's name has no characters, more than {MAX_NAME}, or some that cannot be printed")]
    FileName,

    #[error("there are {found} issues; at most {MAX_ISSUES} are allowed")]
    TooManyIssues { found: usize },
    #[error("there are {found} profiles; at most {MAX_PROFILES} are allowed")]
    TooManyProfiles { found: usize },
    #[error("profiles and issues make {found} preferences; at most {MAX_PREFERENCES} are allowed")]
    TooManyPreferences { found: usize },
    #[error("`{issue}` has {found} options; an issue has 2 to {MAX_OPTIONS}")]
    OptionCount { issue: String, found: u128 },

    #[error("a `utility_space` is expected here, or a `negotiation_template` with one, not `{found}`")]
    Root { found: String },
    #[error("`{parent}` has {found} elements `{child}`; one is expected")]
    OneExpected { parent: &'static str, child: &'static str, found: usize },
    #[error("`{found}` within `{parent}` is no part of an additive utility over issues")]
    UnknownElement { parent: String, found: String },
    #[error("an objective within an objective: only issues of one level are read")]
    NestedObjective,
    #[error("there are no issues")]
    NoIssues,
    #[error("`{element}` needs the attribute `{attribute}`")]
    AttributeMissing { element: String, attribute: &'static str },
    #[error("an index, a whole number, is expected here, not `{found}`")]
    Index { found: String },
    #[error("an issue of index {index} is at {first} already")]
    IssueTwice { index: u32, first: Place },
    #[error("the option `{option}` is at {first} already")]
    OptionTwice { option: String, first: Place },
    #[error("a weight for issue {index} is at {first} already")]
    WeightTwice { index: u32, first: Place },
    #[error("the name is empty")]
    EmptyName,
    #[error("the name has {found} characters; at most {MAX_NAME} are kept")]
    LongName { found: usize },
    #[error("the name has the control character U+{found:04X}")]
    ControlCharacter { found: u32 },
    #[error("an issue's kind is said by `type`, `vtype` or `etype`; there is none")]
    NoKind,
    #[error("one attribute says that the issue is {one}, another that it is {other}")]
    TwoKinds { one: String, other: String },
    #[error("issues of type {found} are not read: only discrete ones, and integers of few values")]
    UnreadKind { found: String },
    #[error("a whole number of at most 64 bits is expected here, not `{found}`")]
    Bound { found: String },
    #[error("the lower bound, {low}, is above the upper bound, {high}")]
    Bounds { low: i64, high: i64 },

    #[error("a decimal number is expected here, not `{found}`")]
    NotANumber { found: String },
    #[error("the number has more than {MAX_DIGITS} digits before its point or behind it")]
    LongNumber,
    #[error("the domain has no issue of index {index}")]
    UnknownIssue { index: u32 },
    #[error("issue {index} is `{found}` here, but `{expected}` at {at}")]
    OtherName { index: u32, found: String, expected: String, at: Place },
    #[error("`{issue}` is {found} here, but {expected} at {at}")]
    OtherKind { issue: String, found: String, expected: String, at: Place },
    #[error("the profile says nothing of `{issue}`, issue {index} at {at}")]
    IssueMissing { issue: String, index: u32, at: Place },
    #[error("the profile has no weight for `{issue}`, issue {index} at {at}")]
    WeightMissing { issue: String, index: u32, at: Place },
    #[error("`{issue}` at {at} has no option `{option}`")]
    UnknownOption { issue: String, option: String, at: Place },
    #[error("`{issue}` has no evaluation of `{option}`, which is at {at}")]
    OptionMissing { issue: String, option: String, at: Place },
    #[error("the function of type `{found}` is not read: only linear ones are")]
    NotLinear { found: String },
    #[error("the function gives {value} the evaluation {evaluation}, which is not between 0 and 1")]
    OutsideOfUnit { value: i64, evaluation: String },
    #[error("the highest evaluation of `{issue}` is {highest}: none can be divided by it")]
    NothingToDivideBy { issue: String, highest: String },
}
