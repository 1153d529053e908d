//! The minimal conflicts by size: the smallest sets of lines that hit every concession known so far, until one cannot be
//! honoured (Ignatiev, Previti, Liffiton and Marques-Silva 2015, "Smallest MUS extraction with minimal hitting set
//! dualization"). A set that can be honoured gives one more concession to hit.

use super::budget::{Budget, CutShort};
use super::concessions::Softening;
use super::problem::Problem;
use super::solver::{Counted, Solver};
use rustsat::types::Lit;

/// Finds conflicts in their order, at most `most`; whether these are all. `known` are concessions, `all_known` says
/// whether they are all there are.
pub(super) fn conflicts(
    problem: &Problem,
    softening: &mut Softening<'_>,
    known: Vec<Vec<usize>>,
    all_known: bool,
    most: usize,
    found: &mut Vec<Vec<usize>>,
    budget: &Budget<'_>,
) -> Result<bool, CutShort> {
    let count = problem.lines.len();
    let mut hitting = Solver::new(budget);
    let taken: Vec<Lit> = (0..count).map(|_| hitting.literal()).collect();
    let of = |lines: &[usize]| -> Vec<Lit> { lines.iter().filter_map(|line| taken.get(*line)).copied().collect() };
    for concession in &known {
        hitting.add(&of(concession));
    }
    let mut counted: Counted = taken.iter().copied().collect();
    let mut size = 0;
    let mut of_size: Vec<Vec<usize>> = Vec::new();
    loop {
        let bound = hitting.at_most(&mut counted, size)?;
        if !hitting.solve(&bound)? {
            // No more of this size.
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
        let set: Vec<usize> =
            taken.iter().enumerate().filter(|(_, literal)| hitting.held(**literal)).map(|(line, _)| line).collect();
        if all_known || !softening.opens(|line| set.binary_search(&line).is_err())? {
            hitting.add(&of(&set).into_iter().map(|literal| !literal).collect::<Vec<Lit>>());
            of_size.push(set);
            budget.report("looking for conflicts", found.len() + of_size.len(), 0);
            if of_size.len() > budget.bounds.of_one_size {
                return Err(CutShort::Work);
            }
            continue;
        }
        // What can be honoured is honoured as far as it goes; what is left is a concession that was not hit.
        let mut kept = softening.honoured_last();
        for line in 0..count {
            if kept.contains(&line) {
                continue;
            }
            if softening.opens(|other| other != line && !kept.contains(&other))? {
                kept = softening.honoured_last();
                kept.insert(line);
            }
        }
        let left: Vec<usize> = (0..count).filter(|line| !kept.contains(line)).collect();
        hitting.add(&of(&left));
    }
}
