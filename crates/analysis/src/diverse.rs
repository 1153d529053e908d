//! Packages unlike each other: each next one takes, as far as it can, the answers that appear least in those before it.

use super::budget::{Budget, CutShort};
use super::diagram::Diagrams;
use super::fold::Algebra;
use biodivine_lib_bdd::Bdd;
use std::collections::HashMap;

/// What has been used so far: by coordinate and value, in how many packages.
#[derive(Debug, Default)]
pub(super) struct Used(HashMap<(usize, usize), u64>);

impl Used {
    pub(super) fn add(&mut self, values: &[(usize, usize)]) {
        for value in values {
            *self.0.entry(*value).or_default() += 1;
        }
    }
}

/// The package of a diagram whose values have been used least in sum, the first of equal ones, by coordinate.
pub(super) fn least_used(
    diagrams: &Diagrams<'_>,
    bdd: &Bdd,
    used: &Used,
    budget: &Budget<'_>,
) -> Result<Option<Vec<(usize, usize)>>, CutShort> {
    let mut search = Search { diagrams, used, budget, choices: Vec::new() };
    let Some((_, mut next)) = diagrams.fold(bdd, &mut search)? else { return Ok(None) };
    let mut values = Vec::new();
    while let Some((coordinate, value, after)) = next.and_then(|at| search.choices.get(at)).copied() {
        values.push((coordinate, value));
        next = after;
    }
    Ok(Some(values))
}

struct Search<'a> {
    diagrams: &'a Diagrams<'a>,
    used: &'a Used,
    budget: &'a Budget<'a>,
    choices: Vec<(usize, usize, Option<usize>)>,
}

impl Algebra for Search<'_> {
    type Value = (u64, Option<usize>);

    fn admitted(&mut self) -> Self::Value {
        (0, None)
    }

    fn level(&mut self, at: usize, after: &[(usize, Self::Value)]) -> Result<Option<Self::Value>, CutShort> {
        self.budget.check()?;
        let of = |value: usize| self.used.0.get(&(at, value)).copied().unwrap_or(0);
        let least = after.iter().min_by_key(|(value, (used, _))| (used + of(*value), *value));
        let Some((value, (used, next))) = least else { return Ok(None) };
        self.choices.push((at, *value, *next));
        Ok(Some((used + of(*value), Some(self.choices.len() - 1))))
    }

    fn values(&self, at: usize) -> Vec<usize> {
        (0..self.diagrams.coordinates.get(at).map_or(0, |coordinate| coordinate.count)).collect()
    }
}
