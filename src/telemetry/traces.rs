//! Spans of calls, sent to a collector by OTLP.

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

/// A collector, and what it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Its URL, like `http://127.0.0.1:4317` (gRPC, in plaintext).
    pub endpoint: String,
    /// How often it gets the metrics.
    pub interval: Duration,
    /// Of the calls whose callers don't say whether they are traced: the share that is.
    pub sample: f64,
}

/// Who sends.
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

/// Spans of calls, whatever the log's filter says, and nothing else.
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
