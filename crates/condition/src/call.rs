//! Conditions that come with a call: read and compiled together, within one budget, in a space of their own.
//!
//! Whoever calls may send anything, so that all of it is bounded, and nothing of it outlives the call: the cuts of a
//! loaded scenario's space are not touched.

use super::budget::{ComplexityError, WorkBudget};
use super::decision::Decision;
use super::domain::Domain;
use super::fault::{ConditionError, ConditionErrorKind};
use super::formula::Formula;
use super::space::{Space, TooManyCutsError};
use super::typing::read_within;
use super::vocabulary::Vocabulary;

/// The conditions of a call, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallConditions {
    /// The space in which they are exact: theirs alone.
    pub space: Space,
    /// Each with its meaning and its prime implicants, in the order of the call.
    pub conditions: Vec<(Formula, Decision)>,
}

/// A fault in one of the conditions of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallConditionError {
    /// Which condition, by its position in the call.
    pub condition: usize,
    /// Where, in bytes from the beginning of the condition.
    pub at: usize,
    /// What is wrong, in words.
    pub message: String,
    /// Whether it is one of how long, deep or complex a condition may be.
    pub is_limit: bool,
}

/// Reads and compiles the conditions of one call, all of them within one budget ([`WorkBudget::for_call`]), so that a
/// call costs no more because it has many. The space is theirs alone: exact for them, and for nothing else.
///
/// `domains` are those of all inputs, in the order of their [`InputId`](super::InputId)s, as in the vocabulary. This may
/// take tens of milliseconds, and belongs on a thread that may be held up.
///
/// # Errors
/// Every fault of every condition; what outgrows a limit while it is compiled is only found once all can be read, and
/// once the budget is spent, what is behind is not looked at.
pub fn compile_for_call<'a>(
    texts: &[&str],
    vocabulary: &Vocabulary,
    domains: impl IntoIterator<Item = &'a Domain>,
) -> Result<CallConditions, Vec<CallConditionError>> {
    compile_for_call_within(texts, vocabulary, domains, &mut WorkBudget::for_call())
}

/// The same within a budget of the caller's, which tells what was spent.
///
/// # Errors
/// As [`compile_for_call`].
pub fn compile_for_call_within<'a>(
    texts: &[&str],
    vocabulary: &Vocabulary,
    domains: impl IntoIterator<Item = &'a Domain>,
    work: &mut WorkBudget,
) -> Result<CallConditions, Vec<CallConditionError>> {
    let mut faults = Vec::new();
    let mut formulas = Vec::with_capacity(texts.len());
    for (condition, text) in texts.iter().enumerate() {
        match read_within(text, vocabulary, work) {
            Ok(formula) => formulas.push(formula),
            Err(found) => {
                let told = found.iter().map(|ConditionError { at, kind }| CallConditionError {
                    condition,
                    at: *at,
                    message: kind.to_string(),
                    is_limit: kind.is_limit(),
                });
                faults.extend(told);
                // Nothing is left for those behind it.
                if found.iter().any(|fault| matches!(fault.kind, ConditionErrorKind::TooComplex(_))) {
                    break;
                }
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let domains: Vec<&Domain> = domains.into_iter().collect();
    let space = Space::new(domains.iter().copied(), &formulas).map_err(|cuts| {
        cuts.iter()
            .map(|cuts| {
                let name = vocabulary.input(cuts.input).unwrap_or_default();
                CallConditionError {
                    condition: last_cutting(cuts, &formulas, &domains),
                    at: 0,
                    message: format!("`{name}`: {cuts}"),
                    is_limit: true,
                }
            })
            .collect::<Vec<CallConditionError>>()
    })?;
    let mut conditions = Vec::with_capacity(formulas.len());
    for (condition, formula) in formulas.into_iter().enumerate() {
        match Decision::compile_within(&formula, &space, work) {
            Ok(decision) => conditions.push((formula, decision)),
            Err(cause) => {
                faults.push(CallConditionError { condition, at: 0, message: cause.to_string(), is_limit: true });
                if matches!(cause, ComplexityError::Work { .. }) {
                    break;
                }
            }
        }
    }
    if faults.is_empty() { Ok(CallConditions { space, conditions }) } else { Err(faults) }
}

/// The condition with which a quantity got too many cuts: without it and those after it, the cuts are few enough.
fn last_cutting(cuts: &TooManyCutsError, formulas: &[Formula], domains: &[&Domain]) -> usize {
    let too_many = |first: &[Formula]| {
        Space::new(domains.iter().copied(), first)
            .is_err_and(|faults| faults.iter().any(|fault: &TooManyCutsError| fault.input == cuts.input))
    };
    let positions: Vec<usize> = (0..formulas.len()).collect();
    positions.partition_point(|at| !formulas.get(..=*at).is_some_and(too_many))
}
