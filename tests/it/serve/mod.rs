//! `detente serve`, run as a process of the compiled binary.

#[cfg(feature = "otlp")]
mod otlp;
mod running;
mod settings;
mod settings_reference;
