//! Tests of the bound on the steps of one operation on decision diagrams.

use super::*;
use detente_condition::Domain;
use std::sync::Arc;

fn members(count: usize) -> Domain {
    Domain::Members((0..count).map(|member| Arc::from(format!("m{member}"))).collect())
}

/// Builds the diagram of "the `count` bits that start at `one` equal the `count` bits that start at `other`".
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
fn an_operation_beyond_the_step_bound_is_rejected_although_its_result_is_small() {
    let budget = Budget::unhurried();
    let domains = [members(10), members(16), members(17)];
    let space = Space::new(&domains, []).unwrap();
    let order: Vec<(InputIndex, Vec<CountedLineIndex>)> = (0..3).map(|input| (InputIndex(input), Vec::new())).collect();
    let diagrams = Diagrams::new(&order, &space, &budget).unwrap();
    let top = diagrams.set.mk_literal(diagrams.variables[42], true);
    // `one` compares the first set with the third, `other` the second set with the third. The conjunction visits nearly
    // every pair of their nodes, and its result is empty.
    let one = equal(&diagrams, 0, 26, 10).and(&top.not());
    let other = equal(&diagrams, 10, 26, 16).and(&top);
    assert!(one.size() > 2_000 && other.size() > 100_000, "{} and {}", one.size(), other.size());
    assert_eq!(diagrams.and(&other, &one).err(), Some(SearchLimit::Work));
    // An operation within the bound succeeds.
    assert!(diagrams.and(&one, &top).is_ok_and(|none| none.is_false()));
}
