//! How much one question may take: the bounds, and whether there is time left.

use detente_core::engine::NotCoveredError;
use std::cell::Cell;
use thiserror::Error;

/// How much one question may take; what it is by default is what the service grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most nodes of one decision diagram.
    pub nodes: usize,
    /// The most steps of one operation on diagrams. An operation cannot be interrupted: this bounds how long a worker
    /// goes on after its callers have left, and what it takes in memory meanwhile.
    pub steps: usize,
    /// The most bytes, about, that the values of one fold of a diagram take.
    pub bytes: usize,
    /// The most conflicts that the SAT solver meets.
    pub conflicts: usize,
    /// The most that literals times bound may be where the SAT solver counts literals: as many clauses, about.
    pub counting: usize,
    /// The most concessions, or conflicts, of one size: they are put in order before the first is answered.
    pub of_one_size: usize,
    /// The most numbers in one search for packages: one for each point that is compared, and for each of its criteria;
    /// and sixteen for each answer, crossing and party's number of a package that is answered.
    pub points: usize,
    /// The most points that are put in order at once, which is not interrupted: they come as a few lists in order
    /// already.
    pub points_at_once: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            nodes: 400_000,
            steps: 2_000_000,
            bytes: 256 * 1024 * 1024,
            conflicts: 5_000_000,
            counting: 1_000_000,
            of_one_size: 5_000,
            points: 16_000_000,
            points_at_once: 200_000,
        }
    }
}

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
    Day(#[from] NotCoveredError),
}

/// What one question may take.
pub struct Budget<'a> {
    /// Whether the work must stop. Asked often.
    stop: &'a dyn Fn() -> bool,
    /// Told how far the work has come: the phase, what is done, and of how much (0: unknown).
    report: &'a dyn Fn(&'static str, u64, u64),
    pub(super) bounds: Bounds,
    /// Of the SAT solver's conflicts, and of the points, those that are left.
    pub(super) conflicts: Cell<usize>,
    points: Cell<usize>,
}

impl<'a> Budget<'a> {
    /// The full bounds; `stop` says whether there is no time left, `report` is told how far the work has come.
    pub fn new(stop: &'a dyn Fn() -> bool, report: &'a dyn Fn(&'static str, u64, u64)) -> Self {
        let bounds = Bounds::default();
        let (conflicts, points) = (Cell::new(bounds.conflicts), Cell::new(bounds.points));
        Self { stop, report, bounds, conflicts, points }
    }

    /// Unbounded in time, and telling nobody: for tests and benches.
    pub fn unhurried() -> Budget<'static> {
        Budget::new(&|| false, &|_, _, _| {})
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        let (conflicts, points) = (Cell::new(bounds.conflicts), Cell::new(bounds.points));
        Self { bounds, conflicts, points, ..self }
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
        f.debug_struct("Budget").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
