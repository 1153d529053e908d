//! The minimal conflicts and minimal concessions of an impasse, compared with brute force.
//!
//! In an impasse, no package (deal) passes: each one crosses a red line that counts for the question. A conflict is a
//! set of red lines that no package can respect together, a concession is a set of red lines whose softening lets a
//! package pass. If no package even meets the goal (a condition), the pins (terms that it must have) and the
//! constraints of the question, the impasse is called a contradiction.

use crate::oracle::case::{Case, Kind, for_seeds};
use crate::oracle::search::{Search, members, minimal};
use detente_analysis::{Budget, CountedLineIndex, Impasse, MAX_IMPASSE_RESULTS, SearchLimit};
use std::collections::BTreeSet;

/// How many cases of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    open: usize,
    contradictions: usize,
    impasses: usize,
    several: usize,
    in_every: usize,
    levels: usize,
    most_conflicts: usize,
    most_concessions: usize,
    most_lines: usize,
}

/// The expected impasse, computed by trying every set of red lines.
fn expected(case: &Case, search: &Search<'_>) -> Impasse {
    let lines = case.counted();
    assert!(lines.len() <= 12, "too many red lines to try all sets of them");
    let all: Vec<CountedLineIndex> = (0..lines.len()).map(CountedLineIndex).collect();
    // For each assignment that meets the goal, the pins and the constraints: the set of red lines that it can cross.
    let crossed: BTreeSet<u32> =
        search.met.iter().filter(|met| met.is_admissible()).map(crate::oracle::search::Met::crossed_somehow).collect();
    let every_line = (1u32 << lines.len()) - 1;
    let passes_without = |softened: u32| crossed.iter().any(|crossed| crossed & !softened == 0);
    let is_impasse = !passes_without(0);
    let is_contradiction = !passes_without(every_line);
    if !is_impasse || is_contradiction {
        let in_every = Some(Vec::new());
        return Impasse {
            is_impasse: Some(is_impasse),
            is_contradiction,
            in_every,
            in_none: Some(all),
            ..Impasse::default()
        };
    }
    let sets = |is_one: &dyn Fn(u32) -> bool| -> Vec<u32> {
        minimal(&(0..=every_line).filter(|set| is_one(*set)).collect::<BTreeSet<u32>>())
    };
    let in_order = |sets: Vec<u32>, firmest_first: bool| -> Vec<Vec<CountedLineIndex>> {
        let lines_of = |set: u32| members(set).into_iter().map(CountedLineIndex).collect();
        let mut sets: Vec<Vec<CountedLineIndex>> = sets.into_iter().map(lines_of).collect();
        let firmest = |set: &Vec<CountedLineIndex>| set.iter().map(|line| lines[line.index()].1.firmness).max();
        sets.sort_by_key(|set| (firmest_first.then(|| firmest(set)), set.len(), set.clone()));
        sets
    };
    let conflicts = in_order(sets(&|kept| !passes_without(every_line & !kept)), false);
    let concessions = in_order(sets(&passes_without), true);
    let is_in = |line: &CountedLineIndex| conflicts.iter().filter(|conflict| conflict.contains(line)).count();
    Impasse {
        is_impasse: Some(true),
        is_contradiction: false,
        in_every: Some(all.iter().copied().filter(|line| is_in(line) == conflicts.len()).collect()),
        in_none: Some(all.into_iter().filter(|line| is_in(line) == 0).collect()),
        conflicts,
        concessions,
        cut_short: None,
    }
}

/// Compares the explanation of a case's impasse with the expected one, without and with a limit of `most` results.
pub(crate) fn check(case: &Case, most: usize, coverage: &mut Coverage) {
    let problem = case.problem();
    let expected = expected(case, &Search::new(case));
    let found = problem.impasse(MAX_IMPASSE_RESULTS, &Budget::unhurried());
    assert_eq!(found, expected);

    // With a small limit the first few are returned, and the answer says that there are more.
    let found = problem.impasse(most, &Budget::unhurried());
    assert_eq!(found.conflicts, expected.conflicts[..most.min(expected.conflicts.len())]);
    assert_eq!(found.concessions, expected.concessions[..most.min(expected.concessions.len())]);
    let more = expected.conflicts.len() > most || expected.concessions.len() > most;
    assert_eq!(found.cut_short, more.then_some(SearchLimit::Results));
    assert_eq!((found.is_impasse, found.is_contradiction), (expected.is_impasse, expected.is_contradiction));
    assert_eq!(found.in_every, expected.in_every);
    let known = expected.conflicts.len() <= most || expected.concessions.len() <= most;
    assert_eq!(found.in_none, expected.in_none.filter(|_| known));

    let concessions = &expected.concessions;
    let firmest = |set: &Vec<CountedLineIndex>| {
        set.iter().map(|line| problem.lines[line.index()].firmness).max().expect("a line to soften")
    };
    coverage.open += usize::from(expected.is_impasse == Some(false));
    coverage.contradictions += usize::from(expected.is_contradiction && !problem.lines.is_empty());
    coverage.impasses += usize::from(!concessions.is_empty());
    coverage.several += usize::from(concessions.len() > 1 && expected.conflicts.len() > 1);
    coverage.in_every += usize::from(expected.in_every.is_some_and(|lines| !lines.is_empty()));
    coverage.levels += usize::from(concessions.iter().map(firmest).collect::<BTreeSet<_>>().len() > 1);
    coverage.most_conflicts = coverage.most_conflicts.max(expected.conflicts.len());
    coverage.most_concessions = coverage.most_concessions.max(concessions.len());
    coverage.most_lines = coverage.most_lines.max(problem.lines.len());
}

#[test]
fn impasses_are_explained_by_all_minimal_conflicts_and_concessions() {
    let mut coverage = Coverage::default();
    let all = for_seeds(20_000..21_200, &[], |seed| {
        let mut kind = Kind { floors: 4, ..Kind::of(seed) };
        kind.size.red_lines = 10;
        kind.size.depth = 2 - (seed % 2) as usize;
        let (case, most) = Case::with_choices(seed, &kind, |choices| choices.below(9));
        check(&case, most, &mut coverage);
    });
    println!("{coverage:?}");
    assert!(
        !all || (coverage.open > 100
            && coverage.contradictions > 100
            && coverage.impasses > 200
            && coverage.several > 50
            && coverage.in_every > 100
            && coverage.levels > 50),
        "{coverage:?}"
    );
}
