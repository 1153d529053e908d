//! Exports to an OpenTelemetry collector: the names of spans, attributes and metrics, on which dashboards depend. Only
//! a build with the feature `otlp` exports anything.

use crate::contracts::decisions;
use crate::contracts::errors::refused;
use crate::contracts::golden::{assert_golden, assert_same};
use crate::contracts::wire::call;
use crate::support::collector::{Collector, collector};
use crate::support::program::Program;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Returns a collector with the spans and metrics that a server with a cache of this size has exported.
async fn collected(cache: &str) -> Collector {
    let (collector, address) = collector().await;
    let endpoint = format!("http://{address}");
    let options = ["--cache", cache, "--log-content", "true", "--otlp-endpoint", &endpoint, "--otlp-interval", "1s"];
    let mut program = Program::start(&options);
    let client = program.client().await;
    for (method, messages) in decisions::calls() {
        call(&client, method, &[], &messages).await;
    }
    for (method, message) in refused() {
        call(&client, method, &[], &[message]).await;
    }
    drop(client);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    collector
}

fn spans(collector: &Collector) -> String {
    let resources = collector.resources.lock().unwrap();
    let attributes = resources.iter().flat_map(|resource| &resource.attributes).map(|attribute| &attribute.key);
    let attributes: BTreeSet<&String> = attributes.collect();
    let mut text: String =
        attributes.into_iter().map(|attribute| format!("resource attribute {attribute}\n")).collect();
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for scope in collector.spans.lock().unwrap().iter() {
        let of = scope.scope.as_ref().map(|scope| scope.name.clone()).unwrap_or_default();
        for span in &scope.spans {
            assert_eq!(span.kind(), SpanKind::Server);
            let status = span.status.as_ref().map(|status| status.code().as_str_name()).unwrap_or_default();
            let keys: Vec<&str> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
            let mut keys: Vec<&str> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            keys.sort_unstable();
            let row = format!("{status}: {}", keys.join(", "));
            rows.entry(format!("span {} of {of}, server", span.name)).or_default().insert(row);
        }
    }
    for (span, kinds) in rows {
        let _ = writeln!(text, "{span}");
        kinds.iter().for_each(|kind| {
            let _ = writeln!(text, "  {kind}");
        });
    }
    let mut metrics = BTreeSet::new();
    for metric in collector.metrics.lock().unwrap().iter() {
        let kind = match metric.data {
            Some(Data::Gauge(_)) => "gauge",
            Some(Data::Sum(_)) => "sum",
            Some(Data::Histogram(_)) => "histogram",
            _ => "other",
        };
        metrics.insert(format!("metric {} {kind} {}", metric.name, metric.unit).trim_end().to_owned());
    }
    metrics.iter().fold(text, |text, metric| text + metric + "\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_and_sent_metrics_are_those_of_earlier_versions() {
    let cached = spans(&collected("32MiB").await);
    let uncached = spans(&collected("0").await);
    let without: String = cached
        .lines()
        .filter(|line| !line.starts_with("metric detente_cache_"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert_same("spans without a cache", &uncached, &without);
    assert_golden("spans.txt", &cached);
}
