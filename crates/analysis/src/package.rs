//! Answers to issues, and what they cross besides.

use super::problem::{Problem, Question};
use detente_condition::{Answer, Axis, InputId, Value};
use detente_core::engine::{Detail, Given, NotCoveredError, Origin, Status};
use detente_core::scenario::model::Firmness;

/// An answer to every issue on which something depends.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The answers, in the scenario's order. A quantity's is a range where its numbers are alike to all conditions.
    pub answers: Vec<(InputId, Answer)>,
    /// The red lines below the floor, or of parties that do not count, that it crosses for certain, by position, with
    /// the lowest firmness with which the crossing counts.
    pub crosses: Vec<(usize, Firmness)>,
}

/// Red lines that are crossed, with the lowest and the highest firmness with which this counts.
pub(super) type Crossings = Vec<(usize, (Firmness, Firmness))>;

impl Package {
    pub(super) fn new(problem: &Problem, answers: Vec<(InputId, Answer)>) -> Result<Self, NotCoveredError> {
        let given: Vec<Given> = answers.iter().map(|(input, answer)| given(*input, *answer)).collect();
        let crosses = problem.question.crossed_besides(&given)?;
        Ok(Self { answers, crosses })
    }
}

/// A term of a proposal.
pub(super) fn given(input: InputId, answer: Answer) -> Given {
    Given { input, answer, origin: Origin::Proposal }
}

impl Question {
    /// The red lines that terms cross for certain without their counting: below the floor, or of parties that do not
    /// count. By position.
    pub(super) fn crossed_besides(&self, terms: &[Given]) -> Result<Vec<(usize, Firmness)>, NotCoveredError> {
        let counts = |position: usize| {
            let party = self.red_line(position).map(|red_line| red_line.party);
            party.and_then(|party| self.aim.counts.get(party)).is_some_and(|counts| *counts)
        };
        let crossed = self.crossed_for_certain(terms)?.into_iter();
        let besides = crossed.filter(|(position, (_, highest))| *highest < self.aim.floor || !counts(*position));
        Ok(besides.map(|(position, (lowest, _))| (position, lowest)).collect())
    }

    /// All red lines that terms cross for certain, by position.
    pub(super) fn crossed_for_certain(&self, terms: &[Given]) -> Result<Crossings, NotCoveredError> {
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

/// The answer that a value of an axis with options or intervals is, within what was possible of a quantity.
pub(super) fn answer_of(problem: &Problem, input: InputId, value: usize, within: Option<&Answer>) -> Answer {
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
        _ => match problem.question.compiled.scenario().inputs.get(input.index()).map(|input| &input.domain) {
            Some(detente_condition::Domain::Flag) => Answer::Exact(Value::Flag(value == 1)),
            _ => Answer::Exact(Value::Choice(u8::try_from(value).unwrap_or(u8::MAX))),
        },
    }
}
