//! One operation on diagrams stays within its bound, whatever it would build.

use super::*;
use detente_condition::Domain;
use std::sync::Arc;

fn members(count: usize) -> Domain {
    Domain::Members((0..count).map(|member| Arc::from(format!("m{member}"))).collect())
}

/// Where the first `count` bits from `one` on equal those from `other` on.
fn equal(diagrams: &Diagrams<'_>, one: usize, other: usize, count: usize) -> Bdd {
    let bit = |at: usize, value: bool| diagrams.set.mk_literal(diagrams.variables[at], value);
    let mut all = diagrams.set.mk_true();
    for at in 0..count {
        let (left, right) = (bit(one + at, true), bit(other + at, true));
        all = all.and(&left.iff(&right));
    }
    all
}

#[test]
fn an_operation_whose_result_is_small_and_whose_way_is_long_is_not_begun() {
    let budget = Budget::unhurried();
    let domains = [members(10), members(16), members(17)];
    let space = Space::new(&domains, []).unwrap();
    let order: Vec<(InputId, Vec<usize>)> = (0..3).map(|input| (InputId(input), Vec::new())).collect();
    let diagrams = Diagrams::new(&order, &space, &budget).unwrap();
    let top = diagrams.set.mk_literal(diagrams.variables[42], true);
    // The one tests the first set against the third, the other the second: nearly every pair of their nodes is met, and
    // in the end nothing is left.
    let one = equal(&diagrams, 0, 26, 10).and(&top.not());
    let other = equal(&diagrams, 10, 26, 16).and(&top);
    assert!(one.size() > 2_000 && other.size() > 100_000, "{} and {}", one.size(), other.size());
    assert_eq!(diagrams.and(&other, &one).err(), Some(CutShort::Work));
    // What stays within it is done.
    assert!(diagrams.and(&one, &top).is_ok_and(|none| none.is_false()));
}
