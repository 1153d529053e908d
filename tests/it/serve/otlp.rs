//! Traces and metrics are sent to a collector, and an unreachable collector does not affect calls. Only a build with
//! the feature `otlp` exports anything: `cargo test --features otlp`.

use crate::support::collector::collector;
use crate::support::program::Program;
use crate::support::{EVALUATE, PATIENCE, frame};
use data_encoding::HEXLOWER;
use detente::schema::proto::v1::EvaluateProposalRequest;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tonic::Code;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn proposal() -> Vec<u8> {
    let name = "scenarios/ukraine-2025/proposals/european-force".to_owned();
    EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() }.encode_to_vec()
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let pairs = span.attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let value = match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::BoolValue(flag)) => flag.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key.as_str(), value)
    });
    pairs.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_traced_as_children_of_their_callers() {
    let (collector, address) = collector().await;
    let endpoint = format!("http://{address}");
    let mut program = Program::start(&["--otlp-endpoint", &endpoint, "--otlp-interval", "1s", "--trace-sample", "0"]);
    let client = program.client().await;
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", sampled.as_str()), ("x-request-id", "traced")];
    assert_eq!(client.call(EVALUATE, &headers, frame(&proposal())).await.code(), Code::Ok);
    // Neither the caller nor the server's sampling ratio (0) asks for these traces.
    let unsampled = format!("00-{}-{PARENT}-00", "1".repeat(32));
    for headers in [&[("traceparent", unsampled.as_str())][..], &[]] {
        assert_eq!(client.call(EVALUATE, headers, frame(&proposal())).await.code(), Code::Ok);
    }
    let refused = client.call(EVALUATE, &[("traceparent", &sampled)], frame(&[])).await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(client);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let spans: Vec<Span> = collector.spans.lock().unwrap().iter().flat_map(|scope| scope.spans.clone()).collect();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let span = spans.iter().find(|span| attributes(span).get("request_id").is_some_and(|id| id == "traced")).unwrap();
    assert_eq!(
        (HEXLOWER.encode(&span.trace_id), HEXLOWER.encode(&span.parent_span_id)),
        (TRACE.to_owned(), PARENT.to_owned())
    );
    assert_eq!((span.name.as_str(), span.kind()), ("detente.v1.RedLineService/EvaluateProposal", SpanKind::Server));
    let found = attributes(span);
    for (name, wanted) in [
        ("rpc.system", "grpc"),
        ("scenario", "ukraine-2025"),
        ("verdict", "VERDICT_BLOCKED"),
        ("cached", "false"),
        ("status", "OK"),
        ("caller", "anonymous"),
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some(wanted), "{found:#?}");
    }
    assert_eq!(found["revision"].len(), 32);
    assert!(
        !found.values().any(|value| value.contains("european-force")),
        "the span contains the proposal: {found:#?}"
    );
    let other = spans.iter().find(|span| attributes(span).contains_key("reason")).unwrap();
    assert_eq!(attributes(other)["reason"], "INVALID_REQUEST");
    // The collector receives the same values as a Prometheus scrape.
    let metrics = collector.metrics.lock().unwrap();
    let metrics: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["detente_call_duration", "detente_refusals", "detente_evaluations", "detente_scenario_info"] {
        assert!(metrics.contains(&name), "{metrics:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unresponsive_collector_delays_neither_calls_nor_shutdown() {
    // One collector accepts connections and never answers, the other one does not exist.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The port stays bound, so that no other test can listen on it.
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    for address in [silent.local_addr().unwrap(), gone.local_addr().unwrap()] {
        let endpoint = format!("http://{address}");
        let mut program = Program::start(&["--otlp-endpoint", &endpoint, "--otlp-interval", "1s"]);
        let client = program.client().await;
        let begun = Instant::now();
        for _ in 0..3_000 {
            assert_eq!(client.call(EVALUATE, &[], frame(&proposal())).await.code(), Code::Ok);
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        drop(client);
        let begun = Instant::now();
        program.signal("-TERM");
        assert_eq!(program.ended().await, Some(0));
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    }
}
