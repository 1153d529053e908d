//! The analyses of issues with as many values as the analyses support: a choice of 64 options, and a quantity that
//! conditions divide into 128 intervals.

use super::{amendments, impasses, packages, robustness};
use crate::oracle::case::Case;
use crate::oracle::expression::{Expression, Op};
use crate::oracle::world::{Input, Kind, Knowledge, RedLine, Span, Value, World};
use detente_core::scenario::model::Firmness;
use std::collections::{BTreeMap, BTreeSet};

const NUMBERS: i64 = 128;
const OPTIONS: u32 = 64;

/// A case with two issues: a quantity and a choice. Only two deals pass: number 1 with the last option, and the last
/// number with the first option.
fn case(terms: [Option<Knowledge>; 2], pins: Vec<(usize, Knowledge)>) -> Case {
    let input = |index: usize, kind: Kind| Input { index, kind, is_issue: true, defaults: Vec::new() };
    let line = |condition: Expression, firmness: Firmness| RedLine {
        party: 0,
        requires: false,
        condition,
        firmness,
        held: vec![Span { from: 1, stated: true, until: None }],
        waivers: Vec::new(),
    };
    let or = |one: Expression, other: Expression| Expression::Or(Box::new(one), Box::new(other));
    let both = |one: Expression, other: Expression| Expression::And(Box::new(one), Box::new(other));
    let within =
        |low: i64, high: i64| both(Expression::Number(0, Op::AtLeast, low), Expression::Number(0, Op::AtMost, high));
    let world = World {
        inputs: vec![input(0, Kind::Quantity(0, NUMBERS - 1)), input(1, Kind::Choice(OPTIONS))],
        parties: vec![true],
        red_lines: vec![
            line(Expression::Numbers(0, (0..NUMBERS).step_by(2).collect()), Firmness::Firm),
            line(within(2, NUMBERS - 3), Firmness::Negotiable),
            line(Expression::OneOf(1, (1..OPTIONS - 1).collect()), Firmness::Firm),
            line(
                or(
                    both(Expression::Number(0, Op::Less, 64), Expression::Option(1, 0)),
                    both(Expression::Number(0, Op::AtLeast, 64), Expression::Option(1, OPTIONS - 1)),
                ),
                Firmness::Absolute,
            ),
        ],
        constraints: Vec::new(),
        preferences: Vec::new(),
        day: 1,
    };
    Case {
        seed: 0,
        world,
        circumstances: vec![None, None],
        terms: terms.to_vec(),
        pins,
        goal: None,
        floor: Firmness::Negotiable,
        counts: vec![true],
        dropped: BTreeSet::new(),
        firmness: BTreeMap::new(),
        added: Vec::new(),
    }
}

#[test]
fn the_widest_domains_are_resolved_to_their_ends() {
    let number = |number| Some(Knowledge::Exactly(Value::Quantity(number)));
    let option = |option| Some(Knowledge::Exactly(Value::Choice(option)));
    let questions = [
        ([None, None], vec![]),
        ([number(0), option(0)], vec![]),
        ([number(NUMBERS - 1), option(OPTIONS - 1)], vec![]),
        ([number(70), Some(Knowledge::OneOf(vec![1, OPTIONS - 2, OPTIONS - 1]))], vec![]),
        ([Some(Knowledge::Between(60, NUMBERS - 2)), option(31)], vec![(1, Knowledge::OneOf(vec![0, 5, OPTIONS - 1]))]),
        ([number(64), None], vec![(0, Knowledge::Between(3, NUMBERS - 4))]),
        (
            [number(64), option(3)],
            vec![(0, Knowledge::Between(NUMBERS - 1, NUMBERS - 1)), (1, Knowledge::OneOf(vec![0, 63]))],
        ),
    ];
    for (terms, pins) in questions {
        let case = case(terms, pins);
        packages::check(&case, 5, &mut packages::Coverage::default());
        amendments::check(&case, 5, &mut amendments::Coverage::default());
        impasses::check(&case, 5, &mut impasses::Coverage::default());
        robustness::check(&case, &[0.1, 0.37, 0.9, 0.5], false, true, &mut robustness::Coverage::default());
    }
}
