//! The types and values of expressions while a condition is read.

use super::domain::{Domain, InputIndex};
use super::formula::Formula;
use std::sync::Arc;

/// The type and value of an expression.
#[derive(Clone)]
pub(super) enum Operand<'a> {
    Truth(Formula),
    Choice(&'a str, InputIndex, &'a Domain),
    Members(&'a str, InputIndex, &'a Domain),
    Quantity(InputIndex, i64, i64),
    Size(InputIndex, usize),
    Text(Text),
    Number(i64),
    List(Vec<Constant>),
}

/// A literal, or the value of a macro variable (the `m` of `force.exists(m, ...)`).
#[derive(Clone)]
pub(super) enum Constant {
    Text(Text),
    Number(i64),
}

/// A string of a condition, or an entry of a group.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: Arc<str>,
    /// Whether the string is written in the condition, and is not an element of a group or of a set of members.
    ///
    /// A written string that is not an option or member of the tested input is an error. An id that the tested input
    /// does not have is allowed in a group, because a group may serve several inputs.
    pub(super) literal: bool,
}

impl Operand<'_> {
    /// Returns the type in words with an article, for error messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Operand::Truth(_) => "a condition",
            Operand::Choice(..) => "a choice",
            Operand::Members(..) => "a set of members",
            Operand::Quantity(..) => "a quantity",
            Operand::Size(..) => "a number of members",
            Operand::Text(_) => "a string",
            Operand::Number(_) => "a number",
            Operand::List(_) => "a list",
        }
    }
}
