//! The cost of the analyses, without the network.
//!
//! `cargo bench --bench analysis`. Measures analyses of the bundled scenario: the time includes the conversion of the
//! request and, if the name of the measurement ends with "from the file on", reading and compiling the scenario file.
//! It then measures how long it takes to read a generated scenario with more than 1e30 packages and to count these
//! packages exactly.

#[path = "growth/scenarios.rs"]
mod scenarios;

use criterion::{Criterion, criterion_group, criterion_main};
use detente::schema::proto::v1;
use detente::schema::proto::v1::binding_probability::Of;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::schema::proto::v1::{assess_robustness_request, suggest_amendments_request};
use detente::services::{AnalysisRequest, RedLines};
use detente::serving::Store;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use detente_core::scenario;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const BUNDLED: &str = include_str!("../scenarios/ukraine-2025.yaml");
const EUROPEAN_FORCE: &str = "scenarios/ukraine-2025/proposals/european-force";

fn service(text: &str) -> RedLines {
    let compiled = Compiled::new(Arc::new(scenario::load("scenario.yaml", text).unwrap())).unwrap();
    RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()))
}

fn aim(floor: v1::Firmness) -> Option<v1::Aim> {
    let goal = "ceasefire_scope == \"all_fronts\"".to_owned();
    Some(v1::Aim { goal, floor: floor.into(), ..v1::Aim::default() })
}

fn amend() -> v1::SuggestAmendmentsRequest {
    let subject = suggest_amendments_request::Subject::ProposalName(EUROPEAN_FORCE.to_owned());
    v1::SuggestAmendmentsRequest { subject: Some(subject), ..Default::default() }
}

fn impasse() -> v1::ExplainImpasseRequest {
    v1::ExplainImpasseRequest { aim: aim(v1::Firmness::Tentative), ..Default::default() }
}

fn count(floor: v1::Firmness) -> v1::FindPackagesRequest {
    v1::FindPackagesRequest { aim: aim(floor), max_packages: Some(0), ..Default::default() }
}

fn robustness(floor: v1::Firmness) -> v1::AssessRobustnessRequest {
    let probability = |firmness| v1::BindingProbability {
        of: Some(Of::Firmness(firmness)),
        probability: [0.2, 0.5, 0.8, 0.95][firmness as usize - 1],
    };
    v1::AssessRobustnessRequest {
        subject: Some(assess_robustness_request::Subject::ProposalName(EUROPEAN_FORCE.to_owned())),
        aim: aim(floor),
        probabilities: [1, 2, 3, 4].map(probability).to_vec(),
        ..Default::default()
    }
}

fn bundled(criterion: &mut Criterion) {
    fn ask<R: AnalysisRequest>(criterion: &mut Criterion, name: &str, request: &R) {
        let held = service(BUNDLED);
        let mut group = criterion.benchmark_group("bundled");
        group.bench_function(name, |bencher| {
            bencher.iter(|| held.analyse(black_box(request), &Budget::unhurried()).unwrap());
        });
        group.bench_function(format!("{name}, from the file on"), |bencher| {
            bencher.iter(|| service(BUNDLED).analyse(black_box(request), &Budget::unhurried()).unwrap());
        });
    }
    ask(criterion, "amend european-force", &amend());
    ask(criterion, "impasse at the floor tentative", &impasse());
    ask(criterion, "count at the floor firm", &count(v1::Firmness::Firm));
    ask(criterion, "count at the floor tentative", &count(v1::Firmness::Tentative));
    ask(criterion, "robustness at the floor firm", &robustness(v1::Firmness::Firm));
    ask(criterion, "robustness at the floor tentative", &robustness(v1::Firmness::Tentative));
}

fn many(criterion: &mut Criterion) {
    let text = scenarios::generated(100, 100, 1);
    let request = v1::FindPackagesRequest {
        aim: Some(v1::Aim { floor: v1::Firmness::Tentative.into(), ..v1::Aim::default() }),
        max_packages: Some(0),
        ..Default::default()
    };
    let parts = service(&text).analyse(&request, &Budget::unhurried()).unwrap().decode().unwrap();
    let Some(Part::Summary(summary)) = parts.last().and_then(|part| part.part.clone()) else { panic!("a summary") };
    assert!(summary.packages.len() > 30, "more than 1e30: {}", summary.packages);
    criterion.bench_function(&format!("count {} packages, from the file on", summary.packages), |bencher| {
        bencher.iter(|| service(&text).analyse(black_box(&request), &Budget::unhurried()).unwrap());
    });
}

fn quick() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group!(name = benches; config = quick(); targets = bundled, many);
criterion_main!(benches);
