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

/// A literal, or the value of a macro variable.
#[derive(Clone)]
pub(super) enum Constant {
    Text(Text),
    Number(i64),
}

/// A string of a condition, or an entry of a group.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: Arc<str>,
    /// Whether the condition contains the string itself, so that an unknown one is an error.
    ///
    /// The elements of a group need not all be members of the input in which they are looked up.
    pub(super) literal: bool,
}

impl Operand<'_> {
    /// The type in words, with an article.
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
