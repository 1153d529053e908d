//! Hypotheses about red lines for one call: red lines dropped, held with a different firmness, or added.
//!
//! A [`Space`] lists the values of each issue and circumstance that a set of conditions can distinguish. The conditions
//! of added red lines have a space of their own, so that they can distinguish values that the scenario's conditions do
//! not distinguish. Hypotheses about circumstances are answers with the origin [`Origin::Hypothesis`](super::Origin),
//! and do not belong here.

use super::input::EffectiveInput;
use crate::scenario::Scenario;
use crate::scenario::index::RedLineIndex;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{Decision, Space};
use std::collections::{BTreeMap, BTreeSet};

/// The hypotheses that one call states about the red lines of a scenario.
#[derive(Clone, Debug)]
pub struct Supposed {
    dropped: BTreeSet<RedLineIndex>,
    firmness: BTreeMap<RedLineIndex, Firmness>,
    pub(super) added: Vec<RedLine>,
    pub(super) space: Space,
}

impl Supposed {
    /// Creates hypotheses. The conditions of the added red lines must be compiled in `space`.
    pub fn new(
        dropped: BTreeSet<RedLineIndex>,
        firmness: BTreeMap<RedLineIndex, Firmness>,
        added: Vec<RedLine>,
        space: Space,
    ) -> Self {
        Self { dropped, firmness, added, space }
    }

    /// Returns the space of the conditions of the added red lines.
    pub fn space(&self) -> &Space {
        &self.space
    }

    pub(super) fn drops(&self, index: RedLineIndex) -> bool {
        self.dropped.contains(&index)
    }

    pub(super) fn dropped(&self) -> impl Iterator<Item = RedLineIndex> {
        self.dropped.iter().copied()
    }

    /// Estimates the work of explaining the findings on the added red lines. The unit is a step of 16 comparisons.
    ///
    /// Explaining compares each cube (a conjunction of tests on issues and circumstances) of a condition with the
    /// others, so that the work grows with the square of the number of cubes.
    pub fn steps(&self) -> usize {
        let of_line = |line: &RedLine| {
            let Decision { holds, fails } = &line.condition.decision;
            let cubes = holds.len() + fails.len();
            1 + cubes.saturating_mul(cubes) / 16
        };
        self.added.iter().map(of_line).fold(0, usize::saturating_add)
    }

    pub(super) fn firmness(&self, index: RedLineIndex) -> Option<Firmness> {
        self.firmness.get(&index).copied()
    }

    /// Iterates over the added red lines, with positions that follow those of the scenario's red lines.
    pub(super) fn added(&self, scenario: &Scenario) -> impl Iterator<Item = (RedLineIndex, &RedLine)> {
        (scenario.red_lines.len()..).map(RedLineIndex).zip(&self.added)
    }

    /// Returns the added red line at a position; these positions begin after those of the scenario's red lines.
    pub fn red_line(&self, scenario: &Scenario, index: RedLineIndex) -> Option<&RedLine> {
        self.added.get(index.index().checked_sub(scenario.red_lines.len())?)
    }

    /// Returns the values that the answer to each issue and circumstance allows, as masks of the space of the added red
    /// lines.
    pub(super) fn state(&self, inputs: &[EffectiveInput]) -> Vec<u128> {
        inputs.iter().zip(self.space.axes()).map(|(input, axis)| axis.possible(&input.answer)).collect()
    }
}
