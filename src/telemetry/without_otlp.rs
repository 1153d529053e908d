//! What stands in for the exporters of traces and metrics in a build without the feature `otlp`: nothing is sent, and
//! a collector's address is refused.

use super::Otlp;
use http::HeaderMap;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::MeterProviderBuilder;
use std::time::Duration;
use thiserror::Error;
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// Traces and metrics cannot be sent.
#[derive(Debug, Error)]
#[error("this build has no OTLP support; build with `--features otlp`")]
pub struct ExporterError;

/// An exporter of spans. This build has none.
#[derive(Debug)]
pub(super) enum Spans {}

impl Spans {
    pub(super) fn new(_: &Otlp) -> Result<Self, ExporterError> {
        Err(ExporterError)
    }

    pub(super) fn layer(&self) -> Identity {
        match *self {}
    }

    pub(super) fn shutdown(&self, _: Duration) -> Result<(), OTelSdkError> {
        match *self {}
    }
}

pub(super) fn export_metrics(_: MeterProviderBuilder, _: &Otlp) -> Result<MeterProviderBuilder, ExporterError> {
    Err(ExporterError)
}

/// Makes the caller's span, if the headers of its call name one, the parent of `span`. Without an exporter, parents are
/// of no use.
pub fn set_parent(_: &Span, _: &HeaderMap) {}
