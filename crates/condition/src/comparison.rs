//! The comparisons of the condition language.

use super::formula::Numbers;
use cel::common::ast::operators;

/// How two numbers, or two values, are compared.
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

    /// The comparison with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }

    /// The numbers that stand in this relation to `bound`.
    pub(super) fn numbers(self, bound: i64) -> Numbers {
        let below = bound.checked_sub(1).map(|high| (i64::MIN, high));
        let above = bound.checked_add(1).map(|low| (low, i64::MAX));
        let same = Some((bound, bound));
        Numbers::new(
            match self {
                Self::Equal => [same, None],
                Self::Different => [below, above],
                Self::Less => [below, None],
                Self::AtMost => [below, same],
                Self::Greater => [above, None],
                Self::AtLeast => [above, same],
            }
            .into_iter()
            .flatten(),
        )
    }
}
