//! What the bundled scenario answers beyond one proposal: the acceptance cases.

use detente::analysis::Budget;
use detente::cli::source;
use detente::grpc::proto::v1::{self, suggest_amendments_request::Subject};
use detente::grpc::service::RedLines;
use detente::serving::Store;
use std::sync::Arc;

fn bundled() -> RedLines {
    RedLines::new(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()))
}

fn aim(goal: &str, floor: v1::Firmness) -> Option<v1::Aim> {
    Some(v1::Aim { goal: goal.to_owned(), floor: floor.into(), ..v1::Aim::default() })
}

#[test]
fn show() {
    let service = bundled();
    let request = v1::SuggestAmendmentsRequest {
        subject: Some(Subject::ProposalName("scenarios/ukraine-2025/proposals/european-force".to_owned())),
        ..Default::default()
    };
    let t = std::time::Instant::now();
    println!("{:#?}", service.analyse(&request, &Budget::unhurried()).unwrap());
    println!("{:?}", t.elapsed());
    for floor in [v1::Firmness::Negotiable, v1::Firmness::Firm, v1::Firmness::Tentative] {
        let request =
            v1::ExplainImpasseRequest { aim: aim("ceasefire_scope == \"all_fronts\"", floor), ..Default::default() };
        let t = std::time::Instant::now();
        println!("{:#?}", service.analyse(&request, &Budget::unhurried()).unwrap());
        println!("{:?}", t.elapsed());
        let request = v1::FindPackagesRequest {
            aim: aim("ceasefire_scope == \"all_fronts\"", floor),
            max_packages: Some(1),
            efficient: true,
            ..Default::default()
        };
        let t = std::time::Instant::now();
        println!("{:#?}", service.analyse(&request, &Budget::unhurried()).unwrap());
        println!("{:?}", t.elapsed());
    }
}
