//! RedLineService over a real socket: acceptance cases, each kind of rejection with its details, and pagination.

use crate::support::Server;
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::term;
use detente::serving::source;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

type Client = RedLineServiceClient<Channel>;

async fn client() -> (Server, Client) {
    let server = Server::start().await;
    let client = RedLineServiceClient::new(server.channel().await);
    (server, client)
}

const SCENARIO: &str = "scenarios/ukraine-2025";

fn named(proposal: &str) -> v1::EvaluateProposalRequest {
    v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName(format!("{SCENARIO}/proposals/{proposal}"))),
        ..Default::default()
    }
}

fn own(terms: Vec<v1::Term>) -> v1::EvaluateProposalRequest {
    let proposal = v1::Proposal { terms, ..Default::default() };
    v1::EvaluateProposalRequest { subject: Some(Subject::Proposal(proposal)), ..Default::default() }
}

fn term(issue: &str, value: term::Value) -> v1::Term {
    v1::Term { issue: issue.to_owned(), value: Some(value) }
}

fn choice(issue: &str, option: &str) -> v1::Term {
    term(issue, term::Value::Choice(option.to_owned()))
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn members(issue: &str, values: &[&str]) -> v1::Term {
    term(issue, term::Value::Members(v1::Members { values: strings(values) }))
}

fn day(year: i32, month: i32, day: i32) -> Option<Date> {
    Some(Date { year, month, day })
}

async fn evaluate(client: &mut Client, request: v1::EvaluateProposalRequest) -> v1::Evaluation {
    client.evaluate_proposal(request).await.unwrap().into_inner().evaluation.unwrap()
}

fn finding<'a>(evaluation: &'a v1::Evaluation, id: &str) -> Option<&'a v1::Finding> {
    evaluation.findings.iter().find(|finding| finding.red_line == format!("{SCENARIO}/redLines/{id}"))
}

fn stance(evaluation: &v1::Evaluation, party: &str) -> (v1::Stance, v1::Stance) {
    let found = evaluation.stances.iter().find(|stance| stance.party == party).unwrap();
    (found.stance(), found.could_become())
}

fn crossed(evaluation: &v1::Evaluation, firmness: v1::Firmness) -> Vec<&str> {
    let found = evaluation
        .findings
        .iter()
        .filter(|finding| finding.status() == v1::RedLineStatus::Crossed && finding.firmness() == firmness);
    found.map(|finding| finding.red_line.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn acceptance_cases_hold_over_the_wire() {
    let (_server, mut client) = client().await;
    use v1::{Firmness, RedLineStatus, Stance, Verdict};

    let jeddah = evaluate(&mut client, named("jeddah-ceasefire")).await;
    assert_eq!((jeddah.verdict(), jeddah.could_become()), (Verdict::Contested, Verdict::Contested));
    assert_eq!(stance(&jeddah, "ukraine").0, Stance::NoStatedObjection);
    assert_eq!(stance(&jeddah, "russia").0, Stance::Resists);
    assert_eq!(crossed(&jeddah, Firmness::Negotiable), ["ru-four-regions", "ru-nato-renounced", "ru-sanctions-lifted"]);
    assert_eq!(
        crossed(&jeddah, Firmness::Tentative),
        ["ru-not-unconditional", "ru-no-us-aid", "ru-no-european-aid", "ru-army-reduced"]
    );
    for (line, issue) in [
        ("ru-root-causes", "root_causes"),
        ("ru-modalities", "ceasefire_modalities"),
        ("ru-kursk", "kursk_allegations"),
    ] {
        let open = finding(&jeddah, line).unwrap();
        assert_eq!((open.status(), open.hangs_on.as_slice()), (RedLineStatus::Undetermined, &[issue.to_owned()][..]));
        let unsettled = jeddah.unsettled.iter().find(|open| open.input == issue).unwrap();
        assert_eq!(unsettled.red_lines, [format!("{SCENARIO}/redLines/{line}")]);
    }

    let mut then = named("jeddah-ceasefire");
    (then.as_of, then.view) = (day(2024, 6, 30), v1::EvaluationView::Full.into());
    let then = evaluate(&mut client, then).await;
    assert_eq!(then.verdict(), Verdict::Blocked);
    assert_eq!(finding(&then, "ua-no-regrouping-pause").unwrap().status(), RedLineStatus::Crossed);
    assert!(finding(&then, "ua-reciprocity").is_none());
    assert_eq!(finding(&then, "ru-no-foreign-forces").unwrap().status(), RedLineStatus::NotRecorded);

    let mut air = named("air-and-sea-truce");
    air.as_of = day(2023, 1, 1);
    let before = evaluate(&mut client, air.clone()).await;
    assert_eq!((before.verdict(), stance(&before, "ukraine").0), (Verdict::Blocked, Stance::Rejects));
    assert!(finding(&before, "ua-withdrawal-first").is_some());
    air.as_of = day(2025, 3, 10);
    assert_ne!(stance(&evaluate(&mut client, air).await, "ukraine").0, Stance::Rejects);

    let moscow = evaluate(&mut client, named("moscow-june-2024")).await;
    assert_eq!((moscow.verdict(), moscow.could_become()), (Verdict::Blocked, Verdict::Blocked));
    let cession = finding(&moscow, "ua-no-cession").unwrap();
    let regions: Vec<&str> = cession.reasons.iter().map(|reason| reason.causes[0].member.as_str()).collect();
    assert_eq!(regions, ["luhansk", "donetsk", "kherson", "zaporizhzhia"]);
    assert!(cession.reasons.iter().all(|reason| reason.causes.len() == 1));
    assert_eq!(finding(&moscow, "ua-reciprocity").unwrap().status(), RedLineStatus::Undetermined);
    for line in ["ru-four-regions", "ru-nato-renounced", "ru-sanctions-lifted"] {
        assert!(finding(&moscow, line).is_none(), "{line}");
    }
    assert_eq!(stance(&moscow, "russia"), (Stance::MayResist, Stance::Resists));

    let force = evaluate(&mut client, named("european-force")).await;
    assert_eq!(force.verdict(), Verdict::Blocked);
    assert_eq!(crossed(&force, Firmness::Absolute), ["ru-no-nato-forces"]);
    assert_eq!(crossed(&force, Firmness::Firm), ["ru-no-foreign-forces", "uk-needs-us-backing"]);
    assert_eq!(stance(&force, "united_kingdom").0, Stance::Rejects);
    assert_eq!(
        finding(&force, "uk-needs-us-backing").unwrap().reasons[0].text,
        "united_kingdom is in force_contributors, and us_backs_force is false by status quo"
    );
    assert!(force.cautions.iter().any(|caution| caution.evidence.iter().any(|evidence| evidence.row == "E16")));

    let mut china = named("chinese-un-force");
    china.view = v1::EvaluationView::Full.into();
    let waived = evaluate(&mut client, china.clone()).await;
    let line = finding(&waived, "ru-no-foreign-forces").unwrap();
    assert_eq!(waived.verdict(), Verdict::Contested);
    assert_eq!((line.status(), line.firmness()), (RedLineStatus::Crossed, Firmness::Negotiable));
    let rows = |evidence: &[v1::Evidence]| evidence.iter().map(|evidence| evidence.row.clone()).collect::<Vec<_>>();
    assert!(rows(&line.evidence).contains(&"P51".to_owned()));
    assert_eq!(rows(&line.waivers[0].evidence), ["E19", "E20", "E21"]);
    china.overrides = vec![term("force_mandate", term::Value::AnyOf(v1::AnyOf { values: strings(&["none", "un"]) }))];
    let bracketed = evaluate(&mut client, china).await;
    let line = finding(&bracketed, "ru-no-foreign-forces").unwrap();
    assert_eq!((bracketed.verdict(), bracketed.could_become()), (Verdict::Contested, Verdict::Blocked));
    assert_eq!((line.firmness(), line.firmness_at_worst()), (Firmness::Negotiable, Firmness::Firm));
    assert!(bracketed.warnings.iter().any(|warning| warning.certainty() == v1::Certainty::Possible));

    let guarantors = evaluate(&mut client, named("guarantors-2022")).await;
    assert_eq!((guarantors.verdict(), guarantors.could_become()), (Verdict::Contested, Verdict::Undeliverable));
    assert_eq!(stance(&guarantors, "guarantor_states"), (Stance::Undecided, Stance::Rejects));
    assert_eq!(finding(&guarantors, "gs-no-confrontation").unwrap().hangs_on, ["guarantors_willing"]);

    let army = evaluate(&mut client, named("strong-army")).await;
    assert_eq!(army.verdict(), Verdict::Contested);
    let tentative = crossed(&army, Firmness::Tentative);
    assert!(tentative.contains(&"ru-army-reduced") && tentative.contains(&"ru-no-european-aid"));

    let alone = own(vec![choice("ukrainian_forces", "unlimited"), term("defence_lines", term::Value::Flag(true))]);
    let alone = evaluate(&mut client, alone).await;
    assert_eq!((alone.verdict(), alone.findings.len()), (Verdict::Unopposed, 0));
    assert!(alone.summary.contains("not consent"));
}

/// The code, the reason, and the violations of a rejected call.
fn refused(status: &Status) -> (Code, String, Vec<(String, String)>) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.domain, "detente.dev");
    let violations = details.bad_request().map(|request| request.field_violations.clone()).unwrap_or_default();
    let violations = violations.into_iter().map(|violation| (violation.field, violation.description));
    (status.code(), info.reason.clone(), violations.collect())
}

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
async fn thousands_of_faults_fit_into_the_trailers() {
    let (server, mut client) = client().await;
    let terms: Vec<v1::Term> = (0..500).map(|at| choice(&format!("{}{at}", "x".repeat(900)), "y")).collect();
    let (code, _, violations) = refuse(&mut client, own(terms)).await;
    let bytes: usize = violations.iter().map(|(field, text)| field.len() + text.len()).sum();
    assert_eq!(code, Code::InvalidArgument);
    assert!(bytes < 5_000, "{bytes}");
    let (field, text) = violations.last().unwrap();
    let listed = violations.len() - 1;
    assert_eq!(
        (field.as_str(), text.as_str()),
        ("...", format!("{} more faults are not listed", 500 - listed).as_str())
    );

    let terms: Vec<v1::Term> = (0..501).map(|_| choice("sanctions", "lift")).collect();
    let (_, _, violations) = refuse(&mut client, own(terms)).await;
    let expected = ("proposal.terms".to_owned(), "the list has 501 terms; at most 500 are allowed".to_owned());
    assert_eq!(violations, [expected]);
    server.assert_answers().await;
}

async fn page(client: &mut Client, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, Status> {
    client.list_red_lines(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn pages_add_up_to_the_whole_list() {
    let (_server, mut client) = client().await;
    let request = v1::ListRedLinesRequest { parent: SCENARIO.to_owned(), ..Default::default() };
    let whole = page(&mut client, request.clone()).await.unwrap();
    assert_eq!((whole.red_lines.len(), whole.total_size, whole.next_page_token.as_str()), (24, 24, ""));
    let mut next = v1::ListRedLinesRequest { page_size: 7, ..request };
    let mut joined = Vec::new();
    loop {
        let found = page(&mut client, next.clone()).await.unwrap();
        assert!(!found.red_lines.is_empty());
        joined.extend(found.red_lines);
        if found.next_page_token.is_empty() {
            break;
        }
        next.page_token = found.next_page_token;
    }
    assert_eq!(joined, whole.red_lines);
    assert!(joined.iter().all(|red_line| !red_line.evidence.is_empty() && red_line.condition.is_some()));
}

#[tokio::test]
async fn red_lines_are_filtered_and_ordered() {
    let (_server, mut client) = client().await;
    let mut ids = async |filter: v1::RedLineFilter, order_by: &str| {
        let request =
            v1::ListRedLinesRequest { filter: Some(filter), order_by: order_by.to_owned(), ..Default::default() };
        let found = page(&mut client, request).await.unwrap().red_lines;
        found.iter().map(|line| line.name.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let filter = v1::RedLineFilter::default();
    let firm = v1::RedLineFilter {
        firmness_at_least: v1::Firmness::Firm.into(),
        party: "russia".to_owned(),
        ..filter.clone()
    };
    assert_eq!(ids(firm, "").await, ["ru-no-nato-forces", "ru-no-foreign-forces"]);
    let willing = v1::RedLineFilter { issue: "guarantors_willing".to_owned(), ..filter.clone() };
    assert_eq!(ids(willing, "").await, ["gs-no-confrontation"]);
    let held = v1::RedLineFilter { held_on: day(2023, 1, 1), ..filter.clone() };
    assert_eq!(
        ids(held, "firmness desc, id").await,
        ["gs-no-confrontation", "ua-no-regrouping-pause", "ua-withdrawal-first", "ru-army-reduced"]
    );
    let text = v1::RedLineFilter { text: "LAVROV".to_owned(), ..filter };
    assert_eq!(ids(text, "").await, ["ru-no-nato-forces"]);
}

#[tokio::test]
async fn a_page_token_is_valid_for_its_own_list_only() {
    let (server, mut client) = client().await;
    let request = v1::ListRedLinesRequest { page_size: 5, ..Default::default() };
    let token = page(&mut client, request.clone()).await.unwrap().next_page_token;
    let with = |token: String| v1::ListRedLinesRequest { page_token: token, ..request.clone() };
    page(&mut client, with(token.clone())).await.unwrap();
    // The page size may change between pages.
    page(&mut client, v1::ListRedLinesRequest { page_size: 9, ..with(token.clone()) }).await.unwrap();

    let expect = |status: Status, code: Code, reason: &str| {
        let (found, found_reason, _) = refused(&status);
        assert_eq!((found, found_reason.as_str()), (code, reason));
    };
    let filter = Some(v1::RedLineFilter { party: "russia".to_owned(), ..Default::default() });
    let other_filter = v1::ListRedLinesRequest { filter, ..with(token.clone()) };
    expect(page(&mut client, other_filter).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    let other_order = v1::ListRedLinesRequest { order_by: "id".to_owned(), ..with(token.clone()) };
    expect(page(&mut client, other_order).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    let other_list = v1::ListProposalsRequest { page_token: token.clone(), ..Default::default() };
    expect(client.list_proposals(other_list).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    for at in 0..token.len() {
        for flip in [0x01, 0x02, 0x20] {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let status = page(&mut client, with(changed)).await.unwrap_err();
            expect(status, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
        }
    }
    for odd in ["x", &token[1..], &format!("{token}A"), &format!("{token}="), &"A".repeat(100_000)] {
        expect(page(&mut client, with(odd.to_owned())).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let negative = v1::ListRedLinesRequest { page_size: -1, ..request.clone() };
    expect(page(&mut client, negative).await.unwrap_err(), Code::InvalidArgument, "INVALID_REQUEST");

    // Another revision of the same scenario, as another replica may serve it.
    let text = source::EMBEDDED.replacen("as_of: 2025-03-14", "as_of: 2025-03-13", 1);
    let scenario = detente_core::scenario::load("other.yaml", &text).unwrap();
    let compiled = detente_core::engine::Compiled::new(std::sync::Arc::new(scenario)).unwrap();
    let store = detente::serving::Store::new(vec![compiled]).unwrap();
    let replica = detente::services::RedLines::new(std::sync::Arc::new(store));
    let status = Status::from(replica.list_red_lines(with(token.clone())).unwrap_err());
    expect(status, Code::FailedPrecondition, "REVISION_NOT_HELD");
    // A replica with the same revision continues the list at the same point.
    let store = detente::serving::Store::new(source::load(&[]).unwrap()).unwrap();
    let replica = detente::services::RedLines::new(std::sync::Arc::new(store));
    let there = replica.list_red_lines(with(token.clone())).unwrap();
    assert_eq!(there, page(&mut client, with(token)).await.unwrap());
    server.assert_answers().await;
}

#[tokio::test]
async fn a_settlement_on_members_repeats_the_settled_members() {
    let (_server, mut client) = client().await;
    let some = v1::Partial { includes: strings(&["luhansk"]), excludes: Vec::new() };
    let draft = || {
        own(vec![
            choice("ceasefire_scope", "all_fronts"),
            term("ukrainian_withdrawal", term::Value::Partial(some.clone())),
        ])
    };
    let open = evaluate(&mut client, draft()).await;
    let four = finding(&open, "ru-four-regions").unwrap();
    assert_eq!(four.status(), v1::RedLineStatus::Undetermined);
    for (settlements, crossed) in [(&four.would_cross, true), (&four.would_clear, false)] {
        for settlement in settlements {
            let mut request = draft();
            request.overrides = settlement.terms.clone();
            let settled = evaluate(&mut client, request).await;
            let found = finding(&settled, "ru-four-regions").map(v1::Finding::status);
            assert_eq!(found, crossed.then_some(v1::RedLineStatus::Crossed), "{}", settlement.text);
        }
    }
}

#[tokio::test]
async fn red_lines_not_yet_recorded_are_in_the_summary() {
    let (_server, mut client) = client().await;
    let mut request = own(vec![members("force_contributors", &["china"]), choice("force_mandate", "un")]);
    request.as_of = day(2024, 6, 30);
    let then = evaluate(&mut client, request).await;
    assert_eq!(then.verdict(), v1::Verdict::Unopposed);
    assert!(then.summary.contains("not yet recorded on that day, which is not the same as clear"), "{}", then.summary);
}

#[tokio::test]
async fn all_filter_faults_are_reported_at_once_with_the_nearest_names() {
    let (_server, mut client) = client().await;
    let filter = v1::RedLineFilter {
        party: "rusia".to_owned(),
        issue: "sanction".to_owned(),
        firmness_at_least: 9,
        held_on: Some(Date { year: 2025, month: 13, day: 1 }),
        text: "x".repeat(201),
    };
    let request = v1::ListRedLinesRequest {
        filter: Some(filter),
        order_by: "size, id up, id, id".to_owned(),
        page_size: -3,
        ..Default::default()
    };
    let (code, _, violations) = refused(&page(&mut client, request).await.unwrap_err());
    assert_eq!(code, Code::InvalidArgument);
    let fields: Vec<&str> = violations.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "page_size",
            "order_by",
            "order_by",
            "order_by",
            "filter.party",
            "filter.issue",
            "filter.firmness_at_least",
            "filter.held_on",
            "filter.text",
        ],
        "{violations:#?}"
    );
    assert_eq!(violations[4].1, "there is no party `rusia`; did you mean `russia`?");
}

#[tokio::test]
async fn every_resource_behind_an_answer_can_be_read() {
    let (_server, mut client) = client().await;
    let listed = client.list_scenarios(v1::ListScenariosRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.scenarios.len(), 1);
    assert!(listed.scenarios[0].is_default && listed.scenarios[0].parties.is_empty());
    let whole = client.get_scenario(v1::GetScenarioRequest::default()).await.unwrap().into_inner();
    let sizes = [
        whole.parties.len(),
        whole.issues.len(),
        whole.circumstances.len(),
        whole.groups.len(),
        whole.constraints.len(),
        whole.cautions.len(),
        whole.preferences.len(),
    ];
    assert_eq!(sizes, [10, 24, 1, 1, 3, 5, 3]);
    assert!(whole.issues.iter().all(|issue| issue.domain.as_ref().is_some_and(|domain| domain.kind.is_some())));
    let aid = whole.issues.iter().find(|issue| issue.id == "us_military_aid").unwrap();
    assert_eq!(aid.status_quo.len(), 3);

    let proposals = client.list_proposals(v1::ListProposalsRequest::default()).await.unwrap().into_inner();
    assert_eq!((proposals.proposals.len(), proposals.total_size), (11, 11));
    for proposal in proposals.proposals {
        let request = v1::GetProposalRequest { name: proposal.name.clone(), revision: proposal.revision.clone() };
        assert_eq!(client.get_proposal(request).await.unwrap().into_inner(), proposal);
        // A reference proposal that is sent as the caller's own proposal is evaluated the same.
        let request =
            v1::EvaluateProposalRequest { subject: Some(Subject::Proposal(proposal.clone())), ..Default::default() };
        let id = proposal.name.rsplit('/').next().unwrap();
        assert_eq!(evaluate(&mut client, request).await, evaluate(&mut client, named(id)).await);
    }
    let request =
        v1::GetRedLineRequest { name: format!("{SCENARIO}/redLines/ru-no-nato-force"), revision: String::new() };
    let status = client.get_red_line(request).await.unwrap_err();
    let info = status.get_error_details().error_info().unwrap().clone();
    assert_eq!((status.code(), info.reason.as_str()), (Code::NotFound, "RED_LINE_NOT_FOUND"));
    assert_eq!(info.metadata["nearest"], format!("{SCENARIO}/redLines/ru-no-nato-forces"));
    for name in [
        "",
        "x",
        "scenarios/ukraine-2025",
        "scenarios//redLines/x",
        "scenarios/a/redLines/",
        "scenarios/a/redLines/b/c",
    ] {
        let request = v1::GetRedLineRequest { name: name.to_owned(), revision: String::new() };
        let (code, _, violations) = refused(&client.get_red_line(request).await.unwrap_err());
        assert_eq!((code, violations[0].0.as_str()), (Code::InvalidArgument, "name"), "{name}");
    }
}

#[tokio::test]
async fn answers_list_terms_that_settle_an_open_red_line() {
    let (_server, mut client) = client().await;
    let open = evaluate(&mut client, named("air-and-sea-truce")).await;
    let undetermined: Vec<&v1::Finding> =
        open.findings.iter().filter(|finding| finding.status() == v1::RedLineStatus::Undetermined).collect();
    assert!(!undetermined.is_empty());
    for finding in undetermined {
        for (settlements, status) in
            [(&finding.would_cross, v1::RedLineStatus::Crossed), (&finding.would_clear, v1::RedLineStatus::Clear)]
        {
            assert!(!settlements.is_empty());
            for settlement in settlements {
                let mut request = named("air-and-sea-truce");
                request.overrides = settlement.terms.clone();
                request.view = v1::EvaluationView::Full.into();
                let settled = evaluate(&mut client, request).await;
                let found = settled.findings.iter().find(|found| found.red_line == finding.red_line).unwrap();
                assert_eq!(found.status(), status, "{} {}", finding.red_line, settlement.text);
            }
        }
    }
}
