//! Metrics: one set of instruments, which Prometheus scrapes and which can be sent to a collector over OTLP.
//!
//! Owns the instruments of calls and connections, which are recorded as they happen. Counts that other modules keep
//! (cache, analyses, decision log) are read at each scrape. Must not know what a call does.

use crate::telemetry::{ExporterError, Otlp, traces};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry::{KeyValue, StringValue};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::telemetry::metrics";

/// Bucket bounds of call durations, in seconds.
///
/// An evaluation takes tens of microseconds, an analysis seconds.
const BUCKETS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0, 30.0,
];

/// Label names with their values.
pub type Labels = Vec<(&'static str, String)>;
/// The labels of one time series, and its value.
pub type Sample = (Labels, f64);

/// Why metrics cannot be set up or rendered.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The Prometheus registry rejects a metric.
    #[error("cannot collect metrics: {0}")]
    Prometheus(#[from] prometheus::Error),
    /// The OpenTelemetry SDK fails.
    #[error("cannot collect metrics: {0}")]
    Sdk(#[from] OTelSdkError),
    /// The collector's address is invalid, or this build has no support for collectors.
    #[error("cannot send metrics: {0}")]
    Otlp(#[from] ExporterError),
}

/// The metric instruments of the process. Clones share them.
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
    connections_displaced: Counter<u64>,
    connections_ended: Counter<u64>,
}

impl Metrics {
    /// Creates the instruments. With a collector, it must be called within a tokio runtime.
    ///
    /// # Errors
    /// If an instrument is rejected, or the collector's address is invalid.
    pub fn new(otlp: Option<&Otlp>) -> Result<Self, MetricsError> {
        let registry = Registry::new();
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
            .with_description("Duration of calls, from their headers to their trailers")
            .with_boundaries(BUCKETS.to_vec())
            .build();
        let refusals = meter
            .u64_counter("detente_refusals")
            .with_description("Errors returned for calls and for items of batches and streams, by reason")
            .build();
        let limits =
            meter.u64_counter("detente_limits_exceeded").with_description("Requests beyond a limit, by limit").build();
        let connections = meter.u64_counter("detente_connections").with_description("Connections accepted").build();
        let connections_refused = meter
            .u64_counter("detente_connections_refused")
            .with_description(
                "Connections closed before their first call (tls, silent, lost, not_http2, displaced), or because their \
                 address had too many (address), and how often the connection limit was reached (full)",
            )
            .build();
        let connections_displaced = meter
            .u64_counter("detente_connections_displaced")
            .with_description(
                "Connections closed to make room for new ones: without an HTTP/2 preface (silent), without a call \
                 answered OK for 5 seconds (unanswered), or without a call in progress (idle)",
            )
            .build();
        let connections_ended = meter
            .u64_counter("detente_connections_ended")
            .with_description(
                "Connections that carried calls and closed: by the client (left), at the maximum age (age), after the \
                 client's certificate became invalid (certificate), at shutdown (drain), without an answer to a keepalive \
                 ping (keepalive), because of a flood of resets, pings and the like (flood), to make room for another connection (displaced), \
                 because answers were left unread while others needed their memory (unread), or with an error (broken)",
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
                connections_displaced,
                connections_ended,
            }),
        };
        metrics.gauge("detente_build_info", "Version of the program", || {
            vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)]
        });
        metrics.counter(
            "detente_log_lines_dropped",
            "Log lines dropped because too many were waiting to be written",
            || vec![(Labels::new(), crate::telemetry::dropped_lines() as f64)],
        );
        Ok(metrics)
    }

    /// Records a call that has ended.
    pub fn call(&self, method: &Arc<str>, code: &'static str, took: Duration) {
        let labels = [KeyValue::new("method", StringValue::from(Arc::clone(method))), KeyValue::new("code", code)];
        self.inner.calls.record(took.as_secs_f64(), &labels);
    }

    /// Counts an error returned to a caller.
    pub fn refused(&self, reason: &'static str) {
        self.inner.refusals.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// Counts a request that exceeded a limit.
    pub fn over_limit(&self, limit: &str) {
        self.inner.limits.add(1, &[KeyValue::new("limit", limit.to_owned())]);
    }

    /// Counts an accepted connection.
    pub fn connection(&self) {
        self.inner.connections.add(1, &[]);
    }

    /// Counts a connection that closed before its first call.
    pub fn connection_refused(&self, reason: &'static str) {
        self.inner.connections_refused.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// Counts a connection that was closed to make room for another one.
    pub fn connection_displaced(&self, kind: &'static str) {
        self.inner.connections_displaced.add(1, &[KeyValue::new("kind", kind)]);
    }

    /// Counts a connection that carried calls and has closed.
    pub fn connection_ended(&self, reason: &'static str) {
        self.inner.connections_ended.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// Registers a value that only grows, read at each scrape.
    ///
    /// Its exported name has the suffix `_total`.
    pub fn counter(
        &self,
        name: &'static str,
        description: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let counter = self.inner.meter.f64_observable_counter(name).with_description(description);
        counter.with_callback(move |observer| observe(read(), |value, labels| observer.observe(value, labels))).build();
    }

    /// Registers a value that rises and falls, read at each scrape.
    pub fn gauge(
        &self,
        name: &'static str,
        description: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let gauge = self.inner.meter.f64_observable_gauge(name).with_description(description);
        gauge.with_callback(move |observer| observe(read(), |value, labels| observer.observe(value, labels))).build();
    }

    /// Renders all metrics in the Prometheus text format.
    ///
    /// # Errors
    /// If a metric cannot be rendered.
    pub fn text(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.inner.registry.gather())?)
    }

    /// Sends the remaining metrics to the collector, for up to two seconds, and stops the export.
    pub fn end(&self) {
        if let Err(error) = self.inner.provider.shutdown_with_timeout(Duration::from_secs(2)) {
            tracing::debug!(target: LOG_TARGET, %error, "cannot send the remaining metrics");
        }
    }
}

fn observe(samples: Vec<Sample>, observe: impl Fn(f64, &[KeyValue])) {
    for (labels, value) in samples {
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
        observe(value, &labels);
    }
}
