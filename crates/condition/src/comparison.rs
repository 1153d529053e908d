//! The comparison operators of the condition language.
//!
//! Must not know of inputs or domains. A comparison with a bound is represented by the set of numbers for which it is
//! true.

use super::formula::Numbers;
use cel::common::ast::operators;

/// A comparison operator between two numbers or two values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Different,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    pub(super) fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            operators::EQUALS => Self::Equal,
            operators::NOT_EQUALS => Self::Different,
            operators::LESS => Self::Less,
            operators::LESS_EQUALS => Self::AtMost,
            operators::GREATER => Self::Greater,
            operators::GREATER_EQUALS => Self::AtLeast,
            _ => return None,
        })
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Different => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Returns the operator to use after the two sides are exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            symmetric => symmetric,
        }
    }

    /// Returns the numbers `n` for which "`n` operator `bound`" is true.
    pub(super) fn numbers(self, bound: i64) -> Numbers {
        let below = bound.checked_sub(1).map(|high| (i64::MIN, high));
        let above = bound.checked_add(1).map(|low| (low, i64::MAX));
        let exactly = Some((bound, bound));
        Numbers::new(
            match self {
                Self::Equal => [exactly, None],
                Self::Different => [below, above],
                Self::Less => [below, None],
                Self::AtMost => [below, exactly],
                Self::Greater => [above, None],
                Self::AtLeast => [above, exactly],
            }
            .into_iter()
            .flatten(),
        )
    }
}
