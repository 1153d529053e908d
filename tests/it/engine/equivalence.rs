//! The core decides whether two evaluations are equivalent, without making messages of them. This must be so exactly if
//! their messages in the API are equal.

use crate::oracle::agreement::{compile, in_order};
use crate::oracle::generate::{self, Choices};
use crate::oracle::world::LAST_DAY;
use detente::convert::evaluation::from_evaluation;
use detente::schema::proto::v1;
use detente_core::engine::{Compiled, Detail, Evaluation, FindingOutline, Given};
use detente_core::scenario::index::RedLineIndex;
use jiff::civil::Date;
use proptest::prelude::*;
use std::cell::Cell;

/// What a history reports about one day. The first part is the message without its day. The second part is the status
/// of every red line, because a message with basic detail does not say whether a red line is clear or not yet recorded.
type Reported = (v1::Evaluation, Vec<(RedLineIndex, FindingOutline)>);

fn reported(compiled: &Compiled, given: &[Given], full: &Evaluation, detail: Detail) -> Reported {
    let evaluation = compiled.evaluate(given, Some(full.day), detail).unwrap();
    let message = from_evaluation(compiled.scenario(), &evaluation, detail, &[]);
    let summary = message.summary.replace(&full.day.to_string(), "that day");
    let outlines = full.findings.iter().map(|finding| (finding.red_line, FindingOutline::from(finding)));
    (v1::Evaluation { as_of: None, summary, ..message }, outlines.collect())
}

#[test]
fn evaluations_of_a_proposal_are_equivalent_exactly_if_their_messages_are_equal() {
    let (same, different) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bytes in prop::collection::vec(any::<u8>(), 0..160))| {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let compiled = compile(&world.yaml(&in_order(&world)));
        let proposals = [(); 2].map(|()| world.given(&generate::given(&world, &mut choices)));
        let days = [1, world.day, LAST_DAY].map(|day| Date::constant(2025, 1, i8::try_from(day).unwrap()));
        let all: Vec<(&[Given], Evaluation)> = proposals
            .iter()
            .flat_map(|given| days.map(|day| (&given[..], compiled.evaluate(given, Some(day), Detail::Full).unwrap())))
            .collect();
        for detail in [Detail::Basic, Detail::Full] {
            for (given, evaluation) in &all {
                for (other_given, other) in &all {
                    let (ours, theirs) =
                        (reported(&compiled, given, evaluation, detail), reported(&compiled, other_given, other, detail));
                    let is_equal = ours == theirs;
                    let count = if is_equal { &same } else { &different };
                    count.set(count.get() + 1);
                    let is_equivalent = evaluation.says_the_same_as(other, detail);
                    // Two different proposals may leave different answers to an open input possible although their
                    // messages are equal.
                    let is_decided = std::ptr::eq(*given, *other_given) || is_equivalent;
                    prop_assert!(
                        !is_decided || is_equivalent == is_equal,
                        "{:?}: {}\n{:?}\n{:?}", detail, is_equivalent, ours, theirs
                    );
                }
            }
        }
    });
    assert!(same.get() > 10_000 && different.get() > 10_000, "{same:?} equal, {different:?} different");
}
