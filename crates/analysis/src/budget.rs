//! The limits on the work of one question, how much of that work is left, and the reasons for which a search stops
//! early.
//!
//! A question is what a caller asks an analysis, such as which packages pass. This module has no clock: the caller's
//! `stop` function says when to stop. Must not know what a question asks.

use detente_core::engine::NotCoveredError;
use std::cell::Cell;
use thiserror::Error;

/// The limits on the work and memory of one question; the defaults are the limits of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of nodes of one decision diagram; default 400,000.
    pub nodes: usize,
    /// The maximum number of steps of one operation on decision diagrams; default 2,000,000.
    ///
    /// An operation cannot be interrupted. This limit bounds how long a worker continues after its callers have left,
    /// and the memory that the worker uses meanwhile.
    pub steps: usize,
    /// The approximate maximum size of the values of one fold of a diagram, in bytes; default 256 MiB.
    ///
    /// A fold walks a decision diagram from its terminals to its root and computes a value for each node.
    pub bytes: usize,
    /// The maximum number of conflicts in all SAT searches of the question together; default 5,000,000.
    ///
    /// Here, a conflict is a contradiction that the SAT solver runs into, not a set of red lines. The number of
    /// conflicts measures the work of the solver.
    pub conflicts: usize,
    /// The maximum size of a clause set that lets at most `n` of `m` literals hold; default 1,000,000.
    ///
    /// The size is measured as `n` times `m`, which is about the number of clauses added to the SAT solver.
    pub counting: usize,
    /// The maximum number of concessions, or of conflicts, of one size; default 5,000.
    ///
    /// A concession and a conflict are sets of red lines. All sets of one size are collected and sorted before the
    /// first of them is returned.
    pub of_one_size: usize,
    /// The maximum cost of one search for packages, in units that are called points; default 16,000,000.
    ///
    /// Each partial package that is compared with others costs one point, plus one for each criterion (a party's
    /// utility or a rank). A returned package costs 16 points for each answer, each crossed red line, and each utility
    /// or rank.
    pub points: usize,
    /// The maximum number of partial packages that one step of a comparison sorts; default 200,000.
    ///
    /// The sort is not interrupted. It is fast, because its input is a concatenation of a few sorted lists.
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

/// The reason for which the result of a question is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SearchLimit {
    /// The deadline passed, or no caller waits for the result.
    #[error("the time ran out")]
    Deadline,
    /// The question exceeded one of its [`Bounds`].
    #[error("the question needs more work than one question may take")]
    Work,
    /// There are more results than the requested maximum.
    #[error("there are more results than the maximum")]
    Results,
}

/// The reason for which a search stops before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum SearchError {
    /// A limit ended the search: the results found so far are returned.
    #[error(transparent)]
    Cut(#[from] SearchLimit),
    /// The scenario does not cover the day: there is no result.
    #[error(transparent)]
    Day(#[from] NotCoveredError),
}

/// A phase of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchPhase {
    /// Searches for the packages nearest to a proposal.
    NearestPackages,
    /// Combines the decision diagrams of the red lines into one.
    CombiningRedLines,
    /// Counts the passing packages.
    Counting,
    /// Compares packages by preferences.
    Comparing,
    /// Searches for packages that differ from each other.
    DiversePackages,
    /// Searches for minimal conflicts: sets of red lines that no package can honour together.
    Conflicts,
    /// Searches for minimal concessions: sets of red lines whose softening lets a package pass.
    Concessions,
    /// Computes the probability that a deal crosses no binding red line: for each red line, once assuming that it
    /// certainly binds, and once assuming that it certainly does not.
    WeighingRedLines,
}

/// A report of the progress of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchProgress {
    /// The current phase.
    pub phase: SearchPhase,
    /// The number of steps of the phase that are done.
    pub done: u64,
    /// The total number of steps of the phase; 0 if unknown.
    pub total: u64,
}

/// The bounds of one question, the work that is left of them, and its callbacks.
pub struct Budget<'a> {
    /// Returns whether the work must stop. Called often, so it must be cheap.
    stop: &'a dyn Fn() -> bool,
    /// Receives the progress.
    report: &'a dyn Fn(SearchProgress),
    pub(super) bounds: Bounds,
    /// The remaining conflicts of the SAT solver.
    pub(super) conflicts: Cell<usize>,
    /// The remaining points, the units of [`Bounds::points`].
    points: Cell<usize>,
}

impl<'a> Budget<'a> {
    /// Creates a budget with the default bounds.
    ///
    /// `stop` returns whether the work must stop. `report` receives the progress.
    pub fn new(stop: &'a dyn Fn() -> bool, report: &'a dyn Fn(SearchProgress)) -> Self {
        let bounds = Bounds::default();
        let (conflicts, points) = (Cell::new(bounds.conflicts), Cell::new(bounds.points));
        Self { stop, report, bounds, conflicts, points }
    }

    /// Creates a budget without a time limit that reports no progress, for tests and benchmarks.
    pub fn unhurried() -> Budget<'static> {
        Budget::new(&|| false, &|_| {})
    }

    /// Replaces the bounds, and resets the remaining work to them.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        let (conflicts, points) = (Cell::new(bounds.conflicts), Cell::new(bounds.points));
        Self { bounds, conflicts, points, ..self }
    }

    pub(super) fn is_over(&self) -> bool {
        (self.stop)()
    }

    pub(super) fn check(&self) -> Result<(), SearchLimit> {
        if self.is_over() { Err(SearchLimit::Deadline) } else { Ok(()) }
    }

    pub(super) fn report(&self, phase: SearchPhase, done: usize, total: usize) {
        (self.report)(SearchProgress { phase, done: done as u64, total: total as u64 });
    }

    /// Subtracts points from the remaining ones.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if fewer points are left.
    pub(super) fn spend_points(&self, points: usize) -> Result<(), SearchLimit> {
        let left = self.points.get().checked_sub(points).ok_or(SearchLimit::Work)?;
        self.points.set(left);
        Ok(())
    }
}

impl std::fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
