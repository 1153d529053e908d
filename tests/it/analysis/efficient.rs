//! The efficient packages and the bargaining solutions, compared with brute force.
//!
//! A package is a deal. The parties' preferences give it numbers and ranks, the amounts of its point. A point is
//! efficient if no other point is at least as good in every amount. All generated numbers are multiples of a tenth, and
//! brute force counts in tenths, so its arithmetic is exact. The bargaining solutions are the efficient points that are
//! best by a comparison of the parties' gains over the disagreement point, the utilities without a deal.

use super::packages::{cell_of, cells};
use crate::oracle::case::{Case, Kind, for_seeds};
use crate::oracle::generate::Choices;
use crate::oracle::search::Search;
use crate::oracle::world::{Ranking, Value};
use detente_analysis::{Budget, EfficientPackage, MAX_PACKAGES, Package, PackageOrder, PackageQuery, Problem};
use detente_condition::InputIndex;
use detente_core::scenario::index::PartyIndex;
use num_bigint::BigUint;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// How many cases of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
struct Coverage {
    none: usize,
    several: usize,
    most: usize,
    shared: usize,
    nash: usize,
    ties: usize,
    apart: usize,
    irrational: usize,
}

/// The criteria by which packages are compared. A greater value is better in each of them.
struct Criteria {
    /// The parties with numeric preferences. The first amounts of a point are the sums of each party's numbers, in
    /// tenths.
    parties: Vec<usize>,
    /// The party and the issue of each ordinal preference. After the sums, a point has an amount for each of these: 0
    /// for the best value, -1 for the second, and so on.
    orders: Vec<(usize, InputIndex)>,
}

impl Criteria {
    fn new(case: &Case) -> Self {
        let preferences = &case.world.preferences;
        let numbers = preferences.iter().filter(|preference| matches!(preference.ranking, Ranking::Tenths(_)));
        let parties: BTreeSet<usize> = numbers.map(|preference| preference.party).collect();
        let orders = preferences.iter().filter(|preference| matches!(preference.ranking, Ranking::Order(_)));
        let orders = orders.map(|preference| (preference.party, crate::oracle::case::id(preference.issue)));
        Self { parties: parties.into_iter().collect(), orders: orders.collect() }
    }

    fn amounts(&self, case: &Case, values: &[Value]) -> Vec<i64> {
        let mut sums: BTreeMap<usize, i64> = self.parties.iter().map(|party| (*party, 0)).collect();
        let mut places = Vec::new();
        for preference in &case.world.preferences {
            let value = values[preference.issue];
            match &preference.ranking {
                Ranking::Tenths(tenths) => {
                    let (_, number) = tenths.iter().find(|(of, _)| *of == value).unwrap();
                    *sums.get_mut(&preference.party).unwrap() += number;
                }
                Ranking::Order(order) => {
                    places.push(-i64::try_from(order.iter().position(|of| *of == value).unwrap()).unwrap());
                }
            }
        }
        sums.into_values().chain(places).collect()
    }
}

/// Points, with the number of packages at each.
type Points = BTreeMap<Vec<i64>, usize>;

fn is_dominated(point: &[i64], by: &[i64]) -> bool {
    point != by && point.iter().zip(by).all(|(its, other)| other >= its)
}

fn check_point(
    case: &Case,
    problem: &Problem,
    criteria: &Criteria,
    issues: &[InputIndex],
    amounts_of: &BTreeMap<Vec<usize>, Vec<i64>>,
    (efficient, point, packages): (&EfficientPackage, &[i64], usize),
) {
    let utilities: Vec<(PartyIndex, f64)> =
        criteria.parties.iter().zip(point).map(|(party, tenths)| (PartyIndex(*party), *tenths as f64 / 10.0)).collect();
    assert_eq!(efficient.utilities, utilities);
    let places: Vec<(PartyIndex, InputIndex, usize)> = criteria
        .orders
        .iter()
        .zip(&point[criteria.parties.len()..])
        .map(|((party, issue), place)| (PartyIndex(*party), *issue, usize::try_from(-place).unwrap()))
        .collect();
    assert_eq!(efficient.places, places);
    assert_eq!(efficient.packages, BigUint::from(packages));
    let cell = cell_of(case, problem, issues, &efficient.package);
    assert_eq!(amounts_of.get(&cell).map(Vec::as_slice), Some(point), "a package has the amounts of its point");
}

/// The efficient points that are as good as the best of all points when `compare` compares their gains.
fn best_of<'a>(
    all: &[Vec<i64>],
    efficient: &[&'a Vec<i64>],
    gains: impl Fn(&[i64]) -> Option<Vec<i64>>,
    compare: impl Fn(&[i64], &[i64]) -> Ordering,
) -> Vec<&'a Vec<i64>> {
    let best = all.iter().filter_map(|point| gains(point)).max_by(|one, other| compare(one, other));
    let Some(best) = best else { return Vec::new() };
    let is_best = |point: &[i64]| gains(point).is_some_and(|gains| compare(&gains, &best) == Ordering::Equal);
    efficient.iter().copied().filter(|point| is_best(point)).collect()
}

fn check(case: &Case, disagreement: &[i64], coverage: &mut Coverage) {
    let problem = case.problem();
    let search = Search::new(case);
    let criteria = Criteria::new(case);
    let stated: Vec<(usize, i64)> = criteria.parties.iter().copied().zip(disagreement.iter().copied()).collect();
    let found = problem
        .packages(
            &PackageQuery {
                most: MAX_PACKAGES,
                order: PackageOrder::Stable,
                efficient: true,
                disagreement: (!stated.is_empty()).then(|| {
                    stated.iter().map(|(party, tenths)| (PartyIndex(*party), *tenths as f64 / 10.0)).collect()
                }),
            },
            &Budget::unhurried(),
        )
        .unwrap();
    assert_eq!(found.cut_short, None);
    let cells = cells(&search, &problem, &found.issues);
    let mut amounts_of: BTreeMap<Vec<usize>, Vec<i64>> = BTreeMap::new();
    for assignment in 0..search.met.len() {
        let cell = search.cell(&problem.space, &found.issues, assignment);
        let amounts = criteria.amounts(case, &search.values(assignment));
        assert_eq!(*amounts_of.entry(cell).or_insert_with(|| amounts.clone()), amounts, "differ within an interval");
    }
    let mut points = Points::new();
    for (cell, _) in cells.iter().filter(|(_, passes)| **passes) {
        *points.entry(amounts_of[cell].clone()).or_default() += 1;
    }
    assert_eq!(found.count, Some(BigUint::from(points.values().sum::<usize>())));
    let efficient: Vec<(&Vec<i64>, usize)> = points
        .iter()
        .rev()
        .filter(|(point, _)| !points.keys().any(|other| is_dominated(point, other)))
        .map(|(point, packages)| (point, *packages))
        .collect();
    assert!(found.compared);
    assert_eq!(found.efficient_points, efficient.len());
    assert_eq!(found.efficient_packages, BigUint::from(efficient.iter().map(|(_, packages)| packages).sum::<usize>()));
    let check_points = |found_points: &[EfficientPackage], expected: &[(&Vec<i64>, usize)]| {
        assert_eq!(found_points.len(), expected.len(), "{found_points:?} against {expected:?}");
        for (found_point, (point, packages)) in found_points.iter().zip(expected) {
            check_point(case, &problem, &criteria, &found.issues, &amounts_of, (found_point, point, *packages));
        }
    };
    for efficient in &found.efficient {
        let amounts = |package: &Package| &amounts_of[&cell_of(case, &problem, &found.issues, package)];
        let same = |package: &&Package| amounts(package) == amounts(&efficient.package);
        let first = found.packages.iter().find(same);
        assert!(first.is_none_or(|first| *first == efficient.package), "the first one listed at the point: {first:?}");
        assert!(first.is_some() || found.packages.len() == MAX_PACKAGES, "up to the maximum, all packages are listed");
    }
    check_points(&found.efficient, &efficient);
    coverage.none += usize::from(efficient.is_empty());
    coverage.several += usize::from(efficient.len() > 1);
    coverage.most = coverage.most.max(efficient.len());
    coverage.shared += usize::from(efficient.iter().any(|(_, packages)| *packages > 1));

    let Some(bargain) = found.bargain else {
        assert!(stated.is_empty());
        return;
    };
    let all: Vec<Vec<i64>> = points.keys().cloned().collect();
    let gains = |point: &[i64]| -> Option<Vec<i64>> {
        let gains = point.iter().zip(&stated).map(|(amount, (_, without))| amount - without);
        gains.map(|gain| (gain >= 0).then_some(gain)).collect()
    };
    let rational: Vec<Vec<i64>> = all.iter().filter_map(|point| gains(point)).collect();
    let most: Vec<i64> =
        (0..stated.len()).filter_map(|party| rational.iter().map(|gains| gains[party]).max()).collect();
    let numbers = |tenths: &mut dyn Iterator<Item = i64>| -> Vec<(PartyIndex, f64)> {
        criteria.parties.iter().copied().map(PartyIndex).zip(tenths.map(|tenths| tenths as f64 / 10.0)).collect()
    };
    assert_eq!(bargain.disagreement, numbers(&mut stated.iter().map(|(_, tenths)| *tenths)));
    assert_eq!(bargain.ideal, numbers(&mut most.iter().zip(&stated).map(|(gain, (_, without))| gain + without)));
    let only: Vec<&Vec<i64>> = efficient.iter().map(|(point, _)| *point).collect();
    let product = |gains: &[i64]| gains.iter().map(|gain| i128::from(*gain)).product::<i128>();
    let nash: Vec<_> = best_of(&all, &only, gains, |one, other| product(one).cmp(&product(other)));
    // If every product is 0, because some party gains nothing at each point, there is no Nash solution.
    let nash = if rational.iter().all(|gains| product(gains) == 0) { Vec::new() } else { nash };
    // The smallest ratio of a party's gain to its greatest possible gain, among the parties that can gain anything. It
    // is given as the numerator over a common denominator.
    let denominator: i128 = most.iter().filter(|most| **most > 0).map(|most| i128::from(*most)).product();
    let share = |gains: &[i64]| {
        let shares = gains.iter().zip(&most).filter(|(_, most)| **most > 0);
        shares.map(|(gain, most)| i128::from(*gain) * (denominator / i128::from(*most))).min()
    };
    let smorodinsky = best_of(&all, &only, gains, |one, other| share(one).cmp(&share(other)));
    let with_packages = |points: &[&Vec<i64>]| -> Vec<(usize, Vec<i64>)> {
        let each = efficient.iter().filter(|(point, _)| points.contains(point));
        each.map(|(point, packages)| (*packages, (*point).clone())).collect()
    };
    for (found_points, expected) in [(&bargain.nash, &nash), (&bargain.kalai_smorodinsky, &smorodinsky)] {
        let expected = with_packages(expected);
        check_points(found_points, &expected.iter().map(|(packages, point)| (point, *packages)).collect::<Vec<_>>());
    }
    coverage.nash += usize::from(nash.len() == 1);
    coverage.ties += usize::from(nash.len() > 1 || smorodinsky.len() > 1);
    coverage.apart += usize::from(nash != smorodinsky);
    coverage.irrational += usize::from(nash.is_empty() && !efficient.is_empty());
}

#[test]
fn efficient_packages_are_exactly_the_undominated_ones() {
    let mut coverage = Coverage::default();
    let all = for_seeds(30_000..31_500, &[], |seed| {
        let disagreement =
            |choices: &mut Choices| [(); 3].map(|()| [0, -3, -10, 3, 7, -20, 1][choices.below(7)]).to_vec();
        let mut kind = Kind { preferences: if seed % 2 == 0 { 2 } else { 5 }, pins: 12, ..Kind::of(seed) };
        kind.size.red_lines = 1 + (seed % 4) as usize;
        kind.size.constraints = 1;
        let (case, disagreement) = Case::with_choices(seed, &kind, disagreement);
        if !case.world.preferences.is_empty() {
            check(&case, &disagreement, &mut coverage);
        }
    });
    println!("{coverage:?}");
    assert!(
        !all || (coverage.none > 100
            && coverage.several > 100
            && coverage.shared > 100
            && coverage.nash > 100
            && coverage.ties > 10
            && coverage.apart > 10
            && coverage.irrational > 50),
        "{coverage:?}"
    );
}
