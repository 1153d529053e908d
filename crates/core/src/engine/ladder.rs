//! The ladder of a red line with waivers: at which firmness a crossing counts.

use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{ComplexityError, Cubes, Decision, Formula, Space, WorkBudget};
use std::collections::BTreeSet;

/// A red line's rungs under one set of standing waivers.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// One for each firmness that a waiver can lower to, ascending.
    rungs: Box<[Rung]>,
    /// The waivers that stand.
    pub(super) waivers: Box<[StandingWaiver]>,
}

/// The firmness of some waivers, and when crossings stay above it or never do.
#[derive(Clone, Debug)]
struct Rung {
    firmness: Firmness,
    /// Where no crossing counts this low or lower.
    never_at_most: Cubes,
    /// Where no crossing counts higher than this.
    never_above: Cubes,
    /// Where a crossing counts higher than this.
    above: Cubes,
}

/// A waiver, and when it lowers crossings.
#[derive(Clone, Debug)]
pub(super) struct StandingWaiver {
    /// Its position in the red line.
    pub(super) position: usize,
    /// Where it lowers no crossing.
    pub(super) never_applies: Cubes,
    /// Where there is no crossing that it doesn't lower.
    pub(super) never_misses: Cubes,
}

impl Ladder {
    pub(super) fn compile(red_line: &RedLine, standing: &[usize], space: &Space) -> Result<Self, ComplexityError> {
        let crossed = red_line.crossed();
        let both = |also: Formula| -> Result<Decision, ComplexityError> {
            Decision::compile(&Formula::All(vec![crossed.clone(), also]), space, WorkBudget::default())
        };
        let never = |also: Formula| Ok(both(also)?.fails);
        let mut waivers = Vec::with_capacity(standing.len());
        let mut levels = BTreeSet::new();
        for position in standing {
            let Some(waiver) = red_line.waivers.get(*position) else { continue };
            levels.insert(waiver.firmness);
            waivers.push(StandingWaiver {
                position: *position,
                never_applies: never(waiver.when.formula.clone())?,
                never_misses: never(waiver.when.formula.clone().negated())?,
            });
        }
        let mut rungs = Vec::with_capacity(levels.len());
        for firmness in levels {
            let lowering = standing.iter().filter_map(|position| red_line.waivers.get(*position));
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

    /// Where a crossing counts with at least this firmness, of a line that without waivers does; `None` where no
    /// waiver lowers it below.
    pub(super) fn crossed_at_least(&self, firmness: Firmness) -> Option<&Cubes> {
        self.rungs.iter().rev().find(|rung| rung.firmness < firmness).map(|rung| &rung.above)
    }

    /// The lowest and the highest firmness with which a crossing counts, over all completions in which there is one.
    /// `unwaived` may be a hypothesis: then waivers that would lower to more than that lower nothing.
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

/// Whether the state lies within one of the cubes: since these are all prime implicants of their function, exactly
/// if it is true in every completion.
pub(super) fn certain(cubes: &Cubes, state: &[u128]) -> bool {
    cubes.iter().any(|cube| {
        cube.iter()
            .all(|literal| state.get(literal.input.index()).is_some_and(|possible| possible & literal.forbids == 0))
    })
}
