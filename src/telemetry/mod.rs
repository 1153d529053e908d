//! What the process says about itself: events and spans ([`init`]), and numbers ([`Metrics`]).
//!
//! Events go to standard error, for people or for machines; spans of calls go to a collector where there is one.

mod metrics;
#[cfg(feature = "otlp")]
mod traces;
#[cfg(not(feature = "otlp"))]
#[path = "without_otlp.rs"]
mod traces;

pub use metrics::{Labels, Metrics, MetricsError, Sample};
pub use traces::{ExporterError, set_parent};

use clap::ValueEnum;
use std::any::Any;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::OnceLock;
use std::time::Duration;
use thiserror::Error;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::telemetry";

/// The target of the events and spans of calls.
pub const CALL_TARGET: &str = "detente::call";
/// How many lines of the log may wait to be written. Whoever doesn't read the log doesn't hold up calls: what comes when
/// so many wait is dropped, and counted.
const MAX_WAITING_LINES: usize = 16 * 1024;

/// A collector of traces and metrics (OpenTelemetry), and what is sent to it. A build without the feature `otlp` sends
/// nothing, and refuses every collector.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// The collector's URL, like `http://127.0.0.1:4317` (gRPC, in plaintext).
    pub endpoint: String,
    /// How often metrics are sent.
    pub interval: Duration,
    /// The share of calls that are traced, from 0 to 1, among the calls whose callers do not say whether to trace them.
    pub sample: f64,
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people; with colours on a terminal, unless NO_COLOR is set.
    #[default]
    Human,
    /// A JSON object a line.
    Json,
}

/// Checks a filter: a level (`info`), or levels by target (`info,detente::call=debug`).
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), ParseError> {
    EnvFilter::try_new(filter).map(|_| ())
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// Something in this process already does.
    #[error(transparent)]
    Taken(#[from] TryInitError),
    /// The collector's address can't be used.
    #[error("traces can't be sent: {0}")]
    Otlp(#[from] ExporterError),
}

/// Ends what [`init`] began: what is waiting is written and sent, for a second or so.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<traces::Spans>,
    // Last, so that what goes wrong before is still logged.
    _log: WorkerGuard,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown(Duration::from_secs(2))
        {
            tracing::warn!(target: LOG_TARGET, %error, "the last spans were not sent");
        }
    }
}

static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines of the log were dropped because nobody read them.
pub fn dropped_lines() -> u64 {
    DROPPED_LINES.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

/// Writes events to standard error from here on, panics included, and sends the spans of calls to a collector, if there
/// is one. Must be called within a tokio runtime if there is.
///
/// # Errors
/// If something in this process already does, or the collector's address can't be used.
pub fn init(format: LogFormat, filter: &str, otlp: Option<&Otlp>) -> Result<Telemetry, TelemetryError> {
    // A log that is not read must not hold up who writes it.
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(MAX_WAITING_LINES).lossy(true).finish(io::stderr());
    DROPPED_LINES.get_or_init(|| writer.error_counter());
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let log: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            layer.with_ansi(colours).with_filter(EnvFilter::new(filter)).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).with_filter(EnvFilter::new(filter)).boxed(),
    };
    let traces = otlp.map(traces::Spans::new).transpose()?;
    let spans = traces.as_ref().map(traces::Spans::layer);
    tracing_subscriber::registry().with(log).with(spans).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: LOG_TARGET, location, panic = panic_text(panic.payload()), "a thread panicked");
    }));
    Ok(Telemetry { traces, _log: guard })
}

/// What a panic says.
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(not a text)",
    }
}
