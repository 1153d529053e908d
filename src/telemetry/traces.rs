//! OTLP: sends the spans of calls, and metrics, to a collector. Must not know what a call does.

use crate::telemetry::{CALL_TARGET, Otlp};
use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Why traces and metrics cannot be sent: the collector's address is invalid.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct ExporterError(#[from] ExporterBuildError);

/// Describes this process to the collector.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name("detente")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The exporter of spans.
#[derive(Debug)]
pub(super) struct Spans {
    provider: SdkTracerProvider,
}

impl Spans {
    pub(super) fn new(otlp: &Otlp) -> Result<Self, ExporterError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).build()?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource())
            .build();
        Ok(Self { provider })
    }

    /// Creates the layer that exports the spans of calls and nothing else, whatever the log filter.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let only = Targets::new().with_target(CALL_TARGET, LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("detente"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(only)
    }

    /// Sends the remaining spans, for up to `time_limit`.
    pub(super) fn shutdown(&self, time_limit: Duration) -> Result<(), OTelSdkError> {
        self.provider.shutdown_with_timeout(time_limit)
    }
}

/// Adds a reader that sends the provider's metrics to the collector at the interval of `otlp`.
pub(super) fn export_metrics(
    provider: MeterProviderBuilder,
    otlp: &Otlp,
) -> Result<MeterProviderBuilder, ExporterError> {
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(otlp.interval).build();
    Ok(provider.with_resource(resource()).with_reader(reader))
}

/// Adapter through which the propagator reads the trace context from headers.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Makes the caller's span the parent of `span`, if the headers of the call name one.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    // The assignment fails only if no collector is configured. Then nothing reads the parent, so the error is ignored.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
}
