//! Issues as literals: which answer an issue has, and that a cube is broken.

use super::problem::{Blame, Cube, Problem};
use super::solver::Solver;
use detente_condition::{Axis, InputId, Literal};
use rustsat::types::Lit;
use std::collections::BTreeMap;

/// An issue's literals.
#[derive(Clone, Debug)]
pub(super) enum IssueLiterals {
    /// One for each option, or interval, of which one holds, unless the issue stays open.
    Values(Vec<Lit>),
    /// For each member: that it is in, and that it is out. Neither, only where it was open, and stays so.
    Members { inside: Vec<Lit>, outside: Vec<Lit> },
}

/// What an issue that is open may stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// That it stays as it is.
    pub(super) stays: Lit,
    /// What is possible then.
    pub(super) possible: u128,
}

/// All issues' literals.
pub(super) struct Encoding {
    issues: BTreeMap<InputId, (IssueLiterals, Option<Open>)>,
}

impl Encoding {
    /// Literals for all issues on which something depends, within the pins. `left_open` says which issues may stay as
    /// open as they are, and how open this is; their pins must leave room for all of it.
    pub(super) fn new(problem: &Problem, solver: &mut Solver<'_>, left_open: &BTreeMap<InputId, u128>) -> Self {
        let mut encoding = Self { issues: BTreeMap::new() };
        for input in problem.issues() {
            let Some(axis) = problem.space.axis(input) else { continue };
            let pinned = problem.possible.get(input.index()).copied().unwrap_or_else(|| axis.full());
            let open = left_open.get(&input).map(|possible| Open { stays: solver.literal(), possible: *possible });
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

    /// The issues with their literals, in the scenario's order.
    pub(super) fn issues(&self) -> impl Iterator<Item = (InputId, &IssueLiterals, Option<&Open>)> {
        self.issues.iter().map(|(input, (literals, open))| (*input, literals, open.as_ref()))
    }

    /// The clause that a cube is broken, whatever is left open.
    pub(super) fn broken(&self, cube: &Cube) -> Vec<Lit> {
        cube.iter().flat_map(|literal| self.outside(literal)).collect()
    }

    /// What puts an answer outside of a test for certain.
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

    /// Constraints and goal, as clauses.
    pub(super) fn add_hard(&self, problem: &Problem, solver: &mut Solver<'_>) {
        for (blame, cubes) in &problem.hard {
            debug_assert!(matches!(blame, Blame::Constraint(_) | Blame::Goal), "what every package meets");
            for cube in cubes {
                solver.add(&self.broken(cube));
            }
        }
    }

    /// Every counted line clear: always, or where its literal of `honoured` holds.
    pub(super) fn add_lines(&self, problem: &Problem, solver: &mut Solver<'_>, honoured: Option<&[Lit]>) {
        for (at, line) in problem.lines.iter().enumerate() {
            let given = honoured.and_then(|honoured| honoured.get(at)).copied();
            for cube in problem.crossed_somehow(line) {
                let mut clause = self.broken(&cube);
                clause.extend(given.map(|honoured| !honoured));
                solver.add(&clause);
            }
        }
    }
}

fn values(axis: &Axis, pinned: u128, open: Option<Open>, solver: &mut Solver<'_>) -> IssueLiterals {
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

fn members(count: usize, pinned: u128, open: Option<Open>, solver: &mut Solver<'_>) -> IssueLiterals {
    let inside: Vec<Lit> = (0..count).map(|_| solver.literal()).collect();
    let outside: Vec<Lit> = match open {
        None => inside.iter().map(|literal| !*literal).collect(),
        Some(_) => (0..count).map(|_| solver.literal()).collect(),
    };
    // What would be otherwise if the issue did not stay as it is.
    let mut otherwise: Vec<Lit> = Vec::new();
    for (bit, (is_in, is_out)) in inside.iter().zip(&outside).enumerate() {
        if pinned >> bit & 1 == 0 {
            solver.add(&[!*is_in]);
        }
        if pinned >> (64 + bit) & 1 == 0 {
            solver.add(&[!*is_out]);
        }
        let Some(Open { stays, possible }) = open else { continue };
        solver.add(&[!*is_in, !*is_out]);
        let (may_be_in, may_be_out) = (possible >> bit & 1 == 1, possible >> (64 + bit) & 1 == 1);
        let is_free = pinned >> bit & 1 == 1 && pinned >> (64 + bit) & 1 == 1;
        if !(may_be_in && may_be_out && is_free) {
            // Only what was open may stay open, and only within the pins.
            solver.add(&[*is_in, *is_out]);
        }
        otherwise.extend(may_be_out.then_some(*is_in));
        otherwise.extend(may_be_in.then_some(*is_out));
        // While all stays as it is, what is certain is certain, and the rest is neither in nor out.
        solver.add(&[!stays, if may_be_out { !*is_in } else { *is_in }]);
        solver.add(&[!stays, if may_be_in { !*is_out } else { *is_out }]);
    }
    if let Some(Open { stays, .. }) = open {
        otherwise.push(stays);
        solver.add(&otherwise);
    }
    IssueLiterals::Members { inside, outside }
}
