//! The passing packages nearest to a proposal, and the reason for each of their changes.
//!
//! A package is a possible deal. It passes if it meets the pins (terms that it must have) and the goal (a condition) of
//! the question, breaks no constraint and crosses no counted red line. A red line counts if the question asks for its
//! party, and if it is at least as firm as the question's floor.
//!
//! Owns the distance between a proposal and a package: four numbers, compared in turn. The search minimizes one number
//! after another. It raises a bound on this number from below until the solver finds a package, while the earlier
//! numbers are fixed at their minimum. An issue that the proposal leaves open (several answers are possible) may stay
//! open if the package passes for each of its possible answers. Must not know of decision diagrams.

use super::budget::{Budget, SearchError, SearchLimit, SearchPhase};
use super::distance::DistanceLiterals;
use super::encoding::{Encoding, IssueLiterals, OpenIssue};
use super::first::members_held;
use super::package::{answer_of, given};
use super::problem::{Answers, Masks, Obstacle, Problem, touches};
use super::solver::{CountedLiterals, Solver};
use detente_condition::{Answer, Axis, EntryIndex, InputIndex, Value};
use detente_core::engine::{Given, NotCoveredError};
use detente_core::scenario::index::{IndexVec, RedLineIndex};
use detente_core::scenario::model::Firmness;
use rustsat::types::Lit;
use std::collections::BTreeMap;

/// The maximum number of amendments in one result.
pub const MAX_AMENDMENTS: usize = 20;

/// The distance of an amended proposal from the original proposal.
///
/// Distances are compared field by field, in the order of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmendmentDistance {
    /// The number of issues whose new answer is outside of the values that the proposal allows.
    ///
    /// An issue counts if its exact answer changes, if its new answer is outside of the range or options in the
    /// proposal, if a member that was certainly out is put in, or if a member that was certainly in is taken out.
    pub terms_changed: usize,
    /// The number of open issues that are settled, at least in part, within the values that the proposal allows.
    pub terms_settled: usize,
    /// The number of members that were certainly out and are put in, or were certainly in and are taken out.
    pub members_toggled: usize,
    /// The number of cuts between the old and the new answer, summed over the changed quantities.
    ///
    /// A cut is a number at which a condition on the quantity can change.
    pub cuts_moved: usize,
}

/// The change that a step makes to its issue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AmendmentStepKind {
    /// A member is put in or taken out.
    Member {
        /// The member.
        member: EntryIndex,
        /// Whether the member is in after the step.
        inside: bool,
    },
    /// The issue gets a new answer.
    Set(Answer),
}

/// One step of an amendment.
#[derive(Clone, Debug, PartialEq)]
pub struct AmendmentStep {
    /// The issue that the step changes.
    pub input: InputIndex,
    /// The change.
    pub kind: AmendmentStepKind,
    /// The answer that applies to the issue before the amendment.
    pub before: Answer,
    /// Whether the step settles an open issue or member.
    pub settles_open: bool,
    /// The reasons for which the amended proposal might not pass if this step alone were undone.
    pub needed_for: Vec<Obstacle>,
    /// The red lines that do not count and that the amended proposal newly crosses because of this step.
    ///
    /// The amended proposal certainly crosses them, and neither the proposal nor the amended proposal without this step
    /// does. They are crossed with a firmness below the floor, or held by parties whose red lines do not count. Each
    /// entry is the position of the red line and the lowest possible firmness of the crossing.
    pub newly_crosses: Vec<(RedLineIndex, Firmness)>,
}

/// An amended proposal that passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Amendment {
    /// The distance from the proposal.
    pub distance: AmendmentDistance,
    /// The new answers of the changed issues, in the scenario's order.
    pub answers: Vec<(InputIndex, Answer)>,
    /// The steps, in the scenario's order of issues and members; one step for each changed member.
    pub steps: Vec<AmendmentStep>,
    /// The red lines that the amended proposal certainly crosses, but that do not count for the question.
    ///
    /// They are crossed with a firmness below the floor, or held by parties whose red lines do not count. Each entry is
    /// the position of the red line and the lowest possible firmness of the crossing.
    pub crosses: Vec<(RedLineIndex, Firmness)>,
}

/// The passing packages nearest to a proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Amendments {
    /// The amended proposals, by ascending distance.
    ///
    /// None of them changes all the issues that an earlier one changes.
    pub found: Vec<Amendment>,
    /// Whether any package passes; `None` if the search stopped before it found out.
    pub any: Option<bool>,
    /// The reason for which there may be more amendments; `None` if these are all.
    pub cut_short: Option<SearchLimit>,
}

impl Problem {
    /// Finds the passing packages nearest to a proposal: up to `most` of them, but at most [`MAX_AMENDMENTS`].
    ///
    /// # Errors
    /// Returns the day if the scenario does not cover it.
    pub fn amendments(&self, terms: &[Given], most: usize, budget: &Budget<'_>) -> Result<Amendments, NotCoveredError> {
        let question = &self.question;
        let inputs = question.compiled.effective_inputs(terms, Some(question.day))?;
        let before: IndexVec<InputIndex, Answer> = inputs.iter().map(|input| input.answer).collect();
        let mut amendments = Amendments { found: Vec::new(), any: None, cut_short: None };
        let _held = match self.hold(budget) {
            Ok(held) => held,
            Err(cut) => return Ok(Amendments { cut_short: Some(cut), ..amendments }),
        };
        let mut search = NearestSearch::new(self, &before, budget);
        match search.solver.solve(&[]) {
            Ok(any) => amendments.any = Some(any),
            Err(cut) => amendments.cut_short = Some(cut),
        }
        let mut least = AmendmentDistance::default();
        while amendments.any == Some(true) && amendments.found.len() < most.min(MAX_AMENDMENTS) {
            budget.report(SearchPhase::NearestPackages, amendments.found.len(), most);
            match search.nearest(least) {
                Ok(Some((distance, chosen))) => {
                    least = distance;
                    match self.amended(terms, &before, distance, &chosen, budget) {
                        Ok(amended) => amendments.found.push(amended),
                        Err(SearchError::Day(day)) => return Err(day),
                        Err(SearchError::Cut(cut)) => {
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

    /// Builds an amended proposal with the reasons for each step.
    fn amended(
        &self,
        terms: &[Given],
        before: &IndexVec<InputIndex, Answer>,
        distance: AmendmentDistance,
        chosen: &[(InputIndex, Answer)],
        budget: &Budget<'_>,
    ) -> Result<Amendment, SearchError> {
        let with = |answers: &[(InputIndex, Answer)]| -> Vec<Given> {
            let kept = terms.iter().filter(|term| answers.iter().all(|(input, _)| *input != term.input)).copied();
            kept.chain(answers.iter().map(|(input, answer)| given(*input, *answer))).collect()
        };
        // A line that the proposal crosses already is not newly crossed. This includes a line whose crossing counts in
        // the proposal but not in the amended proposal, because a waiver applies there.
        let crossed_before = self.question.certain_crossings(terms)?;
        let crosses = self.question.uncounted_crossings(&with(chosen))?;
        let newly: Vec<(RedLineIndex, Firmness)> =
            crosses.iter().filter(|(line, _)| crossed_before.iter().all(|(old, _)| old != line)).copied().collect();
        let mut steps = Vec::new();
        for (input, after) in chosen {
            let was = before.get(*input).copied().unwrap_or(Answer::Unsettled);
            for (kind, reverted, settles_open) in steps_of(self, *input, &was, after) {
                budget.check()?;
                let mut answers = chosen.to_vec();
                answers.iter_mut().filter(|(of, _)| of == input).for_each(|(_, answer)| *answer = reverted);
                let without = self.question.certain_crossings(&with(&answers))?;
                let caused = newly.iter().filter(|(line, _)| without.iter().all(|(other, _)| other != line));
                steps.push(AmendmentStep {
                    input: *input,
                    kind,
                    before: was,
                    settles_open,
                    needed_for: self.runs_into(before, &answers),
                    newly_crosses: caused.copied().collect(),
                });
            }
        }
        Ok(Amendment { distance, answers: chosen.to_vec(), steps, crosses })
    }

    /// Returns the obstacles that keep these answers from passing for at least one combination of values of the open
    /// issues and circumstances.
    fn runs_into(&self, before: &IndexVec<InputIndex, Answer>, answers: &[(InputIndex, Answer)]) -> Vec<Obstacle> {
        let mut state = self.state(before);
        for (input, answer) in answers {
            if let (Some(mask), Some(axis)) = (state.get_mut(*input), self.space.axis(*input)) {
                *mask = axis.possible(answer);
            }
        }
        let mut blames = Vec::new();
        for (at, line) in self.lines.indexed() {
            if line.crossed.iter().any(|cube| touches(&self.space, &state, cube)) {
                blames.push(Obstacle::Line(at));
            }
        }
        let hard = self.hard.iter().filter(|(_, cubes)| cubes.iter().any(|cube| touches(&self.space, &state, cube)));
        blames.extend(hard.map(|(blame, _)| *blame));
        let outside = state.iter().zip(&self.possible).any(|(state, pinned)| state & !pinned != 0);
        blames.extend(outside.then_some(Obstacle::Pins));
        blames
    }

    /// Returns the possible values of each input.
    ///
    /// For an issue, these are the values that its answer allows; for a circumstance, all values that are not ruled
    /// out.
    fn state(&self, answers: &IndexVec<InputIndex, Answer>) -> Masks {
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

/// Returns the single steps from one answer of an issue to another.
///
/// Each step comes with the answer that the issue would have without it, and whether it settles an open issue or
/// member.
fn steps_of(
    problem: &Problem,
    input: InputIndex,
    was: &Answer,
    after: &Answer,
) -> Vec<(AmendmentStepKind, Answer, bool)> {
    let Some(Axis::Members { count }) = problem.space.axis(input) else {
        return vec![(AmendmentStepKind::Set(*after), *was, !is_settled(was))];
    };
    let bits = (0..*count).map(EntryIndex).map(|member| (member, member.bit()));
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
        // The answer without this step: the member keeps its old state.
        let includes = now_in & !bit | was_in & bit;
        let excludes = now_out & !bit | was_out & bit;
        steps.push((AmendmentStepKind::Member { member, inside }, members_answer(includes, excludes, all), was_open));
    }
    steps
}

/// Returns the masks of the members that are certainly in, and certainly out.
fn certain_members(answer: &Answer, all: u64) -> (u64, u64) {
    match answer {
        Answer::Exact(Value::Members(members)) => (*members, all & !*members),
        Answer::Partial { includes, excludes } => (*includes, *excludes),
        _ => (0, 0),
    }
}

/// Returns the answer with these members in and out: exact if they are all members, otherwise partial.
fn members_answer(includes: u64, excludes: u64, all: u64) -> Answer {
    if includes | excludes == all {
        Answer::Exact(Value::Members(includes))
    } else {
        Answer::Partial { includes, excludes }
    }
}

/// The search for the nearest packages: the solver, and the literals that the distance counts.
struct NearestSearch<'a> {
    problem: &'a Problem,
    before: &'a IndexVec<InputIndex, Answer>,
    solver: Solver<'a>,
    encoding: Encoding,
    /// One literal for each issue, which holds if the answer of the issue changes.
    touched: Vec<Lit>,
    /// The literals of the four numbers of an [`AmendmentDistance`], in their order.
    measures: [CountedLiterals; 4],
}

impl<'a> NearestSearch<'a> {
    fn new(problem: &'a Problem, before: &'a IndexVec<InputIndex, Answer>, budget: &'a Budget<'a>) -> Self {
        let mut solver = Solver::new(budget);
        let state = problem.state(before);
        let mut left_open = BTreeMap::new();
        for input in problem.issues() {
            if let (Some(answer), Some(mask)) = (before.get(input), state.get(input))
                && !is_settled(answer)
            {
                left_open.insert(input, *mask);
            }
        }
        let encoding = Encoding::new(problem, &mut solver, &left_open);
        encoding.add_hard(problem, &mut solver);
        encoding.add_lines(problem, &mut solver, None);
        let mut literals_of_distance = DistanceLiterals::default();
        for (input, literals, open) in encoding.issues() {
            let possible = state.get(input).copied().unwrap_or(u128::MAX);
            literals_of_distance.add_issue(&mut solver, problem, (input, literals, open), possible);
        }
        let DistanceLiterals { touched, changed, settled, toggled, moved } = literals_of_distance;
        let measures = [changed, settled, toggled, moved].map(|literals| literals.into_iter().collect());
        Self { problem, before, solver, encoding, touched, measures }
    }

    /// Finds the nearest package that was not found before; `None` if no package is left.
    ///
    /// `least` is a lower bound on the distance of this package.
    fn nearest(&mut self, least: AmendmentDistance) -> Result<Option<(AmendmentDistance, Answers)>, SearchLimit> {
        if !self.solver.solve(&[])? {
            return Ok(None);
        }
        let floor = [least.terms_changed, least.terms_settled, least.members_toggled, least.cuts_moved];
        let mut held: Vec<Lit> = Vec::new();
        let mut reached = [0; 4];
        for (at, measure) in self.measures.iter_mut().enumerate() {
            // The distance is not below `least`. So if all earlier numbers equal those of `least`, this number is at
            // least its counterpart in `least`.
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
        // Rule out every package that changes at least the issues that this one changes: it is not a different way to
        // pass.
        let touched = self.touched.iter().copied().filter(|touched| self.solver.held(*touched));
        let blocked: Vec<Lit> = touched.map(|touched| !touched).collect();
        self.solver.add(&blocked);
        let [terms_changed, terms_settled, members_toggled, cuts_moved] = reached;
        Ok(Some((AmendmentDistance { terms_changed, terms_settled, members_toggled, cuts_moved }, chosen)))
    }

    /// Returns the changed answers of the first package in which the `held` literals are true.
    ///
    /// The solver keeps the model of this package. Packages are ordered issue by issue: an unchanged answer first, then
    /// the options in their order, or the intervals of a quantity by their distance from the old answer.
    fn first_in_order(&mut self, held: Vec<Lit>) -> Result<Answers, SearchLimit> {
        let mut preferred = Vec::new();
        for (input, literals, open) in self.encoding.issues() {
            let before = self.before.get(input).copied().unwrap_or(Answer::Unsettled);
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
            let before = self.before.get(input).copied().unwrap_or(Answer::Unsettled);
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

/// Returns the literals of an issue in groups, each in order of preference; exactly one literal of each group holds.
fn order_of(axis: &Axis, literals: &IssueLiterals, open: Option<&OpenIssue>, possible: u128) -> Vec<Vec<Lit>> {
    let stays = open.map(|open| open.stays);
    match literals {
        IssueLiterals::Values(values) => {
            let mut order: Vec<(u32, usize, Lit)> = values
                .iter()
                .enumerate()
                .map(|(value, literal)| match axis {
                    Axis::Intervals { .. } => (cuts_between(possible, value), value, *literal),
                    _ => (u32::from(possible >> value & 1 == 0), value, *literal),
                })
                .collect();
            order.sort_by_key(|(distance, value, _)| (*distance, *value));
            vec![stays.into_iter().chain(order.into_iter().map(|(_, _, literal)| literal)).collect()]
        }
        IssueLiterals::Members { inside, outside } => {
            let pairs = inside.iter().zip(outside).enumerate();
            let each = pairs.flat_map(|(member, (inside, outside))| {
                match (possible >> member & 1 == 1, possible >> (64 + member) & 1 == 1) {
                    // Prefer that an open member stays open.
                    (true, true) if open.is_some() => vec![vec![!*inside, *inside], vec![!*outside, *outside]],
                    (true, false) => vec![vec![*inside, *outside]],
                    _ => vec![vec![*outside, *inside]],
                }
            });
            stays.map(|stays| vec![stays, !stays]).into_iter().chain(each).collect()
        }
    }
}

/// Returns the number of cuts between an interval of a quantity and the nearest interval whose bit is set in
/// `possible`.
fn cuts_between(possible: u128, value: usize) -> u32 {
    let value = u32::try_from(value).unwrap_or(127);
    if possible >> value & 1 == 1 {
        return 0;
    }
    let (first, last) = (possible.trailing_zeros(), 127u32.saturating_sub(possible.leading_zeros()));
    if value < first { first - value } else { value.saturating_sub(last).max(1) }
}
