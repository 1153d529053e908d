//! Tests of the conditions that a call supplies.

use super::{domains, vocabulary};
use crate::{CallConditionError, CallConditions, Domain, compile_for_call};

fn compile(texts: &[&str]) -> Result<CallConditions, Vec<CallConditionError>> {
    let domains: Vec<Domain> = domains().into_iter().map(|(_, domain)| domain).collect();
    compile_for_call(texts, &vocabulary(), &domains)
}

fn messages(texts: &[&str]) -> Vec<String> {
    let faults = compile(texts).unwrap_err();
    faults.into_iter().map(|fault| format!("{} {}: {}", fault.condition, fault.at, fault.message)).collect()
}

#[test]
fn the_conditions_of_a_call_share_one_space() {
    let compiled = compile(&["days > 30", r#"backed && days > 7"#]).unwrap();
    assert_eq!(compiled.conditions.len(), 2);
    let axis = compiled.space.axes().get(1).unwrap();
    assert_eq!([axis.interval(0), axis.interval(1), axis.interval(2)], [Some((1, 7)), Some((8, 30)), Some((31, 100))]);
    assert_eq!(axis.interval(3), None);
    let counts = |at: usize| (compiled.conditions[at].1.holds.len(), compiled.conditions[at].1.fails.len());
    assert_eq!([counts(0), counts(1)], [(1, 1), (1, 2)]);
    assert!(compile(&[]).unwrap().conditions.is_empty());
}

#[test]
fn every_fault_of_every_condition_is_reported_with_its_position() {
    assert_eq!(
        messages(&["dayz > 3", "backed", r#"backed && scope == "al""#, "(backed"]),
        [
            "0 0: there is no issue, circumstance or group `dayz`; did you mean `days`?",
            "2 19: `scope` has no option `al`; did you mean `all`?",
            "3 7: the condition is not valid CEL: missing `)` at the end",
        ]
    );
}

#[test]
fn too_many_cuts_are_reported_at_the_condition_that_adds_them() {
    let numbers = |from: u32, to: u32| {
        let numbers: Vec<String> = (from..to).map(|at| (at * 3).to_string()).collect();
        format!("wide in [{}]", numbers.join(", "))
    };
    let domain = Domain::Quantity { min: 0, max: 10_000 };
    let mut vocabulary = crate::Vocabulary::default();
    vocabulary.add_input("wide".into(), crate::InputIndex(0), domain.clone());
    let (first, second) = (numbers(1, 40), numbers(40, 80));
    let faults = compile_for_call(&[&first, &second], &vocabulary, [&domain]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].condition, 1);
    assert!(faults[0].message.starts_with("`wide`: conditions divide this quantity into 159 intervals"), "{faults:?}");
}
