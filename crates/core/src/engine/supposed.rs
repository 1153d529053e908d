//! Hypotheses about red lines: what is dropped, held otherwise, or added, for one call.
//!
//! An added line has the space of its own conditions' cuts, apart from the scenario's: it is tested on the values
//! themselves, whatever the loaded conditions can tell apart. Hypotheses about circumstances are answers like others
//! ([`Origin::Hypothesis`](super::Origin)).

use super::input::EffectiveInput;
use crate::scenario::Scenario;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{Decision, Space};
use std::collections::{BTreeMap, BTreeSet};

/// What is supposed about the red lines of one scenario.
#[derive(Clone, Debug)]
pub struct Supposed {
    dropped: BTreeSet<usize>,
    firmness: BTreeMap<usize, Firmness>,
    added: Vec<RedLine>,
    pub(super) space: Space,
}

impl Supposed {
    /// Positions are those of the scenario. The conditions of the added lines are compiled in `space`.
    pub fn new(
        dropped: BTreeSet<usize>,
        firmness: BTreeMap<usize, Firmness>,
        added: Vec<RedLine>,
        space: Space,
    ) -> Self {
        Self { dropped, firmness, added, space }
    }

    /// The space of the added lines' conditions.
    pub fn space(&self) -> &Space {
        &self.space
    }

    pub(super) fn drops(&self, position: usize) -> bool {
        self.dropped.contains(&position)
    }

    pub(super) fn dropped(&self) -> impl Iterator<Item = usize> {
        self.dropped.iter().copied()
    }

    /// About how many steps finding reasons and openings of the added lines takes: they compare cubes with cubes.
    pub fn steps(&self) -> usize {
        let of_line = |line: &RedLine| {
            let Decision { holds, fails } = &line.condition.decision;
            let cubes = holds.len() + fails.len();
            1 + cubes.saturating_mul(cubes) / 16
        };
        self.added.iter().map(of_line).fold(0, usize::saturating_add)
    }

    pub(super) fn firmness(&self, position: usize) -> Option<Firmness> {
        self.firmness.get(&position).copied()
    }

    /// The added lines, with the positions that follow those of the scenario.
    pub(super) fn added(&self, scenario: &Scenario) -> impl Iterator<Item = (usize, &RedLine)> {
        (scenario.red_lines.len()..).zip(&self.added)
    }

    /// An added line, by its position after those of the scenario.
    pub fn red_line(&self, scenario: &Scenario, position: usize) -> Option<&RedLine> {
        self.added.get(position.checked_sub(scenario.red_lines.len())?)
    }

    /// What is possible of each input, as masks of this space.
    pub(super) fn state(&self, inputs: &[EffectiveInput]) -> Vec<u128> {
        inputs.iter().zip(self.space.axes()).map(|(input, axis)| axis.possible(&input.answer)).collect()
    }
}
