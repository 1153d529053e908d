//! Amendments, compared with brute force: the packages that pass and are nearest to a proposal.
//!
//! A package is a deal. It passes if it crosses no red line that counts for the question, breaks no constraint, and
//! meets the goal (a condition) and the pins (terms that it must have) of the question. An amendment consists of steps,
//! each of which changes one answer or one member.

use crate::oracle::case::{Case, Kind, for_seeds};
use crate::oracle::nearest::{Way, nearest};
use crate::oracle::search::{Search, place};
use crate::oracle::world::{Kind as InputKind, Knowledge, Value};
use detente_analysis::{Amendment, AmendmentStepKind, Budget, MAX_AMENDMENTS, Problem};
use detente_condition::{Answer, EntryIndex, InputIndex};
use detente_core::scenario::index::RedLineIndex;

/// How many cases of each kind the seeds produced. The test fails if a kind has become rare, so that each is checked.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    none: usize,
    as_it_is: usize,
    amended: usize,
    several: usize,
    changed: usize,
    settled: usize,
    toggled: usize,
    moved: usize,
    stays_open: usize,
    newly_crossing: usize,
    /// The number of cases in which some open members of a set were settled and the others stay open.
    partly: usize,
}

/// Compares up to `most` amendments of a case's proposal with those that brute force finds.
pub(crate) fn check(case: &Case, most: usize, coverage: &mut Coverage) {
    let problem = case.made_ready(Problem::new);
    let search = Search::new(case);
    let before = case.known(&case.terms);
    let found = problem.amendments(&case.given(), most, &Budget::unhurried()).unwrap();
    let expected = nearest(&search, &problem.space, &before, most);
    assert_eq!(found.cut_short, None);
    assert_eq!(found.any, Some(search.passing().next().is_some()));
    let distances = |ways: &[Way]| ways.iter().map(Way::distance).collect::<Vec<_>>();
    assert_eq!(found.found.iter().map(|amended| amended.distance).collect::<Vec<_>>(), distances(&expected));
    for (amended, way) in found.found.iter().zip(&expected) {
        check_one(case, &problem, &search, &before, amended, way, coverage);
    }
    coverage.none += usize::from(expected.is_empty());
    coverage.as_it_is += usize::from(expected.first().is_some_and(|way| way.touched == 0));
    coverage.amended += usize::from(expected.first().is_some_and(|way| way.touched != 0));
    coverage.several += usize::from(expected.len() > 1);
}

fn check_one(
    case: &Case,
    problem: &Problem,
    search: &Search<'_>,
    before: &[Knowledge],
    amended: &Amendment,
    way: &Way,
    coverage: &mut Coverage,
) {
    let touched: Vec<usize> = amended.answers.iter().map(|(issue, _)| issue.index()).collect();
    let expected: Vec<usize> = (0..way.choices.len()).filter(|issue| way.choices[*issue].is_some()).collect();
    assert_eq!(touched, expected, "{:?} against {way:?}", amended.answers);
    // Among equally near amendments, brute force takes the first one, and settles all members of a set that it changes.
    // The analysis may leave single members open, so for an open set it may return a different amendment. The test
    // still checks its distance, and that each of its steps is needed.
    let is_open_set = |issue: &usize| {
        matches!(case.world.inputs[*issue].kind, InputKind::Members(_))
            && !matches!(before[*issue], Knowledge::Exactly(_))
    };
    let members_were_open = touched.iter().any(is_open_set);
    let mut after = before.to_vec();
    let mut terms = case.terms.clone();
    for (issue, answer) in &amended.answers {
        let issue = issue.index();
        let known = Knowledge::from(*answer);
        assert!(members_were_open || known.admits(way.choices[issue].unwrap()), "{known:?} against {way:?}");
        coverage.partly += usize::from(matches!(known, Knowledge::Partly { .. }));
        if let Knowledge::Between(low, high) = known {
            let ends = [low, high].map(|number| place(&problem.space, issue, Value::Quantity(number)));
            assert_eq!(ends[0], ends[1], "both ends of a range are in one interval");
            let within = |number| before[issue].admits(Value::Quantity(number));
            assert_eq!(within(low), within(high), "a range is either within the open range or outside of it");
        }
        after[issue] = known.clone();
        terms[issue] = Some(known);
    }
    assert_eq!(search.runs_into(&after), [], "an amended proposal passes");
    let (crossed_before, _) = case.crossed_for_certain(&case.terms);
    let (_, besides) = case.crossed_for_certain(&terms);
    assert_eq!(amended.crosses, besides);
    let mut steps = amended.steps.iter();
    for (issue, answer) in &amended.answers {
        for (kind, reverted) in steps_of(case, &before[issue.index()], *issue, answer) {
            let step = steps.next().expect("a step for each change");
            assert_eq!((step.input, step.kind, step.before), (*issue, kind, before[issue.index()].answer()));
            let mut without = after.clone();
            without[issue.index()] = reverted.clone();
            let needed_for = search.runs_into(&without);
            assert_eq!(step.needed_for, needed_for, "of {step:?}");
            let mut terms = terms.clone();
            terms[issue.index()] = Some(reverted);
            let (crossed_without, _) = case.crossed_for_certain(&terms);
            let is_new = |line: &RedLineIndex| !crossed_before.contains(line) && !crossed_without.contains(line);
            let newly: Vec<_> = besides.iter().filter(|(line, _)| is_new(line)).copied().collect();
            assert_eq!(step.newly_crosses, newly, "of {step:?}");
            assert!(!needed_for.is_empty(), "{step:?} is unnecessary");
            assert_eq!(step.settles_open, settles_open(&before[issue.index()], kind), "of {step:?}");
            coverage.newly_crossing += newly.len();
        }
    }
    assert_eq!(steps.next(), None);
    let [changed, settled, toggled, moved] = way.numbers.map(|number| usize::from(number > 0));
    coverage.changed += changed;
    coverage.settled += settled;
    coverage.toggled += toggled;
    coverage.moved += moved;
    let stays = |issue: &usize| !touched.contains(issue) && !matches!(before[*issue], Knowledge::Exactly(_));
    coverage.stays_open += (0..way.choices.len()).filter(stays).count();
}

/// Whether a step settles an issue that was open before, or an open member of an issue that is a set of members.
fn settles_open(before: &Knowledge, kind: AmendmentStepKind) -> bool {
    match (before, kind) {
        (Knowledge::Exactly(_), _) => false,
        (Knowledge::Partly { includes, excludes }, AmendmentStepKind::Member { member, .. }) => {
            (includes | excludes) >> member.index() & 1 == 0
        }
        _ => true,
    }
}

/// The steps that change an issue. Beside each one is what would be known about the issue if only that step were
/// reverted.
fn steps_of(
    case: &Case,
    before: &Knowledge,
    issue: InputIndex,
    answer: &Answer,
) -> Vec<(AmendmentStepKind, Knowledge)> {
    let InputKind::Members(count) = case.world.inputs[issue.index()].kind else {
        return vec![(AmendmentStepKind::Set(*answer), before.clone())];
    };
    let all = (1 << count) - 1;
    let certain = |known: &Knowledge| match known {
        Knowledge::Exactly(Value::Members(members)) => (*members, all & !members),
        Knowledge::Partly { includes, excludes } => (*includes, *excludes),
        _ => (0, 0),
    };
    let ((was_in, was_out), (now_in, now_out)) = (certain(before), certain(&Knowledge::from(*answer)));
    let mut steps = Vec::new();
    for member in 0..count {
        let bit = 1 << member;
        let (was, now) = ((was_in & bit, was_out & bit), (now_in & bit, now_out & bit));
        if was == now {
            continue;
        }
        assert_ne!(now, (0, 0), "an amendment never opens a settled issue");
        let (includes, excludes) = (now_in & !bit | was.0, now_out & !bit | was.1);
        let reverted = if includes | excludes == all {
            Knowledge::Exactly(Value::Members(includes))
        } else {
            Knowledge::Partly { includes, excludes }
        };
        steps.push((
            AmendmentStepKind::Member { member: EntryIndex(u8::try_from(member).unwrap()), inside: now.0 != 0 },
            reverted,
        ));
    }
    steps
}

#[test]
fn amendments_are_the_nearest() {
    let mut coverage = Coverage::default();
    let all = for_seeds(10_000..12_500, &[42_949_672_976_901], |seed| {
        let most = |choices: &mut crate::oracle::generate::Choices| {
            if choices.one_in(2) { MAX_AMENDMENTS } else { choices.below(6) }
        };
        let mut kind = Kind { pins: 10, floors: 2, ..Kind::of(seed) };
        kind.size.completions = 400;
        kind.size.red_lines = 3 + (seed % 3) as usize;
        kind.size.constraints = 1;
        let (case, most) = Case::with_choices(seed, &kind, most);
        check(&case, most, &mut coverage);
    });
    println!("{coverage:?}");
    assert!(
        !all || (coverage.none > 100
            && coverage.as_it_is > 100
            && coverage.amended > 100
            && coverage.several > 20
            && coverage.changed > 100
            && coverage.settled > 100
            && coverage.toggled > 50
            && coverage.moved > 50
            && coverage.stays_open > 100
            && coverage.partly > 20
            && coverage.newly_crossing > 20),
        "{coverage:?}"
    );
}
