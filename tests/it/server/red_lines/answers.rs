//! Answers about the bundled scenario: known results of evaluations, and the scenario, proposals and red lines behind
//! an answer. For an undetermined red line, an answer lists settlements: terms that would cross it, or clear it.

use super::{SCENARIO, choice, client, day, evaluate, members, named, own, refused, strings, term};
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use tonic::Code;
use tonic_types::StatusExt;

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
