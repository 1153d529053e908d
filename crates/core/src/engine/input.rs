//! The inputs of an evaluation: what a request gives, what an evaluation takes each input to be, and where that came
//! from.

use detente_condition::{Answer, InputId, Value};
use jiff::civil::Date;
use thiserror::Error;

/// Where the value of an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A term of the proposal.
    Proposal,
    /// A term that replaces one of the proposal's.
    Override,
    /// The status quo of the day.
    StatusQuo,
    /// Nothing: an issue that the deal leaves open and that has no status quo.
    Silence,
    /// A circumstance that the request states.
    Circumstance,
    /// A circumstance that the scenario assumes.
    Assumed,
    /// Nothing: a circumstance that nobody knows.
    Unknown,
    /// A hypothesis about a circumstance.
    Hypothesis,
}

/// What a request says of one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given {
    /// The input.
    pub input: InputId,
    /// The answer.
    pub answer: Answer,
    /// [`Origin::Proposal`], [`Origin::Override`], [`Origin::Circumstance`] or [`Origin::Hypothesis`].
    pub origin: Origin,
}

/// What an evaluation takes an input to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EffectiveInput {
    /// The input.
    pub input: InputId,
    /// The answer.
    pub answer: Answer,
    /// Where it comes from.
    pub origin: Origin,
}

impl EffectiveInput {
    /// Whether a member is certainly in.
    pub fn includes(&self, member: u8) -> bool {
        let inside = match self.answer {
            Answer::Exact(Value::Members(members)) => members,
            Answer::Partial { includes, .. } => includes,
            _ => 0,
        };
        inside.checked_shr(u32::from(member)).unwrap_or(0) & 1 == 1
    }
}

/// How much an evaluation reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Crossed and undetermined lines: the cost follows what the proposal touches.
    Basic,
    /// Clear and not recorded ones too: the cost follows what is loaded.
    Full,
}

/// A day that the scenario does not cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{day} is outside of what the scenario covers: {from} to {to}")]
pub struct NotCoveredError {
    /// The day asked for.
    pub day: Date,
    /// The first day covered.
    pub from: Date,
    /// The last day covered.
    pub to: Date,
}
