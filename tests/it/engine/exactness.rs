//! Every status, firmness, reason, stance and verdict, compared with an oracle: simple code that tries all completions,
//! the ways to settle everything that a proposal leaves open. The scenarios, called worlds, are generated from bytes.

use crate::oracle::agreement::{check_everything, compile, day, in_order};
use crate::oracle::generate::{self, Choices};
use crate::oracle::world::{Knowledge, Value};
use detente_core::engine::{Cause, Detail, Status};
use detente_core::scenario::model::Polarity;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_equal_the_oracles(bytes in bytes()) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let given = generate::given(&world, &mut choices);
        check_everything(&world, &given, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_minimal_reasons_are_reported(bytes in bytes()) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let given = generate::given(&world, &mut choices);
        check_everything(&world, &given, true);
    }

    #[test]
    fn adding_a_red_line_never_improves_a_verdict(bytes in bytes()) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let given = world.given(&generate::given(&world, &mut choices));
        let mut seen = None;
        for count in 0..=world.red_lines.len() {
            let compiled = compile(&world.yaml(&(0..count).collect::<Vec<_>>()));
            let evaluation = compiled.evaluate(&given, day(&world), Detail::Basic).unwrap();
            let now = (evaluation.verdict, evaluation.could_become);
            if let Some((verdict, could_become)) = seen {
                prop_assert!(now.0 >= verdict && now.1 >= could_become, "{now:?} after {seen:?}");
            }
            seen = Some(now);
        }
    }

    #[test]
    fn the_order_of_red_lines_does_not_matter(bytes in bytes()) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let given = world.given(&generate::given(&world, &mut choices));
        let order = in_order(&world);
        let reversed: Vec<usize> = order.iter().rev().copied().collect();
        let tell = |order: &[usize]| {
            let compiled = compile(&world.yaml(order));
            let evaluation = compiled.evaluate(&given, day(&world), Detail::Full).unwrap();
            let mut findings: Vec<_> = evaluation.findings.iter().map(|finding| {
                let id = compiled.scenario().red_lines[finding.red_line.index()].id.to_string();
                let reasons: Vec<Vec<Cause>> = evaluation.reasons(finding).map(<[Cause]>::to_vec).collect();
                (id, finding.status, finding.firmness, reasons)
            }).collect();
            findings.sort();
            (findings, evaluation.stances.clone(), evaluation.verdict, evaluation.could_become)
        };
        prop_assert_eq!(tell(&order), tell(&reversed));
    }

    #[test]
    fn conditions_agree_with_the_cel_interpreter(bytes in bytes()) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let compiled = compile(&world.yaml(&in_order(&world)));
        for _ in 0..4 {
            let values = generate::complete(&world, &mut choices);
            let mut context = cel::Context::default();
            for (input, value) in world.inputs.iter().zip(&values) {
                let value: cel::Value = match *value {
                    Value::Flag(flag) => flag.into(),
                    Value::Choice(option) => format!("e{option}").into(),
                    Value::Members(members) => (0..32).filter(|e| members >> e & 1 == 1)
                        .map(|e| cel::Value::from(format!("e{e}"))).collect::<Vec<_>>().into(),
                    Value::Quantity(number) => number.into(),
                };
                context.add_variable_from_value(input.name(), value);
            }
            let known: Vec<Option<Knowledge>> = values.iter().map(|value| Some(Knowledge::Exactly(*value))).collect();
            let evaluation = compiled.evaluate(&world.given(&known), day(&world), Detail::Full).unwrap();
            for finding in &evaluation.findings {
                let red_line = &compiled.scenario().red_lines[finding.red_line.index()];
                let truth = cel::Program::compile(&red_line.condition.text).unwrap().execute(&context).unwrap();
                let crossed = truth == cel::Value::Bool(red_line.polarity == Polarity::Rejects);
                if finding.status == Status::NotRecorded {
                    continue;
                }
                let expected = if crossed { Status::Crossed } else { Status::Clear };
                prop_assert_eq!(finding.status, expected, "{}", &red_line.condition.text);
            }
        }
    }
}
