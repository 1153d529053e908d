//! Ladders: with which firmness a crossing of a red line counts, after its waivers.
//!
//! A waiver whose condition is true lowers a crossing to the waiver's firmness; if several apply, the lowest firmness
//! counts. A ladder has one rung for each firmness to which a waiver can lower a crossing. A rung stores the cases in
//! which a crossing counts above the rung's firmness, and those in which it does not, as prime implicants: all minimal
//! conjunctions of tests on issues and circumstances that make a statement true.
//!
//! Must not know of days: the set of waivers in force is an argument.

use crate::scenario::budget::{LoadBudget, Owner};
use crate::scenario::diagnostics::Place;
use crate::scenario::index::WaiverIndex;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{ComplexityError, Cubes, Decision, Formula, Space};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why a ladder is not compiled.
#[derive(Clone, Copy, Debug, Error)]
pub(super) enum LadderError {
    /// One of its conditions exceeds a limit.
    #[error(transparent)]
    TooComplex(#[from] ComplexityError),
    /// The scenario exceeds its budget.
    #[error("the budget of the scenario is exceeded")]
    Budget,
}

/// The ladder of a red line for one set of waivers in force.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// One rung for each firmness to which a waiver can lower a crossing, ascending.
    rungs: Box<[Rung]>,
    /// The waivers in force.
    pub(super) waivers: Box<[WaiverInForce]>,
}

/// A firmness to which waivers can lower a crossing, and the cases in which a crossing counts above it.
#[derive(Clone, Debug)]
struct Rung {
    firmness: Firmness,
    /// The prime implicants of "no crossing, or the crossing counts above `firmness`".
    never_at_most: Cubes,
    /// The prime implicants of "no crossing, or the crossing counts with `firmness` or less".
    never_above: Cubes,
    /// The prime implicants of "a crossing that counts above `firmness`".
    above: Cubes,
}

/// A waiver in force, and the cases in which it lowers a crossing.
#[derive(Clone, Debug)]
pub(super) struct WaiverInForce {
    pub(super) index: WaiverIndex,
    /// The prime implicants of "no crossing, or the waiver does not lower it".
    pub(super) never_applies: Cubes,
    /// The prime implicants of "no crossing, or the waiver lowers it".
    pub(super) never_misses: Cubes,
}

impl Ladder {
    /// Compiles the ladder of a red line for the waivers in force.
    pub(super) fn compile(
        red_line: &RedLine,
        in_force: &[WaiverIndex],
        space: &Space,
        budget: &mut LoadBudget,
    ) -> Result<Self, LadderError> {
        let crossed = red_line.crossed();
        let owner = Owner::red_line(red_line.id.as_str());
        let mut both = |also: Formula| -> Result<Decision, LadderError> {
            let formula = Formula::All(vec![crossed.clone(), also]);
            let compile = |work: &mut _| Decision::compile_within(&formula, space, work);
            let decision = budget.run(&owner, Place::START, compile).ok_or(LadderError::Budget)??;
            budget.hold(Some(&owner), decision.bytes()).ok_or(LadderError::Budget)?;
            Ok(decision)
        };
        let mut waivers = Vec::with_capacity(in_force.len());
        let mut levels = BTreeSet::new();
        for index in in_force {
            let Some(waiver) = red_line.waivers.get(*index) else { continue };
            levels.insert(waiver.firmness);
            waivers.push(WaiverInForce {
                index: *index,
                never_applies: both(waiver.when.formula.clone())?.fails,
                never_misses: both(waiver.when.formula.clone().negated())?.fails,
            });
        }
        let mut rungs = Vec::with_capacity(levels.len());
        for firmness in levels {
            let lowering = in_force.iter().filter_map(|index| red_line.waivers.get(*index));
            let lowered = Formula::Any(
                lowering
                    .filter(|waiver| waiver.firmness <= firmness)
                    .map(|waiver| waiver.when.formula.clone())
                    .collect(),
            );
            let never_at_most = both(lowered.clone())?.fails;
            let Decision { holds: above, fails: never_above } = both(lowered.negated())?;
            rungs.push(Rung { firmness, never_at_most, never_above, above });
        }
        Ok(Self { rungs: rungs.into(), waivers: waivers.into() })
    }

    pub(super) fn cubes(&self) -> impl Iterator<Item = &Cubes> {
        let of_waivers = self.waivers.iter().flat_map(|waiver| [&waiver.never_applies, &waiver.never_misses]);
        let of_rungs = self.rungs.iter().flat_map(|rung| [&rung.never_at_most, &rung.never_above, &rung.above]);
        of_rungs.chain(of_waivers)
    }

    /// Returns the prime implicants of "a crossing that counts with at least this firmness".
    ///
    /// The firmness of the red line without waivers must be at least as high. Returns `None` if no waiver lowers a
    /// crossing below this firmness.
    pub(super) fn crossed_at_least(&self, firmness: Firmness) -> Option<&Cubes> {
        self.rungs.iter().rev().find(|rung| rung.firmness < firmness).map(|rung| &rung.above)
    }

    /// Returns the lowest and the highest firmness with which a crossing counts.
    ///
    /// All completions with a crossing are considered. A completion is a choice, for each issue and circumstance, of
    /// one of the values that `state` allows. `unwaived` is the firmness without waivers. It may be a hypothesis; then
    /// waivers whose firmness is higher than `unwaived` have no effect.
    pub(super) fn firmness(&self, unwaived: Firmness, state: &[u128]) -> (Firmness, Firmness) {
        let lowest = self.rungs.iter().find(|rung| !certain(&rung.never_at_most, state));
        let mut highest = unwaived;
        for rung in self.rungs.iter().rev() {
            if !certain(&rung.never_above, state) {
                break;
            }
            highest = rung.firmness;
        }
        (lowest.map_or(unwaived, |rung| rung.firmness.min(unwaived)), highest.min(unwaived))
    }
}

/// Whether a statement, given by all its prime implicants, is true for all values that a state allows.
///
/// The state has one mask of allowed values for each issue and circumstance. Because the prime implicants are complete,
/// the statement is certainly true exactly if all allowed values pass the tests of one cube.
pub(super) fn certain(cubes: &Cubes, state: &[u128]) -> bool {
    cubes.iter().any(|cube| {
        cube.iter()
            .all(|literal| state.get(literal.input.index()).is_some_and(|possible| possible & literal.forbids == 0))
    })
}
