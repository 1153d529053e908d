//! The ladder of a red line with waivers: the firmness with which a crossing counts, after its waivers.
//!
//! Must not know of days: the set of waivers in force is an argument.

use crate::scenario::index::WaiverIndex;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{ComplexityError, Cubes, Decision, Formula, Space, WorkBudget};
use std::collections::BTreeSet;

/// The rungs of a red line for one set of waivers in force.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// One rung for each firmness to which a waiver can lower a crossing, ascending.
    rungs: Box<[Rung]>,
    /// The waivers in force.
    pub(super) waivers: Box<[WaiverInForce]>,
}

/// A firmness of one or more waivers, and where crossings count above it or not.
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

/// A waiver in force, and where it lowers crossings.
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
    ) -> Result<Self, ComplexityError> {
        let crossed = red_line.crossed();
        let both = |also: Formula| -> Result<Decision, ComplexityError> {
            Decision::compile(&Formula::All(vec![crossed.clone(), also]), space, WorkBudget::default())
        };
        let never = |also: Formula| Ok(both(also)?.fails);
        let mut waivers = Vec::with_capacity(in_force.len());
        let mut levels = BTreeSet::new();
        for index in in_force {
            let Some(waiver) = red_line.waivers.get(*index) else { continue };
            levels.insert(waiver.firmness);
            waivers.push(WaiverInForce {
                index: *index,
                never_applies: never(waiver.when.formula.clone())?,
                never_misses: never(waiver.when.formula.clone().negated())?,
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
            let never_at_most = never(lowered.clone())?;
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

    /// Returns the lowest and the highest firmness with which a crossing counts, over all completions with a crossing.
    ///
    /// `unwaived` is the firmness without waivers. It may be a hypothesis; then waivers whose firmness is higher than
    /// `unwaived` have no effect.
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

/// Whether a function, given by all its prime implicants, is true in every completion of the state.
///
/// Because the prime implicants are complete, this is the case exactly if the state is inside one of the cubes.
pub(super) fn certain(cubes: &Cubes, state: &[u128]) -> bool {
    cubes.iter().any(|cube| {
        cube.iter()
            .all(|literal| state.get(literal.input.index()).is_some_and(|possible| possible & literal.forbids == 0))
    })
}
