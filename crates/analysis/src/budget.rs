//! The limits on the work of one question, how much of that work is left, and the reasons for which a search stops
//! early.
//!
//! A question is what a caller asks an analysis, such as which packages pass. This module has no clock: the caller's
//! `stop` function says when to stop. Must not know what a question asks.

use detente_core::engine::NotCoveredError;
use std::cell::Cell;
use thiserror::Error;

/// The most memory that the search for the answer to one question takes, in bytes.
///
/// It does not include the question, the scenario, and the messages that are made of the results. A SAT solver
/// allocates 4 MiB when it is created, and the search for conflicts has two.
pub const MAX_QUESTION_BYTES: usize = 12 * 1024 * 1024;

/// The limits on the work and memory of one question; the defaults are the limits of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of nodes of one decision diagram; default 57,344.
    ///
    /// The default fills a hash table of 65,536 buckets.
    pub nodes: usize,
    /// The maximum number of steps of one operation on decision diagrams; default 114,688.
    ///
    /// The default fills a hash table of 131,072 buckets.
    ///
    /// An operation cannot be interrupted. This limit bounds how long a worker continues after its callers have left,
    /// and the memory that the worker uses meanwhile.
    pub steps: usize,
    /// The maximum memory of one question by the count of the searches, in bytes; default 11 MiB.
    ///
    /// The searches count what grows with the question: its cubes, clauses, decision diagrams, values of folds and
    /// results. The rest of [`MAX_QUESTION_BYTES`] is for what they do not count.
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
            nodes: 57_344,
            steps: 114_688,
            bytes: MAX_QUESTION_BYTES / 12 * 11,
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
    /// The memory that is in use, in bytes.
    held: Cell<usize>,
}

/// Memory that a part of a search uses, counted until it is dropped.
pub(super) struct Held<'a> {
    budget: &'a Budget<'a>,
    bytes: Cell<usize>,
}

impl Held<'_> {
    /// Counts more memory.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the question then uses more than it may.
    pub(super) fn add(&self, bytes: usize) -> Result<(), SearchLimit> {
        self.budget.room_for(bytes)?;
        self.add_anyway(bytes);
        Ok(())
    }

    /// Counts more memory that is allocated already, even beyond the bound. [`Budget::is_full`] then returns true.
    pub(super) fn add_anyway(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.budget.held.set(self.budget.held.get().saturating_add(bytes));
    }

    /// Counts less memory.
    pub(super) fn release(&self, bytes: usize) {
        let bytes = bytes.min(self.bytes.get());
        self.bytes.set(self.bytes.get() - bytes);
        self.budget.held.set(self.budget.held.get().saturating_sub(bytes));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.release(self.bytes.get());
    }
}

impl<'a> Budget<'a> {
    /// Creates a budget with the default bounds.
    ///
    /// `stop` returns whether the work must stop. `report` receives the progress.
    pub fn new(stop: &'a dyn Fn() -> bool, report: &'a dyn Fn(SearchProgress)) -> Self {
        let bounds = Bounds::default();
        let (conflicts, points) = (Cell::new(bounds.conflicts), Cell::new(bounds.points));
        Self { stop, report, bounds, conflicts, points, held: Cell::default() }
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

    /// Counts memory that is about to be allocated.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the question would use more than it may.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held<'_>, SearchLimit> {
        let held = self.hold_nothing();
        held.add(bytes)?;
        Ok(held)
    }

    /// Returns a count of memory, which starts at 0.
    pub(super) fn hold_nothing(&self) -> Held<'_> {
        Held { budget: self, bytes: Cell::default() }
    }

    /// Checks that memory may be allocated for a short time.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the question would use more than it may.
    pub(super) fn room_for(&self, bytes: usize) -> Result<(), SearchLimit> {
        let fits = self.held.get().saturating_add(bytes) <= self.bounds.bytes;
        if fits { Ok(()) } else { Err(SearchLimit::Work) }
    }

    /// Whether the question uses more memory than it may.
    pub(super) fn is_full(&self) -> bool {
        self.held.get() > self.bounds.bytes
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
