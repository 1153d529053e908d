//! Packages that differ from each other: each next package prefers the values that earlier packages use least.
//!
//! A package is a possible deal. A coordinate is a part of a package that has one value. A fold computes one value for
//! each part of the diagram of all packages, from the values of the parts below it. Owns the counts of how often each
//! value was used, and the fold that finds the package whose values were used least. Must not know of issues or red
//! lines.

use super::budget::{Budget, SearchLimit};
use super::diagram::{CoordinateValues, Diagrams};
use super::fold::Algebra;
use super::index::{ChoiceIndex, CoordinateIndex};
use biodivine_lib_bdd::Bdd;
use detente_core::scenario::index::IndexVec;
use std::collections::HashMap;

/// For each value of each coordinate, the number of earlier packages that have it.
#[derive(Debug, Default)]
pub(super) struct UsageCounts(HashMap<(CoordinateIndex, usize), u64>);

impl UsageCounts {
    pub(super) fn add(&mut self, values: &[(CoordinateIndex, usize)]) {
        for value in values {
            *self.0.entry(*value).or_default() += 1;
        }
    }
}

/// Returns the values of the package whose values occur least often, in total, in the earlier packages.
///
/// If there are several such packages, the values are those of the first one. `None` if the diagram has no package.
pub(super) fn least_used(
    diagrams: &Diagrams<'_>,
    bdd: &Bdd,
    used: &UsageCounts,
    budget: &Budget<'_>,
) -> Result<Option<CoordinateValues>, SearchLimit> {
    let mut algebra = LeastUsedAlgebra { diagrams, used, budget, choices: IndexVec::default() };
    let Some((_, mut next)) = diagrams.fold(bdd, &mut algebra)? else { return Ok(None) };
    let mut values = Vec::new();
    while let Some((coordinate, value, after)) = next.and_then(|at| algebra.choices.get(at)).copied() {
        values.push((coordinate, value));
        next = after;
    }
    Ok(Some(values))
}

struct LeastUsedAlgebra<'a> {
    diagrams: &'a Diagrams<'a>,
    used: &'a UsageCounts,
    budget: &'a Budget<'a>,
    /// The chosen values.
    ///
    /// An entry is a coordinate, its value, and the position in this list of the choice at the next coordinate.
    choices: IndexVec<ChoiceIndex, (CoordinateIndex, usize, Option<ChoiceIndex>)>,
}

impl Algebra for LeastUsedAlgebra<'_> {
    type Value = (u64, Option<ChoiceIndex>);

    fn admitted(&mut self) -> Self::Value {
        (0, None)
    }

    fn level(
        &mut self,
        at: CoordinateIndex,
        after: &[(usize, Self::Value)],
    ) -> Result<Option<Self::Value>, SearchLimit> {
        self.budget.check()?;
        let of = |value: usize| self.used.0.get(&(at, value)).copied().unwrap_or(0);
        let least = after.iter().min_by_key(|(value, (used, _))| (used + of(*value), *value));
        let Some((value, (used, next))) = least else { return Ok(None) };
        self.choices.push((at, *value, *next));
        Ok(Some((used + of(*value), Some(ChoiceIndex(self.choices.len() - 1)))))
    }

    fn values(&self, at: CoordinateIndex) -> Vec<usize> {
        (0..self.diagrams.coordinates.get(at).map_or(0, |coordinate| coordinate.count)).collect()
    }
}
