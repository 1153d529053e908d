//! What can be wrong with a condition.

use super::budget::ComplexityError;
use super::limits::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING, MAX_FORMULA_NODES};
use thiserror::Error;

/// A fault in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// Where, in bytes from the beginning of the condition.
    pub at: usize,
    /// What.
    pub kind: ConditionErrorKind,
}

/// What is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionErrorKind {
    /// Not CEL.
    #[error("the condition cannot be read: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// Longer than the limit.
    #[error("the condition has {bytes} bytes; at most {MAX_CONDITION_BYTES} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Deeper than the limit.
    #[error("the condition nests more than {MAX_CONDITION_NESTING} deep")]
    TooDeep,
    /// A longer chain than the limit, as `a.b.c` or `1 + 1 + 1`.
    #[error("more than {MAX_CONDITION_NESTING} operators stand in a row, without `&&`, `||` or a comma between them")]
    TooManyOperators,
    /// Larger than the limit once macros are spelled out.
    #[error("the condition has more than {MAX_FORMULA_NODES} parts once its macros are spelled out")]
    TooLarge,
    /// More work than there is a budget for.
    #[error(transparent)]
    TooComplex(#[from] ComplexityError),
    /// No such issue, circumstance or group.
    #[error("there is no issue, circumstance or group `{name}`{}", hint(nearest))]
    UnknownName {
        /// The name used.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// No such option or member.
    #[error("`{input}` has no {what} `{name}`{}", hint(nearest))]
    UnknownEntry {
        /// The input.
        input: String,
        /// `option` or `member`.
        what: &'static str,
        /// The name used.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A text that is no option or member of anything.
    #[error("nothing has an option or member `{name}`{}", hint(nearest))]
    UnknownText {
        /// The text used.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A comparison that its domain decides.
    #[error("within {min}..{max} this comparison {} holds", if *always { "always" } else { "never" })]
    Decided {
        /// The domain's least value.
        min: i64,
        /// The domain's greatest value.
        max: i64,
        /// Whether it always holds.
        always: bool,
    },
    /// Types that don't fit.
    #[error("{message}")]
    Type {
        /// What was expected, and what was found.
        message: String,
    },
    /// CEL that is outside of what conditions may use.
    #[error("{what} is not part of the condition language")]
    Unsupported {
        /// What.
        what: String,
    },
}

impl ConditionErrorKind {
    /// Whether it is one of how long, deep or complex a condition may be.
    pub fn is_limit(&self) -> bool {
        use ConditionErrorKind::{TooComplex, TooDeep, TooLarge, TooLong, TooManyOperators};
        matches!(self, TooLong { .. } | TooDeep | TooManyOperators | TooLarge | TooComplex(_))
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
