//! However small the budget of time or work of an analysis, its answer is correct and says whether it is complete.

use super::robustness::probabilities;
use crate::oracle::case::{Case, Kind, for_seeds};
use detente_analysis::{
    Amendments, BindingProbabilities, Bounds, Budget, Impasse, PackageOrder, PackageQuery, PackageResults, Problem,
    Robustness, SearchLimit,
};
use std::cell::Cell;
use std::collections::BTreeMap;

/// How many answers of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
struct Coverage {
    answers: usize,
    /// For each analysis, the number of answers that the budget left incomplete.
    cut_short: BTreeMap<&'static str, usize>,
    /// For each analysis, the number of incomplete answers that nevertheless contain the main result.
    partly: BTreeMap<&'static str, usize>,
    /// The greatest number of times that one analysis checked whether time is left.
    most_asks: usize,
    /// For each bound, the number of answers that it left incomplete.
    by_bound: [usize; 8],
}

/// The answers of all analyses to the questions about one case.
struct Answers {
    amendments: Amendments,
    packages: Vec<PackageResults>,
    impasse: Impasse,
    robustness: Robustness,
}

struct Questions<'a> {
    case: &'a Case,
    problem: Problem,
    wanted: Vec<PackageQuery>,
    probabilities: BindingProbabilities,
}

const MOST: usize = 4;

/// Selects one of the bounds on the work of an analysis.
type Bound = fn(&mut Bounds) -> &mut usize;

impl Questions<'_> {
    /// The answers to all questions, each found within a budget of its own.
    fn answers<'b>(&self, budget: &dyn Fn() -> Budget<'b>) -> Answers {
        let packages = self.wanted.iter().map(|wanted| self.problem.packages(wanted, &budget()).unwrap());
        Answers {
            amendments: self.problem.amendments(&self.case.given(), MOST, &budget()).unwrap(),
            packages: packages.collect(),
            impasse: self.problem.impasse(MOST, &budget()),
            robustness: self
                .problem
                .robustness(Some(&self.case.given()), &self.probabilities, true, &budget())
                .unwrap(),
        }
    }
}

/// Fails unless a value of an answer is absent or equals the same value of the complete answer.
fn absent_or_equal<T: PartialEq + std::fmt::Debug>(found: &Option<T>, whole: &Option<T>) {
    assert!(found.is_none() || found == whole, "{found:?} against {whole:?}");
}

fn check_amendments(found: &Amendments, whole: &Amendments) -> (Option<SearchLimit>, bool) {
    absent_or_equal(&found.any, &whole.any);
    assert_eq!(found.found, whole.found[..found.found.len()], "the first of the same order");
    assert!(found.cut_short.is_some() || found == whole);
    (found.cut_short, found.any.is_some())
}

fn check_packages(found: &PackageResults, whole: &PackageResults) -> (Option<SearchLimit>, bool) {
    absent_or_equal(&found.count, &whole.count);
    absent_or_equal(&found.by_integer, &whole.by_integer);
    assert_eq!(found.issues, whole.issues);
    assert_eq!(found.packages, whole.packages[..found.packages.len()], "the first of the same order");
    assert_eq!(found.efficient, whole.efficient[..found.efficient.len()], "the first of the same order");
    absent_or_equal(&found.bargain, &whole.bargain);
    if found.compared {
        assert_eq!(found.efficient_points, whole.efficient_points);
        assert_eq!(found.efficient_packages, whole.efficient_packages);
    } else {
        assert!(found.efficient.is_empty() && found.bargain.is_none());
    }
    if found.cut_short.is_none() {
        let parts = |found: &PackageResults| (found.count.clone(), found.packages.clone(), found.compared);
        assert_eq!(parts(found), parts(whole));
        assert_eq!(
            (&found.efficient, &found.bargain, &found.by_integer),
            (&whole.efficient, &whole.bargain, &whole.by_integer)
        );
    }
    (found.cut_short, found.count.is_some())
}

fn check_impasse(found: &Impasse, whole: &Impasse) -> (Option<SearchLimit>, bool) {
    absent_or_equal(&found.is_impasse, &whole.is_impasse);
    absent_or_equal(&found.in_every, &whole.in_every);
    absent_or_equal(&found.in_none, &whole.in_none);
    assert!(!found.is_contradiction || whole.is_contradiction);
    assert_eq!(found.conflicts, whole.conflicts[..found.conflicts.len()], "the first of the same order");
    assert_eq!(found.concessions, whole.concessions[..found.concessions.len()], "the first of the same order");
    if matches!(found.cut_short, None | Some(SearchLimit::Results)) {
        assert_eq!(found, whole);
    }
    (found.cut_short, found.is_impasse.is_some())
}

fn check_robustness(found: &Robustness, whole: &Robustness) -> (Option<SearchLimit>, bool) {
    absent_or_equal(&found.proposal, &whole.proposal);
    absent_or_equal(&found.best, &whole.best);
    assert!(found.importance.iter().all(|importance| whole.importance.contains(importance)));
    if found.cut_short.is_none() {
        assert_eq!((found.proposal, &found.best), (whole.proposal, &whole.best));
        assert_eq!(found.importance, whole.importance);
    }
    (found.cut_short, found.proposal.is_some())
}

fn check(found: &Answers, whole: &Answers, cut: SearchLimit, coverage: &mut Coverage) {
    let mut results = vec![
        ("amendments", check_amendments(&found.amendments, &whole.amendments)),
        ("impasse", check_impasse(&found.impasse, &whole.impasse)),
        ("robustness", check_robustness(&found.robustness, &whole.robustness)),
    ];
    let packages = found.packages.iter().zip(&whole.packages);
    results.extend(packages.map(|(found, whole)| ("packages", check_packages(found, whole))));
    for (question, (cut_short, partly)) in results {
        coverage.answers += 1;
        let is_known = matches!(cut_short, None | Some(SearchLimit::Results)) || cut_short == Some(cut);
        assert!(is_known, "{question}: {cut_short:?}, where {cut:?} is expected");
        if cut_short == Some(cut) {
            *coverage.cut_short.entry(question).or_default() += 1;
            *coverage.partly.entry(question).or_default() += usize::from(partly);
        }
    }
}

#[test]
fn answers_cut_short_are_correct_and_marked() {
    let mut coverage = Coverage::default();
    let all = for_seeds(50_000..50_060, &[], |seed| {
        let mut kind = Kind { preferences: 4, pins: 8, floors: 3, ..Kind::of(seed) };
        kind.size.completions = 300;
        kind.size.red_lines = 7;
        let (case, (mut probabilities, _)) = Case::with_choices(seed, &kind, probabilities);
        let problem = case.problem();
        probabilities.truncate(problem.lines.len());
        let wanted = |order: PackageOrder, compared: bool| PackageQuery {
            most: MOST,
            order,
            efficient: compared,
            disagreement: compared.then(Vec::new),
        };
        let wanted = vec![wanted(PackageOrder::Stable, true), wanted(PackageOrder::Diverse, false)];
        let asked = Questions { case: &case, problem, wanted, probabilities: probabilities.into() };
        let asks = Cell::new(0usize);
        let most_asks = Cell::new(0usize);
        let never = || {
            asks.set(asks.get() + 1);
            most_asks.set(most_asks.get().max(asks.get()));
            false
        };
        let whole = asked.answers(&|| {
            asks.set(0);
            Budget::new(&never, &|_| {})
        });
        assert!(!matches!(whole.impasse.cut_short, Some(SearchLimit::Work | SearchLimit::Deadline)));
        let most_asks = most_asks.get();
        coverage.most_asks = coverage.most_asks.max(most_asks);
        // Let the time end at each of the first 120 checks of the budget, and then at regular intervals.
        let few = (0..=most_asks.min(120)).chain((120..=most_asks).step_by(1 + most_asks / 40));
        for left in few {
            let stop = || {
                asks.set(asks.get() + 1);
                asks.get() > left
            };
            let found = asked.answers(&|| {
                asks.set(0);
                Budget::new(&stop, &|_| {})
            });
            check(&found, &whole, SearchLimit::Deadline, &mut coverage);
        }
        let each: [(Bound, usize); 8] = [
            (|bounds| &mut bounds.nodes, 1),
            (|bounds| &mut bounds.steps, 10),
            (|bounds| &mut bounds.bytes, 100),
            (|bounds| &mut bounds.conflicts, 1),
            (|bounds| &mut bounds.counting, 1),
            (|bounds| &mut bounds.of_one_size, 1),
            (|bounds| &mut bounds.points, 10),
            (|bounds| &mut bounds.points_at_once, 1),
        ];
        for size in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128] {
            let mut all_small = Bounds::default();
            for (at, (bound, unit)) in each.iter().enumerate() {
                let mut bounds = Bounds::default();
                *bound(&mut bounds) = size * unit;
                *bound(&mut all_small) = size * unit;
                let found = asked.answers(&|| Budget::unhurried().with_bounds(bounds));
                let cut_before: usize = coverage.cut_short.values().sum();
                check(&found, &whole, SearchLimit::Work, &mut coverage);
                coverage.by_bound[at] += coverage.cut_short.values().sum::<usize>() - cut_before;
            }
            let found = asked.answers(&|| Budget::unhurried().with_bounds(all_small));
            check(&found, &whole, SearchLimit::Work, &mut coverage);
        }
    });
    println!("{coverage:?}");
    if all {
        let questions = ["amendments", "impasse", "packages", "robustness"];
        assert!(
            questions.iter().all(|question| coverage.partly.get(question).is_some_and(|some| *some > 100)),
            "{coverage:?}"
        );
        assert!(coverage.by_bound.iter().all(|some| *some > 10), "each bound cuts something short: {coverage:?}");
    }
}
