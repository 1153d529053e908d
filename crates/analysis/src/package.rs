//! Packages, and the red lines that a package crosses, but that do not count for the question.
//!
//! A package is a deal that answers every issue on which the question depends. A red line does not count if the
//! question leaves out its party, or if the crossing is less firm than the question asks for.
//!
//! A search states the value of an issue as a position: that of an option, or that of an interval of a quantity. Owns
//! the conversion of these positions to answers, such as "option b" or "10 to 40". Must not know of solvers or
//! diagrams.

use super::problem::{Problem, SearchQuestion};
use detente_condition::{Answer, Axis, EntryIndex, InputIndex, Value};
use detente_core::engine::{Detail, Given, NotCoveredError, Origin, Status};
use detente_core::scenario::index::RedLineIndex;
use detente_core::scenario::model::Firmness;

/// A deal that answers every issue on which the question depends.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The answers, in the scenario's order.
    ///
    /// The answer of a quantity is a range if no condition distinguishes the numbers in it.
    pub answers: Vec<(InputIndex, Answer)>,
    /// The red lines that the package certainly crosses, but that do not count for the question.
    ///
    /// They are crossed with a firmness below the floor (the lowest firmness that counts for the question), or held by
    /// parties whose red lines do not count. Each entry is the position of the red line and the lowest possible
    /// firmness of the crossing.
    pub crosses: Vec<(RedLineIndex, Firmness)>,
}

/// Crossed red lines by position, with the lowest and the highest firmness of each crossing.
pub(super) type Crossings = Vec<(RedLineIndex, (Firmness, Firmness))>;

impl Package {
    pub(super) fn new(problem: &Problem, answers: Vec<(InputIndex, Answer)>) -> Result<Self, NotCoveredError> {
        let given: Vec<Given> = answers.iter().map(|(input, answer)| given(*input, *answer)).collect();
        let crosses = problem.question.uncounted_crossings(&given)?;
        Ok(Self { answers, crosses })
    }
}

/// Returns an answer as a term of a proposal.
pub(super) fn given(input: InputIndex, answer: Answer) -> Given {
    Given { input, answer, origin: Origin::Proposal }
}

impl SearchQuestion {
    /// Returns the red lines that terms certainly cross, but that do not count for the question, by position.
    ///
    /// They are crossed with a firmness below the floor, or held by parties whose red lines do not count.
    pub(super) fn uncounted_crossings(
        &self,
        terms: &[Given],
    ) -> Result<Vec<(RedLineIndex, Firmness)>, NotCoveredError> {
        let counts = |line: RedLineIndex| {
            let party = self.red_line(line).map(|red_line| red_line.party);
            party.and_then(|party| self.aim.counts.get(party)).is_some_and(|counts| *counts)
        };
        let crossed = self.certain_crossings(terms)?.into_iter();
        let besides = crossed.filter(|(position, (_, highest))| *highest < self.aim.floor || !counts(*position));
        Ok(besides.map(|(position, (lowest, _))| (position, lowest)).collect())
    }

    /// Returns all red lines that terms certainly cross, by position.
    pub(super) fn certain_crossings(&self, terms: &[Given]) -> Result<Crossings, NotCoveredError> {
        let mut all = terms.to_vec();
        all.extend(&self.circumstances);
        let evaluation =
            self.compiled.evaluate_supposing(&all, Some(self.day), Detail::Basic, self.supposed.as_ref())?;
        let certain = evaluation.findings.iter().filter(|finding| finding.status == Status::Crossed);
        let mut crossed: Crossings =
            certain.filter_map(|finding| Some((finding.red_line, finding.firmness?))).collect();
        crossed.sort_unstable();
        Ok(crossed)
    }
}

/// Converts the position of an option or interval on an input's axis to an answer.
///
/// If the interval of a quantity overlaps the range `within`, the answer is limited to the overlap.
pub(super) fn answer_of(problem: &Problem, input: InputIndex, value: usize, within: Option<&Answer>) -> Answer {
    match problem.space.axis(input) {
        Some(Axis::Intervals { .. }) => {
            let (mut low, mut high) =
                problem.space.axis(input).and_then(|axis| axis.interval(value)).unwrap_or((i64::MIN, i64::MAX));
            if let Some(Answer::Range { min, max }) = within
                && *min <= high
                && *max >= low
            {
                (low, high) = (low.max(*min), high.min(*max));
            }
            if low == high { Answer::Exact(Value::Quantity(low)) } else { Answer::Range { min: low, max: high } }
        }
        _ => match problem.question.compiled.scenario().inputs.get(input).map(|input| &input.domain) {
            Some(detente_condition::Domain::Flag) => Answer::Exact(Value::Flag(value == 1)),
            _ => Answer::Exact(Value::Choice(EntryIndex(u8::try_from(value).unwrap_or(u8::MAX)))),
        },
    }
}
