//! Reads and compiles the conditions that a gRPC call supplies, within one work budget and in a space of their own.
//!
//! A caller may send any text, so one budget bounds the work for all conditions of the call together. A [`Space`] lists
//! the values of each input that its conditions can distinguish; it cuts a quantity at the numbers that they mention.
//! The conditions of a call have a separate space, so that a call never changes the space of a loaded scenario.

use super::budget::{ComplexityError, WorkBudget};
use super::decision::Decision;
use super::domain::Domain;
use super::fault::{ConditionError, ConditionErrorKind};
use super::formula::Formula;
use super::space::{Space, TooManyCutsError};
use super::typing::read_within;
use super::vocabulary::Vocabulary;

/// The compiled conditions of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallConditions {
    /// The space of these conditions. Other conditions may distinguish values that this space does not.
    pub space: Space,
    /// The formula and the prime implicants of each condition, in the order of the call.
    pub conditions: Vec<(Formula, Decision)>,
}

/// A fault in one of the conditions of a call.
///
/// A fault found while compiling concerns the whole condition; its `at` is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallConditionError {
    /// The position of the condition in the call, from zero.
    pub condition: usize,
    /// The position of the fault, in bytes from the beginning of the condition.
    pub at: usize,
    /// The message for the caller.
    pub message: String,
    /// Whether the fault is an exceeded limit on length, nesting, size or work.
    pub is_limit: bool,
}

/// Reads and compiles the conditions of one call within the budget [`WorkBudget::for_call`].
///
/// All conditions share the budget, so that a call with many conditions cannot cost more than a call with few. The
/// returned space is made for these conditions only.
///
/// `domains` are the domains of all inputs of the vocabulary, in the order of their [`InputIndex`](super::InputIndex)s.
/// This may take tens of milliseconds: do not call it on a thread that must not block.
///
/// # Errors
/// Returns every fault of every condition, with two exceptions: limits that apply to compilation are checked only if
/// every condition can be read, and conditions after the one that exhausts the budget are not checked.
pub fn compile_for_call<'a>(
    texts: &[&str],
    vocabulary: &Vocabulary,
    domains: impl IntoIterator<Item = &'a Domain>,
) -> Result<CallConditions, Vec<CallConditionError>> {
    compile_for_call_within(texts, vocabulary, domains, &mut WorkBudget::for_call())
}

/// Reads and compiles the conditions of one call, as [`compile_for_call`] does, within a given budget.
///
/// Afterwards [`WorkBudget::spent`] returns the cost.
///
/// # Errors
/// Returns the same faults as [`compile_for_call`].
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
                let reported = found.iter().map(|ConditionError { at, kind }| CallConditionError {
                    condition,
                    at: *at,
                    message: kind.to_string(),
                    is_limit: kind.is_limit(),
                });
                faults.extend(reported);
                // The budget is exhausted: reading the remaining conditions would fail, too.
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

/// Returns the position of the first condition that, with those before it, cuts the quantity into too many intervals.
fn last_cutting(cuts: &TooManyCutsError, formulas: &[Formula], domains: &[&Domain]) -> usize {
    let too_many = |first: &[Formula]| {
        Space::new(domains.iter().copied(), first)
            .is_err_and(|faults| faults.iter().any(|fault: &TooManyCutsError| fault.input == cuts.input))
    };
    let positions: Vec<usize> = (0..formulas.len()).collect();
    positions.partition_point(|at| !formulas.get(..=*at).is_some_and(too_many))
}
