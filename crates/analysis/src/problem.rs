//! A question as sets of cubes that a package must break: one set for each counted red line, constraint and goal.
//!
//! A cube is a conjunction of tests on issues and circumstances; a package breaks it by failing one of the tests. A
//! counted red line is one whose crossing keeps a package from passing: the question asks for its party, and it is at
//! least as firm as the question's floor. A pin limits the answers that a package may give to an issue.
//!
//! Owns the common space of these cubes. It distinguishes all values that the conditions of the scenario, the
//! conditions of the request and its pins distinguish. Must not know of solvers or diagrams.
//!
//! A package must pass for every value of an unknown circumstance. If the tests of circumstances in a cube can be true,
//! the package must therefore fail one of the cube's tests of issues. So the search drops the tests of circumstances
//! from such a cube; the result is exact, because the tests of a cube are independent of each other.

use super::budget::{Budget, Held, SearchLimit};
use super::index::CountedLineIndex;
use detente_condition::{Answer, Axis, Cubes, Decision, InputIndex, Literal, Space, TooManyCutsError, Value};
use detente_core::engine::{Compiled, Given, NotCoveredError, Supposed};
use detente_core::scenario::index::{ConstraintIndex, IndexVec, PartyIndex, RedLineIndex};
use detente_core::scenario::model::{Firmness, RedLine};
use jiff::civil::Date;
use std::sync::Arc;

/// The maximum memory of the cubes of a problem, in bytes.
///
/// It is a third of what a question may use, because a search needs at least as much for its own form of the cubes. A
/// red line with four tests takes 170 bytes.
const MAX_PROBLEM_BYTES: usize = super::budget::MAX_QUESTION_BYTES / 3;

/// A condition that every package must meet besides the pins, compiled in a space of its own.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The values of each input that `decision` can distinguish.
    pub space: Space,
    /// The prime implicants of "the goal is met" and of "the goal is missed".
    pub decision: Decision,
}

/// The packages that a question searches for, and the red lines that count.
#[derive(Clone, Debug)]
pub struct Aim {
    /// The pins: limits within which the answers of a package must lie; at most one for each issue.
    pub pins: Vec<(InputIndex, Answer)>,
    /// The condition that a package must meet; `None` if there is no condition.
    pub goal: Option<Goal>,
    /// The lowest firmness at which the crossing of a red line counts.
    pub floor: Firmness,
    /// Whether the red lines of each party count, in the scenario's order of parties.
    pub counts: IndexVec<PartyIndex, bool>,
}

/// The question that the searches for amendments, packages, impasses and robustness have in common.
#[derive(Clone, Debug)]
pub struct SearchQuestion {
    /// The compiled scenario.
    pub compiled: Arc<Compiled>,
    /// The day for which the question is asked.
    pub day: Date,
    /// The hypotheses about red lines; `None` if there are none.
    pub supposed: Option<Arc<Supposed>>,
    /// The answers that the request gives for circumstances.
    pub circumstances: Vec<Given>,
    /// The packages that the question searches for.
    pub aim: Aim,
}

impl SearchQuestion {
    /// Returns the memory of the question's own conditions, those of its hypotheses and its goal, in bytes.
    ///
    /// Nothing else that a question has is large, and the scenario is shared. The lists in a formula have up to twice
    /// the memory that their elements need, so that everything is counted twice.
    pub fn bytes(&self) -> usize {
        let goal = self.aim.goal.as_ref().map(|goal| goal.space.bytes() + goal.decision.bytes());
        2 * (goal.unwrap_or_default() + self.supposed.as_ref().map_or(0, |supposed| supposed.bytes()))
    }
}

/// Answers to inputs, in the order of the inputs.
pub(super) type Answers = Vec<(InputIndex, Answer)>;

/// The possible values of each input, as a mask of its axis.
pub(super) type Masks = IndexVec<InputIndex, u128>;

/// A conjunction of tests, in the order of the inputs.
pub(super) type Cube = Vec<Literal>;

/// A reason why a deal that answers all issues does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// A counted red line.
    Line(CountedLineIndex),
    /// A constraint, by its position in the scenario.
    Constraint(ConstraintIndex),
    /// The goal.
    Goal,
    /// The pins.
    Pins,
}

/// A red line whose crossing counts.
#[derive(Clone, Debug)]
pub struct CountedLine {
    /// The position of the red line, recorded in the scenario or hypothetical.
    pub index: RedLineIndex,
    /// The party that holds the red line.
    pub party: PartyIndex,
    /// The red line's own firmness, before any waiver.
    pub firmness: Firmness,
    /// The cubes in which the red line is crossed with at least the floor's firmness.
    ///
    /// These cubes contain tests of circumstances, too.
    pub(super) crossed: Vec<Cube>,
}

/// A question in the form that the searches work on.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The question as it was asked.
    pub question: SearchQuestion,
    /// The space of all masks and cubes of this problem.
    pub space: Space,
    /// The red lines that count, by ascending position.
    pub lines: IndexVec<CountedLineIndex, CountedLine>,
    /// The cubes in which a constraint is broken or the goal is missed for some value of the circumstances.
    ///
    /// These cubes contain tests of issues only.
    pub(super) hard: Vec<(Obstacle, Vec<Cube>)>,
    /// The possible values of each input.
    ///
    /// For an issue, these are the values that its pins allow; for a circumstance, all values that are not ruled out.
    pub(super) possible: Masks,
    /// The possible values of each input before any pin or proposal.
    ///
    /// For an issue, these are all values; for a circumstance, all values that are not ruled out.
    pub(super) full: Masks,
    /// For each input, whether a counted red line, a constraint, the goal or a pin depends on it.
    pub(super) matters: IndexVec<InputIndex, bool>,
    /// The memory of the cubes, in bytes. Beyond [`MAX_PROBLEM_BYTES`], cubes are missing, and every search is cut
    /// short before it begins.
    pub(super) bytes: usize,
}

impl Problem {
    /// Converts a question to the form that the searches work on.
    ///
    /// # Errors
    /// Returns the quantities that the conditions and pins cut into too many intervals, or the day if the scenario does
    /// not cover it.
    pub fn new(question: SearchQuestion) -> Result<Self, ProblemError> {
        Self::with_cuts(question, Vec::new())
    }

    /// Converts a question as [`Problem::new`] does, for a search that compares packages.
    ///
    /// Quantities are also cut where the utilities that parties assign to their values change.
    ///
    /// # Errors
    /// Returns the same errors as [`Problem::new`].
    pub fn comparing(question: SearchQuestion) -> Result<Self, ProblemError> {
        let cuts = super::utilities::cuts(question.compiled.scenario());
        Self::with_cuts(question, cuts)
    }

    fn with_cuts(question: SearchQuestion, cuts: Vec<(InputIndex, i64)>) -> Result<Self, ProblemError> {
        let compiled = question.compiled.clone();
        let scenario = &**compiled.scenario();
        let inputs = compiled.effective_inputs(&question.circumstances, Some(question.day))?;
        let space = joined_space(&question, cuts)?;
        let mut full: Masks = space.axes().iter().map(Axis::full).collect();
        for (input, axis) in inputs.iter().zip(space.axes()).skip(scenario.issue_count) {
            if let Some(known) = full.get_mut(input.input) {
                *known = axis.possible(&input.answer);
            }
        }
        let mut problem = Self {
            space,
            lines: IndexVec::default(),
            hard: Vec::new(),
            possible: full.clone(),
            full,
            matters: vec![false; scenario.inputs.len()].into(),
            bytes: 0,
            question,
        };
        for (input, answer) in problem.question.aim.pins.clone() {
            problem.pin(input, &answer);
        }
        let mut bytes = 0;
        let counted: IndexVec<CountedLineIndex, CountedLine> = compiled
            .counted(problem.question.day, problem.question.supposed.as_deref(), problem.question.aim.floor)
            .filter(|counted| problem.question.aim.counts.get(counted.red_line.party).is_some_and(|counts| *counts))
            .map(|counted| CountedLine {
                index: counted.index,
                party: counted.red_line.party,
                firmness: counted.firmness,
                crossed: problem.cubes(counted.crossed, counted.space, &mut bytes),
            })
            .collect();
        for cube in counted.iter().flat_map(|line| &line.crossed) {
            mark_tested(&mut problem.matters, cube);
        }
        problem.lines = counted;
        for (position, constraint) in scenario.constraints.indexed() {
            let broken = problem.cubes(&constraint.forbids.decision.holds, &scenario.space, &mut bytes);
            problem.forbid(Obstacle::Constraint(position), &broken);
        }
        if let Some(goal) = problem.question.aim.goal.clone() {
            let missed = problem.cubes(&goal.decision.fails, &goal.space, &mut bytes);
            problem.forbid(Obstacle::Goal, &missed);
        }
        problem.bytes = bytes;
        Ok(problem)
    }

    fn pin(&mut self, input: InputIndex, answer: &Answer) {
        let Some(axis) = self.space.axis(input) else { return };
        if let Some(possible) = self.possible.get_mut(input) {
            *possible &= axis.possible(answer);
        }
        if let Some(matters) = self.matters.get_mut(input) {
            *matters = true;
        }
    }

    /// Counts the memory of this problem while a search works on it.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the problem is too large for any search.
    pub(super) fn hold<'b>(&self, budget: &'b Budget<'b>) -> Result<Held<'b>, SearchLimit> {
        if self.bytes > MAX_PROBLEM_BYTES { Err(SearchLimit::Work) } else { budget.hold(self.bytes) }
    }

    /// Converts cubes to this problem's space, and adds their memory to `bytes`.
    ///
    /// The result omits cubes that contradict the known values of a circumstance: such cubes are never satisfied. It
    /// also omits cubes beyond the maximum memory, after which no search begins.
    fn cubes(&self, cubes: &Cubes, space: &Space, bytes: &mut usize) -> Vec<Cube> {
        let refined = |literal: &Literal| {
            let (ours, theirs) = (self.space.axis(literal.input)?, space.axis(literal.input)?);
            Some(Literal { input: literal.input, forbids: ours.refined(theirs, literal.forbids) })
        };
        let refine = |cube: &[Literal]| cube.iter().filter_map(refined).collect::<Cube>();
        let mut fits = |cube: &Cube| {
            *bytes += size_of::<Cube>() + 16 + size_of::<Literal>() * cube.len();
            *bytes <= MAX_PROBLEM_BYTES
        };
        let touching = cubes.iter().map(refine).filter(|cube| touches(&self.space, &self.full, cube));
        touching.take_while(|cube| fits(cube)).collect()
    }

    fn forbid(&mut self, blame: Obstacle, cubes: &[Cube]) {
        let cubes: Vec<Cube> = cubes.iter().map(|cube| self.on_issues(cube)).collect();
        for cube in &cubes {
            mark_tested(&mut self.matters, cube);
        }
        self.hard.push((blame, cubes));
    }

    /// Returns a cube without its tests of circumstances.
    pub(super) fn on_issues(&self, cube: &Cube) -> Cube {
        cube.iter().copied().filter(|literal| self.is_issue(literal.input)).collect()
    }

    /// Returns the cubes in which a line is crossed, with at least the floor's firmness, for some value of the
    /// circumstances.
    pub(super) fn crossed_somehow(&self, line: &CountedLine) -> Vec<Cube> {
        line.crossed.iter().map(|cube| self.on_issues(cube)).collect()
    }

    /// Whether an input, as far as it is known, can still have at least one of the values that an answer allows.
    pub fn leaves_possible(&self, input: InputIndex, answer: &Answer) -> bool {
        let (axis, known) = (self.space.axis(input), self.full.get(input));
        axis.zip(known).is_some_and(|(axis, known)| !axis.contradicts(axis.full() & !(axis.possible(answer) & known)))
    }

    pub(super) fn is_issue(&self, input: InputIndex) -> bool {
        self.question.compiled.scenario().is_issue(input)
    }

    /// Iterates over the issues with preferences; a comparison of packages depends on them.
    pub(super) fn ranked(&self) -> impl Iterator<Item = InputIndex> {
        self.question.compiled.scenario().preferences.iter().map(|preference| preference.issue)
    }

    /// Returns the issues on which something depends, in the scenario's order.
    ///
    /// An issue is left out if no counted red line, constraint, goal or pin depends on it.
    pub fn issues(&self) -> Vec<InputIndex> {
        let issues = self.matters.indexed().filter(|(input, matters)| **matters && self.is_issue(*input));
        issues.map(|(input, _)| input).collect()
    }

    /// Returns the red line that a counted line stands for.
    pub fn red_line(&self, line: &CountedLine) -> Option<&RedLine> {
        self.question.red_line(line.index)
    }
}

impl SearchQuestion {
    /// Returns the red lines that would count if they were already recorded on the day of the question.
    ///
    /// Each entry is the position and the firmness of a red line.
    pub fn not_recorded(&self) -> Vec<(RedLineIndex, Firmness)> {
        let lines = self.compiled.not_recorded(self.day, self.supposed.as_deref());
        lines
            .filter_map(|position| Some((position, self.red_line(position)?)))
            .filter(|(_, line)| line.firmness >= self.aim.floor)
            .filter(|(_, line)| self.aim.counts.get(line.party).is_some_and(|counts| *counts))
            .map(|(position, line)| (position, line.firmness))
            .collect()
    }

    /// Returns the red line at a position, from the scenario or from the hypotheses.
    pub fn red_line(&self, position: RedLineIndex) -> Option<&RedLine> {
        let scenario = self.compiled.scenario();
        let supposed = || self.supposed.as_ref()?.red_line(scenario, position);
        scenario.red_lines.get(position).or_else(supposed)
    }
}

/// The reason for which a question cannot be converted to a [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// The conditions and pins cut these quantities into too many intervals.
    #[error("conditions, pins and preferences divide a quantity into too many intervals")]
    Cuts(Vec<TooManyCutsError>),
    /// The scenario does not cover the day.
    #[error(transparent)]
    Day(#[from] NotCoveredError),
}

/// Creates the space in which all conditions and pins are exact, with the given cuts added.
fn joined_space(question: &SearchQuestion, mut cuts: Vec<(InputIndex, i64)>) -> Result<Space, ProblemError> {
    let scenario = question.compiled.scenario();
    let mut others = Vec::new();
    others.extend(question.supposed.as_ref().map(|supposed| supposed.space()));
    others.extend(question.aim.goal.as_ref().map(|goal| &goal.space));
    let pins = question.aim.pins.iter();
    cuts.extend(pins.flat_map(|(input, answer)| cuts_of(*input, answer)));
    scenario.space.joined(&others, &cuts).map_err(ProblemError::Cuts)
}

/// Returns the numbers at which a quantity must be cut so that an answer is a union of whole intervals.
fn cuts_of(input: InputIndex, answer: &Answer) -> impl Iterator<Item = (InputIndex, i64)> + use<> {
    let ends = match answer {
        Answer::Exact(Value::Quantity(number)) => Some((*number, *number)),
        Answer::Range { min, max } => Some((*min, *max)),
        _ => None,
    };
    let cuts = ends.map(|(min, max)| [Some(min), max.checked_add(1)]).into_iter().flatten().flatten();
    cuts.map(move |cut| (input, cut))
}

/// Whether some combination of possible values passes all tests of a cube.
pub(super) fn touches(space: &Space, possible: &Masks, cube: &[Literal]) -> bool {
    cube.iter().all(|literal| {
        let known = possible.get(literal.input).copied().unwrap_or(u128::MAX);
        space.axis(literal.input).is_some_and(|axis| !axis.contradicts((literal.forbids | !known) & axis.full()))
    })
}

/// Marks the inputs that a cube tests.
fn mark_tested(matters: &mut IndexVec<InputIndex, bool>, cube: &Cube) {
    for literal in cube {
        if let Some(matters) = matters.get_mut(literal.input) {
            *matters = true;
        }
    }
}
