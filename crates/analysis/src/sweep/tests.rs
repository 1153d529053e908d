//! Tests of the combinations of values of a sweep, and of its cases.

use super::TooManyCasesError;
use crate::Budget;
use crate::tests::problem;
use detente_condition::{Answer, InputIndex, Value};

const DROUGHT: InputIndex = InputIndex(1);
const RAIN: InputIndex = InputIndex(2);
const GATES: InputIndex = InputIndex(3);

#[test]
fn combinations_are_the_products_of_what_conditions_distinguish() {
    let problem = problem();
    assert_eq!(problem.combinations(&[]).unwrap(), [[]; 0]);
    let flag = |value| (DROUGHT, Answer::Exact(Value::Flag(value)));
    let (little, much) = ((RAIN, Answer::Range { min: 0, max: 50 }), (RAIN, Answer::Range { min: 51, max: 100 }));
    let expected = [[flag(false), little], [flag(false), much], [flag(true), little], [flag(true), much]];
    assert_eq!(problem.combinations(&[DROUGHT, RAIN]).unwrap(), expected);
    // Seven gates have 128 subsets, more than a sweep allows.
    assert_eq!(problem.combinations(&[GATES]), Err(TooManyCasesError));
}

#[test]
fn each_case_is_computed_under_its_own_circumstances() {
    let problem = problem();
    let cases = problem.combinations(&[DROUGHT]).unwrap();
    let sweep = problem.sweep(Some(&[]), &vec![0.75, 0.5].into(), cases, &Budget::unhurried()).unwrap();
    let ranges: Vec<(f64, f64)> =
        sweep.cases.iter().filter_map(|case| case.robustness.proposal).map(|range| (range.low, range.high)).collect();
    // The proposal leaves the payment open. Without a drought, the first red line is crossed if nothing is paid.
    assert_eq!(ranges, [(0.25, 1.0), (0.5, 1.0)]);
    assert_eq!(sweep.cut_short, None);
}

#[test]
fn a_sweep_without_time_says_so_and_has_no_case() {
    let problem = problem();
    let cases = problem.combinations(&[DROUGHT]).unwrap();
    let sweep = problem.sweep(None, &vec![0.25, 0.5].into(), cases, &Budget::new(&|| true, &|_| {})).unwrap();
    assert!(sweep.cases.is_empty() && sweep.cut_short.is_some());
}
