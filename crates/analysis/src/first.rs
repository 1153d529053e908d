//! The first passing package, in the order of the scenario's issues and options.
//!
//! A package is a deal that answers every issue on which the question depends. It passes if it meets the pins (terms
//! that it must have) and the goal (a condition) of the question, breaks no constraint, and crosses none of the red
//! lines that count for the question. Owns the search for one package that passes. Must not know of distances or
//! probabilities.

use super::budget::{Budget, SearchLimit};
use super::encoding::{Encoding, IssueLiterals};
use super::package::answer_of;
use super::problem::{Answers, Problem};
use super::solver::Solver;
use detente_condition::{Answer, Value};
use rustsat::types::Lit;
use std::collections::BTreeMap;

/// Returns the answers of the first passing package; `None` if no package passes.
pub(super) fn first_passing(problem: &Problem, budget: &Budget<'_>) -> Result<Option<Answers>, SearchLimit> {
    let mut solver = Solver::new(budget);
    let encoding = Encoding::new(problem, &mut solver, &BTreeMap::new());
    encoding.add_hard(problem, &mut solver);
    encoding.add_lines(problem, &mut solver, None);
    if !solver.solve(&[])? {
        return Ok(None);
    }
    let order: Vec<Vec<Lit>> = encoding
        .issues()
        .flat_map(|(_, literals, _)| match literals {
            IssueLiterals::Values(values) => vec![values.clone()],
            IssueLiterals::Members { inside, outside } => {
                outside.iter().zip(inside).map(|(outside, inside)| vec![*outside, *inside]).collect()
            }
        })
        .collect();
    solver.prefer(&order, Vec::new())?;
    let answers = encoding.issues().filter_map(|(input, literals, _)| {
        let answer = match literals {
            IssueLiterals::Values(values) => {
                answer_of(problem, input, values.iter().position(|value| solver.held(*value))?, None)
            }
            IssueLiterals::Members { inside, .. } => Answer::Exact(Value::Members(members_held(&solver, inside))),
        };
        Some((input, answer))
    });
    Ok(Some(answers.collect()))
}

/// Returns the mask of the members whose `inside` literal holds in the model of the solver.
pub(super) fn members_held(solver: &Solver<'_>, inside: &[Lit]) -> u64 {
    let held = (0u32..).zip(inside).filter(|(_, literal)| solver.held(**literal));
    held.fold(0, |all, (bit, _)| all | 1u64.checked_shl(bit).unwrap_or(0))
}
