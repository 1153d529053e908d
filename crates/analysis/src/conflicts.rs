//! The minimal conflicts, by ascending size.
//!
//! The lines are the red lines that the question takes into account, by their party and their firmness. A conflict is a
//! set of lines that no package can honour together: every package crosses one of them. A concession is a set of lines
//! such that a package passes if it may cross them.
//!
//! Owns the search by minimal hitting sets (Ignatiev, Previti, Liffiton and Marques-Silva 2015, "Smallest MUS
//! extraction with minimal hitting set dualization"). It takes the smallest set of lines that hits every known
//! concession, which means that it has a line in common with each. If no package honours this set, the set is a
//! conflict; otherwise the set leads to one more concession to hit. Must not know of cubes or issues.

use super::budget::{Budget, SearchLimit, SearchPhase};
use super::concessions::{LineSet, Softening};
use super::index::CountedLineIndex;
use super::problem::Problem;
use super::solver::{CountedLiterals, Solver};
use detente_core::scenario::index::IndexVec;
use rustsat::types::Lit;

/// Appends at most `most` minimal conflicts to `found`, and returns whether these are all.
///
/// `known` are minimal concessions; `all_known` says whether there are no others.
pub(super) fn conflicts(
    problem: &Problem,
    softening: &mut Softening<'_>,
    known: Vec<LineSet>,
    all_known: bool,
    most: usize,
    found: &mut Vec<LineSet>,
    budget: &Budget<'_>,
) -> Result<bool, SearchLimit> {
    let mut hitting = Solver::new(budget);
    let taken: IndexVec<CountedLineIndex, Lit> = problem.lines.iter().map(|_| hitting.literal()).collect();
    let of = |lines: &[CountedLineIndex]| -> Vec<Lit> {
        lines.iter().filter_map(|line| taken.get(*line)).copied().collect()
    };
    for concession in &known {
        hitting.add(&of(concession));
    }
    let mut counted: CountedLiterals = taken.iter().copied().collect();
    let mut size = 0;
    let mut of_size: Vec<LineSet> = Vec::new();
    loop {
        let bound = hitting.at_most(&mut counted, size)?;
        if !hitting.solve(&bound)? {
            // There is no further conflict of this size.
            of_size.sort_unstable();
            for set in of_size.drain(..) {
                if found.len() == most {
                    return Ok(false);
                }
                found.push(set);
            }
            if !hitting.solve(&[])? {
                return Ok(true);
            }
            size += 1;
            continue;
        }
        let set: LineSet =
            taken.indexed().filter(|(_, literal)| hitting.held(**literal)).map(|(line, _)| line).collect();
        if all_known || !softening.opens(|line| set.binary_search(&line).is_err())? {
            hitting.add(&of(&set).into_iter().map(|literal| !literal).collect::<Vec<Lit>>());
            of_size.push(set);
            budget.report(SearchPhase::Conflicts, found.len() + of_size.len(), 0);
            if of_size.len() > budget.bounds.of_one_size {
                return Err(SearchLimit::Work);
            }
            continue;
        }
        // A package honours all lines of the set, so the set is not a conflict. Extend the lines that this package
        // honours until no line can be added. The remaining lines are a minimal concession, which the set does not hit.
        let mut kept = softening.honoured_last();
        for line in taken.indices() {
            if kept.contains(&line) {
                continue;
            }
            if softening.opens(|other| other != line && !kept.contains(&other))? {
                kept = softening.honoured_last();
                kept.insert(line);
            }
        }
        let left: LineSet = taken.indices().filter(|line| !kept.contains(line)).collect();
        hitting.add(&of(&left));
    }
}
