//! The passing packages nearest to a proposal.
//!
//! The distance is four numbers, compared one after the other: each is made least by asking the solver, from below,
//! whether so many will do, with the ones before it held at their least. What the proposal leaves open may stay open
//! where it passes whatever is settled there.

use super::budget::{Budget, CutShort, Halt};
use super::encoding::{Encoding, IssueLiterals, Open};
use super::first::members_held;
use super::package::{answer_of, given};
use super::problem::{Answers, Blame, Problem, touches};
use super::solver::{Counted, Solver};
use detente_condition::{Answer, Axis, InputId, Value};
use detente_core::engine::{Given, NotCoveredError};
use detente_core::scenario::model::Firmness;
use rustsat::types::Lit;
use std::collections::BTreeMap;

/// The most amendments of one answer.
pub const MAX_AMENDMENTS: usize = 20;

/// How far an amended proposal is from the proposal; the first number counts before the second, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance {
    /// Issues on which what was settled is changed: an exact answer, or one within a bracket given up.
    pub terms_changed: usize,
    /// Issues that were open, and are settled within what was possible.
    pub terms_settled: usize,
    /// Members put in or taken out, of those that were certain.
    pub members_toggled: usize,
    /// Over the quantities that are changed: how many cuts lie between before and after.
    pub cuts_moved: usize,
}

/// What a step does to its issue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepKind {
    /// A member that was in or open is taken out, or one that was out or open is put in.
    Member {
        /// Its position.
        member: u8,
        /// Whether it is in now.
        inside: bool,
    },
    /// The issue gets this answer.
    Set(Answer),
}

/// One step of an amendment.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The issue.
    pub input: InputId,
    /// What is done.
    pub kind: StepKind,
    /// What the issue was taken to be.
    pub before: Answer,
    /// Whether this settles what was open.
    pub settles_open: bool,
    /// What the amended proposal would run into if this step alone were taken back.
    pub needed_for: Vec<Blame>,
    /// Red lines below the floor, or of parties that do not count, that the amended proposal crosses for certain, the
    /// proposal does not, and it would not if this step alone were taken back. By position, with the firmness.
    pub newly_crosses: Vec<(usize, Firmness)>,
}

/// An amended proposal that passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Amended {
    /// How far it is.
    pub distance: Distance,
    /// The issues with another answer than before, in the scenario's order.
    pub answers: Vec<(InputId, Answer)>,
    /// The steps, in the scenario's order, members one by one.
    pub steps: Vec<Step>,
    /// Red lines below the floor, or of parties that do not count, that it crosses for certain, by position.
    pub crosses: Vec<(usize, Firmness)>,
}

/// The nearest passing packages.
#[derive(Clone, Debug, PartialEq)]
pub struct Amendments {
    /// By distance; none changes all the issues that one before it does.
    pub found: Vec<Amended>,
    /// Whether any package passes; `None` if that was not found out.
    pub any: Option<bool>,
    /// Why there may be more.
    pub cut_short: Option<CutShort>,
}

impl Problem {
    /// Up to `most` passing packages nearest to what is given of issues.
    ///
    /// # Errors
    /// A day that is not covered.
    pub fn amendments(&self, terms: &[Given], most: usize, budget: &Budget<'_>) -> Result<Amendments, NotCoveredError> {
        let question = &self.question;
        let inputs = question.compiled.effective_inputs(terms, Some(question.day))?;
        let before: Vec<Answer> = inputs.iter().map(|input| input.answer).collect();
        let mut search = Search::new(self, &before, budget);
        let mut amendments = Amendments { found: Vec::new(), any: None, cut_short: None };
        match search.solver.solve(&[]) {
            Ok(any) => amendments.any = Some(any),
            Err(cut) => amendments.cut_short = Some(cut),
        }
        let mut least = Distance::default();
        while amendments.any == Some(true) && amendments.found.len() < most.min(MAX_AMENDMENTS) {
            budget.report("looking for the nearest packages", amendments.found.len(), most);
            match search.nearest(least) {
                Ok(Some((distance, chosen))) => {
                    least = distance;
                    match self.amended(terms, &before, distance, &chosen, budget) {
                        Ok(amended) => amendments.found.push(amended),
                        Err(Halt::Day(day)) => return Err(day),
                        Err(Halt::Cut(cut)) => {
                            amendments.cut_short = Some(cut);
                            break;
                        }
                    }
                }
                Ok(None) => break,
                Err(cut) => {
                    amendments.cut_short = Some(cut);
                    break;
                }
            }
        }
        Ok(amendments)
    }

    /// An amended proposal with the reasons for each step.
    fn amended(
        &self,
        terms: &[Given],
        before: &[Answer],
        distance: Distance,
        chosen: &[(InputId, Answer)],
        budget: &Budget<'_>,
    ) -> Result<Amended, Halt> {
        let with = |answers: &[(InputId, Answer)]| -> Vec<Given> {
            let kept = terms.iter().filter(|term| answers.iter().all(|(input, _)| *input != term.input)).copied();
            kept.chain(answers.iter().map(|(input, answer)| given(*input, *answer))).collect()
        };
        // A line that counts less now than it did is not newly crossed.
        let crossed_before = self.question.crossed_for_certain(terms)?;
        let crosses = self.question.crossed_besides(&with(chosen))?;
        let newly: Vec<(usize, Firmness)> =
            crosses.iter().filter(|(line, _)| crossed_before.iter().all(|(old, _)| old != line)).copied().collect();
        let mut steps = Vec::new();
        for (input, after) in chosen {
            let was = before.get(input.index()).copied().unwrap_or(Answer::Unsettled);
            for (kind, reverted, settles_open) in steps_of(self, *input, &was, after) {
                budget.check()?;
                let mut answers = chosen.to_vec();
                answers.iter_mut().filter(|(of, _)| of == input).for_each(|(_, answer)| *answer = reverted);
                let without = self.question.crossed_for_certain(&with(&answers))?;
                let caused = newly.iter().filter(|(line, _)| without.iter().all(|(other, _)| other != line));
                steps.push(Step {
                    input: *input,
                    kind,
                    before: was,
                    settles_open,
                    needed_for: self.runs_into(before, &answers),
                    newly_crosses: caused.copied().collect(),
                });
            }
        }
        Ok(Amended { distance, answers: chosen.to_vec(), steps, crosses })
    }

    /// What answers could run into.
    fn runs_into(&self, before: &[Answer], answers: &[(InputId, Answer)]) -> Vec<Blame> {
        let mut state = self.state(before);
        for (input, answer) in answers {
            if let (Some(mask), Some(axis)) = (state.get_mut(input.index()), self.space.axis(*input)) {
                *mask = axis.possible(answer);
            }
        }
        let mut blames = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if line.crossed.iter().any(|cube| touches(&self.space, &state, cube)) {
                blames.push(Blame::Line(at));
            }
        }
        let hard = self.hard.iter().filter(|(_, cubes)| cubes.iter().any(|cube| touches(&self.space, &state, cube)));
        blames.extend(hard.map(|(blame, _)| *blame));
        let outside = state.iter().zip(&self.possible).any(|(state, pinned)| state & !pinned != 0);
        blames.extend(outside.then_some(Blame::Pins));
        blames
    }

    /// What is possible of each input: of issues by these answers, of circumstances by what is known.
    fn state(&self, answers: &[Answer]) -> Vec<u128> {
        let mut state = self.full.clone();
        for ((mask, answer), axis) in
            state.iter_mut().zip(answers).zip(self.space.axes()).take(self.question.compiled.scenario().issue_count)
        {
            *mask = axis.possible(answer);
        }
        state
    }
}

fn is_settled(answer: &Answer) -> bool {
    matches!(answer, Answer::Exact(_))
}

/// The single steps from one answer to another: each with the answer that the issue would have without it, and whether it
/// settles what was open.
fn steps_of(problem: &Problem, input: InputId, was: &Answer, after: &Answer) -> Vec<(StepKind, Answer, bool)> {
    let Some(Axis::Members { count }) = problem.space.axis(input) else {
        return vec![(StepKind::Set(*after), *was, !is_settled(was))];
    };
    let bits = (0..*count).map(|member| (member, 1u64.checked_shl(u32::from(member)).unwrap_or(0)));
    let all = bits.clone().fold(0, |all, (_, bit)| all | bit);
    let ((was_in, was_out), (now_in, now_out)) = (certain_members(was, all), certain_members(after, all));
    let mut steps = Vec::new();
    for (member, bit) in bits {
        let inside = now_in & bit != 0;
        let settled = (now_in | now_out) & bit != 0;
        if !settled || (if inside { was_in } else { was_out }) & bit != 0 {
            continue;
        }
        let was_open = (was_in | was_out) & bit == 0;
        // Without this step the member is what it was.
        let includes = now_in & !bit | was_in & bit;
        let excludes = now_out & !bit | was_out & bit;
        steps.push((StepKind::Member { member, inside }, members_answer(includes, excludes, all), was_open));
    }
    steps
}

/// The members that are certainly in, and certainly out.
fn certain_members(answer: &Answer, all: u64) -> (u64, u64) {
    match answer {
        Answer::Exact(Value::Members(members)) => (*members, all & !*members),
        Answer::Partial { includes, excludes } => (*includes, *excludes),
        _ => (0, 0),
    }
}

/// Members that are in, and members that are out, of all there are.
fn members_answer(includes: u64, excludes: u64, all: u64) -> Answer {
    if includes | excludes == all {
        Answer::Exact(Value::Members(includes))
    } else {
        Answer::Partial { includes, excludes }
    }
}

/// The solver, with what it counts.
struct Search<'a> {
    problem: &'a Problem,
    before: &'a [Answer],
    solver: Solver<'a>,
    encoding: Encoding,
    /// For each issue: that its answer is another.
    touched: Vec<Lit>,
    measures: [Counted; 4],
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, before: &'a [Answer], budget: &'a Budget<'a>) -> Self {
        let mut solver = Solver::new(budget);
        let state = problem.state(before);
        let mut left_open = BTreeMap::new();
        for input in problem.issues() {
            if let (Some(answer), Some(mask)) = (before.get(input.index()), state.get(input.index()))
                && !is_settled(answer)
            {
                left_open.insert(input, *mask);
            }
        }
        let encoding = Encoding::new(problem, &mut solver, &left_open);
        encoding.add_hard(problem, &mut solver);
        encoding.add_lines(problem, &mut solver, None);
        let mut measured = Measured::default();
        for (input, literals, open) in encoding.issues() {
            let possible = state.get(input.index()).copied().unwrap_or(u128::MAX);
            measured.issue(&mut solver, problem, (input, literals, open), possible);
        }
        let Measured { touched, changed, settled, toggled, moved } = measured;
        let measures = [changed, settled, toggled, moved].map(|literals| literals.into_iter().collect());
        Self { problem, before, solver, encoding, touched, measures }
    }

    /// The nearest package not found before, none nearer than `least`; `None` if there is none left.
    fn nearest(&mut self, least: Distance) -> Result<Option<(Distance, Answers)>, CutShort> {
        if !self.solver.solve(&[])? {
            return Ok(None);
        }
        let floor = [least.terms_changed, least.terms_settled, least.members_toggled, least.cuts_moved];
        let mut held: Vec<Lit> = Vec::new();
        let mut reached = [0; 4];
        for (at, measure) in self.measures.iter_mut().enumerate() {
            // As long as the numbers before are the least ones, this one is not smaller either.
            let mut bound = if reached.iter().zip(floor).take(at).all(|(reached, floor)| *reached == floor) {
                floor.get(at).copied().unwrap_or_default()
            } else {
                0
            };
            loop {
                let under = self.solver.at_most(measure, bound)?;
                let mut assumptions = held.clone();
                assumptions.extend(under);
                if self.solver.solve(&assumptions)? {
                    held = assumptions;
                    break;
                }
                bound += 1;
            }
            if let Some(reached) = reached.get_mut(at) {
                *reached = bound;
            }
        }
        let chosen = self.first_in_order(held)?;
        // What changes all of these issues, and more, is no other way.
        let touched = self.touched.iter().copied().filter(|touched| self.solver.held(*touched));
        let blocked: Vec<Lit> = touched.map(|touched| !touched).collect();
        self.solver.add(&blocked);
        let [terms_changed, terms_settled, members_toggled, cuts_moved] = reached;
        Ok(Some((Distance { terms_changed, terms_settled, members_toggled, cuts_moved }, chosen)))
    }

    /// Of the packages under these literals, the one that comes first: issue by issue what stays as it is before what
    /// changes, then in the order of options, for quantities the nearest first. Leaves the solver's model there.
    fn first_in_order(&mut self, held: Vec<Lit>) -> Result<Answers, CutShort> {
        let mut preferred = Vec::new();
        for (input, literals, open) in self.encoding.issues() {
            let before = self.before.get(input.index()).copied().unwrap_or(Answer::Unsettled);
            let Some(axis) = self.problem.space.axis(input) else { continue };
            preferred.push(order_of(axis, literals, open, axis.possible(&before)));
        }
        let preferred: Vec<Vec<Lit>> = preferred.into_iter().flatten().collect();
        self.solver.prefer(&preferred, held)?;
        let mut chosen = Vec::new();
        for (input, literals, open) in self.encoding.issues() {
            if open.is_some_and(|open| self.solver.held(open.stays)) {
                continue;
            }
            let before = self.before.get(input.index()).copied().unwrap_or(Answer::Unsettled);
            let answer = match literals {
                IssueLiterals::Values(values) => {
                    let Some(value) = values.iter().position(|value| self.solver.held(*value)) else { continue };
                    let stays = self
                        .problem
                        .space
                        .axis(input)
                        .is_some_and(|axis| is_settled(&before) && axis.possible(&before) >> value & 1 == 1);
                    if stays { before } else { answer_of(self.problem, input, value, Some(&before)) }
                }
                IssueLiterals::Members { inside, outside } => {
                    let all = u64::MAX.checked_shr(64 - u32::try_from(inside.len().min(64)).unwrap_or(64)).unwrap_or(0);
                    members_answer(members_held(&self.solver, inside), members_held(&self.solver, outside), all)
                }
            };
            if answer != before {
                chosen.push((input, answer));
            }
        }
        Ok(chosen)
    }
}

/// An issue's literals in the order in which they are preferred, in groups of which one holds each.
fn order_of(axis: &Axis, literals: &IssueLiterals, open: Option<&Open>, possible: u128) -> Vec<Vec<Lit>> {
    let stays = open.map(|open| open.stays);
    match literals {
        IssueLiterals::Values(values) => {
            let mut order: Vec<(u32, usize, Lit)> = values
                .iter()
                .enumerate()
                .map(|(value, literal)| match axis {
                    Axis::Intervals { .. } => (apart(possible, value), value, *literal),
                    _ => (u32::from(possible >> value & 1 == 0), value, *literal),
                })
                .collect();
            order.sort_by_key(|(apart, value, _)| (*apart, *value));
            vec![stays.into_iter().chain(order.into_iter().map(|(_, _, literal)| literal)).collect()]
        }
        IssueLiterals::Members { inside, outside } => {
            let pairs = inside.iter().zip(outside).enumerate();
            let each = pairs.flat_map(|(member, (inside, outside))| {
                match (possible >> member & 1 == 1, possible >> (64 + member) & 1 == 1) {
                    // What is open stays so, where it can.
                    (true, true) if open.is_some() => vec![vec![!*inside, *inside], vec![!*outside, *outside]],
                    (true, false) => vec![vec![*inside, *outside]],
                    _ => vec![vec![*outside, *inside]],
                }
            });
            stays.map(|stays| vec![stays, !stays]).into_iter().chain(each).collect()
        }
    }
}

/// How many cuts lie between an interval and those that were possible.
fn apart(possible: u128, value: usize) -> u32 {
    let value = u32::try_from(value).unwrap_or(127);
    if possible >> value & 1 == 1 {
        return 0;
    }
    let (first, last) = (possible.trailing_zeros(), 127u32.saturating_sub(possible.leading_zeros()));
    if value < first { first - value } else { value.saturating_sub(last).max(1) }
}

/// The literals that the four numbers count.
#[derive(Default)]
struct Measured {
    touched: Vec<Lit>,
    changed: Vec<Lit>,
    settled: Vec<Lit>,
    toggled: Vec<Lit>,
    moved: Vec<Lit>,
}

impl Measured {
    fn issue(
        &mut self,
        solver: &mut Solver<'_>,
        problem: &Problem,
        (input, literals, open): (InputId, &IssueLiterals, Option<&Open>),
        possible: u128,
    ) {
        let changed = solver.literal();
        match literals {
            IssueLiterals::Values(values) => {
                let stay: Vec<Lit> = values
                    .iter()
                    .enumerate()
                    .filter(|(value, _)| possible >> value & 1 == 1)
                    .map(|(_, literal)| *literal)
                    .collect();
                let is_within = |literal: &Lit| stay.contains(literal);
                for literal in values {
                    // Both ways: what is counted is also what makes one amendment another.
                    solver.add(&if is_within(literal) { [!*literal, !changed] } else { [!*literal, changed] });
                }
                if let Some(Axis::Intervals { .. }) = problem.space.axis(input) {
                    self.cuts(solver, values, possible);
                }
            }
            IssueLiterals::Members { inside, outside } => {
                let mut toggles = Vec::new();
                for (member, (inside, outside)) in inside.iter().zip(outside).enumerate() {
                    let (may_be_in, may_be_out) = (possible >> member & 1 == 1, possible >> (64 + member) & 1 == 1);
                    toggles.extend((!may_be_in).then_some(*inside));
                    toggles.extend((!may_be_out).then_some(*outside));
                }
                for toggle in &toggles {
                    solver.add(&[!*toggle, changed]);
                }
                let mut some = toggles.clone();
                some.push(!changed);
                solver.add(&some);
                self.toggled.extend(toggles);
            }
        }
        self.changed.push(changed);
        let Some(Open { stays, .. }) = open else {
            self.touched.push(changed);
            return;
        };
        solver.add(&[!*stays, !changed]);
        let settled = solver.literal();
        solver.add(&[*stays, changed, settled]);
        solver.add(&[!settled, !*stays]);
        solver.add(&[!settled, !changed]);
        self.settled.push(settled);
        self.touched.push(!*stays);
    }

    /// For a quantity: a literal for each cut between what was possible and the interval chosen.
    fn cuts(&mut self, solver: &mut Solver<'_>, values: &[Lit], possible: u128) {
        let (first, last) =
            (possible.trailing_zeros() as usize, 127usize.saturating_sub(possible.leading_zeros() as usize));
        // Above: "at least so high"; each holds where the next does.
        let above: Vec<Lit> = values.iter().skip(last + 1).copied().collect();
        let below: Vec<Lit> = values.iter().take(first).rev().copied().collect();
        for side in [above, below] {
            let mut nearer: Option<Lit> = None;
            for value in side {
                let reached = solver.literal();
                solver.add(&[!value, reached]);
                if let Some(nearer) = nearer {
                    solver.add(&[!reached, nearer]);
                }
                nearer = Some(reached);
                self.moved.push(reached);
            }
        }
    }
}
