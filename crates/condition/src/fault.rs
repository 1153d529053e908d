//! The errors that reading a condition can produce, and their messages.

use super::budget::ComplexityError;
use super::limits::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING, MAX_FORMULA_NODES};
use super::nearest::did_you_mean;
use thiserror::Error;

/// A fault in a condition, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// The position of the fault, in bytes from the beginning of the condition.
    pub at: usize,
    /// The kind of the fault; its `Display` form is the message.
    pub kind: ConditionErrorKind,
}

/// The kinds of faults in a condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionErrorKind {
    /// The text is not valid CEL.
    #[error("the condition is not valid CEL: {message}")]
    Syntax {
        /// The message of the parser, or of the scan that checks the text before the parser.
        message: String,
    },
    /// The condition is longer than [`MAX_CONDITION_BYTES`].
    #[error("the condition is {bytes} bytes long; the limit is {MAX_CONDITION_BYTES} bytes")]
    TooLong {
        /// The length of the condition, in bytes.
        bytes: usize,
    },
    /// The condition nests deeper than [`MAX_CONDITION_NESTING`].
    #[error("the condition nests more than {MAX_CONDITION_NESTING} levels deep")]
    TooDeep,
    /// A chain of operators, such as `a.b.c` or `1 + 1 + 1`, is longer than [`MAX_CONDITION_NESTING`].
    #[error("more than {MAX_CONDITION_NESTING} operators follow each other without `&&`, `||` or a comma between them")]
    TooManyOperators,
    /// The condition has more than [`MAX_FORMULA_NODES`] nodes after macro expansion.
    #[error("the condition has more than {MAX_FORMULA_NODES} parts after macro expansion")]
    TooLarge,
    /// Reading the condition exceeds the work budget.
    #[error(transparent)]
    TooComplex(#[from] ComplexityError),
    /// The vocabulary has no input or group with this name.
    #[error("there is no issue, circumstance or group `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownName {
        /// The unknown name.
        name: String,
        /// The most similar known name, if any is similar enough to suggest.
        nearest: Option<String>,
    },
    /// The input has no option or member with this id.
    #[error("`{input}` has no {what} `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownEntry {
        /// The name of the input.
        input: String,
        /// `option` or `member`.
        what: &'static str,
        /// The unknown id.
        name: String,
        /// The most similar id of the input, if any is similar enough to suggest.
        nearest: Option<String>,
    },
    /// A string is not an option or member of any input or group.
    #[error("no issue or circumstance has an option or member `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownText {
        /// The unknown string.
        name: String,
        /// The most similar known option or member, if any is similar enough to suggest.
        nearest: Option<String>,
    },
    /// A comparison has the same result for every value of the domain.
    #[error("this comparison is {} true for values from {min} to {max}", if *always { "always" } else { "never" })]
    Decided {
        /// The domain's least value.
        min: i64,
        /// The domain's greatest value.
        max: i64,
        /// Whether the comparison is always true; otherwise it is never true.
        always: bool,
    },
    /// The types of the operands do not fit.
    #[error("{message}")]
    Type {
        /// The whole message: what was expected, and what was found.
        message: String,
    },
    /// The condition uses a part of CEL that is outside the condition language.
    #[error("{what} is not part of the condition language")]
    Unsupported {
        /// The unsupported expression, as the subject of the message.
        what: String,
    },
}

impl ConditionErrorKind {
    /// Whether the fault is an exceeded limit on length, nesting, size or work.
    pub fn is_limit(&self) -> bool {
        use ConditionErrorKind::{TooComplex, TooDeep, TooLarge, TooLong, TooManyOperators};
        matches!(self, TooLong { .. } | TooDeep | TooManyOperators | TooLarge | TooComplex(_))
    }
}
