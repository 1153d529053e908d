//! Error reasons: clients act on them, so a reason keeps its name, its status code and its metadata.

use crate::contracts::golden::{assert_golden, assert_same};
use crate::contracts::wire::{Reply, call, schema};
use crate::support::binary::Folder;
use crate::support::credentials::entry;
use crate::support::program::Program;
use crate::support::{Answer, Client, PATIENCE, frame};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;
use tonic_types::{ErrorDetails, StatusExt};

const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";

/// Requests that every server rejects, whatever its settings are. Each is a method and a message.
pub(crate) fn refused() -> Vec<(&'static str, Value)> {
    let day = json!({"year": 1999, "month": 1, "day": 1});
    let many = |count: usize, item: Value| Value::Array(vec![item; count]);
    let terms = many(2_000, json!({"issue": "sanctions", "choice": "lift"}));
    let drop = json!({"dropRedLine": "ru-four-regions"});
    let token = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let named = json!({"proposalName": "scenarios/ukraine-2025/proposals/strong-army"});
    vec![
        ("EvaluateProposal", json!({"proposal": {"terms": [{"issue": "sanctions", "choice": "lfit"}]}})),
        ("EvaluateProposal", json!({"proposal": {}, "scenario": "ukraine"})),
        ("EvaluateProposal", json!({"proposal": {"terms": [{"issue": "no\u{1b}[0m\u{0}one\u{301}", "flag": true}]}})),
        ("EvaluateProposal", json!({"proposal": {}, "asOf": day})),
        ("EvaluateHistory", json!({"proposal": {}, "from": day})),
        ("EvaluateHistory", json!({"proposal": {}, "to": {"year": 2099, "month": 1, "day": 1}})),
        ("ListRedLines", json!({"filter": {"heldOn": day}})),
        ("ListRedLines", json!({"pageToken": token})),
        ("ListRedLines", json!({"pageSize": -1})),
        ("ListRedLines", json!({"orderBy": "title"})),
        ("ListRedLines", json!({"filter": {"text": "x".repeat(201)}})),
        ("ListRedLines", json!({"orderBy": "x".repeat(201)})),
        ("GetScenario", json!({"name": "scenarios/ukraine-2024"})),
        ("GetRedLine", json!({"name": "scenarios/ukraine-2025/redLines/ru-four-region"})),
        ("GetProposal", json!({"name": "scenarios/ukraine-2025/proposals/strong"})),
        ("GetScenario", json!({"name": "scenarios/ukraine-2025", "revision": "0".repeat(32)})),
        ("EvaluateProposal", json!({"proposal": {"terms": terms}})),
        ("EvaluateProposal", json!({"proposal": {}, "clearedIssues": many(2_000, json!("sanctions"))})),
        ("EvaluateProposal", json!({"proposal": {}, "hypotheses": many(33, drop)})),
        ("BatchEvaluateProposals", json!({"requests": many(1_001, json!({}))})),
        (
            "BatchEvaluateProposals",
            json!({"requests": many(1_000, json!({"proposal": {}, "view": "EVALUATION_VIEW_FULL"}))}),
        ),
        ("CompareProposals", json!({"proposals": many(200, named)})),
    ]
}

/// Formats an error as a line of the golden file: its reason, its status code, the keys of its metadata, the limits
/// that were exceeded, and the kinds of its details.
fn row(code: &str, details: &ErrorDetails) -> String {
    let info = details.error_info().unwrap_or_else(|| panic!("{code} has no reason: {details:?}"));
    assert_eq!(info.domain, "detente.dev");
    let mut row = format!("{}: {code}", info.reason);
    let keys: BTreeSet<&str> = info.metadata.keys().map(String::as_str).collect();
    for key in keys {
        // The names of limits are part of the contract, so they are shown. Other values depend on the request.
        let _ = match key {
            "limits" => write!(row, ", limits = {}", info.metadata[key]),
            _ => write!(row, ", {key}"),
        };
    }
    for (kind, is_there) in
        [("BadRequest", details.bad_request().is_some()), ("RetryInfo", details.retry_info().is_some())]
    {
        row += &if is_there { format!(", with {kind}") } else { String::new() };
    }
    row
}

fn of_answer(answer: &Answer) -> String {
    let status = answer.status();
    row(&name_of(status.code()), &status.get_error_details())
}

/// The name of a status code as the gRPC specification writes it, read from the schema.
fn name_of(code: tonic::Code) -> String {
    let codes = schema().get_enum_by_name("google.rpc.Code").unwrap();
    codes.get_value(code as i32).unwrap().name().to_owned()
}

fn of_reply(reply: &Reply) -> String {
    row(&name_of(reply.code), &reply.details)
}

/// Adds the errors that occur only in a certain state of the server or with certain settings.
async fn by_settings(rows: &mut BTreeSet<String>) {
    let folder = Folder::new("contracts-errors");
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("reader", "r", "reader", "")));
    let program = Program::start(&["--tokens", &tokens]);
    let client = program.client().await;
    rows.insert(of_reply(&call(&client, "ListScenarios", &[], &[json!({})]).await));
    let reader = [("authorization", "Bearer r")];
    rows.insert(of_reply(&call(&client, "ExplainImpasse", &reader, &[json!({})]).await));

    let program = Program::start(&["--caller-rate", "1", "--caller-burst", "2", "--max-request-bytes", "1KiB"]);
    let client = program.client().await;
    let batch = json!({"requests": [{"proposal": {}}, {"proposal": {}}, {"proposal": {}}, {"proposal": {}}]});
    rows.insert(of_reply(&call(&client, "BatchEvaluateProposals", &[], &[batch]).await));
    let large = json!({"proposal": {"title": "x".repeat(2_000)}});
    rows.insert(of_reply(&call(&client, "EvaluateProposal", &[], &[large]).await));
    // The quota is one call a second, and these calls take less time.
    let mut refused = None;
    for _ in 0..200 {
        let reply = call(&client, "ListScenarios", &[], &[json!({})]).await;
        refused = refused.or((reply.code != tonic::Code::Ok).then_some(reply));
    }
    rows.insert(of_reply(&refused.expect("the quota is used up")));

    let waits = ["--stream-idle", "1s", "--receive-timeout", "1s", "--drain-pause", "0s", "--drain-timeout", "5s"];
    let program = Program::start(&waits);
    let client = program.client().await;
    let (slow, _send) = client.open("/detente.v1.RedLineService/EvaluateProposal", &[]).await;
    let (idle, mut first) = client.open(STREAM, &[]).await;
    first.send_data(frame(&[]), false).unwrap();
    rows.insert(of_answer(&Answer::read(idle).await));
    rows.insert(of_answer(&Answer::read(slow).await));
    streams(&client, rows).await;

    let mut program = Program::start(&["--drain-pause", "0s", "--drain-timeout", "5s"]);
    let client = program.client().await;
    let (answer, mut open) = client.open(STREAM, &[]).await;
    open.send_data(frame(&[]), false).unwrap();
    // The first answer shows that the server has opened the stream.
    let response = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    program.signal("-TERM");
    rows.insert(of_answer(&Answer::rest(response).await));
    assert_eq!(program.ended().await, Some(0));
}

/// Opens more streams on a connection than the limit allows, and adds the error.
async fn streams(client: &Client, rows: &mut BTreeSet<String>) {
    let mut open = Vec::new();
    for _ in 0..8 {
        let (answer, mut send) = client.open(STREAM, &[]).await;
        send.send_data(frame(&[]), false).unwrap();
        open.push((answer, send));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (answer, _send) = client.open(STREAM, &[]).await;
    rows.insert(of_answer(&Answer::read(answer).await));
}

/// The text of the golden file, from servers with a cache of this size.
async fn reasons(cache: &str) -> String {
    let mut text = String::new();
    let reasons = schema().get_enum_by_name("detente.v1.ErrorReason").unwrap();
    for reason in reasons.values() {
        let _ = writeln!(text, "{} {}", reason.number(), reason.name());
    }
    let mut rows = BTreeSet::new();
    let program = Program::start(&["--cache", cache]);
    let client = program.client().await;
    for (method, message) in refused() {
        let reply = call(&client, method, &[], &[message]).await;
        assert!(reply.code != tonic::Code::Ok, "{method} is not rejected: {:?}", reply.messages);
        rows.insert(format!("{}  ({method})", of_reply(&reply)));
    }
    // A thousand evaluations take longer than a millisecond.
    let batch = json!({"requests": vec![json!({"proposal": {}}); 1_000]});
    rows.insert(of_reply(&call(&client, "BatchEvaluateProposals", &[("grpc-timeout", "1m")], &[batch]).await));
    // A page token of one list is not valid for another list.
    let first = call(&client, "ListProposals", &[], &[json!({"pageSize": 1})]).await.message();
    let other = json!({"pageToken": first["nextPageToken"]});
    rows.insert(of_reply(&call(&client, "ListRedLines", &[], &[other]).await));
    by_settings(&mut rows).await;
    rows.iter().fold(text + "\n", |text, row| text + row + "\n")
}

#[tokio::test]
async fn error_reasons_are_those_of_earlier_versions() {
    let cached = reasons("32MiB").await;
    assert_same("errors without a cache", &reasons("0").await, &cached);
    assert_golden("error-reasons.txt", &cached);
}
