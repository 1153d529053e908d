//! Analyses that reach a bound, a limit on their work or time, before they are finished: the partial result is correct,
//! and the answer says that it is incomplete.
//!
//! A package is a deal. A conflict is a minimal set of red lines that no package can respect together, and a concession
//! is a minimal set of red lines whose softening lets a package pass.

use detente::schema::proto::v1;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::services::{AnalysisRequest, RedLines};
use detente::serving::Store;
use detente::serving::source;
use detente_analysis::{Bounds, Budget};
use detente_core::engine::Compiled;
use detente_core::scenario;
use std::fmt::Write;
use std::sync::Arc;

const HEAD: &str = "scenario: made\ntitle: Made\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\n\
                    sources:\n  - {id: nowhere, title: None, publisher: Nobody}\nparties:\n  - {id: one, name: One, role: \
                    principal}\n  - {id: two, name: Two, role: principal}\n  - {id: three, name: Three, role: principal}\n";
const EVIDENCE: &str = "evidence: [{source: nowhere, kind: reported, speaker: S, statement: S}]";

fn ask<R: AnalysisRequest>(text: &str, request: &R) -> R::Answer {
    ask_within(text, request, &Budget::unhurried())
}

fn ask_within<R: AnalysisRequest>(text: &str, request: &R, budget: &Budget) -> R::Answer {
    let compiled =
        Compiled::new(Arc::new(scenario::load("made.yaml", text).unwrap_or_else(|faults| panic!("{faults}"))));
    let service = RedLines::new(Arc::new(Store::new(vec![compiled.unwrap()]).unwrap()));
    service.analyse(request, budget).unwrap()
}

/// A scenario with pairs of contradictory red lines. One red line of each pair must be softened: with n pairs, there
/// are n conflicts, and 2^n concessions of equal size.
fn contradictions(pairs: usize) -> String {
    let mut text = HEAD.to_owned() + "issues:\n";
    for pair in 0..pairs {
        writeln!(text, "  - {{id: i{pair}, title: T, question: Q, kind: flag}}").unwrap();
    }
    text += "red_lines:\n";
    for pair in 0..pairs {
        for (side, negation) in [("a", ""), ("b", "!")] {
            writeln!(
                text,
                "  - {{id: line-{pair}-{side}, party: one, title: T, rejects: \"{negation}i{pair}\", firmness: firm, held: \
                 [{{from: 2025-01-01}}], {EVIDENCE}}}"
            )
            .unwrap();
        }
    }
    text
}

/// Concessions of one size are returned in a fixed order, which is possible only after all of them have been found. So
/// the number of concessions of one size has a bound.
#[test]
fn too_many_concessions_do_not_hide_a_few_conflicts() {
    // With the limit of the service, the search would take too long for a test, so this test sets a lower one.
    assert_eq!(Bounds::default().of_one_size, 5_000);
    let bounds = Bounds { of_one_size: 512, ..Bounds::default() };
    let request = v1::ExplainImpasseRequest { max_results: 1_000, ..Default::default() };
    let explain = |pairs| {
        let answer = ask_within(&contradictions(pairs), &request, &Budget::unhurried().with_bounds(bounds));
        let impasse = answer.impasse.unwrap();
        assert_eq!(impasse.is_impasse, Some(true));
        assert_eq!(impasse.conflicts.len(), pairs);
        assert!(impasse.conflicts.iter().all(|conflict| conflict.red_lines.len() == 2));
        impasse
    };
    let within = explain(9);
    assert_eq!((within.concessions.len(), within.complete), (512, true));
    let beyond = explain(10);
    assert!(beyond.concessions.is_empty() && !beyond.complete);
    assert_eq!(beyond.cut_short(), v1::CutShort::Work);
}

/// A scenario with one red line, and with a quantity of which a party values neighbouring numbers differently.
fn valued(values: i64) -> String {
    let numbers: Vec<String> = (0..values).map(|value| format!("{value}: {}", value * 7 % 1000)).collect();
    format!(
        "{HEAD}issues:\n  - {{id: days, title: T, question: Q, kind: quantity, unit: days, range: {{min: 0, max: {}}}, \
         status_quo: 10}}\n  - {{id: weeks, title: T, question: Q, kind: quantity, unit: weeks, range: {{min: 0, max: 100}}, \
         status_quo: 10}}\nred_lines:\n  - {{id: line, party: one, title: T, requires: \"days >= 50 || weeks >= 50\", \
         firmness: firm, held: [{{from: 2025-01-01}}], {EVIDENCE}}}\npreferences:\n  - {{party: two, issue: days, values: \
         {{{}}}, {EVIDENCE}}}\n",
        values - 1,
        numbers.join(", ")
    )
}

#[test]
fn preferences_do_not_change_the_nearest_amendment() {
    use v1::suggest_amendments_request::Subject;
    let subject = Some(Subject::Proposal(v1::Proposal::default()));
    let request = v1::SuggestAmendmentsRequest { subject, max_amendments: 1, ..Default::default() };
    // Preferences divide a quantity into intervals of equal utility. Here, each number of days is an interval of its
    // own: 101 of them are many, and 201 are more than the limit. Amendments do not depend on preferences, so neither
    // number affects the answer.
    for values in [101, 201] {
        let response = ask(&valued(values), &request);
        assert_eq!(response.amendments[0].changes[0].issue, "weeks", "{values}");
        assert_eq!(response.amendments[0].distance.unwrap().cuts_moved, 1, "{values}");
    }
}

#[test]
fn ties_beyond_the_maximum_are_reported() {
    // Two parties have opposed preferences, and a third gains nothing from any package. So there are forty efficient
    // points (combinations of utilities that no other one improves on), and at each the product of all gains is 0.
    let options: Vec<String> = (0..40).map(|option| format!("o{option}")).collect();
    let mut text = format!(
        "{HEAD}issues:\n  - {{id: i, title: T, question: Q, kind: choice, options: [{}]}}\nred_lines: []\npreferences:\n",
        options.join(", ")
    );
    for party in ["one", "two", "three"] {
        let numbers = (0..40).map(|option| match party {
            "one" => format!("o{option}: {option}"),
            "two" => format!("o{option}: {}", 39 - option),
            _ => format!("o{option}: 0"),
        });
        let numbers: Vec<String> = numbers.collect();
        writeln!(text, "  - {{party: {party}, issue: i, values: {{{}}}, {EVIDENCE}}}", numbers.join(", ")).unwrap();
    }
    let utilities = ["one", "two", "three"].map(|party| v1::PartyUtility { party: party.to_owned(), utility: 0.0 });
    let disagreement = Some(v1::DisagreementPoint { utilities: utilities.to_vec() });
    let request = v1::FindPackagesRequest { disagreement, efficient: true, ..Default::default() };
    let parts = ask(&text, &request).decode().unwrap();
    let Some(Part::Summary(summary)) = parts.last().and_then(|part| part.part.clone()) else { panic!("a summary") };
    assert_eq!(summary.efficient_points, "40");
    let bargaining = summary.bargaining.unwrap();
    assert!(bargaining.nash.is_empty(), "there is no Nash solution if all products are 0");
    // At each of the middle two points, one party gains 19 of 39 and the other gains 20.
    assert_eq!(bargaining.kalai_smorodinsky.len(), 2);
    assert!(summary.complete);
}

#[test]
fn packages_with_many_members_are_bounded_by_work() {
    let members: Vec<String> = (0..64).map(|member| format!("m{member}")).collect();
    let wide = |issues: usize| {
        let mut text = format!("{HEAD}issues:\n");
        for issue in 0..issues {
            writeln!(
                text,
                "  - {{id: i{issue}, title: T, question: Q, kind: members, members: [{}]}}",
                members.join(", ")
            )
            .unwrap();
        }
        text += "red_lines:\n";
        for issue in 0..issues {
            let rejects: Vec<String> = (0..63).map(|one| format!("\"m{one}\" in i{issue}")).collect();
            let rejects = rejects.join(" || ");
            writeln!(
                text,
                "  - {{id: line-{issue}, party: one, title: T, rejects: '{rejects}', firmness: firm, held: \
                 [{{from: 2025-01-01}}], {EVIDENCE}}}"
            )
            .unwrap();
        }
        text
    };
    let request = v1::FindPackagesRequest { max_packages: Some(1_000), ..Default::default() };
    for (issues, all) in [(10, true), (100, false)] {
        let parts = ask(&wide(issues), &request).decode().unwrap();
        let Some(Part::Summary(summary)) = parts.last().and_then(|part| part.part.clone()) else { panic!("a summary") };
        assert_eq!(summary.packages, (1u128 << issues).to_string());
        assert_eq!(usize::try_from(summary.sent).unwrap(), parts.len() - 1);
        assert_eq!((summary.sent == 1_000, summary.complete), (all, all), "{} of {issues} issues", summary.sent);
        assert!(summary.sent > 0 && (all || summary.cut_short() == v1::CutShort::Work));
    }
}

#[test]
fn packages_found_before_the_time_limit_are_answered() {
    use std::cell::Cell;
    let compiled = source::load(&[]).unwrap();
    let service = RedLines::new(Arc::new(Store::new(compiled).unwrap()));
    for order in [v1::PackageOrder::Stable, v1::PackageOrder::Diverse] {
        let request = v1::FindPackagesRequest {
            max_packages: Some(100),
            order: order.into(),
            efficient: true,
            ..Default::default()
        };
        let mut partly = 0;
        // The budget ends after this many checks of whether time is left.
        for most in (0..20).map(|power| 1usize << power) {
            let asked = Cell::new(0);
            let stop = || {
                asked.set(asked.get() + 1);
                asked.get() > most
            };
            let parts = service.analyse(&request, &Budget::new(&stop, &|_| {})).unwrap().decode().unwrap();
            let Some(Part::Summary(summary)) = parts.last().and_then(|part| part.part.clone()) else {
                panic!("a summary")
            };
            assert_eq!(summary.complete, asked.get() <= most);
            assert_eq!(summary.cut_short() == v1::CutShort::Deadline, !summary.complete);
            partly += usize::from(!summary.complete && summary.sent > 0 && summary.sent < 100);
        }
        assert!(partly > 0, "{order:?}");
    }
}
