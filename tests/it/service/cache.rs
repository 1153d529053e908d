//! A cached answer equals the uncached one byte for byte, and no request gets the answer of a different request.

use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::term::Value;
use detente::services::RedLines;
use detente::serving::source;
use detente::serving::{Cache, Store};
use prost::Message;
use std::sync::Arc;

/// Random numbers that repeat on every run (SplitMix64, Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % count as u64).unwrap()
    }
}

fn domain(issue: &v1::Issue) -> &v1::domain::Kind {
    issue.domain.as_ref().unwrap().kind.as_ref().unwrap()
}

fn term(issue: &v1::Issue, chance: &mut Random) -> v1::Term {
    let value = match domain(issue) {
        v1::domain::Kind::Flag(_) => Value::Flag(chance.below(2) == 1),
        v1::domain::Kind::Choice(choice) => {
            Value::Choice(choice.options[chance.below(choice.options.len())].id.clone())
        }
        v1::domain::Kind::Members(members) => {
            let values = members.members.iter().filter(|_| chance.below(4) == 0).map(|entry| entry.id.clone());
            Value::Members(v1::Members { values: values.collect() })
        }
        v1::domain::Kind::Quantity(quantity) => {
            Value::Quantity((quantity.min + i64::try_from(chance.below(60)).unwrap()).min(quantity.max))
        }
    };
    v1::Term { issue: issue.id.clone(), value: Some(value) }
}

fn own(request: &mut v1::EvaluateProposalRequest) -> &mut Vec<v1::Term> {
    match &mut request.subject {
        Some(Subject::Proposal(proposal)) => &mut proposal.terms,
        _ => unreachable!("the generator makes proposals of the caller"),
    }
}

fn base(scenario: &v1::Scenario, chance: &mut Random) -> v1::EvaluateProposalRequest {
    let terms = scenario.issues.iter().filter(|_| chance.below(3) == 0).collect::<Vec<_>>();
    let terms: Vec<v1::Term> = terms.into_iter().map(|issue| term(issue, chance)).collect();
    v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal { terms, ..v1::Proposal::default() })),
        as_of: Some(Date { year: 2025, month: 3, day: i32::try_from(1 + chance.below(14)).unwrap() }),
        ..v1::EvaluateProposalRequest::default()
    }
}

const WAYS: usize = 9;

/// Changes one thing in a request. Returns the changed request, and whether it is equivalent to the original.
fn variant(
    request: &v1::EvaluateProposalRequest,
    scenario: &v1::Scenario,
    way: usize,
    chance: &mut Random,
) -> (v1::EvaluateProposalRequest, bool) {
    let mut other = request.clone();
    let days = |terms: &mut Vec<v1::Term>, days: i64| {
        terms.retain(|term| term.issue != "ceasefire_days");
        terms.push(v1::Term { issue: "ceasefire_days".to_owned(), value: Some(Value::Quantity(days)) });
    };
    let same = match way {
        // Another day. In most cases, the scenario is the same on both days.
        0 => {
            let day = other.as_of.as_mut().unwrap();
            day.day = if day.day == 14 { 13 } else { day.day + 1 };
            false
        }
        // Numbers that no condition of the scenario needs to distinguish.
        1 | 2 => {
            days(own(&mut other), if way == 1 { 30 } else { 31 });
            own(&mut other) == own(&mut request.clone())
        }
        // A term that repeats the status quo.
        3 => {
            let silent = scenario.issues.iter().filter(|issue| {
                !issue.status_quo.is_empty() && own(&mut request.clone()).iter().all(|term| term.issue != issue.id)
            });
            let silent: Vec<_> = silent.collect();
            let Some(issue) = silent.get(chance.below(silent.len().max(1))) else { return (other, true) };
            own(&mut other).extend(issue.status_quo.last().unwrap().term.clone());
            false
        }
        4 => {
            other.view = v1::EvaluationView::Full.into();
            false
        }
        // The terms in another order.
        5 => {
            own(&mut other).reverse();
            true
        }
        // The same terms as overrides.
        6 => {
            let terms = std::mem::take(own(&mut other));
            let none = terms.is_empty();
            other.overrides = terms;
            none
        }
        // The default view and the default scenario, both given explicitly.
        7 => {
            other.view = v1::EvaluationView::Basic.into();
            other.scenario = "scenarios/ukraine-2025".to_owned();
            true
        }
        // An added circumstance.
        _ => {
            let issue = "guarantors_willing".to_owned();
            other.circumstances = vec![v1::Term { issue, value: Some(Value::Flag(chance.below(2) == 1)) }];
            false
        }
    };
    (other, same)
}

#[test]
fn ten_thousand_calls_that_differ_in_one_field_get_their_own_answers() {
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let cache = Arc::new(Cache::new(64 * 1024 * 1024));
    let plain = RedLines::new(store.clone());
    let cached = RedLines::new(store).with_cache(cache.clone());
    let scenario = plain.get_scenario(v1::GetScenarioRequest::default()).unwrap();
    let mut chance = Random(20_250_314);
    let ask = |request: &v1::EvaluateProposalRequest| {
        let expected = plain.evaluate(request).unwrap().encode_to_vec();
        let before = cache.counts().hits;
        let first = cached.evaluate_encoded(request).unwrap().encode_to_vec();
        let hit = cache.counts().hits > before;
        let second = cached.evaluate_encoded(request).unwrap().encode_to_vec();
        assert_eq!(first, expected, "{request:?}");
        assert_eq!(second, expected, "{request:?}");
        assert_eq!(v1::EvaluateProposalResponse::decode(&*first).unwrap(), plain.evaluate(request).unwrap());
        (expected, hit)
    };
    let (mut calls, mut distinguished, mut recognised) = (0, 0, 0);
    while calls < 10_000 {
        let request = base(&scenario, &mut chance);
        let (answer, _) = ask(&request);
        for way in 0..WAYS {
            let (other, same) = variant(&request, &scenario, way, &mut chance);
            let (other_answer, hit) = ask(&other);
            if same {
                assert!(hit, "equivalent requests share an answer: {other:?}");
                assert_eq!(answer, other_answer);
                recognised += 1;
            }
            distinguished += usize::from(answer != other_answer);
            calls += 1;
        }
    }
    // If too few calls had different answers, or too few had equal ones, the test would prove little.
    assert!(
        distinguished > calls / 3 && recognised > calls / 10,
        "{distinguished} distinguished, {recognised} recognised"
    );
    assert!(cache.counts().bytes <= 64 * 1024 * 1024);
}

#[test]
fn errors_and_hypotheses_are_never_cached() {
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let cache = Arc::new(Cache::new(1024 * 1024));
    let cached = RedLines::new(store).with_cache(cache.clone());
    let mut request = v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal::default())),
        as_of: Some(Date { year: 1999, month: 1, day: 1 }),
        ..v1::EvaluateProposalRequest::default()
    };
    assert!(cached.evaluate_encoded(&request).is_err());
    request.as_of = None;
    let kind = v1::hypothesis::Kind::DropRedLine("ru-four-regions".to_owned());
    request.hypotheses = vec![v1::Hypothesis { kind: Some(kind) }];
    cached.evaluate_encoded(&request).unwrap();
    let circumstance = v1::hypothesis::Kind::UnsetCircumstance("guarantors_willing".to_owned());
    request.hypotheses = vec![v1::Hypothesis { kind: Some(circumstance) }];
    cached.evaluate_encoded(&request).unwrap();
    assert_eq!(cache.counts().entries, 0);
    request.hypotheses.clear();
    cached.evaluate_encoded(&request).unwrap();
    assert_eq!(cache.counts().entries, 1);
}

#[test]
fn the_cache_stays_within_its_limit() {
    let bound = 256 * 1024;
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let cache = Arc::new(Cache::new(bound));
    let cached = RedLines::new(store.clone()).with_cache(cache.clone());
    let scenario = cached.get_scenario(v1::GetScenarioRequest::default()).unwrap();
    let mut chance = Random(1);
    for _ in 0..2_000 {
        cached.evaluate_encoded(&base(&scenario, &mut chance)).unwrap();
        assert!(cache.counts().bytes <= bound);
    }
    let counts = cache.counts();
    assert!(counts.evictions > 0 && counts.entries > 0, "{counts:?}");
}
