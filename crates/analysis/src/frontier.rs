//! The efficient points, which no other point dominates, found by a fold over the diagram of all packages.
//!
//! A package is a possible deal, and a point is the amounts that packages reach in each criterion, such as the utility
//! of a party. One point dominates another if no amount is less and one is greater. A coordinate of the diagram is a
//! part of a package that has one value. A fold computes the points of each part of the diagram from the points of the
//! parts below it.
//!
//! Owns dominance. Each criterion is a sum over the coordinates. So a point that is dominated in the part of the
//! diagram below a coordinate stays dominated whatever values the coordinates above have, and the fold can drop it at
//! once. Must not know of parties or of the meaning of criteria.

use super::budget::{Budget, Held, SearchLimit};
use super::diagram::{CoordinateValues, Diagrams};
use super::fold::Algebra;
use super::index::{ChoiceIndex, CoordinateIndex, PointIndex};
use super::utilities::Utilities;
use biodivine_lib_bdd::Bdd;
use detente_core::scenario::index::IndexVec;
use num_bigint::BigUint;
use std::rc::Rc;

/// The number of points compared between two checks of the deadline.
const POINTS_BETWEEN_CHECKS: usize = 4_096;

/// The memory of a point that is compared with others, in bytes, besides its amounts and its number of packages.
///
/// It allows for the lists before, during and after the sort, and for the list of the points that are kept.
const BYTES_PER_CANDIDATE: usize = 320;

/// A combination of amounts that one or more packages reach, and that no other combination dominates.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// The amount of each criterion.
    pub(super) amounts: Box<[i128]>,
    /// The number of packages at this point.
    pub(super) packages: BigUint,
    /// The first package's choice at the first coordinate of this part of the diagram; `None` after the last
    /// coordinate.
    choice: Option<ChoiceIndex>,
}

/// All efficient points, by descending amounts.
pub(super) struct Frontier<'a> {
    pub(super) points: IndexVec<PointIndex, Point>,
    choices: IndexVec<ChoiceIndex, Choice>,
    _held: Held<'a>,
}

/// The value that a package has at a coordinate, and its choice at the next coordinate.
struct Choice {
    coordinate: CoordinateIndex,
    value: usize,
    next: Option<ChoiceIndex>,
}

impl<'a> Frontier<'a> {
    pub(super) fn of(
        diagrams: &Diagrams<'_>,
        bdd: &Bdd,
        utilities: &Utilities,
        budget: &'a Budget<'a>,
    ) -> Result<Self, SearchLimit> {
        let mut algebra = FrontierAlgebra { diagrams, utilities, budget, choices: IndexVec::default() };
        let points = diagrams.fold(bdd, &mut algebra)?;
        let (points, choices) = (points.unwrap_or_else(|| Rc::new([])), algebra.choices);
        // The list of points is copied.
        let of_points = points.iter().map(|point| {
            let digits = usize::try_from(point.packages.bits() / 8).unwrap_or(usize::MAX);
            2 * size_of::<Point>() + 2 * size_of::<i128>() * utilities.criteria.len() + 2 * digits
        });
        let of_choices = 2 * size_of::<Choice>() * choices.len();
        let _held = budget.hold(of_points.fold(of_choices, usize::saturating_add))?;
        Ok(Self { points: points.to_vec().into(), choices, _held })
    }

    /// Returns the values of a point's first package, by coordinate.
    pub(super) fn values(&self, point: &Point) -> CoordinateValues {
        let mut next = point.choice;
        let mut values = Vec::new();
        while let Some(choice) = next.and_then(|at| self.choices.get(at)) {
            values.push((choice.coordinate, choice.value));
            next = choice.next;
        }
        values
    }
}

struct FrontierAlgebra<'a> {
    diagrams: &'a Diagrams<'a>,
    utilities: &'a Utilities,
    budget: &'a Budget<'a>,
    choices: IndexVec<ChoiceIndex, Choice>,
}

/// A point that may turn out to be dominated by another.
struct Candidate {
    amounts: Box<[i128]>,
    packages: BigUint,
    value: usize,
    next: Option<ChoiceIndex>,
}

impl Algebra for FrontierAlgebra<'_> {
    type Value = Rc<[Point]>;

    fn admitted(&mut self) -> Self::Value {
        let amounts = vec![0; self.utilities.criteria.len()].into();
        Rc::new([Point { amounts, packages: BigUint::from(1u8), choice: None }])
    }

    fn level(
        &mut self,
        at: CoordinateIndex,
        after: &[(usize, Self::Value)],
    ) -> Result<Option<Self::Value>, SearchLimit> {
        self.budget.check()?;
        let Some(coordinate) = self.diagrams.coordinates.get(at) else { return Ok(None) };
        // Charge the budget before the memory is allocated: each point takes one number for each criterion.
        let count: usize = after.iter().map(|(_, points)| points.len()).sum();
        self.budget.spend_points(count.saturating_mul(1 + self.utilities.criteria.len()))?;
        if count > self.budget.bounds.points_at_once {
            return Err(SearchLimit::Work);
        }
        let digits = |point: &Point| usize::try_from(point.packages.bits() / 8).unwrap_or(usize::MAX);
        let digits: usize = after.iter().flat_map(|(_, points)| points.iter()).map(digits).sum();
        let of_each = BYTES_PER_CANDIDATE + 2 * size_of::<i128>() * self.utilities.criteria.len();
        self.budget.room_for(count.saturating_mul(of_each).saturating_add(2 * digits))?;
        let mut candidates = Vec::with_capacity(count);
        for (value, points) in after {
            let added = coordinate.input().map_or(&[][..], |input| self.utilities.added(input, *value));
            for (at, point) in points.iter().enumerate() {
                if at % POINTS_BETWEEN_CHECKS == 0 {
                    self.budget.check()?;
                }
                let mut amounts = point.amounts.clone();
                for (criterion, amount) in added {
                    if let Some(sum) = amounts.get_mut(criterion.index()) {
                        *sum += amount;
                    }
                }
                let packages = point.packages.clone();
                candidates.push(Candidate { amounts, packages, value: *value, next: point.choice });
            }
        }
        let efficient = efficient(candidates, self.budget)?;
        let points = efficient.into_iter().map(|kept| {
            let choice = ChoiceIndex(self.choices.len());
            self.choices.push(Choice { coordinate: at, value: kept.value, next: kept.next });
            Point { amounts: kept.amounts, packages: kept.packages, choice: Some(choice) }
        });
        Ok(Some(points.collect()))
    }

    fn bytes(&self, points: &Self::Value) -> usize {
        let of_a_point = size_of::<Point>() + size_of::<Choice>() + 16 * self.utilities.criteria.len();
        let digits: u64 = points.iter().map(|point| point.packages.bits() / 8).sum();
        points.len().saturating_mul(of_a_point).saturating_add(usize::try_from(digits).unwrap_or(usize::MAX))
    }

    fn values(&self, at: CoordinateIndex) -> Vec<usize> {
        (0..self.diagrams.coordinates.get(at).map_or(0, |coordinate| coordinate.count)).collect()
    }
}

/// Returns the candidates that no other dominates, by descending amounts; merges candidates with equal amounts.
fn efficient(mut candidates: Vec<Candidate>, budget: &Budget<'_>) -> Result<Vec<Candidate>, SearchLimit> {
    // In this order, a candidate comes before every candidate that it dominates.
    candidates.sort_by(|one, other| other.amounts.cmp(&one.amounts).then(one.value.cmp(&other.value)));
    let mut kept: Vec<Candidate> = Vec::new();
    for (at, candidate) in candidates.into_iter().enumerate() {
        if at % POINTS_BETWEEN_CHECKS == 0 {
            budget.check()?;
        }
        if let Some(last) = kept.last_mut()
            && last.amounts == candidate.amounts
        {
            last.packages += candidate.packages;
            continue;
        }
        let dominated = match (candidate.amounts.len(), kept.last()) {
            (_, None) => false,
            (0 | 1, Some(_)) => true,
            // The last candidate kept has the greatest second amount so far.
            (2, Some(last)) => last.amounts.get(1) >= candidate.amounts.get(1),
            (_, Some(_)) => {
                budget.check()?;
                kept.iter().rev().any(|kept| kept.amounts.iter().zip(&candidate.amounts).all(|(ours, its)| ours >= its))
            }
        };
        if !dominated {
            kept.push(candidate);
        }
    }
    Ok(kept)
}
