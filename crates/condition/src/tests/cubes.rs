//! Tests of prime implicants: completeness, canonical order, limits and extreme values.

use super::{domains, vocabulary};
use crate::{
    Answer, ComplexityError, Decision, Domain, Formula, InputIndex, MAX_INTERVALS, Space, Value, WorkBudget, read,
};
use proptest::prelude::*;
use std::sync::Arc;

fn compiled(text: &str) -> (Space, Decision) {
    let formula = read(text, &vocabulary()).unwrap();
    let domains: Vec<Domain> = domains().into_iter().map(|(_, domain)| domain).collect();
    let space = Space::new(&domains, [&formula]).unwrap();
    let decision = Decision::compile(&formula, &space, WorkBudget::default()).unwrap();
    (space, decision)
}

fn counts(text: &str) -> (usize, usize) {
    let (_, decision) = compiled(text);
    (decision.holds.len(), decision.fails.len())
}

#[test]
fn all_prime_implicants_are_found_and_nothing_else() {
    assert_eq!(counts("backed"), (1, 1));
    assert_eq!(counts("backed || !backed"), (1, 0));
    // `a && b || !a && c` has the consensus `b && c` as a third prime implicant.
    assert_eq!(counts(r#"backed ? scope == "all" : days > 30"#), (3, 3));
    assert_eq!(counts("size(force) >= 2"), (6, 4));
    assert_eq!(counts("size(force) == 2"), (6, 8));
    assert_eq!(counts("force.exists(m, m in nato)"), (2, 1));
    assert_eq!(counts("days < 7 || days > 30"), (1, 1));
}

#[test]
fn equivalent_conditions_compile_to_equal_cubes() {
    let (_, a) = compiled(r#"scope == "all" && (backed || days > 30)"#);
    let (_, b) = compiled(r#"!(scope in ["none", "air"] || !backed && !(days > 30))"#);
    assert_eq!(a, b);
}

#[test]
fn exceeding_a_budget_reports_its_limit() {
    let members: Arc<[Arc<str>]> = (0..40).map(|at| Arc::from(format!("m{at}"))).collect();
    let domain = Domain::Members(members);
    let of = |low: u32| Formula::Atom(crate::Atom::Count { input: InputIndex(0), allowed: u128::MAX << low });
    let space = Space::new([&domain], []).unwrap();
    assert!(Decision::compile(&of(2), &space, WorkBudget::default()).is_ok());
    let cubes = Decision::compile(&of(20), &space, WorkBudget::default());
    assert_eq!(cubes, Err(ComplexityError::Cubes { limit: WorkBudget::MAX_CUBES }));
    let work = Decision::compile(&of(2), &space, WorkBudget::new(WorkBudget::MAX_CUBES, 100));
    assert_eq!(work, Err(ComplexityError::Work { limit: 100 }));
}

#[test]
fn cuts_are_bounded() {
    let domain = Domain::Quantity { min: 0, max: 10_000 };
    // Each isolated number adds two cuts, so that n numbers make 2 n + 1 intervals.
    let formula = |numbers: i64| {
        let numbers = crate::Numbers::new((1..=numbers).map(|at| (at * 3, at * 3)));
        Formula::Atom(crate::Atom::Numbers { input: InputIndex(0), allowed: numbers })
    };
    let most = i64::try_from(MAX_INTERVALS).unwrap() / 2 - 1;
    assert!(Space::new([&domain], [&formula(most)]).is_ok());
    let faults = Space::new([&domain], [&formula(most + 1)]).unwrap_err();
    assert_eq!(faults[0].intervals, MAX_INTERVALS + 1);
}

#[test]
fn an_answer_of_a_different_kind_leaves_everything_possible() {
    let (space, _) = compiled("backed");
    let axis = space.axis(InputIndex(2)).unwrap();
    assert_eq!(axis.possible(&Answer::Exact(Value::Quantity(3))), axis.full());
    assert_eq!(axis.possible(&Answer::AnyOf(0)), axis.full());
    assert_eq!(axis.possible(&Answer::Exact(Value::Choice(crate::EntryIndex(200)))), axis.full());
}

#[test]
fn conditions_on_the_extremes_of_i64_are_exact() {
    let domain = Domain::Quantity { min: i64::MIN, max: i64::MAX };
    let mut vocabulary = crate::Vocabulary::default();
    vocabulary.add_input("n".into(), InputIndex(0), domain.clone());
    let formula = read("n > 9223372036854775806 || n == -9223372036854775808", &vocabulary).unwrap();
    let space = Space::new([&domain], [&formula]).unwrap();
    let decision = Decision::compile(&formula, &space, WorkBudget::default()).unwrap();
    let holds = |number| {
        let possible = space.axis(InputIndex(0)).unwrap().possible(&Answer::Exact(Value::Quantity(number)));
        decision.holds.iter().any(|cube| cube.iter().all(|literal| possible & literal.forbids == 0))
    };
    assert_eq!([i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX].map(holds), [true, false, false, false, true]);
}

proptest! {
    /// Reading any text terminates without a panic.
    #[test]
    fn any_text_is_read_or_rejected(text in ".{0,80}") {
        drop(read(&text, &vocabulary()));
    }

    /// Reading any sequence of the language's tokens terminates without a panic.
    #[test]
    fn any_sequence_of_tokens_is_read_or_rejected(
        parts in prop::collection::vec(prop::sample::select(vec![
            "scope", "days", "force", "backed", "nato", "==", "!=", "<", "in", "&&", "||", "!", "?", ":", "(", ")",
            "[", "]", ",", ".", "exists", "size", "\"uk\"", "\"all\"", "3", "-", "m", "true", "{", "}", "'", "\\",
        ]), 0..24)
    ) {
        drop(read(&parts.join(" "), &vocabulary()));
    }
}
