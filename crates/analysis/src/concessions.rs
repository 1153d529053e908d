//! The minimal concessions, in their order: the minimal correction sets of the counted lines.
//!
//! Level by level of firmness, and within a level by size: what is found then has no part that was not found before, so
//! that every set is minimal, and the first few are the first of all.

use super::budget::{Budget, CutShort};
use super::encoding::Encoding;
use super::problem::Problem;
use super::solver::{Counted, Solver};
use rustsat::types::Lit;
use std::collections::{BTreeMap, BTreeSet};

/// A solver in which each line is honoured where its literal holds.
pub(super) struct Softening<'a> {
    problem: &'a Problem,
    solver: Solver<'a>,
    honoured: Vec<Lit>,
    budget: &'a Budget<'a>,
}

impl<'a> Softening<'a> {
    pub(super) fn new(problem: &'a Problem, budget: &'a Budget<'a>) -> Self {
        let mut solver = Solver::new(budget);
        let encoding = Encoding::new(problem, &mut solver, &BTreeMap::new());
        let honoured: Vec<Lit> = problem.lines.iter().map(|_| solver.literal()).collect();
        encoding.add_hard(problem, &mut solver);
        encoding.add_lines(problem, &mut solver, Some(&honoured));
        Self { problem, solver, honoured, budget }
    }

    /// Whether a package passes where these lines are softened.
    pub(super) fn opens(&mut self, is_softened: impl Fn(usize) -> bool) -> Result<bool, CutShort> {
        let kept = self.honoured.iter().enumerate().filter(|(line, _)| !is_softened(*line));
        let assumptions: Vec<Lit> = kept.map(|(_, literal)| *literal).collect();
        self.solver.solve(&assumptions)
    }

    /// The lines honoured where a package last passed: those asked for, and whatever else happens to be.
    pub(super) fn honoured_last(&self) -> BTreeSet<usize> {
        let honoured = self.honoured.iter().enumerate().filter(|(_, literal)| self.solver.held(**literal));
        honoured.map(|(line, _)| line).collect()
    }

    /// Finds concessions in their order, at most `most`; whether these are all. Those found stay found if it is cut
    /// short.
    pub(super) fn concessions(&mut self, most: usize, found: &mut Vec<Vec<usize>>) -> Result<bool, CutShort> {
        // Found ones are ruled out here only: elsewhere anything may be softened.
        let searching = self.solver.literal();
        let levels: BTreeSet<_> = self.problem.lines.iter().map(|line| line.firmness).collect();
        for level in levels {
            let softened: Vec<usize> =
                (0..self.honoured.len()).filter(|line| self.firmness_of(*line) <= Some(level)).collect();
            let literals: Vec<Lit> = softened.iter().filter_map(|line| self.honoured.get(*line)).copied().collect();
            let mut counted: Counted = literals.iter().map(|honoured| !*honoured).collect();
            let firmer = (0..self.honoured.len()).filter(|line| self.firmness_of(*line) > Some(level));
            let mut base: Vec<Lit> = firmer.filter_map(|line| self.honoured.get(line)).copied().collect();
            base.push(searching);
            let mut size = 0;
            while self.solver.solve(&base)? {
                // Some set is left at this level: of which size is the least?
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
                let mut of_size: Vec<Vec<usize>> = Vec::new();
                // All of this size, so that they can be put in order.
                while self.solver.solve(&bounded)? {
                    let kept = self.honoured_last();
                    let set: Vec<usize> = softened.iter().copied().filter(|line| !kept.contains(line)).collect();
                    let mut clause: Vec<Lit> =
                        set.iter().filter_map(|line| self.honoured.get(*line)).copied().collect();
                    clause.push(!searching);
                    self.solver.add(&clause);
                    of_size.push(set);
                    self.budget.report("looking for concessions", found.len() + of_size.len(), 0);
                    if of_size.len() > self.budget.bounds.of_one_size {
                        return Err(CutShort::Work);
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

    fn firmness_of(&self, line: usize) -> Option<detente_core::scenario::model::Firmness> {
        self.problem.lines.get(line).map(|line| line.firmness)
    }
}
