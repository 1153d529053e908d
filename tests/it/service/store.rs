//! Several scenarios in one store.

use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::serving::source;

#[test]
fn the_order_of_files_decides_the_default_scenario_and_nothing_else() {
    let renamed = source::EMBEDDED.replacen("scenario: ukraine-2025", "scenario: again", 1);
    let serve = |texts: &[&str]| {
        let compiled = texts.iter().map(|text| {
            let scenario = detente_core::scenario::load("file.yaml", text).unwrap();
            detente_core::engine::Compiled::new(std::sync::Arc::new(scenario)).unwrap()
        });
        let store = detente::serving::Store::new(compiled.collect()).unwrap();
        detente::services::RedLines::new(std::sync::Arc::new(store))
    };
    let one = serve(&[source::EMBEDDED, &renamed]);
    let other = serve(&[&renamed, source::EMBEDDED]);
    for name in ["scenarios/ukraine-2025", "scenarios/again"] {
        let request = v1::EvaluateProposalRequest {
            subject: Some(Subject::ProposalName(format!("{name}/proposals/european-force"))),
            ..Default::default()
        };
        assert_eq!(one.evaluate(&request).unwrap(), other.evaluate(&request).unwrap());
    }
    let listed = |service: &detente::services::RedLines| {
        let listed = service.list_scenarios(v1::ListScenariosRequest::default()).unwrap();
        let names: Vec<String> = listed.scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        let default = listed.scenarios.iter().find(|scenario| scenario.is_default).unwrap().name.clone();
        (names, listed.revision, default)
    };
    let (names, revision, default) = listed(&one);
    assert_eq!(names, ["scenarios/again", "scenarios/ukraine-2025"]);
    assert_eq!(listed(&other), (names, revision, "scenarios/again".to_owned()));
    assert_eq!(default, "scenarios/ukraine-2025");
    let twice = detente::serving::Store::new(
        source::load(&[]).unwrap().into_iter().chain(source::load(&[]).unwrap()).collect(),
    );
    assert!(twice.is_err(), "a store accepts two scenarios with the same id");
}
