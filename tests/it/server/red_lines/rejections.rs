//! Rejected requests: all faults at once, each with its field and the nearest name.

use super::{Client, SCENARIO, choice, client, day, evaluate, members, named, own, refused, strings, term};
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use tonic::Code;
use tonic_types::StatusExt;

async fn refuse(client: &mut Client, request: v1::EvaluateProposalRequest) -> (Code, String, Vec<(String, String)>) {
    refused(&client.evaluate_proposal(request).await.unwrap_err())
}

#[tokio::test]
async fn two_wrong_terms_give_two_violations_with_paths_and_suggestions() {
    let (_server, mut client) = client().await;
    let request = own(vec![choice("sanctions", "lfit"), members("force_contributers", &["france"])]);
    let (code, reason, violations) = refuse(&mut client, request).await;
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_REQUEST"));
    let expected = [
        ("proposal.terms[0].choice", "`sanctions` has no option `lfit`; did you mean `lift`?"),
        ("proposal.terms[1].issue", "there is no issue `force_contributers`; did you mean `force_contributors`?"),
    ];
    assert_eq!(violations, expected.map(|(field, text)| (field.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn every_fault_of_a_request_is_reported_at_once() {
    let (_server, mut client) = client().await;
    let range = |min, max| term::Value::Range(v1::Range { min, max });
    let partial = |includes: &[&str], excludes: &[&str]| {
        term::Value::Partial(v1::Partial { includes: strings(includes), excludes: strings(excludes) })
    };
    let mut request = own(vec![
        v1::Term { issue: "ceasefire_scope".to_owned(), value: None },
        choice("nato_path", "open"),
        choice("nato_path", "renounced"),
        term("sanctions", term::Value::AnyOf(v1::AnyOf { values: Vec::new() })),
        term("force_contributors", partial(&["france"], &["france"])),
        term("ceasefire_days", range(Some(90), Some(30))),
        term("us_backs_force", term::Value::Choice("yes".to_owned())),
        term("guarantors_willing", term::Value::Flag(true)),
        members("envoys", &["russia", "russia"]),
    ]);
    request.overrides =
        vec![term("ceasefire_days", range(Some(0), None)), term("ceasefire_days", term::Value::Quantity(9_999))];
    request.cleared_issues = strings(&["sanctoins", "ceasefire_days"]);
    request.circumstances = vec![choice("sanctions", "lift"), v1::Term::default()];
    request.as_of = Some(Date { year: 2025, month: 0, day: 0 });
    request.view = 99;
    let (code, reason, violations) = refuse(&mut client, request).await;
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_REQUEST"));
    let fields: Vec<&str> = violations.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "proposal.terms[0]",
            "proposal.terms[2].issue",
            "proposal.terms[3].any_of.values",
            "proposal.terms[4].partial",
            "proposal.terms[5].range",
            "proposal.terms[6].choice",
            "proposal.terms[7].issue",
            "proposal.terms[8].members.values[1]",
            "overrides[0].range",
            "overrides[1].issue",
            "overrides[1].quantity",
            "cleared_issues[0]",
            "circumstances[0].issue",
            "circumstances[1].issue",
            "circumstances[1]",
            "as_of",
            "view",
        ],
        "{violations:#?}"
    );
}

#[tokio::test]
async fn unknown_subjects_names_days_and_revisions_are_rejected() {
    let (_server, mut client) = client().await;
    let fields =
        |violations: &[(String, String)]| violations.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>();

    let (code, _, violations) = refuse(&mut client, v1::EvaluateProposalRequest::default()).await;
    assert_eq!((code, fields(&violations)), (Code::InvalidArgument, strings(&["subject"])));

    let mut elsewhere = named("jeddah-ceasefire");
    elsewhere.scenario = SCENARIO.to_owned();
    elsewhere.subject = Some(Subject::ProposalName("scenarios/other/proposals/x".to_owned()));
    let (code, _, violations) = refuse(&mut client, elsewhere).await;
    assert_eq!((code, fields(&violations)), (Code::InvalidArgument, strings(&["proposal_name"])));

    let mut elsewhere = own(Vec::new());
    elsewhere.subject =
        Some(Subject::Proposal(v1::Proposal { name: "scenarios/other/proposals/x".to_owned(), ..Default::default() }));
    let (code, _, violations) = refuse(&mut client, elsewhere).await;
    assert_eq!((code, fields(&violations)), (Code::InvalidArgument, strings(&["proposal.name"])));

    for (name, reason) in [
        ("scenarios/ukraine-2025/proposals/jedda-ceasefire", "PROPOSAL_NOT_FOUND"),
        ("scenarios/ukraine-2026/proposals/jeddah-ceasefire", "SCENARIO_NOT_FOUND"),
    ] {
        let request =
            v1::EvaluateProposalRequest { subject: Some(Subject::ProposalName(name.to_owned())), ..Default::default() };
        let status = client.evaluate_proposal(request).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Code::NotFound, reason));
        assert!(info.metadata.contains_key("name") && info.metadata.contains_key("nearest"), "{info:?}");
    }

    for (asked, code, reason) in [
        (Date { year: 2025, month: 3, day: 15 }, Code::InvalidArgument, "DATE_NOT_COVERED"),
        (Date { year: 2022, month: 2, day: 23 }, Code::InvalidArgument, "DATE_NOT_COVERED"),
        (Date { year: 2025, month: 2, day: 30 }, Code::InvalidArgument, "INVALID_REQUEST"),
        (Date { year: -1, month: 70_000, day: 1 }, Code::InvalidArgument, "INVALID_REQUEST"),
    ] {
        let mut request = named("jeddah-ceasefire");
        request.as_of = Some(asked);
        let (found, found_reason, violations) = refuse(&mut client, request).await;
        assert_eq!((found, found_reason.as_str(), fields(&violations)), (code, reason, strings(&["as_of"])));
    }
    for covered in [day(2022, 2, 24), day(2025, 3, 14)] {
        let mut request = named("jeddah-ceasefire");
        request.as_of = covered;
        evaluate(&mut client, request).await;
    }

    let current = evaluate(&mut client, named("jeddah-ceasefire")).await.revision;
    let mut pinned = named("jeddah-ceasefire");
    pinned.revision = current.clone();
    evaluate(&mut client, pinned.clone()).await;
    pinned.revision = "0".repeat(32);
    let status = client.evaluate_proposal(pinned).await.unwrap_err();
    let info = status.get_error_details().error_info().unwrap().clone();
    assert_eq!((status.code(), info.reason.as_str()), (Code::FailedPrecondition, "REVISION_NOT_HELD"));
    assert_eq!(
        (info.metadata["requested"].as_str(), info.metadata["current"].as_str()),
        ("0".repeat(32).as_str(), current.as_str())
    );
}

#[tokio::test]
async fn a_list_beyond_its_limit_is_one_fault() {
    let (server, mut client) = client().await;
    let terms: Vec<v1::Term> = (0..501).map(|_| choice("sanctions", "lift")).collect();
    let (_, _, violations) = refuse(&mut client, own(terms)).await;
    let expected = ("proposal.terms".to_owned(), "the list has 501 terms; at most 500 are allowed".to_owned());
    assert_eq!(violations, [expected]);
    server.assert_answers().await;
}
