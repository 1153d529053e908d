//! Telemetry: log events and spans ([`init`]), and metrics ([`Metrics`]).
//!
//! Events go to standard error, as text or JSON, with escapes for invisible characters ([`escape_invisible`]); the
//! spans of calls go to an OTLP collector if there is one. Must not know what the events are about.

mod cgroup;
mod collector;
mod invisible;
mod log;
mod metrics;
mod process;
#[cfg(feature = "otlp")]
mod traces;
#[cfg(not(feature = "otlp"))]
#[path = "without_otlp.rs"]
mod traces;

pub use cgroup::memory_limit;
pub use collector::{CALL_TARGET, Otlp};
pub use invisible::escape_invisible;
pub(crate) use log::MAX_WAITING_LINES;
pub use log::{LogFormat, Telemetry, TelemetryError, check_filter, dropped_lines, init, panic_text};
pub use metrics::{Labels, Metrics, MetricsError, Sample};
pub use process::register_process;
pub use traces::{ExporterError, set_parent};
