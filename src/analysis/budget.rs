//! How much one question may take: the bounds, and whether there is time left.

use crate::engine::NotCovered;
use std::cell::Cell;
use thiserror::Error;

/// The most nodes of one decision diagram.
pub const MAX_NODES: usize = 400_000;
/// The most steps of one operation on diagrams. An operation cannot be interrupted: this bounds how long a worker goes on
/// after its callers have left, and what it takes in memory meanwhile.
pub const MAX_STEPS: usize = 2_000_000;
/// The most conflicts that the SAT solver meets in one question.
pub const MAX_CONFLICTS: usize = 5_000_000;
/// The most numbers that a search for efficient packages compares, one for each point and criterion and one more a point,
/// and sixteen for each answer in a package that is listed.
pub const MAX_POINTS: usize = 16_000_000;

/// Why a question was not answered to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CutShort {
    /// There is no time left, or nobody waits any more.
    #[error("the time ran out")]
    Deadline,
    /// It outgrew one of the bounds.
    #[error("the question outgrew the work that one question may take")]
    Work,
    /// There is more than was asked for.
    #[error("there is more than was asked for")]
    Results,
}

/// Why work ends before its end: cut short, with what was found until then, or for a day that is not covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Halt {
    /// What was found is answered.
    #[error(transparent)]
    Cut(#[from] CutShort),
    /// There is no answer.
    #[error(transparent)]
    Day(#[from] NotCovered),
}

/// What one question may take.
pub struct Budget<'a> {
    /// Whether the work must stop. Asked often.
    stop: &'a dyn Fn() -> bool,
    /// Told how far the work has come: the phase, what is done, and of how much (0: unknown).
    report: &'a dyn Fn(&'static str, u64, u64),
    pub(super) nodes: usize,
    pub(super) conflicts: Cell<usize>,
    pub(super) points: Cell<usize>,
}

impl<'a> Budget<'a> {
    /// The full bounds; `stop` says whether there is no time left, `report` is told how far the work has come.
    pub fn new(stop: &'a dyn Fn() -> bool, report: &'a dyn Fn(&'static str, u64, u64)) -> Self {
        let (conflicts, points) = (Cell::new(MAX_CONFLICTS), Cell::new(MAX_POINTS));
        Self { stop, report, nodes: MAX_NODES, conflicts, points }
    }

    /// Unbounded in time, and telling nobody: for tests and benches.
    pub fn unhurried() -> Budget<'static> {
        Budget::new(&|| false, &|_, _, _| {})
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(self, nodes: usize, conflicts: usize, points: usize) -> Self {
        Self { nodes, conflicts: Cell::new(conflicts), points: Cell::new(points), ..self }
    }

    pub(super) fn is_over(&self) -> bool {
        (self.stop)()
    }

    pub(super) fn check(&self) -> Result<(), CutShort> {
        if self.is_over() { Err(CutShort::Deadline) } else { Ok(()) }
    }

    pub(super) fn report(&self, phase: &'static str, done: usize, total: usize) {
        (self.report)(phase, done as u64, total as u64);
    }

    /// Takes so many of the points that are left.
    pub(super) fn spend_points(&self, points: usize) -> Result<(), CutShort> {
        let left = self.points.get().checked_sub(points).ok_or(CutShort::Work)?;
        self.points.set(left);
        Ok(())
    }
}

impl std::fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}
