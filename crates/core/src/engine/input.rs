//! The inputs of an evaluation: the answers that a request gives, the answers that are used, and their origins.
//!
//! An input is an issue or a circumstance. Must not know of red lines or verdicts.

use crate::scenario::DateRange;
use detente_condition::{Answer, EntryIndex, InputIndex, Value};
use jiff::civil::Date;
use thiserror::Error;

/// The origin of the answer that an evaluation uses for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The answer is a term of the proposal.
    Proposal,
    /// The answer is a term that replaces a term of the proposal.
    Override,
    /// The proposal is silent, and the answer is the status quo on the day.
    StatusQuo,
    /// There is no answer: the proposal is silent, and the issue has no status quo.
    Silence,
    /// The answer is the value of a circumstance that the request states.
    Circumstance,
    /// The answer is the value of a circumstance that the scenario assumes.
    Assumed,
    /// There is no answer: neither the request nor the scenario says anything about the circumstance.
    Unknown,
    /// The answer is the value of a circumstance according to a hypothesis of the request.
    Hypothesis,
}

/// The answer that a request gives for one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Given {
    /// The input.
    pub input: InputIndex,
    /// The answer of the request.
    pub answer: Answer,
    /// The part of the request that gives the answer.
    ///
    /// One of [`Origin::Proposal`], [`Origin::Override`], [`Origin::Circumstance`] and [`Origin::Hypothesis`].
    pub origin: Origin,
}

/// The answer that an evaluation uses for one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EffectiveInput {
    /// The input.
    pub input: InputIndex,
    /// The answer used.
    pub answer: Answer,
    /// The origin of the answer.
    pub origin: Origin,
}

impl EffectiveInput {
    /// Whether the answer certainly includes a member.
    pub fn includes(&self, member: EntryIndex) -> bool {
        let inside = match self.answer {
            Answer::Exact(Value::Members(members)) => members,
            Answer::Partial { includes, .. } => includes,
            _ => 0,
        };
        member.is_in(inside)
    }
}

/// The level of detail of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Reports crossed and undetermined red lines.
    ///
    /// The cost grows with the number of red lines that the proposal affects.
    Basic,
    /// Also reports clear and unrecorded red lines. The cost grows with the size of the scenario.
    Full,
}

/// The scenario does not cover the requested day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{day} is outside the days that the scenario covers, {covers}")]
pub struct NotCoveredError {
    /// The requested day.
    pub day: Date,
    /// The days covered.
    pub covers: DateRange,
}
