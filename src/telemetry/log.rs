//! Log events: their format, their filter, and the thread that writes them.
//!
//! Must not know what the events are about.

use crate::telemetry::{ExporterError, Otlp, escape_invisible, traces};
use clap::ValueEnum;
use std::any::Any;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::telemetry";

/// Log lines that may wait to be written.
///
/// Calls never wait for the log: when this many lines wait, further lines are dropped and counted.
pub(crate) const MAX_WAITING_LINES: usize = 2 * 1024;

/// Time for which a full queue of log lines may become free at shutdown, before the lines in it are given up.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Time between two looks whether it is free.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The format of log events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event; in colour on a terminal, unless NO_COLOR is set.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// Checks a log filter: a level (`info`), or levels by target (`info,detente::call=debug`).
///
/// # Errors
/// If the filter cannot be parsed; the error says where.
pub fn check_filter(filter: &str) -> Result<(), ParseError> {
    EnvFilter::try_new(filter).map(|_| ())
}

/// Why telemetry cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The process already has a subscriber for log events.
    #[error(transparent)]
    AlreadySet(#[from] TryInitError),
    /// The collector's address is invalid, or this build has no support for collectors.
    #[error("cannot send traces: {0}")]
    Otlp(#[from] ExporterError),
}

/// Guard of the telemetry set up by [`init`].
///
/// Dropping it writes the remaining log lines and sends the remaining spans, for up to about two seconds.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<traces::Spans>,
    writer: NonBlocking,
    guard: Option<WorkerGuard>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown(Duration::from_secs(2))
        {
            tracing::warn!(target: LOG_TARGET, %error, "cannot send the remaining spans");
        }
        // The lines are written last, so that a failure to send the spans is still logged. If the queue of lines is full,
        // the guard says so on standard output, which may be the decision log, and nobody may read that either.
        let until = Instant::now() + LAST_LINES;
        while is_full(&mut self.writer) {
            if Instant::now() >= until {
                std::mem::forget(self.guard.take());
                return;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Whether the queue of log lines takes no further line.
fn is_full(writer: &mut NonBlocking) -> bool {
    let before = dropped_lines();
    // Writes nothing. The queue counts it as dropped if there is no place for it.
    let _ = writer.write(&[]);
    dropped_lines() > before
}

static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// Returns the number of log lines dropped because too many lines were waiting.
pub fn dropped_lines() -> u64 {
    DROPPED_LINES.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

/// Starts writing events, panics included, to standard error, and sending spans to the collector.
///
/// With a collector, it must be called within a tokio runtime.
///
/// # Errors
/// If the process already has a subscriber, or the collector's address is invalid.
pub fn init(format: LogFormat, filter: &str, otlp: Option<&Otlp>) -> Result<Telemetry, TelemetryError> {
    // Lossy: a reader that does not read the log must not block the threads that write it.
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(MAX_WAITING_LINES).lossy(true).finish(io::stderr());
    DROPPED_LINES.get_or_init(|| writer.error_counter());
    let last = writer.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || EscapingWriter(writer.clone()));
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
    Ok(Telemetry { traces, writer: last, guard: Some(guard) })
}

/// Writes log lines, with escapes for the invisible characters in all of their fields.
struct EscapingWriter(NonBlocking);

impl Write for EscapingWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // tracing-subscriber formats an event as a string and writes it at once, so `line` is a whole line in UTF-8.
        self.0.write_all(escape_invisible(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the message of a panic.
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(no message)",
    }
}
