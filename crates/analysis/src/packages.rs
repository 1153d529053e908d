//! The passing packages: their number, some of them, the efficient ones and the bargaining solutions.
//!
//! A package is a deal that answers every issue on which the question depends. It passes if it meets the pins (terms
//! that it must have) and the goal (a condition) of the question, breaks no constraint, and crosses none of the counted
//! red lines: those that the question takes into account, by their party and their firmness. An efficient point is a
//! combination of utilities and ranks that a passing package reaches and no other passing package dominates: no other
//! is at least as good in all of them and better in one.
//!
//! Owns the diagram of all passing packages and the listing of packages from it. A coordinate of the diagram is an
//! issue or one member of an issue. Must not know of distances or probabilities.

use super::bargain::{SolutionIndices, solutions};
use super::budget::{Budget, Held, SearchError, SearchLimit, SearchPhase};
use super::count::{Weights, count};
use super::diagram::{CoordinateKind, CoordinateValues, Diagrams};
use super::diverse::{UsageCounts, least_used};
use super::frontier::{Frontier, Point};
use super::index::{CoordinateIndex, CountedLineIndex, PointIndex};
use super::order::order_inputs;
use super::package::{Package, answer_of};
use super::problem::{Cube, Problem};
use super::utilities::{Criterion, NotExactError, Utilities};
use biodivine_lib_bdd::{Bdd, BddPointer};
use detente_condition::{Answer, InputIndex, Literal, Value};
use detente_core::engine::NotCoveredError;
use detente_core::scenario::index::{IndexVec, PartyIndex};
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

/// The maximum number of packages, and of efficient points, in one result.
pub const MAX_PACKAGES: usize = 1_000;
/// The cost of each answer, each crossed red line, and each utility or rank of a returned package.
///
/// The unit is that of [`Bounds::points`](super::Bounds::points). The cost reflects the memory that an entry of the
/// result takes.
const POINTS_PER_ENTRY: usize = 16;
/// The memory of each answer, each crossed red line, and each utility or rank of a returned package, in bytes.
const BYTES_PER_ENTRY: usize = 64;
/// The maximum number of bargaining solutions of one kind in one result.
pub const MAX_SOLUTIONS: usize = 20;

/// The order in which packages are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PackageOrder {
    /// A fixed order: equal questions list the same packages in the same order.
    Stable,
    /// Each next package is the one whose values the earlier packages use least.
    Diverse,
}

/// The results that a search for packages must return.
#[derive(Clone, Debug)]
pub struct PackageQuery {
    /// The maximum number of packages to list.
    pub most: usize,
    /// The order of the packages.
    pub order: PackageOrder,
    /// Whether to find the efficient packages.
    pub efficient: bool,
    /// The utility that each party with numeric preferences has without a deal, by position.
    ///
    /// `Some` requests the bargaining solutions.
    pub disagreement: Option<Vec<(PartyIndex, f64)>>,
}

impl PackageQuery {
    fn identity(&self) -> impl Eq + Hash {
        let Self { most, order, efficient, disagreement } = self;
        let bits = |stated: &Vec<(PartyIndex, f64)>| -> Vec<(PartyIndex, u64)> {
            stated.iter().map(|(party, utility)| (*party, utility.to_bits())).collect()
        };
        (*most, *order, *efficient, disagreement.as_ref().map(bits))
    }
}

/// Utilities are compared bit by bit.
impl PartialEq for PackageQuery {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for PackageQuery {}

impl Hash for PackageQuery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// A passing package that no other passing package dominates.
#[derive(Clone, Debug, PartialEq)]
pub struct EfficientPackage {
    /// The first of the packages with these utilities and ranks.
    pub package: Package,
    /// The utility of each party with numeric preferences, by position.
    pub utilities: Vec<(PartyIndex, f64)>,
    /// For each issue that a party orders: the party, the issue, and the rank of the answer; 0 is the best.
    pub places: Vec<(PartyIndex, InputIndex, usize)>,
    /// The number of packages with these utilities and ranks.
    pub packages: BigUint,
}

/// The result of a search for packages.
#[derive(Clone, Debug, Default)]
pub struct PackageResults {
    /// The number of passing packages; `None` if it was not computed in time.
    pub count: Option<BigUint>,
    /// The number of passing packages if each integer of a quantity, not each interval, makes a package of its own.
    pub by_integer: Option<BigUint>,
    /// The issues that the packages answer.
    pub issues: Vec<InputIndex>,
    /// Some packages, in the requested order.
    pub packages: Vec<Package>,
    /// The first efficient points, at most [`MAX_PACKAGES`]; empty if they were not requested.
    ///
    /// They are ordered by descending utilities and ascending ranks.
    pub efficient: Vec<EfficientPackage>,
    /// Whether packages were compared by the preferences of the parties.
    pub compared: bool,
    /// The number of efficient points.
    pub efficient_points: usize,
    /// The number of packages at efficient points.
    pub efficient_packages: BigUint,
    /// The bargaining solutions; `None` if they were not requested or not computed in time.
    pub bargain: Option<BargainingSolutions>,
    /// The reason for which the result is incomplete; `None` if it is complete.
    pub cut_short: Option<SearchLimit>,
}

/// The packages that two bargaining solutions select among the efficient ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BargainingSolutions {
    /// The Nash solutions: the packages with the greatest product of the parties' gains over the disagreement point.
    pub nash: Vec<EfficientPackage>,
    /// The Kalai-Smorodinsky solutions.
    ///
    /// They are the packages at which the smallest of the parties' shares is as great as possible. A share is the
    /// party's gain divided by its greatest possible gain.
    pub kalai_smorodinsky: Vec<EfficientPackage>,
    /// The greatest utility that each party with numeric preferences could have, by position.
    pub ideal: Vec<(PartyIndex, f64)>,
    /// The disagreement point: the utility that each party with numeric preferences has without a deal, by position.
    pub disagreement: Vec<(PartyIndex, f64)>,
}

/// The reason for which a search for packages has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageSearchError {
    /// The numbers of the preferences cannot be added exactly.
    #[error(transparent)]
    Numbers(#[from] NotExactError),
    /// The scenario does not cover the day.
    #[error(transparent)]
    Day(#[from] NotCoveredError),
}

impl Problem {
    /// Counts, lists and compares the passing packages.
    ///
    /// # Errors
    /// Returns an error if the numbers of the preferences cannot be added exactly, or if the scenario does not cover
    /// the day.
    pub fn packages(&self, wanted: &PackageQuery, budget: &Budget<'_>) -> Result<PackageResults, PackageSearchError> {
        let issues: BTreeSet<InputIndex> = self.issues().into_iter().chain(self.ranked()).collect();
        let mut found = PackageResults { issues: issues.into_iter().collect(), ..PackageResults::default() };
        let compared = wanted.efficient || wanted.disagreement.is_some();
        let scenario = self.question.compiled.scenario();
        let stated = wanted.disagreement.as_deref().unwrap_or_default();
        let utilities = compared.then(|| Utilities::new(scenario, &self.space, stated)).transpose()?;
        let mut search = match PackageSearch::new(self, &found.issues, budget) {
            Ok(search) => search,
            Err(cut) => return Ok(PackageResults { cut_short: Some(cut), ..found }),
        };
        match search.run(wanted, utilities.as_ref(), &mut found) {
            Ok(()) => {}
            Err(SearchError::Cut(cut)) => found.cut_short = Some(cut),
            Err(SearchError::Day(day)) => return Err(PackageSearchError::Day(day)),
        }
        Ok(found)
    }

    /// Orders inputs for a diagram, so that inputs that are tested together are next to each other.
    pub(super) fn order(&self, inputs: &[InputIndex], cubes: &[Vec<Cube>]) -> Vec<InputIndex> {
        let support = |cubes: &Vec<Cube>| -> Vec<InputIndex> {
            let inputs: BTreeSet<InputIndex> = cubes.iter().flatten().map(|literal| literal.input).collect();
            inputs.into_iter().collect()
        };
        order_inputs(inputs, &cubes.iter().map(support).collect::<Vec<_>>())
    }

    /// Returns the cubes of the constraints, the goal and the pins.
    ///
    /// A cube is a conjunction of tests on inputs. Every passing package must break each of the cubes: it must fail at
    /// least one of the cube's tests.
    pub(super) fn hard_cubes(&self) -> Vec<Vec<Cube>> {
        let mut all: Vec<Vec<Cube>> = self.hard.iter().map(|(_, cubes)| cubes.clone()).collect();
        for (input, axis) in (0..).map(InputIndex).zip(self.space.axes()) {
            let possible = self.possible.get(input).copied().unwrap_or(u128::MAX) & axis.full();
            if !self.is_issue(input) || possible == axis.full() {
                continue;
            }
            all.push(match axis {
                detente_condition::Axis::Members { .. } => {
                    // One cube for each state of a member that the pin rules out. The cube is true if the member is in
                    // that state.
                    let never = axis.full() & !possible;
                    let bits = (0..128).filter(|bit| never >> bit & 1 == 1);
                    bits.map(|bit: u32| vec![Literal { input, forbids: (1u128 << bit).rotate_left(64) }]).collect()
                }
                _ => vec![vec![Literal { input, forbids: possible }]],
            });
        }
        all
    }

    /// Converts the values of a diagram's coordinates to answers, in the scenario's order.
    pub(super) fn answers(
        &self,
        diagrams: &Diagrams<'_>,
        values: &[(CoordinateIndex, usize)],
    ) -> Vec<(InputIndex, Answer)> {
        let mut answers: BTreeMap<InputIndex, Answer> = BTreeMap::new();
        for (at, value) in values {
            let Some(coordinate) = diagrams.coordinates.get(*at) else { continue };
            match coordinate.kind {
                CoordinateKind::Values(input) => {
                    answers.insert(input, answer_of(self, input, *value, None));
                }
                CoordinateKind::Member(input, member) => {
                    let entry = answers.entry(input).or_insert(Answer::Exact(Value::Members(0)));
                    if let (Answer::Exact(Value::Members(members)), 1) = (entry, *value) {
                        *members |= 1u64.checked_shl(u32::from(member)).unwrap_or(0);
                    }
                }
                CoordinateKind::Binding(_) => {}
            }
        }
        answers.into_iter().filter(|(input, _)| self.is_issue(*input)).collect()
    }
}

/// A search for packages, with the diagram of all passing packages.
struct PackageSearch<'a> {
    problem: &'a Problem,
    diagrams: Diagrams<'a>,
    packages: Bdd,
    budget: &'a Budget<'a>,
    /// The memory of the problem and of the results.
    held: Held<'a>,
}

impl<'a> PackageSearch<'a> {
    fn new(problem: &'a Problem, issues: &[InputIndex], budget: &'a Budget<'a>) -> Result<Self, SearchLimit> {
        let held = problem.hold(budget)?;
        // The cubes are copied, and lists of their inputs are made for the order.
        let _copies = budget.hold(problem.bytes.saturating_mul(2))?;
        let mut cubes = problem.hard_cubes();
        cubes.extend(problem.lines.iter().map(|line| problem.crossed_somehow(line)));
        let order: Vec<(InputIndex, Vec<CountedLineIndex>)> =
            problem.order(issues, &cubes).into_iter().map(|input| (input, Vec::new())).collect();
        let mut diagrams = Diagrams::new(&order, &problem.space, budget)?;
        let mut clear = Vec::with_capacity(cubes.len());
        for cubes in &cubes {
            let crossed = diagrams.any_of(cubes)?;
            clear.push(diagrams.hold_part(crossed.into_not())?);
        }
        let packages = diagrams.all_of(clear, SearchPhase::CombiningRedLines)?;
        Ok(Self { problem, diagrams, packages, budget, held })
    }

    fn run(
        &mut self,
        wanted: &PackageQuery,
        utilities: Option<&Utilities>,
        found: &mut PackageResults,
    ) -> Result<(), SearchError> {
        self.budget.report(SearchPhase::Counting, 0, 0);
        found.count = Some(count(&self.diagrams, &self.packages, &Weights::Values, self.budget)?);
        let by_integer = Weights::Integers(self.problem.space.clone());
        found.by_integer = Some(count(&self.diagrams, &self.packages, &by_integer, self.budget)?);
        match wanted.order {
            PackageOrder::Stable => self.list_stable(wanted.most, &mut found.packages)?,
            PackageOrder::Diverse => self.list_diverse(wanted.most, &mut found.packages)?,
        }
        let Some(utilities) = utilities else { return Ok(()) };
        self.budget.report(SearchPhase::Comparing, 0, 0);
        let frontier = Frontier::of(&self.diagrams, &self.packages, utilities, self.budget)?;
        found.compared = true;
        found.efficient_points = frontier.points.len();
        found.efficient_packages = frontier.points.iter().map(|point| &point.packages).sum();
        if wanted.disagreement.is_some() {
            let amounts: IndexVec<PointIndex, &[i128]> = frontier.points.iter().map(|point| &*point.amounts).collect();
            let bargain = solutions(utilities, &amounts);
            found.bargain = Some(self.bargaining(utilities, &frontier, &bargain)?);
            if bargain.nash.len().max(bargain.kalai_smorodinsky.len()) > MAX_SOLUTIONS {
                found.cut_short = Some(SearchLimit::Results);
            }
        }
        if wanted.efficient {
            for point in frontier.points.iter().take(MAX_PACKAGES) {
                found.efficient.push(self.efficient(utilities, &frontier, point)?);
            }
            if frontier.points.len() > MAX_PACKAGES {
                found.cut_short = Some(SearchLimit::Results);
            }
        }
        Ok(())
    }

    fn bargaining(
        &self,
        utilities: &Utilities,
        frontier: &Frontier<'_>,
        bargain: &SolutionIndices,
    ) -> Result<BargainingSolutions, SearchError> {
        let all = |solutions: &[PointIndex]| -> Result<Vec<EfficientPackage>, SearchError> {
            let points = solutions.iter().filter_map(|at| frontier.points.get(*at));
            points.take(MAX_SOLUTIONS).map(|point| self.efficient(utilities, frontier, point)).collect()
        };
        let numbers = |amounts: &[i128]| -> Vec<(PartyIndex, f64)> {
            utilities
                .parties_with_numbers()
                .zip(amounts)
                .map(|(party, amount)| (party, utilities.number(*amount)))
                .collect()
        };
        Ok(BargainingSolutions {
            nash: all(&bargain.nash)?,
            kalai_smorodinsky: all(&bargain.kalai_smorodinsky)?,
            ideal: numbers(&bargain.ideal),
            disagreement: numbers(&utilities.disagreement),
        })
    }

    fn efficient(
        &self,
        utilities: &Utilities,
        frontier: &Frontier<'_>,
        point: &Point,
    ) -> Result<EfficientPackage, SearchError> {
        let package = self.package(&frontier.values(point))?;
        self.budget.spend_points(utilities.criteria.len().saturating_mul(POINTS_PER_ENTRY))?;
        self.held.add(utilities.criteria.len().saturating_mul(BYTES_PER_ENTRY))?;
        let packages = point.packages.clone();
        let mut efficient = EfficientPackage { package, utilities: Vec::new(), places: Vec::new(), packages };
        for (criterion, amount) in utilities.criteria.iter().zip(&point.amounts) {
            match criterion {
                Criterion::Sum { party } => efficient.utilities.push((*party, utilities.number(*amount))),
                Criterion::Rank { party, input } => {
                    efficient.places.push((*party, *input, usize::try_from(-amount).unwrap_or(0)));
                }
            }
        }
        Ok(efficient)
    }

    /// Builds a package for the result, and charges its cost to the budget.
    fn package(&self, values: &[(CoordinateIndex, usize)]) -> Result<Package, SearchError> {
        self.budget.check()?;
        self.budget.spend_points(values.len().saturating_mul(POINTS_PER_ENTRY))?;
        let package = Package::new(self.problem, self.problem.answers(&self.diagrams, values))?;
        self.budget.spend_points(package.crosses.len().saturating_mul(POINTS_PER_ENTRY))?;
        self.held.add((1 + package.answers.len() + package.crosses.len()).saturating_mul(BYTES_PER_ENTRY))?;
        Ok(package)
    }

    /// Lists the first packages, in ascending order of their values; the last coordinates vary fastest.
    fn list_stable(&self, most: usize, listed: &mut Vec<Package>) -> Result<(), SearchError> {
        let coordinates = &self.diagrams.coordinates;
        // The path from the first coordinate: the node at each coordinate, and the value to try next.
        let mut path: Vec<(BddPointer, usize)> = vec![(self.packages.root_pointer(), 0)];
        while let Some((node, value)) = path.pop() {
            if node.is_zero() || listed.len() == most {
                break;
            }
            self.budget.check()?;
            let at = CoordinateIndex(path.len());
            let Some(coordinate) = coordinates.get(at) else {
                // Each entry of the path holds the value after the one taken.
                let values: CoordinateValues =
                    coordinates.indices().zip(&path).map(|(at, (_, next))| (at, next - 1)).collect();
                listed.push(self.package(&values)?);
                continue;
            };
            if value >= coordinate.count {
                continue;
            }
            let next = self.diagrams.follow(&self.packages, node, at, value);
            path.push((node, value + 1));
            if !next.is_zero() {
                path.push((next, 0));
            }
        }
        Ok(())
    }

    /// Lists packages that differ from each other: each is the one whose values the earlier ones use least.
    fn list_diverse(&mut self, most: usize, listed: &mut Vec<Package>) -> Result<(), SearchError> {
        let (mut used, mut left) = (UsageCounts::default(), self.packages.clone());
        while listed.len() < most {
            self.budget.report(SearchPhase::DiversePackages, listed.len(), most);
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
