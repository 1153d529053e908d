//! The settings of the OpenTelemetry collector, and the target of the spans that it receives.
//!
//! Must not know how spans and metrics are exported.

use std::time::Duration;

/// The log target of the events and spans of calls.
pub const CALL_TARGET: &str = "detente::call";

/// The OpenTelemetry collector to which traces and metrics are sent, and how much is sent.
///
/// A build without the feature `otlp` sends nothing, and rejects every collector.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// The collector's URL, such as `http://127.0.0.1:4317` (gRPC, in plaintext).
    pub endpoint: String,
    /// Interval at which metrics are sent.
    pub interval: Duration,
    /// Share of calls that are traced, from 0 to 1.
    ///
    /// It applies to calls whose callers do not say whether to trace them.
    pub sample: f64,
}
