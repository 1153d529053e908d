//! Hypotheses: a call that supposes something is answered as if the scenario file stated it, and a hypothesis that
//! cannot apply is rejected with the reason. Generated scenarios are called worlds.

use crate::oracle::generate::{self, Choices};
use crate::oracle::world::{Knowledge, RedLine, Span, Value, World};
use detente::error::ApiError;
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::hypothesis::Kind;
use detente::schema::proto::v1::supposed_red_line;
use detente::schema::proto::v1::term::Value as TermValue;
use detente::services::RedLines;
use detente::serving::Store;
use detente_core::engine::Compiled;
use detente_core::scenario;
use detente_core::scenario::model::Firmness;
use proptest::prelude::*;
use std::sync::Arc;

fn serve(yaml: &str) -> RedLines {
    let scenario = scenario::load("generated.yaml", yaml).unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
    let compiled = Compiled::new(Arc::new(scenario)).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"));
    RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()))
}

fn bundled() -> RedLines {
    RedLines::new(Arc::new(Store::new(detente::serving::source::load(&[]).unwrap()).unwrap()))
}

fn supposing(kinds: impl IntoIterator<Item = Kind>) -> Vec<v1::Hypothesis> {
    kinds.into_iter().map(|kind| v1::Hypothesis { kind: Some(kind) }).collect()
}

fn firmness(firmness: Firmness) -> i32 {
    match firmness {
        Firmness::Tentative => v1::Firmness::Tentative,
        Firmness::Negotiable => v1::Firmness::Negotiable,
        Firmness::Firm => v1::Firmness::Firm,
        Firmness::Absolute => v1::Firmness::Absolute,
    }
    .into()
}

fn term(world: &World, input: usize, known: &Knowledge) -> v1::Term {
    let entries = |mask: u32| (0..32).filter(|bit| mask >> bit & 1 == 1).map(|bit| format!("e{bit}")).collect();
    let value = match known {
        Knowledge::Nothing => TermValue::Unsettled(v1::Unsettled {}),
        Knowledge::Exactly(Value::Flag(flag)) => TermValue::Flag(*flag),
        Knowledge::Exactly(Value::Choice(option)) => TermValue::Choice(format!("e{option}")),
        Knowledge::Exactly(Value::Members(members)) => TermValue::Members(v1::Members { values: entries(*members) }),
        Knowledge::Exactly(Value::Quantity(number)) => TermValue::Quantity(*number),
        Knowledge::OneOf(options) => {
            let values = options.iter().map(|option| format!("e{option}")).collect();
            TermValue::AnyOf(v1::AnyOf { values })
        }
        Knowledge::Between(min, max) => TermValue::Range(v1::Range { min: Some(*min), max: Some(*max) }),
        Knowledge::Partly { includes, excludes } => {
            TermValue::Partial(v1::Partial { includes: entries(*includes), excludes: entries(*excludes) })
        }
    };
    v1::Term { issue: world.inputs[input].name(), value: Some(value) }
}

fn request(world: &World, given: &[Option<Knowledge>], view: v1::EvaluationView) -> v1::EvaluateProposalRequest {
    let terms = |issues: bool| {
        let each = world.inputs.iter().zip(given).filter(move |(input, _)| input.is_issue == issues);
        each.filter_map(|(input, known)| Some(term(world, input.index, known.as_ref()?))).collect::<Vec<_>>()
    };
    v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal { terms: terms(true), ..v1::Proposal::default() })),
        circumstances: terms(false),
        as_of: Some(Date { year: 2025, month: 1, day: i32::from(world.day) }),
        view: view.into(),
        ..v1::EvaluateProposalRequest::default()
    }
}

/// An evaluation without the fields that differ between a hypothesis and a scenario file that states the same. Lists
/// whose order has no meaning are sorted.
fn without_provenance(mut evaluation: v1::Evaluation) -> v1::Evaluation {
    (evaluation.revision, evaluation.summary) = (String::new(), String::new());
    evaluation.suppositions.clear();
    for finding in &mut evaluation.findings {
        finding.hypothetical = false;
        finding.evidence.clear();
        for reason in &mut finding.reasons {
            reason.text.clear();
            reason.causes.iter_mut().for_each(|cause| cause.origin = 0);
        }
        for waiver in &mut finding.waivers {
            waiver.evidence.clear();
            waiver.waiver.clear();
            waiver.reasons.iter_mut().for_each(|reason| {
                reason.text.clear();
                reason.causes.iter_mut().for_each(|cause| cause.origin = 0);
            });
        }
        finding.reasons.sort_by_key(|reason| format!("{reason:?}"));
        finding.would_cross.sort_by_key(|settlement| format!("{settlement:?}"));
        finding.would_clear.sort_by_key(|settlement| format!("{settlement:?}"));
    }
    evaluation.warnings.iter_mut().flat_map(|warning| &mut warning.reasons).for_each(|reason| {
        reason.text.clear();
        reason.causes.iter_mut().for_each(|cause| cause.origin = 0);
    });
    for input in &mut evaluation.inputs {
        input.origin = 0;
    }
    for open in &mut evaluation.unsettled {
        open.red_lines.sort();
    }
    evaluation.findings.sort_by(|a, b| a.red_line.cmp(&b.red_line));
    evaluation
}

/// Changes a red line to what a file would state if it had the supposed firmness.
fn as_if_stated(red_line: &mut RedLine, supposed: Firmness) {
    red_line.firmness = supposed;
    // Remove the waivers that no longer lower the firmness, because the format rejects them.
    red_line.waivers.retain(|waiver| waiver.firmness < supposed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// An evaluation with hypotheses equals the evaluation of a scenario whose file states what they suppose.
    #[test]
    fn supposed_changes_are_evaluated_as_if_stated(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        let mut choices = Choices::new(&bytes);
        let world = generate::world(&mut choices);
        let given = generate::given(&world, &mut choices);
        let view = if choices.below(2) == 0 { v1::EvaluationView::Basic } else { v1::EvaluationView::Full };
        let (mut stated, mut kept, mut kinds) = (world.clone(), Vec::new(), Vec::new());
        let mut order = Vec::new();
        for (at, red_line) in world.red_lines.iter().enumerate() {
            let held = red_line.held_on(world.day) == Some(true);
            let name = format!("line-{at}");
            match choices.below(5) {
                0 if held => {
                    kinds.push(Kind::DropRedLine(name));
                    kept.push(at);
                }
                1 if held => {
                    let supposed = Firmness::ALL[choices.below(4)];
                    kinds.push(Kind::ChangeFirmness(v1::FirmnessChange { red_line: name, firmness: firmness(supposed) }));
                    as_if_stated(&mut stated.red_lines[at], supposed);
                    kept.push(at);
                    order.push(at);
                }
                2 => {
                    let stated = &mut stated.red_lines[at];
                    stated.waivers.clear();
                    stated.held = vec![Span { from: 1, stated: true, until: None }];
                    let condition = red_line.condition.cel(&world);
                    kinds.push(Kind::AddRedLine(v1::SupposedRedLine {
                        id: name,
                        party: format!("p{}", red_line.party),
                        title: "T".to_owned(),
                        firmness: firmness(red_line.firmness),
                        condition: Some(if red_line.requires {
                            supposed_red_line::Condition::Requires(condition)
                        } else {
                            supposed_red_line::Condition::Rejects(condition)
                        }),
                    }));
                    order.push(at);
                }
                _ => {
                    kept.push(at);
                    order.push(at);
                }
            }
        }
        let mut as_stated = given.clone();
        for input in world.inputs.iter().filter(|input| !input.is_issue) {
            match choices.below(4) {
                0 => {
                    kinds.push(Kind::UnsetCircumstance(input.name()));
                    as_stated[input.index] = Some(Knowledge::Nothing);
                }
                1 => {
                    let domain = input.domain();
                    let known = Knowledge::Exactly(domain[choices.below(domain.len())]);
                    kinds.push(Kind::SetCircumstance(term(&world, input.index, &known)));
                    as_stated[input.index] = Some(known);
                }
                _ => {}
            }
        }
        // The format rejects a waiver if, wherever it applies, other waivers lower the firmness at least as far. A
        // changed firmness can make this true of a waiver that is kept. Such cases are discarded; proptest fails the
        // test if there are too many of them.
        let stated_so = scenario::load("stated.yaml", &stated.yaml(&order)).ok();
        let compiled = stated_so.and_then(|scenario| Compiled::new(Arc::new(scenario)).ok());
        prop_assume!(compiled.is_some());
        let compiled = compiled.unwrap();
        let expected = RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()))
            .evaluate(&request(&stated, &as_stated, view)).unwrap();
        let mut asked = request(&world, &given, view);
        asked.hypotheses = supposing(kinds);
        let count = asked.hypotheses.len();
        let found = serve(&world.yaml(&kept)).evaluate(&asked).unwrap();
        let (found, expected) = (found.evaluation.unwrap(), expected.evaluation.unwrap());
        prop_assert_eq!(found.suppositions.len(), count);
        prop_assert_eq!(without_provenance(found), without_provenance(expected));
    }
}

fn asking(hypotheses: Vec<v1::Hypothesis>) -> v1::EvaluateProposalRequest {
    v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName("scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned())),
        hypotheses,
        ..v1::EvaluateProposalRequest::default()
    }
}

fn line(id: &str, rejects: &str) -> v1::SupposedRedLine {
    v1::SupposedRedLine {
        id: id.to_owned(),
        party: "ukraine".to_owned(),
        title: String::new(),
        firmness: v1::Firmness::Firm.into(),
        condition: Some(supposed_red_line::Condition::Rejects(rejects.to_owned())),
    }
}

/// The faults for which a request with these hypotheses is rejected, as (field, description).
fn faults(hypotheses: Vec<v1::Hypothesis>) -> Vec<(String, String)> {
    match bundled().evaluate(&asking(hypotheses)) {
        Err(ApiError::InvalidRequest(violations)) => {
            violations.iter().map(|(field, text)| (field.to_owned(), text.to_owned())).collect()
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn fault(kind: Kind) -> String {
    let faults = faults(supposing([kind]));
    assert_eq!(faults.len(), 1, "{faults:?}");
    format!("{}: {}", faults[0].0, faults[0].1)
}

#[test]
fn an_added_line_is_marked_hypothetical_and_tested_on_exact_values() {
    // The scenario's own conditions may not distinguish 30 days from 31, but this supposed red line does.
    let over = |days: i64| {
        let mut request = asking(supposing([Kind::AddRedLine(line("no-longer-than-thirty", "ceasefire_days > 30"))]));
        request.overrides =
            vec![v1::Term { issue: "ceasefire_days".to_owned(), value: Some(TermValue::Quantity(days)) }];
        bundled().evaluate(&request).unwrap().evaluation.unwrap()
    };
    let found = |evaluation: &v1::Evaluation| {
        evaluation.findings.iter().find(|finding| finding.red_line.ends_with("/no-longer-than-thirty")).cloned()
    };
    assert_eq!(found(&over(30)), None);
    let evaluation = over(31);
    let finding = found(&evaluation).unwrap();
    assert!(finding.hypothetical && finding.evidence.is_empty());
    assert_eq!(finding.reasons[0].text, "ceasefire_days is 31 days by override");
    assert_eq!(finding.title, "ceasefire_days > 30");
    assert_eq!(evaluation.verdict(), v1::Verdict::Blocked);
    assert_eq!(evaluation.suppositions, ["ukraine rejects ceasefire_days > 30 (firm), as no-longer-than-thirty"]);
    assert!(evaluation.summary.ends_with(" This rests on a hypothesis of the request."), "{}", evaluation.summary);
    assert!(evaluation.findings.iter().filter(|finding| finding.hypothetical).count() == 1);
}

#[test]
fn hypotheses_apply_in_their_order() {
    let drop = |id: &str| Kind::DropRedLine(id.to_owned());
    let change =
        |id: &str, firmness: i32| Kind::ChangeFirmness(v1::FirmnessChange { red_line: id.to_owned(), firmness });
    let add = |id: &str| Kind::AddRedLine(line(id, "ceasefire_scope == \"all_fronts\""));
    let verdict =
        |kinds: Vec<Kind>| bundled().evaluate(&asking(supposing(kinds))).unwrap().evaluation.unwrap().verdict();
    assert_eq!(verdict(vec![add("x")]), v1::Verdict::Blocked);
    assert_eq!(verdict(vec![add("x"), change("x", 1)]), v1::Verdict::Contested);
    assert_eq!(verdict(vec![add("x"), drop("x")]), v1::Verdict::Contested);
    assert_eq!(
        fault_at(supposing([drop("ru-four-regions"), change("ru-four-regions", 3)]), 0),
        "hypotheses[1].change_firmness.red_line: an earlier hypothesis drops `ru-four-regions`"
    );
    assert_eq!(
        fault_at(supposing([add("x"), add("x")]), 0),
        "hypotheses[1].add_red_line.id: the red line `x` already exists; give another id"
    );
    // An added red line cannot take the id of a dropped one. Otherwise, its finding could be mistaken for a finding
    // about the recorded red line.
    assert!(fault_at(supposing([drop("ru-four-regions"), add("ru-four-regions")]), 0).contains("already"));
}

fn fault_at(hypotheses: Vec<v1::Hypothesis>, at: usize) -> String {
    let faults = faults(hypotheses);
    format!("{}: {}", faults[at].0, faults[at].1)
}

#[test]
fn unknown_or_not_held_red_lines_cannot_be_changed() {
    assert_eq!(
        fault(Kind::DropRedLine("ru-four-region".to_owned())),
        "hypotheses[0].drop_red_line: there is no red line `ru-four-region`; did you mean `ru-four-regions`?"
    );
    assert_eq!(
        fault(Kind::DropRedLine("ua-no-regrouping-pause".to_owned())),
        "hypotheses[0].drop_red_line: `ua-no-regrouping-pause` is not held on 2025-03-14"
    );
    assert_eq!(
        fault(Kind::DropRedLine("scenarios/other/redLines/x".to_owned())),
        "hypotheses[0].drop_red_line: this is a red line of `scenarios/other`, not of `scenarios/ukraine-2025`"
    );
    assert_eq!(
        fault(Kind::UnsetCircumstance("guarantors_wiling".to_owned())),
        "hypotheses[0].unset_circumstance: there is no circumstance `guarantors_wiling`; did you mean \
         `guarantors_willing`?"
    );
    assert_eq!(
        fault(Kind::SetCircumstance(v1::Term {
            issue: "guarantors_willing".to_owned(),
            value: Some(TermValue::Quantity(1))
        })),
        "hypotheses[0].set_circumstance.quantity: `guarantors_willing` is a flag: answer with `flag`, or with \
         `unsettled`"
    );
    let mut unheard_of = line("x", "sanctions == \"lfit\"");
    unheard_of.party = "rusia".to_owned();
    unheard_of.firmness = 9;
    unheard_of.id = "X".to_owned();
    let fields: Vec<String> = faults(supposing([Kind::AddRedLine(unheard_of)])).into_iter().map(|(f, _)| f).collect();
    let path = |field: &str| format!("hypotheses[0].add_red_line.{field}");
    assert_eq!(fields, [path("id"), path("party"), path("firmness"), path("rejects")]);
    assert!(fault(Kind::AddRedLine(line("x", "true"))).contains("always holds"));
    let mut nothing = line("x", "");
    nothing.condition = None;
    assert!(fault(Kind::AddRedLine(nothing)).starts_with("hypotheses[0].add_red_line.condition: "));
    assert!(fault_at(vec![v1::Hypothesis { kind: None }], 0).starts_with("hypotheses[0]: "));
}

#[test]
fn at_most_thirty_two_hypotheses_are_accepted() {
    let lines = |count: usize| {
        supposing(
            (0..count).map(|at| Kind::AddRedLine(line(&format!("x{at}"), &format!("ceasefire_days > {}", at + 1)))),
        )
    };
    let evaluation = bundled().evaluate(&asking(lines(32))).unwrap().evaluation.unwrap();
    assert_eq!(evaluation.suppositions.len(), 32);
    assert_eq!(fault_at(lines(33), 0), "hypotheses: the list has 33 hypotheses; at most 32 are allowed");
}

#[test]
fn an_uncovered_day_is_reported_before_hypotheses_are_checked() {
    let mut request = asking(supposing([Kind::DropRedLine("ru-four-regions".to_owned())]));
    request.as_of = Some(Date { year: 1999, month: 1, day: 1 });
    assert!(matches!(bundled().evaluate(&request), Err(ApiError::DateNotCovered { .. })));
}
