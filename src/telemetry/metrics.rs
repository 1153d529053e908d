//! Numbers, for Prometheus to fetch, and for a collector by OTLP: one set of instruments, read by both.
//!
//! What happens on every call is recorded as it happens. What is counted elsewhere anyway (the cache, the analyses, the
//! decision log) is read when somebody looks.

use crate::telemetry::{ExporterError, Otlp, traces};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry::{KeyValue, StringValue};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::telemetry::metrics";

/// The bounds of the latencies' buckets, in seconds: an evaluation takes tens of microseconds, an analysis seconds.
const BUCKETS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0, 30.0,
];

/// Names and values of what tells samples apart.
pub type Labels = Vec<(&'static str, String)>;
/// A number, with what tells it from others of its name.
pub type Sample = (Labels, f64);

/// The metrics can't be kept.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// By their kind.
    #[error("metrics can't be gathered: {0}")]
    Prometheus(#[from] prometheus::Error),
    /// By what gathers them.
    #[error("metrics can't be gathered: {0}")]
    Sdk(#[from] OTelSdkError),
    /// The collector's address can't be used.
    #[error("metrics can't be sent: {0}")]
    Otlp(#[from] ExporterError),
}

/// The instruments. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    provider: SdkMeterProvider,
    meter: Meter,
    calls: Histogram<f64>,
    refusals: Counter<u64>,
    limits: Counter<u64>,
    connections: Counter<u64>,
    connections_refused: Counter<u64>,
    connections_ended: Counter<u64>,
}

impl Metrics {
    /// None recorded yet. With a collector, it must be called within a tokio runtime.
    ///
    /// # Errors
    /// If they can't be kept.
    pub fn new(otlp: Option<&Otlp>) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()?;
        let mut provider = SdkMeterProvider::builder().with_reader(prometheus);
        if let Some(otlp) = otlp {
            provider = traces::export_metrics(provider, otlp)?;
        }
        let provider = provider.build();
        let meter = provider.meter("detente");
        let calls = meter
            .f64_histogram("detente_call_duration")
            .with_unit("s")
            .with_description("How long calls took, from their headers to their trailers")
            .with_boundaries(BUCKETS.to_vec())
            .build();
        let refusals = meter
            .u64_counter("detente_refusals")
            .with_description("Errors answered, of calls and of items in batches and streams, by reason")
            .build();
        let limits = meter
            .u64_counter("detente_limits_exceeded")
            .with_description("Requests that asked for more than they may, by limit")
            .build();
        let connections =
            meter.u64_counter("detente_connections").with_description("Connections that were accepted").build();
        let connections_refused = meter
            .u64_counter("detente_connections_refused")
            .with_description(
                "Connections that came to nothing (tls, silent, lost, not_http2), and how often no more could be accepted \
                 (full)",
            )
            .build();
        let connections_ended = meter
            .u64_counter("detente_connections_ended")
            .with_description(
                "Connections that came to calls and ended: by their clients (left), of age, with the certificate that \
                 the client showed, with the server (drain), without a sign of life (keepalive), by floods of resets, \
                 pings and the like (flood), by errors (broken)",
            )
            .build();
        let metrics = Self {
            inner: Arc::new(Inner {
                registry,
                provider,
                meter,
                calls,
                refusals,
                limits,
                connections,
                connections_refused,
                connections_ended,
            }),
        };
        metrics.gauge("detente_build_info", "The program's version", || {
            vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)]
        });
        metrics.counter(
            "detente_log_lines_dropped",
            "Lines of the log that were dropped since nobody read them",
            || vec![(Labels::new(), crate::telemetry::dropped_lines() as f64)],
        );
        Ok(metrics)
    }

    /// A call has ended.
    pub fn call(&self, method: &Arc<str>, code: &'static str, took: Duration) {
        let labels = [KeyValue::new("method", StringValue::from(Arc::clone(method))), KeyValue::new("code", code)];
        self.inner.calls.record(took.as_secs_f64(), &labels);
    }

    /// An error was answered.
    pub fn refused(&self, reason: &'static str) {
        self.inner.refusals.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// A request was beyond a limit.
    pub fn over_limit(&self, limit: &str) {
        self.inner.limits.add(1, &[KeyValue::new("limit", limit.to_owned())]);
    }

    /// A connection was accepted.
    pub fn connection(&self) {
        self.inner.connections.add(1, &[]);
    }

    /// A connection came to nothing.
    pub fn connection_refused(&self, reason: &'static str) {
        self.inner.connections_refused.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// A connection that came to calls has ended.
    pub fn connection_ended(&self, reason: &'static str) {
        self.inner.connections_ended.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// A number that only grows (`_total` is added to its name), read when somebody looks.
    pub fn counter(
        &self,
        name: &'static str,
        description: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let counter = self.inner.meter.f64_observable_counter(name).with_description(description);
        counter.with_callback(move |observer| observe(read(), |value, labels| observer.observe(value, labels))).build();
    }

    /// A number that rises and falls, read when somebody looks.
    pub fn gauge(
        &self,
        name: &'static str,
        description: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let gauge = self.inner.meter.f64_observable_gauge(name).with_description(description);
        gauge.with_callback(move |observer| observe(read(), |value, labels| observer.observe(value, labels))).build();
    }

    /// All of them, in Prometheus' text format.
    ///
    /// # Errors
    /// If one of them has no text.
    pub fn text(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.inner.registry.gather())?)
    }

    /// Sends what there is to the collector, for the last time.
    pub fn end(&self) {
        if let Err(error) = self.inner.provider.shutdown_with_timeout(Duration::from_secs(2)) {
            tracing::debug!(target: LOG_TARGET, %error, "the last metrics were not sent");
        }
    }
}

fn observe(samples: Vec<Sample>, observe: impl Fn(f64, &[KeyValue])) {
    for (labels, value) in samples {
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
        observe(value, &labels);
    }
}
