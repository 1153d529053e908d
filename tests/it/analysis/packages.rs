//! The passing packages, their number, and the issues that do not matter to them, compared with brute force.
//!
//! A package is a deal that answers every issue that matters. It passes if it meets the goal (a condition), the pins
//! (terms that it must have) and the constraints of the question, and crosses no red line that counts. Many assignments
//! of values to issues belong to one package: they differ in issues that do not matter, or in numbers of a quantity
//! between which no condition distinguishes. Such assignments form a cell.

use crate::oracle::case::{Case, Kind, for_seeds};
use crate::oracle::search::{Search, place_of_answer};
use crate::oracle::world::{Kind as InputKind, Knowledge};
use detente_analysis::{Budget, MAX_PACKAGES, Package, PackageOrder, PackageQuery, Problem};
use detente_condition::InputIndex;
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// How many cases of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    none: usize,
    some: usize,
    unknown_circumstances: usize,
    left_out: usize,
    intervals: usize,
    crossing: usize,
}

/// All cells, and whether the assignments of each one pass. Fails if this differs between two assignments of a cell,
/// which means that an omitted issue, or the number within an interval, makes a difference.
pub(crate) fn cells(search: &Search<'_>, problem: &Problem, issues: &[InputIndex]) -> BTreeMap<Vec<usize>, bool> {
    let mut cells: BTreeMap<Vec<usize>, bool> = BTreeMap::new();
    for (assignment, met) in search.met.iter().enumerate() {
        let cell = search.cell(&problem.space, issues, assignment);
        let passes = *cells.entry(cell).or_insert(met.passes());
        assert_eq!(passes, met.passes(), "{:?} differs from another assignment of its cell", search.values(assignment));
    }
    cells
}

/// The cell of a package. Of the red lines that do not count, the package must list exactly those that it certainly
/// crosses; otherwise this fails.
pub(crate) fn cell_of(case: &Case, problem: &Problem, issues: &[InputIndex], package: &Package) -> Vec<usize> {
    let named: Vec<InputIndex> = package.answers.iter().map(|(issue, _)| *issue).collect();
    assert_eq!(named, issues, "the issues of a package");
    let mut terms: Vec<Option<Knowledge>> = vec![None; case.world.inputs.len()];
    for (issue, answer) in &package.answers {
        terms[issue.index()] = Some(Knowledge::from(*answer));
    }
    assert_eq!(package.crosses, case.crossed_for_certain(&terms).1, "uncounted crossings of {:?}", package.answers);
    package.answers.iter().map(|(issue, answer)| place_of_answer(&problem.space, *issue, answer)).collect()
}

pub(crate) fn wanted(most: usize, order: PackageOrder) -> PackageQuery {
    PackageQuery { most, order, efficient: false, disagreement: None }
}

/// Checks the diverse order: each package has the answers that occur least often, in sum, in the packages before it.
/// Members of a set count separately.
fn check_unlike(case: &Case, issues: &[InputIndex], passing: &BTreeSet<&Vec<usize>>, unlike: &[Vec<usize>]) {
    let answers = |cell: &[usize]| -> Vec<(usize, usize, usize)> {
        let each = issues.iter().zip(cell).flat_map(|(issue, place)| {
            let parts = match case.world.inputs[issue.index()].kind {
                InputKind::Members(count) => (0..count as usize).map(|member| (member, place >> member & 1)).collect(),
                _ => vec![(0, *place)],
            };
            parts.into_iter().map(|(part, value)| (issue.index(), part, value))
        });
        each.collect()
    };
    let mut used: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    let mut left: BTreeSet<&Vec<usize>> = passing.clone();
    for cell in unlike {
        let sum = |cell: &[usize]| answers(cell).iter().map(|answer| used.get(answer).unwrap_or(&0)).sum::<usize>();
        let least = left.iter().map(|cell| sum(cell)).min();
        assert_eq!(Some(sum(cell)), least, "{cell:?} of {unlike:?}");
        left.remove(cell);
        for answer in answers(cell) {
            *used.entry(answer).or_default() += 1;
        }
    }
}

pub(crate) fn check(case: &Case, most: usize, coverage: &mut Coverage) {
    let problem = case.problem();
    let search = Search::new(case);
    search.check_intervals(&problem.space);
    let found = problem.packages(&wanted(MAX_PACKAGES, PackageOrder::Stable), &Budget::unhurried()).unwrap();
    assert_eq!(found.cut_short, None);
    assert_eq!(
        found.issues.iter().filter(|issue| !problem.issues().contains(issue)).count(),
        0,
        "without preferences, only the issues of the problem matter"
    );
    let cells = cells(&search, &problem, &found.issues);
    let passing: BTreeSet<&Vec<usize>> = cells.iter().filter(|(_, passes)| **passes).map(|(cell, _)| cell).collect();
    assert_eq!(found.count, Some(BigUint::from(passing.len())));
    let by_integer: BTreeSet<Vec<_>> = search
        .passing()
        .map(|assignment| search.values(assignment))
        .map(|values| found.issues.iter().map(|issue| values[issue.index()]).collect())
        .collect();
    assert_eq!(found.by_integer, Some(BigUint::from(by_integer.len())));

    let listed = |packages: &[Package]| -> Vec<Vec<usize>> {
        packages.iter().map(|package| cell_of(case, &problem, &found.issues, package)).collect()
    };
    let stable = listed(&found.packages);
    assert!(stable.iter().all(|cell| passing.contains(cell)), "every listed package passes");
    assert_eq!(stable.iter().collect::<BTreeSet<_>>().len(), stable.len(), "each package is listed once");
    assert_eq!(stable.len(), passing.len().min(MAX_PACKAGES), "up to the maximum, all packages are listed");
    let fewer = problem.packages(&wanted(most, PackageOrder::Stable), &Budget::unhurried()).unwrap();
    assert_eq!(fewer.packages, found.packages[..most.min(found.packages.len())], "the first of the same order");
    let diverse = problem.packages(&wanted(most, PackageOrder::Diverse), &Budget::unhurried()).unwrap();
    let unlike = listed(&diverse.packages);
    assert!(unlike.iter().all(|cell| passing.contains(cell)), "every listed package passes");
    assert_eq!(unlike.iter().collect::<BTreeSet<_>>().len(), unlike.len(), "each package is listed once");
    assert_eq!(unlike.len(), passing.len().min(most), "up to the maximum, all packages are listed");
    check_unlike(case, &found.issues, &passing, &unlike);
    let again = problem.packages(&wanted(most, PackageOrder::Diverse), &Budget::unhurried()).unwrap();
    assert_eq!(again.packages, diverse.packages);

    coverage.none += usize::from(passing.is_empty());
    coverage.some += usize::from(!passing.is_empty() && passing.len() < cells.len());
    coverage.unknown_circumstances += usize::from(search.met[0].crossed.len() > 1);
    coverage.left_out += usize::from(found.issues.len() < search.domains.len());
    coverage.intervals += usize::from(!passing.is_empty() && found.count != found.by_integer);
    coverage.crossing += found.packages.iter().filter(|package| !package.crosses.is_empty()).count();
}

#[test]
fn packages_are_exactly_the_passing_ones() {
    let mut coverage = Coverage::default();
    let all = for_seeds(5_000..5_900, &[], |seed| {
        let (case, most) = Case::with_choices(seed, &Kind::of(seed), |choices| choices.below(12));
        check(&case, most, &mut coverage);
    });
    println!("{coverage:?}");
    assert!(
        !all || (coverage.none > 100
            && coverage.some > 100
            && coverage.unknown_circumstances > 100
            && coverage.left_out > 100
            && coverage.intervals > 10
            && coverage.crossing > 100),
        "{coverage:?}"
    );
}
