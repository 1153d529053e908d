//! Batches, histories and comparisons agree with a single evaluation of each proposal and each day.

use detente::error::ApiError;
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::evaluation_result;
use detente::schema::proto::v1::term::Value;
use detente::services::{MAX_ANSWER_BYTES, MAX_BATCH, MAX_COMPARED, RedLines};
use detente::serving::Store;
use detente::serving::source;
use detente_core::engine::Compiled;
use detente_core::scenario;
use prost::Message;
use std::fmt::Write;
use std::sync::Arc;

const JEDDAH: &str = "scenarios/ukraine-2025/proposals/jeddah-ceasefire";

fn bundled() -> RedLines {
    RedLines::new(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()))
}

fn serve(yaml: &str) -> RedLines {
    let scenario = scenario::load("test.yaml", yaml).unwrap_or_else(|faults| panic!("{faults}"));
    RedLines::new(Arc::new(Store::new(vec![Compiled::new(Arc::new(scenario)).unwrap()]).unwrap()))
}

fn names(service: &RedLines) -> Vec<String> {
    let list = service.list_proposals(v1::ListProposalsRequest::default()).unwrap();
    list.proposals.into_iter().map(|proposal| proposal.name).collect()
}

fn named(name: &str) -> v1::EvaluateProposalRequest {
    v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName(name.to_owned())),
        ..v1::EvaluateProposalRequest::default()
    }
}

fn evaluation(service: &RedLines, request: &v1::EvaluateProposalRequest) -> v1::Evaluation {
    service.evaluate(request).unwrap().evaluation.unwrap()
}

fn fields(error: ApiError) -> Vec<String> {
    match error {
        ApiError::InvalidRequest(violations) => violations.iter().map(|(field, _)| field.to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_answers_in_order_and_only_its_faulty_items_fail() {
    let service = bundled();
    let mut requests: Vec<_> = names(&service).iter().map(|name| named(name)).collect();
    let mut unknown = named(JEDDAH);
    unknown.overrides = vec![v1::Term { issue: "sanctions".to_owned(), value: Some(Value::Choice("lfit".to_owned())) }];
    requests.insert(1, unknown);
    requests.insert(2, v1::EvaluateProposalRequest { scenario: "scenarios/other".to_owned(), ..named(JEDDAH) });
    requests.insert(3, v1::EvaluateProposalRequest { revision: "0".repeat(32), ..named(JEDDAH) });
    let asked = v1::BatchEvaluateProposalsRequest { requests: requests.clone(), ..Default::default() };
    let answer = service.batch(&asked).unwrap().decode().unwrap();
    assert_eq!(answer.results.len(), requests.len());
    for (at, (request, result)) in requests.iter().zip(&answer.results).enumerate() {
        match result.result.as_ref().unwrap() {
            evaluation_result::Result::Evaluation(found) => assert_eq!(*found, evaluation(&service, request)),
            evaluation_result::Result::Error(status) => {
                assert!([1, 2, 3].contains(&at), "{status:?}");
                assert_eq!(status.code, 3);
                assert!(status.details.iter().any(|detail| detail.type_url.ends_with("google.rpc.BadRequest")));
            }
        }
    }
    assert_eq!(answer.scenario, "scenarios/ukraine-2025");
    assert_eq!(answer.revision, evaluation(&service, &named(JEDDAH)).revision);
}

#[test]
fn a_batch_accepts_one_to_a_thousand_requests() {
    let service = bundled();
    let asked = |count: usize| {
        let proposal = v1::Proposal::default();
        let request = v1::EvaluateProposalRequest { subject: Some(Subject::Proposal(proposal)), ..Default::default() };
        v1::BatchEvaluateProposalsRequest { requests: vec![request; count], ..Default::default() }
    };
    assert_eq!(service.batch(&asked(MAX_BATCH)).unwrap().decode().unwrap().results.len(), MAX_BATCH);
    assert_eq!(fields(service.batch(&asked(MAX_BATCH + 1)).unwrap_err()), ["requests"]);
    assert_eq!(fields(service.batch(&asked(0)).unwrap_err()), ["requests"]);
}

#[test]
fn a_batch_with_too_large_an_answer_is_rejected_with_the_number_that_fits() {
    let service = bundled();
    let request = v1::EvaluateProposalRequest { view: v1::EvaluationView::Full.into(), ..named(JEDDAH) };
    let asked =
        |count| v1::BatchEvaluateProposalsRequest { requests: vec![request.clone(); count], ..Default::default() };
    let fitting = match service.batch(&asked(MAX_BATCH)) {
        Err(ApiError::TooManyAnswers { fitting, limit }) => {
            assert_eq!(limit, MAX_ANSWER_BYTES);
            fitting
        }
        other => panic!("{other:?}"),
    };
    let whole = service.batch(&asked(fitting)).unwrap().decode().unwrap();
    assert!(whole.encoded_len() <= MAX_ANSWER_BYTES && whole.encoded_len() > MAX_ANSWER_BYTES * 9 / 10);
    assert!(service.batch(&asked(fitting + 1)).is_err());
}

fn day_after(date: &Date) -> Date {
    let day =
        jiff::civil::date(date.year.try_into().unwrap(), date.month.try_into().unwrap(), date.day.try_into().unwrap());
    let next = day.tomorrow().unwrap();
    Date { year: next.year().into(), month: next.month().into(), day: next.day().into() }
}

/// An evaluation without its day, and without its summary, which contains the day.
fn without_day(evaluation: v1::Evaluation) -> v1::Evaluation {
    v1::Evaluation { as_of: None, summary: String::new(), ..evaluation }
}

#[test]
fn a_history_agrees_with_an_evaluation_of_each_day() {
    let service = bundled();
    let scenario = service.get_scenario(v1::GetScenarioRequest::default()).unwrap();
    let views = [v1::EvaluationView::Full, v1::EvaluationView::Basic];
    let proposals = names(&service);
    for (name, view) in proposals.iter().flat_map(|name| views.map(|view| (name, view))) {
        let asked = v1::EvaluateHistoryRequest {
            subject: Some(v1::evaluate_history_request::Subject::ProposalName(name.clone())),
            to: scenario.covers_to,
            view: view.into(),
            ..Default::default()
        };
        let history = service.evaluate_history(&asked).unwrap();
        assert_eq!(history.spans.first().unwrap().from, scenario.covers_from);
        assert_eq!(history.spans.last().unwrap().to, scenario.covers_to);
        let mut day = scenario.covers_from.unwrap();
        for span in &history.spans {
            assert_eq!(span.from, Some(day), "no gap, no overlap");
            let found = span.evaluation.clone().unwrap();
            assert_eq!(found.as_of, span.from);
            loop {
                let request = v1::EvaluateProposalRequest { as_of: Some(day), view: view.into(), ..named(name) };
                assert_eq!(
                    without_day(found.clone()),
                    without_day(evaluation(&service, &request)),
                    "{name} on {day:?}"
                );
                let last = Some(day) == span.to;
                day = day_after(&day);
                if last {
                    break;
                }
            }
        }
        for pair in history.spans.windows(2) {
            let [before, after] = [&pair[0], &pair[1]].map(|span| without_day(span.evaluation.clone().unwrap()));
            assert!(
                !pair[1].changes.is_empty() || before != after,
                "{name}: the span of {:?} should be joined with its neighbour",
                pair[1].from
            );
        }
        assert!(history.spans.len() > 5, "too few spans for the bundled scenario");
    }
}

#[test]
fn not_recorded_clear_and_not_held_red_lines_are_distinguished() {
    let service = serve(
        "scenario: test\ntitle: T\ncovers: {from: 2025-01-01, to: 2025-01-31}\nas_of: 2025-01-31\n\
         sources: [{id: s, title: S, publisher: P}]\nparties: [{id: p, name: P, role: principal}]\n\
         issues: [{id: a, title: A, question: Q, kind: flag, status_quo: false}]\n\
         red_lines:\n  - {id: x, party: p, title: X, rejects: a, firmness: firm, held: [{first_recorded: 2025-01-10, \
         until: 2025-01-20}], evidence: [{source: s, kind: on_record, speaker: N, statement: S}]}\n",
    );
    let proposal = v1::Proposal::default();
    let mut asked = v1::EvaluateHistoryRequest {
        subject: Some(v1::evaluate_history_request::Subject::Proposal(proposal)),
        ..Default::default()
    };
    let outlines = |asked: &v1::EvaluateHistoryRequest| {
        let spans = service.evaluate_history(asked).unwrap().spans.into_iter();
        let each = spans.map(|span| {
            let change = span.changes.first().cloned().unwrap_or_default();
            let status = |outline: Option<v1::FindingOutline>| outline.map(|outline| outline.status());
            (span.from.unwrap().day, span.to.unwrap().day, status(change.before), status(change.after))
        });
        each.collect::<Vec<_>>()
    };
    use v1::RedLineStatus::{Clear, Crossed, NotHeld, NotRecorded};
    assert_eq!(
        outlines(&asked),
        [(1, 9, None, None), (10, 19, Some(NotRecorded), Some(Clear)), (20, 31, Some(Clear), Some(NotHeld))]
    );
    asked.overrides = vec![v1::Term { issue: "a".to_owned(), value: Some(Value::Flag(true)) }];
    assert_eq!(
        outlines(&asked),
        [(1, 9, None, None), (10, 19, Some(NotRecorded), Some(Crossed)), (20, 31, Some(Crossed), Some(NotHeld))]
    );
    // A period in which nothing changes, and a period of one day.
    let day = |day| Some(Date { year: 2025, month: 1, day });
    (asked.from, asked.to) = (day(12), day(18));
    assert_eq!(outlines(&asked), [(12, 18, None, None)]);
    (asked.from, asked.to) = (day(10), day(10));
    assert_eq!(outlines(&asked), [(10, 10, None, None)]);
    (asked.from, asked.to) = (day(11), day(10));
    assert_eq!(fields(service.evaluate_history(&asked).unwrap_err()), ["to"]);
    asked.from = Some(Date { year: 2024, month: 12, day: 31 });
    assert!(matches!(service.evaluate_history(&asked), Err(ApiError::DateNotCovered { field: "from", .. })));
    // A hypothesis can drop a red line that is held on at least one day of the period. This one is held from the
    // tenth day on.
    let drop = v1::hypothesis::Kind::DropRedLine("x".to_owned());
    asked.hypotheses = vec![v1::Hypothesis { kind: Some(drop) }];
    (asked.from, asked.to) = (day(1), day(10));
    // A dropped red line is not held on any day, and is not counted among the red lines not yet recorded.
    asked.view = v1::EvaluationView::Full.into();
    let dropped = service.evaluate_history(&asked).unwrap();
    assert_eq!(dropped.spans.len(), 1, "{dropped:?}");
    let evaluation = dropped.spans[0].evaluation.as_ref().unwrap();
    assert!(evaluation.findings.is_empty() && !evaluation.summary.contains("recorded on that day"), "{evaluation:?}");
    (asked.from, asked.to) = (day(1), day(9));
    assert_eq!(fields(service.evaluate_history(&asked).unwrap_err()), ["hypotheses[0].drop_red_line"]);
}

/// A service with a scenario of `lines` red lines, whose first days are spread over `days` days.
fn busy(lines: usize, days: usize) -> RedLines {
    let mut yaml = String::from(
        "scenario: test\ntitle: T\ncovers: {from: 2020-01-01, to: 2025-01-31}\nas_of: 2025-01-31\n\
         sources: [{id: s, title: S, publisher: P}]\nparties: [{id: p, name: P, role: principal}]\n\
         issues:\n  - {id: a, title: A, question: Q, kind: flag, status_quo: false}\n  \
         - {id: m, title: M, question: Q, kind: members, members: [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11]}\nred_lines:\n",
    );
    let first = jiff::civil::date(2020, 1, 1);
    for line in 0..lines {
        let day = first + jiff::Span::new().days(i64::try_from(line % days).unwrap());
        writeln!(
            yaml,
            "  - {{id: x{line}, party: p, title: X, rejects: a, firmness: firm, held: [{{from: {day}}}], \
             evidence: [{{source: s, kind: on_record, speaker: N, statement: S}}]}}"
        )
        .unwrap();
    }
    serve(&yaml)
}

#[test]
fn a_history_beyond_the_work_limit_is_rejected() {
    let asked = |to: Option<Date>| v1::EvaluateHistoryRequest {
        subject: Some(v1::evaluate_history_request::Subject::Proposal(v1::Proposal::default())),
        to,
        ..Default::default()
    };
    let service = busy(2_000, 501);
    assert_eq!(fields(service.evaluate_history(&asked(None)).unwrap_err()), ["to"]);
    // With one day less, 2,000 red lines are evaluated for 500 days: a million evaluations, which is the limit. All red
    // lines are clear, so the answer fits.
    let to = jiff::civil::date(2020, 1, 1) + jiff::Span::new().days(499);
    let to = Date { year: to.year().into(), month: to.month().into(), day: to.day().into() };
    assert_eq!(service.evaluate_history(&asked(Some(to))).unwrap().spans.len(), 500);
}

#[test]
fn a_comparison_agrees_with_an_evaluation_of_each_proposal() {
    let service = bundled();
    let names = names(&service);
    let proposals = names.iter().map(|name| v1::ComparedProposal {
        subject: Some(v1::compared_proposal::Subject::ProposalName(name.clone())),
        ..Default::default()
    });
    let asked = v1::CompareProposalsRequest { proposals: proposals.collect(), ..Default::default() };
    let answer = service.compare_proposals(&asked).unwrap();
    let evaluations: Vec<_> = names
        .iter()
        .map(|name| {
            evaluation(&service, &v1::EvaluateProposalRequest { view: v1::EvaluationView::Full.into(), ..named(name) })
        })
        .collect();
    for ((name, verdict), evaluation) in names.iter().zip(&answer.verdicts).zip(&evaluations) {
        assert!(name.ends_with(&format!("/{}", verdict.label)));
        assert_eq!((verdict.verdict, verdict.could_become), (evaluation.verdict, evaluation.could_become));
        assert_eq!(verdict.summary, evaluation.summary);
    }
    for (at, party) in answer.parties.iter().enumerate() {
        for (stance, evaluation) in party.stances.iter().zip(&evaluations) {
            let expected = &evaluation.stances[at];
            assert_eq!(
                (&party.party, stance.stance, stance.could_become),
                (&expected.party, expected.stance, expected.could_become)
            );
        }
        assert_eq!(party.stances.len(), names.len());
    }
    let outline = |evaluation: &v1::Evaluation, red_line: &str| {
        let finding = evaluation.findings.iter().find(|finding| finding.red_line == red_line)?;
        Some((finding.status, finding.firmness, finding.firmness_at_worst))
    };
    let lines: Vec<&str> = evaluations[0].findings.iter().map(|finding| finding.red_line.as_str()).collect();
    let mut differing = 0;
    for line in lines {
        let expected: Vec<_> = evaluations.iter().map(|evaluation| outline(evaluation, line).unwrap()).collect();
        let found = answer.differences.iter().find(|difference| difference.red_line == line);
        if expected.iter().all(|outline| *outline == expected[0]) {
            assert!(found.is_none(), "{line} does not differ");
            continue;
        }
        differing += 1;
        let found: Vec<_> = found
            .unwrap()
            .findings
            .iter()
            .map(|finding| (finding.status, finding.firmness, finding.firmness_at_worst))
            .collect();
        assert_eq!(found, expected, "{line}");
    }
    assert_eq!(answer.differences.len(), differing);
    assert!(differing > 10);
}

#[test]
fn a_comparison_accepts_one_to_fifty_proposals_and_names_faults_by_proposal() {
    let service = bundled();
    let own = |terms| v1::ComparedProposal {
        subject: Some(v1::compared_proposal::Subject::Proposal(v1::Proposal { terms, ..Default::default() })),
        ..Default::default()
    };
    let asked = |proposals| v1::CompareProposalsRequest { proposals, ..Default::default() };
    let many = service.compare_proposals(&asked(vec![own(Vec::new()); MAX_COMPARED])).unwrap();
    assert_eq!(many.verdicts[49].label, "proposal 50");
    assert!(many.differences.is_empty());
    assert_eq!(fields(service.compare_proposals(&asked(vec![own(Vec::new()); 51])).unwrap_err()), ["proposals"]);
    assert_eq!(fields(service.compare_proposals(&asked(Vec::new())).unwrap_err()), ["proposals"]);
    let wrong = v1::Term { issue: "sanctions".to_owned(), value: Some(Value::Choice("lfit".to_owned())) };
    let faulty = vec![own(Vec::new()), v1::ComparedProposal { label: "x".repeat(101), ..own(vec![wrong]) }];
    assert_eq!(
        fields(service.compare_proposals(&asked(faulty)).unwrap_err()),
        ["proposals[1].label", "proposals[1].proposal.terms[0].choice"]
    );
}

#[test]
fn a_history_counts_what_added_lines_cost() {
    let service = busy(40, 40);
    let asked = |condition: &str, days: i8| v1::EvaluateHistoryRequest {
        subject: Some(v1::evaluate_history_request::Subject::Proposal(v1::Proposal::default())),
        to: Some(Date { year: 2020, month: 1, day: days.into() }),
        hypotheses: vec![v1::Hypothesis {
            kind: Some(v1::hypothesis::Kind::AddRedLine(v1::SupposedRedLine {
                id: "added".to_owned(),
                party: "p".to_owned(),
                title: String::new(),
                firmness: v1::Firmness::Firm.into(),
                condition: Some(v1::supposed_red_line::Condition::Rejects(condition.to_owned())),
            })),
        }],
        ..Default::default()
    };
    // `size(m) >= 5` compiles to 462 conjunctions of tests, and its negation to 330. The added red line therefore costs
    // about 39,000 steps for each day.
    assert!(service.evaluate_history(&asked("size(m) >= 5", 20)).is_ok());
    assert_eq!(fields(service.evaluate_history(&asked("size(m) >= 5", 31)).unwrap_err()), ["to"]);
    assert!(service.evaluate_history(&asked("a", 31)).is_ok());
}

#[test]
fn a_condition_is_quoted_on_one_line() {
    let condition = v1::supposed_red_line::Condition::Rejects(format!("a  ||\n\ta{}", " || a".repeat(100)));
    let line = v1::SupposedRedLine {
        id: "added".to_owned(),
        party: "p".to_owned(),
        title: String::new(),
        firmness: v1::Firmness::Firm.into(),
        condition: Some(condition),
    };
    let request = v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal::default())),
        overrides: vec![v1::Term { issue: "a".to_owned(), value: Some(Value::Flag(true)) }],
        hypotheses: vec![v1::Hypothesis { kind: Some(v1::hypothesis::Kind::AddRedLine(line)) }],
        ..Default::default()
    };
    let evaluation = evaluation(&busy(1, 1), &request);
    let title = &evaluation.findings.last().unwrap().title;
    assert!(title.starts_with("a || a || a") && title.ends_with("...") && title.len() == 303, "{title}");
    assert!(evaluation.suppositions[0].starts_with("p rejects a || a || a"), "{evaluation:?}");
}

#[test]
fn a_batch_gives_suggestions_for_a_limited_number_of_items() {
    let service = bundled();
    let mut request = named(JEDDAH);
    request.overrides = vec![v1::Term { issue: "sanctions".to_owned(), value: Some(Value::Choice("lfit".to_owned())) }];
    let asked = v1::BatchEvaluateProposalsRequest { requests: vec![request; 40], ..Default::default() };
    let suggested =
        service.batch(&asked).unwrap().decode().unwrap().results.into_iter().filter(|result| match &result.result {
            Some(evaluation_result::Result::Error(status)) => status.message.contains("did you mean"),
            other => panic!("{other:?}"),
        });
    assert_eq!(suggested.count(), 16);
}
