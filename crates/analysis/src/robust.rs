//! How probable it is that no binding red line is crossed: weighted counting over which lines bind, by a fold of one
//! diagram in which each line's binding is told right after the last input that decides whether it is crossed. What is
//! open is the least and the greatest over all its values.

use super::budget::{Budget, CutShort};
use super::diagram::{Diagrams, Of};
use super::fold::Algebra;
use super::package::Package;
use super::packages::Values;
use super::problem::{Answers, Cube, Problem, touches};
use biodivine_lib_bdd::Bdd;
use detente_condition::{Answer, InputId};
use detente_core::engine::{Given, NotCoveredError};
use std::collections::{BTreeMap, BTreeSet};

/// For each counted line, by its place: with which probability it binds.
pub type Probabilities = [f64];

/// The least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// Nothing is crossed.
const CERTAIN: Range = Range { low: 1.0, high: 1.0 };

/// The package with the greatest probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// The answers, and what it crosses without this counting.
    pub package: Package,
    /// The counted lines that it crosses, or could cross by what circumstances are, by their places.
    pub could_cross: Vec<usize>,
    /// Over the values of unknown circumstances. The least is the greatest that any package has.
    pub probability: Range,
}

/// What certainty about one line would change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// The line, by its place.
    pub line: usize,
    /// The proposal's probability if the line binds for certain, and if it certainly does not.
    pub proposal: Option<(Range, Range)>,
    /// The best package's, likewise; the best one may be another then.
    pub best: Option<(Range, Range)>,
}

/// How probable it is that no binding red line is crossed.
#[derive(Clone, Debug, Default)]
pub struct Robustness {
    /// Of the proposal.
    pub proposal: Option<Range>,
    /// The best package; `None` where none meets pins, goal and constraints, or none was found in time.
    pub best: Option<Best>,
    /// All lines, the one that changes most first.
    pub importance: Vec<Importance>,
    /// Why something is missing.
    pub cut_short: Option<CutShort>,
}

impl Problem {
    /// Assesses what is given of issues (if anything) and the best package. `probabilities`: one a counted line.
    ///
    /// # Errors
    /// A day that is not covered.
    pub fn robustness(
        &self,
        terms: Option<&[Given]>,
        probabilities: &Probabilities,
        with_importance: bool,
        budget: &Budget<'_>,
    ) -> Result<Robustness, NotCoveredError> {
        let mut found = Robustness::default();
        let state = terms.map(|terms| self.given_state(terms)).transpose()?;
        let best = match self.assess(state.as_deref(), probabilities, with_importance, budget, &mut found) {
            Ok(best) => best,
            Err(cut) => {
                found.cut_short = Some(cut);
                None
            }
        };
        if let Some((answers, probability)) = best {
            let could_cross = self.could_cross(&answers);
            found.best = Some(Best { package: Package::new(self, answers)?, could_cross, probability });
        }
        Ok(found)
    }

    /// The counted lines that answers cross for some value of the circumstances.
    fn could_cross(&self, answers: &[(InputId, Answer)]) -> Vec<usize> {
        let mut state = self.full.clone();
        for (input, answer) in answers {
            if let (Some(mask), Some(axis)) = (state.get_mut(input.index()), self.space.axis(*input)) {
                *mask = axis.possible(answer);
            }
        }
        let crossed = |cubes: &[Cube]| cubes.iter().any(|cube| touches(&self.space, &state, cube));
        (0..).zip(&self.lines).filter(|(_, line)| crossed(&line.crossed)).map(|(place, _)| place).collect()
    }

    /// What is possible of each input: of issues by what is given, of circumstances by what is known.
    fn given_state(&self, terms: &[Given]) -> Result<Vec<u128>, NotCoveredError> {
        let inputs = self.question.compiled.effective_inputs(terms, Some(self.question.day))?;
        let mut state = self.full.clone();
        for (input, axis) in inputs.iter().zip(self.space.axes()) {
            if let (Some(mask), true) = (state.get_mut(input.input.index()), self.is_issue(input.input)) {
                *mask = axis.possible(&input.answer);
            }
        }
        Ok(state)
    }

    fn assess(
        &self,
        state: Option<&[u128]>,
        probabilities: &Probabilities,
        with_importance: bool,
        budget: &Budget<'_>,
        found: &mut Robustness,
    ) -> Result<Option<(Answers, Range)>, CutShort> {
        let proposal = state.map(|state| Weighed::new(self, state, false, budget)).transpose()?;
        if let Some(proposal) = &proposal {
            found.proposal = proposal.range(probabilities)?;
        }
        // Where a package passes, no line is crossed, whichever bind: no diagram is needed to say so.
        let passing = super::first::passing(self, budget)?;
        let best = match passing {
            Some(_) => None,
            None => Some(Weighed::new(self, &self.possible, true, budget)?),
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
        // By what certainty would change; of equal ones the first line first.
        found.importance.sort_by(|one, other| other.change().total_cmp(&one.change()).then(one.line.cmp(&other.line)));
        // What was found before stays found.
        found.cut_short = weighed.err();
        Ok(answer)
    }

    /// What certainty about each line would change.
    fn importance(
        &self,
        (proposal, best): (Option<&Weighed<'_>>, Option<&Weighed<'_>>),
        probabilities: &Probabilities,
        budget: &Budget<'_>,
        found: &mut Vec<Importance>,
    ) -> Result<(), CutShort> {
        for line in 0..self.lines.len() {
            budget.report("weighing each red line", line, self.lines.len());
            let certain = |weighed: &Weighed<'_>| -> Result<Option<(Range, Range)>, CutShort> {
                let with = |probability: f64| -> Vec<f64> {
                    let each = probabilities.iter().enumerate();
                    each.map(|(at, stated)| if at == line { probability } else { *stated }).collect()
                };
                Ok(weighed.range(&with(1.0))?.zip(weighed.range(&with(0.0))?))
            };
            let of_proposal = proposal.map(certain).transpose()?.flatten();
            let of_best = match best {
                Some(best) => certain(best)?,
                None => Some((CERTAIN, CERTAIN)),
            };
            found.push(Importance { line, proposal: of_proposal, best: of_best });
        }
        Ok(())
    }
}

impl Importance {
    /// How far apart the probabilities are that certainty either way would give.
    pub fn change(&self) -> f64 {
        let apart = |(binding, not): (Range, Range)| (not.low - binding.low).abs().max((not.high - binding.high).abs());
        self.proposal.or(self.best).map_or(0.0, apart)
    }
}

/// A diagram that can be weighed.
struct Weighed<'a> {
    problem: &'a Problem,
    diagrams: Diagrams<'a>,
    bdd: Bdd,
    /// What is possible of each input.
    state: Vec<u128>,
    /// Lines that are crossed whatever is open.
    crossed: Vec<usize>,
    budget: &'a Budget<'a>,
    chooses: bool,
}

impl<'a> Weighed<'a> {
    /// `chooses`: whether issues are chosen, as the best package does, within what is hard, or are just open.
    fn new(problem: &'a Problem, state: &[u128], chooses: bool, budget: &'a Budget<'a>) -> Result<Self, CutShort> {
        // A test that what is possible passes anyhow is none.
        let left = |cube: &Cube| -> Option<Cube> {
            let open = |literal: &&detente_condition::Literal| {
                state.get(literal.input.index()).is_none_or(|possible| possible & literal.forbids != 0)
            };
            touches(&problem.space, state, cube).then(|| cube.iter().filter(open).copied().collect())
        };
        let lines: Vec<Vec<Cube>> =
            problem.lines.iter().map(|line| line.crossed.iter().filter_map(left).collect()).collect();
        let hard = if chooses { problem.hard_cubes() } else { Vec::new() };
        let inputs =
            |cubes: &[Cube]| -> BTreeSet<InputId> { cubes.iter().flatten().map(|literal| literal.input).collect() };
        let mut all: BTreeSet<InputId> = lines.iter().chain(&hard).flat_map(|cubes| inputs(cubes)).collect();
        if chooses {
            all.extend(problem.issues());
        }
        let all: Vec<InputId> = all.into_iter().collect();
        let together: Vec<Vec<Cube>> = lines.iter().chain(&hard).cloned().collect();
        let mut order = problem.order(&all, &together);
        // Circumstances come last: a package is chosen before they are known.
        order.sort_by_key(|input| !problem.is_issue(*input));
        let place: BTreeMap<InputId, usize> = order.iter().enumerate().map(|(at, input)| (*input, at)).collect();
        let mut told: Vec<(InputId, Vec<usize>)> = order.iter().map(|input| (*input, Vec::new())).collect();
        let mut crossed = Vec::new();
        for (line, cubes) in lines.iter().enumerate() {
            if cubes.iter().any(Vec::is_empty) {
                crossed.push(line);
            } else if let Some(last) = inputs(cubes).iter().filter_map(|input| place.get(input)).max()
                && let Some((_, lines)) = told.get_mut(*last)
            {
                lines.push(line);
            }
        }
        let mut diagrams = Diagrams::new(&told, &problem.space, budget)?;
        let mut parts = Vec::new();
        for (line, cubes) in lines.iter().enumerate() {
            if !crossed.contains(&line) && !cubes.is_empty() {
                let crossing = diagrams.any_of(cubes)?;
                parts.push(diagrams.unless_binding(line, &crossing)?);
            }
        }
        for cubes in &hard {
            parts.push(diagrams.any_of(cubes)?.not());
        }
        let bdd = diagrams.all_of(parts, "taking the red lines together")?;
        Ok(Self { problem, diagrams, bdd, state: state.to_vec(), crossed, budget, chooses })
    }

    /// The least and the greatest probability; where issues are chosen, of the best package.
    fn range(&self, probabilities: &Probabilities) -> Result<Option<Range>, CutShort> {
        Ok(self.weigh(probabilities)?.map(|(range, _)| range))
    }

    fn best(&self, probabilities: &Probabilities) -> Result<Option<(Answers, Range)>, CutShort> {
        let weighed = self.weigh(probabilities)?;
        Ok(weighed.map(|(range, values)| (self.problem.answers(&self.diagrams, &values), range)))
    }

    fn weigh(&self, probabilities: &Probabilities) -> Result<Option<(Range, Values)>, CutShort> {
        let mut weighing = Weighing { weighed: self, probabilities, choices: Vec::new() };
        let Some((range, mut next)) = self.diagrams.fold(&self.bdd, &mut weighing)? else { return Ok(None) };
        let mut values = Vec::new();
        while let Some((coordinate, value, after)) = next.and_then(|at| weighing.choices.get(at)).copied() {
            values.push((coordinate, value));
            next = after;
        }
        let spared = |line: &usize| 1.0 - probabilities.get(*line).copied().unwrap_or(1.0);
        let factor: f64 = self.crossed.iter().map(spared).product();
        Ok(Some((Range { low: range.low * factor, high: range.high * factor }, values)))
    }
}

struct Weighing<'a> {
    weighed: &'a Weighed<'a>,
    probabilities: &'a Probabilities,
    /// Coordinate, value, and the next choice.
    choices: Vec<(usize, usize, Option<usize>)>,
}

impl Algebra for Weighing<'_> {
    type Value = (Range, Option<usize>);

    fn admitted(&mut self) -> Self::Value {
        (Range { low: 1.0, high: 1.0 }, None)
    }

    fn level(&mut self, at: usize, after: &[(usize, Self::Value)]) -> Result<Option<Self::Value>, CutShort> {
        self.weighed.budget.check()?;
        let Some(coordinate) = self.weighed.diagrams.coordinates.get(at) else { return Ok(None) };
        if let Of::Binding(line) = coordinate.of {
            let binds = self.probabilities.get(line).copied().unwrap_or(1.0);
            return Ok(match after {
                // The same either way: the line is clear here.
                [(0, clear), (1, other)] if clear == other => Some(*clear),
                // Where the line is crossed, only its not binding spares the deal.
                [(0, (range, next)), ..] => {
                    Some((Range { low: range.low * (1.0 - binds), high: range.high * (1.0 - binds) }, *next))
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
                (*range, Some(self.choices.len() - 1))
            }));
        }
        let lows = after.iter().map(|(_, (range, _))| range.low);
        let highs = after.iter().map(|(_, (range, _))| range.high);
        let range = Range { low: lows.fold(f64::INFINITY, f64::min), high: highs.fold(0.0, f64::max) };
        Ok(Some((range, after.first().and_then(|(_, (_, next))| *next))))
    }

    fn values(&self, at: usize) -> Vec<usize> {
        let Some(coordinate) = self.weighed.diagrams.coordinates.get(at) else { return Vec::new() };
        let mask = coordinate.input().and_then(|input| self.weighed.state.get(input.index()));
        coordinate.admitted(mask.copied().unwrap_or(u128::MAX))
    }
}
