//! The minimal concessions, one after another. They are the minimal correction sets of the counted lines.
//!
//! A counted line is a red line that a passing package must not cross. A concession is a set of counted lines such that
//! a package passes if these lines are softened, which means that the package may cross them.
//!
//! Owns the search and its order. A concession comes before another if its firmest line is less firm or, if their
//! firmest lines are equally firm, if it has fewer lines. In this order, the proper subsets of a set come before the
//! set. A concession that is found rules out all its supersets. So every set found is minimal, and a search that stops
//! early returns the first sets of the order. Must not know of cubes or issues.

use super::budget::{Budget, SearchLimit, SearchPhase};
use super::encoding::Encoding;
use super::index::CountedLineIndex;
use super::problem::Problem;
use super::solver::{CountedLiterals, Solver};
use detente_core::scenario::index::IndexVec;
use rustsat::types::Lit;
use std::collections::{BTreeMap, BTreeSet};

/// A set of counted lines, ascending.
pub(super) type LineSet = Vec<CountedLineIndex>;

/// A solver in which a package must honour (not cross) each counted line whose literal holds.
pub(super) struct Softening<'a> {
    problem: &'a Problem,
    solver: Solver<'a>,
    honoured: IndexVec<CountedLineIndex, Lit>,
    budget: &'a Budget<'a>,
}

impl<'a> Softening<'a> {
    pub(super) fn new(problem: &'a Problem, budget: &'a Budget<'a>) -> Self {
        let mut solver = Solver::new(budget);
        let encoding = Encoding::new(problem, &mut solver, &BTreeMap::new());
        let honoured: IndexVec<CountedLineIndex, Lit> = problem.lines.iter().map(|_| solver.literal()).collect();
        encoding.add_hard(problem, &mut solver);
        encoding.add_lines(problem, &mut solver, Some(&honoured));
        Self { problem, solver, honoured, budget }
    }

    /// Returns whether a package passes if these lines are softened.
    pub(super) fn opens(&mut self, is_softened: impl Fn(CountedLineIndex) -> bool) -> Result<bool, SearchLimit> {
        let kept = self.honoured.indexed().filter(|(line, _)| !is_softened(*line));
        let assumptions: Vec<Lit> = kept.map(|(_, literal)| *literal).collect();
        self.solver.solve(&assumptions)
    }

    /// Returns the lines whose literals hold in the last model: those that had to be honoured, and possibly more.
    pub(super) fn honoured_last(&self) -> BTreeSet<CountedLineIndex> {
        let honoured = self.honoured.indexed().filter(|(_, literal)| self.solver.held(**literal));
        honoured.map(|(line, _)| line).collect()
    }

    /// Appends at most `most` minimal concessions to `found`, and returns whether these are all.
    ///
    /// If a limit ends the search, `found` keeps the concessions found so far.
    pub(super) fn concessions(&mut self, most: usize, found: &mut Vec<LineSet>) -> Result<bool, SearchLimit> {
        // The clauses that rule out found concessions apply only while `searching` holds, because `opens` uses the same
        // solver and may soften any lines.
        let searching = self.solver.literal();
        let levels: BTreeSet<_> = self.problem.lines.iter().map(|line| line.firmness).collect();
        for level in levels {
            let softened: Vec<CountedLineIndex> =
                self.honoured.indices().filter(|line| self.firmness_of(*line) <= Some(level)).collect();
            let literals: Vec<Lit> = softened.iter().filter_map(|line| self.honoured.get(*line)).copied().collect();
            let mut counted: CountedLiterals = literals.iter().map(|honoured| !*honoured).collect();
            let firmer = self.honoured.indices().filter(|line| self.firmness_of(*line) > Some(level));
            let mut base: Vec<Lit> = firmer.filter_map(|line| self.honoured.get(line)).copied().collect();
            base.push(searching);
            let mut size = 0;
            while self.solver.solve(&base)? {
                // At least one concession at this level of firmness has not been found yet: find the size of the
                // smallest one.
                let size_found = loop {
                    size += 1;
                    let mut assumptions = base.clone();
                    assumptions.extend(self.solver.at_most(&mut counted, size)?);
                    if self.solver.solve(&assumptions)? {
                        break size;
                    }
                };
                let mut bounded = base.clone();
                bounded.extend(self.solver.at_most(&mut counted, size_found)?);
                let mut of_size: Vec<LineSet> = Vec::new();
                // Collect all concessions of this size, so that they can be sorted.
                while self.solver.solve(&bounded)? {
                    let kept = self.honoured_last();
                    let set: LineSet = softened.iter().copied().filter(|line| !kept.contains(line)).collect();
                    let mut clause: Vec<Lit> =
                        set.iter().filter_map(|line| self.honoured.get(*line)).copied().collect();
                    clause.push(!searching);
                    self.solver.add(&clause);
                    of_size.push(set);
                    self.budget.report(SearchPhase::Concessions, found.len() + of_size.len(), 0);
                    if of_size.len() > self.budget.bounds.of_one_size {
                        return Err(SearchLimit::Work);
                    }
                }
                of_size.sort_unstable();
                for set in of_size {
                    if found.len() == most {
                        return Ok(false);
                    }
                    found.push(set);
                }
            }
        }
        Ok(true)
    }

    fn firmness_of(&self, line: CountedLineIndex) -> Option<detente_core::scenario::model::Firmness> {
        self.problem.lines.get(line).map(|line| line.firmness)
    }
}
