//! Exact counts of the packages that a decision diagram admits, that is, for which it is true.
//!
//! Owns the weights, which say how often a value counts: an interval may count once, or once for each integer in it.
//! Must not know of parties or red lines.

use super::budget::{Budget, SearchLimit};
use super::diagram::{Coordinate, CoordinateKind, Diagrams};
use super::fold::Algebra;
use super::index::CoordinateIndex;
use biodivine_lib_bdd::Bdd;
use detente_condition::Space;
use num_bigint::BigUint;

/// Counts the combinations of values that a diagram admits, each with its weight.
pub(super) fn count(
    diagrams: &Diagrams<'_>,
    bdd: &Bdd,
    weights: &Weights,
    budget: &Budget<'_>,
) -> Result<BigUint, SearchLimit> {
    let mut algebra = CountAlgebra { diagrams, weights, budget };
    Ok(diagrams.fold(bdd, &mut algebra)?.unwrap_or_default())
}

/// The weight of each value in a count.
pub(super) enum Weights {
    /// Every value counts once.
    Values,
    /// An interval counts once for each integer in it; any other value counts once.
    Integers(Space),
}

impl Weights {
    /// Returns the weight of a value; `None` stands for 1.
    fn of(&self, coordinate: &Coordinate, value: usize) -> Option<u128> {
        match (self, coordinate.kind) {
            (Weights::Integers(space), CoordinateKind::Values(input)) => {
                let (low, high) = space.axis(input)?.interval(value)?;
                Some(u128::from(high.abs_diff(low)) + 1)
            }
            _ => None,
        }
    }
}

struct CountAlgebra<'a> {
    diagrams: &'a Diagrams<'a>,
    weights: &'a Weights,
    budget: &'a Budget<'a>,
}

impl Algebra for CountAlgebra<'_> {
    type Value = BigUint;

    fn admitted(&mut self) -> BigUint {
        BigUint::from(1u8)
    }

    fn level(&mut self, at: CoordinateIndex, after: &[(usize, BigUint)]) -> Result<Option<BigUint>, SearchLimit> {
        self.budget.check()?;
        let Some(coordinate) = self.diagrams.coordinates.get(at) else { return Ok(None) };
        let mut sum = BigUint::default();
        for (value, below) in after {
            match self.weights.of(coordinate, *value) {
                Some(weight) => sum += below * weight,
                None => sum += below,
            }
        }
        Ok(Some(sum))
    }

    fn bytes(&self, value: &BigUint) -> usize {
        size_of::<BigUint>() + usize::try_from(value.bits() / 8).unwrap_or(usize::MAX)
    }

    fn values(&self, at: CoordinateIndex) -> Vec<usize> {
        (0..self.diagrams.coordinates.get(at).map_or(0, |coordinate| coordinate.count)).collect()
    }
}
