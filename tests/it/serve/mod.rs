//! `detente serve`, run as the real binary.

#[cfg(feature = "otlp")]
mod otlp;
mod running;
mod settings;
mod settings_reference;
