//! The exporters of a build without the feature `otlp`: they reject every collector.
//!
//! Must not know what a call does.

use crate::telemetry::Otlp;
use http::HeaderMap;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::MeterProviderBuilder;
use std::time::Duration;
use thiserror::Error;
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// Why traces and metrics cannot be sent: this build has no support for collectors.
#[derive(Debug, Error)]
#[error("this build has no OTLP support; build with `--features otlp`")]
pub struct ExporterError;

/// The exporter of spans. The type has no values, because this build cannot create an exporter.
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

/// Does nothing: without an exporter, nothing reads the parent of a span.
pub fn set_parent(_: &Span, _: &HeaderMap) {}
