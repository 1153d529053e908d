//! What the process says about itself: events and spans, on standard error, for people or for machines.

use clap::ValueEnum;
use std::any::Any;
use std::io::{self, IsTerminal};
use std::panic;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

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

/// Writes events to standard error from here on, panics included.
///
/// # Errors
/// If something in this process already does.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TryInitError> {
    let registry = tracing_subscriber::registry().with(EnvFilter::new(filter));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Human => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            registry.with(layer.with_ansi(colours)).try_init()?;
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, panic = panic_text(panic.payload()), "a thread panicked");
    }));
    Ok(())
}

/// What a panic says.
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(not a text)",
    }
}
