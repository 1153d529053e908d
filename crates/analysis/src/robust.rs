//! The probability that a deal crosses no binding red line.
//!
//! A counted line is a red line that the question takes into account, by its party and its firmness. It binds if a
//! crossing would in fact undo a deal. Each counted line binds with a stated probability, independently of the others.
//!
//! Owns the sum of the probabilities of all cases in which no crossed line binds. A decision diagram has coordinates
//! (variables with a few values) for the issues and circumstances that decide whether a line is crossed. Directly after
//! the last of these, it has a coordinate for whether the line binds. A fold computes a value for each part of the
//! diagram from the values of the parts below it, and weighs the coordinate of a line with the probability of the line.
//! Open issues and circumstances have no probability: the result is the least and the greatest probability over all
//! their values. Must not know where the probabilities come from.

use super::budget::{Budget, SearchLimit, SearchPhase};
use super::diagram::{CoordinateKind, CoordinateValues, Diagrams};
use super::fold::Algebra;
use super::index::{ChoiceIndex, CoordinateIndex, CountedLineIndex};
use super::package::Package;
use super::problem::{Answers, Cube, Masks, Problem, touches};
use biodivine_lib_bdd::Bdd;
use detente_condition::{Answer, InputIndex};
use detente_core::engine::{Given, NotCoveredError};
use detente_core::scenario::index::IndexVec;
use std::collections::{BTreeMap, BTreeSet};

/// The probability with which each counted line binds.
pub type BindingProbabilities = IndexVec<CountedLineIndex, f64>;

/// A range of probabilities, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbabilityRange {
    /// The least probability.
    pub low: f64,
    /// The greatest probability.
    pub high: f64,
}

/// The probability for a deal that crosses no counted line: it certainly crosses no binding one.
const CERTAIN: ProbabilityRange = ProbabilityRange { low: 1.0, high: 1.0 };

/// The package with the greatest probability that no binding red line is crossed.
#[derive(Clone, Debug, PartialEq)]
pub struct BestPackage {
    /// The answers, and the crossed red lines that do not count.
    pub package: Package,
    /// The counted lines that the package crosses for some value of the circumstances.
    pub could_cross: Vec<CountedLineIndex>,
    /// The range of the probability over the values of unknown circumstances.
    ///
    /// No package has a greater `low`.
    pub probability: ProbabilityRange,
}

/// How certainty about one counted line would change the probabilities that no binding red line is crossed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineImportance {
    /// The line.
    pub line: CountedLineIndex,
    /// The probability of the proposal if the line certainly binds, and if it certainly does not.
    pub proposal: Option<(ProbabilityRange, ProbabilityRange)>,
    /// The probability of the best package in both cases; each case may have a different best package.
    pub best: Option<(ProbabilityRange, ProbabilityRange)>,
}

/// The probabilities that a proposal and the best package cross no binding red line.
#[derive(Clone, Debug, Default)]
pub struct Robustness {
    /// The probability of the proposal; `None` without a proposal, or if it was not computed in time.
    pub proposal: Option<ProbabilityRange>,
    /// The best package.
    ///
    /// `None` if no package meets the pins, the goal and the constraints, or if none was found in time.
    pub best: Option<BestPackage>,
    /// The counted lines, by descending [`LineImportance::change`].
    pub importance: Vec<LineImportance>,
    /// The reason for which a result is missing; `None` if the result is complete.
    pub cut_short: Option<SearchLimit>,
}

impl Problem {
    /// Computes the probabilities of a proposal (if there is one) and of the best package.
    ///
    /// `probabilities` has one entry for each counted line.
    ///
    /// # Errors
    /// Returns the day if the scenario does not cover it.
    pub fn robustness(
        &self,
        terms: Option<&[Given]>,
        probabilities: &BindingProbabilities,
        with_importance: bool,
        budget: &Budget<'_>,
    ) -> Result<Robustness, NotCoveredError> {
        let mut found = Robustness::default();
        let state = terms.map(|terms| self.given_state(terms)).transpose()?;
        let best = match self.assess(state.as_ref(), probabilities, with_importance, budget, &mut found) {
            Ok(best) => best,
            Err(cut) => {
                found.cut_short = Some(cut);
                None
            }
        };
        if let Some((answers, probability)) = best {
            let could_cross = self.could_cross(&answers);
            found.best = Some(BestPackage { package: Package::new(self, answers)?, could_cross, probability });
        }
        Ok(found)
    }

    /// Returns the counted lines that these answers cross for some value of the circumstances.
    fn could_cross(&self, answers: &[(InputIndex, Answer)]) -> Vec<CountedLineIndex> {
        let mut state = self.full.clone();
        for (input, answer) in answers {
            if let (Some(mask), Some(axis)) = (state.get_mut(*input), self.space.axis(*input)) {
                *mask = axis.possible(answer);
            }
        }
        let crossed = |cubes: &[Cube]| cubes.iter().any(|cube| touches(&self.space, &state, cube));
        self.lines.indexed().filter(|(_, line)| crossed(&line.crossed)).map(|(at, _)| at).collect()
    }

    /// Returns the possible values of each input.
    ///
    /// For an issue, these are the values that the terms allow; for a circumstance, all values that are not ruled out.
    fn given_state(&self, terms: &[Given]) -> Result<Masks, NotCoveredError> {
        let inputs = self.question.compiled.effective_inputs(terms, Some(self.question.day))?;
        let mut state = self.full.clone();
        for (input, axis) in inputs.iter().zip(self.space.axes()) {
            if let (Some(mask), true) = (state.get_mut(input.input), self.is_issue(input.input)) {
                *mask = axis.possible(&input.answer);
            }
        }
        Ok(state)
    }

    fn assess(
        &self,
        state: Option<&Masks>,
        probabilities: &BindingProbabilities,
        with_importance: bool,
        budget: &Budget<'_>,
        found: &mut Robustness,
    ) -> Result<Option<(Answers, ProbabilityRange)>, SearchLimit> {
        let _held = self.hold(budget)?;
        let proposal = state.map(|state| WeightedDiagram::new(self, state, false, budget)).transpose()?;
        if let Some(proposal) = &proposal {
            found.proposal = proposal.range(probabilities)?;
        }
        // A passing package crosses no counted line, so its probability is 1 whichever lines bind, and needs no
        // diagram.
        let passing = super::first::first_passing(self, budget)?;
        let best = match passing {
            Some(_) => None,
            None => Some(WeightedDiagram::new(self, &self.possible, true, budget)?),
        };
        let answer = match &best {
            Some(best) => best.best(probabilities)?,
            None => passing.map(|answers| (answers, CERTAIN)),
        };
        let weighed = if with_importance {
            self.importance((proposal.as_ref(), best.as_ref()), probabilities, budget, &mut found.importance)
        } else {
            Ok(())
        };
        // Sort by descending change; lines with equal changes keep the order of the problem.
        found.importance.sort_by(|one, other| other.change().total_cmp(&one.change()).then(one.line.cmp(&other.line)));
        // If a limit ends the computation of the importance, the other results are kept.
        found.cut_short = weighed.err();
        Ok(answer)
    }

    /// Computes, for each counted line, the probabilities of the proposal and of the best package if the line certainly
    /// binds, and if it certainly does not.
    fn importance(
        &self,
        (proposal, best): (Option<&WeightedDiagram<'_>>, Option<&WeightedDiagram<'_>>),
        probabilities: &BindingProbabilities,
        budget: &Budget<'_>,
        found: &mut Vec<LineImportance>,
    ) -> Result<(), SearchLimit> {
        for line in self.lines.indices() {
            budget.report(SearchPhase::WeighingRedLines, line.index(), self.lines.len());
            let certain =
                |weighed: &WeightedDiagram<'_>| -> Result<Option<(ProbabilityRange, ProbabilityRange)>, SearchLimit> {
                    let with = |probability: f64| -> BindingProbabilities {
                        let each = probabilities.indexed();
                        each.map(|(at, stated)| if at == line { probability } else { *stated }).collect()
                    };
                    Ok(weighed.range(&with(1.0))?.zip(weighed.range(&with(0.0))?))
                };
            let of_proposal = proposal.map(certain).transpose()?.flatten();
            let of_best = match best {
                Some(best) => certain(best)?,
                None => Some((CERTAIN, CERTAIN)),
            };
            found.push(LineImportance { line, proposal: of_proposal, best: of_best });
        }
        Ok(())
    }
}

impl LineImportance {
    /// How much the probability changes if the line certainly does not bind instead of certainly binding.
    ///
    /// It is the greater of the differences at the two ends of the range. It concerns the proposal or, if there is no
    /// proposal, the best package.
    pub fn change(&self) -> f64 {
        let difference = |(binding, not): (ProbabilityRange, ProbabilityRange)| {
            (not.low - binding.low).abs().max((not.high - binding.high).abs())
        };
        self.proposal.or(self.best).map_or(0.0, difference)
    }
}

/// The diagram of "no binding line is crossed", ready to be weighed with probabilities.
struct WeightedDiagram<'a> {
    problem: &'a Problem,
    diagrams: Diagrams<'a>,
    bdd: Bdd,
    /// The possible values of each input.
    state: Masks,
    /// The lines that are crossed for every value of the open inputs.
    crossed: Vec<CountedLineIndex>,
    budget: &'a Budget<'a>,
    /// Whether values are chosen for the issues, as for the best package; otherwise open issues count as unknown.
    chooses: bool,
}

impl<'a> WeightedDiagram<'a> {
    /// Builds the diagram.
    ///
    /// If `chooses` is true, values are chosen for the issues, within the constraints, the goal and the pins.
    /// Otherwise, open issues count as unknown.
    fn new(problem: &'a Problem, state: &Masks, chooses: bool, budget: &'a Budget<'a>) -> Result<Self, SearchLimit> {
        // The cubes are copied twice, and two lists of their inputs are made for the order.
        let _copies = budget.hold(problem.bytes.saturating_mul(4))?;
        // A cube is a conjunction of tests. Drop tests that every possible value passes, and cubes that no possible
        // values pass.
        let left = |cube: &Cube| -> Option<Cube> {
            let open = |literal: &&detente_condition::Literal| {
                state.get(literal.input).is_none_or(|possible| possible & literal.forbids != 0)
            };
            touches(&problem.space, state, cube).then(|| cube.iter().filter(open).copied().collect())
        };
        let lines: IndexVec<CountedLineIndex, Vec<Cube>> =
            problem.lines.iter().map(|line| line.crossed.iter().filter_map(left).collect()).collect();
        let hard = if chooses { problem.hard_cubes() } else { Vec::new() };
        let inputs =
            |cubes: &[Cube]| -> BTreeSet<InputIndex> { cubes.iter().flatten().map(|literal| literal.input).collect() };
        let mut all: BTreeSet<InputIndex> = lines.iter().chain(&hard).flat_map(|cubes| inputs(cubes)).collect();
        if chooses {
            all.extend(problem.issues());
        }
        let all: Vec<InputIndex> = all.into_iter().collect();
        let together: Vec<Vec<Cube>> = lines.iter().chain(&hard).cloned().collect();
        let mut order = problem.order(&all, &together);
        // Circumstances come last, because a package is chosen before they are known.
        order.sort_by_key(|input| !problem.is_issue(*input));
        let place: BTreeMap<InputIndex, usize> = order.iter().enumerate().map(|(at, input)| (*input, at)).collect();
        let mut order_with_bindings: Vec<(InputIndex, Vec<CountedLineIndex>)> =
            order.iter().map(|input| (*input, Vec::new())).collect();
        let mut crossed = Vec::new();
        for (line, cubes) in lines.indexed() {
            if cubes.iter().any(Vec::is_empty) {
                crossed.push(line);
            } else if let Some(last) = inputs(cubes).iter().filter_map(|input| place.get(input)).max()
                && let Some((_, lines)) = order_with_bindings.get_mut(*last)
            {
                lines.push(line);
            }
        }
        let mut diagrams = Diagrams::new(&order_with_bindings, &problem.space, budget)?;
        let mut parts = Vec::new();
        for (line, cubes) in lines.indexed() {
            if !crossed.contains(&line) && !cubes.is_empty() {
                let crossing = diagrams.any_of(cubes)?;
                let part = diagrams.unless_binding(line, &crossing)?;
                parts.push(diagrams.hold_part(part)?);
            }
        }
        for cubes in &hard {
            let broken = diagrams.any_of(cubes)?;
            parts.push(diagrams.hold_part(broken.into_not())?);
        }
        let bdd = diagrams.all_of(parts, SearchPhase::CombiningRedLines)?;
        Ok(Self { problem, diagrams, bdd, state: state.clone(), crossed, budget, chooses })
    }

    /// Returns the range of the probability; if values are chosen for the issues, the range for the best package.
    fn range(&self, probabilities: &BindingProbabilities) -> Result<Option<ProbabilityRange>, SearchLimit> {
        Ok(self.weigh(probabilities)?.map(|(range, _)| range))
    }

    fn best(&self, probabilities: &BindingProbabilities) -> Result<Option<(Answers, ProbabilityRange)>, SearchLimit> {
        let weighed = self.weigh(probabilities)?;
        Ok(weighed.map(|(range, values)| (self.problem.answers(&self.diagrams, &values), range)))
    }

    fn weigh(
        &self,
        probabilities: &BindingProbabilities,
    ) -> Result<Option<(ProbabilityRange, CoordinateValues)>, SearchLimit> {
        let mut algebra = ProbabilityAlgebra { weighed: self, probabilities, choices: IndexVec::default() };
        let Some((range, mut next)) = self.diagrams.fold(&self.bdd, &mut algebra)? else { return Ok(None) };
        let mut values = Vec::new();
        while let Some((coordinate, value, after)) = next.and_then(|at| algebra.choices.get(at)).copied() {
            values.push((coordinate, value));
            next = after;
        }
        let spared = |line: &CountedLineIndex| 1.0 - probabilities.get(*line).copied().unwrap_or(1.0);
        let factor: f64 = self.crossed.iter().map(spared).product();
        Ok(Some((ProbabilityRange { low: range.low * factor, high: range.high * factor }, values)))
    }
}

struct ProbabilityAlgebra<'a> {
    weighed: &'a WeightedDiagram<'a>,
    probabilities: &'a BindingProbabilities,
    /// The chosen values.
    ///
    /// An entry is a coordinate, its value, and the position in this list of the choice at the next coordinate for
    /// which a value is chosen.
    choices: IndexVec<ChoiceIndex, (CoordinateIndex, usize, Option<ChoiceIndex>)>,
}

impl Algebra for ProbabilityAlgebra<'_> {
    type Value = (ProbabilityRange, Option<ChoiceIndex>);

    fn admitted(&mut self) -> Self::Value {
        (ProbabilityRange { low: 1.0, high: 1.0 }, None)
    }

    fn level(
        &mut self,
        at: CoordinateIndex,
        after: &[(usize, Self::Value)],
    ) -> Result<Option<Self::Value>, SearchLimit> {
        self.weighed.budget.check()?;
        let Some(coordinate) = self.weighed.diagrams.coordinates.get(at) else { return Ok(None) };
        if let CoordinateKind::Binding(line) = coordinate.kind {
            let binds = self.probabilities.get(line).copied().unwrap_or(1.0);
            return Ok(match after {
                // Whether the line binds makes no difference, so the line is not crossed on this path.
                [(0, clear), (1, other)] if clear == other => Some(*clear),
                // The line is crossed on this path, which therefore counts only if the line does not bind.
                [(0, (range, next)), ..] => {
                    Some((ProbabilityRange { low: range.low * (1.0 - binds), high: range.high * (1.0 - binds) }, *next))
                }
                _ => None,
            });
        }
        let is_chosen =
            self.weighed.chooses && coordinate.input().is_some_and(|input| self.weighed.problem.is_issue(input));
        if is_chosen {
            let mut best: Option<&(usize, Self::Value)> = None;
            for candidate in after {
                let better = best.is_none_or(|(_, (best, _))| {
                    let (range, _) = candidate.1;
                    range.low > best.low || (range.low == best.low && range.high > best.high)
                });
                if better {
                    best = Some(candidate);
                }
            }
            return Ok(best.map(|(value, (range, next))| {
                self.choices.push((at, *value, *next));
                (*range, Some(ChoiceIndex(self.choices.len() - 1)))
            }));
        }
        let lows = after.iter().map(|(_, (range, _))| range.low);
        let highs = after.iter().map(|(_, (range, _))| range.high);
        let range = ProbabilityRange { low: lows.fold(f64::INFINITY, f64::min), high: highs.fold(0.0, f64::max) };
        Ok(Some((range, after.first().and_then(|(_, (_, next))| *next))))
    }

    fn values(&self, at: CoordinateIndex) -> Vec<usize> {
        let Some(coordinate) = self.weighed.diagrams.coordinates.get(at) else { return Vec::new() };
        let mask = coordinate.input().and_then(|input| self.weighed.state.get(input));
        coordinate.admitted(mask.copied().unwrap_or(u128::MAX))
    }
}
