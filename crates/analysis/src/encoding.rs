//! Issues as SAT literals: the answer that an issue has, and the clause that breaks a cube.
//!
//! A cube is a conjunction of tests on issues, and its clause is true if one of the tests fails. A counted red line is
//! one that the question takes into account, by its party and its firmness. An issue or a member is open if several
//! values are possible. Owns the literals of the issues. Must not know of the question that is asked with them.

use super::index::CountedLineIndex;
use super::problem::{Cube, Obstacle, Problem};
use super::solver::Solver;
use detente_condition::{Axis, InputIndex, Literal};
use detente_core::scenario::index::IndexVec;
use rustsat::types::Lit;
use std::collections::BTreeMap;

/// The literals of one issue.
#[derive(Clone, Debug)]
pub(super) enum IssueLiterals {
    /// One literal for each option or interval; exactly one holds, unless the issue stays open.
    Values(Vec<Lit>),
    /// Two literals for each member, "in" and "out"; neither holds if the member stays open.
    Members { inside: Vec<Lit>, outside: Vec<Lit> },
}

/// An open issue that need not be settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenIssue {
    /// The literal that holds if the issue stays as open as it is.
    pub(super) stays: Lit,
    /// The mask of the values that are possible while the issue stays as it is.
    pub(super) possible: u128,
}

/// The literals of all issues of a problem.
pub(super) struct Encoding {
    issues: BTreeMap<InputIndex, (IssueLiterals, Option<OpenIssue>)>,
}

impl Encoding {
    /// Creates literals for all issues that matter to the problem, and adds the clauses of the pins.
    ///
    /// A pin limits the answers to an issue. `left_open` lists the issues that may stay as open as they are, with the
    /// mask of the values that are possible then. An issue cannot stay open if its pin rules out one of these values.
    pub(super) fn new(problem: &Problem, solver: &mut Solver<'_>, left_open: &BTreeMap<InputIndex, u128>) -> Self {
        let mut encoding = Self { issues: BTreeMap::new() };
        for input in problem.issues() {
            let Some(axis) = problem.space.axis(input) else { continue };
            let pinned = problem.possible.get(input).copied().unwrap_or_else(|| axis.full());
            let open = left_open.get(&input).map(|possible| OpenIssue { stays: solver.literal(), possible: *possible });
            if let Some(open) = open
                && open.possible & !pinned != 0
            {
                solver.add(&[!open.stays]);
            }
            let literals = match axis {
                Axis::Options { .. } | Axis::Intervals { .. } => values(axis, pinned, open, solver),
                Axis::Members { count } => members(usize::from(*count), pinned, open, solver),
            };
            encoding.issues.insert(input, (literals, open));
        }
        encoding
    }

    /// Iterates over the issues with their literals, in the scenario's order.
    pub(super) fn issues(&self) -> impl Iterator<Item = (InputIndex, &IssueLiterals, Option<&OpenIssue>)> {
        self.issues.iter().map(|(input, (literals, open))| (*input, literals, open.as_ref()))
    }

    /// Returns the clause "at least one of the cube's tests certainly fails, even if some issues stay open".
    pub(super) fn broken(&self, cube: &Cube) -> Vec<Lit> {
        cube.iter().flat_map(|literal| self.outside(literal)).collect()
    }

    /// Returns the literals that say that an issue's answer certainly fails a test.
    ///
    /// If any one of them holds, the test fails.
    fn outside(&self, literal: &Literal) -> Vec<Lit> {
        let Some((literals, open)) = self.issues.get(&literal.input) else { return Vec::new() };
        let is_set = |mask: u128, bit: usize| mask.checked_shr(u32::try_from(bit).unwrap_or(128)).unwrap_or(0) & 1 == 1;
        match literals {
            IssueLiterals::Values(values) => {
                let stays = open.filter(|open| open.possible & !literal.forbids == 0).map(|open| open.stays);
                let forbidden = values.iter().enumerate().filter(|(bit, _)| is_set(literal.forbids, *bit));
                forbidden.map(|(_, value)| *value).chain(stays).collect()
            }
            IssueLiterals::Members { inside, outside } => {
                let inside = inside.iter().enumerate().filter(|(bit, _)| is_set(literal.forbids, *bit));
                let outside = outside.iter().enumerate().filter(|(bit, _)| is_set(literal.forbids, 64 + *bit));
                inside.chain(outside).map(|(_, literal)| *literal).collect()
            }
        }
    }

    /// Adds the clauses of the constraints and the goal.
    pub(super) fn add_hard(&self, problem: &Problem, solver: &mut Solver<'_>) {
        for (blame, cubes) in &problem.hard {
            debug_assert!(matches!(blame, Obstacle::Constraint(_) | Obstacle::Goal), "not a constraint or the goal");
            for cube in cubes {
                solver.add(&self.broken(cube));
            }
        }
    }

    /// Adds the clauses that forbid crossing a counted red line.
    ///
    /// With `honoured`, a line may be crossed unless its literal in `honoured` holds.
    pub(super) fn add_lines(
        &self,
        problem: &Problem,
        solver: &mut Solver<'_>,
        honoured: Option<&IndexVec<CountedLineIndex, Lit>>,
    ) {
        for (at, line) in problem.lines.indexed() {
            let given = honoured.and_then(|honoured| honoured.get(at)).copied();
            for cube in problem.crossed_somehow(line) {
                let mut clause = self.broken(&cube);
                clause.extend(given.map(|honoured| !honoured));
                solver.add(&clause);
            }
        }
    }
}

fn values(axis: &Axis, pinned: u128, open: Option<OpenIssue>, solver: &mut Solver<'_>) -> IssueLiterals {
    let count = axis.full().count_ones();
    let values: Vec<Lit> = (0..count).map(|_| solver.literal()).collect();
    let mut one: Vec<Lit> = values.clone();
    one.extend(open.map(|open| open.stays));
    solver.add(&one);
    solver.at_most_one(&one);
    for (bit, value) in values.iter().enumerate() {
        if pinned >> bit & 1 == 0 {
            solver.add(&[!*value]);
        }
    }
    IssueLiterals::Values(values)
}

fn members(count: usize, pinned: u128, open: Option<OpenIssue>, solver: &mut Solver<'_>) -> IssueLiterals {
    let inside: Vec<Lit> = (0..count).map(|_| solver.literal()).collect();
    let outside: Vec<Lit> = match open {
        None => inside.iter().map(|literal| !*literal).collect(),
        Some(_) => (0..count).map(|_| solver.literal()).collect(),
    };
    // At least one of these literals holds unless the issue stays as it is.
    let mut changes: Vec<Lit> = Vec::new();
    for (bit, (is_in, is_out)) in inside.iter().zip(&outside).enumerate() {
        if pinned >> bit & 1 == 0 {
            solver.add(&[!*is_in]);
        }
        if pinned >> (64 + bit) & 1 == 0 {
            solver.add(&[!*is_out]);
        }
        let Some(OpenIssue { stays, possible }) = open else { continue };
        solver.add(&[!*is_in, !*is_out]);
        let (may_be_in, may_be_out) = (possible >> bit & 1 == 1, possible >> (64 + bit) & 1 == 1);
        let is_free = pinned >> bit & 1 == 1 && pinned >> (64 + bit) & 1 == 1;
        if !(may_be_in && may_be_out && is_free) {
            // A member stays open only if it was open and the pins allow both states.
            solver.add(&[*is_in, *is_out]);
        }
        changes.extend(may_be_out.then_some(*is_in));
        changes.extend(may_be_in.then_some(*is_out));
        // While the issue stays as it is, members whose state is certain keep it, and open members are neither in nor
        // out.
        solver.add(&[!stays, if may_be_out { !*is_in } else { *is_in }]);
        solver.add(&[!stays, if may_be_in { !*is_out } else { *is_out }]);
    }
    if let Some(OpenIssue { stays, .. }) = open {
        changes.push(stays);
        solver.add(&changes);
    }
    IssueLiterals::Members { inside, outside }
}
