//! The probability with which each counted red line binds, and whose statement it is.
//!
//! A counted red line is one that the question takes into account, by its party and its firmness. It binds if a
//! crossing would in fact undo a deal. Owns the rule by which one of several stated probabilities takes precedence.
//! Must not know how probabilities are combined.

use super::index::CountedLineIndex;
use super::problem::{CountedLine, Problem};
use detente_core::scenario::index::{IndexVec, RedLineIndex};
use detente_core::scenario::model::Firmness;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use thiserror::Error;

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Probability(f64);

impl Probability {
    /// The probability of an event that never happens.
    pub const ZERO: Self = Self(0.0);

    /// Returns the probability; `None` if the number is not within 0 to 1.
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    /// Returns the number.
    pub fn number(self) -> f64 {
        self.0
    }
}

impl PartialEq for Probability {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Probability {}

impl Hash for Probability {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// The statement that gives a counted red line its probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbabilityOrigin {
    /// The request states the probability for the red line.
    Request,
    /// The scenario's author states the probability for the red line.
    Scenario,
    /// The request states the probability for all red lines of a firmness.
    RequestByFirmness,
}

/// The probability with which a counted red line binds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BindingProbability {
    /// The probability.
    pub probability: f64,
    /// Who states the probability, and for which red lines.
    pub origin: ProbabilityOrigin,
}

/// The probabilities that a request states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatedProbabilities {
    by_line: BTreeMap<RedLineIndex, Probability>,
    by_firmness: BTreeMap<Firmness, Probability>,
}

/// For some of the counted red lines, nobody states a probability.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("for some counted red lines, neither the question nor the scenario states the probability that they bind")]
pub struct UnstatedProbabilitiesError {
    /// The red lines without a probability, ascending.
    pub lines: Vec<CountedLineIndex>,
}

impl StatedProbabilities {
    /// Records the probability that the request states for a red line; returns the one recorded before, if any.
    pub fn state_for_line(&mut self, line: RedLineIndex, probability: Probability) -> Option<Probability> {
        self.by_line.insert(line, probability)
    }

    /// Records the probability that the request states for all red lines of a firmness; returns the one recorded
    /// before, if any.
    pub fn state_for_firmness(&mut self, firmness: Firmness, probability: Probability) -> Option<Probability> {
        self.by_firmness.insert(firmness, probability)
    }

    /// Returns the probability with which a counted line binds; `None` if nobody states one.
    ///
    /// `by_author` is the probability that the scenario's author states.
    ///
    /// The request's probability for the line takes precedence over the author's, which takes precedence over the
    /// request's probability for the firmness.
    fn of(&self, line: &CountedLine, by_author: Option<f64>) -> Option<BindingProbability> {
        use ProbabilityOrigin::{Request, RequestByFirmness, Scenario};
        let by_line = self.by_line.get(&line.index).map(|stated| (stated.number(), Request));
        let by_author = by_author.map(|stated| (stated, Scenario));
        let by_firmness = self.by_firmness.get(&line.firmness).map(|stated| (stated.number(), RequestByFirmness));
        let (probability, origin) = by_line.or(by_author).or(by_firmness)?;
        Some(BindingProbability { probability, origin })
    }
}

impl Problem {
    /// Returns the probability with which each counted line binds.
    ///
    /// # Errors
    /// Returns the counted lines for which nobody states a probability.
    pub fn binding_probabilities(
        &self,
        stated: &StatedProbabilities,
    ) -> Result<IndexVec<CountedLineIndex, BindingProbability>, UnstatedProbabilitiesError> {
        let by_author = |line: &CountedLine| self.red_line(line).and_then(|red_line| red_line.binding_probability);
        let found: IndexVec<CountedLineIndex, Option<BindingProbability>> =
            self.lines.iter().map(|line| stated.of(line, by_author(line))).collect();
        let lines: Vec<CountedLineIndex> =
            found.indexed().filter(|(_, found)| found.is_none()).map(|(line, _)| line).collect();
        if lines.is_empty() {
            Ok(found.into_iter().flatten().collect())
        } else {
            Err(UnstatedProbabilitiesError { lines })
        }
    }
}

#[cfg(test)]
mod tests;
