//! Traces: sends the spans of calls to an OTLP collector. Must not know what a call does.

use crate::telemetry::CALL_TARGET;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// An OTLP collector, and how often and how much is sent to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// The collector's URL, such as `http://127.0.0.1:4317` (gRPC, in plaintext).
    pub endpoint: String,
    /// Interval at which metrics are sent.
    pub interval: Duration,
    /// Share of calls that are traced, from 0 to 1, among the calls whose callers do not say whether to trace them.
    pub sample: f64,
}

/// Describes this process to the collector.
pub(super) fn resource() -> Resource {
    Resource::builder()
        .with_service_name("detente")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

pub(super) fn provider(otlp: &Otlp) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).build()?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource())
        .build())
}

/// Creates the layer that exports the spans of calls and nothing else; it does not depend on the log filter.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let only = Targets::new().with_target(CALL_TARGET, LevelFilter::DEBUG);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("detente"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(only)
}
