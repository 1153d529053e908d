//! What passes: how many packages, some of them, the efficient ones.

use super::bargain::{Bargain, solutions};
use super::budget::{Budget, CutShort, Halt};
use super::count::{Weights, count};
use super::diagram::{Diagrams, Of};
use super::diverse::{Used, least_used};
use super::frontier::{Frontier, Point};
use super::order::ordered;
use super::package::{Package, answer_of};
use super::problem::{Cube, Problem};
use super::utilities::{Criterion, NotExactError, Utilities};
use biodivine_lib_bdd::{Bdd, BddPointer};
use detente_condition::{Answer, InputId, Literal, Value};
use detente_core::engine::NotCoveredError;
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// The most packages, and the most efficient points, of one answer.
pub const MAX_PACKAGES: usize = 1_000;
/// What an answer to an issue or about a member, a red line crossed besides and a party's number count in a package that
/// is answered, among the points that a question may take: they take as much memory.
const POINTS_OF_AN_ANSWER: usize = 16;
/// The most solutions of a kind in one answer.
pub const MAX_SOLUTIONS: usize = 20;

/// In which order packages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The same for the same question.
    Stable,
    /// Each unlike those before it.
    Diverse,
}

/// What is wanted of packages.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The most packages.
    pub most: usize,
    /// Their order.
    pub order: Order,
    /// Whether to find the efficient ones.
    pub efficient: bool,
    /// What each party with numbers has without a deal, by position: asks for the bargaining solutions.
    pub disagreement: Option<Vec<(usize, f64)>>,
}

/// A package that no other passing one dominates.
#[derive(Clone, Debug, PartialEq)]
pub struct Efficient {
    /// The first of those at its point.
    pub package: Package,
    /// Of each party with numbers, by position: the sum.
    pub utilities: Vec<(usize, f64)>,
    /// Of each order, by party and issue: the place, 0 being the best.
    pub places: Vec<(usize, InputId, usize)>,
    /// How many packages are at this point.
    pub packages: BigUint,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many pass; `None` if that was not found out.
    pub count: Option<BigUint>,
    /// The same with every integer told apart.
    pub by_integer: Option<BigUint>,
    /// The issues on which something depends.
    pub issues: Vec<InputId>,
    /// Some packages, in the order wanted.
    pub packages: Vec<Package>,
    /// The first efficient points, if they were asked for, by falling utilities and rising places: at most
    /// [`MAX_PACKAGES`] of them.
    pub efficient: Vec<Efficient>,
    /// Whether packages were compared.
    pub compared: bool,
    /// How many efficient points there are.
    pub efficient_points: usize,
    /// How many packages are at efficient points.
    pub efficient_packages: BigUint,
    /// The bargaining solutions, with all their efficient packages.
    pub bargain: Option<Bargaining>,
    /// Why this is not all.
    pub cut_short: Option<CutShort>,
}

/// Bargaining solutions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bargaining {
    /// Nash's.
    pub nash: Vec<Efficient>,
    /// Kalai's and Smorodinsky's.
    pub kalai_smorodinsky: Vec<Efficient>,
    /// What each party with numbers would have at most.
    pub ideal: Vec<(usize, f64)>,
    /// The disagreement point.
    pub disagreement: Vec<(usize, f64)>,
}

/// Why packages could not be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Numbers that cannot be added exactly.
    #[error(transparent)]
    Numbers(#[from] NotExactError),
    /// The day is not covered.
    #[error(transparent)]
    Day(#[from] NotCoveredError),
}

impl Problem {
    /// Looks for packages.
    ///
    /// # Errors
    /// Numbers that cannot be added exactly.
    pub fn packages(&self, wanted: &Wanted, budget: &Budget<'_>) -> Result<Found, NotFound> {
        let issues: BTreeSet<InputId> = self.issues().into_iter().chain(self.ranked()).collect();
        let mut found = Found { issues: issues.into_iter().collect(), ..Found::default() };
        let compared = wanted.efficient || wanted.disagreement.is_some();
        let scenario = self.question.compiled.scenario();
        let stated = wanted.disagreement.as_deref().unwrap_or_default();
        let utilities = compared.then(|| Utilities::new(scenario, &self.space, stated)).transpose()?;
        let mut search = match Search::new(self, &found.issues, budget) {
            Ok(search) => search,
            Err(cut) => return Ok(Found { cut_short: Some(cut), ..found }),
        };
        match search.look(wanted, utilities.as_ref(), &mut found) {
            Ok(()) => {}
            Err(Halt::Cut(cut)) => found.cut_short = Some(cut),
            Err(Halt::Day(day)) => return Err(NotFound::Day(day)),
        }
        Ok(found)
    }

    /// The diagram's order: issues that are tested together stand together.
    pub(super) fn order(&self, inputs: &[InputId], cubes: &[Vec<Cube>]) -> Vec<InputId> {
        let support = |cubes: &Vec<Cube>| -> Vec<InputId> {
            let inputs: BTreeSet<InputId> = cubes.iter().flatten().map(|literal| literal.input).collect();
            inputs.into_iter().collect()
        };
        ordered(inputs, &cubes.iter().map(support).collect::<Vec<_>>())
    }

    /// What every package breaks, constraints, goal and pins, in turn.
    pub(super) fn hard_cubes(&self) -> Vec<Vec<Cube>> {
        let mut all: Vec<Vec<Cube>> = self.hard.iter().map(|(_, cubes)| cubes.clone()).collect();
        for (input, axis) in (0..).map(InputId).zip(self.space.axes()) {
            let possible = self.possible.get(input.index()).copied().unwrap_or(u128::MAX) & axis.full();
            if !self.is_issue(input) || possible == axis.full() {
                continue;
            }
            all.push(match axis {
                detente_condition::Axis::Members { .. } => {
                    // Each member that may not be in, or not out, by itself.
                    let never = axis.full() & !possible;
                    let bits = (0..128).filter(|bit| never >> bit & 1 == 1);
                    bits.map(|bit: u32| vec![Literal { input, forbids: (1u128 << bit).rotate_left(64) }]).collect()
                }
                _ => vec![vec![Literal { input, forbids: possible }]],
            });
        }
        all
    }

    /// Values by coordinate, as answers in the scenario's order.
    pub(super) fn answers(&self, diagrams: &Diagrams<'_>, values: &[(usize, usize)]) -> Vec<(InputId, Answer)> {
        let mut answers: BTreeMap<InputId, Answer> = BTreeMap::new();
        for (at, value) in values {
            let Some(coordinate) = diagrams.coordinates.get(*at) else { continue };
            match coordinate.of {
                Of::Values(input) => {
                    answers.insert(input, answer_of(self, input, *value, None));
                }
                Of::Member(input, member) => {
                    let entry = answers.entry(input).or_insert(Answer::Exact(Value::Members(0)));
                    if let (Answer::Exact(Value::Members(members)), 1) = (entry, *value) {
                        *members |= 1u64.checked_shl(u32::from(member)).unwrap_or(0);
                    }
                }
                Of::Binding(_) => {}
            }
        }
        answers.into_iter().filter(|(input, _)| self.is_issue(*input)).collect()
    }
}

/// The diagram of all packages.
struct Search<'a> {
    problem: &'a Problem,
    diagrams: Diagrams<'a>,
    packages: Bdd,
    budget: &'a Budget<'a>,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, issues: &[InputId], budget: &'a Budget<'a>) -> Result<Self, CutShort> {
        let mut cubes = problem.hard_cubes();
        cubes.extend(problem.lines.iter().map(|line| problem.crossed_somehow(line)));
        let order: Vec<(InputId, Vec<usize>)> =
            problem.order(issues, &cubes).into_iter().map(|input| (input, Vec::new())).collect();
        let mut diagrams = Diagrams::new(&order, &problem.space, budget)?;
        let mut clear = Vec::with_capacity(cubes.len());
        for cubes in &cubes {
            clear.push(diagrams.any_of(cubes)?.not());
        }
        let packages = diagrams.all_of(clear, "taking the red lines together")?;
        Ok(Self { problem, diagrams, packages, budget })
    }

    fn look(&mut self, wanted: &Wanted, utilities: Option<&Utilities>, found: &mut Found) -> Result<(), Halt> {
        self.budget.report("counting", 0, 0);
        found.count = Some(count(&self.diagrams, &self.packages, &Weights::Values, self.budget)?);
        let by_integer = Weights::Integers(self.problem.space.clone());
        found.by_integer = Some(count(&self.diagrams, &self.packages, &by_integer, self.budget)?);
        match wanted.order {
            Order::Stable => self.stable(wanted.most, &mut found.packages)?,
            Order::Diverse => self.diverse(wanted.most, &mut found.packages)?,
        }
        let Some(utilities) = utilities else { return Ok(()) };
        self.budget.report("comparing packages", 0, 0);
        let frontier = Frontier::of(&self.diagrams, &self.packages, utilities, self.budget)?;
        found.compared = true;
        found.efficient_points = frontier.points.len();
        found.efficient_packages = frontier.points.iter().map(|point| &point.packages).sum();
        if wanted.disagreement.is_some() {
            let amounts: Vec<&[i128]> = frontier.points.iter().map(|point| &*point.amounts).collect();
            let bargain = solutions(utilities, &amounts);
            found.bargain = Some(self.bargaining(utilities, &frontier, &bargain)?);
            if bargain.nash.len().max(bargain.kalai_smorodinsky.len()) > MAX_SOLUTIONS {
                found.cut_short = Some(CutShort::Results);
            }
        }
        if wanted.efficient {
            for point in frontier.points.iter().take(MAX_PACKAGES) {
                found.efficient.push(self.efficient(utilities, &frontier, point)?);
            }
            if frontier.points.len() > MAX_PACKAGES {
                found.cut_short = Some(CutShort::Results);
            }
        }
        Ok(())
    }

    fn bargaining(&self, utilities: &Utilities, frontier: &Frontier, bargain: &Bargain) -> Result<Bargaining, Halt> {
        let all = |places: &[usize]| -> Result<Vec<Efficient>, Halt> {
            let points = places.iter().filter_map(|at| frontier.points.get(*at));
            points.take(MAX_SOLUTIONS).map(|point| self.efficient(utilities, frontier, point)).collect()
        };
        let numbers = |amounts: &[i128]| -> Vec<(usize, f64)> {
            utilities
                .parties_with_numbers()
                .zip(amounts)
                .map(|(party, amount)| (party, utilities.number(*amount)))
                .collect()
        };
        Ok(Bargaining {
            nash: all(&bargain.nash)?,
            kalai_smorodinsky: all(&bargain.kalai_smorodinsky)?,
            ideal: numbers(&bargain.ideal),
            disagreement: numbers(&utilities.disagreement),
        })
    }

    fn efficient(&self, utilities: &Utilities, frontier: &Frontier, point: &Point) -> Result<Efficient, Halt> {
        let package = self.package(&frontier.values(point))?;
        self.budget.spend_points(utilities.criteria.len().saturating_mul(POINTS_OF_AN_ANSWER))?;
        let packages = point.packages.clone();
        let mut efficient = Efficient { package, utilities: Vec::new(), places: Vec::new(), packages };
        for (criterion, amount) in utilities.criteria.iter().zip(&point.amounts) {
            match criterion {
                Criterion::Sum { party } => efficient.utilities.push((*party, utilities.number(*amount))),
                Criterion::Place { party, input } => {
                    efficient.places.push((*party, *input, usize::try_from(-amount).unwrap_or(0)));
                }
            }
        }
        Ok(efficient)
    }

    /// A package that is answered, if there is room for it.
    fn package(&self, values: &[(usize, usize)]) -> Result<Package, Halt> {
        self.budget.check()?;
        self.budget.spend_points(values.len().saturating_mul(POINTS_OF_AN_ANSWER))?;
        let package = Package::new(self.problem, self.problem.answers(&self.diagrams, values))?;
        self.budget.spend_points(package.crosses.len().saturating_mul(POINTS_OF_AN_ANSWER))?;
        Ok(package)
    }

    /// The first packages, values ascending, the last coordinates varying fastest.
    fn stable(&self, most: usize, listed: &mut Vec<Package>) -> Result<(), Halt> {
        let coordinates = &self.diagrams.coordinates;
        // The way from the first coordinate on: at each the node, and the value to look at next.
        let mut way: Vec<(BddPointer, usize)> = vec![(self.packages.root_pointer(), 0)];
        while let Some((node, value)) = way.pop() {
            if node.is_zero() || listed.len() == most {
                break;
            }
            self.budget.check()?;
            let Some(coordinate) = coordinates.get(way.len()) else {
                // Each place on the way is at the value after the one taken.
                let values: Values = way.iter().enumerate().map(|(at, (_, next))| (at, next - 1)).collect();
                listed.push(self.package(&values)?);
                continue;
            };
            if value >= coordinate.count {
                continue;
            }
            let next = self.diagrams.follow(&self.packages, node, way.len(), value);
            way.push((node, value + 1));
            if !next.is_zero() {
                way.push((next, 0));
            }
        }
        Ok(())
    }

    /// Packages unlike each other.
    fn diverse(&mut self, most: usize, listed: &mut Vec<Package>) -> Result<(), Halt> {
        let (mut used, mut left) = (Used::default(), self.packages.clone());
        while listed.len() < most {
            self.budget.report("looking for packages unlike each other", listed.len(), most);
            let Some(values) = least_used(&self.diagrams, &left, &used, self.budget)? else { break };
            listed.push(self.package(&values)?);
            if listed.len() < most {
                let taken = self.diagrams.exactly(&values)?;
                left = self.diagrams.and_not(&left, &taken)?;
                used.add(&values);
            }
        }
        Ok(())
    }
}

/// Values by coordinate.
pub(super) type Values = Vec<(usize, usize)>;
