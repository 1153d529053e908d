//! The decision log: its lines are kept for years, read by other programs, and replayed by later versions.

use crate::contracts::golden::{assert_golden, assert_same, folder_of};
use crate::contracts::wire::call;
use crate::support::Client;
use crate::support::binary::{Folder, run};
use crate::support::credentials::entry;
use crate::support::program::Program;
use serde_json::{Value, json};
use std::fs;
use tonic::Code;

/// The trace context that the caller sends. It is fixed, so that the logged lines are equal in every run.
const TRACE: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// Every field that `--decision-log-mask` can name to hide its value. The test fails if a field is renamed or removed.
const FIELDS: [&str; 15] = [
    "time",
    "request_id",
    "trace_id",
    "caller",
    "method",
    "item",
    "scenario",
    "revision",
    "as_of",
    "verdict",
    "could_become",
    "crossed",
    "cached",
    "duration_us",
    "request",
];

fn named(proposal: &str) -> Value {
    json!({"proposalName": format!("scenarios/ukraine-2025/proposals/{proposal}")})
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

/// A call: the method and the messages that are sent.
pub(crate) type TestCall = (&'static str, Vec<Value>);

/// Calls of each method. They produce each verdict, and contain each kind of term and hypothesis. Some of the calls are
/// not logged.
pub(crate) fn calls() -> Vec<TestCall> {
    let mut calls: Vec<TestCall> = Vec::new();
    let willing = |flag: bool| json!([{"issue": "guarantors_willing", "flag": flag}]);
    for request in [
        named("european-force"),
        // Answered from the cache, if the server has one.
        named("european-force"),
        with(named("guarantors-2022"), "circumstances", willing(false)),
        with(named("guarantors-2022"), "circumstances", willing(true)),
        named("jeddah-ceasefire"),
        named("christmas-truce"),
        json!({"proposal": {"terms": [{"issue": "guarantee", "unsettled": {}}]}}),
        json!({"scenario": "scenarios/ukraine-2025", "proposal": {}}),
        with(named("european-force"), "asOf", json!({"year": 2024, "month": 6, "day": 30})),
        with(named("strong-army"), "view", json!("EVALUATION_VIEW_FULL")),
        with(named("strong-army"), "clearedIssues", json!(["ukrainian_forces"])),
        with(named("jeddah-ceasefire"), "overrides", json!([{"issue": "ceasefire_days", "quantity": "60"}])),
        json!({"proposal": {"title": "All kinds of terms", "terms": [
            {"issue": "us_backs_force", "flag": true},
            {"issue": "sanctions", "anyOf": {"values": ["ease", "lift"]}},
            {"issue": "ceasefire_scope", "choice": "all_fronts"},
            {"issue": "ceasefire_days", "range": {"min": "7", "max": "30"}},
            {"issue": "force_contributors", "partial": {"includes": ["france"], "excludes": ["china"]}},
            {"issue": "ukrainian_withdrawal", "members": {}},
        ]}}),
        json!({"proposal": {"terms": [{"issue": "force_contributors", "members": {"values": ["china", "france"]}}]}}),
        with(
            named("european-force"),
            "hypotheses",
            json!([
                {"dropRedLine": "ru-no-nato-forces"},
                {"changeFirmness": {"redLine": "ru-kursk", "firmness": "FIRMNESS_FIRM"}},
                {"setCircumstance": {"issue": "guarantors_willing", "flag": true}},
                {"addRedLine": {
                    "id": "supposed", "party": "russia", "rejects": "us_backs_force", "firmness": "FIRMNESS_TENTATIVE",
                }},
            ]),
        ),
        with(named("guarantors-2022"), "hypotheses", json!([{"unsetCircumstance": "guarantors_willing"}])),
        // Rejected calls, which are not logged.
        named("nothing-like-it"),
        with(json!({"proposal": {}}), "asOf", json!({"year": 1999, "month": 1, "day": 1})),
    ] {
        calls.push(("EvaluateProposal", vec![request]));
    }
    let items = [named("european-force"), named("refused"), named("jeddah-ceasefire"), json!({"proposal": {}})];
    calls.push(("BatchEvaluateProposals", vec![json!({"scenario": "scenarios/ukraine-2025", "requests": items})]));
    let stream = [
        json!({"id": "first", "request": named("strong-army")}),
        json!({"request": with(named("christmas-truce"), "view", json!("EVALUATION_VIEW_FULL"))}),
        json!({"id": "refused", "request": named("refused")}),
        json!({"id": "empty"}),
    ];
    calls.push(("StreamEvaluateProposals", stream.to_vec()));
    calls.push(("EvaluateHistory", vec![named("christmas-truce")]));
    calls.push(("CompareProposals", vec![json!({"proposals": [named("strong-army"), named("european-force")]})]));
    calls.push(("SuggestAmendments", vec![named("strong-army")]));
    calls.push(("FindPackages", vec![json!({"maxPackages": 1})]));
    calls.push(("ExplainImpasse", vec![json!({})]));
    let certain =
        ["FIRM", "ABSOLUTE"].map(|firmness| json!({"firmness": format!("FIRMNESS_{firmness}"), "probability": 1}));
    calls.push(("AssessRobustness", vec![json!({"proposal": {}, "probabilities": certain})]));
    for method in ["ListRedLines", "ListScenarios", "ListProposals", "GetScenario"] {
        calls.push((method, vec![json!({})]));
    }
    calls
}

/// Makes the calls one after the other. The request id of a call is its number.
async fn make(client: &Client, calls: &[TestCall], headers: &[(&str, &str)]) {
    for (at, (method, messages)) in calls.iter().enumerate() {
        let id = format!("call-{:02}", at + 1);
        let headers = [headers, &[("x-request-id", &id)]].concat();
        let reply = call(client, method, &headers, messages).await;
        let may_fail = messages.iter().any(|message| message.to_string().contains("nothing-like-it"))
            || messages.iter().any(|message| message.to_string().contains("1999"));
        assert_eq!(reply.code != Code::Ok, may_fail, "{method} {messages:?}: {:?} {:?}", reply.code, reply.details);
    }
}

/// The decision log that a server with these options writes for these calls.
async fn log(name: &str, options: &[&str], calls: &[TestCall], headers: &[(&str, &str)]) -> String {
    let folder = Folder::new(&format!("contracts-{name}"));
    let file = folder.0.join("decisions.jsonl");
    let path = file.display().to_string();
    let mut program = Program::start(&[&["--decision-log", &path], options].concat());
    make(&program.client().await, calls, headers).await;
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    fs::read_to_string(&file).unwrap()
}

/// The lines of a log without the values that differ between runs: the time and the duration.
fn without_timing(log: &str) -> String {
    let still = |line: &str| {
        let mut fields: Value = serde_json::from_str(line).unwrap();
        assert_eq!(fields.to_string(), line, "the line is not in the compact form of serde_json");
        let shape = |text: &str| text.replace(|digit: char| digit.is_ascii_digit(), "9");
        if fields["time"] != "masked" {
            assert_eq!(shape(fields["time"].as_str().unwrap()), "9999-99-99T99:99:99.999999Z");
            fields["time"] = json!("2026-01-01T00:00:00.000000Z");
        }
        if fields["duration_us"] != "masked" {
            assert!(fields["duration_us"].is_u64(), "{line}");
            fields["duration_us"] = json!(0);
        }
        fields.to_string() + "\n"
    };
    log.lines().map(still).collect()
}

#[tokio::test]
async fn decision_log_lines_are_those_of_earlier_versions() {
    let calls = calls();
    let cached = without_timing(&log("decisions", &["--cache", "32MiB"], &calls, &[TRACE]).await);
    let uncached = without_timing(&log("decisions-uncached", &["--cache", "0"], &calls, &[TRACE]).await);
    assert!(cached.contains("\"cached\":true") && !uncached.contains("\"cached\":true"));
    assert_same("the log without a cache", &uncached, &cached.replace("\"cached\":true", "\"cached\":false"));
    assert_golden("decision-log.jsonl", &cached);
}

#[tokio::test]
async fn decision_log_lines_name_callers_as_earlier_versions_do() {
    let folder = Folder::new("contracts-callers");
    let tokens = entry("dashboards", "secret", "reader", "") + &entry("planners", "other", "analyst", "");
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{tokens}"));
    let calls = vec![
        ("EvaluateProposal", vec![named("european-force")]),
        ("BatchEvaluateProposals", vec![json!({"requests": [named("strong-army")]})]),
        ("StreamEvaluateProposals", vec![json!({"id": "one", "request": named("strong-army")})]),
    ];
    let mut all = String::new();
    for token in ["Bearer secret", "Bearer other"] {
        all += &without_timing(&log("by-caller", &["--tokens", &tokens], &calls, &[("authorization", token)]).await);
    }
    assert_golden("decision-log-by-caller.jsonl", &all);
}

#[tokio::test]
async fn each_field_is_masked_as_in_earlier_versions() {
    let stream = vec![("StreamEvaluateProposals", vec![json!({"id": "one", "request": named("european-force")})])];
    let all = FIELDS.join(",");
    let mut text = without_timing(&log("masked", &["--decision-log-mask", &all], &stream, &[TRACE]).await);
    let parts = "crossed.firmness,request.proposal_name";
    text += &without_timing(&log("masked-parts", &["--decision-log-mask", parts], &stream, &[TRACE]).await);
    assert_golden("decision-log-masked.jsonl", &text);
}

#[test]
fn an_old_log_is_replayed_as_by_earlier_versions() {
    let old = folder_of("old-decisions.jsonl").display().to_string();
    let folder = Folder::new("contracts-replay");
    let scenario = include_str!("../../../scenarios/ukraine-2025.yaml");
    let nato = "rejects: force_contributors.exists(m, m in european_and_nato_states)";
    assert_eq!(scenario.matches(nato).count(), 1);
    let changed = scenario.replace(nato, &format!("{nato} && ceasefire_days > 1000"));
    let changed = changed.replacen("- id: strong-army", "- id: stronger-army", 1);
    let changed = folder.write("changed.yaml", &changed);
    let mut text = String::new();
    for options in
        [&[][..], &["--output", "json"], &["--scenario", &changed], &["--scenario", &changed, "--output", "json"]]
    {
        let (code, stdout, stderr) = run(&[&["replay", &old], options].concat());
        let shown = options.join(" ").replace(&changed, "CHANGED");
        text += &format!("$ detente replay OLD {shown}\n{}{stderr}exit code {code}\n\n", stdout.replace(&old, "OLD"));
    }
    assert_golden("replay.txt", &text);
}
