//! The robustness of a proposal and of the best package under each combination of values of some circumstances.
//!
//! Robustness is the probability that no binding red line is crossed, that is, none whose crossing would in fact undo a
//! deal. A sweep computes it once for each combination. Owns the combinations and their maximum number. Must not know
//! how a probability is computed.

use super::budget::{Budget, SearchLimit};
use super::problem::{Answers, Problem, ProblemError, SearchQuestion};
use super::robust::{BindingProbabilities, Robustness};
use detente_condition::{Answer, Axis, Domain, EntryIndex, InputIndex, Value};
use detente_core::engine::{Given, Origin};
use thiserror::Error;

/// The maximum number of combinations of a sweep.
pub const MAX_SWEEP: usize = 64;

/// The circumstances of a sweep have more than [`MAX_SWEEP`] combinations of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there are more than {MAX_SWEEP} combinations of values")]
pub struct TooManyCasesError;

/// The result under one combination of values.
#[derive(Clone, Debug)]
pub struct SweptCase {
    /// The values of the circumstances of the sweep.
    pub circumstances: Vec<(InputIndex, Answer)>,
    /// The probabilities under these values, without the importance of each red line.
    pub robustness: Robustness,
}

/// The results of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// The completed cases, in the order of the combinations.
    pub cases: Vec<SweptCase>,
    /// The reason for which cases are missing; `None` if no case is missing.
    pub cut_short: Option<SearchLimit>,
}

impl Problem {
    /// Returns all combinations of the values that the question leaves possible for these circumstances.
    ///
    /// An empty list of circumstances has no combinations.
    ///
    /// # Errors
    /// Returns an error if there are more than [`MAX_SWEEP`] combinations.
    pub fn combinations(
        &self,
        circumstances: &[InputIndex],
    ) -> Result<Vec<Vec<(InputIndex, Answer)>>, TooManyCasesError> {
        let mut cases: Vec<Answers> = if circumstances.is_empty() { Vec::new() } else { vec![Vec::new()] };
        for input in circumstances {
            let answers: Vec<Answer> = self
                .distinguishable(*input)
                .into_iter()
                .filter(|answer| self.leaves_possible(*input, answer))
                .collect();
            if answers.len().saturating_mul(cases.len()) > MAX_SWEEP {
                return Err(TooManyCasesError);
            }
            cases = cases
                .iter()
                .flat_map(|case| answers.iter().map(|answer| [case.as_slice(), &[(*input, *answer)]].concat()))
                .collect();
        }
        Ok(cases)
    }

    /// Computes the probabilities of a proposal (if there is one) and of the best package in each case.
    ///
    /// `probabilities` has one entry for each counted red line. If a limit ends the computation of a case, the case is
    /// left out, and the sweep ends.
    ///
    /// # Errors
    /// Returns an error if the question cannot be converted to a [`Problem`] under the values of a case.
    pub fn sweep(
        &self,
        terms: Option<&[Given]>,
        probabilities: &BindingProbabilities,
        cases: Vec<Vec<(InputIndex, Answer)>>,
        budget: &Budget<'_>,
    ) -> Result<Sweep, ProblemError> {
        let mut sweep = Sweep::default();
        let _held = match self.hold(budget) {
            Ok(held) => held,
            Err(cut) => return Ok(Sweep { cut_short: Some(cut), ..sweep }),
        };
        for circumstances in cases {
            // Only circumstances differ, so the problem has the same lines in the same order as `probabilities`.
            let problem = Problem::new(self.question.under(&circumstances))?;
            let robustness = problem.robustness(terms, probabilities, false, budget)?;
            sweep.cut_short = robustness.cut_short;
            if sweep.cut_short.is_some() {
                break;
            }
            sweep.cases.push(SweptCase { circumstances, robustness });
        }
        Ok(sweep)
    }

    /// Returns the values of a circumstance that conditions can distinguish.
    ///
    /// For a set of members, the result is limited to [`MAX_SWEEP`] + 1 subsets, which already exceed the maximum.
    fn distinguishable(&self, input: InputIndex) -> Vec<Answer> {
        let scenario = self.question.compiled.scenario();
        let is_flag = scenario.inputs.get(input).is_some_and(|input| matches!(input.domain, Domain::Flag));
        match self.space.axis(input) {
            None => Vec::new(),
            Some(Axis::Members { count }) => {
                let sets = 1u64.checked_shl(u32::from(*count)).unwrap_or(u64::MAX);
                (0..sets).take(MAX_SWEEP + 1).map(|set| Answer::Exact(Value::Members(set))).collect()
            }
            Some(Axis::Options { .. }) if is_flag => {
                [false, true].map(|flag| Answer::Exact(Value::Flag(flag))).to_vec()
            }
            Some(Axis::Options { count }) => {
                (0..*count).map(|option| Answer::Exact(Value::Choice(EntryIndex(option)))).collect()
            }
            Some(axis @ Axis::Intervals { starts, .. }) => (0..starts.len())
                .filter_map(|at| axis.interval(at))
                .map(|(min, max)| match min == max {
                    true => Answer::Exact(Value::Quantity(min)),
                    false => Answer::Range { min, max },
                })
                .collect(),
        }
    }
}

impl SearchQuestion {
    /// Returns the question with these answers in place of its own answers to the same circumstances.
    fn under(&self, circumstances: &[(InputIndex, Answer)]) -> Self {
        let is_kept = |given: &&Given| circumstances.iter().all(|(input, _)| *input != given.input);
        let given = |(input, answer): &(InputIndex, Answer)| Given {
            input: *input,
            answer: *answer,
            origin: Origin::Circumstance,
        };
        let kept = self.circumstances.iter().filter(is_kept).copied();
        let circumstances = kept.chain(circumstances.iter().map(given)).collect();
        Self { circumstances, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
