//! Writes the binary seeds, the inputs from which fuzzing starts: encoded requests, page tokens, and bytes for the
//! fuzz target `oracle`.
//!
//! After a change of the schema or of the bundled scenario, run `cargo run --manifest-path fuzz/Cargo.toml --example
//! write_seeds`. The numbers of the requests are those in `fuzz_targets/request.rs`.

use detente::schema::json::from_json;
use detente::schema::proto::v1;
use detente::services::RedLines;
use detente::services::page_token::{PageToken, QueryHash};
use detente::serving::Store;
use detente_core::engine::Compiled;
use detente_core::scenario;
use prost::Message;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    requests();
    page_tokens();
    worlds();
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn request<M: Message + Default>(kind: u8, name: &str, message: &str, json: &str) {
    let request: M = from_json(message, json).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let mut bytes = vec![kind];
    request.encode(&mut bytes).unwrap();
    write("request", name, &bytes);
}

fn requests() {
    let evaluate = |name, json| request::<v1::EvaluateProposalRequest>(0, name, "EvaluateProposalRequest", json);
    evaluate("evaluate-nothing", "{}");
    evaluate("evaluate-named", r#"{"proposalName":"scenarios/ukraine-2025/proposals/european-force"}"#);
    evaluate(
        "evaluate-own",
        r#"{"scenario":"scenarios/ukraine-2025","view":"EVALUATION_VIEW_FULL","asOf":{"year":2024,"month":6,"day":30},
        "proposal":{"terms":[{"issue":"ceasefire_scope","choice":"all_fronts"},
        {"issue":"ceasefire_days","quantity":"7"},{"issue":"ceasefire_reciprocal","flag":true},{"issue":"us_military_aid","unsettled":{}}]},
        "circumstances":[{"issue":"guarantors_willing","flag":true}]}"#,
    );
    evaluate(
        "evaluate-brackets",
        r#"{"proposal":{"terms":[{"issue":"force_contributors","partial":{"includes":["france"],"excludes":["china"]}},
        {"issue":"force_mandate","anyOf":{"values":["none","un"]}},
        {"issue":"ceasefire_days","range":{"min":"3","max":"90"}},
        {"issue":"ukrainian_withdrawal","members":{"values":["luhansk"]}}]}}"#,
    );
    evaluate(
        "evaluate-changed",
        r#"{"proposalName":"scenarios/ukraine-2025/proposals/jeddah-ceasefire",
        "overrides":[{"issue":"ceasefire_days","range":{"max":"5"}}],"clearedIssues":["ceasefire_reciprocal"]}"#,
    );
    evaluate(
        "evaluate-faults",
        r#"{"proposal":{"terms":[{"issue":"sanctions","choice":"lfit"},{"issue":"force_contributers"},
        {"issue":"sanctions","flag":true},{"issue":"ceasefire_days","quantity":"0"}]},"view":7,"revision":"0",
        "asOf":{"year":2025,"month":2,"day":30},"clearedIssues":["sanctions","",""]}"#,
    );
    let supposing = r#""hypotheses":[{"dropRedLine":"ru-four-regions"},
        {"changeFirmness":{"redLine":"ru-nato-renounced","firmness":"FIRMNESS_FIRM"}},
        {"setCircumstance":{"issue":"guarantors_willing","flag":true}},{"unsetCircumstance":"guarantors_willing"},
        {"addRedLine":{"id":"x","party":"ukraine","requires":"ceasefire_days <= 30","firmness":"FIRMNESS_ABSOLUTE"}}]"#;
    let named = r#""proposalName":"scenarios/ukraine-2025/proposals/jeddah-ceasefire""#;
    evaluate("evaluate-supposing", &format!("{{{named},{supposing}}}"));
    let list = |name, json: &str| request::<v1::ListRedLinesRequest>(1, name, "ListRedLinesRequest", json);
    list("list-all", "{}");
    list(
        "list-filtered",
        r#"{"parent":"scenarios/ukraine-2025","pageSize":3,"orderBy":"party, firmness desc, id asc",
        "filter":{"party":"russia","issue":"sanctions","firmnessAtLeast":"FIRMNESS_FIRM","text":"lift",
        "heldOn":{"year":2025,"month":3,"day":14}}}"#,
    );
    list("list-faults", r#"{"pageSize":-1,"orderBy":"size up","filter":{"party":"rusia","firmnessAtLeast":9}}"#);
    list("list-next", &format!(r#"{{"pageSize":7,"pageToken":"{}"}}"#, second_page()));
    let named = r#"{"name":"scenarios/ukraine-2025/redLines/ru-four-regions"}"#;
    request::<v1::GetRedLineRequest>(2, "red-line", "GetRedLineRequest", named);
    request::<v1::ListScenariosRequest>(3, "scenarios", "ListScenariosRequest", r#"{"pageSize":1}"#);
    request::<v1::GetScenarioRequest>(4, "scenario", "GetScenarioRequest", r#"{"name":"scenarios/ukraine-2025"}"#);
    let paged = r#"{"parent":"scenarios/ukraine-2025","pageSize":4}"#;
    request::<v1::ListProposalsRequest>(5, "proposals", "ListProposalsRequest", paged);
    let named = r#"{"name":"scenarios/ukraine-2025/proposals/strong-army"}"#;
    request::<v1::GetProposalRequest>(6, "proposal", "GetProposalRequest", named);
    several();
    analyses();
}

/// Requests about several proposals or days.
fn several() {
    let batch = r#"{"requests":[{"proposalName":"scenarios/ukraine-2025/proposals/strong-army"},{},
        {"scenario":"scenarios/other"},{"proposal":{"terms":[{"issue":"sanctions","choice":"lift"}]}}]}"#;
    request::<v1::BatchEvaluateProposalsRequest>(7, "batch", "BatchEvaluateProposalsRequest", batch);
    let item = r#"{"id":"a","request":{"proposalName":"scenarios/ukraine-2025/proposals/strong-army"}}"#;
    request::<v1::StreamEvaluateProposalsRequest>(8, "item", "StreamEvaluateProposalsRequest", item);
    let history = r#"{"proposalName":"scenarios/ukraine-2025/proposals/jeddah-ceasefire",
        "from":{"year":2024,"month":1,"day":1},"to":{"year":2025,"month":3,"day":14},
        "overrides":[{"issue":"ceasefire_days","quantity":"60"}],"view":"EVALUATION_VIEW_FULL",
        "hypotheses":[{"dropRedLine":"ua-no-regrouping-pause"}]}"#;
    request::<v1::EvaluateHistoryRequest>(9, "history", "EvaluateHistoryRequest", history);
    let compare = r#"{"proposals":[{"proposalName":"scenarios/ukraine-2025/proposals/jeddah-ceasefire"},
        {"label":"mine","proposal":{"terms":[{"issue":"sanctions","choice":"lift"}]}}],
        "hypotheses":[{"unsetCircumstance":"guarantors_willing"}]}"#;
    request::<v1::CompareProposalsRequest>(10, "compare", "CompareProposalsRequest", compare);
}

/// Requests of the analyses.
fn analyses() {
    let aim = r#""aim":{"goal":"ceasefire_scope == \"all_fronts\"","floor":"FIRMNESS_NEGOTIABLE",
        "pins":[{"issue":"ceasefire_days","range":{"min":"30"}}],"thirdParties":{"parties":["china"]}}"#;
    let named = r#""proposalName":"scenarios/ukraine-2025/proposals/european-force""#;
    let amend = format!("{{{named},\"maxAmendments\":5}}");
    request::<v1::SuggestAmendmentsRequest>(11, "amend", "SuggestAmendmentsRequest", &amend);
    let amend = format!("{{{named},{aim}}}");
    request::<v1::SuggestAmendmentsRequest>(11, "amend-none", "SuggestAmendmentsRequest", &amend);
    let packages = r#"{"maxPackages":5,"order":"PACKAGE_ORDER_DIVERSE","efficient":true}"#;
    request::<v1::FindPackagesRequest>(12, "packages", "FindPackagesRequest", packages);
    request::<v1::ExplainImpasseRequest>(13, "impasse", "ExplainImpasseRequest", &format!("{{{aim}}}"));
    let robust = format!(
        r#"{{{named},"probabilities":[{{"firmness":"FIRMNESS_FIRM","probability":0.9}},{{"firmness":
        "FIRMNESS_ABSOLUTE","probability":1}},{{"redLine":"ua-reciprocity","probability":0.5}}],"sweep":
        ["guarantors_willing"]}}"#
    );
    request::<v1::AssessRobustnessRequest>(14, "robustness", "AssessRobustnessRequest", &robust);
}

/// The token for the second page of the list of the bundled scenario's red lines.
fn second_page() -> String {
    let text = include_str!("../../scenarios/ukraine-2025.yaml");
    let compiled = Compiled::new(Arc::new(scenario::load("ukraine-2025.yaml", text).unwrap())).unwrap();
    let service = RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()));
    let first = v1::ListRedLinesRequest { page_size: 7, ..Default::default() };
    service.list_red_lines(first).unwrap().next_page_token
}

fn page_tokens() {
    write("page_token", "second-page", second_page().as_bytes());
    let query = QueryHash::of(&[b"ListScenarios"]);
    for (name, revision, position) in [("zeros", 0, 0), ("ones", u128::MAX, u32::MAX)] {
        let token = PageToken { revision: format!("{revision:032x}"), query, position };
        write("page_token", name, token.encode().as_bytes());
    }
    write("page_token", "padded", format!("{}==", second_page()).as_bytes());
    write("page_token", "short", b"AQAA");
}

/// The fuzz target `oracle` generates a small scenario, called a world, and reads each byte as one choice. These bytes
/// lead to worlds that are not trivial.
fn worlds() {
    for step in [1u8, 3, 7, 11, 29, 53, 101, 173] {
        let bytes: Vec<u8> = (0..160u8).map(|at| at.wrapping_mul(step) ^ (at >> 3)).collect();
        write("oracle", &format!("step-{step}"), &bytes);
    }
}
