//! The probability that no binding red line is crossed, compared with brute force: to 1e-9, and exactly if all
//! probabilities are multiples of 1/4.
//!
//! A red line is binding if crossing it would in fact undo a deal. The caller states the probability of that.

use super::packages::cell_of;
use crate::oracle::case::{Case, Kind, for_seeds};
use crate::oracle::generate::Choices;
use crate::oracle::search::{Met, Search, members};
use crate::oracle::world::Knowledge;
use detente_analysis::{BindingProbabilities, Budget, CountedLineIndex, ProbabilityRange};

/// How many cases of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    no_package: usize,
    between: usize,
    apart: usize,
    best_apart: usize,
    important: usize,
    besides: usize,
}

const EXACT: f64 = 1e-9;

/// The probability that none of the crossed red lines binds, if the red lines bind independently of each other.
fn spared(crossed: u32, probabilities: &[f64]) -> f64 {
    members(crossed).into_iter().map(|line| 1.0 - probabilities[line]).product()
}

/// The least and the greatest probability that no crossed red line binds, over all the given packages (one answer for
/// each issue) and all values of the circumstances.
fn range<'a>(met: impl Iterator<Item = &'a Met>, probabilities: &[f64]) -> Option<ProbabilityRange> {
    let each: Vec<f64> =
        met.flat_map(|met| met.crossed.iter().map(|crossed| spared(*crossed, probabilities))).collect();
    let low = each.iter().copied().reduce(f64::min)?;
    Some(ProbabilityRange { low, high: each.into_iter().fold(low, f64::max) })
}

/// The range of the best package: the one with the greatest lower bound or, among those with the same lower bound, the
/// one with the greatest upper bound.
fn best(search: &Search<'_>, probabilities: &[f64]) -> Option<ProbabilityRange> {
    let admissible = search.met.iter().filter(|met| met.is_admissible());
    let ranges = admissible.filter_map(|met| range(std::iter::once(met), probabilities));
    ranges.max_by(|one, other| one.low.total_cmp(&other.low).then(one.high.total_cmp(&other.high)))
}

fn is_near(one: ProbabilityRange, other: ProbabilityRange) -> bool {
    (one.low - other.low).abs() < EXACT && (one.high - other.high).abs() < EXACT
}

/// Whether a range is that of some best package. Several packages may be equally good, and rounding may decide which of
/// them the analysis returns.
fn is_best(search: &Search<'_>, probabilities: &[f64], found: Option<ProbabilityRange>) -> bool {
    let (Some(found), Some(best)) = (found, best(search, probabilities)) else {
        return found.is_none() && best(search, probabilities).is_none();
    };
    let mut admissible = search.met.iter().filter(|met| met.is_admissible());
    (found.low - best.low).abs() < EXACT
        && admissible.any(|met| range(std::iter::once(met), probabilities).is_some_and(|of| is_near(of, found)))
}

pub(crate) fn check(case: &Case, given: &[f64], quarters: bool, with_terms: bool, coverage: &mut Coverage) {
    let problem = case.problem();
    let search = Search::new(case);
    let probabilities = &given[..problem.lines.len()];
    let stated: BindingProbabilities = probabilities.to_vec().into();
    let terms = with_terms.then(|| case.given());
    let found = problem.robustness(terms.as_deref(), &stated, true, &Budget::unhurried()).unwrap();
    assert_eq!(found.cut_short, None);
    let known = case.known(&case.terms);
    let within = search.within(&known);
    let of_proposal = |probabilities: &[f64]| {
        range(within.iter().map(|assignment| &search.met[*assignment]), probabilities).filter(|_| with_terms)
    };
    let same = |found: Option<ProbabilityRange>, expected: Option<ProbabilityRange>| match (found, expected) {
        (Some(found), Some(expected)) => is_near(found, expected),
        (found, expected) => found == expected,
    };
    let check_best = |found: Option<ProbabilityRange>, probabilities: &[f64]| {
        let expected = best(&search, probabilities);
        if quarters {
            assert_eq!(found, expected);
        }
        assert!(is_best(&search, probabilities, found), "{found:?} against {expected:?}");
    };
    let expected = of_proposal(probabilities);
    assert!(same(found.proposal, expected), "{:?} against {expected:?}", found.proposal);
    check_best(found.best.as_ref().map(|best| best.probability), probabilities);
    if let Some(best) = &found.best {
        let mut terms: Vec<Option<Knowledge>> = vec![None; case.world.inputs.len()];
        for (issue, answer) in &best.package.answers {
            terms[issue.index()] = Some(Knowledge::from(*answer));
        }
        cell_of(case, &problem, &problem.issues(), &best.package);
        // If the package omits an issue, all answers to that issue are equally good.
        let mut known: Vec<Knowledge> = terms.into_iter().map(|term| term.unwrap_or(Knowledge::Nothing)).collect();
        known.truncate(search.domains.len());
        for assignment in search.within(&known) {
            let met = &search.met[assignment];
            assert!(met.is_admissible(), "the best package meets pins, goal and constraints");
            let of = range(std::iter::once(met), probabilities).unwrap();
            assert!(is_near(of, best.probability), "{of:?} against {best:?}");
        }
    }

    let mut lines: Vec<CountedLineIndex> = Vec::new();
    let mut changes: Vec<f64> = Vec::new();
    for importance in &found.importance {
        let with = |probability: f64| -> Vec<f64> {
            let mut certain = probabilities.to_vec();
            certain[importance.line.index()] = probability;
            certain
        };
        let (binding, not) = (with(1.0), with(0.0));
        let (of_binding, of_not) = importance.proposal.unzip();
        assert!(same(of_binding, of_proposal(&binding)), "{importance:?}");
        assert!(same(of_not, of_proposal(&not)), "{importance:?}");
        let (best_binding, best_not) = importance.best.unzip();
        check_best(best_binding, &binding);
        check_best(best_not, &not);
        let pair = importance.proposal.or(importance.best);
        let change = |(binding, not): (ProbabilityRange, ProbabilityRange)| {
            (not.low - binding.low).abs().max((not.high - binding.high).abs())
        };
        changes.push(pair.map_or(0.0, change));
        lines.push(importance.line);
    }
    assert!(changes.windows(2).all(|pair| pair[0] >= pair[1] - EXACT), "the greatest change comes first: {changes:?}");
    let ties = lines.windows(2).zip(changes.windows(2)).filter(|(_, changes)| changes[0] == changes[1]);
    assert!(
        ties.into_iter().all(|(lines, _)| lines[0] < lines[1]),
        "red lines with equal changes are in the scenario's order: {lines:?} {changes:?}"
    );
    lines.sort_unstable();
    assert_eq!(lines, problem.lines.indices().collect::<Vec<_>>(), "each red line is listed once");
    let silent = problem.robustness(terms.as_deref(), &stated, false, &Budget::unhurried()).unwrap();
    assert_eq!((silent.proposal, &silent.best), (found.proposal, &found.best));
    assert!(silent.importance.is_empty());

    coverage.no_package += usize::from(found.best.is_none());
    coverage.between += usize::from(found.proposal.is_some_and(|range| range.low > 0.0 && range.low < 1.0));
    coverage.apart += usize::from(found.proposal.is_some_and(|range| range.low < range.high));
    coverage.important += usize::from(changes.first().is_some_and(|change| *change > 0.0));
    if let Some(best) = found.best {
        coverage.best_apart += usize::from(best.probability.low < best.probability.high);
        coverage.besides += usize::from(!best.package.crosses.is_empty());
    }
}

/// A probability for each red line, and whether all are multiples of 1/4. Floating-point sums and products of a few
/// such numbers are exact.
pub(crate) fn probabilities(choices: &mut Choices) -> (Vec<f64>, bool) {
    let quarters = choices.one_in(2);
    let from = if quarters { [0.0, 0.25, 0.5, 0.75, 1.0] } else { [0.0, 0.1, 0.37, 0.9, 1.0] };
    ((0..12).map(|_| from[choices.below(5)]).collect(), quarters)
}

#[test]
fn probabilities_are_exact() {
    let mut coverage = Coverage::default();
    let all = for_seeds(40_000..42_000, &[171_798_691_840_672], |seed| {
        let mut kind = Kind { floors: 3, ..Kind::of(seed) };
        kind.size.red_lines = 7;
        let (case, ((given, quarters), with_terms)) =
            Case::with_choices(seed, &kind, |choices| (probabilities(choices), !choices.one_in(4)));
        check(&case, &given, quarters, with_terms, &mut coverage);
    });
    println!("{coverage:?}");
    assert!(
        !all || (coverage.no_package > 100
            && coverage.between > 100
            && coverage.apart > 100
            && coverage.best_apart > 20
            && coverage.important > 100
            && coverage.besides > 50),
        "{coverage:?}"
    );
}
