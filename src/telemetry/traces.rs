//! Spans of calls and metrics, sent to a collector by OTLP.

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

/// Traces and metrics cannot be sent: the collector's address is not usable.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct ExporterError(#[from] ExporterBuildError);

/// Who sends.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name("detente")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// An exporter of spans.
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

    /// Spans of calls, whatever the log's filter says, and nothing else.
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

    /// Sends the spans that wait, for as long as `patience`.
    pub(super) fn shutdown(&self, patience: Duration) -> Result<(), OTelSdkError> {
        self.provider.shutdown_with_timeout(patience)
    }
}

/// Has the collector sent what the provider gathers.
pub(super) fn export_metrics(
    provider: MeterProviderBuilder,
    otlp: &Otlp,
) -> Result<MeterProviderBuilder, ExporterError> {
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(otlp.interval).build();
    Ok(provider.with_resource(resource()).with_reader(reader))
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Makes the caller's span, if the headers of its call name one, the parent of `span`.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    // It fails only without a collector, where nobody could take the parent.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
}
