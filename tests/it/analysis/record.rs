//! Acceptance tests: known results of the analyses for the bundled scenario.
//!
//! The floor of a question is the lowest firmness at which a red line counts, and its pins are terms that every package
//! (deal) must have. An impasse means that no package passes.

use detente::error::ApiError;
use detente::schema::proto::v1;
use detente::schema::proto::v1::binding_probability::Of;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::schema::proto::v1::hypothesis::Kind;
use detente::services::{AnalysisRequest, RedLines};
use detente::serving::Store;
use detente::serving::source;
use detente_analysis::Budget;
use std::sync::Arc;

const GOAL: &str = "ceasefire_scope == \"all_fronts\"";

fn ask<R: AnalysisRequest>(request: &R) -> Result<R::Answer, ApiError> {
    let service = RedLines::new(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()));
    service.analyse(request, &Budget::unhurried())
}

fn aim(goal: &str, floor: v1::Firmness) -> Option<v1::Aim> {
    Some(v1::Aim { goal: goal.to_owned(), floor: floor.into(), ..v1::Aim::default() })
}

fn ids(lines: &[v1::RedLineMention]) -> Vec<&str> {
    lines.iter().map(|line| line.red_line.rsplit('/').next().unwrap()).collect()
}

fn term(issue: &str, value: v1::term::Value) -> v1::Term {
    v1::Term { issue: issue.to_owned(), value: Some(value) }
}

fn impasse(floor: v1::Firmness) -> v1::Impasse {
    let request = v1::ExplainImpasseRequest { aim: aim(GOAL, floor), ..Default::default() };
    ask(&request).unwrap().impasse.unwrap()
}

#[test]
fn four_regions_and_no_cession_are_a_conflict() {
    let impasse = impasse(v1::Firmness::Negotiable);
    assert!(impasse.is_impasse == Some(true) && impasse.complete && !impasse.is_contradiction);
    let conflicts: Vec<Vec<&str>> = impasse.conflicts.iter().map(|conflict| ids(&conflict.red_lines)).collect();
    assert_eq!(conflicts, [["ru-four-regions", "ua-no-cession"]]);
    assert_eq!(impasse.conflicts[0].parties, ["ukraine", "russia"]);
    // Concessions with less firm red lines come first: Russia's is negotiable, and Kyiv's is firm.
    let concessions: Vec<Vec<&str>> = impasse.concessions.iter().map(|concession| ids(&concession.red_lines)).collect();
    assert_eq!(concessions, [["ru-four-regions"], ["ua-no-cession"]]);
    assert_eq!(impasse.concessions[0].firmest(), v1::Firmness::Negotiable);
    assert_eq!(impasse.concessions[1].firmest(), v1::Firmness::Firm);
    assert_eq!(ids(&impasse.in_every_conflict), ["ru-four-regions", "ua-no-cession"]);
    assert!(ids(&impasse.in_no_conflict).contains(&"ru-no-nato-forces"));
}

#[test]
fn softening_either_red_line_of_the_conflict_opens_a_package() {
    for softened in ["ru-four-regions", "ua-no-cession"] {
        let kind = Kind::ChangeFirmness(v1::FirmnessChange {
            red_line: softened.to_owned(),
            firmness: v1::Firmness::Tentative.into(),
        });
        let request = v1::FindPackagesRequest {
            aim: aim(GOAL, v1::Firmness::Negotiable),
            hypotheses: vec![v1::Hypothesis { kind: Some(kind) }],
            max_packages: Some(1),
            ..Default::default()
        };
        let parts = ask(&request).unwrap().decode().unwrap();
        let Some(Part::Package(package)) = &parts[0].part else { panic!("a package: {parts:?}") };
        assert!(ids(&package.crosses).contains(&softened), "{softened}: {package:?}");
    }
}

#[test]
fn at_the_tentative_floor_the_armies_are_also_a_conflict() {
    let impasse = impasse(v1::Firmness::Tentative);
    let conflicts: Vec<Vec<&str>> = impasse.conflicts.iter().map(|conflict| ids(&conflict.red_lines)).collect();
    assert_eq!(conflicts, [["ru-four-regions", "ua-no-cession"], ["ru-army-reduced", "ua-strong-army"]]);
    assert_eq!(impasse.concessions.len(), 4);
    assert!(impasse.in_every_conflict.is_empty());
}

#[test]
fn at_the_firm_floor_there_is_no_impasse() {
    let impasse = impasse(v1::Firmness::Firm);
    assert!(impasse.is_impasse == Some(false) && impasse.complete && impasse.conflicts.is_empty());
    assert!(impasse.summary.contains("not consent"), "{}", impasse.summary);
}

fn european_force() -> v1::SuggestAmendmentsRequest {
    use v1::suggest_amendments_request::Subject;
    let name = "scenarios/ukraine-2025/proposals/european-force".to_owned();
    v1::SuggestAmendmentsRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() }
}

#[test]
fn the_european_force_is_amended_by_dropping_both_its_members_and_its_mandate() {
    let response = ask(&european_force()).unwrap();
    assert!(response.complete);
    let nearest = &response.amendments[0];
    let steps: Vec<&str> = nearest.changes.iter().map(|change| change.text.as_str()).collect();
    assert_eq!(
        steps,
        [
            "drop united_kingdom from force_contributors",
            "drop france from force_contributors",
            "set force_mandate to none"
        ]
    );
    let distance = nearest.distance.unwrap();
    assert_eq!((distance.terms_changed, distance.terms_settled, distance.members_toggled), (2, 0, 2));
    assert_eq!(ids(&nearest.changes[0].settles), ["ru-no-nato-forces", "ru-no-foreign-forces", "uk-needs-us-backing"]);
    assert_eq!(ids(&nearest.changes[1].settles), ["ru-no-nato-forces", "ru-no-foreign-forces"]);
    assert_eq!(nearest.changes[2].mends_constraints, ["mandate-without-force"]);
}

#[test]
fn us_backing_alone_does_not_amend_the_european_force() {
    let response = ask(&european_force()).unwrap();
    let backs_only =
        |amendment: &v1::Amendment| amendment.changes.iter().all(|change| change.issue == "us_backs_force");
    assert!(!response.amendments.iter().any(backs_only));
    let mut pinned = european_force();
    let kept = [
        term("us_backs_force", v1::term::Value::Flag(true)),
        term("force_mandate", v1::term::Value::Choice("coalition".to_owned())),
    ];
    pinned.aim = Some(v1::Aim { pins: kept.to_vec(), ..v1::Aim::default() });
    let response = ask(&pinned).unwrap();
    assert!(response.amendments.is_empty() && response.complete, "{response:?}");
    let impasse = response.impasse.unwrap();
    assert_eq!(impasse.is_impasse, Some(true));
    // The pinned mandate still requires a force, and Moscow rejects a force of any contributors.
    let conflicts: Vec<Vec<&str>> = impasse.conflicts.iter().map(|conflict| ids(&conflict.red_lines)).collect();
    assert_eq!(conflicts, [["ru-no-foreign-forces"]]);
}

#[test]
fn a_proposal_that_passes_needs_no_amendment() {
    use v1::suggest_amendments_request::Subject;
    let name = "scenarios/ukraine-2025/proposals/osce-style-mission".to_owned();
    let request = v1::SuggestAmendmentsRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() };
    let response = ask(&request).unwrap();
    assert_eq!(response.amendments.len(), 1);
    assert!(response.amendments[0].changes.is_empty() && response.complete);
}

#[test]
fn every_probability_is_given_by_the_caller_or_listed_as_missing() {
    use v1::assess_robustness_request::Subject;
    let name = "scenarios/ukraine-2025/proposals/european-force".to_owned();
    let mut request = v1::AssessRobustnessRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() };
    let of = |of, probability| v1::BindingProbability { of: Some(of), probability };
    request.probabilities = vec![of(Of::Firmness(v1::Firmness::Firm.into()), 0.9)];
    let ApiError::InvalidRequest(violations) = ask(&request).unwrap_err() else { panic!("faults of the request") };
    let named: Vec<String> = violations.iter().map(|(_, text)| text.to_owned()).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].contains("`ru-no-nato-forces` (absolute)") && named[1].contains("`us-no-troops` (absolute)"));

    request.probabilities.push(of(Of::Firmness(v1::Firmness::Absolute.into()), 0.95));
    request.probabilities.push(of(Of::RedLine("uk-needs-us-backing".to_owned()), 0.5));
    let response = ask(&request).unwrap();
    let found = response.proposal.unwrap();
    assert!((found.low - 0.05 * 0.1 * 0.5).abs() < 1e-12 && found.low == found.high, "{found:?}");
    assert_eq!(response.probabilities.len(), 8);
    let first = response.importance[0].red_line.as_ref().unwrap();
    assert!(first.red_line.ends_with("/ru-no-nato-forces"), "{first:?}");
    assert_eq!(response.best.unwrap().probability.unwrap().low, 1.0);
    assert!(response.assumptions.iter().any(|text| text.contains("independently")));
}

#[test]
fn a_sweep_answers_for_every_value_of_a_circumstance() {
    use v1::assess_robustness_request::Subject;
    let name = "scenarios/ukraine-2025/proposals/guarantors-2022".to_owned();
    let of = |of, probability| v1::BindingProbability { of: Some(of), probability };
    let request = v1::AssessRobustnessRequest {
        subject: Some(Subject::ProposalName(name)),
        probabilities: vec![
            of(Of::Firmness(v1::Firmness::Firm.into()), 0.8),
            of(Of::Firmness(v1::Firmness::Absolute.into()), 1.0),
        ],
        sweep: vec!["guarantors_willing".to_owned()],
        ..Default::default()
    };
    let response = ask(&request).unwrap();
    let found = response.proposal.unwrap();
    assert!((found.low - 0.2).abs() < 1e-12 && found.high == 1.0, "{found:?}");
    let swept: Vec<(f64, f64)> =
        response.sweep.iter().map(|case| case.proposal.unwrap()).map(|range| (range.low, range.high)).collect();
    assert_eq!(swept.len(), 2);
    assert!((swept[0].0 - 0.2).abs() < 1e-12 && swept[0].0 == swept[0].1, "unwilling: {swept:?}");
    assert_eq!(swept[1], (1.0, 1.0), "willing");
}

#[test]
fn the_best_package_says_which_counted_lines_it_crosses() {
    let of = |firmness: v1::Firmness, probability| v1::BindingProbability {
        of: Some(Of::Firmness(firmness.into())),
        probability,
    };
    let request = v1::AssessRobustnessRequest {
        aim: aim(GOAL, v1::Firmness::Negotiable),
        probabilities: vec![
            of(v1::Firmness::Negotiable, 0.5),
            of(v1::Firmness::Firm, 0.6),
            of(v1::Firmness::Absolute, 1.0),
        ],
        ..Default::default()
    };
    let response = ask(&request).unwrap();
    assert!(response.proposal.is_none());
    let best = response.best.unwrap();
    assert_eq!(ids(&best.could_cross), ["ru-four-regions"]);
    assert!((best.probability.unwrap().low - 0.5).abs() < 1e-12);
}

#[test]
fn not_yet_recorded_lines_are_distinguished_from_clear_ones() {
    use detente::schema::proto::Date;
    let as_of = Some(Date { year: 2024, month: 6, day: 30 });
    let request = v1::FindPackagesRequest { as_of, max_packages: Some(0), ..Default::default() };
    let parts = ask(&request).unwrap().decode().unwrap();
    let Some(Part::Summary(summary)) = &parts[0].part else { panic!("a summary: {parts:?}") };
    assert!(ids(&summary.not_recorded).contains(&"ru-no-foreign-forces"), "{summary:?}");
    assert!(summary.summary.contains("not the same as clear"), "{}", summary.summary);
    let request = v1::ExplainImpasseRequest { as_of, ..Default::default() };
    let impasse = ask(&request).unwrap().impasse.unwrap();
    assert!(ids(&impasse.not_recorded).contains(&"ru-no-nato-forces"));
}

#[test]
fn a_pin_that_settles_nothing_is_rejected() {
    let pin = term("nato_path", v1::term::Value::Unsettled(v1::Unsettled {}));
    let aim = Some(v1::Aim { pins: vec![pin], ..v1::Aim::default() });
    let ApiError::InvalidRequest(faults) = ask(&v1::FindPackagesRequest { aim, ..Default::default() }).unwrap_err()
    else {
        panic!("faults of the request")
    };
    let fields: Vec<String> = faults.iter().map(|(field, _)| field.to_owned()).collect();
    assert_eq!(fields, ["aim.pins[0].unsettled"]);
}
