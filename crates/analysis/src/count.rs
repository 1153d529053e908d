//! How many: exact, however many.

use super::budget::{Budget, CutShort};
use super::diagram::{Coordinate, Diagrams, Of};
use super::fold::Algebra;
use biodivine_lib_bdd::Bdd;
use detente_condition::Space;
use num_bigint::BigUint;

/// How many a diagram admits.
pub(super) fn count(
    diagrams: &Diagrams<'_>,
    bdd: &Bdd,
    weights: &Weights,
    budget: &Budget<'_>,
) -> Result<BigUint, CutShort> {
    let mut counting = Counting { diagrams, weights, budget };
    Ok(diagrams.fold(bdd, &mut counting)?.unwrap_or_default())
}

/// What each value counts for.
pub(super) enum Weights {
    /// One.
    Values,
    /// An interval for as many as it has numbers.
    Integers(Space),
}

impl Weights {
    fn of(&self, coordinate: &Coordinate, value: usize) -> Option<u128> {
        match (self, coordinate.of) {
            (Weights::Integers(space), Of::Values(input)) => {
                let (low, high) = space.axis(input)?.interval(value)?;
                Some(u128::from(high.abs_diff(low)) + 1)
            }
            _ => None,
        }
    }
}

struct Counting<'a> {
    diagrams: &'a Diagrams<'a>,
    weights: &'a Weights,
    budget: &'a Budget<'a>,
}

impl Algebra for Counting<'_> {
    type Value = BigUint;

    fn admitted(&mut self) -> BigUint {
        BigUint::from(1u8)
    }

    fn level(&mut self, at: usize, after: &[(usize, BigUint)]) -> Result<Option<BigUint>, CutShort> {
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

    fn values(&self, at: usize) -> Vec<usize> {
        (0..self.diagrams.coordinates.get(at).map_or(0, |coordinate| coordinate.count)).collect()
    }
}
