//! What is asked, as sets of cubes to break: one set for each counted red line, and those that every package breaks.
//!
//! All in one space, which tells apart what the scenario's conditions, the request's conditions and its pins do. What
//! holds for every value of an unknown circumstance holds for a cube without its tests of circumstances, as long as some
//! value passes these: a cube is a product, so that this is exact.

use detente_condition::{Answer, Axis, Cubes, Decision, InputId, Literal, Space, TooManyCutsError, Value};
use detente_core::engine::{Compiled, Given, NotCoveredError, Supposed};
use detente_core::scenario::model::{Firmness, RedLine};
use jiff::civil::Date;
use std::sync::Arc;

/// What every package must meet besides its pins, in a space of its own.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The space of its conditions.
    pub space: Space,
    /// Where it is met, and where it is not.
    pub decision: Decision,
}

/// What is searched for, and whose red lines count.
#[derive(Clone, Debug)]
pub struct Aim {
    /// What the package's answers lie within, at most one an issue.
    pub pins: Vec<(InputId, Answer)>,
    /// What it must meet.
    pub goal: Option<Goal>,
    /// The least firmness with which a crossing counts.
    pub floor: Firmness,
    /// Of each party, in the scenario's order: whether its red lines count.
    pub counts: Vec<bool>,
}

/// What all four questions have in common.
#[derive(Clone, Debug)]
pub struct Question {
    /// The scenario.
    pub compiled: Arc<Compiled>,
    /// The day.
    pub day: Date,
    /// What is supposed of red lines.
    pub supposed: Option<Arc<Supposed>>,
    /// What is given of circumstances.
    pub circumstances: Vec<Given>,
    /// What is searched for.
    pub aim: Aim,
}

/// Answers to inputs, in input order.
pub(super) type Answers = Vec<(InputId, Answer)>;

/// A conjunction of tests, in input order.
pub(super) type Cube = Vec<Literal>;

/// What stands between an answer to all issues and a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// A counted red line, by its place among [`Problem::lines`].
    Line(usize),
    /// A constraint, by its position in the scenario.
    Constraint(usize),
    /// The goal.
    Goal,
    /// The pins.
    Pins,
}

/// A red line that counts.
#[derive(Clone, Debug)]
pub struct CountedLine {
    /// Its position; hypothetical ones follow those of the scenario.
    pub position: usize,
    /// The position of its party.
    pub party: usize,
    /// How firmly it is held, without its waivers.
    pub firmness: Firmness,
    /// Where it is crossed at the floor, circumstances included.
    pub(super) crossed: Vec<Cube>,
}

/// The question, ready to be solved.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The question.
    pub question: Question,
    /// The space of all masks.
    pub space: Space,
    /// The red lines that count, in the scenario's order.
    pub lines: Vec<CountedLine>,
    /// Where a constraint is broken or the goal missed for some value of the circumstances: tests of issues alone.
    pub(super) hard: Vec<(Blame, Vec<Cube>)>,
    /// For each input, what is possible: of an issue what its pin leaves, of a circumstance what is known of it.
    pub(super) possible: Vec<u128>,
    /// For each input, what is known of it before any pin or proposal: of an issue nothing.
    pub(super) full: Vec<u128>,
    /// Whether something depends on the input.
    pub(super) matters: Vec<bool>,
}

impl Problem {
    /// Makes a question ready.
    ///
    /// # Errors
    /// A quantity that all conditions and answers together cut into too many intervals; a day that is not covered.
    pub fn new(question: Question) -> Result<Self, ProblemError> {
        Self::told_apart(question, Vec::new())
    }

    /// The same for comparing packages: quantities are told apart where the numbers of preferences change, too.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn comparing(question: Question) -> Result<Self, ProblemError> {
        let cuts = super::utilities::cuts(question.compiled.scenario());
        Self::told_apart(question, cuts)
    }

    fn told_apart(question: Question, cuts: Vec<(InputId, i64)>) -> Result<Self, ProblemError> {
        let compiled = question.compiled.clone();
        let scenario = &**compiled.scenario();
        let inputs = compiled.effective_inputs(&question.circumstances, Some(question.day))?;
        let space = joined_space(&question, cuts)?;
        let mut full: Vec<u128> = space.axes().iter().map(Axis::full).collect();
        for (input, axis) in inputs.iter().zip(space.axes()).skip(scenario.issue_count) {
            if let Some(known) = full.get_mut(input.input.index()) {
                *known = axis.possible(&input.answer);
            }
        }
        let mut problem = Self {
            space,
            lines: Vec::new(),
            hard: Vec::new(),
            possible: full.clone(),
            full,
            matters: vec![false; scenario.inputs.len()],
            question,
        };
        for (input, answer) in problem.question.aim.pins.clone() {
            problem.pin(input, &answer);
        }
        let counted: Vec<CountedLine> = compiled
            .counted(problem.question.day, problem.question.supposed.as_deref(), problem.question.aim.floor)
            .filter(|counted| problem.question.aim.counts.get(counted.red_line.party).is_some_and(|counts| *counts))
            .map(|counted| CountedLine {
                position: counted.position,
                party: counted.red_line.party,
                firmness: counted.firmness,
                crossed: problem.cubes(counted.crossed, counted.space),
            })
            .collect();
        for cube in counted.iter().flat_map(|line| &line.crossed) {
            mark(&mut problem.matters, cube);
        }
        problem.lines = counted;
        for (position, constraint) in scenario.constraints.iter().enumerate() {
            let broken = problem.cubes(&constraint.forbids.decision.holds, &scenario.space);
            problem.forbid(Blame::Constraint(position), &broken);
        }
        if let Some(goal) = problem.question.aim.goal.clone() {
            let missed = problem.cubes(&goal.decision.fails, &goal.space);
            problem.forbid(Blame::Goal, &missed);
        }
        Ok(problem)
    }

    fn pin(&mut self, input: InputId, answer: &Answer) {
        let Some(axis) = self.space.axis(input) else { return };
        if let Some(possible) = self.possible.get_mut(input.index()) {
            *possible &= axis.possible(answer);
        }
        if let Some(matters) = self.matters.get_mut(input.index()) {
            *matters = true;
        }
    }

    /// Cubes in this problem's space, without those that no possible value of a circumstance passes.
    fn cubes(&self, cubes: &Cubes, space: &Space) -> Vec<Cube> {
        let refined = |literal: &Literal| {
            let (ours, theirs) = (self.space.axis(literal.input)?, space.axis(literal.input)?);
            Some(Literal { input: literal.input, forbids: ours.refined(theirs, literal.forbids) })
        };
        let refine = |cube: &[Literal]| cube.iter().filter_map(refined).collect::<Cube>();
        cubes.iter().map(refine).filter(|cube| touches(&self.space, &self.full, cube)).collect()
    }

    fn forbid(&mut self, blame: Blame, cubes: &[Cube]) {
        let cubes: Vec<Cube> = cubes.iter().map(|cube| self.on_issues(cube)).collect();
        for cube in &cubes {
            mark(&mut self.matters, cube);
        }
        self.hard.push((blame, cubes));
    }

    /// A cube's tests of issues.
    pub(super) fn on_issues(&self, cube: &Cube) -> Cube {
        cube.iter().copied().filter(|literal| self.is_issue(literal.input)).collect()
    }

    /// Where a line is crossed at the floor for some value of the circumstances.
    pub(super) fn crossed_somehow(&self, line: &CountedLine) -> Vec<Cube> {
        line.crossed.iter().map(|cube| self.on_issues(cube)).collect()
    }

    /// Whether some of an answer is possible by what is known.
    pub fn leaves_possible(&self, input: InputId, answer: &Answer) -> bool {
        let (axis, known) = (self.space.axis(input), self.full.get(input.index()));
        axis.zip(known).is_some_and(|(axis, known)| !axis.contradicts(axis.full() & !(axis.possible(answer) & known)))
    }

    pub(super) fn is_issue(&self, input: InputId) -> bool {
        self.question.compiled.scenario().is_issue(input)
    }

    /// The issues that a party ranks: these matter where packages are compared.
    pub(super) fn ranked(&self) -> impl Iterator<Item = InputId> {
        self.question.compiled.scenario().preferences.iter().map(|preference| preference.issue)
    }

    /// The issues on which something depends, in the scenario's order.
    pub fn issues(&self) -> Vec<InputId> {
        let issues = (0..).zip(&self.matters).map(|(at, matters)| (InputId(at), *matters));
        issues.filter(|(input, matters)| *matters && self.is_issue(*input)).map(|(input, _)| input).collect()
    }

    /// A counted line's red line.
    pub fn red_line(&self, line: &CountedLine) -> Option<&RedLine> {
        self.question.red_line(line.position)
    }
}

impl Question {
    /// The red lines that would count, were they recorded on the day already: by position, with their firmness.
    pub fn not_recorded(&self) -> Vec<(usize, Firmness)> {
        let lines = self.compiled.not_recorded(self.day, self.supposed.as_deref());
        lines
            .filter_map(|position| Some((position, self.red_line(position)?)))
            .filter(|(_, line)| line.firmness >= self.aim.floor)
            .filter(|(_, line)| self.aim.counts.get(line.party).is_some_and(|counts| *counts))
            .map(|(position, line)| (position, line.firmness))
            .collect()
    }

    /// The red line of a position: the scenario's, or a hypothesis.
    pub fn red_line(&self, position: usize) -> Option<&RedLine> {
        let scenario = self.compiled.scenario();
        let supposed = || self.supposed.as_ref()?.red_line(scenario, position);
        scenario.red_lines.get(position).or_else(supposed)
    }
}

/// Why a question cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// Quantities that are cut into too many intervals.
    #[error("a quantity is cut into too many intervals")]
    Cuts(Vec<TooManyCutsError>),
    /// The day is not covered.
    #[error(transparent)]
    Day(#[from] NotCoveredError),
}

/// The space that tells apart what conditions and pins do, and these cuts.
fn joined_space(question: &Question, mut cuts: Vec<(InputId, i64)>) -> Result<Space, ProblemError> {
    let scenario = question.compiled.scenario();
    let mut others = Vec::new();
    others.extend(question.supposed.as_ref().map(|supposed| supposed.space()));
    others.extend(question.aim.goal.as_ref().map(|goal| &goal.space));
    let pins = question.aim.pins.iter();
    cuts.extend(pins.flat_map(|(input, answer)| cuts_of(*input, answer)));
    scenario.space.joined(&others, &cuts).map_err(ProblemError::Cuts)
}

/// Where a quantity must be cut so that the answer is a union of intervals.
fn cuts_of(input: InputId, answer: &Answer) -> impl Iterator<Item = (InputId, i64)> + use<> {
    let ends = match answer {
        Answer::Exact(Value::Quantity(number)) => Some((*number, *number)),
        Answer::Range { min, max } => Some((*min, *max)),
        _ => None,
    };
    let cuts = ends.map(|(min, max)| [Some(min), max.checked_add(1)]).into_iter().flatten().flatten();
    cuts.map(move |cut| (input, cut))
}

/// Whether some of what is possible lies in a cube.
pub(super) fn touches(space: &Space, possible: &[u128], cube: &[Literal]) -> bool {
    cube.iter().all(|literal| {
        let known = possible.get(literal.input.index()).copied().unwrap_or(u128::MAX);
        space.axis(literal.input).is_some_and(|axis| !axis.contradicts((literal.forbids | !known) & axis.full()))
    })
}

fn mark(matters: &mut [bool], cube: &Cube) {
    for literal in cube {
        if let Some(matters) = matters.get_mut(literal.input.index()) {
            *matters = true;
        }
    }
}
